"""Sources of key rings, and how a verifier follows the newest ring: how it arrives, is kept, and ends.

* `source`: what a source must do, and when a ring has ended; `file` and `tuf` are sources
* `keeper`: swaps verifiers when a newer ring arrives; `policy`: notes an overdue ring
* `repository`: the publisher's side; `changes`: the differences of two rings
"""
