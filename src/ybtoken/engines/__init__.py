"""Engines: they do steps 1 to 7 of verification for one text or for many."""
