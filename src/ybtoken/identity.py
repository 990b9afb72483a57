"""Identity references: sealed anew for every display, so that scanners cannot follow a person (Spec 2.4).

A reference is one block of SM4 or AES over ``person number (8) || random (8)``. Who holds the key can open it or link
two of them; for everybody else each is another 16 random bytes. It is not authenticated by itself: it stands in a token
whose signature is.
"""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NoReturn

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ybtoken.keys.by_time import KeysByTime
from ybtoken.keys.ring import KeyRing
from ybtoken.voucher import IDENTITY_REF_SIZE

__all__ = ["BlockCipher", "IdentitySealer", "derive_person_number"]

_NUMBER_SIZE = 8


class BlockCipher(Enum):
    """What seals an identity reference: a block cipher with blocks of 16 bytes."""

    SM4 = "SM4"
    """GB/T 32907; keys of 16 bytes."""
    AES = "AES"
    """FIPS 197; keys of 16, 24 or 32 bytes."""

    @classmethod
    def default(cls, *, national: bool) -> BlockCipher:
        """SM4 where national algorithms are asked for (see `KeyRing.sm2_only`), AES elsewhere."""
        return cls.SM4 if national else cls.AES


class IdentitySealer:
    """Makes identity references from person numbers, and opens them again. Safe to share between threads.

    Args:
        key: the sealing key; or, where keys are rotated, each key by the time (seconds since 1970) from which it is in
            force. A reference names no key: the time at which its token was issued does. Old keys stay in the mapping
            for as long as references made with them are to be opened.
        cipher: AES, or SM4 where national algorithms are asked for.
        clock: seconds since 1970.
        random: gives that many unpredictable bytes.
    """

    __slots__ = ("_ciphers", "_clock", "_random")

    def __init__(
        self,
        key: bytes | Mapping[int, bytes],
        *,
        cipher: BlockCipher = BlockCipher.AES,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        # A reference is one block, and ECB applied to one block is the block cipher itself.
        self._ciphers = KeysByTime("a sealing key", key, lambda k: Cipher(_algorithm(cipher, k), modes.ECB()))  # noqa: S305
        self._clock = clock
        self._random = random

    @classmethod
    def for_ring(
        cls,
        ring: KeyRing,
        key: bytes | Mapping[int, bytes],
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> IdentitySealer:
        """The sealer that goes with a key ring: SM4 where the ring is `KeyRing.sm2_only`, AES otherwise."""
        return cls(key, cipher=BlockCipher.default(national=ring.sm2_only), clock=clock, random=random)

    def seal(self, person_number: int, *, at: int | None = None) -> bytes:
        """Make a new reference, 16 bytes, for a person number of 64 bits.

        Args:
            person_number: 0 to 2**64 - 1; see `derive_person_number`.
            at: when the token is issued (seconds since 1970), if not now: give `Issuer.issue` the same ``now``.
        """
        if not 0 <= person_number < 1 << 8 * _NUMBER_SIZE:
            raise ValueError(f"a person number is 0 to 2**{8 * _NUMBER_SIZE} - 1")
        block = person_number.to_bytes(_NUMBER_SIZE, "big") + self._random(IDENTITY_REF_SIZE - _NUMBER_SIZE)
        encryptor = self._cipher_at(int(self._clock()) if at is None else at).encryptor()
        return encryptor.update(block) + encryptor.finalize()

    def open(self, identity_ref: bytes, *, at: int) -> int:
        """The person number in a reference.

        Args:
            identity_ref: 16 bytes, from a verified voucher.
            at: the voucher's ``issued_at``; it says which key was in force.
        """
        if len(identity_ref) != IDENTITY_REF_SIZE:
            raise ValueError(f"an identity reference is {IDENTITY_REF_SIZE} bytes")
        decryptor = self._cipher_at(at).decryptor()
        return int.from_bytes((decryptor.update(identity_ref) + decryptor.finalize())[:_NUMBER_SIZE], "big")

    def _cipher_at(self, at: int) -> Cipher[modes.ECB]:
        cipher = self._ciphers.at(at)
        if cipher is None:
            raise ValueError(f"no sealing key was in force at {at}")
        return cipher

    def __repr__(self) -> str:
        return f"IdentitySealer({len(self._ciphers)} keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealer holds keys and is not pickled or copied")


def _algorithm(cipher: BlockCipher, key: bytes) -> algorithms.SM4 | algorithms.AES:
    return algorithms.SM4(key) if cipher is BlockCipher.SM4 else algorithms.AES(key)


_MIN_KEY_SIZE = 16


def derive_person_number(
    document_number: str,
    *,
    key: bytes,
    document_type: str = "resident-id",
    attempt: int = 0,
    national: bool = False,
) -> int:
    """A person number of 64 bits from the number of an identity document: keyed, and not reversible without the key.

    The document numbers of a whole country can be listed, so a hash without a key would hide nothing. Among 1.2 billion
    people two share a number with a probability of 4 %: keep numbers under a unique index at enrolment and, when one is
    taken by another document, derive the next ``attempt``.

    Args:
        document_number: as printed; spaces, width and case of letters do not matter.
        key: at least 16 secret bytes; not a sealing key.
        document_type: keeps numbers of different kinds of document apart.
        attempt: 0, then 1 and so on where the number was taken.
        national: use HMAC-SM3 (GB/T 15852.2) instead of HMAC-SHA256; `KeyRing.sm2_only` says where that is due.
    """
    if len(key) < _MIN_KEY_SIZE:
        raise ValueError(f"a derivation key has at least {_MIN_KEY_SIZE} bytes")
    number = "".join(unicodedata.normalize("NFKC", document_number).split()).upper()
    if not number or not number.isalnum():
        raise ValueError("a document number has letters and digits")
    mac = hmac.HMAC(key, hashes.SM3() if national else hashes.SHA256())
    mac.update("\0".join(("ybtoken person number", document_type, str(attempt), number)).encode())
    return int.from_bytes(mac.finalize()[:_NUMBER_SIZE], "big")
