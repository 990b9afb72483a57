"""The parts of SM2: the curve, libcrypto, keys on libcrypto's EVP, and plain Python with tables."""
