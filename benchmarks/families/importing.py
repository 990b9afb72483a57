"""The cost of imports, measured in turn in new interpreters, with all modules compiled beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Bench, Row, Times

STATEMENTS = {
    "base": "import cbor2; from cryptography.hazmat.primitives.asymmetric import ec",
    "ybtoken": "import ybtoken",
    "names": "from ybtoken import *",
    "p256": "from ybtoken import *; import ybtoken.keys.p256",
}
_PROGRAM = "import time; start = time.perf_counter_ns(); {}; print(time.perf_counter_ns() - start)"


def run(bench: Bench) -> None:
    """Measure the family."""
    with tempfile.TemporaryDirectory() as cache:
        # Some installers do not compile, and some environments forbid it; compiling should not be measured.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache

        def imported(statement: str) -> int:
            command = [sys.executable, "-c", _PROGRAM.format(statement)]
            return int(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

        for statement in STATEMENTS.values():
            imported(statement)
        assert any(Path(cache).rglob("*.pyc"))
        times: dict[str, list[int]] = {name: [] for name in STATEMENTS}
        for _ in range(bench.rounds(40)):
            for name, statement in STATEMENTS.items():
                times[name].append(imported(statement))
    taken = Times(times)
    ratio, noise = taken.ratio("ybtoken", "base")
    bench.row(Row("import_ratio", ratio, "ratio", "lower", noise, "< 1.5"))
    ratio, noise = taken.ratio("names", "base")
    note = "with every public name, which are loaded when they are first asked for"
    bench.row(Row("import_names_ratio", ratio, "ratio", "lower", noise, note=note))
    ratio, noise = taken.ratio("p256", "base")
    note = "with the P-256 backend, and so with `cryptography` itself"
    bench.row(Row("p256.import_ratio", ratio, "ratio", "lower", noise, note=note))
    bench.row(Row("import_ms", taken.seconds("ybtoken") * 1e3, "ms", "lower"))
