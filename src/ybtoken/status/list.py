"""The status list: which passes are suspended or revoked (Spec 3.5).

An IETF Token Status List (draft-ietf-oauth-status-list) in CWT form: a tagged COSE_Sign1 whose payload is

    {2: sub, 4: exp, 6: iat, 65533: {"lst": zlib of the bit array, "bits": 1, 2, 4 or 8}, 65534: ttl}

deterministically encoded, under the protected header {1: alg, 4: kid, 16: "application/statuslist+cwt"}. This module
encodes, signs and checks a list and looks up an index; `ybtoken.status.source` decides which list is used.

The keys that sign lists are in separate rings, whose entries have ``use=Use.STATUS``; no verifier of tokens takes such
a ring. Whatever is wrong with a list, the outcome is `status.unavailable`, and the fact ``reason`` says what it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import cbor2

from ybtoken._checks import duration, instance, string, uint
from ybtoken.algorithms import Algorithm
from ybtoken.errors import CannotCheckError, EnvelopeError, SignatureError
from ybtoken.keys.protocols import SigningKey
from ybtoken.keys.ring import KeyEntry, KeyRing, Use
from ybtoken.voucher import MAX_UINT32
from ybtoken.wire.cbor import load_plain
from ybtoken.wire.envelope import KID_SIZE, cut_envelope, encode_header, sign1, sign1_prefix
from ybtoken.words import BoundsError

__all__ = ["MAX_ENTRIES", "Status", "StatusList", "StatusListReader", "sign_status_list"]

MAX_ENTRIES = 1 << 28
"""The most entries of a list that is read or made: at two bits each, its bit array takes 64 MiB."""

STATUS_BITS = (1, 2, 4, 8)
_SUB, _EXP, _IAT, _STATUS_LIST, _TTL = 2, 4, 6, 65533, 65534
_CLAIMS: Mapping[int | str, str] = {
    _SUB: "sub (2)", _EXP: "exp (4)", _IAT: "iat (6)", _STATUS_LIST: "status_list (65533)", _TTL: "ttl (65534)",
}  # fmt: skip
_LIST: Mapping[int | str, str] = {"bits": "bits", "lst": "lst"}
_TYPE = "application/statuslist+cwt"
_LONGEST = 1 << 27
LONGEST_LIST = _LONGEST + 1024
"""The most bytes of a signed list, with its header and its signature."""
_HEADER_SIZES = frozenset(len(encode_header(algorithm, bytes(KID_SIZE), typ=_TYPE)) for algorithm in Algorithm)


class Status(IntEnum):
    """A pass's status in a list. Values from 3 on have no meaning in this library, and such a pass is refused."""

    VALID = 0
    INVALID = 1
    """Revoked or unbound, for good."""
    SUSPENDED = 2
    """Frozen, until it is reinstated."""


class StatusList:
    """The statuses of all passes of a list, as one bit array. Immutable.

    Args:
        uri: the list's address, which identifies it.
        bits: how many bits each status has: 1, 2, 4 or 8.
        array: the bit array; the status of index 0 is in the lowest bits of the first byte.
        issued_at: seconds since 1970.
        expires_at: seconds since 1970; from this time on the list is stale.
        ttl: after how many seconds a verifier should fetch a new list.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: an argument out of range.
    """

    __slots__ = ("_mask", "_per_byte", "_shift", "array", "bits", "expires_at", "issued_at", "size", "ttl", "uri")

    def __init__(self, uri: str, bits: int, array: bytes, *, issued_at: int, expires_at: int, ttl: int) -> None:
        if type(uri) is not str or type(array) is not bytes:
            raise TypeError("the address of a status list is a string, and its bit array is bytes")
        if any(type(number) is not int for number in (bits, issued_at, expires_at, ttl)):
            raise TypeError("the bits and times of a status list are whole numbers (int)")
        if bits not in STATUS_BITS:
            raise ValueError(f"a status has {STATUS_BITS} bits, not {bits}")
        if not uri or not array or not 0 <= issued_at < expires_at <= MAX_UINT32 or not 0 < ttl <= MAX_UINT32:
            raise ValueError("a status list has an address, an entry, an end after its issue, and a time to live")
        self.uri = uri
        self.bits = bits
        self.array = array
        self.issued_at = issued_at
        self.expires_at = expires_at
        self.ttl = ttl
        self.size = len(array) * 8 // bits
        self._shift = {1: 3, 2: 2, 4: 1, 8: 0}[bits]
        self._per_byte = (1 << self._shift) - 1
        self._mask = (1 << bits) - 1

    def __getitem__(self, index: int) -> int:
        """The status of an index: a value of `Status`, or a greater one. `IndexError` if the list has no such index."""
        if index < 0:
            raise IndexError(index)
        return self.array[index >> self._shift] >> (index & self._per_byte) * self.bits & self._mask

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"StatusList({self.uri!r}, {self.size} entries of {self.bits} bits, issued_at={self.issued_at})"


def sign_status_list(statuses: StatusList, key: SigningKey) -> bytes:
    """Sign a list. The result is published at the list's address, as ``application/statuslist+cwt``."""
    header = encode_header(key.algorithm, key.kid, typ=_TYPE)
    return sign1(header, _encode(statuses, zlib.compress(statuses.array, 9)), key.sign)


def _encode(statuses: StatusList, compressed: bytes) -> bytes:
    return cbor2.dumps(
        {
            _SUB: statuses.uri,
            _EXP: statuses.expires_at,
            _IAT: statuses.issued_at,
            _STATUS_LIST: {"lst": compressed, "bits": statuses.bits},
            _TTL: statuses.ttl,
        }
    )


class StatusListReader:
    """Checks and reads signed lists. Immutable, and safe to share between threads.

    Args:
        keys: the keys that may sign this list, all with ``use=Use.STATUS``.
        uri: the list's address, which the list must state.
        max_entries: a list of more entries is not decompressed.
        skew: by how many seconds the clocks of registry and reader may differ.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: a ring of keys for tokens, or an argument out of range.
    """

    __slots__ = ("_by_header", "_max_entries", "_skew", "uri")

    def __init__(self, keys: KeyRing, uri: str, *, max_entries: int = 1 << 24, skew: int = 10) -> None:
        instance("keys", keys, KeyRing, "a KeyRing")
        if keys.use is not Use.STATUS:
            raise BoundsError(
                "a status list is read with a ring of keys for status lists: KeyEntry(use=Use.STATUS)",
                "读取状态列表须用状态列表密钥的密钥环：KeyEntry(use=Use.STATUS)",
            )
        self.uri = string("uri", uri)
        self._max_entries = uint("max_entries", max_entries, MAX_ENTRIES, minimum=1)
        self._skew = duration("skew", skew)
        self._by_header = {encode_header(e.key.algorithm, e.kid, typ=_TYPE): e for e in keys.entries}

    def read(self, data: bytes, *, now: int) -> StatusList:
        """Check a signed list and decompress it.

        Its expiry is not checked here, because a list is used long after it was read; the source checks it at each use.

        Args:
            data: the list as published.
            now: seconds since 1970.

        Raises:
            CannotCheckError: ``status.unavailable``; the fact ``reason`` says what is wrong.
            TypeError: the list is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"a signed status list is bytes, not {type(data).__name__}")
        try:
            return self._read(data, now)
        except CannotCheckError:
            raise
        except Exception as error:  # any other error that a list causes becomes a refusal here
            raise _unavailable("it is damaged") from error

    def _read(self, data: bytes, now: int) -> StatusList:
        try:
            header, signed, signature = cut_envelope(data, _HEADER_SIZES, longest=_LONGEST)
        except EnvelopeError:
            raise _unavailable("it is no signed status list") from None
        entry = self._by_header.get(header)
        if entry is None:
            raise _unavailable("it is no status list, or signed with a key that is not in the ring")
        try:
            entry.key.verify(sign1_prefix(header) + signed, signature)
        except SignatureError:
            raise _unavailable("its signature is not good") from None
        payload = cbor2.loads(signed)  # the content of the byte string, whose length was checked before
        statuses, compressed = self._decode(payload)
        self._check(statuses, entry, now)
        if _encode(statuses, compressed) != payload:
            raise _unavailable("it is not deterministically encoded")
        return statuses

    def _decode(self, payload: bytes) -> tuple[StatusList, bytes]:
        # This reads any plain CBOR that a trusted key signed; `read` compares the encoding.
        try:
            claims = load_plain(payload)
        except ValueError as error:
            raise _unavailable("its content is not CBOR") from error
        stated = _members("it", claims, _CLAIMS)[_STATUS_LIST]
        bits, compressed = (_members("its status_list", stated, _LIST)[name] for name in ("bits", "lst"))
        if type(bits) is not int or bits not in STATUS_BITS:
            raise _unavailable(f"a status has 1, 2, 4 or 8 bits, not {bits!r:.20}")
        if not isinstance(compressed, bytes):
            raise _unavailable("its bit array (lst) is no byte string")
        array = _inflate(compressed, self._max_entries * bits // 8)
        try:
            statuses = StatusList(
                claims[_SUB], bits, array, issued_at=claims[_IAT], expires_at=claims[_EXP], ttl=claims[_TTL]
            )
        except (TypeError, ValueError) as error:
            raise _unavailable(str(error)) from error
        return statuses, compressed

    def _check(self, statuses: StatusList, entry: KeyEntry, now: int) -> None:
        issued_at = statuses.issued_at
        if statuses.uri != self.uri:
            raise _unavailable("it is the list of another address")
        if issued_at > now + self._skew:
            raise _unavailable("it was issued in the future")
        if not entry.not_before <= issued_at < entry.not_after:
            raise _unavailable("its key was not in force when it was issued")
        if entry.withdrawn_since is not None and issued_at >= entry.withdrawn_since:
            raise _unavailable("its key was withdrawn before it was issued")


def _unavailable(reason: str) -> CannotCheckError:
    return CannotCheckError("status.unavailable", reason=reason)


def _members(what: str, stated: object, names: Mapping[int | str, str]) -> Mapping[Any, Any]:
    """The value as a map, which must have exactly these members."""
    if not isinstance(stated, Mapping):
        raise _unavailable(f"{what} is no map")
    if missing := [name for label, name in names.items() if label not in stated]:
        raise _unavailable(
            f"{what} does not state {', '.join(missing)}: {', '.join(names.values())} are all needed here"
        )
    if unknown := [label for label in stated if label not in names]:
        raise _unavailable(
            f"{what} has members that are not known here: {', '.join(f'{each!r:.30}' for each in unknown[:5])}"
        )
    return stated


def _inflate(compressed: bytes, limit: int) -> bytes:
    """Decompress a bit array of at most ``limit`` bytes; without the limit, a few KB could fill the memory."""
    inflating = zlib.decompressobj()
    try:
        array = inflating.decompress(compressed, limit + 1)
    except zlib.error as error:
        raise _unavailable("its bit array (lst) is not compressed by zlib, or is damaged") from error
    if len(array) > limit:
        raise _unavailable(f"its bit array has more than the {limit} bytes that max_entries allows")
    if not inflating.eof or inflating.unused_data:
        raise _unavailable("its bit array (lst) is cut short, or something follows it")
    return array
