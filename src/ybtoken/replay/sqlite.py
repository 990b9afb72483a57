"""A replay guard in a SQLite file: for a terminal or a small site, and for hours without a network.

It is exact for all threads and processes of one machine and survives kills and restarts; claims are freed as they end.
With each claim it writes a row of a journal in the same transaction, so that what was accepted without a network can be
handed in later.

    redemption   one row for each accepted display: its text, when, and where; kept until it is handed in
    claim        one row for each replay key that is remembered
    memory       since when the file remembers every claim, the latest end of a claim that was freed, and which file it
                 is

The file remembers every claim since it was made. A missing file is made anew. A copy of a file (another inode) may lack
claims that the original has, and so may a backup that was put in its place. In all these cases the guard remembers from
that moment on, and refuses codes that were issued before. It knows a backup by a second file, the witness, whose name
ends in ``.witness``: it holds the latest number of the journal, and is not part of the database. A backup that was put
back together with its witness, as with a whole folder or disk, is not noticed: then call `begin_anew`.

A clock that was set back makes no code good again: a claim that ends no later than one that was freed is refused. If
the clock was so far ahead that this lasts too long, somebody who knows that it is right now calls `begin_anew`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EIO
from pathlib import Path
from threading import Lock
from typing import NoReturn
from weakref import WeakSet

from ybtoken._checks import uint
from ybtoken._forks import held_in_forks
from ybtoken.errors import CannotCheckError, RedeemError, TokenError
from ybtoken.replay._mounts import refuse_shared
from ybtoken.replay._sqlite_files import alone_in, log_of, make, was_covered, witness, witnessed
from ybtoken.replay.protocols import Claim, ReplayGuard
from ybtoken.words import BoundsError, Words, words_of

__all__ = ["Redemption", "SqliteReplayGuard"]

_VERSION = 1
_TABLES = (
    "CREATE TABLE memory (begun INTEGER NOT NULL, freed INTEGER NOT NULL, file TEXT NOT NULL)",
    "CREATE TABLE claim (key BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX claim_until ON claim (until)",
    """CREATE TABLE redemption (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
       terminal TEXT NOT NULL, place TEXT NOT NULL, key BLOB NOT NULL, text TEXT NOT NULL)""",
    f"PRAGMA user_version = {_VERSION}",
)
_PAGE, _LAST = 1000, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Redemption:
    """A row of the journal: one display that was accepted.

    Attributes:
        number: ascending; never used twice.
        at: when it was accepted, by the guard's clock, in seconds since 1970.
        terminal: which terminal accepted it.
        place: where that terminal stands.
        replay_key: the display's key, which is the same in every journal.
        text: the scanned text. The centre to which it is handed in verifies it again at the time ``at``.
    """

    number: int
    at: int
    terminal: str
    place: str
    replay_key: bytes
    text: str

    def to_dict(self) -> dict[str, object]:
        """The row as JSON-ready values; ``scanned_at`` and ``text`` are what a bulk run reads."""
        return {
            "number": self.number,
            "scanned_at": self.at,
            "terminal": self.terminal,
            "place": self.place,
            "display": self.replay_key.hex(),
            "text": self.text,
        }


class SqliteReplayGuard(ReplayGuard):
    """A `ReplayGuard` in a file on one machine, with a journal of what was accepted. Thread-safe, and safe to fork.

    Args:
        path: the file, or a symbolic link to it. It must be on a disk of this machine, and have no other name, because
            SQLite finds its log by the name. If it does not exist, it is made, readable by its owner only.
        terminal: the terminal's name, for the journal.
        place: where the terminal stands, for the journal: a city code, or any other name.
        deadline: the longest time to wait for other threads and processes that use the file, in seconds.
        local: state that no other machine uses the file. It is needed on a file system of a kind that may be shared,
            such as those of FUSE; on a network share the file is refused all the same.
        clock: returns seconds since 1970; the verifier's clock.

    Raises:
        ValueError: the file is not one of this guard's, has another name (a hard link, or a mount of the file itself),
            or is on a file system that other machines share, or may share while ``local`` is not stated.
        OSError: the file cannot be made or opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        terminal: str = "",
        place: str = "",
        deadline: float = 5.0,
        local: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"path is the name of a file, not {type(path).__name__}")
        if not isinstance(terminal, str) or not isinstance(place, str):
            raise TypeError("terminal and place are strings")
        if isinstance(deadline, bool) or not isinstance(deadline, (int, float)) or not 0 < deadline <= 60:
            raise ValueError(f"deadline is above 0 and at most 60 seconds, not {deadline!r}")
        if not isinstance(local, bool):
            raise TypeError(f"local is True or False, not {type(local).__name__}")
        if not callable(clock):
            raise TypeError("clock is a function that returns seconds since 1970")
        self.path = Path(os.path.realpath(Path(path)))  # the file system is that of the file, and not that of a link
        self._terminal, self._place = terminal, place
        self._deadline, self._local = deadline, local
        self._clock = clock
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._file = ""
        self._covered = False
        self._known = False  # whether the file was compared with its witness since it was opened
        self._number: int | None = None  # what a transaction lets the witness say
        self._log: int | None = None
        held_in_forks(self)
        _guards.add(self)
        try:
            with self._transaction():
                pass
        except OSError:
            self.close()
            raise
        except Exception as error:  # a file may hold anything, and a table values of any kind
            self.close()
            why = words_of(error)
            raise BoundsError(
                f"{self.path} cannot be used as a guard's file: {why.en}", f"{self.path} 不能用作已用码存储：{why.zh}"
            ) from error

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        (refused,) = self.claim_many([Claim(key, since, by, until)])
        if refused is not None:
            raise refused

    def claim_many(self, claims: Iterable[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`. All claims are made in one transaction, which is one write to the disk."""
        claims = list(claims)
        try:
            with self._transaction() as connection:
                now = int(self._clock())
                outcomes = [self._claim(connection, claim, now) for claim in claims]
                if None in outcomes:
                    made = [claim for claim, refused in zip(claims, outcomes, strict=True) if refused is None]
                    if all(claim.text is None for claim in made):  # each transaction that accepts takes a number
                        connection.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'redemption'")
                    self._number = _number(connection)
                return outcomes
        except Exception as error:  # whatever the file holds, the codes are refused
            return [_unwritten(error)] * len(claims)

    def _claim(self, connection: sqlite3.Connection, claim: Claim, now: int) -> TokenError | None:
        begun, freed = connection.execute("SELECT begun, freed FROM memory").fetchone()
        # If the clock is set back, claims that were freed before are gone, so claims up to their end are refused.
        late = max(now - claim.by, freed - claim.until)
        if late >= 0:
            return CannotCheckError("redeem.clock", ahead=late)
        (ended,) = connection.execute("SELECT max(until) FROM claim WHERE until <= ?", (now,)).fetchone()
        if ended is not None:
            connection.execute("DELETE FROM claim WHERE until <= ?", (now,))
            connection.execute("UPDATE memory SET freed = max(freed, ?)", (ended,))
        if begun >= claim.since:
            return CannotCheckError("redeem.restarted", begun=begun)
        row = claim.key, claim.until
        if not connection.execute("INSERT INTO claim VALUES (?, ?) ON CONFLICT DO NOTHING", row).rowcount:
            return RedeemError("redeem.replayed")
        if claim.text is not None:
            redemption = now, self._terminal, self._place, claim.key, claim.text
            connection.execute(
                "INSERT INTO redemption (at, terminal, place, key, text) VALUES (?, ?, ?, ?, ?)", redemption
            )
        return None

    def journal(self, *, after: int = 0) -> Iterator[Redemption]:
        """The rows that are not removed yet, the oldest first.

        Args:
            after: leave out the rows up to this number.

        Raises:
            OSError: the file cannot be read, or holds a row that is none of a journal's.
        """
        uint("after", after, _LAST)
        query = "SELECT number, at, terminal, place, key, text FROM redemption WHERE number > ? ORDER BY number LIMIT ?"
        while True:
            with self._access() as connection:
                rows = connection.execute(query, (after, _PAGE)).fetchall()
                for row in rows:
                    if tuple(map(type, row)) != (int, int, str, str, bytes, str):
                        raise sqlite3.DataError(f"row {row[0]} of the journal holds values of other types")
            if not rows:
                return
            yield from (Redemption(*row) for row in rows)
            after = rows[-1][0]

    def remove_handed_in(self, number: int) -> int:
        """Remove the rows of the journal up to a number, because they were handed in; returns how many there were.

        The claims stay: the codes remain used.

        Raises:
            ValueError: no row has had this number yet, so it is not that of a journal that was handed in.
            OSError: the file cannot be written.
        """
        uint("number", number, _LAST)
        with self._access() as connection:
            if number <= (latest := _number(connection)):
                return connection.execute("DELETE FROM redemption WHERE number <= ?", (number,)).rowcount
        raise BoundsError(
            f"the journal has no row {number} yet: its latest number is {latest}",
            f"流水中尚无编号 {number} 的记录，最新编号为 {latest}",
        )

    def begin_anew(self) -> int:
        """Let the file remember from now on, whatever it remembered before; used codes and the journal stay.

        It is for an operator, and not for a script that runs at each start: after a backup was put back, so that codes
        which the file may not know are refused, and after the clock was far ahead, so that codes are accepted again.
        Call it only if the clock is right.

        Returns:
            Since when the file remembers every claim, in seconds since 1970: codes issued before are refused.

        Raises:
            OSError: the file cannot be written.
        """
        with self._access() as connection:
            now = int(self._clock())
            connection.execute("UPDATE memory SET begun = ?, freed = 0", (now,))
            return now

    def close(self) -> None:
        """Close the file; a later claim opens it again."""
        with self._lock:
            self._disconnect()

    def _before_fork(self) -> None:
        # A child that inherits a connection takes SQLite's record of the parent's locks for its own: it would lock
        # nothing, and the parent would take itself for the last user and remove the log.
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        if (connection := getattr(self, "_connection", None)) is not None:  # None if it must stay open: see _leave
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, exclusive among all threads and processes that use this file."""
        end = time.monotonic() + self._deadline
        if not self._lock.acquire(timeout=self._deadline):
            raise TimeoutError("other threads are using the file")
        try:
            connection = self._open(end)
            self._number = None
            connection.execute(f"PRAGMA busy_timeout = {int(_left_until(end) * 1000)}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._prepare(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._known = True
            if self._number is not None:
                # It is written after the claims, so that a kill leaves a number that is too low and not one too high.
                # If two processes write in the wrong order, it is too low until the next claim.
                with suppress(OSError):  # the claims are made, and the witness has its place on the disk already
                    witness(self.path, self._number)
            # After the witness: whoever opens the file without this log then finds a number that it does not know.
            if log_of(self.path) != self._log:
                _leave(self)
                raise LogLostError
        finally:
            self._lock.release()

    @contextmanager
    def _access(self) -> Iterator[sqlite3.Connection]:
        """A transaction of a caller who is told what went wrong."""
        try:
            with self._transaction() as connection:
                yield connection
        except (sqlite3.Error, TypeError, ValueError) as error:  # a table may hold values of any kind
            raise OSError(EIO, str(error), str(self.path)) from error

    def _open(self, end: float) -> sqlite3.Connection:
        """The connection to the file that has this name now; it may have been replaced since the last time."""
        try:
            about = os.stat(self.path)
            if self._connection is not None and _id(about) == self._file and about.st_nlink == 1:
                return self._connection
        except FileNotFoundError:
            pass
        with alone_in(self.path.parent, end):
            return self._connect(end)

    def _connect(self, end: float) -> sqlite3.Connection:
        try:
            about = os.stat(self.path)
        except FileNotFoundError:
            refuse_shared(self.path, stated=self._local)
            # The file is made here and not by SQLite, so that no other user can ever read it.
            about = make(self.path)
        if about.st_nlink > 1:
            raise BoundsError(
                "it has another name (a hard link), and by each name a log of its own: remove the other",
                "该文件另有名称（硬链接），每个名称各有日志：请删除另一个",
            )
        file = _id(about)
        if file in _left:
            raise LogLostError
        if self._connection is not None and file == self._file:
            return self._connection
        self._disconnect()
        refuse_shared(self.path, stated=self._local)
        self._covered = was_covered(self.path, about)
        timeout = _left_until(end)
        connection = sqlite3.connect(self.path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and not tables >= {"memory", "claim", "redemption"}:  # before anything is written to it
                raise sqlite3.DatabaseError("it is the database of another application")
            _write_ahead(connection, end)
            connection.execute("PRAGMA synchronous = FULL")  # a claim is on the disk before it is acknowledged
        except BaseException:
            connection.close()
            raise
        self._connection, self._file, self._known = connection, file, False
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables of a new file; if the file is a copy or a backup, let its memory begin now."""
        if self._known:
            return
        self._log = log_of(self.path)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        seen, now = witnessed(self.path), int(self._clock())
        if version == 0:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO memory VALUES (?, 0, ?)", (now, self._file))
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"its version is {version}, and this ybtoken knows {_VERSION}")
        connection.execute(
            "INSERT INTO sqlite_sequence SELECT 'redemption', 0 "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'redemption')"
        )
        (file,) = connection.execute("SELECT file FROM memory").fetchone()
        if file != self._file or self._covered or seen is None or seen > _number(connection):
            connection.execute("UPDATE memory SET begun = max(begun, ?), file = ?", (now, self._file))
            move = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'redemption'"
            connection.execute(move, (seen or 0,))
        self._number = _number(connection)

    def __repr__(self) -> str:
        return f"SqliteReplayGuard({str(self.path)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a guard is not pickled or copied: make one with the same path where it is used")


_guards: WeakSet[SqliteReplayGuard] = WeakSet()
_left: dict[str, list[sqlite3.Connection]] = {}
"""Files that this process must not use any more, with connections that must not be closed."""


class LogLostError(sqlite3.DatabaseError):
    """A file no longer shows the same claims to this process and to others."""

    words = Words(
        "its log was removed or replaced while it was in use, or this process was forked within a claim: restart every "
        "program that uses it",
        "使用期间其日志被删除或替换，或本进程是在登记过程中 fork 出的：请重新启动使用该文件的所有程序",
    )

    def __init__(self) -> None:
        super().__init__(self.words.en)


def _leave(guard: SqliteReplayGuard) -> None:
    """Use a guard's file no more. To close its connection would write what others do not expect."""
    if guard._connection is not None:
        _left.setdefault(guard._file, []).append(guard._connection)
        guard._connection = None


def _leave_connections() -> None:
    """Leave a forked child the connections that the parent could not close."""
    for guard in _guards:
        _leave(guard)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_connections)


def _id(about: os.stat_result) -> str:
    return f"{about.st_dev}:{about.st_ino}"


def _left_until(end: float) -> float:
    """Seconds until the end of the deadline; never 0, because SQLite would take that for no wait at all."""
    return max(0.001, end - time.monotonic())


def _write_ahead(connection: sqlite3.Connection, end: float) -> None:
    """Let a database have a write-ahead log. While another process writes it, SQLite refuses that at once."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _number(connection: sqlite3.Connection) -> int:
    """The latest number of the journal."""
    (number,) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'redemption'").fetchone()
    return int(number)


def _unwritten(error: Exception) -> TokenError:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if isinstance(error, TimeoutError) or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return CannotCheckError("redeem.timeout", reason=name)
    return CannotCheckError("redeem.unavailable", reason=name)
