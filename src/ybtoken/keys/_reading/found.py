"""What the reader of keys gives: a key's numbers, and in words how they were spelled."""

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
    """A public key as it was read; nothing about it is trusted by having been read.

    Args:
        curve: the key's curve.
        point: the point, which is on that curve: 65 bytes, 04, x, y.
        spelling: how it was written, for people.
        not_before: of a certificate, when its period begins, in seconds since 1970; otherwise 0.
        not_after: of a certificate, the first second after its period; otherwise 2**32, which is no end.
        subject: of a certificate, the name of its subject in DER; otherwise nothing.
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
        point: the public point that was written beside it, if any: 65 bytes. That the two belong together is for the
            class that makes the key to check.
        spelling: how it was written, for people.
    """

    curve: Curve
    number: bytes
    point: bytes | None
    spelling: Words

    def check_pair(self, point: bytes) -> None:
        """Check that the public key that was written beside the private one, if any, is its own.

        Args:
            point: the private key's own public point, as the class that calculates with it found it: 65 bytes.

        Raises:
            KeyReadError: another key's point was written there.
        """
        if self.point not in (None, point):
            raise KeyReadError(
                "key.pair", "the public key beside the private key is another's", "私钥旁的公钥与私钥不匹配"
            )

    def __repr__(self) -> str:
        return f"PrivateKeyRead({self.curve.name}, {self.spelling.en!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled or copied: load it where it is used")
