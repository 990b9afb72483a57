"""The outcome of a batch in columns, from which an object is made only when it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ybtoken.engines.validity import judge
from ybtoken.errors import TokenError, UnknownKeyError, error_for
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.voucher import DevicePresentation
from ybtoken.wire.claims import Claims

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["COLUMNS", "Opened", "OpenedBatch"]


class Opened(NamedTuple):
    """A token whose signatures are good: who signed it, and what; and what the phone added to a pass."""

    entry: KeyEntry
    claims: Claims
    shown: str | DevicePresentation | None = None
    """The one-time code of a rotating pass, not checked yet; what the phone signed of a device-bound pass."""


_Kind = Literal["B", "H", "I"] | int

COLUMNS: Mapping[str, _Kind] = MappingProxyType(
    {
        "codes": "B", "entries": "H", "issued_at": "I", "expires_at": "I", "cities": "I", "profiles": "B",
        "nonce_sizes": "B", "nonces": 16, "identity_refs": 16, "present": "B", "channels": "H", "purposes": "I",
        "presenters": 16, "assurances": "B", "status_indexes": "I",
    }
)  # fmt: skip
"""The columns of a batch: the `array` type code of a number, or the width of bytes."""

NO_ENTRY = 0xFFFF
_ABSENT = bytes(16)
_CHANNEL, _PURPOSE, _PRESENTER, _ASSURANCE, _STATUS = 1, 2, 4, 8, 16


class OpenedBatch:
    """The outcome of steps 1 to 5 for many texts, in columns: 77 bytes a text, and no object for any of them.

    Every column of `COLUMNS` is an attribute with one item a text: ``codes`` (0, or the number of the refusal),
    ``entries`` (the index in the ring's entries), the claims as numbers, and bytes at a fixed width. ``present`` has a
    bit for each extra. A text that was refused has zeros elsewhere, but for an unknown key's kid, which stands in
    ``nonces``, and ``entries``, which is known from step 4 on.

    Args:
        keys: the ring that was used.
        columns: each column's items in the machine's byte order, one after another.
        passes: every pass that was opened, by its place: what the phone added to it is in no column.
    """

    __slots__ = ("_columns", "_views", "keys", "passes")

    def __init__(
        self, keys: KeyRing, columns: Mapping[str, Buffer], passes: Mapping[int, Opened] = MappingProxyType({})
    ) -> None:
        self.keys = keys
        self.passes = passes
        self._columns = columns
        self._views: dict[str, memoryview[int]] = {}  # made when they are looked at: small batches look at few

    @classmethod
    def collect(cls, keys: KeyRing, outcomes: Iterable[Opened | TokenError]) -> OpenedBatch:
        """Gather what opening one text at a time gave."""
        columns = {name: array(kind if isinstance(kind, str) else "B") for name, kind in COLUMNS.items()}
        puts = [
            columns[name].append if isinstance(kind, str) else columns[name].frombytes for name, kind in COLUMNS.items()
        ]
        index = {entry.kid: number for number, entry in enumerate(keys.entries)}
        passes: dict[int, Opened] = {}
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, TokenError):
                row = _refused_row(outcome, index)
            else:
                row = _opened_row(outcome, index)
                if outcome.shown is not None:
                    passes[i] = outcome
            for put, item in zip(puts, row, strict=True):
                put(item)
        return cls(keys, columns, passes)

    def __len__(self) -> int:
        return len(self.codes)

    def __getattr__(self, name: str) -> memoryview[int]:
        if name not in COLUMNS:
            raise AttributeError(name)
        if (view := self._views.get(name)) is None:
            kind = COLUMNS[name]
            view = memoryview(self._columns[name]).cast("B").cast(kind if isinstance(kind, str) else "B")
            if name != "codes" and len(view) != len(self) * (1 if isinstance(kind, str) else kind):
                raise ValueError(f"the column {name} has another length")
            self._views[name] = view
        return view

    def column(self, name: str) -> Buffer:
        """A column as it came: its items' bytes, one after another."""
        return self._columns[name]

    def judge(self, now: int | Sequence[int], skew: int, max_lifetime: int) -> bytearray:
        """Steps 6 and 7 for every voucher that was opened, at one time or at one time each; returns the codes.

        A pass has bounds of its own, and its code here says nothing: the verifier judges it by itself.
        """
        times = repeat(now, len(self)) if isinstance(now, int) else now
        codes, entries = bytearray(self.codes), self.keys.entries
        columns = zip(self.codes, self.entries, self.issued_at, self.expires_at, self.cities, times, strict=True)
        for i, (code, entry, issued_at, expires_at, city, at) in enumerate(columns):
            if code == ACCEPTED:
                codes[i] = judge(issued_at, expires_at, city, entries[entry], at, skew, max_lifetime)
        return codes

    def opened(self, i: int) -> Opened:
        """The i-th token, whose code is 0."""
        if (opened := self.passes.get(i)) is not None:
            return opened
        at, present = 16 * i, self.present[i]
        nonce = bytes(self.nonces[at : at + self.nonce_sizes[i]])
        return Opened(
            self.keys.entries[self.entries[i]],
            Claims(
                expires_at=self.expires_at[i],
                issued_at=self.issued_at[i],
                nonce=nonce,
                profile=self.profiles[i],
                identity_ref=bytes(self.identity_refs[at : at + 16]),
                city=self.cities[i],
                channel=self.channels[i] if present & _CHANNEL else None,
                purpose=self.purposes[i] if present & _PURPOSE else None,
                presenter=bytes(self.presenters[at : at + 16]) if present & _PRESENTER else None,
                assurance=self.assurances[i] if present & _ASSURANCE else None,
                status_index=self.status_indexes[i] if present & _STATUS else None,
            ),
        )

    def error(self, i: int) -> TokenError:
        """Why the i-th text, whose code is not 0, was refused in steps 1 to 5."""
        refusal = BY_NUMBER[self.codes[i]]
        if refusal.code == "key.unknown":
            return error_for(refusal.code, kid=bytes(self.nonces[16 * i : 16 * i + 8]).hex())
        if refusal.step >= 4:
            return error_for(refusal.code, kid=self.keys.entries[self.entries[i]].kid.hex())
        return error_for(refusal.code)


def _opened_row(opened: Opened, index: Mapping[bytes, int]) -> tuple[Any, ...]:
    """The items of one text, in the order of `COLUMNS`."""
    expires_at, issued_at, nonce, profile, identity_ref, city, *extras, _ = opened.claims
    channel, purpose, presenter, assurance, status_index = extras
    present = sum(1 << bit for bit, extra in enumerate(extras) if extra is not None)
    return (
        ACCEPTED, index[opened.entry.kid], issued_at, expires_at, city, profile,
        len(nonce), nonce.ljust(16, b"\0"), identity_ref, present, channel or 0, purpose or 0,
        presenter or _ABSENT, assurance or 0, status_index or 0,
    )  # fmt: skip


def _refused_row(error: TokenError, index: Mapping[bytes, int]) -> tuple[Any, ...]:
    kid = bytes.fromhex(error.facts.get("kid", ""))
    unknown = kid if isinstance(error, UnknownKeyError) else b""  # though the ring may know it under another algorithm
    return (
        error.number, NO_ENTRY if unknown else index.get(kid, NO_ENTRY), 0, 0, 0, 0,
        len(unknown), unknown.ljust(16, b"\0"), _ABSENT, 0, 0, 0, _ABSENT, 0, 0,
    )  # fmt: skip
