"""Engines: what does the verification of one text or of many."""
