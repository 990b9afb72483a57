"""The key ring: the public keys that a verifier trusts, and what each of them may sign.

A key has exactly one algorithm, and an entry of its own in a ring.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

from ybtoken.algorithms import Algorithm
from ybtoken.keys.protocols import KID_SIZE, VerifyingKey
from ybtoken.places import Scope
from ybtoken.wire.envelope import encode_header, sign1_prefix

__all__ = ["FOREVER", "MAX_KEYS", "KeyEntry", "KeyRing", "Use"]

FOREVER = 2**32
"""The end of a key that has none: above any time that a token can state."""
MAX_KEYS = 0xFFFF
"""The most keys in a ring: verdict columns number them in 16 bits, and one value means none."""

# str.isprintable would depend on the Unicode version that Python knows (Spec 5): neither controls, nor characters that
# are invisible or change the direction of text, nor half characters.
_NAME = re.compile("[^\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


class Use(Enum):
    """What a public key may check; one ring holds keys of one use."""

    TOKENS = "tokens"
    STATUS = "status"
    """Status lists, and no tokens."""


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
        if not _NAME.fullmatch(self.issuer):
            raise ValueError("an issuer has a printable name")
        if not 0 <= self.not_before < self.not_after:
            raise ValueError("not_before is below not_after")
        if self.withdrawn_since is not None and self.withdrawn_since < 0:
            raise ValueError("withdrawn_since is a time from 1970 on")
        if len(self.key.kid) != KID_SIZE:
            raise ValueError(f"a kid is {KID_SIZE} bytes")
        if self.status_uri is not None:
            if not isinstance(self.status_uri, str) or not _NAME.fullmatch(self.status_uri):
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
