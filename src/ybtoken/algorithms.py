"""Signature algorithms and curves, by their COSE numbers (Spec 2.2)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["DEFAULT_USER_ID", "Algorithm", "Curve"]

DEFAULT_USER_ID: Final = b"1234567812345678"
"""The SM2 user id if issuer and verifier agreed on no other (GM/T 0009-2012 section 10)."""


class Algorithm(IntEnum):
    """Signature algorithms, by their COSE numbers (Spec 2.2)."""

    ES256 = -7
    """ECDSA with SHA-256, on P-256."""
    ESP256 = -9
    """The same algorithm under its fully specified name (RFC 9864)."""
    SM2 = -65537
    """SM2 with SM3 (GB/T 32918); a private-use number, because none is registered."""

    @property
    def curve(self) -> Curve:
        """The one curve of the algorithm."""
        return Curve.SM2 if self is Algorithm.SM2 else Curve.P256


class Curve(IntEnum):
    """Curves, by their COSE numbers."""

    P256 = 1
    SM2 = -65537
    """sm2p256v1; a private-use number, because none is registered."""
