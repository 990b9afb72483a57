"""What is measured: one P-256 key, one voucher, and the bare verification that everything is held against."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ybtoken import Issuer, KeyEntry, KeyRing, Scope, Token, Verifier
from ybtoken.backends.p256 import P256SigningKey
from ybtoken.cose import cut_envelope

NOW = 1_767_225_600
CITY = "310100"
IDENTITY_REF = bytes(range(16))
_ECDSA = ec.ECDSA(hashes.SHA256())


class P256Sample:
    """A key pair, a token of it, and all that is needed to issue and verify it.

    The key is made anew each time: nothing depends on which it is.
    """

    def __init__(self) -> None:
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.key = P256SigningKey(self.private_key)
        self.entry = KeyEntry(self.key.verifying_key, "Shanghai", Scope(("31",)))
        self.keys = KeyRing([self.entry])
        self.issuer = Issuer(self.key, clock=lambda: NOW)
        self.token: Token = self.issuer.issue(IDENTITY_REF, CITY)
        self.verifier = Verifier(self.keys, clock=lambda: NOW + 5)
        _, signed, signature = cut_envelope(self.token.data)
        self.message = self.entry.prefix + signed
        self.der = encode_dss_signature(*(int.from_bytes(signature[i : i + 32], "big") for i in (0, 32)))
        self._verify = self.private_key.public_key().verify

    def verify(self) -> object:
        """The figure: text to verdict."""
        return self.verifier.verify(self.token.text)

    def bare(self) -> object:
        """The same signature by `cryptography` alone, with everything it needs laid ready: the lower bound."""
        return self._verify(self.der, self.message, _ECDSA)
