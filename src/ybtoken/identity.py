"""Identity references: sealed anew for every display, so that scanners cannot follow a person (Spec 2.4).

A reference is one block of SM4 or AES over ``person number (8) || random (8)``. With the sealing key one can open it or
link two references of one person; without it every reference is another 16 random bytes. A reference has no
authentication of its own, because the token that holds it is signed.
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

from ybtoken._checks import callback, instance, octets, string, uint
from ybtoken.keys.by_time import KeysByTime
from ybtoken.keys.ring import KeyRing
from ybtoken.voucher import IDENTITY_REF_SIZE
from ybtoken.words import BoundsError

__all__ = ["BlockCipher", "IdentitySealer", "derive_person_number"]

RESIDENT_ID = "resident-id"
_NUMBER_SIZE = 8
_CHECK_CHARACTERS = "10X98765432"  # by the weighted sum modulo 11 (GB 11643, ISO 7064 MOD 11-2)
_MAX_NUMBER = (1 << 8 * _NUMBER_SIZE) - 1


class BlockCipher(Enum):
    """What seals an identity reference: a block cipher with blocks of 16 bytes."""

    SM4 = "SM4"
    """GB/T 32907; keys of 16 bytes."""
    AES = "AES"
    """FIPS 197; keys of 16, 24 or 32 bytes."""

    @classmethod
    def default(cls, *, sm2_only: bool) -> BlockCipher:
        """SM4 for a platform that uses SM2 only (see `KeyRing.sm2_only`), AES for others."""
        return cls.SM4 if sm2_only else cls.AES


class IdentitySealer:
    """Makes identity references from person numbers, and opens them again. It may be shared between threads.

    Args:
        key: the sealing key. If keys are rotated, a mapping: each key by the time (seconds since 1970) from which it is
            in force. A reference names no key; the time at which its token was issued selects it. Keep an old key in
            the mapping for as long as references made with it are to be opened.
        cipher: AES, or SM4 on a platform that uses SM2 only.
        clock: returns seconds since 1970.
        random: returns as many unpredictable bytes as it is asked for.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, or a key is not of a size that the cipher takes.
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
        instance("cipher", cipher, BlockCipher, "a BlockCipher")
        # A reference is one block, and ECB applied to one block is the block cipher itself.
        self._ciphers = KeysByTime("a sealing key", key, lambda k: Cipher(_algorithm(cipher, k), modes.ECB()))  # noqa: S305
        self._clock = callback("clock", clock, "seconds since 1970")
        self._random = callback("random", random, "bytes")

    @classmethod
    def for_ring(
        cls,
        ring: KeyRing,
        key: bytes | Mapping[int, bytes],
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> IdentitySealer:
        """The sealer that goes with a key ring: SM4 if the ring is `KeyRing.sm2_only`, AES otherwise."""
        instance("ring", ring, KeyRing, "a KeyRing")
        return cls(key, cipher=BlockCipher.default(sm2_only=ring.sm2_only), clock=clock, random=random)

    def seal(self, person_number: int, *, at: int | None = None) -> bytes:
        """Make a new reference, 16 bytes, for a person number of 64 bits.

        Args:
            person_number: 0 to 2**64 - 1; see `derive_person_number`.
            at: when the token is issued, in seconds since 1970; give `Issuer.issue` the same time as its ``now``.
                Without it the sealer reads its clock.
        """
        uint("a person number", person_number, _MAX_NUMBER)
        block = person_number.to_bytes(_NUMBER_SIZE, "big") + self._random(IDENTITY_REF_SIZE - _NUMBER_SIZE)
        encryptor = self._cipher_at(int(self._clock()) if at is None else at).encryptor()
        return encryptor.update(block) + encryptor.finalize()

    def open(self, identity_ref: bytes, *, at: int) -> int:
        """The person number in a reference.

        Args:
            identity_ref: 16 bytes, from a verified voucher.
            at: the voucher's ``issued_at``, which says which key was in force.

        Raises:
            ValueError: the reference is not 16 bytes, or no key was in force at that time.
        """
        octets("an identity reference", identity_ref, range(IDENTITY_REF_SIZE, IDENTITY_REF_SIZE + 1))
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
    document_type: str = RESIDENT_ID,
    attempt: int = 0,
    sm2_only: bool = False,
) -> int:
    """A person number of 64 bits, derived with a key from the number of an identity document.

    Without the key it cannot be reversed. A hash without a key would hide nothing, because the document numbers of a
    whole country can be listed. With 1.2 billion people the probability that any two share a number is 4 %: keep the
    numbers under a unique index at enrolment, and if a number is taken by another document, derive the next
    ``attempt``.

    Args:
        document_number: as printed; spaces, width and case of letters do not matter.
        key: at least 16 secret bytes. Do not use a sealing key.
        document_type: the kind of document; equal numbers of two kinds give different person numbers. The number of
            a resident identity card, which is the default, is checked by its last character (GB 11643).
        attempt: 0, or 1, 2 and so on if the number was taken.
        sm2_only: use HMAC-SM3 (GB/T 15852.2) instead of HMAC-SHA256, as a platform does whose ring is
            `KeyRing.sm2_only`.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind, the key is too short, or this is no document number,
            which the sentence does not repeat.
    """
    if len(instance("key", key, bytes, "a derivation key (bytes)")) < _MIN_KEY_SIZE:
        raise ValueError(f"a derivation key has at least {_MIN_KEY_SIZE} bytes")
    string("document_type", document_type)
    uint("attempt", attempt)
    instance("document_number", document_number, str, "a string")
    number = "".join(unicodedata.normalize("NFKC", document_number).split()).upper()
    if not number or not number.isalnum():
        raise ValueError("a document number has letters and digits")
    if document_type == RESIDENT_ID and not _is_resident_id(number):
        raise BoundsError(
            "a resident identity number has 17 digits and a check character that fits (GB 11643): it was mistyped, "
            "or document_type is another",
            "公民身份号码应为 17 位数字加 1 位校验码（GB 11643），此号码不符：请核对号码，或给出相应的 document_type",
        )
    mac = hmac.HMAC(key, hashes.SM3() if sm2_only else hashes.SHA256())
    mac.update("\0".join(("ybtoken person number", document_type, str(attempt), number)).encode())
    return int.from_bytes(mac.finalize()[:_NUMBER_SIZE], "big")


def _is_resident_id(number: str) -> bool:
    digits, check = number[:17], number[17:]
    if len(digits) != 17 or not (digits.isascii() and digits.isdigit()):
        return False
    weighted = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(digits))
    return check == _CHECK_CHARACTERS[weighted % 11]
