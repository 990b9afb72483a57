"""P-256 keys for ECDSA with SHA-256, on `cryptography` (OpenSSL).

A key is parsed and checked once, when its object is made. The classes have the same constructors as those of
`ybtoken.keys.sm2`: a public key from its point, a private key from its number, both from PEM.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, ClassVar, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ybtoken.algorithms import Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys._der import der_from_raw, raw_from_der, refused
from ybtoken.keys._pem import KeyCipher, check_cipher, check_passphrase, pem_from_der
from ybtoken.keys.protocols import SAMPLE, coordinate, kid_of_point
from ybtoken.words import BoundsError

if TYPE_CHECKING:
    from ybtoken.keys.reading import PrivateKeyRead

__all__ = ["P256SigningKey", "P256VerifyingKey"]

_ECDSA = ec.ECDSA(hashes.SHA256())
_SIZE = 32
_UNCOMPRESSED = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
_POINT_SIZE = 2 * _SIZE + 1

# Reads an encoded point (SEC 1), compressed or not. OpenSSL refuses a coordinate that is not below p, a point that is
# not on the curve, and an x that has no y. The point at infinity has no encoding of these lengths, and every other
# point of P-256 has the group's order (the cofactor is 1), so no further check is needed. Two thirds of decompressing
# is the square root. Reading the same key from DER takes as long; computing the root with Python's pow() takes several
# times as long.
_key_of_point = partial(ec.EllipticCurvePublicKey.from_encoded_point, ec.SECP256R1())


def _check_algorithm(algorithm: Algorithm) -> Algorithm:
    if Algorithm(algorithm).curve is not Curve.P256:
        raise ValueError(f"a P-256 key is ES256 or ESP256, not {Algorithm(algorithm).name}")
    return Algorithm(algorithm)


class P256VerifyingKey:
    """A P-256 public key. See also `from_point`, `from_pem` and `from_cryptography`.

    Args:
        point: the uncompressed point, 65 bytes: 04, x, y. Any other spelling that `ybtoken.keys.reading` knows is read
            as well, such as hexadecimal.
        algorithm: ES256, or ESP256 for a key that was made as such.

    Raises:
        TypeError: the point is neither bytes nor a string.
        ValueError: the point is not on the curve, or the algorithm belongs to another curve.
    """

    __slots__ = ("_public_key", "algorithm", "kid", "point")

    def __init__(self, point: bytes | str, *, algorithm: Algorithm = Algorithm.ES256) -> None:
        if not isinstance(point, bytes) or len(point) != _POINT_SIZE or point[0] != 4:
            point = _read_point(point)
        self.algorithm = _check_algorithm(algorithm)
        try:
            self._public_key = _key_of_point(point)
        except ValueError:
            raise BoundsError("the point is not on the P-256 curve", "该点不在 P-256 曲线上") from None
        self.point = point[1 : 1 + _SIZE], point[1 + _SIZE :]
        self.kid = kid_of_point(Curve.P256, *self.point)

    @classmethod
    def from_point(cls, x: bytes, y: bytes, *, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Make a key from coordinates, big-endian, 32 bytes each or in fields of 64; `ValueError` if off the curve."""
        point = b"\x04" + coordinate("a coordinate x", x) + coordinate("a coordinate y", y)
        return cls(point, algorithm=algorithm)

    @classmethod
    def from_pem(cls, pem: bytes | str, *, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Read a public key: PEM, or another form that `ybtoken.keys.reading` knows; `KeyReadError` if it is none."""
        return cls(_read_point(pem), algorithm=algorithm)

    @classmethod
    def from_cryptography(cls, key: object, *, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Make a key from an ``EllipticCurvePublicKey`` of `cryptography`; `ValueError` for any other key or curve."""
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("this is not a P-256 public key")
        point = key.public_bytes(*_UNCOMPRESSED)
        return cls(point, algorithm=algorithm)

    def to_pem(self) -> bytes:
        """The key as SubjectPublicKeyInfo in PEM."""
        return self._public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verify(self, message: bytes, signature: bytes) -> None:
        """See `ybtoken.keys.protocols.VerifyingKey`. Both s and n - s are good (FIPS 186-5)."""
        if not _is_good(self._public_key, message, signature):
            raise refused(self.kid, signature)

    def __repr__(self) -> str:
        return f"P256VerifyingKey({self.algorithm.name}, kid={self.kid.hex()})"


def verify_compressed(x: bytes, y_is_odd: bool, message: bytes, signature: bytes) -> None:
    """Check a signature with a phone's key, given in the form that a pass has it.

    Raises:
        ValueError: no point of the curve has this x.
        SignatureError: ``device.signature``.
    """
    if not _is_good(_phone_key(x, y_is_odd), message, signature):
        raise SignatureError("device.signature")


@lru_cache(maxsize=1024)  # loading a key takes a third of the time of a verification, and phones come back
def _phone_key(x: bytes, y_is_odd: bool) -> ec.EllipticCurvePublicKey:
    return _key_of_point((b"\x03" if y_is_odd else b"\x02") + x)


def _is_good(public_key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    if not isinstance(signature, bytes):
        raise TypeError(f"a signature is bytes, not {type(signature).__name__}")
    if len(signature) != 2 * _SIZE:
        return False
    try:
        public_key.verify(der_from_raw(signature), message, _ECDSA)
    except InvalidSignature:
        return False
    return True


class P256SigningKey:
    """A P-256 private key. It is never shown, compared, copied or pickled.

    See also `generate`, `from_pem` and `from_cryptography`.

    Args:
        number: the private number, 32 bytes, big-endian, 1 to n - 1. Any other spelling that `ybtoken.keys.reading`
            knows is read as well, such as hexadecimal.
        algorithm: ES256, or ESP256 for a key that is made as such.

    Raises:
        TypeError: the number is neither bytes nor a string.
        ValueError: the number is not 32 bytes or out of its bounds, or the algorithm belongs to another curve.
    """

    __slots__ = ("_private_key", "algorithm", "kid", "verifying_key")
    verified_share: ClassVar[float] = SAMPLE

    def __init__(self, number: bytes | str, *, algorithm: Algorithm = Algorithm.ES256) -> None:
        self._take(_key_of(_read_private(number)), algorithm)

    def _take(self, key: ec.EllipticCurvePrivateKey, algorithm: Algorithm) -> None:
        self._private_key = key
        self.verifying_key = P256VerifyingKey.from_cryptography(key.public_key(), algorithm=algorithm)
        self.algorithm = self.verifying_key.algorithm
        self.kid = self.verifying_key.kid

    @classmethod
    def generate(cls, *, algorithm: Algorithm = Algorithm.ES256) -> P256SigningKey:
        """Make a new key."""
        return cls.from_cryptography(ec.generate_private_key(ec.SECP256R1()), algorithm=algorithm)

    @classmethod
    def from_pem(
        cls, pem: bytes | str, *, passphrase: bytes | None = None, algorithm: Algorithm = Algorithm.ES256
    ) -> P256SigningKey:
        """Read a private key: PKCS#8 or SEC 1 in PEM, or another form that `ybtoken.keys.reading` knows.

        Raises:
            TypeError: the passphrase is not bytes, or the PEM is neither bytes nor a string.
            ValueError: this is not a P-256 key, or the passphrase is wrong, missing or not needed; `KeyReadError` says
                which.
        """
        return cls.from_read(_read_private(pem, passphrase), algorithm=algorithm)

    @classmethod
    def from_read(cls, read: PrivateKeyRead, *, algorithm: Algorithm = Algorithm.ES256) -> P256SigningKey:
        """Make a key from the result of `ybtoken.keys.reading`; `ValueError` if it is on another curve."""
        return cls.from_cryptography(_key_of(read), algorithm=algorithm)

    @classmethod
    def from_cryptography(cls, key: object, *, algorithm: Algorithm = Algorithm.ES256) -> P256SigningKey:
        """Make a key from an ``EllipticCurvePrivateKey`` of `cryptography`; `ValueError` for any other key or curve."""
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("this is not a P-256 private key")
        made = cls.__new__(cls)
        made._take(key, algorithm)
        return made

    def to_pem(self, *, passphrase: bytes | None, cipher: KeyCipher = "aes") -> bytes:
        """The key as PKCS#8 in PEM, encrypted with a passphrase.

        Args:
            passphrase: at least one byte; ``None`` writes the key unencrypted.
            cipher: ``"aes"``, or ``"sm4"`` for SM4-CBC with HMAC-SM3.
        """
        check_passphrase(passphrase)
        if check_cipher(cipher, passphrase) and passphrase is not None:
            from ybtoken.keys._reading.writing import sm4_pkcs8

            number = self._private_key.private_numbers().private_value.to_bytes(_SIZE, "big")
            der = sm4_pkcs8(Curve.P256, number, b"\x04" + b"".join(self.verifying_key.point), passphrase)
            return pem_from_der("ENCRYPTED PRIVATE KEY", der)
        encryption = (
            serialization.NoEncryption() if passphrase is None else serialization.BestAvailableEncryption(passphrase)
        )
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`."""
        return raw_from_der(self._private_key.sign(message, _ECDSA))

    def __repr__(self) -> str:
        return f"P256SigningKey({self.algorithm.name}, kid={self.kid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled or copied: load it where it is used")


def _key_of(read: PrivateKeyRead) -> ec.EllipticCurvePrivateKey:
    if read.curve is not Curve.P256:
        raise ValueError("this is not a P-256 private key")
    key = ec.derive_private_key(int.from_bytes(read.number, "big"), ec.SECP256R1())
    read.check_pair(key.public_key().public_bytes(*_UNCOMPRESSED))
    return key


# The reader of partners' spellings is imported by the first key that needs it: it is a third of the code that a service
# would load, and a key that was generated, or comes from a key ring as a point, does not need it.


def _read_point(given: bytes | str) -> bytes:
    from ybtoken.keys.reading import read_public_key

    return read_public_key(given, curve=Curve.P256).point


def _read_private(given: bytes | str, passphrase: bytes | None = None) -> PrivateKeyRead:
    from ybtoken.keys.reading import read_private_key

    return read_private_key(given, curve=Curve.P256, passphrase=passphrase)
