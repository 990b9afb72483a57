"""Signatures on TUF metadata with our keys: P-256 as every TUF client reads it, and SM2 in our own form.

P-256 keys are ``ecdsa`` with ``ecdsa-sha2-nistp256``: a public key in PEM, a signature in DER. Nothing is registered
for SM2: ``sm2`` with ``sm2-sm3`` is ours, a point in hexadecimal and a signature ``r || s``, with the default user id.
Importing this module registers that key class with securesystemslib, which has one table for the whole process.
"""

# The faces of tuf and securesystemslib name everything by plain imports.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import hashlib
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, Key, Signature, Signer, SSlibKey

from ybtoken._checks import instance
from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys._der import der_from_raw
from ybtoken.keys.p256 import P256VerifyingKey
from ybtoken.keys.protocols import SigningKey, VerifyingKey
from ybtoken.keys.sm2 import SM2VerifyingKey
from ybtoken.words import BoundsError

__all__ = ["MetadataSigner", "SM2MetadataKey", "metadata_key"]

_TYPE, _SCHEME = "sm2", "sm2-sm3"


class SM2MetadataKey(Key):
    """An SM2 public key in TUF metadata."""

    def __init__(
        self, keyid: str, keytype: str, scheme: str, keyval: dict[str, Any], unrecognized_fields: Any = None
    ) -> None:
        super().__init__(keyid, keytype, scheme, keyval, unrecognized_fields)
        self._key = SM2VerifyingKey(bytes.fromhex(keyval["public"]))

    @classmethod
    def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> SM2MetadataKey:
        """See `securesystemslib.signer.Key`."""
        keytype, scheme, keyval = cls._from_dict(key_dict)
        return cls(keyid, keytype, scheme, keyval, key_dict)

    def to_dict(self) -> dict[str, Any]:
        """See `securesystemslib.signer.Key`."""
        return self._to_dict()

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        """See `securesystemslib.signer.Key`."""
        try:
            self._key.verify(data, bytes.fromhex(signature.signature))
        except SignatureError as error:
            raise UnverifiedSignatureError(f"the SM2 signature of {self.keyid} is not good") from error
        except (ValueError, TypeError) as error:
            raise VerificationError(f"the signature of {self.keyid} is no SM2 signature") from error


KEY_FOR_TYPE_AND_SCHEME[_TYPE, _SCHEME] = SM2MetadataKey


def metadata_key(key: VerifyingKey) -> Key:
    """A public key in the form that it has in TUF metadata.

    Raises:
        TypeError: this is not a public key.
        ValueError: an SM2 key has another user id than the default, which metadata cannot state.
    """
    instance("key", key, VerifyingKey, "a public key (VerifyingKey)")
    x, y = key.point
    if Algorithm(key.algorithm).curve is Curve.P256:
        public = P256VerifyingKey.from_point(x, y).to_pem().decode()
        return SSlibKey(_keyid(public), "ecdsa", "ecdsa-sha2-nistp256", {"public": public})
    if getattr(key, "user_id", DEFAULT_USER_ID) != DEFAULT_USER_ID:
        raise BoundsError(
            "metadata is signed with SM2 keys under the default user id", "元数据须以默认用户标识的 SM2 密钥签名"
        )
    public = (b"\x04" + x + y).hex()
    return SM2MetadataKey(_keyid(public), _TYPE, _SCHEME, {"public": public})


def _keyid(public: str) -> str:
    return hashlib.sha256(public.encode()).hexdigest()


class MetadataSigner(Signer):
    """Signs metadata with any of our signing keys, including keys in devices.

    Args:
        key: the private key.
        public: its public half; by default the key's ``verifying_key``.

    Raises:
        TypeError: this is not a private key, or its public half is not known.
    """

    def __init__(self, key: SigningKey, public: VerifyingKey | None = None) -> None:
        self._key = instance("key", key, SigningKey, "a private key (SigningKey)")
        public = getattr(key, "verifying_key", None) if public is None else public
        self._public_key = metadata_key(public)  # type: ignore[arg-type]  # checked there

    @property
    def public_key(self) -> Key:
        """See `securesystemslib.signer.Signer`."""
        return self._public_key

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: Any = None) -> Signer:
        """Not supported, because keys are objects here and not addresses."""
        raise NotImplementedError("make a MetadataSigner of a key")

    def sign(self, payload: bytes) -> Signature:
        """See `securesystemslib.signer.Signer`."""
        signature = self._key.sign(payload)
        if Algorithm(self._key.algorithm).curve is Curve.P256:
            signature = der_from_raw(signature)
        return Signature(self._public_key.keyid, signature.hex())
