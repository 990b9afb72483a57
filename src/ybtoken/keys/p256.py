"""ECDSA on P-256 with SHA-256, by `cryptography` (OpenSSL).

A key is parsed and checked once, when its object is made. The classes have the same constructors as those of
`ybtoken.keys.sm2`: a public key from its point, a private key from its number, both from PEM.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ybtoken._checks import octets
from ybtoken.algorithms import Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys._der import der_from_raw, raw_from_der
from ybtoken.keys._pem import check_passphrase, check_pem
from ybtoken.keys.protocols import kid_of_point

__all__ = ["P256SigningKey", "P256VerifyingKey"]

_ECDSA = ec.ECDSA(hashes.SHA256())
_SIZE = 32
_SIZES = range(_SIZE, _SIZE + 1)
_POINT_SIZES = range(2 * _SIZE + 1, 2 * _SIZE + 2)

# Reads an encoded point (SEC 1), compressed or not. OpenSSL refuses a coordinate that is not below p, a point off the
# curve, and an x that has no y. The point at infinity has no encoding of these lengths, and every other point of P-256
# has the group's order (the cofactor is 1), so no further check is needed. Decompressing spends two thirds of its time
# on the square root; reading the same key as DER takes as long, and Python's pow() several times as long.
_key_of_point = partial(ec.EllipticCurvePublicKey.from_encoded_point, ec.SECP256R1())


def _check_algorithm(algorithm: Algorithm) -> Algorithm:
    if Algorithm(algorithm).curve is not Curve.P256:
        raise ValueError(f"a P-256 key is ES256 or ESP256, not {Algorithm(algorithm).name}")
    return Algorithm(algorithm)


class P256VerifyingKey:
    """A P-256 public key. See also `from_point`, `from_pem` and `from_cryptography`.

    Args:
        point: the uncompressed point, 65 bytes: 04, x, y.
        algorithm: ES256, or ESP256 for a key that was made as such.

    Raises:
        TypeError: the point is not bytes.
        ValueError: not a point on the curve, or an algorithm of another curve.
    """

    __slots__ = ("_public_key", "algorithm", "kid", "point")

    def __init__(self, point: bytes, *, algorithm: Algorithm = Algorithm.ES256) -> None:
        octets("a P-256 point", point, _POINT_SIZES)
        self.algorithm = _check_algorithm(algorithm)
        self._public_key = _key_of_point(point)  # refuses 65 bytes that do not begin with 04
        self.point = point[1 : 1 + _SIZE], point[1 + _SIZE :]
        self.kid = kid_of_point(Curve.P256, *self.point)

    @classmethod
    def from_point(cls, x: bytes, y: bytes, *, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Take a point's coordinates, 32 bytes each, big-endian; `ValueError` if it is not on the curve."""
        point = b"\x04" + octets("a coordinate x", x, _SIZES) + octets("a coordinate y", y, _SIZES)
        return cls(point, algorithm=algorithm)

    @classmethod
    def from_pem(cls, pem: bytes, *, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Read a SubjectPublicKeyInfo in PEM (RFC 5280, RFC 7468); `ValueError` if it is anything else."""
        try:
            key = serialization.load_pem_public_key(check_pem(pem))
        except UnsupportedAlgorithm as error:  # a curve or a kind of key that OpenSSL does not have
            raise ValueError(str(error)) from None
        return cls.from_cryptography(key, algorithm=algorithm)

    @classmethod
    def from_cryptography(cls, key: object, *, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Take an ``EllipticCurvePublicKey`` of `cryptography`; `ValueError` for another kind of key or curve."""
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("this is not a P-256 public key")
        point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        return cls(point, algorithm=algorithm)

    def to_pem(self) -> bytes:
        """The key as a SubjectPublicKeyInfo in PEM."""
        return self._public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verify(self, message: bytes, signature: bytes) -> None:
        """See `ybtoken.keys.protocols.VerifyingKey`. Both s and n - s are good (FIPS 186-5)."""
        if not _is_good(self._public_key, message, signature):
            raise SignatureError("signature.invalid", kid=self.kid.hex())

    def __repr__(self) -> str:
        return f"P256VerifyingKey({self.algorithm.name}, kid={self.kid.hex()})"


def verify_compressed(x: bytes, y_is_odd: bool, message: bytes, signature: bytes) -> None:
    """Check a signature with a phone's key as a pass carries it.

    Raises:
        ValueError: this is no point of the curve.
        SignatureError: ``device.signature``.
    """
    if not _is_good(_phone_key(x, y_is_odd), message, signature):
        raise SignatureError("device.signature")


@lru_cache(maxsize=1024)  # loading a key takes a third of a verification, and some phones come again
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
        number: the private number, 32 bytes, big-endian, 1 to n - 1.
        algorithm: ES256, or ESP256 for a key that is made as such.

    Raises:
        TypeError: the number is not bytes.
        ValueError: not 32 bytes, a number out of its bounds, or an algorithm of another curve.
    """

    __slots__ = ("_private_key", "algorithm", "kid", "verifying_key")

    def __init__(self, number: bytes, *, algorithm: Algorithm = Algorithm.ES256) -> None:
        octets("a P-256 private key", number, _SIZES)
        try:
            key = ec.derive_private_key(int.from_bytes(number, "big"), ec.SECP256R1())
        except ValueError:
            raise ValueError("a P-256 private key is 1 to n - 1") from None  # the library's words may hold the number
        self._take(key, algorithm)

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
        cls, pem: bytes, *, passphrase: bytes | None = None, algorithm: Algorithm = Algorithm.ES256
    ) -> P256SigningKey:
        """Read a private key in PEM (PKCS#8, or SEC 1).

        Raises:
            TypeError: the passphrase or the PEM is not bytes.
            ValueError: not a P-256 key, or the passphrase is wrong, missing or not needed.
        """
        check_pem(pem)
        check_passphrase(passphrase)
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (TypeError, UnsupportedAlgorithm) as error:
            # A passphrase is missing, or was given for a key without one; a curve, key or cipher OpenSSL does not have.
            raise ValueError(str(error)) from None
        return cls.from_cryptography(key, algorithm=algorithm)

    @classmethod
    def from_cryptography(cls, key: object, *, algorithm: Algorithm = Algorithm.ES256) -> P256SigningKey:
        """Take an ``EllipticCurvePrivateKey`` of `cryptography`; `ValueError` for another kind of key or curve."""
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("this is not a P-256 private key")
        made = cls.__new__(cls)
        made._take(key, algorithm)
        return made

    def to_pem(self, *, passphrase: bytes | None) -> bytes:
        """The key as PKCS#8 in PEM, encrypted under a passphrase; ``None`` writes it in clear."""
        check_passphrase(passphrase)
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
