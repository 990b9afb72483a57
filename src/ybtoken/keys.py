"""Keys as the format sees them: algorithms, the two protocols, and the key ring.

This module owns the rule that a key has exactly one algorithm, and that the raw protected header of a token selects
its key, algorithm and kid together (Spec 4, step 3): there is nothing left to confuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import cbor2

from ybtoken.algorithms import Algorithm, Curve
from ybtoken.places import Scope
from ybtoken.wire.envelope import encode_header, sign1_prefix

__all__ = [
    "FOREVER",
    "KID_SIZE",
    "MAX_KEYS",
    "KeyEntry",
    "KeyRing",
    "SigningKey",
    "Use",
    "VerifyingKey",
    "kid_of_header",
    "kid_of_point",
]

KID_SIZE = 8
FOREVER = 2**32
"""The end of a key that has none: above any time that a token can state."""
MAX_KEYS = 0xFFFF
"""The most keys in a ring: verdict columns number them in 16 bits, and one value means none."""


class Use(Enum):
    """What a public key may check; one ring holds keys of one use."""

    TOKENS = "tokens"
    STATUS = "status"
    """Status lists, and no tokens."""


@runtime_checkable
class SigningKey(Protocol):
    """A private key that signs tokens: in software, in an HSM, in a KMS."""

    @property
    def algorithm(self) -> Algorithm:
        """The key's one algorithm."""
        ...

    @property
    def kid(self) -> bytes:
        """8 bytes; see `kid_of_point`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message (content, not a digest); returns r || s, 32 bytes each, big-endian."""
        ...


@runtime_checkable
class VerifyingKey(Protocol):
    """A public key that verifies tokens."""

    @property
    def algorithm(self) -> Algorithm:
        """The key's one algorithm."""
        ...

    @property
    def kid(self) -> bytes:
        """8 bytes; see `kid_of_point`."""
        ...

    @property
    def point(self) -> tuple[bytes, bytes]:
        """The public point's coordinates x and y, 32 bytes each, big-endian."""
        ...

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature r || s over a message.

        Raises:
            SignatureError: the signature is not good, whatever the reason.
        """


_KTY, _CRV, _X, _Y, _EC2 = 1, -1, -2, -3, 2


def kid_of_point(curve: Curve, x: bytes, y: bytes) -> bytes:
    """The kid of a public key: the first 8 bytes of its SHA-256 COSE Key Thumbprint (RFC 9679 section 3)."""
    required = {_KTY: _EC2, _CRV: int(curve), _X: x, _Y: y}
    return hashlib.sha256(cbor2.dumps(required)).digest()[:KID_SIZE]


_HEADER_STARTS = frozenset(encode_header(algorithm, bytes(KID_SIZE))[:-KID_SIZE] for algorithm in Algorithm)


def kid_of_header(header: bytes) -> bytes | None:
    """The kid in a raw protected header; ``None`` if it has any but the exact shape of format 1."""
    return header[-KID_SIZE:] if header[:-KID_SIZE] in _HEADER_STARTS else None


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A public key and what its issuer may do with it.

    Args:
        key: the public key.
        issuer: the issuer's name, for people and logs.
        scope: the insured places it may sign for.
        not_before: it may sign from this time on (seconds since 1970).
        not_after: it may sign before this time.
        withdrawn_since: refuse whatever it signed at or after this time: the key is held to be compromised since then.
        use: what it may sign: tokens, or status lists.
        status_uri: the address of the status list in which the passes it signed have their places.
    """

    key: VerifyingKey
    issuer: str
    scope: Scope = Scope()
    not_before: int = 0
    not_after: int = FOREVER
    withdrawn_since: int | None = None
    use: Use = Use.TOKENS
    status_uri: str | None = None
    header: bytes = field(init=False, repr=False, compare=False)
    """The raw protected header of every token signed with this key."""
    prefix: bytes = field(init=False, repr=False, compare=False)
    """What precedes the payload in the Sig_structure of every token signed with this key."""

    def __post_init__(self) -> None:
        if not isinstance(self.issuer, str):
            raise TypeError(f"an issuer's name is a string, not {type(self.issuer).__name__}")
        if not self.issuer or not self.issuer.isprintable():
            raise ValueError("an issuer has a printable name")
        if not 0 <= self.not_before < self.not_after:
            raise ValueError("not_before is below not_after")
        if len(self.key.kid) != KID_SIZE:
            raise ValueError(f"a kid is {KID_SIZE} bytes")
        if self.status_uri is not None:
            if not isinstance(self.status_uri, str) or not self.status_uri.isprintable():
                raise ValueError("a status_uri is the address of a status list")
            if self.use is not Use.TOKENS:
                raise ValueError("a key for status lists has no status list itself")
        header = encode_header(Algorithm(self.key.algorithm), self.key.kid)
        object.__setattr__(self, "header", header)
        object.__setattr__(self, "prefix", sign1_prefix(header))

    @property
    def kid(self) -> bytes:
        """The key's id, 8 bytes."""
        return self.key.kid


class KeyRing(Mapping[bytes, KeyEntry]):
    """The public keys a verifier trusts: immutable, by kid.

    A change makes a new ring: build it beside the old one, then swap the verifier.

    Args:
        entries: the keys and their scopes.

    Raises:
        ValueError: two entries have the same kid, under one algorithm or two; or they have different uses.
    """

    __slots__ = ("_by_kid", "by_header", "entries", "use")

    def __init__(self, entries: Iterable[KeyEntry] = ()) -> None:
        self.entries: tuple[KeyEntry, ...] = tuple(entries)
        if len(self.entries) > MAX_KEYS:
            raise ValueError(f"a key ring holds at most {MAX_KEYS} keys")
        uses = {entry.use for entry in self.entries} or {Use.TOKENS}
        if len(uses) > 1:
            raise ValueError("keys for tokens and keys for status lists are in rings of their own")
        self.use: Use = uses.pop()
        self._by_kid: dict[bytes, KeyEntry] = {}
        for entry in self.entries:
            if entry.kid in self._by_kid:
                raise ValueError(f"two keys have the kid {entry.kid.hex()}: a key has one algorithm and one entry")
            self._by_kid[entry.kid] = entry
        self.by_header: Mapping[bytes, KeyEntry] = MappingProxyType({entry.header: entry for entry in self.entries})

    def __getitem__(self, kid: bytes) -> KeyEntry:
        return self._by_kid[kid]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._by_kid)

    def __len__(self) -> int:
        return len(self._by_kid)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"

    @property
    def national(self) -> bool:
        """Whether every key is SM2: then the rest is done with national algorithms too (SM4, SM3)."""
        return bool(self.entries) and all(entry.key.algorithm is Algorithm.SM2 for entry in self.entries)

    def with_entries(self, *entries: KeyEntry) -> KeyRing:
        """A ring that also holds these entries."""
        return KeyRing((*self.entries, *entries))

    def withdrawn(self, kid: bytes, *, since: int) -> KeyRing:
        """A ring in which whatever this key signed since a time (seconds since 1970) is refused."""
        if kid not in self:
            raise ValueError(f"no key {kid.hex()} in this ring")
        return KeyRing(replace(e, withdrawn_since=since) if e.kid == kid else e for e in self.entries)
