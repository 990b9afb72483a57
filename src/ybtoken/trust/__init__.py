"""Where key rings come from, and how a verifier follows the newest one: it arrives, stays, and ends."""
