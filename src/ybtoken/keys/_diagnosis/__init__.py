"""The ways in which signatures go wrong, as alternatives to try: of the signature, the message, and the digest."""
