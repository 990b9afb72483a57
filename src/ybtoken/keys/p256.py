"""ECDSA on P-256 with SHA-256, by `cryptography` (OpenSSL). Keys are parsed and checked once, when they are made."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ybtoken.algorithms import Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys._der import der_from_raw, raw_from_der
from ybtoken.keys._phones import remember_again
from ybtoken.keys.protocols import kid_of_point

__all__ = ["P256SigningKey", "P256VerifyingKey", "verify_compressed"]

_ECDSA = ec.ECDSA(hashes.SHA256())
_SIZE = 32

# Of an encoded point (SEC 1). OpenSSL refuses coordinates from p on, a point that is not on the curve, and an x without
# a y. Infinity has no encoding of these lengths, and any other point of P-256 has the group's order (cofactor 1): there
# is no more to check. Of a compressed point two thirds of the time are the square root; as DER it takes as long, and
# pow() takes several times as long.
_key_of_point = partial(ec.EllipticCurvePublicKey.from_encoded_point, ec.SECP256R1())


def _check_algorithm(algorithm: Algorithm) -> Algorithm:
    if Algorithm(algorithm).curve is not Curve.P256:
        raise ValueError(f"a P-256 key is ES256 or ESP256, not {Algorithm(algorithm).name}")
    return Algorithm(algorithm)


class P256VerifyingKey:
    """A P-256 public key.

    Args:
        public_key: a key of `cryptography`; see also `from_pem` and `from_point`.
        algorithm: ES256, or ESP256 for a key that was made as such.

    Raises:
        ValueError: another kind of key, another curve, or an algorithm of another curve.
    """

    __slots__ = ("_public_key", "algorithm", "kid", "point")

    def __init__(self, public_key: ec.EllipticCurvePublicKey, algorithm: Algorithm = Algorithm.ES256) -> None:
        if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(public_key.curve, ec.SECP256R1):
            raise ValueError("this is not a P-256 public key")
        numbers = public_key.public_numbers()
        self._public_key = public_key
        self.algorithm = _check_algorithm(algorithm)
        self.point = numbers.x.to_bytes(_SIZE, "big"), numbers.y.to_bytes(_SIZE, "big")
        self.kid = kid_of_point(Curve.P256, *self.point)

    @classmethod
    def from_pem(cls, pem: bytes, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Read a SubjectPublicKeyInfo in PEM (RFC 5280, RFC 7468); `ValueError` if it is anything else."""
        try:
            key = serialization.load_pem_public_key(pem)
        except UnsupportedAlgorithm as error:  # a curve or a kind of key that OpenSSL does not have
            raise ValueError(str(error)) from None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("this is not a P-256 public key")
        return cls(key, algorithm)

    @classmethod
    def from_point(cls, x: bytes, y: bytes, algorithm: Algorithm = Algorithm.ES256) -> P256VerifyingKey:
        """Take a point's coordinates, 32 bytes each; `ValueError` if it is not on the curve."""
        if len(x) != _SIZE or len(y) != _SIZE:
            raise ValueError("coordinates are 32 bytes each")
        return cls(_key_of_point(b"\x04" + x + y), algorithm)

    def verify(self, message: bytes, signature: bytes) -> None:
        """See `ybtoken.keys.protocols.VerifyingKey`. Both s and n - s are good (FIPS 186-5)."""
        if not _is_good(self._public_key, message, signature):
            raise SignatureError("signature.invalid", kid=self.kid.hex())

    def to_pem(self) -> bytes:
        """The key as a SubjectPublicKeyInfo in PEM."""
        return self._public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

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


@remember_again  # loading a key takes a third of a verification
def _phone_key(x: bytes, y_is_odd: bool) -> ec.EllipticCurvePublicKey:
    return _key_of_point((b"\x03" if y_is_odd else b"\x02") + x)


def _is_good(public_key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    if len(signature) != 2 * _SIZE:
        return False
    try:
        public_key.verify(der_from_raw(signature), message, _ECDSA)
    except InvalidSignature:
        return False
    return True


class P256SigningKey:
    """A P-256 private key. It is never shown, compared, copied or pickled.

    Args:
        private_key: a key of `cryptography`; see also `generate` and `from_pem`.
        algorithm: ES256, or ESP256 for a key that is made as such.
    """

    __slots__ = ("_private_key", "algorithm", "kid", "verifying_key")

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, algorithm: Algorithm = Algorithm.ES256) -> None:
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise ValueError("this is not a P-256 private key")
        self._private_key = private_key
        self.verifying_key = P256VerifyingKey(private_key.public_key(), algorithm)
        self.algorithm = self.verifying_key.algorithm
        self.kid = self.verifying_key.kid

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.ES256) -> P256SigningKey:
        """Make a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()), algorithm)

    @classmethod
    def from_pem(
        cls, pem: bytes, *, passphrase: bytes | None = None, algorithm: Algorithm = Algorithm.ES256
    ) -> P256SigningKey:
        """Read a private key in PEM (PKCS#8, or SEC 1).

        Raises:
            ValueError: not a P-256 key, or the passphrase is wrong, missing or not needed.
        """
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (TypeError, UnsupportedAlgorithm) as error:
            # A passphrase is missing, or was given for a key without one; a curve, key or cipher OpenSSL does not have.
            raise ValueError(str(error)) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("this is not a P-256 private key")
        return cls(key, algorithm)

    def to_pem(self, *, passphrase: bytes | None) -> bytes:
        """The key as PKCS#8 in PEM, encrypted under a passphrase; ``None`` writes it in clear."""
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
