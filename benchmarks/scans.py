"""A day of scans in a Parquet file, and its verification: `python -m benchmarks.scans [--rows 10000000]`.

It issues tokens into a temporary file (2 GB and some eight minutes for ten million) and verifies it as `ybtoken bulk
--native` does. After every 131,072 rows, `verify_many` verifies the same texts in memory, so both are measured in one
run, by processor time and on one core. It also prints the most memory that was used: after the first million rows, it
should not grow with the file.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import pin
from benchmarks.samples import NOW
from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.bulk.run import Progress, verify_files
from ybtoken.bulk.summary import summarize
from ybtoken.bulk.table import BulkVerifier
from ybtoken.engines.native import NativeEngine
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

ISSUERS = 31
ROWS_OF_A_GROUP = 1 << 20  # pyarrow's default
ROWS_IN_TURN = 1 << 17
_SCHEMA = pa.schema([("text", pa.string()), ("scanned_at", pa.timestamp("ms", tz="UTC")), ("place", pa.string())])


class Scans:
    """Scans of one day: each token is scanned once, within its first minute, at one of 4,000 terminals."""

    def __init__(self, issuers: int = ISSUERS) -> None:
        keys = [P256SigningKey.generate() for _ in range(issuers)]
        self._issuers = [Issuer(key, verified_share=0) for key in keys]
        ring = KeyRing([KeyEntry(key.verifying_key, f"issuer {i}") for i, key in enumerate(keys)])
        self.verifier = Verifier(ring, engine=NativeEngine())
        self.bulk = BulkVerifier(key_set=dump_jwks(ring), native=True)

    def write(self, path: Path, rows: int, compression: str = "snappy") -> None:
        """Write a file of scans with pyarrow's other defaults."""
        with pq.ParquetWriter(path, _SCHEMA, compression=compression) as writer:
            for first in range(0, rows, ROWS_OF_A_GROUP):
                writer.write_table(self._table(first, min(rows, first + ROWS_OF_A_GROUP), rows))

    def _table(self, first: int, last: int, rows: int) -> pa.Table:
        chance, columns = random.Random(first), ([], [], [])
        for i in range(first, last):
            at, city = NOW + i * 86_400 // rows, f"{chance.choice((11, 31, 33, 44, 51))}{chance.randrange(1, 20):02}00"
            text = self._issuers[i % len(self._issuers)].issue(chance.randbytes(16), city, now=at).text
            row = text, at * 1000 + chance.randrange(3000, 60_000), f"terminal {chance.randrange(4000)}"
            for column, cell in zip(columns, row, strict=True):
                column.append(cell)
        return pa.table(list(columns), schema=_SCHEMA)


class Texts:
    """The texts and times of a file, in parts that are in memory."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)

    def parts(self) -> Iterator[tuple[pa.Array, array[int]]]:
        """The parts in order."""
        for group in range(self._file.num_row_groups):
            for batch in self._file.iter_batches(ROWS_IN_TURN, row_groups=[group], columns=["text", "scanned_at"]):
                yield batch["text"], array("q", [at // 1000 for at in batch["scanned_at"].cast(pa.int64()).to_pylist()])


class InTurn:
    """Calls `verify_many` on the next texts after so many rows of a run, and takes the time of each."""

    def __init__(self, verifier: Verifier, path: Path) -> None:
        self._verify, self._parts, self._rows = verifier.verify_many, Texts(path).parts(), ROWS_IN_TURN
        self.in_memory = self.spent = 0.0
        self.accepted = 0

    def __call__(self, progress: Progress) -> None:
        start = time.process_time()
        while progress.rows >= self._rows or progress.share == 1:
            if (part := next(self._parts, None)) is None:
                break
            self._rows += ROWS_IN_TURN
            before = time.process_time()
            verdicts = self._verify(part[0], now=part[1])
            self.in_memory += time.process_time() - before
            self.accepted += verdicts.accepted
        self.spent += time.process_time() - start


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scans", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="10,000,000 by default")
    parser.add_argument("--compression", default="snappy", help="snappy by default, as pyarrow's")
    arguments = parser.parse_args()
    core, scans = pin(), Scans()
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "scans.parquet", Path(name) / "out"
        scans.write(source, arguments.rows, arguments.compression)
        in_turn = InTurn(scans.verifier, source)
        start = time.process_time()
        verify_files(scans.bulk, source, out, progress=in_turn)
        verified = time.process_time()
        summary = summarize(out)
        summed_up = time.process_time() - verified
        assert summary.accepted == in_turn.accepted == arguments.rows
        size = source.stat().st_size / arguments.rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    command = verified - start - in_turn.spent + summed_up
    print(
        f"core {core}: {arguments.rows:,} rows, {arguments.compression}, {size:.0f} bytes a row: verify_many "
        f"{in_turn.in_memory:.1f} s, the command {command:.1f} s ({summed_up:.1f} s of them for the summary), ratio "
        f"{command / in_turn.in_memory:.2f}; at most {peak} MB of memory"
    )


if __name__ == "__main__":
    main()
