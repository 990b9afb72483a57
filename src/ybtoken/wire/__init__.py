"""The bytes of format 1 and their spelling in digits: no keys, no clock (Spec 2).

* `text`: step 1, groups of digits and check digits
* `envelope`: step 2, the COSE_Sign1, the COSE labels and their order in maps
* `claims`, `parse`: step 5, the claims and their one encoding
* `presentation`: what a phone signs at a display
"""
