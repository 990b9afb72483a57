"""The outcome of steps 1 to 7 for many texts, in columns, from which an object is made only when it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ybtoken.engines.time_and_scope import Limits, refusal_of
from ybtoken.errors import TokenError, error_for
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.refusals import ACCEPTED, BY_NUMBER, Code
from ybtoken.voucher import NONE_STATED, OPTIONAL_CLAIMS, DevicePresentation, OptionalClaims, values_of
from ybtoken.wire.claims import Claims

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["COLUMNS", "NO_ENTRY", "Judged", "Opened", "OpenedBatch", "width_of"]


class Opened(NamedTuple):
    """A token that passed steps 1 to 7: the key's entry, the claims, and what the phone added to a pass."""

    entry: KeyEntry
    claims: Claims
    time_step: int | None = None
    """The step of 30 s since 1970 whose one-time code was shown; ``None`` unless it is a rotating pass."""
    presentation: DevicePresentation | None = None
    """What the phone signed; ``None`` unless it is a device-bound pass."""


class Judged(NamedTuple):
    """The outcome of steps 1 to 7 for one text."""

    outcome: Opened | TokenError
    entry: KeyEntry | None = None
    """The entry of the key that signed it; ``None`` before step 4."""
    claims: Claims | None = None
    """The claims if the signature is good, even if step 6 or 7 refuses the token."""


_Kind = Literal["B", "H", "I", 16]

_OPTIONAL_COLUMNS: dict[str, _Kind] = {row.column: row.kind for row in OPTIONAL_CLAIMS}
_FIXED_COLUMNS: dict[str, _Kind] = {
    "codes": "B", "entries": "H", "issued_at": "I", "expires_at": "I", "cities": "I", "profiles": "B",
    "nonce_sizes": "B", "nonces": 16, "identity_refs": 16, "present": "B",
}  # fmt: skip
COLUMNS: Mapping[str, _Kind] = MappingProxyType(_FIXED_COLUMNS | _OPTIONAL_COLUMNS)
"""The columns of a batch: the `array` type code of a number, or the width of bytes."""

NO_ENTRY = 0xFFFF
"""The value in the column ``entries`` if no key of the ring was found."""
_NO_BYTES = bytes(16)


def width_of(name: str) -> int:
    """How many bytes an item of a column has."""
    kind = COLUMNS[name]
    return kind if isinstance(kind, int) else array(kind).itemsize


class _Column:
    """A typed attribute of a batch: a view of a column. It is made on first use, because small batches use few."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, batch: OpenedBatch, owner: type) -> memoryview[int]:
        return batch.column(self._name)


class OpenedBatch:
    """The outcome of steps 1 to 7 for many texts, in columns: 77 bytes a text, and no object for any of them.

    A column has one item for each text, at a fixed width. A text that was refused before its claims were read has zeros
    in every column but ``codes``; the column ``entries`` holds `NO_ENTRY` there, or from step 4 on the key's place; and
    for an unknown key ``nonces`` holds its kid. Every optional claim has a column named in `OPTIONAL_CLAIMS`.

    Attributes:
        codes: 0, or the number of the refusal.
        entries: the place of the key in the ring's entries.
        issued_at: the claim iat.
        expires_at: the claim exp.
        cities: the city code as a number.
        profiles: 1, 2 or 3.
        nonce_sizes: how many bytes of ``nonces`` are the nonce.
        nonces: 16 bytes each, padded with zeros.
        identity_refs: 16 bytes each.
        present: bit n stands for the n-th optional claim.

    Args:
        keys: the ring that was used.
        limits: the limits of verification.
        now: the time of verification, or a time for each text.
        columns: the items of each column in the machine's byte order, one after another.
        passes: the outcome of every pass, by its place, because no column has what the phone added to it.
    """

    __slots__ = ("_columns", "_views", "keys", "limits", "now", "passes")

    codes = _Column()
    entries = _Column()
    issued_at = _Column()
    expires_at = _Column()
    cities = _Column()
    profiles = _Column()
    nonce_sizes = _Column()
    nonces = _Column()
    identity_refs = _Column()
    present = _Column()

    def __init__(
        self,
        keys: KeyRing,
        limits: Limits,
        now: int | Sequence[int],
        columns: Mapping[str, Buffer],
        passes: Mapping[int, Opened | TokenError] = MappingProxyType({}),
    ) -> None:
        self.keys = keys
        self.limits = limits
        self.now = now
        self.passes = passes
        self._columns = columns
        self._views: dict[str, memoryview[int]] = {}

    @classmethod
    def collect(cls, keys: KeyRing, limits: Limits, now: int | Sequence[int], texts: Iterable[Judged]) -> OpenedBatch:
        """Make the columns from the outcomes of single texts."""
        columns = {name: array(kind if isinstance(kind, str) else "B") for name, kind in COLUMNS.items()}
        puts = [
            columns[name].append if isinstance(kind, str) else columns[name].frombytes for name, kind in COLUMNS.items()
        ]
        index = {entry.kid: number for number, entry in enumerate(keys.entries)}
        passes: dict[int, Opened | TokenError] = {}
        for i, judged in enumerate(texts):
            for put, item in zip(puts, _row(judged, index), strict=True):
                put(item)
            if judged.claims is not None and judged.claims.profile != 1:
                passes[i] = judged.outcome
        return cls(keys, limits, now, columns, passes)

    def __len__(self) -> int:
        return len(self.codes)

    def column(self, name: str) -> memoryview[int]:
        """A column by its name in `COLUMNS`: numbers, or the bytes of all items one after another."""
        if (view := self._views.get(name)) is None:
            kind = COLUMNS[name]
            view = memoryview(self._columns[name]).cast("B").cast(kind if isinstance(kind, str) else "B")
            if name != "codes" and len(view) != len(self) * (1 if isinstance(kind, str) else kind):
                raise ValueError(f"the column {name} has another length")
            self._views[name] = view
        return view

    def now_of(self, i: int) -> int:
        """The time at which the i-th text was verified, in seconds since 1970."""
        return self.now if isinstance(self.now, int) else self.now[i]

    def opened(self, i: int) -> Opened:
        """The i-th token, whose code is 0."""
        outcome = self.passes.get(i)
        if outcome is None:
            return Opened(self.keys.entries[self.entries[i]], self._claims(i))
        assert isinstance(outcome, Opened)
        return outcome

    def error(self, i: int) -> TokenError:
        """Why the i-th text, whose code is not 0, was refused."""
        if isinstance(outcome := self.passes.get(i), TokenError):
            return outcome
        refusal = BY_NUMBER[self.codes[i]]
        if refusal.number == Code.KEY_UNKNOWN:
            return error_for(refusal.code, kid=bytes(self.nonces[16 * i : 16 * i + 8]).hex())
        if refusal.step < 4:
            return error_for(refusal.code)
        entry = self.keys.entries[self.entries[i]]
        if refusal.step < 6:
            return error_for(refusal.code, kid=entry.kid.hex())
        return refusal_of(refusal.number, entry, self._claims(i), self.now_of(i), self.limits.skew)

    def _claims(self, i: int) -> Claims:
        at, present = 16 * i, self.present[i]
        return Claims(
            expires_at=self.expires_at[i],
            issued_at=self.issued_at[i],
            nonce=bytes(self.nonces[at : at + self.nonce_sizes[i]]),
            profile=self.profiles[i],
            identity_ref=bytes(self.identity_refs[at : at + 16]),
            city=self.cities[i],
            optional=self._optional(i, present) if present else NONE_STATED,
        )

    def _optional(self, i: int, present: int) -> OptionalClaims:
        stated: dict[str, Any] = {}
        for bit, row in enumerate(OPTIONAL_CLAIMS):
            if present >> bit & 1:
                column = self.column(row.column)
                stated[row.name] = row.from_wire(column[i]) if row.maximum else bytes(column[16 * i : 16 * i + 16])
        return OptionalClaims(**stated)


def _row(judged: Judged, index: Mapping[bytes, int]) -> tuple[Any, ...]:
    """The items of one text, in the order of `COLUMNS`."""
    outcome, entry, claims = judged
    number = outcome.number if isinstance(outcome, TokenError) else ACCEPTED
    place = NO_ENTRY if entry is None else index[entry.kid]
    if claims is None:
        unknown = bytes.fromhex(outcome.kid) if number == Code.KEY_UNKNOWN else b""  # type: ignore[union-attr]
        return (number, place, 0, 0, 0, 0, len(unknown), unknown.ljust(16, b"\0"), _NO_BYTES, 0, *_NONE)
    optional, present = _NONE, 0
    if claims.optional is not NONE_STATED:
        stated = values_of(claims.optional)
        present = sum(1 << bit for bit, value in enumerate(stated) if value is not None)
        optional = tuple(
            absent if value is None else row.to_wire(value)
            for row, value, absent in zip(OPTIONAL_CLAIMS, stated, _NONE, strict=True)
        )
    return (
        number, place, claims.issued_at, claims.expires_at, claims.city, claims.profile,
        len(claims.nonce), claims.nonce.ljust(16, b"\0"), claims.identity_ref, present, *optional,
    )  # fmt: skip


_NONE: tuple[Any, ...] = tuple(0 if row.maximum else _NO_BYTES for row in OPTIONAL_CLAIMS)
