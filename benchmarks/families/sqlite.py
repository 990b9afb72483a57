"""The replay guard in a file: claims a second, alone and in batches, each with its row in the journal.

Every call is one transaction that is on the disk before it counts, so a single claim takes what the disk takes to sync.
"""

from __future__ import annotations

import tempfile
import time
from itertools import count
from pathlib import Path

from benchmarks.measure import Bench, Row
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard

LIFE = 3600
BATCH = 64
TEXT = "96" + "0" * 340  # as long as a usual text


def run(bench: Bench) -> None:
    """Measure the family."""
    with tempfile.TemporaryDirectory() as folder:
        now, numbers = int(time.time()), count()
        guard = SqliteReplayGuard(Path(folder) / "guard.db", terminal="bench")

        def claims(size: int) -> None:
            since, until = now + LIFE, now + 2 * LIFE
            wanted = [Claim(next(numbers).to_bytes(16, "big"), since, until, until, TEXT) for _ in range(size)]
            assert guard.claim_many(wanted) == [None] * size

        times = bench.take({"one": lambda: claims(1), "batch": lambda: claims(BATCH)}, rounds=200)
        note = "one a transaction, which is on the disk before it counts"
        bench.row(Row("sqlite.claims_per_s", 1 / times.seconds("one"), "1/s", "higher", note=note))
        note = f"{BATCH} a transaction"
        bench.row(Row(f"sqlite.claims_{BATCH}_per_s", BATCH / times.seconds("batch"), "1/s", "higher", note=note))
        guard.close()
