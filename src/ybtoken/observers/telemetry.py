"""Verdicts as OpenTelemetry metrics and spans (extra ``otel``)."""

from __future__ import annotations

from ybtoken.observers.event import VerdictEvent

try:
    from opentelemetry import metrics, trace
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "this observer needs OpenTelemetry: pip install 'ybtoken[otel]'", name="opentelemetry"
    ) from error

__all__ = ["TelemetryObserver"]


class TelemetryObserver:
    """Counts verdicts by code, records how long they took, and adds a span for each verdict.

    Names: counter ``ybtoken.verdicts``, histogram ``ybtoken.verdict.duration`` (s), span ``ybtoken.verify`` or
    ``ybtoken.redeem``; attributes ``ybtoken.act``, ``ybtoken.code``, ``ybtoken.terminal``. No attribute says anything
    about a person.

    Args:
        meter_provider: where metrics go; the process's own if it is not given.
        tracer_provider: where spans go; likewise.
    """

    def __init__(
        self,
        *,
        meter_provider: metrics.MeterProvider | None = None,
        tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        meter = metrics.get_meter("ybtoken", meter_provider=meter_provider)
        self._verdicts = meter.create_counter("ybtoken.verdicts", "{verdict}", "Verdicts by code")
        self._duration = meter.create_histogram("ybtoken.verdict.duration", "s", "How long a verdict took")
        self._tracer = trace.get_tracer("ybtoken", tracer_provider=tracer_provider)

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        counted = {"ybtoken.act": event.act, "ybtoken.code": event.code}
        self._verdicts.add(1, counted)
        self._duration.record(event.seconds, counted)
        end = int(event.at * 1_000_000_000)
        span = self._tracer.start_span(
            f"ybtoken.{event.act}",
            start_time=end - int(event.seconds * 1_000_000_000),
            attributes={**counted, "ybtoken.terminal": event.terminal},
        )
        span.end(end)
