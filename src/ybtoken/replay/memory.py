"""A replay guard in the memory of one process: exact, bounded, and thread-safe."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from threading import Lock

from ybtoken.errors import CannotCheckError, RedeemError
from ybtoken.replay.protocols import ReplayGuard

__all__ = ["MemoryReplayGuard"]


class MemoryReplayGuard(ReplayGuard):
    """Remembers every claim until it expires, and refuses rather than forgets.

    For one process: verifiers in several processes or machines need a shared store.

    Args:
        capacity: the most claims held at once, about 200 bytes each. At 100 redemptions a second and tokens of 60 s,
            6,000 are live.
        clock: seconds since 1970; the verifier's clock. Entries are freed by it. Should it run ahead of the verifier's,
            claims that it holds to be past are refused, because they may have been freed already.
    """

    def __init__(self, *, capacity: int = 1_000_000, clock: Callable[[], float] = time.time) -> None:
        if capacity < 1:
            raise ValueError("capacity is at least 1")
        self._capacity = capacity
        self._clock = clock
        self._lock = Lock()
        self._live: set[bytes] = set()
        self._by_expiry: dict[int, list[bytes]] = {}
        self._expiries: list[int] = []  # a heap of the keys of _by_expiry
        self._freed_until = 0  # the latest expiry of what was freed, ever

    def claim(self, key: bytes, expires_at: int) -> None:
        """See `ybtoken.replay.protocols.ReplayGuard.claim`."""
        with self._lock:
            now = int(self._clock())
            # The clock may be set back; what was freed stays freed, and is refused as past.
            past = max(now, self._freed_until)
            if expires_at <= past:
                raise CannotCheckError("redeem.clock", ahead=past - expires_at)
            if key in self._live:
                raise RedeemError("redeem.replayed")
            if len(self._live) >= self._capacity:
                self._free(now)
                if len(self._live) >= self._capacity:
                    raise CannotCheckError("redeem.full", capacity=self._capacity)
            self._live.add(key)
            if expires_at not in self._by_expiry:
                # One heap entry a second of expiry, however many claims; a good moment to free what is past.
                self._free(now)
                heapq.heappush(self._expiries, expires_at)
            self._by_expiry.setdefault(expires_at, []).append(key)

    def _free(self, now: int) -> None:
        while self._expiries and self._expiries[0] <= now:
            self._freed_until = heapq.heappop(self._expiries)
            self._live.difference_update(self._by_expiry.pop(self._freed_until))

    def __len__(self) -> int:
        """How many claims are held, past ones that are not freed yet included."""
        return len(self._live)

    def __repr__(self) -> str:
        return f"MemoryReplayGuard({len(self)} of {self._capacity})"
