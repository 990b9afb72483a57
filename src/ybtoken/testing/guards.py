"""The conformance suites of replay guards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

from ybtoken.errors import CannotCheckError, RedeemError, TokenError
from ybtoken.issuer import Issuer
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.passes.rotating import STEP, RotatingCodes
from ybtoken.replay.protocols import AsyncReplayGuard, ReplayGuard
from ybtoken.testing._refused import refused
from ybtoken.testing.keys import FakeKey
from ybtoken.verifier import Verifier

__all__ = ["check_async_replay_guard", "check_replay_guard", "check_rotating_redemption"]


def check_replay_guard(make: Callable[[Callable[[], float]], ReplayGuard], *, threads: int = 16) -> None:
    """The conformance suite of `ReplayGuard`.

    Args:
        make: makes an empty guard that reads the given clock, as far as it reads one.
        threads: how many threads claim the same keys at once.
    """
    start = 4_000_000_000  # ahead of any real clock, so that a store with a clock of its own agrees
    now = [float(start)]
    guard = make(lambda: now[0])
    assert isinstance(guard, ReplayGuard)
    for key in (b"a", b"b", b"a\0", bytes(64)):
        guard.claim(key, start + 60)
        refused(lambda key=key: guard.claim(key, start + 60), RedeemError)  # type: ignore[misc]
        refused(lambda key=key: guard.claim(key, start + 600), RedeemError)  # type: ignore[misc]
    now[0] += 59
    refused(lambda: guard.claim(b"a", start + 60), RedeemError)
    now[0] += 1
    try:  # past by the guard's clock: refused, or still remembered; never accepted a second time
        guard.claim(b"a", start + 60)
    except (RedeemError, CannotCheckError):
        pass
    else:
        raise AssertionError("a claim was forgotten and accepted again")
    until = start + 120
    guard.claim(b"one", until)
    outcomes = guard.claim_many([(b"many 1", until), (b"one", until), (b"many 2", until), (b"many 1", until + 1)])
    assert [outcome and type(outcome) for outcome in outcomes] == [None, RedeemError, None, RedeemError]
    for key in (b"many 1", b"many 2"):
        refused(lambda key=key: guard.claim(key, until), RedeemError)  # type: ignore[misc]
    assert guard.claim_many([]) == []

    def accepted(key: bytes) -> bool:
        try:
            guard.claim(key, start + 120)
        except RedeemError:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        for i in range(50):
            assert sum(pool.map(accepted, [b"race %d" % i] * threads)) == 1
        keys = [(b"race of many %d" % i, until) for i in range(100)]
        for each in zip(*pool.map(guard.claim_many, [keys] * threads), strict=True):
            assert each.count(None) == 1


def check_async_replay_guard(make: Callable[[Callable[[], float]], AsyncReplayGuard], *, threads: int = 16) -> None:
    """The conformance suite of `AsyncReplayGuard`: `check_replay_guard` and `check_rotating_redemption` of it.

    Args:
        make: makes an empty guard that reads the given clock, as far as it reads one; called in its event loop. If it
            has an ``aclose``, that is awaited in the end.
        threads: how many tasks claim the same keys at once.
    """
    made: list[AsyncReplayGuard] = []

    async def make_here(clock: Callable[[], float]) -> AsyncReplayGuard:
        made.append(make(clock))
        assert isinstance(made[-1], AsyncReplayGuard)
        return made[-1]

    with _event_loop() as run:
        try:
            check_replay_guard(lambda clock: _Awaited(run(make_here(clock)), run), threads=threads)
            check_rotating_redemption(lambda clock: _Awaited(run(make_here(clock)), run))
        finally:
            for guard in made:
                if aclose := getattr(guard, "aclose", None):
                    run(aclose())


_T = TypeVar("_T")


@contextmanager
def _event_loop() -> Iterator[Callable[[Coroutine[Any, Any, _T]], _T]]:
    """An event loop in a thread; gives what runs a coroutine there and waits for it."""
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
    """An asynchronous guard, from threads."""

    def __init__(self, guard: AsyncReplayGuard, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._guard, self._run = guard, run

    def claim(self, key: bytes, expires_at: int) -> None:
        self._run(self._guard.claim(key, expires_at))

    def claim_many(self, claims: Sequence[tuple[bytes, int]]) -> list[TokenError | None]:
        outcomes: list[TokenError | None] = self._run(self._guard.claim_many(claims))
        return outcomes


def check_rotating_redemption(
    make: Callable[[Callable[[], float]], ReplayGuard], *, threads: int = 8, rounds: int = 10
) -> None:
    """What a `ReplayGuard` does for rotating passes: a step is accepted once, and none before the last accepted one.

    Args:
        make: makes an empty guard that reads the given clock, as far as it reads one.
        threads: how many threads redeem the same pass at once.
        rounds: how often they do.
    """
    start = 4_000_000_020  # the first second of a step, ahead of any real clock
    key, codes = FakeKey("issuer"), RotatingCodes(bytes(32))
    issuer = Issuer(key, clock=lambda: start)
    verifier = Verifier(
        KeyRing([KeyEntry(key, "issuer")]), guard=make(lambda: start), otp=codes, clock=lambda: start, skew=40
    )
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
