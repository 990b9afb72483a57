"""Four processes redeem through one `SqliteReplayGuard` while one after another is killed.

`python -m tests.replay.sqlite_kills 1000` kills a thousand times. It counts displays that two processes accepted, and
acceptances that the journal does not hold; both have to be none.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ybtoken.errors import TokenError
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard

WORKERS = 4


class Outcome(NamedTuple):
    kills: int
    accepted: int
    """Acceptances that a process reported."""
    twice: int
    """Displays that were accepted more than once, by the reports or by the journal."""
    lost: int
    """Acceptances that were reported and are not in the journal."""


def redeem(path: str) -> None:
    """Claim the next displays and report each that is accepted, until the process is killed."""
    guard = SqliteReplayGuard(path, terminal=str(time.monotonic_ns()))
    while True:
        second = int(time.time())
        for number in range(64):  # all processes try the same displays
            key = b"%d %d" % (second, number)
            (refused,) = guard.claim_many([Claim(key, second + 100, second + 600, second + 600, key.decode())])
            if refused is None:
                print(key.hex(), flush=True)
            elif not isinstance(refused, TokenError):
                raise refused


def run(kills: int, folder: Path, seed: int) -> Outcome:
    """Kill that many processes, each at a random moment, and start another in its place."""
    chance, path = random.Random(seed), folder / "guard.db"
    told: list[Path] = []

    def start() -> subprocess.Popen[bytes]:
        told.append(folder / f"told-{len(told)}")
        with told[-1].open("wb") as out:
            command = [sys.executable, "-m", "tests.replay.sqlite_kills", "--worker", str(path)]
            return subprocess.Popen(command, stdout=out)

    def size() -> int:
        return sum(path.stat().st_size for path in told)

    workers = [start() for _ in range(WORKERS)]
    try:
        for _ in range(kills):
            # A kill waits until something was accepted since the last, however slow the machine is.
            wanted, deadline = size() + chance.randrange(1, 300), time.monotonic() + 60
            while size() < wanted and time.monotonic() < deadline:
                time.sleep(chance.uniform(0.001, 0.02))
            place = chance.randrange(WORKERS)
            workers[place].kill()
            workers[place].wait()
            workers[place] = start()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    # A line that was cut off by a kill reports nothing.
    lines = [line for file in told for line in file.read_text().split("\n")[:-1]]
    journal = Counter(row.replay_key.hex() for row in SqliteReplayGuard(path).journal())
    accepted = Counter(lines)
    twice = {key for counts in (accepted, journal) for key, count in counts.items() if count > 1}
    return Outcome(kills, len(lines), len(twice), len(accepted.keys() - journal.keys()))


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        redeem(sys.argv[2])
    seed = time.time_ns()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(int(sys.argv[1]), Path(folder), seed)
    print(f"seed {seed}: {outcome}")
    sys.exit(1 if outcome.twice or outcome.lost or not outcome.accepted else 0)
