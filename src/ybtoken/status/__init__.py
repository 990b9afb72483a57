"""Status lists: which passes are suspended or revoked (Spec 3.5)."""
