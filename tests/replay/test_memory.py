from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc

import pytest

from tests.support import NOW
from ybtoken import MemoryReplayGuard, ReplayGuard
from ybtoken.errors import CannotCheckError, RedeemError


class Clock:
    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def claim(guard: MemoryReplayGuard, key: bytes, until: int, since: int = NOW - 20) -> None:
    guard.claim(key, since=since, by=until, until=until)


def refused(guard: MemoryReplayGuard, key: bytes, until: int) -> CannotCheckError:
    with pytest.raises(CannotCheckError) as caught:
        claim(guard, key, until)
    return caught.value


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_a_key_is_accepted_once(clock):
    guard = MemoryReplayGuard(clock=clock)
    assert isinstance(guard, ReplayGuard)
    claim(guard, b"k", NOW + 60)
    for until in (NOW + 60, NOW + 1, NOW + 600):
        with pytest.raises(RedeemError) as caught:
            claim(guard, b"k", until)
        assert caught.value.code == "redeem.replayed"
    claim(guard, b"K", NOW + 60)


def test_a_claim_is_kept_to_its_last_second(clock):
    guard = MemoryReplayGuard(clock=clock)
    claim(guard, b"k", NOW + 60)
    clock.now = NOW + 59.999
    with pytest.raises(RedeemError):
        claim(guard, b"k", NOW + 60)
    clock.now = NOW + 60
    assert refused(guard, b"k", NOW + 60).code == "redeem.clock"


def test_what_is_past_by_the_guards_clock_is_refused(clock):
    guard = MemoryReplayGuard(clock=clock)
    error = refused(guard, b"k", NOW - 5)
    assert (error.code, error.ahead) == ("redeem.clock", 5)
    assert refused(guard, b"k", NOW).ahead == 0
    claim(guard, b"k", NOW + 1)


def test_a_full_guard_refuses_and_forgets_nothing(clock):
    guard = MemoryReplayGuard(capacity=3, clock=clock)
    for number in range(3):
        claim(guard, key(number), NOW + 60 + number)
    error = refused(guard, key(3), NOW + 60)
    assert (error.code, error.capacity) == ("redeem.full", 3)
    assert guard.held == 3
    for number in range(3):
        with pytest.raises(RedeemError):
            claim(guard, key(number), NOW + 60 + number)


def test_a_full_guard_has_room_again_when_claims_expire(clock):
    guard = MemoryReplayGuard(capacity=2, clock=clock)
    claim(guard, b"a", NOW + 60)
    claim(guard, b"b", NOW + 70)
    clock.now = NOW + 60
    claim(guard, b"c", NOW + 70)  # a second of expiry that is known already, so only the capacity makes it free claims
    assert refused(guard, b"d", NOW + 130).code == "redeem.full"
    assert guard.held == 2


def test_a_claim_that_was_refused_for_want_of_room_is_not_remembered(clock):
    guard = MemoryReplayGuard(capacity=1, clock=clock)
    claim(guard, b"a", NOW + 1)
    refused(guard, b"b", NOW + 60)
    clock.now = NOW + 1
    claim(guard, b"b", NOW + 60)


def test_a_clock_set_back_brings_nothing_back(clock):
    guard = MemoryReplayGuard(clock=clock)
    claim(guard, b"a", NOW + 60)
    clock.now = NOW + 60
    claim(guard, b"b", NOW + 120)  # frees a
    assert guard.held == 1
    clock.now = NOW
    assert refused(guard, b"a", NOW + 60).code == "redeem.clock"
    assert refused(guard, b"new", NOW + 60).code == "redeem.clock"
    claim(guard, b"new", NOW + 61)
    with pytest.raises(RedeemError):
        claim(guard, b"b", NOW + 120)


def test_a_clock_that_jumped_ahead_for_a_moment_costs_a_lifetime_and_no_more(clock):
    guard = MemoryReplayGuard(clock=clock)
    claim(guard, b"a", NOW + 60)
    clock.now = NOW + 10**8
    assert refused(guard, b"b", NOW + 70).code == "redeem.clock"
    claim(guard, b"c", NOW + 10**8 + 60)  # frees a
    clock.now = NOW + 1
    assert refused(guard, b"a", NOW + 60).code == "redeem.clock"
    claim(guard, b"b", NOW + 70)
    with pytest.raises(RedeemError):
        claim(guard, b"c", NOW + 10**8 + 60)


def test_memory_is_bounded_by_what_is_live(clock):
    guard = MemoryReplayGuard(clock=clock)
    sizes = []
    for second in range(600):
        clock.now = NOW + second
        for number in range(20):
            claim(guard, key(second << 32 | number), NOW + second + 60)
        sizes.append(guard.held)
    assert max(sizes) == 60 * 20
    assert sizes[-1] == sizes[60]


def test_memory_is_given_back(clock):
    def measured() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    guard = MemoryReplayGuard(clock=clock)
    tracemalloc.start()
    try:
        empty = measured()
        for number in range(50_000):
            claim(guard, key(number), NOW + 60 + number % 50)
        full = measured()
        assert full - empty < 50_000 * 200  # what the documentation says a claim takes
        clock.now = NOW + 200
        for number in range(200):  # the set shrinks as it is used
            claim(guard, key(1 << 64 | number), NOW + 400 + number)
        assert guard.held == 200
        assert measured() - empty < (full - empty) / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_guard_has_room_for_one_at_least(capacity):
    with pytest.raises(ValueError, match="capacity is at least 1"):
        MemoryReplayGuard(capacity=capacity)


def test_a_guard_that_was_made_after_a_restart_refuses_what_may_have_been_redeemed_before_it(clock):
    guard = MemoryReplayGuard(clock=clock, remembers_since=NOW)
    for since in (NOW - 1, NOW):
        with pytest.raises(CannotCheckError) as caught:
            claim(guard, b"k", NOW + 60, since)
        assert (caught.value.code, caught.value.begun) == ("redeem.restarted", NOW)
    claim(guard, b"k", NOW + 60, NOW + 1)


def test_a_claim_that_is_made_too_late_is_refused_however_long_it_would_be_kept(clock):
    guard = MemoryReplayGuard(clock=clock)
    with pytest.raises(CannotCheckError) as caught:
        guard.claim(b"k", since=NOW - 80, by=NOW - 3, until=NOW + 17)
    assert (caught.value.code, caught.value.ahead) == ("redeem.clock", 3)
    guard.claim(b"k", since=NOW - 80, by=NOW + 1, until=NOW + 21)


def test_it_says_how_full_it_is(clock):
    guard = MemoryReplayGuard(capacity=5, clock=clock)
    claim(guard, b"secret nonce", NOW + 60)
    assert repr(guard) == "MemoryReplayGuard(1 of 5)"


def test_its_own_clock_is_the_machines():
    guard = MemoryReplayGuard()
    assert refused(guard, b"k", 1).code == "redeem.clock"
    claim(guard, b"k", 2**40)


class Yielding(bytes):
    """A key whose look-ups let another thread run, so that it runs between check and claim if no lock bars it."""

    def __hash__(self) -> int:
        time.sleep(0)
        return super().__hash__()


def test_threads_that_run_between_question_and_answer_claim_a_key_once(clock):
    guard = MemoryReplayGuard(clock=clock)
    threads, keys = 8, 100
    accepted: list[int] = []
    start = threading.Barrier(threads)

    def claim_all() -> None:
        for number in range(keys):
            start.wait()
            try:
                claim(guard, Yielding(key(number)), NOW + 60)
            except RedeemError:
                continue
            accepted.append(number)

    workers = [threading.Thread(target=claim_all) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(accepted) == list(range(keys))


def test_threads_never_overfill_it(clock):
    guard = MemoryReplayGuard(capacity=100, clock=clock)
    outcomes: list[str] = []

    def fill(offset: int) -> None:
        for number in range(50):
            try:
                claim(guard, key(offset + number), NOW + 60 + number % 7)
                outcomes.append("accepted")
            except CannotCheckError as error:
                outcomes.append(error.code)

    workers = [threading.Thread(target=fill, args=(1000 * number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert outcomes.count("accepted") == guard.held == 100
    assert outcomes.count("redeem.full") == 300


def test_an_empty_guard_is_not_falsy():
    guard = MemoryReplayGuard()
    assert guard
    assert guard.held == 0
    assert not hasattr(guard, "__len__")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"capacity": True}, "capacity is an integer, not bool"),
        ({"capacity": 1e6}, "capacity is an integer, not float"),
        ({"clock": NOW}, "clock is a function that gives the seconds since 1970, not int"),
    ],
)
def test_settings_of_other_kinds_are_type_errors(options, complaint):
    with pytest.raises(TypeError, match=complaint):
        MemoryReplayGuard(**options)


def test_it_is_not_copied():
    import copy
    import pickle

    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="copied"):
            act(MemoryReplayGuard())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_in_a_child_process_it_refuses_and_does_not_wait():
    from tests.support import in_child

    guard = MemoryReplayGuard(clock=lambda: 5)
    with guard._lock, pytest.raises(CannotCheckError) as caught:  # a thread may hold it
        in_child(lambda: guard.claim(b"key", since=1, by=9, until=10))
    assert caught.value.code == "redeem.unavailable"
    assert "forked" in caught.value.reason
    assert "由 fork 产生" in caught.value.hint.zh
    guard.claim(b"key", since=1, by=9, until=10)
    guard._made_in -= 1
    with pytest.raises(CannotCheckError, match="unavailable"):
        guard.claim(b"other", since=1, by=9, until=10)
    made_there = in_child(lambda: MemoryReplayGuard(clock=lambda: 5).claim(b"key", since=1, by=9, until=10))
    assert made_there is None
