"""A batcher gives each call the verdict that it would get alone; whatever fails or is cancelled, no code is used twice,
and none is used without a record."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay.redis_server import SERVER, RedisServer
from ybtoken import (
    CannotCheckError,
    Issuer,
    KeyEntry,
    KeyRing,
    MemoryReplayGuard,
    TokenError,
    VerifiedVoucher,
    Verifier,
)
from ybtoken.batcher import RedemptionBatcher
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.observers.event import VerdictEvent
from ybtoken.observers.observed import ObservedVerifier
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.replay.protocols import AsyncReplayGuard, Claim, ReplayGuard
from ybtoken.replay.sqlite import SqliteReplayGuard
from ybtoken.testing.keys import FakeKey
from ybtoken.voucher import Note

NOW = 1_800_000_000
KEY = FakeKey()
RING = KeyRing([KeyEntry(KEY, "Zhejiang")])
ISSUER = Issuer(KEY, clock=lambda: NOW)


def code(number: int = 1, city: str = "330100") -> str:
    return ISSUER.issue(number.to_bytes(16, "big"), city).text


def verifier(guard: ReplayGuard | AsyncReplayGuard | None = None, **options: object) -> Verifier:
    guard = MemoryReplayGuard(clock=lambda: NOW) if guard is None else guard
    return Verifier(RING, guard=guard, clock=lambda: NOW, **options)  # type: ignore[arg-type]


def name(verdict: object) -> str:
    return verdict.code if isinstance(verdict, TokenError) else "accepted"


class Gate(AsyncReplayGuard):
    """A guard for asyncio that is slow: the loop turns before and after a claim. It can be shut, and can fail."""

    def __init__(self, turns: int = 3) -> None:
        self.memory, self.turns = MemoryReplayGuard(clock=lambda: NOW), turns
        self.sizes: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fails: Exception | None = None
        self.most = self.busy = 0

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        raise NotImplementedError

    async def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        self.sizes.append(len(claims))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await self.open.wait()
            for _ in range(self.turns):
                await asyncio.sleep(0)
            if self.fails is not None:
                raise self.fails
            outcomes = self.memory.claim_many(claims)
            for _ in range(self.turns):
                await asyncio.sleep(0)
            return outcomes
        finally:
            self.busy -= 1


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def used(guard: Gate, text: str) -> bool:
    return name_of(lambda: verifier(guard.memory).redeem(text)) == "redeem.replayed"


def name_of(call: Callable[[], object]) -> str:
    try:
        return name(call())
    except TokenError as error:
        return error.code


MIXED = [code(1), code(2), "not a code", code(3), code(4, "110000")[:-1] + "x"]


@given(st.lists(st.sampled_from(MIXED), max_size=30), st.integers(1, 12), st.booleans())
@settings(max_examples=40, deadline=None)
def test_each_call_gets_the_verdict_that_it_would_get_alone(texts: list[str], size: int, slow: bool) -> None:
    async def together() -> list[str]:
        guard = Gate() if slow else None
        async with RedemptionBatcher(verifier(guard), max_batch=size, linger=0) as batcher:
            return [name(each) for each in await asyncio.gather(*map(batcher.redeem, texts), return_exceptions=True)]

    alone = verifier()
    assert asyncio.run(together()) == [name_of(lambda text=text: alone.redeem(text)) for text in texts]


def test_what_arrives_together_is_claimed_together() -> None:
    async def run() -> list[int]:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard))
        await asyncio.gather(*(batcher.redeem(code(i)) for i in range(64)))
        first = asyncio.create_task(batcher.redeem(code(64)))
        await turns(2)  # the first is under way, and those that come meanwhile are collected
        await asyncio.gather(first, *(batcher.redeem(code(i)) for i in range(65, 75)))
        await asyncio.gather(*(batcher.redeem(code(i)) for i in range(100, 300)))
        return guard.sizes

    sizes = asyncio.run(run())
    assert sizes[:3] == [64, 1, 10]
    assert sorted(sizes[3:]) == [8, 64, 64, 64]


def test_over_a_guard_that_never_waits_a_call_is_decided_at_once() -> None:
    async def run() -> None:
        batcher = RedemptionBatcher(verifier())
        first, second = code(1), code(2)
        calls = [asyncio.create_task(batcher.redeem(text)) for text in (first, first, second)]
        await turns(1)
        assert [name(call.exception() or call.result()) for call in calls] == [
            "accepted",
            "redeem.replayed",
            "accepted",
        ]

    asyncio.run(run())


def test_a_call_alone_does_not_linger() -> None:
    async def run() -> None:
        batcher = RedemptionBatcher(verifier(Gate()), linger=60)
        for i in range(3):
            await batcher.redeem(code(i))
        assert batcher.waiting == 0

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_slow_batch_holds_up_no_other() -> None:
    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard), linger=0.001)
        guard.open.clear()
        stuck = asyncio.create_task(batcher.redeem(code(1)))
        await turns(3)
        late = asyncio.create_task(batcher.redeem(code(2)))
        while len(guard.sizes) < 2:  # the second lingers, and then goes by itself
            await asyncio.sleep(0.001)
        guard.open.set()
        await asyncio.gather(stuck, late)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_no_more_batches_are_under_way_than_allowed() -> None:
    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard), max_batch=2, max_under_way=3, linger=0)
        guard.open.clear()
        calls = [asyncio.create_task(batcher.redeem(code(i))) for i in range(20)]
        await asyncio.sleep(0.01)
        assert (guard.busy, batcher.waiting) == (3, 14)
        guard.open.set()
        await asyncio.gather(*calls)
        assert guard.most == 3

    asyncio.run(run())


def test_a_full_queue_refuses_and_the_code_stays_good() -> None:
    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard), max_waiting=2, max_under_way=1)
        guard.open.clear()
        calls = [asyncio.create_task(batcher.redeem(code(0)))]
        await turns(2)
        calls += [asyncio.create_task(batcher.redeem(code(i))) for i in (1, 2)]
        await turns(1)
        surplus = code(3)
        with pytest.raises(CannotCheckError) as refused:
            await batcher.redeem(surplus)
        assert (refused.value.code, refused.value.waiting) == ("redeem.busy", 2)
        guard.open.set()
        assert [name(each) for each in await asyncio.gather(*calls)] == ["accepted"] * 3
        await batcher.redeem(surplus)

    asyncio.run(run())


def test_a_call_that_is_cancelled_in_the_queue_leaves_its_place_and_is_not_claimed() -> None:
    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard), max_waiting=1)
        early = asyncio.create_task(batcher.redeem(code(1)))
        await turns(1)  # its batch is to begin at the next turn
        early.cancel()
        await turns(3)
        assert guard.sizes == []
        guard.open.clear()
        first = asyncio.create_task(batcher.redeem(code(2)))
        await turns(2)
        queued = asyncio.create_task(batcher.redeem(code(3)))
        await turns(1)
        queued.cancel()
        await turns(1)
        last = asyncio.create_task(batcher.redeem(code(4)))
        guard.open.set()
        await asyncio.gather(first, last)
        assert guard.sizes == [1, 1]

    asyncio.run(run())


def test_a_burst_begins_no_more_batches_than_it_fills() -> None:
    async def run() -> str:
        batcher = RedemptionBatcher(verifier(Gate()), max_batch=10)
        calls = [asyncio.create_task(batcher.redeem(code(i))) for i in range(29)]
        await turns(1)
        shown = repr(batcher)
        await asyncio.gather(*calls)
        return shown

    assert asyncio.run(run()) == "RedemptionBatcher(29 waiting, 2 under way)"


@pytest.mark.parametrize("turn", range(20))
@pytest.mark.parametrize("beside", [0, 3])
def test_a_call_that_is_cancelled_is_claimed_and_recorded_or_is_not_claimed(turn: int, beside: int) -> None:
    """The loop turns ``turn`` times before the cancellation; the last of them are after the verdict."""

    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard))
        text, recorded = code(99), list[object]()
        others = [asyncio.create_task(batcher.redeem(code(i))) for i in range(beside)]
        call = asyncio.create_task(batcher.redeem(text, abandoned=recorded.append))
        await turns(turn)
        call.cancel()
        (result,) = await asyncio.gather(call, return_exceptions=True)
        if isinstance(result, VerifiedVoucher):
            recorded.append(result)
        assert [name(each) for each in await asyncio.gather(*others)] == ["accepted"] * beside
        await batcher.aclose()
        assert [name(each) for each in recorded] == (["accepted"] if used(guard, text) else [])

    asyncio.run(run())


def test_the_turns_above_reach_from_before_the_claim_to_after_the_verdict() -> None:
    async def ends(turn: int) -> tuple[bool, bool]:
        guard = Gate()
        text = code(99)
        call = asyncio.create_task(RedemptionBatcher(verifier(guard)).redeem(text))
        await turns(turn)
        done = call.done()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return bool(guard.sizes), done

    assert asyncio.run(ends(0)) == (False, False)
    assert asyncio.run(ends(19)) == (True, True)


class Crowd:
    """A batcher with callers of all kinds; what became of every code."""

    def __init__(self) -> None:
        self.guard = Gate()
        self.batcher = RedemptionBatcher(verifier(self.guard), max_batch=3, max_waiting=6, max_under_way=2, linger=0)
        self.texts = [code(i) for i in range(4)]
        self.recorded: list[tuple[str, str]] = []
        self.calls: list[tuple[str, asyncio.Task[VerifiedVoucher]]] = []

    async def act(self, act: str, number: int) -> None:
        if act == "redeem":
            text = self.texts[number % len(self.texts)]
            record = lambda verdict: self.recorded.append((text, name(verdict)))  # noqa: E731
            self.calls.append((text, asyncio.create_task(self.batcher.redeem(text, abandoned=record))))
        elif act == "cancel" and self.calls:
            self.calls[number % len(self.calls)][1].cancel()
        elif act == "turn":
            await turns(number)
        elif act == "shut":
            self.guard.open.clear()
        elif act == "open":
            self.guard.open.set()
        elif act == "fail":
            self.guard.fails = (None, RuntimeError("a bug"), CannotCheckError("redeem.timeout", reason="x"))[number % 3]
        elif act == "kill":  # as a loop does that ends
            for task in list(self.batcher._under_way)[: number % 2]:
                task.cancel()

    async def end(self) -> None:
        self.guard.open.set()
        await asyncio.wait_for(self.batcher.aclose(), 30)
        results = await asyncio.gather(*(call for _, call in self.calls), return_exceptions=True)
        self.recorded += [(text, name(r)) for (text, _), r in zip(self.calls, results, strict=True) if wanted(r)]


def wanted(result: object) -> bool:
    return isinstance(result, (VerifiedVoucher, TokenError))


ACTS = st.tuples(
    st.sampled_from(["redeem", "redeem", "redeem", "cancel", "turn", "turn", "shut", "open", "fail"]), st.integers(0, 9)
)


@given(st.lists(ACTS, max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_no_code_is_used_twice_or_without_a_record(acts: list[tuple[str, int]]) -> None:
    async def run() -> None:
        crowd = Crowd()
        for act, number in acts:
            await crowd.act(act, number)
        await crowd.end()
        assert all(call.done() for _, call in crowd.calls)
        assert crowd.batcher.waiting == 0
        for text in crowd.texts:
            assert crowd.recorded.count((text, "accepted")) == used(crowd.guard, text)

    asyncio.run(run())


@given(st.lists(st.one_of(ACTS, st.tuples(st.just("kill"), st.integers(0, 9))), max_size=40))
@settings(max_examples=100, deadline=None)
def test_whatever_is_killed_every_call_ends_and_no_code_is_used_twice(acts: list[tuple[str, int]]) -> None:
    async def run() -> None:
        crowd = Crowd()
        for act, number in acts:
            await crowd.act(act, number)
        await crowd.end()
        assert all(call.done() for _, call in crowd.calls)
        for text in crowd.texts:
            assert crowd.recorded.count((text, "accepted")) <= used(crowd.guard, text)

    asyncio.run(run())


def test_a_guard_that_fails_fails_its_batch_and_no_later_one() -> None:
    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard))
        guard.fails = RuntimeError("a bug of the guard's")
        failed = await asyncio.gather(*(batcher.redeem(code(i)) for i in range(3)), return_exceptions=True)
        assert [str(each) for each in failed] == ["a bug of the guard's"] * 3
        guard.fails = None
        assert name(await batcher.redeem(code(9))) == "accepted"

    asyncio.run(run())


def test_a_text_that_makes_a_policy_fail_takes_no_other_with_it() -> None:
    class Odd:
        def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
            if voucher.city_code == "110000":
                raise ZeroDivisionError
            return None

    async def run() -> None:
        batcher = RedemptionBatcher(verifier(Gate(), policies=[Odd()]))
        texts = [code(1), code(2, "110000"), code(3)]
        results = await asyncio.gather(*map(batcher.redeem, texts), return_exceptions=True)
        assert [type(each) for each in results] == [VerifiedVoucher, ZeroDivisionError, VerifiedVoucher]

    asyncio.run(run())


def test_each_call_has_its_own_challenge() -> None:
    phone = P256SigningKey.generate()
    asked, other = Challenge.new("T1", "01301"), Challenge.new("T2", "01301")
    device = DeviceBoundPass(ISSUER.issue_device_bound_pass(bytes(16), "330100", phone.verifying_key).data, phone)

    def display(challenge: Challenge | None) -> str:
        return device.present(challenge=challenge, now=NOW)

    calls = [(asked, asked), (asked, other), (None, None), (asked, None), (None, asked)]

    async def run() -> list[str]:
        batcher = RedemptionBatcher(verifier(Gate()))
        each = [batcher.redeem(display(made), challenge=wanted) for made, wanted in calls]
        return [name(result) for result in await asyncio.gather(*each, return_exceptions=True)]

    alone = verifier()
    expected = [name_of(lambda m=m, w=w: alone.redeem(display(m), challenge=w)) for m, w in calls]
    assert asyncio.run(run()) == expected
    assert expected.count("accepted") == 2


def test_at_the_end_no_call_is_taken_and_those_taken_are_decided() -> None:
    async def run() -> None:
        guard = Gate()
        batcher = RedemptionBatcher(verifier(guard), max_batch=2)
        calls = [asyncio.create_task(batcher.redeem(code(i))) for i in range(5)]
        await turns(2)
        closing = asyncio.create_task(batcher.aclose())
        await turns(1)
        with pytest.raises(CannotCheckError) as refused:
            await batcher.redeem(code(9))
        assert refused.value.code == "redeem.busy"
        await closing
        assert [call.done() for call in calls] == [True] * 5
        assert guard.sizes == [2, 2, 1]

    asyncio.run(run())


def test_what_is_told_to_nobody_is_told_to_the_observers() -> None:
    class Recorder:
        def __init__(self) -> None:
            self.events: list[VerdictEvent] = []

        def observe(self, event: VerdictEvent) -> None:
            self.events.append(event)

    async def run() -> list[tuple[str, str, str]]:
        plain, recorder = verifier(Gate()), Recorder()
        batcher = RedemptionBatcher(plain)
        observed = ObservedVerifier(plain, [recorder], batcher=batcher)
        await observed.at("T1").redeem_async(code(1))
        with pytest.raises(TokenError):
            await observed.at("T2").redeem_async("no code")
        call = asyncio.create_task(observed.at("T3").redeem_async(code(2)))
        await turns(4)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await batcher.aclose()
        return [(event.act, event.code, event.terminal) for event in recorder.events]

    expected = [("redeem", "accepted", "T1"), ("redeem", "text.prefix", "T2"), ("redeem", "accepted", "T3")]
    assert asyncio.run(run()) == expected


@pytest.mark.parametrize("gate", [True, False], ids=["a-guard-that-waits", "a-guard-in-memory"])
def test_the_verifier_may_be_swapped_between_batches_and_may_be_missing(gate: bool) -> None:
    guard = Gate() if gate else MemoryReplayGuard(clock=lambda: NOW)
    made: list[Verifier | None] = [verifier(guard)]
    codes: list[str] = []
    texts = [code(number) for number in range(5)]

    class Recorder:
        def observe(self, event: VerdictEvent) -> None:
            codes.append(event.code)

    def current() -> Verifier:
        if made[0] is None:
            raise CannotCheckError("key.ring_unavailable", reason="no ring has arrived yet")
        return made[0]

    async def run() -> None:
        async with RedemptionBatcher(current) as batcher:
            observed = ObservedVerifier(current, [Recorder()], batcher=batcher)
            await observed.redeem_async(texts[1])
            made[0] = Verifier(KeyRing(), guard=guard, clock=lambda: NOW)
            assert observed.verifier is made[0]
            calls = [observed.redeem_async(texts[number]) for number in (2, 3)]
            await asyncio.gather(*calls, return_exceptions=True)
            made[0] = None
            with pytest.raises(CannotCheckError):
                await observed.redeem_async(texts[4])
            made[0] = Verifier(RING)  # without a guard
            with pytest.raises(TypeError, match="guard="):
                await observed.redeem_async(texts[4])
            made[0] = verifier(guard)
            for number in (2, 1):
                with contextlib.suppress(TokenError):
                    await observed.redeem_async(texts[number])

    asyncio.run(run())
    wanted = ["accepted", "key.unknown", "key.unknown", "key.ring_unavailable", "accepted", "redeem.replayed"]
    assert codes == wanted


def test_a_record_that_cannot_be_written_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def broken(verdict: object) -> None:
        raise OSError("no space left")

    async def run() -> None:
        batcher = RedemptionBatcher(verifier(Gate()))
        call = asyncio.create_task(batcher.redeem(code(1), abandoned=broken))
        other = asyncio.create_task(batcher.redeem(code(2)))
        await turns(4)
        call.cancel()
        assert name(await other) == "accepted"

    asyncio.run(run())
    assert "nobody was told" in caplog.text


def test_a_guard_that_blocks_is_called_off_the_loop(tmp_path: Path) -> None:
    texts = [code(i) for i in range(30)]

    async def run(guard: SqliteReplayGuard) -> list[str]:
        async with RedemptionBatcher(verifier(guard), max_batch=16) as batcher:
            calls = asyncio.gather(*(batcher.redeem(text) for text in texts * 2), return_exceptions=True)
            while not calls.done():  # the loop turns while the disk is written to
                await asyncio.sleep(0)
            return [name(each) for each in calls.result()]

    path = tmp_path / "claims.db"
    SqliteReplayGuard(path, clock=lambda: NOW - 3600).close()  # made long before these codes were issued
    guard = SqliteReplayGuard(path, terminal="T1", clock=lambda: NOW)
    verdicts = asyncio.run(run(guard))
    pairs = zip(verdicts[:30], verdicts[30:], strict=True)  # of two in different batches, either may be the first
    assert all(sorted(pair) == ["accepted", "redeem.replayed"] for pair in pairs)
    assert sorted(row.text for row in guard.journal()) == sorted(texts)
    guard.close()


def test_nothing_is_left_behind() -> None:
    async def run() -> None:
        batcher = RedemptionBatcher(verifier(Gate()))
        calls = [asyncio.create_task(batcher.redeem(code(i % 3))) for i in range(40)]
        await turns(3)
        for call in itertools.islice(calls, 0, None, 3):
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await batcher.aclose()

    asyncio.run(run())
    gc.collect()  # a future whose exception nobody took would say so here, and a warning is an error


def test_misuse_says_what_is_expected() -> None:
    with pytest.raises(TypeError, match="a Verifier"):
        RedemptionBatcher(object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="guard="):
        RedemptionBatcher(Verifier(RING))
    for options in (
        {"max_batch": 0},
        {"max_waiting": 0},
        {"max_under_way": 0},
        {"linger": -1},
        {"linger": float("nan")},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            RedemptionBatcher(verifier(), **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="linger"):
        RedemptionBatcher(verifier(), linger="1")  # type: ignore[arg-type]
    batcher = RedemptionBatcher(verifier())
    for wrong in ({"text": b"96"}, {"text": code(), "challenge": "95"}, {"text": code(), "abandoned": 1}):
        with pytest.raises(TypeError):
            asyncio.run(batcher.redeem(**wrong))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same verifier"):
        ObservedVerifier(verifier(), [], batcher=batcher)


@pytest.mark.skipif(SERVER is None, reason="no redis-server on this machine")
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_over_a_store_callers_that_are_cancelled_at_random_times_lose_nothing(
    tmp_path: Path, asynchronous: bool, seed: int
) -> None:
    pytest.importorskip("redis", reason="the extra redis is not installed")
    from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard

    chance = random.Random(seed)
    server = RedisServer(tmp_path, "--save", "", "--appendonly", "no")
    blocking = RedisReplayGuard.from_url(server.url, deadline=10, clock=lambda: NOW)
    blocking.prepare(first_use=True)
    texts = [code(i) for i in range(120)]
    accepted: list[str] = []

    async def one(batcher: RedemptionBatcher, text: str) -> None:
        await asyncio.sleep(chance.random() * 0.05)
        await batcher.redeem(text, abandoned=lambda verdict: accepted.extend([text] * (name(verdict) == "accepted")))
        accepted.append(text)

    async def run() -> None:
        guard = AsyncRedisReplayGuard.from_url(server.url, deadline=10, clock=lambda: NOW) if asynchronous else blocking
        batcher = RedemptionBatcher(verifier(guard), max_batch=16, linger=0.001)
        calls = [asyncio.create_task(one(batcher, text)) for text in texts * 2]
        for call in chance.sample(calls, 80):
            asyncio.get_running_loop().call_later(chance.random() * 0.07, call.cancel)
        await asyncio.gather(*calls, return_exceptions=True)
        await batcher.aclose()
        if isinstance(guard, AsyncRedisReplayGuard):
            await guard.aclose()

    try:
        asyncio.run(run())
        claimed = [text for text in texts if name_of(lambda text=text: verifier(blocking).redeem(text)) != "accepted"]
        assert sorted(accepted) == sorted(claimed)
    finally:
        blocking.close()
        server.stop()
