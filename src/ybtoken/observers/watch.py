"""A verifier under observation, for audit and monitoring (交易监控).

An observer sees every verdict and changes none.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from ybtoken.engines.protocols import Texts
from ybtoken.errors import TokenError
from ybtoken.judging.verdicts import Verdicts
from ybtoken.observers.event import Observer, VerdictEvent
from ybtoken.passes.challenge import Challenge
from ybtoken.verified import VerifiedVoucher
from ybtoken.verifier import Verifier

__all__ = ["LogObserver", "Watch"]


_log = logging.getLogger(__name__)


class Watch:
    """A verifier under observation: the same verdicts, and an event for each.

    An observer that fails is logged and does not change a verdict.

    Args:
        verifier: gives the verdicts.
        observers: are told of each, in order.
        terminal: the name of the terminal that this verifier serves; a call may name another.
        place: the city code of the place where it stands.
        clock: seconds since 1970, for the events.
    """

    def __init__(
        self,
        verifier: Verifier,
        observers: Iterable[Observer],
        *,
        terminal: str = "",
        place: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.verifier = verifier
        self._observers = tuple(observers)
        self._terminal, self._place = terminal, place
        self._clock = clock

    def verify(
        self,
        text: str,
        *,
        now: int | None = None,
        challenge: Challenge | None = None,
        terminal: str | None = None,
        place: str | None = None,
    ) -> VerifiedVoucher:
        """See `Verifier.verify`."""
        with self._told("verify", terminal, place) as tell:
            return tell(self.verifier.verify(text, now=now, challenge=challenge))

    def redeem(
        self,
        text: str,
        *,
        now: int | None = None,
        challenge: Challenge | None = None,
        terminal: str | None = None,
        place: str | None = None,
    ) -> VerifiedVoucher:
        """See `Verifier.redeem`."""
        with self._told("redeem", terminal, place) as tell:
            return tell(self.verifier.redeem(text, now=now, challenge=challenge))

    async def redeem_async(
        self,
        text: str,
        *,
        now: int | None = None,
        challenge: Challenge | None = None,
        terminal: str | None = None,
        place: str | None = None,
    ) -> VerifiedVoucher:
        """See `Verifier.redeem_async`."""
        with self._told("redeem", terminal, place) as tell:
            return tell(await self.verifier.redeem_async(text, now=now, challenge=challenge))

    def redeem_many(
        self,
        texts: Texts,
        *,
        now: int | Sequence[int] | None = None,
        challenge: Challenge | None = None,
        terminal: str | None = None,
        place: str | None = None,
    ) -> Verdicts:
        """See `Verifier.redeem_many`; an event for each text, in order, and of the time its part."""
        begun = time.perf_counter()
        return self._told_many(self.verifier.redeem_many(texts, now=now, challenge=challenge), begun, terminal, place)

    async def redeem_many_async(
        self,
        texts: Texts,
        *,
        now: int | Sequence[int] | None = None,
        challenge: Challenge | None = None,
        terminal: str | None = None,
        place: str | None = None,
    ) -> Verdicts:
        """See `Verifier.redeem_many_async`; events as for `redeem_many`."""
        begun = time.perf_counter()
        verdicts = await self.verifier.redeem_many_async(texts, now=now, challenge=challenge)
        return self._told_many(verdicts, begun, terminal, place)

    def _told_many(self, verdicts: Verdicts, begun: float, terminal: str | None, place: str | None) -> Verdicts:
        each = (time.perf_counter() - begun) / max(len(verdicts), 1)
        for verdict in verdicts:
            self._observe("redeem", verdict, each, terminal, place)
        return verdicts

    @contextmanager
    def _told(
        self, act: str, terminal: str | None, place: str | None
    ) -> Iterator[Callable[[VerifiedVoucher], VerifiedVoucher]]:
        accepted: list[VerifiedVoucher] = []
        refused: TokenError | None = None
        begun = time.perf_counter()

        def tell(voucher: VerifiedVoucher) -> VerifiedVoucher:
            accepted.append(voucher)
            return voucher

        try:
            yield tell
        except TokenError as error:
            refused = error
            raise
        finally:
            if accepted or refused:  # a misuse of the API is no verdict
                verdict = refused or accepted[0]
                self._observe(act, verdict, time.perf_counter() - begun, terminal, place)

    def _observe(
        self, act: str, verdict: VerifiedVoucher | TokenError, seconds: float, terminal: str | None, place: str | None
    ) -> None:
        event = VerdictEvent(
            act=act,
            at=self._clock(),
            seconds=seconds,
            terminal=self._terminal if terminal is None else terminal,
            place=self._place if place is None else place,
            voucher=verdict if isinstance(verdict, VerifiedVoucher) else None,
            error=verdict if isinstance(verdict, TokenError) else None,
        )
        for observer in self._observers:
            try:
                observer.observe(event)
            except Exception:
                _log.exception("an observer failed; the verdict stands")


class LogObserver:
    """Writes each event as one line of JSON to a logger: accepted at INFO, refused at WARNING."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("ybtoken.judging.verdicts")

    def observe(self, event: VerdictEvent) -> None:
        """See `Observer`."""
        level = logging.INFO if event.error is None else logging.WARNING
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", json.dumps(event.to_dict(), ensure_ascii=False))
