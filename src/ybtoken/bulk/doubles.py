"""Displays that were accepted more than once, among a day's scans and the journals of terminals (extra ``bulk``).

The verdicts are read twice, so that memory does not grow with their number. The first time, the displays are sorted
into files by their last bytes, and the displays in each file are counted. The second time, the place and time of every
acceptance is collected for the displays that were found more than once.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ybtoken._arrow import pa, pc, pq
from ybtoken.bulk.schema import PREFIX

__all__ = ["Double", "Doubles", "Scan", "VerdictFile", "find_doubles", "is_accepted"]

LISTED = 10_000
"""How many displays are listed one by one; all are counted."""
_SCANS_LISTED = 20
_ROWS_A_FILE = 1 << 20
_MOST_FILES = 256
_KEY_SIZE = 8
_CODE, _DISPLAY, _AT = PREFIX + "code", PREFIX + "display", PREFIX + "at"


class VerdictFile(NamedTuple):
    """A part of a run's verdicts.

    Args:
        path: the Parquet file.
        source: the name of the file of scans.
        first: the row in the file of scans, counted from 0, that the first verdict is on.
        rows: how many verdicts it has.
        journal: whether the scans are from a terminal's journal.
    """

    path: Path
    source: str
    first: int
    rows: int
    journal: bool


class Scan(NamedTuple):
    """One acceptance of a display: when, where, and in which row of which file (counted from 1)."""

    at: datetime
    place: str
    source: str
    row: int
    journal: bool


class Double(NamedTuple):
    """A display that was accepted more than once: its replay key, how often, and the first of the scans by time."""

    display: bytes
    times: int
    scans: tuple[Scan, ...]


class Doubles(NamedTuple):
    """Displays that were accepted more than once.

    Args:
        displays: how many.
        by_journals: how many of them only because of a journal.
        listed: the first `LISTED` of them, by the time of the first scan.
    """

    displays: int = 0
    by_journals: int = 0
    listed: tuple[Double, ...] = ()


def find_doubles(files: Sequence[VerdictFile], places: Sequence[str], workspace: Path) -> Doubles:
    """Find the displays that were accepted more than once.

    Args:
        files: the verdicts.
        places: the columns that say where a scan was made; a file may lack them.
        workspace: a folder for temporary files, about 20 bytes a row.
    """
    wanted = max(1, math.ceil(sum(file.rows for file in files) / _ROWS_A_FILE))
    buckets = min(_MOST_FILES, 1 << (wanted - 1).bit_length())
    with tempfile.TemporaryDirectory(dir=workspace, prefix="_doubles-") as folder:
        sorted_out = _sort_out(files, Path(folder), buckets)
        displays = by_journals = 0
        kept: list[pa.Array] = []
        for scans, journals in sorted_out:
            twice = _twice(pa.concat_arrays([scans, journals]))
            displays += len(twice)
            if len(journals) and len(twice):
                by_journals += len(twice) - len(_twice(scans))
            kept.append(twice.slice(0, LISTED - sum(map(len, kept))))
    if not displays:
        return Doubles()
    return Doubles(displays, by_journals, _listed(files, places, pa.concat_arrays(kept)))


def is_accepted(codes: pa.DictionaryArray) -> pa.Array:
    """Which of these verdict codes is "accepted"."""
    return pc.equal(codes.indices, codes.dictionary.index("accepted").cast(codes.indices.type))


def _accepted(file: VerdictFile, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = file.first
    with pq.ParquetFile(file.path, read_dictionary=[_CODE]) as parquet:
        for batch in parquet.iter_batches(columns=list(columns)):
            yield first, batch
            first += len(batch)


def _sort_out(files: Sequence[VerdictFile], folder: Path, buckets: int) -> Iterator[tuple[pa.Array, pa.Array]]:
    """For each bucket, the displays that were accepted in scans, and those that were accepted in journals."""
    schema = pa.schema([("display", pa.binary())])

    def path(bucket: int, journal: bool) -> Path:
        return folder / f"{bucket}-{journal:d}"

    with ExitStack() as stack:
        writers: dict[tuple[int, bool], Any] = {}
        for file in files:
            for _, batch in _accepted(file, (_CODE, _DISPLAY)):
                displays, accepted = batch[_DISPLAY], is_accepted(batch[_CODE])
                if not pc.all(accepted).as_py():
                    displays = displays.filter(accepted)
                for bucket, some in _by_bucket(displays, buckets):
                    key = bucket, file.journal
                    if key not in writers:
                        writers[key] = stack.enter_context(pa.ipc.new_stream(str(path(*key)), schema))
                    writers[key].write_batch(pa.record_batch([some], schema=schema))
    for bucket in range(buckets):
        found = []
        for journal in (False, True):
            if (bucket, journal) in writers:
                with pa.ipc.open_stream(str(path(bucket, journal))) as reader:
                    table = reader.read_all()
                found.append(pa.concat_arrays(table["display"].chunks))
            else:
                found.append(pa.array([], pa.binary()))
        yield found[0], found[1]


def _by_bucket(displays: pa.Array, buckets: int) -> Iterator[tuple[int, pa.Array]]:
    if not len(displays):
        return
    if buckets == 1:
        yield 0, displays
        return
    bucket = pc.bit_wise_and(_keys(displays), buckets - 1)
    ordered = displays.take(pc.sort_indices(bucket))
    counts = {row["values"]: row["counts"] for row in pc.value_counts(bucket).to_pylist()}
    at = 0
    for name in sorted(counts):
        yield name, ordered.slice(at, counts[name])
        at += counts[name]


def _keys(displays: pa.Array) -> pa.Array:
    """The last 8 bytes of each display as a number. They are nearly always random, and fast to compare."""
    last = pc.binary_slice(displays, -_KEY_SIZE, None).cast(pa.binary(_KEY_SIZE))
    return pa.Array.from_buffers(pa.int64(), len(last), [None, last.buffers()[1]], offset=last.offset)


def _twice(displays: pa.Array) -> pa.Array:
    """The displays that occur more than once, each listed once."""
    keys = _keys(displays)
    ordered = keys.to_numpy(zero_copy_only=False, writable=True)
    ordered.sort()  # many times as fast as a hash table that does not fit into the caches
    likely = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(likely):
        return displays.slice(0, 0)
    counted = pc.value_counts(displays.filter(pc.is_in(keys, value_set=pa.array(likely))))
    return counted.field("values").filter(pc.greater(counted.field("counts"), 1))


def _listed(files: Sequence[VerdictFile], places: Sequence[str], displays: pa.Array) -> tuple[Double, ...]:
    found: dict[bytes, list[Scan]] = {display: [] for display in displays.to_pylist()}
    counts = dict.fromkeys(found, 0)
    for file in files:
        names = pq.read_schema(file.path).names
        shown = [name for name in places if name in names]
        for first, batch in _accepted(file, (_CODE, _DISPLAY, _AT, *shown)):
            chosen = pc.and_(is_accepted(batch[_CODE]), pc.is_in(batch[_DISPLAY], value_set=displays))
            rows = pc.indices_nonzero(chosen)
            columns = batch.take(rows).to_pydict()
            for number, row in enumerate(rows.to_pylist()):
                display = columns[_DISPLAY][number]
                counts[display] += 1
                place = " ".join(str(columns[name][number]) for name in shown if columns[name][number] is not None)
                scan = Scan(columns[_AT][number], place, file.source, first + row + 1, file.journal)
                found[display] = sorted([*found[display], scan])[:_SCANS_LISTED]
    doubles = (Double(display, counts[display], tuple(scans)) for display, scans in found.items())
    return tuple(sorted(doubles, key=lambda double: double.scans[0]))
