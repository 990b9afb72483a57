"""The conformance suites of replay guards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, TypeVar

from ybtoken.errors import CannotCheckError, RedeemError, TokenError
from ybtoken.issuer import Issuer
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.passes.rotating import STEP, RotatingCodes
from ybtoken.replay.protocols import AsyncReplayGuard, Claim, ReplayGuard
from ybtoken.testing._refused import refused
from ybtoken.testing.keys import FakeKey
from ybtoken.verifier import Verifier

__all__ = ["check_async_replay_guard", "check_replay_guard", "check_rotating_redemption"]


def check_replay_guard(
    make: Callable[[Callable[[], float]], ReplayGuard],
    *,
    lose: Callable[[], object] | None = None,
    threads: int = 16,
) -> None:
    """Check that a `ReplayGuard` accepts each claim once, also when threads claim together and after a loss.

    Args:
        make: makes a guard over an empty store. If the guard reads a clock, it must read the given one.
        lose: makes the store of that guard lose every claim, as a crash would. Leave it out if the guard keeps its
            claims in its own memory.
        threads: how many threads claim the same keys at once.
    """
    start = 4_000_000_000  # later than any real clock, so that a store with a clock of its own expires no claim
    now = [float(start)]
    guard = make(lambda: now[0])
    assert isinstance(guard, ReplayGuard)

    def once(key: bytes, until: int, since: int = start + 1) -> None:
        _claim(guard, key, since, until)
        for later in (until, until + 540):
            refused(lambda later=later: _claim(guard, key, since, later), RedeemError)  # type: ignore[misc]

    _begin(guard, start)
    now[0] += 1
    for key in (b"a", b"b", b"a\0", bytes(64)):
        once(key, start + 60)
    now[0] = start + 59
    refused(lambda: _claim(guard, b"a", start + 1, start + 60), RedeemError)
    now[0] = start + 60
    try:  # the claim's end has passed: it may be refused as late or as used, but never accepted a second time
        _claim(guard, b"a", start + 1, start + 60)
    except (RedeemError, CannotCheckError):
        pass
    else:
        raise AssertionError("a claim was forgotten and accepted again")
    for by in (start + 60, start + 1):  # verified long ago, claimed too late
        refused(lambda by=by: guard.claim(b"late", since=start + 1, by=by, until=start + 200), CannotCheckError)  # type: ignore[misc]
    _check_many(guard, start + 1, start + 120)
    _check_race(guard, start + 1, start + 120, threads)
    if lose is not None:
        _check_loss(guard, now, lose)


def _claim(guard: ReplayGuard, key: bytes, since: int, until: int) -> None:
    guard.claim(key, since=since, by=until, until=until)


def _begin(guard: ReplayGuard, now: int) -> None:
    """Make the first claim on an empty store. A guard may refuse it, because the store may have lost earlier claims."""
    with suppress(CannotCheckError):
        _claim(guard, b"first", now - 1, now + 60)


def _check_many(guard: ReplayGuard, since: int, until: int) -> None:
    _claim(guard, b"one", since, until)
    keys = (b"many 1", b"one", b"many 2", b"many 1")
    outcomes = guard.claim_many([Claim(key, since, until, until + i) for i, key in enumerate(keys)])
    assert [outcome and type(outcome) for outcome in outcomes] == [None, RedeemError, None, RedeemError]
    for key in (b"many 1", b"many 2"):
        refused(lambda key=key: _claim(guard, key, since, until), RedeemError)  # type: ignore[misc]
    assert guard.claim_many([]) == []


def _check_race(guard: ReplayGuard, since: int, until: int, threads: int) -> None:
    def accepted(key: bytes) -> bool:
        try:
            _claim(guard, key, since, until)
        except RedeemError:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        for i in range(50):
            assert sum(pool.map(accepted, [b"race %d" % i] * threads)) == 1
        claims = [Claim(b"race of many %d" % i, since, until, until) for i in range(100)]
        for each in zip(*pool.map(guard.claim_many, [claims] * threads), strict=True):
            assert each.count(None) == 1


def _check_loss(guard: ReplayGuard, now: list[float], lose: Callable[[], object]) -> None:
    """After a loss, claims that may have been made before it are refused; those that cannot have been are accepted."""
    now[0] += 10
    at = int(now[0])
    _claim(guard, b"lost", at - 5, at + 60)
    lose()
    for key in (b"lost", b"other"):
        for since in (at - 5, at):
            refused(lambda key=key, since=since: _claim(guard, key, since, at + 60), CannotCheckError)  # type: ignore[misc]
    outcomes = guard.claim_many([Claim(b"lost", at, at + 30, at + 60), Claim(b"later", at + 1, at + 30, at + 60)])
    assert outcomes[0] is not None, "a claim was forgotten and accepted again"
    assert (outcomes[0].code, outcomes[0].begun, outcomes[1]) == ("redeem.restarted", at, None)


def check_async_replay_guard(
    make: Callable[[Callable[[], float]], AsyncReplayGuard],
    *,
    lose: Callable[[], object] | None = None,
    threads: int = 16,
) -> None:
    """Run `check_replay_guard` and `check_rotating_redemption` on an `AsyncReplayGuard`.

    Args:
        make: makes an empty guard; called in the guard's event loop. If the guard reads a clock, it must read the given
            one. If it has an ``aclose``, that is awaited at the end.
        lose: as for `check_replay_guard`.
        threads: how many threads claim the same keys at once.
    """
    made: list[AsyncReplayGuard] = []

    async def make_here(clock: Callable[[], float]) -> AsyncReplayGuard:
        made.append(make(clock))
        assert isinstance(made[-1], AsyncReplayGuard)
        return made[-1]

    with _event_loop() as run:
        try:
            check_replay_guard(lambda clock: _Awaited(run(make_here(clock)), run), lose=lose, threads=threads)
            check_rotating_redemption(lambda clock: _Awaited(run(make_here(clock)), run))
        finally:
            for guard in made:
                if aclose := getattr(guard, "aclose", None):
                    run(aclose())


_T = TypeVar("_T")


@contextmanager
def _event_loop() -> Iterator[Callable[[Coroutine[Any, Any, _T]], _T]]:
    """Run an event loop in a thread; yields a function that runs a coroutine there and returns its result."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Awaited(ReplayGuard):
    """Calls an asynchronous guard from threads."""

    def __init__(self, guard: AsyncReplayGuard, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._guard, self._run = guard, run

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        self._run(self._guard.claim(key, since=since, by=by, until=until))

    def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        outcomes: list[TokenError | None] = self._run(self._guard.claim_many(claims))
        return outcomes


def check_rotating_redemption(
    make: Callable[[Callable[[], float]], ReplayGuard], *, threads: int = 8, rounds: int = 10
) -> None:
    """Check a `ReplayGuard` with rotating passes: a time step is accepted once, and no step before the last accepted.

    Args:
        make: makes an empty guard. If the guard reads a clock, it must read the given one.
        threads: how many threads redeem the same pass at once, for each of two steps.
        rounds: how many passes are tried.
    """
    start = 4_000_000_020  # the first second of a step, later than any real clock
    key, codes = FakeKey("issuer"), RotatingCodes(bytes(32))
    issuer = Issuer(key, clock=lambda: start)
    now_of_guard = [start - 1000]
    guard = make(lambda: now_of_guard[0])
    _begin(guard, start - 1000)
    now_of_guard[0] = start
    verifier = Verifier(KeyRing([KeyEntry(key, "issuer")]), guard=guard, otp=codes, clock=lambda: start, skew=40)
    for _ in range(rounds):
        phone = codes.enrol(issuer.issue_rotating_pass(bytes(16), "330100"))
        now, before = phone.present(now=start), phone.present(now=start - STEP)
        accepted: list[int] = []

        def attempt(text: str, accepted: list[int] = accepted) -> None:
            try:
                step = verifier.redeem(text).time_step
            except RedeemError:
                return
            assert step is not None
            accepted.append(step)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(attempt, [now, before] * threads))
        assert accepted.count(start // STEP) == 1, "a step was accepted twice, or not at all"
        assert accepted.count(start // STEP - 1) <= 1, "a step was accepted twice"
        for text in (now, before):
            refused(lambda text=text: verifier.redeem(text), RedeemError)  # type: ignore[misc]
