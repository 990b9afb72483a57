"""Sources of key rings, and how a verifier follows the newest ring: how it arrives, is kept, and ends."""
