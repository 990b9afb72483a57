"""The results of the reader of keys: a key's numbers, and a description of how they were spelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from ybtoken._checks import LAST_SECOND
from ybtoken.algorithms import Curve
from ybtoken.keys._reading.refused import KeyReadError
from ybtoken.words import Words

__all__ = ["CURVE_NAMES", "PrivateKeyRead", "PublicKeyRead"]

CURVE_NAMES = {Curve.P256: "P-256", Curve.SM2: "SM2"}


@dataclass(frozen=True, slots=True)
class PublicKeyRead:
    """A public key as it was read. Reading a key does not make it trusted.

    Args:
        curve: the key's curve.
        point: the point, which is on that curve: 65 bytes, 04, x, y.
        spelling: how it was written, for people.
        not_before: when a certificate's period begins, in seconds since 1970; 0 for other input.
        not_after: the first second after a certificate's period; 2**32, which means no end, for other input.
        subject: the name of a certificate's subject in DER; empty for other input.
    """

    curve: Curve
    point: bytes
    spelling: Words
    not_before: int = 0
    not_after: int = LAST_SECOND
    subject: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKeyRead:
    """A private key as it was read. Its `number` is the secret itself: it is not shown, and should not be kept.

    Args:
        curve: the key's curve.
        number: the private number, 32 bytes, big-endian, within the curve's bounds.
        point: the public point that was written beside it, if any: 65 bytes. The class that makes the key checks that
            the two belong together.
        spelling: how it was written, for people.
    """

    curve: Curve
    number: bytes
    point: bytes | None
    spelling: Words

    def check_pair(self, point: bytes) -> None:
        """Check that the public key written beside the private key, if any, belongs to it.

        Args:
            point: the public point computed from the private key, 65 bytes.

        Raises:
            KeyReadError: the point of another key was written there.
        """
        if self.point not in (None, point):
            raise KeyReadError(
                "key.pair", "the public key beside the private key is another's", "私钥旁的公钥与私钥不匹配"
            )

    def __repr__(self) -> str:
        return f"PrivateKeyRead({self.curve.name}, {self.spelling.en!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled or copied: load it where it is used")
