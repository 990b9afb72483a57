"""The native engine (extra ``native``): steps 1 to 7 in Rust, for one text and for many.

The application passes it in, ``Verifier(keys, engine=NativeEngine())``; nothing is detected or registered by itself. It
gives the same verdict as the serial engine for every input. It leaves profiles 2 and 3 to the serial engine.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ybtoken._native import ybtoken_native
from ybtoken.algorithms import Algorithm
from ybtoken.engines.columns import COLUMNS, Opened, OpenedBatch, width_of
from ybtoken.engines.serial import SerialOpener
from ybtoken.engines.texts import Held, Texts, held, texts_of
from ybtoken.engines.time_and_scope import Limits, refusal_of
from ybtoken.errors import TokenError, error_for
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.refusals import ACCEPTED, BY_NUMBER, UNDECIDED, Code
from ybtoken.voucher import NO_VALUES, NONE_STATED, OPTIONAL_CLAIMS, OptionalClaims
from ybtoken.wire.claims import Claims

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["NativeEngine"]

_WIDE, _NARROW = 10, 8
_WIDE_BYTES = 832 << 10  # what the engine allows for a table of the wide windows; it takes 786,432 bytes
if dict(ybtoken_native.COLUMNS) != {name: width_of(name) for name in COLUMNS}:
    raise ImportError(
        "the columns of ybtoken-native are not those of this ybtoken: install the versions that belong together / "
        "请安装相互匹配的版本"
    )


class NativeEngine:
    """See `ybtoken.engines.protocols.Engine`.

    Args:
        threads: how many threads share a batch or the building of tables, including the caller's own. A forked process
            starts its own.
        path: forces how signatures are verified; by default the fastest way that the processor can run.
        table_bytes: the most bytes that the keys' tables may take (`docs/why/native.md` has their sizes). If that is
            too little for the ring, its keys get smaller tables, with which a token takes some percent longer. If it is
            too little for those, a table is built when a token first needs it, and the least recently used table is
            dropped. The generators' tables are not counted.

    Raises:
        RuntimeError: the processor cannot run the path.
    """

    name = "native"
    offload_above = 64  # texts; these take as long as eight do by the serial engine

    def __init__(
        self,
        *,
        threads: int = 1,
        path: Literal["ifma", "avx2", "scalar", "slow"] | None = None,
        table_bytes: int = 256 << 20,
    ) -> None:
        self._engine = ybtoken_native.Engine(threads=threads, path=path)
        self._table_bytes = table_bytes

    @property
    def path(self) -> str:
        """How signatures are verified: "ifma", "avx2", "scalar" or "slow"."""
        return self._engine.path

    def prepare(self, keys: KeyRing) -> NativeOpener:
        """Check the keys and build their tables (`docs/why/native.md` says how long that takes), without the GIL.

        Openers that are in use are not affected: prepare a new ring in the background, then swap verifiers.

        Raises:
            ValueError: a key's point is not on its curve, or an SM2 key has no ``user_id``.
        """
        window = _WIDE if len(keys.entries) * _WIDE_BYTES <= self._table_bytes else _NARROW
        ring = self._engine.prepare([_key(entry, window) for entry in keys.entries], table_bytes=self._table_bytes)
        return NativeOpener(ring, keys)

    def __repr__(self) -> str:
        return f"NativeEngine(threads={self._engine.threads}, path={self.path!r})"


def _key(entry: KeyEntry, window: int) -> ybtoken_native.Key:
    x, y = entry.key.point
    user_id = b""
    if entry.key.algorithm is Algorithm.SM2:
        known = getattr(entry.key, "user_id", None)
        if known is None:  # guessing one would refuse every token of the key
            raise ValueError(f"the SM2 key {entry.kid.hex()} does not say its user_id")
        user_id = known
    period = entry.not_before, entry.not_after, entry.withdrawn_since
    return (entry.header, x, y, user_id, window, *period, entry.scope.ranges)


class NativeOpener:
    """See `ybtoken.engines.protocols.Opener`."""

    def __init__(self, ring: ybtoken_native.Ring, keys: KeyRing) -> None:
        self.keys = keys
        self._entries = keys.entries
        self._open_one = ring.open_one
        self._ring = ring
        self._serial = SerialOpener(keys)

    def open(self, text: str, limits: Limits, now: int) -> Opened:
        """See `Opener.open`."""
        code, place, found = self._open_one(text, now=now, skew=limits.skew, max_lifetime=limits.max_lifetime)
        if code == ACCEPTED:
            return Opened(self._entries[place], _claims(found))
        if code == UNDECIDED:
            return self._serial.open(text, limits, now)
        refusal = BY_NUMBER[code]
        if refusal.number == Code.KEY_UNKNOWN:
            raise error_for(refusal.code, kid=found.hex())
        if refusal.step < 4:
            raise error_for(refusal.code)
        entry = self._entries[place]
        if refusal.step < 6:
            raise error_for(refusal.code, kid=entry.kid.hex())
        raise refusal_of(code, entry, _claims(found), now, limits.skew)

    def open_many(self, texts: Texts, limits: Limits, now: int | Sequence[int]) -> OpenedBatch:
        """See `Opener.open_many`. Releases the GIL.

        Args:
            texts: strings, or byte strings; an Arrow string array, read in place; or one buffer of lines that end with
                a line feed and nothing else.
            limits: see `Limits`.
            now: seconds since 1970, one time for all or one for each.

        Raises:
            ValueError: there are more or fewer times than texts.
        """
        bounds: Any = {"skew": limits.skew, "max_lifetime": limits.max_lifetime}
        bounds["now"] = now if isinstance(now, int) else array("q", now).tobytes()
        plain = held(texts)  # they are looked at again where the serial engine takes over
        _check_times(now, plain)
        if type(plain) is bytes:
            found, _ = self._ring.open_lines(plain, **bounds)
        elif type(plain) is Held:
            found = self._ring.open_many(plain, **bounds)
        else:
            found = self._ring.open_arrow(_arrow_chunks(plain), **bounds)
        columns: dict[str, Buffer] = {name: getattr(found, name) for name in COLUMNS}
        columns, passes = self._complete(columns, plain, limits, now)
        return OpenedBatch(self.keys, limits, now, columns, passes)

    def _complete(
        self, columns: dict[str, Buffer], texts: Texts, limits: Limits, now: int | Sequence[int]
    ) -> tuple[dict[str, Buffer], dict[int, Opened | TokenError]]:
        """Fill in the rows that the native engine leaves to the serial engine; also returns the passes among them."""
        codes = bytes(columns["codes"])
        if UNDECIDED not in codes:
            return columns, {}
        places = [i for i, code in enumerate(codes) if code == UNDECIDED]
        wanted = set(places)
        rest = self._serial.open_many(
            (text for i, text in enumerate(texts_of(texts)) if i in wanted),
            limits,
            now if isinstance(now, int) else [now[i] for i in places],
        )
        filled: dict[str, Buffer] = {name: bytearray(column) for name, column in columns.items()}
        for name, column in filled.items():
            width, items = width_of(name), rest.column(name).cast("B")
            for row, place in enumerate(places):
                memoryview(column)[place * width : (place + 1) * width] = items[row * width : (row + 1) * width]
        return filled, {places[row]: outcome for row, outcome in rest.passes.items()}


def _claims(row: tuple[Any, ...]) -> Claims:
    optional = row[6:-1]
    if optional != NO_VALUES:
        stated = {
            known.name: known.from_wire(value)
            for known, value in zip(OPTIONAL_CLAIMS, optional, strict=True)
            if value is not None
        }
        return Claims._make((*row[:6], OptionalClaims(**stated), None))
    return Claims._make((*row[:6], NONE_STATED, None))


def _check_times(now: int | Sequence[int], texts: Any) -> None:
    if isinstance(now, int):
        return
    count = len(texts)
    if type(texts) is bytes:
        count = texts.count(b"\n") + (not texts.endswith(b"\n") and texts != b"")
    if len(now) != count:
        raise ValueError(f"{len(now)} times for {count} texts")


def _arrow_chunks(texts: Any) -> list[tuple[Any, ...]]:
    """The buffers of an Arrow array, chunk by chunk: read in place."""
    width = 8 if str(texts.type).startswith("large") else 4
    chunks = getattr(texts, "chunks", None)
    return [(*_buffers(chunk), width, chunk.offset, len(chunk)) for chunk in ([texts] if chunks is None else chunks)]


def _buffers(chunk: Any) -> tuple[Any, Any, Any]:
    validity, offsets, data = chunk.buffers()
    return (validity if chunk.null_count else None), offsets, data
