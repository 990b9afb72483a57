"""The native engine (extra ``native``): steps 1 to 5 in Rust, for one text and for many.

The application passes it in, ``Verifier(keys, engine=NativeEngine())``; nothing is detected or registered by itself. It
gives the same verdict as the serial engine for every input. What it does not open itself (profiles 2 and 3) it hands to
the serial engine.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, cast

from ybtoken._native import ybtoken_native
from ybtoken.algorithms import Algorithm
from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.engines.protocols import Texts, texts_of
from ybtoken.engines.serial import SerialOpener
from ybtoken.errors import error_for
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.wire.claims import Claims, named

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["NativeEngine"]

_NOT_MINE = 255
_WIDE, _NARROW = 10, 8
_WIDE_BYTES = 832 << 10  # what the engine allows for a table of the wide windows; it takes 786,432 bytes
_COLUMNS = {
    "codes": "code", "entries": "entry", "issued_at": "iat", "expires_at": "exp", "cities": "city",
    "profiles": "profile", "nonce_sizes": "nonce_len", "nonces": "nonce", "identity_refs": "identity",
    "present": "present", "channels": "channel", "purposes": "purpose", "presenters": "presenter",
    "assurances": "assurance", "status_indexes": "status_index",
}  # fmt: skip


class NativeEngine:
    """See `ybtoken.engines.protocols.Engine`.

    Args:
        threads: how many threads share a batch, or the building of tables, the caller's own among them. A process that
            is forked starts its own.
        path: forces how signatures are verified; the fastest that the processor runs if it is not given.
        table_bytes: the cap of what the keys' tables take: 786 KB a key, or where that is too much for the ring, 262 KB
            and some percent slower. If that is too much too, tables are built when a token first needs them, the least
            recently used going first. The generators' tables, 7.3 MB a curve, come on top.

    Raises:
        RuntimeError: the processor does not run the path.
    """

    name = "native"

    def __init__(
        self,
        *,
        threads: int = 1,
        path: Literal["ifma", "scalar", "slow"] | None = None,
        table_bytes: int = 256 << 20,
    ) -> None:
        self._engine = ybtoken_native.Engine(threads=threads, path=path)
        self._table_bytes = table_bytes

    @property
    def path(self) -> str:
        """How signatures are verified: "ifma", "scalar" or "slow"."""
        return self._engine.path

    def prepare(self, keys: KeyRing) -> NativeOpener:
        """Check the keys and build their tables, 1 to 5 ms of one core a key, without the GIL.

        An opener that is in use is not disturbed: prepare a new ring in the background, then swap verifiers.

        Raises:
            ValueError: a key whose point is not on its curve, or an SM2 key without a ``user_id``.
        """
        window = _WIDE if len(keys.entries) * _WIDE_BYTES <= self._table_bytes else _NARROW
        tuples = [(*_key(entry), window) for entry in keys.entries]
        ring = self._engine.prepare(tuples, table_bytes=self._table_bytes)
        return NativeOpener(self._engine, ring, keys)

    def __repr__(self) -> str:
        return f"NativeEngine(threads={self._engine.threads}, path={self.path!r})"


def _key(entry: KeyEntry) -> tuple[bytes, bytes, bytes, bytes]:
    x, y = entry.key.point
    user_id = b""
    if entry.key.algorithm is Algorithm.SM2:
        known = getattr(entry.key, "user_id", None)
        if known is None:  # guessing one would refuse every token of the key
            raise ValueError(f"the SM2 key {entry.kid.hex()} does not say its user_id")
        user_id = known
    return entry.header, x, y, user_id


class NativeOpener:
    """See `ybtoken.engines.protocols.Opener`."""

    def __init__(self, engine: ybtoken_native.Engine, ring: ybtoken_native.Ring, keys: KeyRing) -> None:
        self.keys = keys
        self._entries = keys.entries
        self._open_one = ring.open_one
        self._engine, self._ring = engine, ring
        self._serial = SerialOpener(keys)
        self._scopes = ybtoken_native.Scopes(
            [(e.not_before, e.not_after, e.withdrawn_since, e.scope.ranges) for e in keys.entries]
        )

    def open(self, text: str) -> Opened:
        """Steps 1 to 5 for one text; raises `TokenError`."""
        code, entry, found = self._open_one(text)
        if code == ACCEPTED:
            return named(Opened, (self._entries[entry], named(Claims, found), None))
        if code == _NOT_MINE:
            return self._serial.open(text)
        refusal = BY_NUMBER[code]
        if refusal.code == "key.unknown":
            raise error_for(refusal.code, kid=found.hex())
        if refusal.step >= 4:
            raise error_for(refusal.code, kid=self._entries[entry].kid.hex())
        raise error_for(refusal.code)

    def open_many(self, texts: Texts) -> OpenedBatch:
        """Steps 1 to 5 for many texts, order kept; never raises for a bad token. Releases the GIL.

        Args:
            texts: strings, or byte strings; an Arrow string array, read in place; or one buffer of lines that end with
                a line feed and nothing else.
        """
        if isinstance(texts, (bytes, bytearray, memoryview)):
            columns, _ = self._ring.open_lines(texts)
        else:
            many = cast("Iterable[str]", texts)
            if not hasattr(many, "__arrow_c_array__") and not hasattr(many, "__arrow_c_stream__"):
                many = tuple(many)  # they are looked at again where the serial engine takes over
            columns, texts = self._ring.open_many(many), many
        return NativeBatch(self, {name: getattr(columns, native) for name, native in _COLUMNS.items()}, texts)

    def complete(self, columns: dict[str, Buffer], texts: Texts) -> tuple[dict[str, Buffer], dict[int, Opened]]:
        """Fill in the rows of texts that the native engine leaves to the serial one; and the passes among them."""
        codes = bytes(columns["codes"])
        if _NOT_MINE not in codes:
            return columns, {}
        positions = [i for i, code in enumerate(codes) if code == _NOT_MINE]
        wanted = set(positions)
        rest = self._serial.open_many(text for i, text in enumerate(texts_of(texts)) if i in wanted)
        filled: dict[str, Buffer] = {name: bytearray(column) for name, column in columns.items()}
        for name, column in filled.items():
            width = len(memoryview(column)) // len(codes)
            items = memoryview(getattr(rest, name)).cast("B")
            for row, position in enumerate(positions):
                memoryview(column)[position * width : (position + 1) * width] = items[row * width : (row + 1) * width]
        return filled, {positions[row]: opened for row, opened in rest.passes.items()}

    def judge(self, batch: OpenedBatch, now: int | Sequence[int], skew: int, max_lifetime: int) -> bytearray:
        """Steps 6 and 7 in columns."""
        columns = map(bytes, map(batch.column, ("codes", "entries", "issued_at", "expires_at", "cities")))
        at = now if isinstance(now, int) else array("q", now).tobytes()
        return bytearray(self._scopes.judge(self._engine, *columns, now=at, skew=skew, max_lifetime=max_lifetime))


class NativeBatch(OpenedBatch):
    """A batch whose columns came from the native engine, and are judged there too."""

    __slots__ = ("_opener",)

    def __init__(self, opener: NativeOpener, columns: dict[str, Buffer], texts: Texts) -> None:
        self._opener = opener
        super().__init__(opener.keys, *opener.complete(columns, texts))

    def judge(self, now: int | Sequence[int], skew: int, max_lifetime: int) -> bytearray:
        """See `OpenedBatch.judge`: the same, a column at a time and without the GIL."""
        return self._opener.judge(self, now, skew, max_lifetime)
