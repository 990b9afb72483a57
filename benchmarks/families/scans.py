"""A file of scans through a bulk run with the native engine, against `verify_many` on the same texts in memory.

The other figures say where the rest of the time goes, and how long it would take without any verification.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import Bench, Row
from benchmarks.scans import ISSUERS, ROWS_IN_TURN, Scans, Texts
from ybtoken.bulk.run import verify_files
from ybtoken.bulk.sources import open_source
from ybtoken.bulk.summary import summarize

ROUNDS = 10


def run(bench: Bench) -> None:
    """Measure the family."""
    rows = max(1024, int(ROWS_IN_TURN * bench.scale))
    scans = Scans(ISSUERS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out, copy, source = folder / "out", folder / "copy.parquet", folder / "scans.parquet"
        zstd = folder / "zstd.parquet"
        scans.write(source, rows)
        pq.write_table(pq.read_table(source), zstd, compression="zstd")
        ((texts, times),) = Texts(source).parts()
        batches = [chunk.batch for chunk in open_source(source).chunks(lambda part: False) if chunk.batch is not None]

        def verify(path: Path) -> None:
            shutil.rmtree(out, ignore_errors=True)
            assert verify_files(scans.bulk, path, out).verified == rows

        def command(path: Path) -> None:
            verify(path)
            assert summarize(out).accepted == rows

        def read(path: Path) -> None:
            assert sum(chunk.rows for chunk in open_source(path).chunks(lambda part: False)) == rows

        def digest(path: Path) -> None:
            with path.open("rb") as stream:
                file_digest(stream, "sha256")

        def write() -> None:
            with pq.ParquetWriter(copy, verdicts.schema, use_dictionary=False, write_statistics=False) as writer:
                writer.write_table(verdicts)

        def floor(path: Path) -> None:
            digest(path)
            read(path)
            write()

        verify(source)
        verdicts = pq.read_table(out)
        calls: dict[str, Callable[[], object]] = {
            "verify_many": lambda: scans.verifier.verify_many(texts, now=times),
            "command": lambda: command(source),
            "command_zstd": lambda: command(zstd),
            "floor": lambda: floor(source),
            "floor_zstd": lambda: floor(zstd),
            "verify": lambda: verify(source),
            "read": lambda: read(source),
            "read_zstd": lambda: read(zstd),
            "hash": lambda: digest(source),
            "verdicts": lambda: sum(len(batch) for batch in scans.bulk.map_batches(batches)),
        }
        taken = bench.take(calls, ROUNDS)
    for which, packed in (("", "snappy"), ("_zstd", "zstd")):
        ratio, noise = taken.ratio(f"command{which}", "verify_many")
        note = f"ES256, {rows:,} rows, {packed}"
        bench.row(Row(f"scans.command{which}_vs_verify_many", ratio, "ratio", "lower", noise, "1.3 at most", note))
        ratio, noise = taken.ratio(f"floor{which}", "verify_many")
        note = f"pyarrow and SHA-256 alone, nothing verified, {packed}"
        bench.row(Row(f"scans.floor{which}_vs_verify_many", ratio, "ratio", "lower", noise, note=note))
    us = {name: taken.seconds(name) / rows * 1e6 for name in calls}
    us["columns"] = us["verdicts"] - us["verify_many"]
    us["write"] = us["verify"] - us["hash"] - us["read"] - us["verdicts"]
    us["summary"] = us["command"] - us["verify"]
    for name, what in (
        ("verify_many", "judging, in memory"),
        ("hash", "SHA-256 of the file, for the manifest"),
        ("read", "Parquet: decompression and decoding, snappy"),
        ("read_zstd", "the same, zstd"),
        ("columns", "checking columns, building those of the verdicts"),
        ("write", "Parquet: encoding and compression of the verdicts"),
        ("summary", "counts and doubles"),
    ):
        bench.row(Row(f"scans.{name}_us_per_row", max(us[name], 1e-6), "us", "lower", note=what))
