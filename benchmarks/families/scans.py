"""A file of scans through a bulk run with the native engine, against `verify_many` on the same texts in memory.

The other figures say where the rest of the time goes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import Bench, Row
from benchmarks.samples import NOW
from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.bulk.run import verify_files
from ybtoken.bulk.sources import open_source
from ybtoken.bulk.summary import summarize
from ybtoken.bulk.table import BulkVerifier
from ybtoken.engines.native import NativeEngine
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

ROWS = 131_072
ISSUERS = 31
ROUNDS = 10


def run(bench: Bench) -> None:
    """Measure the family."""
    rows = max(1024, int(ROWS * bench.scale))
    keys = [P256SigningKey.generate() for _ in range(ISSUERS)]
    issuers = [Issuer(key, verified_share=0) for key in keys]
    ring = KeyRing([KeyEntry(key.verifying_key, "bench") for key in keys])
    texts = [issuers[i % ISSUERS].issue(i.to_bytes(16, "big"), "330100", now=NOW).text for i in range(rows)]
    array, now = pa.array(texts), [NOW + 5] * rows
    verifier = Verifier(ring, engine=NativeEngine())
    bulk = BulkVerifier(key_set=dump_jwks(ring), native=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "scans.parquet"
        at = pa.array(now).cast(pa.timestamp("s", tz="UTC"))
        pq.write_table(pa.table({"text": array, "scanned_at": at, "place": ["330100"] * rows}), source)
        batches = [chunk.batch for chunk in open_source(source).chunks(lambda part: False) if chunk.batch is not None]

        def whole() -> None:
            shutil.rmtree(folder / "out", ignore_errors=True)
            assert verify_files(bulk, source, folder / "out").verified == rows

        def command() -> None:
            whole()
            assert summarize(folder / "out").accepted == rows

        calls: dict[str, Callable[[], object]] = {
            "verify_many": lambda: verifier.verify_many(array, now=now),
            "command": command,
            "whole": whole,
            "read": lambda: sum(chunk.rows for chunk in open_source(source).chunks(lambda part: False)),
            "hash": lambda: sha256(source.read_bytes()).digest(),
            "verdicts": lambda: sum(len(batch) for batch in bulk.map_batches(batches)),
        }
        times = bench.take(calls, ROUNDS)
    ratio, noise = times.ratio("command", "verify_many")
    note = f"ES256, {rows:,} rows, snappy"
    bench.row(Row("scans.command_vs_verify_many", ratio, "ratio", "lower", noise, "1.3 at most", note))
    us = {name: times.seconds(name) / rows * 1e6 for name in calls}
    us["columns"] = us["verdicts"] - us["verify_many"]
    us["write"] = us["whole"] - us["hash"] - us["read"] - us["verdicts"]
    us["summary"] = us["command"] - us["whole"]
    for name, what in (
        ("verify_many", "judging, in memory"),
        ("hash", "SHA-256 of the file, for the manifest"),
        ("read", "Parquet: decompression and decoding"),
        ("columns", "checking columns, building those of the verdicts"),
        ("write", "Parquet: encoding and compression of the verdicts"),
        ("summary", "counts and doubles"),
    ):
        bench.row(Row(f"scans.{name}_us_per_row", max(us[name], 1e-6), "us", "lower", note=what))
