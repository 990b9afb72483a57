"""Keys and key rings.

* `protocols`: what a key must do, and the kid
* `p256`, `sm2`, `sm2_native`: software keys; the SM2 user id belongs to the key, and its default is in
  `ybtoken.algorithms`
* `ring`: the keys that a verifier trusts; `keyset`: their files
* `reading`, `certificates`, `signatures`, `diagnosis`: keys and signatures from partners
* `device`: the key of a phone; `by_time`: secret keys that are rotated
"""
