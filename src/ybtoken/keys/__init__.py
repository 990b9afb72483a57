"""Keys and key rings: the protocols, P-256 and SM2, and the files that hold public keys."""
