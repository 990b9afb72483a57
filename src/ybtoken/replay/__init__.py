"""Replay guards, which accept each display once. There is one module for each kind of store."""
