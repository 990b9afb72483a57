"""A replay guard in the memory of one process: exact, bounded, and thread-safe."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from threading import Lock
from typing import NoReturn

from ybtoken._checks import callback, instant, uint
from ybtoken._forks import generation
from ybtoken.errors import CannotCheckError, RedeemError
from ybtoken.replay.protocols import ReplayGuard
from ybtoken.words import Reason

__all__ = ["MemoryReplayGuard"]

_FORKED = Reason(
    "a guard in memory serves one process, and this one was forked: make the guard in it, or use a shared store",
    "内存防重放组件只服务一个进程，而本进程由 fork 产生：请在本进程内另建，或改用共享存储",
)


class MemoryReplayGuard(ReplayGuard):
    """Remembers every claim until it expires. When it is full it refuses new claims and forgets none.

    It serves one process for as long as that runs. It is not copied, and in a process that was forked it refuses every
    claim, because parent and child would each accept a code. Verifiers in several processes or on several machines need
    a shared store, and a service that restarts needs a store that persists, such as `ybtoken.replay.sqlite`. A new
    guard in memory does not know what was redeemed before it was made; ``remembers_since`` states from when on it knows
    everything.

    Args:
        capacity: the most claims held at once, about 200 bytes each. At 100 redemptions a second of tokens that live
            for 60 s, 30,000 claims are held.
        remembers_since: seconds since 1970; a code that may have been redeemed up to this time is refused. The default,
            0, states that no code was redeemed before, as in a test, in a demonstration, or at the very first start.
            After a restart give the time of the start.
        clock: returns seconds since 1970: the verifier's clock. Expired claims are freed by it. If it runs ahead of the
            verifier's, claims that have expired by it are refused, because they may have been freed already.
    """

    waits = False

    def __init__(
        self, *, capacity: int = 1_000_000, remembers_since: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        self._capacity = uint("capacity", capacity, minimum=1)
        self._begun = instant("remembers_since", remembers_since)
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._lock = Lock()
        self._made_in = generation()
        self._live: set[bytes] = set()
        self._by_expiry: dict[int, list[bytes]] = {}
        self._expiries: list[int] = []  # a heap of the keys of _by_expiry
        self._freed_until = 0  # the latest expiry of any claim that was freed

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ybtoken.replay.protocols.ReplayGuard.claim`."""
        if self._made_in != generation():
            raise CannotCheckError("redeem.unavailable", reason=_FORKED)
        with self._lock:
            now = int(self._clock())
            # If the clock is set back, claims that were freed before are gone, so claims up to their expiry are
            # refused.
            late = max(now - by, self._freed_until - until)
            if late >= 0:
                raise CannotCheckError("redeem.clock", ahead=late)
            if self._begun and since <= self._begun:
                raise CannotCheckError("redeem.restarted", begun=self._begun)
            if key in self._live:
                raise RedeemError("redeem.replayed")
            if len(self._live) >= self._capacity:
                self._free(now)
                if len(self._live) >= self._capacity:
                    raise CannotCheckError("redeem.full", capacity=self._capacity)
            self._live.add(key)
            if until not in self._by_expiry:
                # The heap has one entry for each second in which claims expire. A new one is added about once a second,
                # so expired claims are freed here.
                self._free(now)
                heapq.heappush(self._expiries, until)
            self._by_expiry.setdefault(until, []).append(key)

    def _free(self, now: int) -> None:
        while self._expiries and self._expiries[0] <= now:
            self._freed_until = heapq.heappop(self._expiries)
            self._live.difference_update(self._by_expiry.pop(self._freed_until))

    @property
    def held(self) -> int:
        """How many claims are held, including expired ones that are not freed yet."""
        return len(self._live)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a guard is not pickled or copied, because both copies would accept a code")

    def __repr__(self) -> str:
        return f"MemoryReplayGuard({self.held} of {self._capacity})"
