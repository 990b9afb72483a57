"""Passes, from which a phone makes codes offline, and the challenges of terminals.

* `rotating`: profile 2, one-time codes, and the count of wrong ones; `otpauth`: its secret in authenticator apps
* `device`: profile 3 on its phone
* `challenge`: what a terminal asks
"""
