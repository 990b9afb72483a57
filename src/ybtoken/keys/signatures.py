"""Converters between the format's signatures ``r || s`` and those of other tools and devices; and the SM2 digest e.

The converters are strict: in each form there is one spelling of a signature, and any other raises a `ValueError`.

* The format's signature is r and s, 32 bytes each, big-endian, leading zeros included. A tool that drops leading zeros
  makes a bad signature once in 128 times, which a short test misses.
* DER writes r and s as integers, so its length varies from 8 to 72 bytes. Java, Go, OpenSSL and C# write it by default.
* GM/T 0018 (SDF) and GM/T 0016 (SKF) have fields of 64 bytes, of which the first 32 are zero.
* A device that signs a digest must be given ``e = SM3(ZA || message)``, not the message and not ``SM3(message)``.
"""

from __future__ import annotations

from ybtoken._checks import octets
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._der import der_from_raw as _der_from_raw
from ybtoken.keys._der import raw_from_der as _raw_from_der
from ybtoken.keys._sm2.curve import message_hash
from ybtoken.keys.sm2 import SM2VerifyingKey

__all__ = ["der_from_raw", "fields_from_raw", "raw_from_der", "raw_from_fields", "sm2_digest"]

_HALF, _RAW, _FIELDS = 32, range(64, 65), range(128, 129)


def der_from_raw(signature: bytes) -> bytes:
    """The DER ``SEQUENCE { r, s }`` of 64 bytes ``r || s``."""
    return _der_from_raw(octets("a signature r || s", signature, _RAW))


def raw_from_der(der: bytes) -> bytes:
    """The 64 bytes ``r || s`` from a DER ``SEQUENCE { r, s }``; `ValueError` unless it is the shortest encoding."""
    if not isinstance(der, bytes):
        raise TypeError(f"a signature is bytes, not {type(der).__name__}")
    return _raw_from_der(der)


def fields_from_raw(signature: bytes) -> bytes:
    """The 64 bytes ``r || s`` as two fields of 64 bytes each, like an ``ECCSignature`` of GM/T 0018."""
    octets("a signature r || s", signature, _RAW)
    return bytes(_HALF) + signature[:_HALF] + bytes(_HALF) + signature[_HALF:]


def raw_from_fields(fields: bytes) -> bytes:
    """The 64 bytes ``r || s`` from two fields of 64 bytes; `ValueError` if the first half of a field is not zero."""
    octets("a signature in fields of 64 bytes", fields, _FIELDS)
    if any(fields[:_HALF]) or any(fields[2 * _HALF : 3 * _HALF]):
        raise ValueError("r and s stand in the last 32 bytes of their fields, behind zeros")
    return fields[_HALF : 2 * _HALF] + fields[3 * _HALF :]


def sm2_digest(key: SM2VerifyingKey | bytes, message: bytes, *, user_id: bytes | None = None) -> bytes:
    """The digest ``e = SM3(ZA || message)``, 32 bytes, which a device signs (GB/T 32918.2 section 6.1).

    Args:
        key: the signer's public key, or its uncompressed point (65 bytes), on which ZA depends.
        message: the whole message.
        user_id: the SM2 user id. By default that of the key; for a bare point, the usual one.
    """
    if isinstance(key, SM2VerifyingKey):
        point, own = b"\x04" + b"".join(key.point), key.user_id
    else:
        point, own = b"\x04" + b"".join(SM2VerifyingKey(key, backend="tables").point), DEFAULT_USER_ID
    state = message_hash(point, own if user_id is None else user_id)
    state.update(message)
    return state.finalize()
