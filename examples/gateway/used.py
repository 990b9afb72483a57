"""Where used codes are remembered: by one guard, for the week in which terminals may still hand in.

A terminal that was without the gateway hands in what it accepted up to a week later. So the guard remembers what is
redeemed for as long, and a hand-in is a claim in the same guard: the same rules tell whether the guard may have
forgotten something (a lost file, a backup, a clock that was ahead), and refuse.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ybtoken import AsyncReplayGuard, MemoryReplayGuard, ReplayGuard, TokenError
from ybtoken._state import replace_file
from ybtoken.judging.redemption import claims_of
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard
from ybtoken.verified import VerifiedVoucher
from ybtoken.words import BoundsError

from .settings import Settings

_log = logging.getLogger(__name__)
OLDEST_HAND_IN = 7 * 24 * 3600
"""Seconds after which a terminal's own acceptance is no longer taken."""
_KEPT = OLDEST_HAND_IN + 2 * 3600
"""Seconds: a display is good for an hour at most, and may be handed in as accepted in any second of that."""
CLAIMED_WITHIN = 60
"""Seconds that a claim may wait for its turn; with one, the end of a second in between would refuse it."""
USED, TAKEN = "used.db", "taken.db"
_STORE = "used-in"
_PLATFORM = "used-for"
_OWN = "own keys"


def begin(folder: Path) -> None:
    """Make the guard's file in a folder whose signing key is not made yet, and which publishes no ring.

    No code of that key can have been used before, so the file remembers every use from the beginning. A file that is
    made later refuses the codes that were issued before it.
    """
    replace_file(folder / _PLATFORM, _OWN.encode(), mode=0o600)
    SqliteReplayGuard(folder / USED, clock=lambda: 0).close()


def keep_to_one_platform(settings: Settings) -> None:
    """Let the guard's file remember from now on if the codes are another platform's than at the last start.

    Those may have been used before, and the file does not know of it. A platform is told by its root, because the
    address of its repository may change.

    Raises:
        OSError: the root cannot be read, or the folder not be written.
    """
    file, platform = settings.folder / _PLATFORM, _OWN
    if settings.rings:
        platform = hashlib.sha256(Path(settings.rings_root).read_bytes()).hexdigest()
    if file.exists() and file.read_text(encoding="utf-8") == platform:
        return
    if (settings.folder / USED).exists():
        # Without its witness the guard takes the file for a backup: it refuses codes that were issued up to now.
        (settings.folder / f"{USED}.witness").unlink(missing_ok=True)
        _log.warning(
            "the codes are another platform's than at the last start: those issued up to now are refused / "
            "所核销的码与上次启动时不属同一平台：此前签发的码将被拒绝"
        )
    replace_file(file, platform.encode(), mode=0o600)


def keep_to_one_store(settings: Settings) -> None:
    """Refuse to remember used codes elsewhere than at the last start, because those used meanwhile would be good again.

    Raises:
        ValueError: it is another store.
    """
    file, store = settings.folder / _STORE, settings.store
    if not file.exists():
        replace_file(file, store.encode(), mode=0o600)
    elif (last := file.read_text(encoding="utf-8")) != store:
        raise BoundsError(
            f"used codes of {settings.folder} are remembered in {last}, and {store} does not know them: set it as "
            f"before, or delete {file} a week after the last redemption",
            f"{settings.folder} 的已用码记录在 {last}，{store} 中没有：请恢复原设置，"
            f"或在最后一次核销满一周后删除 {file}",
        )


def guard_of(settings: Settings, clock: Callable[[], float]) -> ReplayGuard | AsyncReplayGuard:
    """The guard that the settings ask for."""
    if settings.redis:
        from ybtoken.replay.redis import AsyncRedisReplayGuard

        return AsyncRedisReplayGuard.from_url(settings.redis, replicas=settings.replicas, clock=clock)
    if settings.guard == "memory":
        return MemoryReplayGuard(clock=clock)
    return SqliteReplayGuard(settings.folder / USED, clock=clock)


def claim_of_hand_in(voucher: VerifiedVoucher, skew: int, now: int) -> Claim:
    """The claim by which a display that a terminal accepted is used up; it may be made late."""
    claim = claims_of(voucher, skew)[0]
    return Claim(claim.key, claim.since, now + CLAIMED_WITHIN, claim.until + _KEPT)


class HandIns:
    """Which hand-ins were taken, so that a terminal whose answer was lost is told the same when it sends it again.

    It decides nothing: where it is lost, or cannot be read, a repeated hand-in is refused as used, and a person looks
    at it. The workers of one machine share it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / TAKEN

    def note(self, key: bytes, id_: str, now: int) -> None:
        """The display of this key was handed in by this id, and taken."""
        try:
            with self._opened() as file:
                file.execute("DELETE FROM taken WHERE until <= ?", (now,))
                file.execute("INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", (key, id_, now + OLDEST_HAND_IN))
        except sqlite3.Error:
            _log.exception("a hand-in was taken, and would be refused if it were sent again")

    def was_taken(self, key: bytes, id_: str) -> bool:
        """Whether it was taken."""
        try:
            with self._opened() as file:
                return bool(file.execute("SELECT 1 FROM taken WHERE (key, id) = (?, ?)", (key, id_)).fetchall())
        except sqlite3.Error:
            _log.exception("whether a hand-in is a repeated one cannot be told")
            return False

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5)) as file, file:
            file.execute("CREATE TABLE IF NOT EXISTS taken (key BLOB, id TEXT, until INTEGER, PRIMARY KEY (key, id))")
            yield file


def _kept(claims: Sequence[Claim]) -> list[Claim]:
    """The claims, each for a week longer. The guard gets no text: a text is a record of a visit.

    Those for earlier steps of a rotating pass are kept as long as the one that decides: if a clock that was ahead freed
    them before it, an earlier code would be good again, and nothing would tell that they were freed.
    """
    return [Claim(*claim[:3], claim.until + _KEPT) for claim in claims]


class Keeping(ReplayGuard):
    """A guard that remembers what is redeemed until nobody may hand it in any more."""

    def __init__(self, guard: ReplayGuard) -> None:
        self._guard = guard
        self.waits = getattr(guard, "waits", True)

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        self._guard.claim(key, since=since, by=by, until=until + _KEPT)

    def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`."""
        return self._guard.claim_many(_kept(claims))


class AsyncKeeping(AsyncReplayGuard):
    """The same for asyncio."""

    def __init__(self, guard: AsyncReplayGuard) -> None:
        self._guard = guard

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        await self._guard.claim(key, since=since, by=by, until=until + _KEPT)

    async def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`."""
        return await self._guard.claim_many(_kept(claims))
