"""The observed verifier, for audit and monitoring (交易监控): the same verdicts, and an event for each of them.

An observer sees every verdict and changes none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ybtoken._checks import callback, instance
from ybtoken.batcher import RedemptionBatcher, current_of
from ybtoken.engines.protocols import Texts
from ybtoken.errors import TokenError
from ybtoken.judging.verdicts import Verdicts
from ybtoken.observers.event import Observer, VerdictEvent
from ybtoken.passes.challenge import Challenge
from ybtoken.verified import VerifiedVoucher
from ybtoken.verifier import Challenges, Verifier

__all__ = ["ObservedVerifier"]

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result", VerifiedVoucher, Verdicts)


class ObservedVerifier:
    """A verifier that tells observers of every verdict.

    Its methods are those of `Verifier`, except `verify_lines` and `claim_verified`.

    If an observer raises an exception, that is logged and the verdict stands.

    Args:
        verifier: gives the verdicts; or a function that returns the one to use now, such as
            `ybtoken.trust.keeper.Keeper.current`.
        observers: are told of each verdict, in this order.
        batcher: of the same verifier: then `redeem_async` goes through it. The verdict on a call that was cancelled too
            late to stop its claim is told as well.
        terminal: the name of the terminal that this verifier serves; `at` names another.
        place: the city code of the place where the terminal stands, or "" if it is not known.
        clock: returns seconds since 1970; the events state its time.
    """

    def __init__(
        self,
        verifier: Verifier | Callable[[], Verifier],
        observers: Iterable[Observer],
        *,
        batcher: RedemptionBatcher | None = None,
        terminal: str = "",
        place: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._current = current_of(verifier)
        self._batcher = batcher
        if batcher is not None:
            instance("batcher", batcher, RedemptionBatcher, "a RedemptionBatcher")
            if batcher.verifier != verifier:
                raise ValueError("batcher is one of the same verifier: RedemptionBatcher(verifier)")
        self._observers = tuple(observers)
        for observer in self._observers:
            instance("an observer", observer, Observer, "an object with observe(event)")
        self._terminal = instance("terminal", terminal, str, "a string")
        self._place = instance("place", place, str, "a city code (a string)")
        self._clock = callback("clock", clock, "seconds since 1970")

    @property
    def verifier(self) -> Verifier:
        """The verifier that is used now."""
        return self._current()

    def at(self, terminal: str | None = None, place: str | None = None) -> ObservedVerifier:
        """The same verifier and observers for another terminal or place. An argument of ``None`` changes nothing."""
        other = object.__new__(type(self))  # a service does this for each request: `copy` would take five times as long
        other.__dict__.update(self.__dict__)
        if terminal is not None:
            other._terminal = instance("terminal", terminal, str, "a string")
        if place is not None:
            other._place = instance("place", place, str, "a city code (a string)")
        return other

    def verify(
        self, text: str, *, now: int | None = None, challenge: Challenge | None = None, recorded: bool = False
    ) -> VerifiedVoucher:
        """See `Verifier.verify`."""
        with self._telling("verify") as told:
            return told(self.verifier.verify(text, now=now, challenge=challenge, recorded=recorded))

    def verify_many(
        self,
        texts: Texts,
        *,
        now: int | Sequence[int] | None = None,
        challenge: Challenges = None,
        recorded: bool = False,
    ) -> Verdicts:
        """See `Verifier.verify_many`. Each text gets an event, in order, with an equal share of the time."""
        with self._telling("verify") as told:
            return told(self.verifier.verify_many(texts, now=now, challenge=challenge, recorded=recorded))

    async def verify_many_async(
        self,
        texts: Texts,
        *,
        now: int | Sequence[int] | None = None,
        challenge: Challenges = None,
        recorded: bool = False,
    ) -> Verdicts:
        """See `Verifier.verify_many_async`. Events are told as by `verify_many`."""
        with self._telling("verify") as told:
            return told(await self.verifier.verify_many_async(texts, now=now, challenge=challenge, recorded=recorded))

    def redeem(self, text: str, *, now: int | None = None, challenge: Challenge | None = None) -> VerifiedVoucher:
        """See `Verifier.redeem`."""
        with self._telling("redeem") as told:
            return told(self.verifier.redeem(text, now=now, challenge=challenge))

    def redeem_many(
        self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Challenges = None
    ) -> Verdicts:
        """See `Verifier.redeem_many`. Events are told as by `verify_many`."""
        with self._telling("redeem") as told:
            return told(self.verifier.redeem_many(texts, now=now, challenge=challenge))

    async def redeem_async(
        self, text: str, *, now: int | None = None, challenge: Challenge | None = None
    ) -> VerifiedVoucher:
        """See `Verifier.redeem_async`."""
        begun = time.perf_counter()

        def told(verdict: VerifiedVoucher | TokenError) -> None:
            self._tell("redeem", verdict, time.perf_counter() - begun)

        try:
            if self._batcher is None or now is not None:  # a batch has one time
                voucher = await self.verifier.redeem_async(text, now=now, challenge=challenge)
            else:
                voucher = await self._batcher.redeem(text, challenge=challenge, abandoned=told)
        except TokenError as error:
            told(error)
            raise
        told(voucher)
        return voucher

    async def redeem_many_async(
        self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Challenges = None
    ) -> Verdicts:
        """See `Verifier.redeem_many_async`. Events are told as by `verify_many`."""
        with self._telling("redeem") as told:
            return told(await self.verifier.redeem_many_async(texts, now=now, challenge=challenge))

    @contextmanager
    def _telling(self, act: str) -> Iterator[Callable[[_Result], _Result]]:
        """Measure one call and tell the observers of its verdicts: the results given to ``told``, or the error."""
        verdicts: list[VerifiedVoucher | TokenError] = []

        def told(result: _Result) -> _Result:
            verdicts.extend(result if isinstance(result, Verdicts) else [result])
            return result

        begun = time.perf_counter()
        try:
            yield told
        except TokenError as error:  # any other exception is misuse of the API and not a verdict
            verdicts.append(error)
            raise
        finally:
            seconds = (time.perf_counter() - begun) / max(len(verdicts), 1)
            for verdict in verdicts:
                self._tell(act, verdict, seconds)

    def _tell(self, act: str, verdict: VerifiedVoucher | TokenError, seconds: float) -> None:
        event = VerdictEvent(
            act=act,
            at=self._clock(),
            seconds=seconds,
            terminal=self._terminal,
            place=self._place,
            voucher=verdict if isinstance(verdict, VerifiedVoucher) else None,
            error=verdict if isinstance(verdict, TokenError) else None,
        )
        for observer in self._observers:
            try:
                observer.observe(event)
            except Exception:
                _log.exception("an observer failed; the verdict stands")
