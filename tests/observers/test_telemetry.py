from __future__ import annotations

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.observers.test_observed import text, verifier
from ybtoken import TokenError
from ybtoken.observers.observed import ObservedVerifier
from ybtoken.observers.telemetry import TelemetryObserver


def test_verdicts_are_counted_and_traced_and_name_nobody() -> None:
    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    observer = TelemetryObserver(meter_provider=MeterProvider([reader]), tracer_provider=tracers)
    observed = ObservedVerifier(verifier(), [observer], terminal="counter 3")
    good = text()
    observed.redeem(good)
    for _ in range(2):
        with pytest.raises(TokenError):
            observed.redeem(good)
    data = reader.get_metrics_data()
    assert data is not None
    metrics = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    counts = {point.attributes["ybtoken.code"]: point.value for point in metrics["ybtoken.verdicts"].data.data_points}
    assert counts == {"accepted": 1, "redeem.replayed": 2}
    assert sum(point.count for point in metrics["ybtoken.verdict.duration"].data.data_points) == 3
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["ybtoken.redeem"] * 3
    assert dict(spans[0].attributes or {}) == {
        "ybtoken.act": "redeem", "ybtoken.code": "accepted", "ybtoken.terminal": "counter 3",
    }  # fmt: skip
    assert all((span.end_time or 0) > (span.start_time or 0) for span in spans)
