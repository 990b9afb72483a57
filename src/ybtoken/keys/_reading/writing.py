"""Writes private keys as PKCS#8 encrypted with SM4, in the form that GmSSL 3 reads."""

from __future__ import annotations

from ybtoken.algorithms import Curve
from ybtoken.keys._reading import der
from ybtoken.keys._reading.names import CURVES, EC
from ybtoken.keys._reading.sealed import encrypt_with_sm4

__all__ = ["sm4_pkcs8"]


def sm4_pkcs8(curve: Curve, number: bytes, point: bytes, passphrase: bytes) -> bytes:
    """A private key as EncryptedPrivateKeyInfo in DER, with curve and public key, because GmSSL 3 requires both."""
    oid = der.encode_oid(next(oid for oid, each in CURVES.items() if each is curve))
    key = der.encode(
        der.SEQUENCE,
        der.encode_uint(1),
        der.encode(der.OCTET_STRING, number),
        der.encode(0xA0, oid),
        der.encode(0xA1, der.encode(der.BIT_STRING, b"\0", point)),
    )
    algorithm = der.encode(der.SEQUENCE, der.encode_oid(EC), oid)
    info = der.encode(der.SEQUENCE, der.encode_uint(0), algorithm, der.encode(der.OCTET_STRING, key))
    return encrypt_with_sm4(info, passphrase)
