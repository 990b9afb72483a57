"""The key ring: the public keys that a verifier trusts, and what each of them may sign.

A key has exactly one algorithm, and exactly one entry in a ring.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from types import MappingProxyType

from ybtoken._checks import LAST_SECOND, instance, instant, uint
from ybtoken.algorithms import Algorithm
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.places import Scope
from ybtoken.wire.envelope import KID_SIZE, encode_header, sign1_prefix
from ybtoken.words import BoundsError

__all__ = ["FOREVER", "MAX_KEYS", "KeyEntry", "KeyRing", "Use"]

FOREVER = LAST_SECOND
"""``not_after`` of a key that never expires, in seconds since 1970: above any time that a token can state."""
MAX_KEYS = 0xFFFF
"""The most keys in a ring: verdict columns hold a key's position in 16 bits, of which one value means "no key"."""

_MAX_VERSION = (1 << 53) - 1

# A name has no control characters, no characters that are invisible or change the direction of text, and no surrogates
# (Spec 5). str.isprintable is not used, because it depends on Python's version of Unicode.
_NAME = re.compile("[^\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


class Use(Enum):
    """What a key signs. A ring holds keys of one use, so a key for status lists never verifies a token."""

    TOKENS = "tokens"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A public key and what its issuer may sign with it.

    Times are whole seconds since 1970, 0 to 2**32, and are compared with the time of issue that a token states.

    Args:
        key: the public key.
        issuer: the issuer's name, for people and logs.
        scope: the insured places for which it may sign.
        not_before: tokens issued before this time are refused.
        not_after: tokens issued at or after this time are refused.
        withdrawn_since: tokens issued at or after this time are refused because the key was compromised then.
        use: what it signs: tokens, or status lists.
        status_uri: the address of the status list in which the passes signed with it have their places.

    Raises:
        TypeError: a value has the wrong type, such as a private key or a time that is not an int.
        ValueError: a value is out of its bounds, such as a time in milliseconds.
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
        instance("key", self.key, VerifyingKey, "a public key (VerifyingKey; of a private key, its verifying_key)")
        if not isinstance(self.issuer, str):
            raise TypeError(f"an issuer's name is a string, not {type(self.issuer).__name__}")
        if not _NAME.fullmatch(self.issuer):
            raise BoundsError("an issuer has a printable name", "签发机构名称应为可打印字符")
        instance("scope", self.scope, Scope, "a Scope")
        instance("use", self.use, Use, "a Use")
        if instant("not_before", self.not_before) >= instant("not_after", self.not_after):
            raise BoundsError("not_before is below not_after", "not_before 应早于 not_after")
        if self.withdrawn_since is not None and instant("withdrawn_since", self.withdrawn_since) == FOREVER:
            en = "withdrawn_since is a time before 2**32: what is never withdrawn has None"
            raise BoundsError(en, "withdrawn_since 应早于 2**32：从未停用者为 None")
        if len(self.key.kid) != KID_SIZE:
            raise BoundsError(f"a kid is {KID_SIZE} bytes", f"kid 应为 {KID_SIZE} 字节")
        if self.status_uri is not None:
            if not isinstance(self.status_uri, str) or not _NAME.fullmatch(self.status_uri):
                raise BoundsError("a status_uri is the address of a status list", "status_uri 应为状态列表的地址")
            if self.use is not Use.TOKENS:
                raise BoundsError("a key for status lists has no status list itself", "状态列表密钥自身没有状态列表")
        header = encode_header(Algorithm(self.key.algorithm), self.key.kid)
        object.__setattr__(self, "header", header)
        object.__setattr__(self, "prefix", sign1_prefix(header))

    def withdrawn(self, *, since: int) -> KeyEntry:
        """The same entry, but every token issued at or after a time (seconds since 1970) is refused."""
        return replace(self, withdrawn_since=since)

    @property
    def kid(self) -> bytes:
        """The key's id, 8 bytes."""
        return self.key.kid


class KeyRing(Mapping[bytes, KeyEntry]):
    """The public keys that a verifier trusts, by kid. Immutable.

    `with_entries` and `withdrawn` make a new ring with the next version: make a verifier of it beside the old one, then
    swap the two. `ybtoken.trust` does that, and refuses a ring of an earlier version.

    Args:
        entries: the keys and their scopes.
        version: the version of this ring; 0 if it states none.

    Raises:
        TypeError: something is not an entry, such as a raw key.
        ValueError: two entries have the same kid, even with different algorithms, or they have different uses.
    """

    __slots__ = ("_by_kid", "by_header", "entries", "use", "version")

    def __init__(self, entries: Iterable[KeyEntry] = (), *, version: int = 0) -> None:
        if isinstance(entries, KeyEntry):
            raise TypeError("a key ring takes a sequence of entries, not one KeyEntry")
        self.entries: tuple[KeyEntry, ...] = tuple(islice(entries, MAX_KEYS + 1))
        for entry in self.entries:
            instance("an entry of a key ring", entry, KeyEntry, "a KeyEntry(key, issuer)")
        if len(self.entries) > MAX_KEYS:
            raise BoundsError(f"a key ring holds at most {MAX_KEYS} keys", f"密钥环最多容纳 {MAX_KEYS} 个密钥")
        self.version = uint("version", version, _MAX_VERSION)
        uses = {entry.use for entry in self.entries} or {Use.TOKENS}
        if len(uses) > 1:
            raise BoundsError(
                "keys for tokens and keys for status lists are in rings of their own",
                "凭证密钥与状态列表密钥应分属不同的密钥环",
            )
        self.use: Use = uses.pop()
        self._by_kid: dict[bytes, KeyEntry] = {}
        for entry in self.entries:
            if entry.kid in self._by_kid:
                kid = entry.kid.hex()
                raise BoundsError(
                    f"two keys have the kid {kid}: a key has one algorithm and one entry",
                    f"有两个密钥的 kid 同为 {kid}：每个密钥只有一种算法、一个条目",
                )
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
    def sm2_only(self) -> bool:
        """Whether every key is SM2; if so, references are sealed with SM4 and numbers are derived with SM3."""
        return bool(self.entries) and all(entry.key.algorithm is Algorithm.SM2 for entry in self.entries)

    def with_entries(self, *entries: KeyEntry) -> KeyRing:
        """A ring that also holds these entries."""
        return KeyRing((*self.entries, *entries), version=self.version + 1)

    def without(self, kid: bytes) -> KeyRing:
        """A ring without this key."""
        if kid not in self:
            raise BoundsError(f"no key {kid.hex()} in this ring", f"密钥环中没有密钥 {kid.hex()}")
        return KeyRing((e for e in self.entries if e.kid != kid), version=self.version + 1)

    def withdrawn(self, kid: bytes, *, since: int) -> KeyRing:
        """A ring that refuses every token issued with this key at or after a time (seconds since 1970)."""
        if kid not in self:
            raise BoundsError(f"no key {kid.hex()} in this ring", f"密钥环中没有密钥 {kid.hex()}")
        entries = [e.withdrawn(since=since) if e.kid == kid else e for e in self.entries]
        return KeyRing(entries, version=self.version + 1)
