"""Rotating and device-bound passes compared with a voucher, from text to verdict; and look-ups in a status list."""

from __future__ import annotations

import tracemalloc

from benchmarks.measure import Bench, Row
from benchmarks.samples import PassSample


def run(bench: Bench) -> None:
    """Measure the family."""
    sample = PassSample()
    times = bench.take(
        {
            "voucher": sample.verify_voucher,
            "rotating": sample.verify_rotating,
            "bound": sample.verify_bound,
            "unseen": sample.verify_unseen,
        },
        rounds=5_000,
    )
    for name, call, target, note in (
        ("rotating.verify_cost_ratio", "rotating", "<= 1.15", ""),
        ("device.verify_cost_ratio", "bound", "<= 2.2", "a phone that has come again"),
        ("device.first_verify_cost_ratio", "unseen", "<= 2.3", "a new phone: its point is decompressed and kept"),
    ):
        ratio, noise = times.ratio(call, "voucher")
        facts = sample.facts(call)
        bench.row(Row(name, ratio, "ratio", "lower", noise, target, note, facts))
    asked = bench.take({"status": sample.ask_many, "nothing": sample.loop_only}, rounds=300)
    spent = asked.seconds("status") - asked.seconds("nothing")
    bench.row(Row("status.check_us", spent / sample.MANY * 1e6, "us", "lower", target="< 1", note="of 10 million"))
    bench.row(Row("status.bytes_per_entry", _memory(sample) / 10_000_000, "bytes", "lower", target="<= 0.25"))


def _memory(sample: PassSample) -> int:
    tracemalloc.start()
    source = sample.load()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert source.current is not None
    return held
