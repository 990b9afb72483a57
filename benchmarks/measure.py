"""How time is measured: calls take turns on one core, one of each in a round, and a low quantile of each is reported.

On a shared machine measurements are disturbed all the time, and never by the same amount. Calls that take turns are
disturbed alike, and the tenth of the calls that was disturbed least shows what the code costs.
"""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Literal

__all__ = ["AbsentError", "Bench", "Row", "Times", "machine", "pin"]

QUANTILE = 0.1
CHUNKS = 10
"""Into how many parts a measurement is divided; the noise is how far they differ."""


class AbsentError(Exception):
    """A family cannot be measured here; the message says what is missing."""


def _low(times: list[int]) -> float:
    return float(sorted(times)[int(len(times) * QUANTILE)])


def _take(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[int]]:
    for call in calls.values():  # once untimed, for caches and lazy imports
        call()
    times: dict[str, list[int]] = {name: [] for name in calls}
    takers = [(call, times[name].append) for name, call in calls.items()]
    gc.collect()
    gc.disable()  # so that no call pays for the garbage of others
    try:
        for _ in range(rounds):
            for call, note in takers:
                start = perf_counter_ns()
                call()
                note(perf_counter_ns() - start)
    finally:
        gc.enable()
    return times


def _chunks(times: list[int]) -> list[list[int]]:
    size = max(len(times) // CHUNKS, 1)
    return [times[i : i + size] for i in range(0, len(times) - size + 1, size)]


@dataclass(frozen=True)
class Times:
    """The time of every call in nanoseconds, in order."""

    of: Mapping[str, list[int]]

    def seconds(self, name: str) -> float:
        """The time of one call."""
        return _low(self.of[name]) / 1e9

    def best_seconds(self, name: str) -> float:
        """The time of one call in the best chunk, because in others a shared machine's clock may be a third lower."""
        return min(_low(chunk) for chunk in _chunks(self.of[name])) / 1e9

    def ratio(self, name: str, to: str) -> tuple[float, float]:
        """How many times as long ``name`` takes as ``to``, and the noise: half the range over the chunks."""
        above, below = self.of[name], self.of[to]
        parts = [_low(over) / _low(under) for over, under in zip(_chunks(above), _chunks(below), strict=True)]
        return _low(above) / _low(below), (max(parts) - min(parts)) / 2


@dataclass(frozen=True)
class Row:
    """One figure: a line of the table and an entry of the JSON file."""

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"]
    noise: float | None = None
    target: str = ""
    note: str = ""
    facts: Mapping[str, int] = field(default_factory=dict)
    """Sizes that are reported with the figure: ``token_bytes``, ``qr_version``."""

    def entry(self) -> dict[str, object]:
        """The figure's entry in the JSON file."""
        more = {"noise": self.noise, "target": self.target, "note": self.note, **self.facts}
        stated = {key: value for key, value in more.items() if value not in (None, "")}
        return {"value": self.value, "unit": self.unit, "better": self.better} | stated


class Bench:
    """The object with which a family measures (`take`) and reports (`row`).

    Args:
        scale: 1 for figures; a small fraction only to see whether everything runs.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.rows: list[Row] = []

    def rounds(self, wanted: int) -> int:
        """The number of rounds to run instead of ``wanted``."""
        return max(CHUNKS, int(wanted * self.scale))

    def take(self, calls: Mapping[str, Callable[[], object]], rounds: int) -> Times:
        """Measure the calls in turn, each once in a round."""
        return Times(_take(calls, self.rounds(rounds)))

    def take_in_turns(self, groups: Mapping[str, tuple[Mapping[str, Callable[[], object]], int]]) -> dict[str, Times]:
        """`take` several groups (calls and rounds), a chunk of each in turn.

        The clock of a shared machine may be a third lower for many seconds, so the measurements of every group are
        spread over the whole time.
        """
        taken: dict[str, dict[str, list[int]]] = {
            name: {call: [] for call in calls} for name, (calls, _) in groups.items()
        }
        for _ in range(CHUNKS):
            for name, (calls, rounds) in groups.items():
                for call, times in _take(calls, self.rounds(rounds) // CHUNKS).items():
                    taken[name][call] += times
        return {name: Times(of) for name, of in taken.items()}

    def row(self, row: Row) -> None:
        """Report a figure."""
        if any(row.name == other.name for other in self.rows):
            raise ValueError(f"{row.name} is reported twice")
        self.rows.append(row)


def pin() -> int | None:
    """Stay on one core from now on, also in child processes; returns which, or ``None`` if the system cannot do so."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))  # the first core gets most interrupts
    os.sched_setaffinity(0, {core})
    return core


def machine(packages: Iterable[str]) -> dict[str, object]:
    """The machine of the measurement: hardware, system, versions."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
