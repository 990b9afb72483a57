"""SM2 keys with SM3 (GB/T 32918.2). OpenSSL's libcrypto signs; libcrypto or plain Python verifies.

Signing needs a libcrypto of OpenSSL 3 or later; verifying needs none. The two backends that verify give the same
verdicts and differ only in speed and memory (ADR 0013). ``libcrypto`` is used if there is one; ``tables``, which is
plain Python, is used otherwise or on request.

The SM2 user id belongs to the key: signer and verifier must use the same, and key ring files store it with the key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal, NoReturn, TypeAlias

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys._der import refused
from ybtoken.keys._pem import KeyCipher, check_cipher, check_passphrase, pem_from_der
from ybtoken.keys._sm2.curve import check_point, decompress, spki_from_point
from ybtoken.keys._sm2.evp import EvpPrivateKey, EvpPublicKey, load
from ybtoken.keys._sm2.libcrypto import Libcrypto, LibcryptoError
from ybtoken.keys._sm2.tables import TableKey
from ybtoken.keys.protocols import SAMPLE, coordinate, kid_of_point

if TYPE_CHECKING:
    from ybtoken.keys.reading import PrivateKeyRead

__all__ = ["DEFAULT_USER_ID", "LibcryptoError", "SM2Backend", "SM2SigningKey", "SM2VerifyingKey"]

SM2Backend: TypeAlias = Literal["libcrypto", "tables"]
"""What verifies: OpenSSL, or plain Python with a table in memory for each key in use (see `docs/why/capacity.md`)."""

_SPKI_LABEL = "PUBLIC KEY"
_POINT_SIZE = 65


class SM2VerifyingKey:
    """An SM2 public key. See also `from_point` and `from_pem`.

    Args:
        point: the uncompressed point, 65 bytes: 04, x, y. Any other spelling that `ybtoken.keys.reading` knows is read
            as well, such as hexadecimal, or without 04.
        user_id: the SM2 user id with which its signatures were made.
        backend: what verifies. By default libcrypto if one passes its self-test, otherwise the tables.
        libcrypto: the path of a libcrypto to use. By default the one that this Python or the system has.

    Raises:
        TypeError: the user id is not bytes, or the point neither bytes nor a string.
        ValueError: the point is not on the SM2 curve, or the user id is empty or too long.
        LibcryptoError: libcrypto was requested, by backend or path, and cannot be used.
    """

    __slots__ = ("_key", "algorithm", "backend", "kid", "point", "user_id")

    def __init__(
        self,
        point: bytes | str,
        *,
        user_id: bytes = DEFAULT_USER_ID,
        backend: SM2Backend | None = None,
        libcrypto: str | None = None,
    ) -> None:
        if not isinstance(point, bytes) or len(point) != _POINT_SIZE or point[0] != 4:
            point = _read_point(point)
        check_point(point)
        lib = _library(backend, libcrypto)
        self._key: EvpPublicKey | TableKey = EvpPublicKey(lib, point, user_id) if lib else TableKey(point, user_id)
        self.backend: SM2Backend = "libcrypto" if lib else "tables"
        self.algorithm = Algorithm.SM2
        self.point = point[1:33], point[33:]
        self.kid = kid_of_point(Curve.SM2, *self.point)
        self.user_id = user_id

    @classmethod
    def from_point(
        cls,
        x: bytes,
        y: bytes,
        *,
        user_id: bytes = DEFAULT_USER_ID,
        backend: SM2Backend | None = None,
        libcrypto: str | None = None,
    ) -> SM2VerifyingKey:
        """Make a key from coordinates, big-endian, 32 bytes each or in fields of 64; `ValueError` if off the curve."""
        point = b"\x04" + coordinate("a coordinate x", x) + coordinate("a coordinate y", y)
        return cls(point, user_id=user_id, backend=backend, libcrypto=libcrypto)

    @classmethod
    def from_pem(
        cls,
        pem: bytes | str,
        *,
        user_id: bytes = DEFAULT_USER_ID,
        backend: SM2Backend | None = None,
        libcrypto: str | None = None,
    ) -> SM2VerifyingKey:
        """Read a public key: PEM, or another form that `ybtoken.keys.reading` knows; `KeyReadError` if it is none."""
        point = _read_point(pem)
        return cls(point, user_id=user_id, backend=backend, libcrypto=libcrypto)

    def to_pem(self) -> bytes:
        """The key as SubjectPublicKeyInfo in PEM, which does not contain the user id."""
        return pem_from_der(_SPKI_LABEL, spki_from_point(b"\x04" + b"".join(self.point)))

    def verify(self, message: bytes, signature: bytes) -> None:
        """See `ybtoken.keys.protocols.VerifyingKey`; the message is hashed with SM3 after ZA."""
        if not self._key.verify(message, signature):
            raise refused(self.kid, signature)

    def verifies_digest(self, digest: bytes, signature: bytes) -> bool:
        """Whether a signature ``r || s`` is good for a digest e; see `ybtoken.keys.signatures.sm2_digest`."""
        return self._key.verify_digest(digest, signature)

    def _verify_once(self, message: bytes, signature: bytes) -> bool:
        """Whether a signature is good; no table is kept, because those of thousands of phones would fill the memory."""
        key = self._key
        return key.verify_once(message, signature) if isinstance(key, TableKey) else key.verify(message, signature)

    def __repr__(self) -> str:
        return f"SM2VerifyingKey(kid={self.kid.hex()}, backend={self.backend})"


def verify_compressed(x: bytes, y_is_odd: bool, message: bytes, signature: bytes) -> None:
    """Check a signature with a phone's key, given in the form that a pass has it, and the default user id.

    Raises:
        ValueError: no point of the curve has this x.
        SignatureError: ``device.signature``.
    """
    if not _phone_key(x, y_is_odd)._verify_once(message, signature):
        raise SignatureError("device.signature")


@lru_cache(maxsize=1024)
def _phone_key(x: bytes, y_is_odd: bool) -> SM2VerifyingKey:
    return SM2VerifyingKey(decompress(x, y_is_odd))


class SM2SigningKey:
    """An SM2 private key, held in libcrypto's memory. It is never shown, compared, copied or pickled.

    See also `generate` and `from_pem`. If no libcrypto may sign, there is no fallback to a less careful signer; use the
    key in `ybtoken.keys.sm2_native` instead.

    Args:
        number: the private number, 32 bytes, big-endian, 1 to n - 2. Any other spelling that `ybtoken.keys.reading`
            knows is read as well, such as hexadecimal.
        user_id: the SM2 user id with which it signs.
        libcrypto: the path of a libcrypto to use. By default the one that this Python or the system has.

    Raises:
        TypeError: the user id is not bytes, or the number neither bytes nor a string.
        ValueError: the number is not 32 bytes or out of its bounds, or the user id is empty or too long.
        LibcryptoError: there is no libcrypto that may sign; the error says what to install or to use instead.
    """

    __slots__ = ("_key", "algorithm", "kid", "user_id", "verifying_key")
    verified_share: ClassVar[float] = SAMPLE

    def __init__(self, number: bytes | str, *, user_id: bytes = DEFAULT_USER_ID, libcrypto: str | None = None) -> None:
        self._take(_key_of(_read_private(number), user_id, libcrypto), user_id, libcrypto)

    def _take(self, key: EvpPrivateKey, user_id: bytes, libcrypto: str | None) -> None:
        self._key = key
        self.verifying_key = SM2VerifyingKey(key.point, user_id=user_id, libcrypto=libcrypto)
        self.algorithm = self.verifying_key.algorithm
        self.kid = self.verifying_key.kid
        self.user_id = user_id

    @classmethod
    def _of(cls, key: EvpPrivateKey, user_id: bytes, libcrypto: str | None) -> SM2SigningKey:
        made = cls.__new__(cls)
        made._take(key, user_id, libcrypto)
        return made

    @classmethod
    def generate(cls, *, user_id: bytes = DEFAULT_USER_ID, libcrypto: str | None = None) -> SM2SigningKey:
        """Make a new key."""
        return cls._of(EvpPrivateKey.generate(load(libcrypto), user_id), user_id, libcrypto)

    @classmethod
    def from_pem(
        cls,
        pem: bytes | str,
        *,
        passphrase: bytes | None = None,
        user_id: bytes = DEFAULT_USER_ID,
        libcrypto: str | None = None,
    ) -> SM2SigningKey:
        """Read a private key: PKCS#8 or SEC 1 in PEM, or another form that `ybtoken.keys.reading` knows.

        Raises:
            TypeError: the passphrase or the user id is not bytes, or the PEM is neither bytes nor a string.
            ValueError: this is not an SM2 key, its public point belongs to another key, or the passphrase is wrong,
                missing or not needed; `KeyReadError` says which.
        """
        read = _read_private(pem, passphrase)
        return cls.from_read(read, user_id=user_id, libcrypto=libcrypto)

    @classmethod
    def from_read(
        cls, read: PrivateKeyRead, *, user_id: bytes = DEFAULT_USER_ID, libcrypto: str | None = None
    ) -> SM2SigningKey:
        """Make a key from the result of `ybtoken.keys.reading`; `ValueError` if it is on another curve."""
        return cls._of(_key_of(read, user_id, libcrypto), user_id, libcrypto)

    def to_pem(self, *, passphrase: bytes | None, cipher: KeyCipher = "aes") -> bytes:
        """The key as PKCS#8 in PEM, encrypted with a passphrase.

        Args:
            passphrase: at least one byte, without NUL; ``None`` writes the key unencrypted.
            cipher: ``"aes"``, or ``"sm4"`` for SM4-CBC with HMAC-SM3, which GmSSL 3 reads.
        """
        check_passphrase(passphrase)
        if check_cipher(cipher, passphrase) and passphrase is not None:
            from ybtoken.keys._reading.writing import sm4_pkcs8

            der = sm4_pkcs8(Curve.SM2, self._key.scalar(), self._key.point, passphrase)
            return pem_from_der("ENCRYPTED PRIVATE KEY", der)
        return self._key.to_pem(passphrase)

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`; the message is hashed with SM3 after ZA."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SM2SigningKey(kid={self.kid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled or copied: load it where it is used")


def _key_of(read: PrivateKeyRead, user_id: bytes, libcrypto: str | None) -> EvpPrivateKey:
    if read.curve is not Curve.SM2:
        raise ValueError("this is not an SM2 private key")
    key = EvpPrivateKey.from_scalar(load(libcrypto), read.number, user_id)
    read.check_pair(key.point)
    return key


def _library(backend: SM2Backend | None, path: str | None) -> Libcrypto | None:
    """The libcrypto that verifies; ``None`` if the tables do."""
    if backend not in (None, "libcrypto", "tables"):
        raise ValueError(f'backend is "libcrypto" or "tables", not {backend!r}')
    if backend == "tables":
        return None
    try:
        return load(path)
    except LibcryptoError:
        if backend or path:
            raise
        return None


# The reader of partners' spellings is imported by the first key that needs it, as in `ybtoken.keys.p256`.


def _read_point(given: bytes | str) -> bytes:
    from ybtoken.keys.reading import read_public_key

    return read_public_key(given, curve=Curve.SM2).point


def _read_private(given: bytes | str, passphrase: bytes | None = None) -> PrivateKeyRead:
    from ybtoken.keys.reading import read_private_key

    return read_private_key(given, curve=Curve.SM2, passphrase=passphrase)
