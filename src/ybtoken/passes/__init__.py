"""Passes, from which a phone makes codes offline, and what a terminal asks of a phone."""
