"""Verdicts counted for Prometheus: an observer, and its text format (version 0.0.4). Nothing of a person."""

from __future__ import annotations

import os
import platform
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock

import ybtoken
from ybtoken.observers.event import VerdictEvent

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the histogram, in seconds: a signature check is some tenths of a millisecond."""

_STARTED = time.time()
_BOUNDS = (*BOUNDS, float("inf"))


class Metrics:
    """Counts verdicts by act and code, and how long they took. Thread-safe; a process counts for itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._verdicts: Counter[tuple[str, str]] = Counter()
        self._took: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        bound = _BOUNDS[bisect_left(BOUNDS, event.seconds)]
        with self._lock:
            self._verdicts[event.act, event.code] += 1
            self._took[event.act, bound] += 1
            self._seconds[event.act] += event.seconds  # type: ignore[assignment]  # counters hold floats as well

    def text(self, gauges: Mapping[str, tuple[float, str]]) -> str:
        """All of it, with gauges that are read now: by name, the value and what it is."""
        with self._lock:
            return "\n".join(self._lines(gauges)) + "\n"

    def _lines(self, gauges: Mapping[str, tuple[float, str]]) -> Iterator[str]:
        yield "# HELP ybtoken_verdicts_total Verdicts, by what was asked and the code of the refusal."
        yield "# TYPE ybtoken_verdicts_total counter"
        for (act, code), count in sorted(self._verdicts.items()):
            yield f'ybtoken_verdicts_total{{act="{act}",code="{code}"}} {count}'
        yield "# HELP ybtoken_verdict_seconds How long a verdict took."
        yield "# TYPE ybtoken_verdict_seconds histogram"
        for act, seconds in sorted(self._seconds.items()):
            count = 0
            for bound in _BOUNDS:
                count += self._took[act, bound]
                shown = "+Inf" if bound == float("inf") else f"{bound:g}"
                yield f'ybtoken_verdict_seconds_bucket{{act="{act}",le="{shown}"}} {count}'
            yield f'ybtoken_verdict_seconds_sum{{act="{act}"}} {seconds:.6f}'
            yield f'ybtoken_verdict_seconds_count{{act="{act}"}} {count}'
        for name, (value, what) in gauges.items():
            yield from _metric(f"ybtoken_{name}", "gauge", value, what)
        labels = f'version="{ybtoken.__version__}",python="{platform.python_version()}"'
        yield from _metric("ybtoken_build_info", "gauge", 1, "Which versions answer.", f"{{{labels}}}")
        yield from _of_the_process()


def _metric(name: str, kind: str, value: float, what: str, labels: str = "") -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    yield f"{name}{labels} {value:.16g}"


def _of_the_process() -> Iterator[str]:
    """What Prometheus' own clients say of a process, by the same names."""
    yield from _metric("process_start_time_seconds", "gauge", _STARTED, "When this process started.")
    yield from _metric("process_cpu_seconds_total", "counter", time.process_time(), "Processor time, user and system.")
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        descriptors = len(os.listdir("/proc/self/fd"))
    except (OSError, ValueError):  # this system does not say
        return
    yield from _metric("process_resident_memory_bytes", "gauge", resident, "Memory that is held now.")
    yield from _metric("process_open_fds", "gauge", descriptors, "Open file descriptors.")
