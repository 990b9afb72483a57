"""The protocols of keys that sign and verify, and the kid of a public key.

This module owns the kid, and the rule that the raw protected header of a token selects its key by algorithm and kid
together (Spec 4, step 3), so that no token can combine one key's kid with another algorithm.
"""

from __future__ import annotations

import hashlib
from typing import Final, Protocol, runtime_checkable

import cbor2

from ybtoken._checks import octets
from ybtoken.algorithms import Algorithm, Curve
from ybtoken.wire.envelope import CRV, EC2, KID_SIZE, KTY, X, Y, encode_header

__all__ = ["SigningKey", "VerifyingKey", "coordinate", "kid_of_point"]


SAMPLE: Final = 1 / 64
"""The share of signatures that an issuer verifies of this library's own keys, which state it as `verified_share`.

A software key's arithmetic is OpenSSL's, and a device's key here verifies each signature itself. Verifying all of them
again doubles the time of issuing with P-256 (75 to 150 microseconds); this share adds 1 microsecond. A key that is
wrong throughout shows in the first signature, which is always verified.
"""


@runtime_checkable
class SigningKey(Protocol):
    """A private key that signs tokens, in software, in an HSM or in a KMS.

    A class may state `verified_share`, the share of its signatures that an issuer verifies; otherwise that is all. A
    subclass does not inherit it, because it may sign in another way.
    """

    @property
    def algorithm(self) -> Algorithm:
        """The key's one algorithm."""
        ...

    @property
    def kid(self) -> bytes:
        """8 bytes; see `kid_of_point`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message (the content, not a digest). Returns r || s, 32 bytes each, big-endian."""
        ...


@runtime_checkable
class VerifyingKey(Protocol):
    """A public key that verifies tokens."""

    @property
    def algorithm(self) -> Algorithm:
        """The key's one algorithm."""
        ...

    @property
    def kid(self) -> bytes:
        """8 bytes; see `kid_of_point`."""
        ...

    @property
    def point(self) -> tuple[bytes, bytes]:
        """The public point's coordinates x and y, 32 bytes each, big-endian."""
        ...

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature r || s over a message.

        Raises:
            SignatureError: the signature is not good, for whatever reason.
        """


def kid_of_point(curve: Curve, x: bytes, y: bytes) -> bytes:
    """The kid of a public key: the first 8 bytes of its SHA-256 COSE Key Thumbprint (RFC 9679 section 3)."""
    required = {KTY: EC2, CRV: int(curve), X: x, Y: y}
    return hashlib.sha256(cbor2.dumps(required)).digest()[:KID_SIZE]


def coordinate(name: str, value: bytes) -> bytes:
    """One coordinate of a point as 32 bytes, from as many or from a field of 64 bytes, which begins with zeros."""
    if isinstance(value, bytes) and len(value) == 64 and not any(value[:32]):
        return value[32:]
    return octets(name, value, range(32, 33))


_HEADER_STARTS = frozenset(encode_header(algorithm, bytes(KID_SIZE))[:-KID_SIZE] for algorithm in Algorithm)


def kid_of_header(header: bytes) -> bytes | None:
    """The kid in a raw protected header; ``None`` if the header does not have the exact shape of format 1."""
    return header[-KID_SIZE:] if header[:-KID_SIZE] in _HEADER_STARTS else None
