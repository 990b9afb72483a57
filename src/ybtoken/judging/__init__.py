"""From a token that passed steps 1 to 7 to a verdict.

* `judge`: step 8, the terminal's challenge and the policies
* `redemption`: step 9, what redeeming claims, and which outcomes of the claims refuse
* `verdicts`: the verdicts on many texts
"""
