"""Where used codes are remembered: by a guard for as long as they are good, and by a ledger for a week after that.

A terminal that was without the gateway hands in what it accepted up to a week later, when the guard has freed the
claim. So the ledger keeps the replay key of everything that was accepted, by a redemption or by a hand-in, for as long
as a hand-in is taken. A redemption is written to it before it is answered.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock

from ybtoken import AsyncReplayGuard, CannotCheckError, MemoryReplayGuard, ReplayGuard, TokenError
from ybtoken.errors import RedeemError
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard, write_ahead

from .settings import Settings

OLDEST_HAND_IN = 7 * 24 * 3600
"""Seconds after which a terminal's own acceptance is no longer taken."""
_KEPT = OLDEST_HAND_IN + 2 * 3600
"""Seconds: a display is good for an hour at most, and may be handed in as accepted in any second of that."""
_DEADLINE = 5.0
USED = "used.db"


def begin(folder: Path) -> None:
    """Make the guard's file in a folder whose signing key is not made yet.

    No code of that key can have been used before, so the file remembers every use from the beginning. A file that is
    made later refuses the codes that were issued before it.
    """
    SqliteReplayGuard(folder / USED, clock=lambda: 0).close()


def guard_of(settings: Settings, clock: Callable[[], float]) -> ReplayGuard | AsyncReplayGuard:
    """The guard that the settings ask for."""
    if settings.redis:
        from ybtoken.replay.redis import AsyncRedisReplayGuard

        return AsyncRedisReplayGuard.from_url(settings.redis, replicas=settings.replicas, clock=clock)
    if settings.guard == "memory":
        return MemoryReplayGuard(clock=clock)
    return SqliteReplayGuard(settings.folder / USED, clock=clock)


class Ledger:
    """The replay keys of what was accepted, in a SQLite file that all workers share. Thread-safe.

    Args:
        path: the file.
        clock: returns seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite would let others read it
        self._clock, self._lock = clock, Lock()
        self._file = sqlite3.connect(path, timeout=_DEADLINE, isolation_level=None, check_same_thread=False)
        write_ahead(self._file, _DEADLINE)
        self._file.execute("PRAGMA synchronous = FULL")  # it is on the disk before the redemption is answered
        self._file.execute("CREATE TABLE IF NOT EXISTS accepted (key BLOB PRIMARY KEY, until INTEGER) WITHOUT ROWID")
        self._file.execute("CREATE INDEX IF NOT EXISTS accepted_until ON accepted (until)")

    def enter(self, keys: Iterable[bytes]) -> list[bool]:
        """Note keys as accepted, all or none; says of each whether it was new.

        Raises:
            CannotCheckError: they could not be written; then nothing is accepted.
        """
        try:
            with self._lock, self._file:
                now = int(self._clock())
                self._file.execute("BEGIN IMMEDIATE")
                self._file.execute("DELETE FROM accepted WHERE until <= ?", (now,))
                note = "INSERT INTO accepted VALUES (?, ?) ON CONFLICT DO NOTHING"
                return [self._file.execute(note, (key, now + _KEPT)).rowcount == 1 for key in keys]
        except sqlite3.Error as error:
            raise CannotCheckError("redeem.unavailable", reason=f"the ledger: {type(error).__name__}") from error

    def enter_accepted(self, claims: Sequence[Claim], outcomes: list[TokenError | None]) -> list[TokenError | None]:
        """Note the claims that a guard has granted, and refuse those that are noted already.

        If they cannot be noted, they are refused, because nobody was told yet.
        """
        granted = [claim.key for claim, refused in zip(claims, outcomes, strict=True) if refused is None]
        if not granted:
            return outcomes
        try:
            new = iter(self.enter(granted))
        except CannotCheckError as error:
            return [error if refused is None else refused for refused in outcomes]
        return [refused or (None if next(new) else RedeemError("redeem.replayed")) for refused in outcomes]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Noting(ReplayGuard):
    """A guard that notes what it grants in a ledger."""

    def __init__(self, guard: ReplayGuard, ledger: Ledger) -> None:
        self._guard, self._ledger = guard, ledger
        self.waits = getattr(guard, "waits", True)

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        (refused,) = self.claim_many([Claim(key, since, by, until)])
        if refused is not None:
            raise refused

    def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`. No text goes on to the guard's journal: a text is a record of a visit."""
        claims = [Claim(claim.key, claim.since, claim.by, claim.until) for claim in claims]
        return self._ledger.enter_accepted(claims, self._guard.claim_many(claims))


class AsyncNoting(AsyncReplayGuard):
    """The same for asyncio."""

    def __init__(self, guard: AsyncReplayGuard, ledger: Ledger) -> None:
        self._guard, self._ledger = guard, ledger

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        (refused,) = await self.claim_many([Claim(key, since, by, until)])
        if refused is not None:
            raise refused

    async def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`."""
        outcomes = await self._guard.claim_many(claims)
        return await asyncio.to_thread(self._ledger.enter_accepted, claims, outcomes)
