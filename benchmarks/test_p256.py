"""Issuing, verifying and redeeming with P-256, one by one and many at a time."""

from __future__ import annotations

import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.samples import CITY, IDENTITY_REF, NOW, P256Sample
from ybtoken import MemoryReplayGuard, Verifier


@pytest.fixture(scope="module")
def sample() -> P256Sample:
    return P256Sample()


def test_bare_verification(benchmark: BenchmarkFixture, sample: P256Sample) -> None:
    benchmark(sample.bare)


def test_verify(benchmark: BenchmarkFixture, sample: P256Sample) -> None:
    assert benchmark(sample.verify).nonce == sample.token.voucher.nonce


def test_issue(benchmark: BenchmarkFixture, sample: P256Sample) -> None:
    assert len(benchmark(sample.issuer.issue, IDENTITY_REF, CITY).data) == 137


@pytest.mark.parametrize("size", [1, 16, 64, 256, 1024, 4096])
def test_verify_many(benchmark: BenchmarkFixture, sample: P256Sample, size: int) -> None:
    assert benchmark(sample.verifier.verify_many, [sample.token.text] * size).accepted == size


def test_claim(benchmark: BenchmarkFixture) -> None:
    guard = MemoryReplayGuard(clock=lambda: NOW)
    benchmark(lambda: guard.claim(os.urandom(16), since=NOW, by=NOW + 60, until=NOW + 90))
    assert guard.held > 0


def test_redeem(benchmark: BenchmarkFixture, sample: P256Sample) -> None:
    def fresh() -> tuple[tuple[Verifier, str], dict[str, object]]:
        verifier = Verifier(sample.keys, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)
        return (verifier, sample.token.text), {}

    voucher = benchmark.pedantic(  # type: ignore[no-untyped-call]
        Verifier.redeem, setup=fresh, rounds=200
    )
    assert voucher.nonce == sample.token.voucher.nonce
