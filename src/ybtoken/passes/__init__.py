"""Passes, from which a phone makes codes offline, and the challenges of terminals."""
