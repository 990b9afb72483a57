"""Replay guards, which accept each display once. There is one module for each kind of store.

`protocols` says what a guard must do; `ybtoken.judging.redemption` says what is claimed, and which outcome counts.
"""
