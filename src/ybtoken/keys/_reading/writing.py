"""Private keys written as PKCS#8, encrypted with SM4 under a passphrase if there is one: what GmSSL 3 reads."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ybtoken.algorithms import Curve
from ybtoken.keys._reading import der
from ybtoken.keys._reading.names import CURVES, EC
from ybtoken.keys._reading.sealed import encrypt_with_sm4

__all__ = ["KeyCipher", "check_cipher", "sm4_pkcs8"]

KeyCipher: TypeAlias = Literal["aes", "sm4"]
"""What encrypts a private key's file: AES-256-CBC under PBKDF2 with HMAC-SHA-256, or SM4-CBC with HMAC-SM3."""


def check_cipher(cipher: str, passphrase: bytes | None) -> bool:
    """Whether SM4 is to encrypt; `ValueError` for another name, or where nothing is to be encrypted."""
    if cipher not in ("aes", "sm4"):
        raise ValueError(f'cipher is "aes" or "sm4", not {cipher!r}')
    if cipher == "sm4" and passphrase is None:
        raise ValueError("a cipher was chosen, but there is no passphrase to encrypt under")
    return cipher == "sm4"


def sm4_pkcs8(curve: Curve, number: bytes, point: bytes, passphrase: bytes) -> bytes:
    """A private key as EncryptedPrivateKeyInfo in DER. It states curve and public key, which GmSSL 3 insists on."""
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
