"""Tables of recorded scans in, tables of verdicts out (extra ``bulk``): a day of a settlement centre.

`BulkVerifier` can be pickled, and a worker process makes its verifier only once; so it runs unchanged on Dask, Ray and
Spark.

A scan is verified at the time at which it was recorded, not now. Nothing is redeemed: that was done at the counter.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ybtoken._arrow import pa, pc
from ybtoken.bulk.columns import LONGEST_SCAN, ScansError, check_columns, plain_texts, seconds_of, zone_of
from ybtoken.bulk.schema import NO_TEXT, NO_TIME, NOT_TEXT, VERDICT_SCHEMA, verdict_columns
from ybtoken.engines.protocols import Engine
from ybtoken.judging.verdicts import Verdicts
from ybtoken.keys.keyset import load_jwks
from ybtoken.refusals import ACCEPTED
from ybtoken.verifier import Verifier
from ybtoken.wire.text import normalize_scan

__all__ = ["BulkVerifier"]

ROWS = 16_384
"""How many rows are verified at a time, which limits the memory."""
_TEXT_STEP = re.compile(rb"[\x10-\x1f]")  # the numbers of refusals at step 1
_FIRST_TIMED = 96  # from this number on, a verdict depends on the time


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkVerifier:
    """A verifier of tables, which can be sent to other processes.

    Args:
        key_set: the text of a JWK Set (`ybtoken.keys.keyset.load_jwks`).
        text: the column of texts: strings or bytes of any Arrow type.
        scanned_at: the column of times at which they were scanned: timestamps, seconds since 1970, or ISO 8601.
        tz: the zone of times that name none, such as "Asia/Shanghai" or "+08:00".
        scanned: whether to remove what scanners add (`ybtoken.normalize_scan`) before a text is verified.
        skew: see `Verifier`.
        max_lifetime: see `Verifier`.
        native: whether to use the native engine, which must be installed wherever this runs.
        threads: how many threads the native engine uses.
    """

    key_set: str
    text: str = "text"
    scanned_at: str = "scanned_at"
    tz: str | None = None
    scanned: bool = False
    skew: int = 10
    max_lifetime: int = 300
    native: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if self.text == self.scanned_at:
            raise ValueError(f"text and scanned_at are two columns, not both {self.text!r}")
        zone_of(self.tz)
        _verifier(self)  # an error in the key set is raised here, not in a worker

    def __call__(self, table: pa.Table | pa.RecordBatch) -> pa.Table:
        """The table's columns, and those of `VERDICT_SCHEMA` after them.

        Raises:
            ScansError: a column that cannot hold texts or times, or a time in milliseconds or without a zone.
        """
        schema = self.schema(table.schema)
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        return pa.Table.from_batches(self.map_batches(table.to_batches(max_chunksize=ROWS)), schema)

    def schema(self, source: pa.Schema) -> pa.Schema:
        """The schema of the verdicts on a source of this schema.

        Raises:
            ScansError: the columns of texts or times are missing or of a wrong type, or a column's name begins with
                ``verdict_``.
        """
        check_columns(source, self.text, self.scanned_at, self.tz)
        if taken := sorted(set(source.names) & set(VERDICT_SCHEMA.names)):
            raise ScansError(
                f"the column {taken[0]!r} is there already: are these verdicts? Rename or drop it",
                f"已有列 {taken[0]!r}：这些是验证结果吗？请改名或删除该列",
            )
        return pa.schema([*source, *VERDICT_SCHEMA], source.metadata)

    def map_batches(
        self, batches: Iterable[pa.RecordBatch], *, source: str = "", rows_before: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """Verify a stream of record batches, such as Spark's ``mapInArrow`` gives.

        Args:
            batches: of any size.
            source: the name of the source, for errors.
            rows_before: how many rows of the source precede the first batch; errors count rows from the source's start.

        Raises:
            ScansError: as for a call.
        """
        for batch in batches:
            schema = self.schema(batch.schema)
            for start in range(0, len(batch), ROWS):
                part = batch.slice(start, ROWS)
                try:
                    added = self._verdicts(part)
                except ScansError as error:
                    raise error.within(source, rows_before + start) from None
                yield pa.RecordBatch.from_arrays([*part.columns, *added], schema=schema)
            rows_before += len(batch)

    def _verdicts(self, batch: pa.RecordBatch) -> list[pa.Array]:
        texts = plain_texts(batch[self.text])
        times = seconds_of(batch[self.scanned_at], self.scanned_at, zone_of(self.tz))
        verdicts = self._verify(texts, times)
        codes = bytearray(verdicts.codes)
        noise = bytearray(len(codes))
        places, cleaned = [], []
        for place, text in _without_noise(texts, codes):
            places.append(place)
            cleaned.append(text)
        again: Verdicts | None = None
        if places:
            again = self._verify(cleaned, times.take(pa.array(places, pa.int64())))
            for place, code in zip(places, again.codes, strict=True):
                noise[place] = code == ACCEPTED
        _mark_untimed(codes, times)
        found = verdict_columns(verdicts, bytes(codes), _flags(noise), times)
        return self._cleaned(found, places, again, noise, times) if self.scanned and again is not None else found

    def _verify(self, texts: Any, times: pa.Array) -> Verdicts:
        if isinstance(texts, pa.Array) and texts.null_count:
            texts = pc.fill_null(texts, pa.scalar(b"", texts.type))
        now = pc.fill_null(times, 0)
        seconds = array("q")
        if len(now):
            seconds.frombytes(memoryview(now.buffers()[1])[8 * now.offset : 8 * (now.offset + len(now))])
        return _verifier(self).verify_many(texts, now=seconds, recorded=True)

    def _cleaned(
        self, found: list[pa.Array], places: list[int], again: Verdicts, noise: bytearray, times: pa.Array
    ) -> list[pa.Array]:
        """The columns with the verdicts on texts without a scanner's additions in place of those on recorded texts."""
        chosen = times.take(pa.array(places, pa.int64()))
        codes = bytearray(again.codes)
        _mark_untimed(codes, chosen)
        cleaned = verdict_columns(again, bytes(codes), _flags(bytes(noise[place] for place in places)), chosen)
        rows = list(range(len(noise)))
        for number, place in enumerate(places, len(rows)):
            rows[place] = number
        indices = pa.array(rows, pa.int64())
        return [pa.concat_arrays([one, other]).take(indices) for one, other in zip(found, cleaned, strict=True)]


@lru_cache(maxsize=8)
def _verifier(bulk: BulkVerifier) -> Verifier:
    engine: Engine | None = None
    if bulk.native:
        from ybtoken.engines.native import NativeEngine

        engine = NativeEngine(threads=bulk.threads)
    return Verifier(load_jwks(bulk.key_set), engine=engine, skew=bulk.skew, max_lifetime=bulk.max_lifetime)


def _flags(items: bytes | bytearray) -> pa.Array:
    view = memoryview(items)
    return pa.Array.from_buffers(pa.uint8(), len(view), [None, pa.py_buffer(view)]).cast(pa.bool_())


def _without_noise(texts: pa.Array, codes: bytearray) -> Iterator[tuple[int, str]]:
    """The texts that a scanner may have added to, without the additions, each with its row.

    Cells that hold no text get their verdict in ``codes``. Only texts that were refused at step 1 are looked at: an
    accepted text has no additions.
    """
    refused = [match.start() for match in _TEXT_STEP.finditer(codes)]
    if not refused:
        return
    for place, cell in zip(refused, texts.take(pa.array(refused, pa.int64())).to_pylist(), strict=True):
        if cell is None:
            codes[place] = NO_TEXT
            continue
        try:
            text = cell.decode()
        except UnicodeDecodeError:
            codes[place] = NOT_TEXT
            continue
        if len(text) <= LONGEST_SCAN and (cleaned := normalize_scan(text)) != text:
            yield place, cleaned


def _mark_untimed(codes: bytearray, times: pa.Array) -> None:
    if not times.null_count:
        return
    for place, missing in enumerate(pc.is_null(times).to_pylist()):
        if missing and (codes[place] == ACCEPTED or codes[place] >= _FIRST_TIMED):
            codes[place] = NO_TIME
