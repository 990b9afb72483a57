"""Replay guards, which make a display good for one use. One module a store."""
