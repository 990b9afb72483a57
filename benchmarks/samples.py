"""The objects of the benchmarks: a voucher and the bare verification to compare with; passes and a status list."""

from __future__ import annotations

from itertools import cycle

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ybtoken import Issuer, KeyEntry, KeyRing, Scope, Token, Verifier
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.ring import Use
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.qr import QrCode
from ybtoken.status.list import StatusList, StatusListReader, sign_status_list
from ybtoken.status.source import MemoryStatusSource
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.text import decode_text

NOW = 1_767_225_600
CITY = "310100"
IDENTITY_REF = bytes(range(16))
_ECDSA = ec.ECDSA(hashes.SHA256())


class P256Sample:
    """A key pair, a token signed with it, and all that is needed to issue and verify it.

    The key is new each time, because no figure depends on it.
    """

    def __init__(self) -> None:
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.key = P256SigningKey.from_cryptography(self.private_key)
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
        """Verify the same signature with `cryptography` alone, with prepared inputs: the lower bound."""
        return self._verify(self.der, self.message, _ECDSA)

    def bare_signature(self) -> bytes:
        """A signature of the same message by `cryptography` alone: the lower bound of issuing."""
        return self.private_key.sign(self.message, _ECDSA)


class PassSample:
    """One person's voucher, rotating pass, and device-bound passes on many phones; and a list of ten million."""

    MANY = 1000
    PHONES = 5100  # each is seen for the first time

    def __init__(self) -> None:
        key = P256SigningKey.generate()
        keys = KeyRing([KeyEntry(key.verifying_key, "Shanghai", Scope(("31",)))])
        issuer, index = Issuer(key, clock=lambda: NOW), 7_654_321
        codes = RotatingCodes(bytes(32))
        self.verifier = Verifier(keys, otp=codes, clock=lambda: NOW + 5)
        self.voucher = issuer.issue(IDENTITY_REF, CITY, status_index=index).text
        rotating = codes.enrol(issuer.issue_rotating_pass(IDENTITY_REF, CITY, status_index=index))
        self.rotating = rotating.present(now=NOW + 5)
        phones = [P256SigningKey.generate() for _ in range(self.PHONES)]
        self.bound = [
            DeviceBoundPass(
                issuer.issue_device_bound_pass(IDENTITY_REF, CITY, phone.verifying_key, status_index=index).data, phone
            ).present(now=NOW + 5)
            for phone in phones
        ]
        self.unseen = cycle(self.bound[1:])
        list_key, uri = P256SigningKey.generate(), "https://status.example/1"
        statuses = StatusList(uri, 2, bytes(2_500_000), issued_at=NOW, expires_at=NOW + 600, ttl=60)
        self.signed = sign_status_list(statuses, list_key)
        self.reader = StatusListReader(KeyRing([KeyEntry(list_key.verifying_key, "Shanghai", use=Use.STATUS)]), uri)
        self.source = self.load()
        self.indexes = [i * 9973 % 10_000_000 for i in range(self.MANY)]

    def load(self) -> MemoryStatusSource:
        """A source with the list."""
        source = MemoryStatusSource(self.reader)
        source.load(self.signed, NOW)
        return source

    def verify_voucher(self) -> object:
        """Profile 1."""
        return self.verifier.verify(self.voucher)

    def verify_rotating(self) -> object:
        """Profile 2."""
        return self.verifier.verify(self.rotating)

    def verify_bound(self) -> object:
        """Profile 3, always the same phone."""
        return self.verifier.verify(self.bound[0])

    def verify_unseen(self) -> object:
        """Profile 3, another phone each time."""
        return self.verifier.verify(next(self.unseen))

    def ask_many(self) -> None:
        """Ask for the status of a thousand passes."""
        ask = self.source.status
        for index in self.indexes:
            ask(index, NOW)

    def loop_only(self) -> None:
        """Run the loop without a call, to know what the loop itself costs."""
        for _ in self.indexes:
            pass

    def facts(self, call: str) -> dict[str, int]:
        """Sizes of what a call verifies."""
        text = self.rotating if call == "rotating" else self.bound[0]
        return {"token_bytes": len(decode_text(text)[1]), "qr_version": QrCode(text).version}
