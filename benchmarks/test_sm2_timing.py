"""The test for leaks finds a leak, and finds none if there is none; and the memory run works."""

from __future__ import annotations

import random

import pytest

from benchmarks import memory, sm2_timing
from benchmarks.sm2_timing import THRESHOLD, leaky, samples, z_scores
from ybtoken.keys._sm2.curve import N
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey


def test_a_time_that_follows_the_weight_is_found_and_one_that_does_not_is_not() -> None:
    chance = random.Random(1)
    nonces = [chance.randrange(1, N) for _ in range(5000)]
    drift = [1000 + 300 * (number // 700 % 2) for number in range(len(nonces))]  # a machine that changes its speed
    noise = [int(base * chance.uniform(1, 1.2)) for base in drift]
    assert all(abs(z) < THRESHOLD for z in z_scores(noise, nonces).values())
    leak = [time + nonce.bit_count() for time, nonce in zip(noise, nonces, strict=True)]
    assert z_scores(leak, nonces)["Hamming weight"] > THRESHOLD


def test_nonces_are_those_that_were_used(monkeypatch: pytest.MonkeyPatch) -> None:
    key = SM2SigningKey.generate()
    point, scalar = b"\x04" + b"".join(key.verifying_key.point), key._key.scalar()
    used = [5, N - 7, 1 << 200]
    given = iter(used)
    monkeypatch.setattr(sm2_timing.secrets, "randbelow", lambda _: next(given) - 1)
    times, nonces = samples(leaky(point, scalar), scalar, len(used))
    assert nonces == used
    assert all(time > 0 for time in times)


def test_the_leaky_signer_signs() -> None:
    key = SM2SigningKey.generate()
    point = b"\x04" + b"".join(key.verifying_key.point)
    SM2VerifyingKey(point, backend="tables").verify(b"message", leaky(point, key._key.scalar())(b"message"))


def test_every_operation_of_the_memory_run_does_what_it_says() -> None:
    for operation in memory.operations():
        operation()
    assert memory.resident() > 0
