"""Verdicts counted for Prometheus: an observer, and its text format (version 0.0.4). Nothing of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from threading import Lock

from ybtoken.observers.event import VerdictEvent

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the histogram, in seconds: a signature check is some tenths of a millisecond."""


class Metrics:
    """Counts verdicts by act and code, and how long they took. Thread-safe; a process counts for itself."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._verdicts: Counter[tuple[str, str]] = Counter()
        self._took: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        bound = next((bound for bound in BOUNDS if event.seconds <= bound), float("inf"))
        with self._lock:
            self._verdicts[event.act, event.code] += 1
            self._took[event.act, bound] += 1
            self._seconds[event.act] += event.seconds  # type: ignore[assignment]  # counters hold floats as well

    def text(self, **gauges: float) -> str:
        """All of it, with gauges that are read now."""
        with self._lock:
            return "\n".join(self._lines(gauges)) + "\n"

    def _lines(self, gauges: dict[str, float]) -> Iterator[str]:
        yield "# HELP ybtoken_verdicts_total Verdicts, by what was asked and the code of the refusal."
        yield "# TYPE ybtoken_verdicts_total counter"
        for (act, code), count in sorted(self._verdicts.items()):
            yield f'ybtoken_verdicts_total{{act="{act}",code="{code}"}} {count}'
        yield "# HELP ybtoken_verdict_seconds How long a verdict took."
        yield "# TYPE ybtoken_verdict_seconds histogram"
        for act, seconds in sorted(self._seconds.items()):
            count = 0
            for bound in (*BOUNDS, float("inf")):
                count += self._took[act, bound]
                shown = "+Inf" if bound == float("inf") else f"{bound:g}"
                yield f'ybtoken_verdict_seconds_bucket{{act="{act}",le="{shown}"}} {count}'
            yield f'ybtoken_verdict_seconds_sum{{act="{act}"}} {seconds:.6f}'
            yield f'ybtoken_verdict_seconds_count{{act="{act}"}} {count}'
        for name, value in gauges.items():
            yield f"# TYPE ybtoken_{name} gauge"
            yield f"ybtoken_{name} {value:g}"
