"""Concurrent redemptions travel together: one engine call and one pipeline of claims for all that came in (ADR 0023).

A service that redeems each code with its own call pays a round trip to the store for each, and verifies one text at a
time, although an engine is fastest with many. A batcher takes single calls and redeems them in batches.

    idle        a call is redeemed at once, alone; so is every call if the guard never waits (like the one in memory)
    under way   calls that arrive are collected; the next batch begins when the one under way is decided, when so many
                are waiting that the batch is full, or when the first of them has waited for ``linger``
    full        a call that finds the queue full is refused (``redeem.busy``), and its code stays good

A batch is its own task, so the cancellation of one caller does not affect the others. A code is only claimed if its
caller is still waiting when the batch begins. If a caller is cancelled later, ``abandoned`` gets the verdict.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from ybtoken._checks import callback, instance, uint
from ybtoken.errors import CannotCheckError, TokenError
from ybtoken.judging.verdicts import Verdict
from ybtoken.passes.challenge import Challenge
from ybtoken.verified import VerifiedVoucher
from ybtoken.verifier import Verifier

__all__ = ["RedemptionBatcher"]

_log = logging.getLogger(__name__)
_Result: TypeAlias = "Verdict | Exception"


class _Call:
    """A call that waits for its verdict."""

    __slots__ = ("abandoned", "challenge", "future", "text")

    def __init__(
        self,
        text: str,
        challenge: Challenge | None,
        future: asyncio.Future[VerifiedVoucher],
        abandoned: Callable[[Verdict], object] | None,
    ) -> None:
        self.text, self.challenge, self.future, self.abandoned = text, challenge, future, abandoned

    def settle(self, result: _Result) -> None:
        if not self.future.done():
            if isinstance(result, Exception):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)
        else:  # the caller was cancelled while its batch was under way
            self.tell(result)

    def tell(self, result: object) -> None:
        """Pass a verdict that no caller takes to the function that records it."""
        if self.abandoned is not None and isinstance(result, (VerifiedVoucher, TokenError)):
            try:
                self.abandoned(result)
            except Exception:
                _log.exception("abandoned failed; the verdict stands, and nobody was told of it")


class RedemptionBatcher:
    """Redeems in batches what many tasks of one event loop ask for at the same time.

    Each call gets the verdict that `Verifier.redeem_async` would give it; of two calls in a batch for one display, the
    first is accepted. Use it as an asynchronous context manager, or call `aclose` at the end.

    Args:
        verifier: a verifier with a guard of any kind; or a function that returns the one to use now, such as
            `ybtoken.trust.keeper.Keeper.current`. A batch has one verifier, and the guard is the same in all of them.
        max_batch: the most calls that travel together.
        max_waiting: the most calls that wait for a batch to begin; one more is refused.
        max_under_way: the most batches under way at the same time. More than one are, if a batch takes longer than
            ``linger``: a store that does not answer for some codes holds up those only.
        linger: for how many seconds calls are collected while a batch is under way. A call that arrives when none is
            does not wait.
    """

    def __init__(
        self,
        verifier: Verifier | Callable[[], Verifier],
        *,
        max_batch: int = 64,
        max_waiting: int = 1024,
        max_under_way: int = 16,
        linger: float = 0.005,
    ) -> None:
        self.verifier = verifier
        """What was given."""
        self._current = current_of(verifier)
        if isinstance(verifier, Verifier):
            _guarded(verifier)
        self._max_batch = uint("max_batch", max_batch, minimum=1)
        self._max_waiting = uint("max_waiting", max_waiting, minimum=1)
        self._max_under_way = uint("max_under_way", max_under_way, minimum=1)
        if isinstance(linger, bool) or not isinstance(linger, (int, float)):
            raise TypeError(f"linger is a number of seconds, not {type(linger).__name__}")
        if not 0 <= linger <= 60:  # and no NaN
            raise ValueError(f"linger is 0 to 60 seconds, not {linger!r}")
        self._linger = linger
        self._waiting: dict[_Call, None] = {}  # in order of arrival
        self._under_way: set[asyncio.Task[None]] = set()
        self._starting: set[asyncio.Task[None]] = set()  # those of them that have not taken their first calls yet
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many calls wait for their batch to begin: a gauge for monitoring."""
        return len(self._waiting)

    async def redeem(
        self,
        text: str,
        *,
        challenge: Challenge | None = None,
        abandoned: Callable[[Verdict], object] | None = None,
    ) -> VerifiedVoucher:
        """Verify one token and use it up, as `Verifier.redeem_async` does, by the verifier's clock.

        If the caller is cancelled before its batch begins, the code is not claimed. If it is cancelled later, the batch
        goes on, and ``abandoned`` is told of the verdict.

        Args:
            text: see `Verifier.verify`.
            challenge: see `Verifier.verify`.
            abandoned: called with the verdict if the caller was cancelled too late to stop the claim, so that a service
                can record this redemption too.

        Raises:
            TokenError: the token is refused. The code is "redeem.busy" if too many calls are waiting, or if the batcher
                is closed; the token was not checked then, and stays good.
        """
        instance("text", text, str, "a str")
        if challenge is not None:
            instance("challenge", challenge, Challenge, "a Challenge")
        if abandoned is not None:
            callback("abandoned", abandoned, "takes a verdict")
        if not self._closed and not (verifier := _guarded(self._current())).guard_waits:
            return verifier.redeem(text, challenge=challenge)  # nothing to wait for, and so nothing to cancel
        if self._closed or len(self._waiting) >= self._max_waiting:
            raise CannotCheckError("redeem.busy", waiting=len(self._waiting), closed=self._closed)
        loop = asyncio.get_running_loop()
        call = _Call(text, challenge, loop.create_future(), abandoned)
        self._waiting[call] = None
        if not self._under_way:
            self._begin(loop)
        else:
            if len(self._waiting) >= self._max_batch * (len(self._starting) + 1):
                self._begin(loop)
            if self._timer is None:
                self._timer = loop.call_later(self._linger, self._lingered, loop)
        try:
            return await call.future
        except asyncio.CancelledError:
            if call in self._waiting:
                del self._waiting[call]
            elif call.future.done() and not call.future.cancelled():  # decided, and cancelled before it was taken
                call.tell(call.future.exception() or call.future.result())
            raise

    async def aclose(self) -> None:
        """Take no more calls, and return when all calls that were taken are decided."""
        self._closed = True
        if self._timer is not None and not self._waiting:
            self._timer.cancel()
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def __aenter__(self) -> RedemptionBatcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a batch begin at the loop's next turn; calls that arrive before join it."""
        if len(self._under_way) < self._max_under_way:
            task = loop.create_task(self._run())
            self._under_way.add(task)
            self._starting.add(task)
            task.add_done_callback(self._ended)

    def _lingered(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting:
            self._begin(loop)
            self._timer = loop.call_later(self._linger, self._lingered, loop)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._starting.discard(task)
        # A caller that was answered may have called again before this runs, or the task was cancelled from outside.
        if self._waiting and not self._under_way:
            self._begin(task.get_loop())

    async def _run(self) -> None:
        """Redeem batches until no call waits, or until another task does so."""
        self._starting.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        while calls := self._taken():
            results: Sequence[_Result]
            try:
                results = await self._results(calls)
            except BaseException as error:
                for call in calls:
                    if isinstance(error, Exception):
                        call.settle(error)
                    else:
                        call.future.cancel()
                if not isinstance(error, Exception):
                    raise
            else:
                for call, result in zip(calls, results, strict=True):
                    call.settle(result)
            if len(self._under_way) > 1 and len(self._waiting) < self._max_batch:
                return

    def _taken(self) -> list[_Call]:
        """The next batch: the calls that have waited longest. From now on their codes may be claimed."""
        calls: list[_Call] = []
        while self._waiting and len(calls) < self._max_batch:
            call = next(iter(self._waiting))
            del self._waiting[call]
            if not call.future.done():  # otherwise it was cancelled, and its task has not run since
                calls.append(call)
        return calls

    async def _results(self, calls: list[_Call]) -> Sequence[_Result]:
        verifier = self._current()
        if len(calls) == 1:
            return [await _alone(verifier, calls[0])]
        texts = [call.text for call in calls]
        challenges = [call.challenge for call in calls]
        asked = any(challenge is not None for challenge in challenges)
        try:
            verdicts = await verifier.verify_many_async(texts, challenge=challenges if asked else None)
        except Exception:
            # A policy or a source failed otherwise than by a refusal, on one text or on all. Nothing is claimed yet, so
            # each is redeemed alone: a text that makes something fail must not take others with it.
            return [await _alone(verifier, call) for call in calls]
        return await verifier.claim_verified(verdicts, texts)

    def __repr__(self) -> str:
        return f"RedemptionBatcher({self.waiting} waiting, {len(self._under_way)} under way)"


def current_of(verifier: Verifier | Callable[[], Verifier]) -> Callable[[], Verifier]:
    """A function that returns the verifier to use now."""
    if isinstance(verifier, Verifier):
        return lambda: verifier
    if isinstance(verifier, type) or not callable(verifier):
        raise TypeError(f"verifier is a Verifier or a function that returns one, not {type(verifier).__name__}")
    return verifier


async def _alone(verifier: Verifier, call: _Call) -> _Result:
    try:
        return await verifier.redeem_async(call.text, challenge=call.challenge)
    except Exception as error:
        return error


def _guarded(verifier: Verifier) -> Verifier:
    if verifier.guard is None:
        raise TypeError("verifier is one with a guard: Verifier(keys, guard=...)")
    return verifier
