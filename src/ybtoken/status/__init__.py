"""Status lists: which passes are suspended or revoked (Spec 3.5).

* `list`: the bytes of a list, and how it is signed and checked
* `source`: which list is used, and when it is stale; `http` fetches it
* `policy`: what a status means for a voucher (step 8)
* `registry`: the issuer's side
"""
