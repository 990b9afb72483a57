"""Passes and status lists, one by one."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.samples import NOW, PassSample


@pytest.fixture(scope="module")
def sample() -> PassSample:
    return PassSample()


@pytest.mark.parametrize("profile", ["voucher", "rotating", "bound", "unseen"])
def test_verify(benchmark: BenchmarkFixture, sample: PassSample, profile: str) -> None:
    assert benchmark(getattr(sample, f"verify_{profile}")).status_index == 7_654_321


def test_status(benchmark: BenchmarkFixture, sample: PassSample) -> None:
    assert benchmark(sample.source.status, 9_999_999, NOW).status == 0


def test_load_a_list(benchmark: BenchmarkFixture, sample: PassSample) -> None:
    assert len(benchmark(sample.load).current) == 10_000_000
