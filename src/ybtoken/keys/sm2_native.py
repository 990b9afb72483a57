"""SM2 keys that sign with the native module (extra ``native``), for machines without a usable libcrypto (ADR 0013)."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from ybtoken._native import ybtoken_native
from ybtoken.algorithms import DEFAULT_USER_ID, Curve
from ybtoken.keys._sm2.curve import check_user_id
from ybtoken.keys.protocols import SAMPLE
from ybtoken.keys.reading import PrivateKeyRead, read_private_key
from ybtoken.keys.sm2 import SM2VerifyingKey

__all__ = ["NativeSM2SigningKey"]


class NativeSM2SigningKey:
    """An SM2 private key on RustCrypto's constant-time arithmetic, for machines where no libcrypto may sign (ADR 0013).

    It is never shown, compared, copied or pickled. See also `generate` and `from_pem`.

    Args:
        number: the private number, 32 bytes, big-endian, 1 to n - 2, as many SM2 tools write keys.
        user_id: the SM2 user id with which it signs.

    Raises:
        TypeError: the user id is not bytes, or the number neither bytes nor a string.
        ValueError: the number is not 32 bytes or out of its bounds, or the user id is empty or too long.
    """

    __slots__ = ("_key", "algorithm", "kid", "user_id", "verifying_key")
    verified_share: ClassVar[float] = SAMPLE

    def __init__(self, number: bytes | str, *, user_id: bytes = DEFAULT_USER_ID) -> None:
        self._take(_key_of(read_private_key(number, curve=Curve.SM2), user_id), user_id)

    def _take(self, key: ybtoken_native.Sm2Key, user_id: bytes) -> None:
        self._key = key
        self.verifying_key = SM2VerifyingKey.from_point(key.x, key.y, user_id=user_id)
        self.algorithm = self.verifying_key.algorithm
        self.kid = self.verifying_key.kid
        self.user_id = user_id

    @classmethod
    def generate(cls, *, user_id: bytes = DEFAULT_USER_ID) -> NativeSM2SigningKey:
        """Make a new key."""
        made = cls.__new__(cls)
        made._take(ybtoken_native.Sm2Key.generate(user_id=check_user_id(user_id)), user_id)
        return made

    @classmethod
    def from_pem(
        cls, pem: bytes | str, *, passphrase: bytes | None = None, user_id: bytes = DEFAULT_USER_ID
    ) -> NativeSM2SigningKey:
        """Read a private key as `SM2SigningKey.from_pem` does. No libcrypto is needed.

        Raises:
            TypeError: the passphrase or the user id is not bytes, or the PEM is neither bytes nor a string.
            ValueError: this is not an SM2 key, its public point belongs to another key, or the passphrase is wrong,
                missing or not needed.
        """
        made = cls.__new__(cls)
        made._take(_key_of(read_private_key(pem, curve=Curve.SM2, passphrase=passphrase), user_id), user_id)
        return made

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`; the message is hashed with SM3 after ZA. Releases the GIL."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"NativeSM2SigningKey(kid={self.kid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled or copied: load it where it is used")


def _key_of(read: PrivateKeyRead, user_id: bytes) -> ybtoken_native.Sm2Key:
    key = ybtoken_native.Sm2Key(read.number, user_id=check_user_id(user_id))
    read.check_pair(b"\x04" + key.x + key.y)
    return key
