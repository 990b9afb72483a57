"""Mistakes that signers make, as alternatives to try: in the signature, the message and the digest."""
