"""The issuer's side of the status list: a registry of passes in SQLite, which hands out places and publishes the list.

Places are random, so that a list does not tell in which order, or for whom, passes were issued. Every pass has a decoy,
a second place that belongs to nobody, and whenever a pass's status changes, a decoy's changes as well. Whoever watches
the published list learns neither how many passes there are nor how many were suspended.

A suspension is a rule (for a pass, a person, a channel, or a person in a channel) that also holds for passes issued
while it lasts. A revocation is final and holds for the passes that exist.

A place whose pass has ended is free again, and its revocation is forgotten. A clock that is wrong for a moment must not
end passes, so the registry records the time at each `enter` and `publish`, and frees no place while the clock is more
than an hour ahead of the last record.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from errno import EIO
from pathlib import Path
from threading import Lock

from ybtoken._checks import callback, instant, string, uint
from ybtoken._forks import generation, held_in_forks
from ybtoken.keys.protocols import SigningKey
from ybtoken.status.list import MAX_ENTRIES, Status, StatusList, sign_status_list
from ybtoken.voucher import MAX_CHANNEL
from ybtoken.words import BoundsError

__all__ = ["StatusRegistry"]

_BITS = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS list (
  size INTEGER NOT NULL, taken INTEGER NOT NULL, issued_at INTEGER NOT NULL, uri TEXT NOT NULL,
  seen_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS passes (
  place INTEGER PRIMARY KEY, person BLOB, channel INTEGER, expires_at INTEGER NOT NULL,
  is_decoy INTEGER NOT NULL, status INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS passes_by_person ON passes (person, channel) WHERE person IS NOT NULL;
CREATE INDEX IF NOT EXISTS passes_by_channel ON passes (channel) WHERE channel IS NOT NULL;
CREATE INDEX IF NOT EXISTS passes_by_end ON passes (expires_at);
CREATE INDEX IF NOT EXISTS decoys ON passes (place) WHERE is_decoy;
CREATE TABLE IF NOT EXISTS suspensions (place INTEGER, person BLOB, channel INTEGER);
"""
_TABLES = {"list", "passes", "suspensions"}
_SUSPENDED = """
SELECT p.place FROM suspensions s JOIN passes p ON p.place = s.place
UNION SELECT p.place FROM suspensions s JOIN passes p ON p.person = s.person
  WHERE s.place IS NULL AND (s.channel IS NULL OR s.channel = p.channel)
UNION SELECT p.place FROM suspensions s JOIN passes p ON p.channel = s.channel
  WHERE s.place IS NULL AND s.person IS NULL
"""
_SELECTED = """
NOT is_decoy AND (:place IS NULL OR place = :place)
  AND (:person IS NULL OR person = :person) AND (:channel IS NULL OR channel = :channel)
"""
_SAME_RULE = "place IS :place AND person IS :person AND channel IS :channel"
_TRIES = 5
_DRAWS = 10_000  # if at most 9 of 10 places are taken, so many draws all miss once in 10**457 times
_LAST_STATUS, _LAST_INTEGER = max(Status), 2**63 - 1
_MOST_FULL = 0.9  # in a fuller list, it would take long to draw a random place that is free
# For so many seconds a place stays unused after its pass has ended. A clock that jumps by as much frees no place of a
# pass that has not ended, so a longer jump is what is not recorded.
_MARGIN = 3600
_MAX_PERSON = 2**64 - 1
# The words of an error may quote a damaged file, and then they are not UTF-8.
_SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)


class StatusRegistry:
    """Keeps the places of one status list in a file. Thread-safe; processes may share the file.

    Args:
        path: the SQLite file, which is made if it does not exist; or ":memory:".
        uri: the address at which the list is published.
        size: how many places the list has, 2 bits each; fixed when the file is made. Each pass takes two places, until
            an hour after its end. A larger list makes a larger file to publish.
        clock: gives the seconds since 1970.
        draw: gives a number below its argument that nobody can predict.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: a size out of range, the file holds a list of another size or address, or it is no registry.
        OSError: the file cannot be opened. Every method raises it if the file cannot be read or written, for instance
            because another process has locked it for more than 5 s, or if it holds what no registry writes.
    """

    def __init__(
        self,
        path: str | Path,
        uri: str,
        *,
        size: int = 1 << 20,
        clock: Callable[[], float] = time.time,
        draw: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, int):
            raise TypeError(f"size is an integer, not {type(size).__name__}")
        if not 8 <= size <= MAX_ENTRIES or size % 4:
            raise BoundsError(
                f"a list has 8 to {MAX_ENTRIES} places, a multiple of 4",
                f"列表应有 8 至 {MAX_ENTRIES} 个位置，且为 4 的倍数",
            )
        self._uri = string("uri", uri)
        self._size = size
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._draw = callback("draw", draw, "a number below its argument")
        self._lock = Lock()
        self._made_in = generation()
        held_in_forks(self)
        # `_transaction` begins transactions explicitly, and a lock lets one thread at a time use the connection.
        self._path = str(path)
        if self._path != ":memory:":  # a file that SQLite makes can be read by all
            with suppress(FileExistsError):  # and one that is there is not opened: closing it gives up others' locks
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise OSError(EIO, str(error), self._path) from error
        try:
            with self._transaction() as db:
                tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                if tables and not tables >= _TABLES:  # before anything is written to it
                    raise sqlite3.DatabaseError("it is the database of another application")
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                made = (size, uri, int(self._clock()))
                db.execute("INSERT INTO list SELECT ?, 0, 0, ?, ? WHERE NOT EXISTS (SELECT * FROM list)", made)
                found, address = db.execute("SELECT size, uri FROM list").fetchone()
            if found != size:
                raise BoundsError(
                    f"this registry has {found} places, not {size}", f"该登记簿有 {found} 个位置，不是 {size}"
                )
            if address != uri:
                raise BoundsError(
                    f"this registry is of the list at {address}, not at {uri}",
                    f"该登记簿属于 {address} 的列表，不是 {uri} 的",
                )
        except OSError as error:
            self._db.close()
            why = error.strerror
            raise BoundsError(
                f"{path} cannot be used as a registry's file: {why}", f"{path} 不能用作登记簿文件：{why}"
            ) from error
        except BaseException:
            self._db.close()
            raise
        # It will have person numbers. A group that may read it was chosen.
        if self._path != ":memory:" and os.name == "posix" and os.stat(path).st_mode & 0o007:
            os.chmod(path, 0o600)

    @classmethod
    def open(cls, path: str | Path, *, clock: Callable[[], float] = time.time) -> StatusRegistry:
        """Open an existing registry, with the size and the address that it was made with.

        Raises:
            ValueError: the file is no registry, or there is none.
        """
        try:
            with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=rw", uri=True)) as db:
                row = db.execute("SELECT size, uri FROM list").fetchone()
        except _SQLITE_ERRORS as error:
            raise BoundsError(f"{path} is no registry: {error}", f"{path} 不是登记簿：{error}") from error
        if row is None or type(row[0]) is not int or type(row[1]) is not str:
            raise BoundsError(f"{path} is no registry: it states no list", f"{path} 不是登记簿：其中没有列表")
        return cls(path, row[1], size=row[0], clock=clock)

    def enter(self, expires_at: int, *, person: int | None = None, channel: int | None = None) -> int:
        """Choose a place for a pass, and return it: the ``status_index`` to issue the pass with.

        Args:
            expires_at: when the pass ends, in seconds since 1970.
            person: the holder's person number (64 bits), by which all passes of a person can be found.
            channel: through which channel it is shown.

        Raises:
            TypeError: an argument of a wrong type.
            ValueError: an argument out of range, such as a time in milliseconds.
            RuntimeError: the list is full, perhaps because the clock is not believed: see `trust_clock`.
        """
        instant("expires_at", expires_at)
        if channel is not None:
            uint("channel", channel, MAX_CHANNEL)
        with self._transaction() as db:
            now = int(self._clock())
            if is_believed := _record(db, now):
                freed = db.execute("DELETE FROM passes WHERE expires_at < ?", (now - _MARGIN,)).rowcount
                db.execute("UPDATE list SET taken = taken - ?", (freed,))
            taken = _within(self._size, *(db.execute("SELECT taken FROM list").fetchone() or (None,)))
            if taken + 2 <= self._size * _MOST_FULL:
                db.execute("UPDATE list SET taken = taken + 2")
                place = self._take(db, _blob(person), channel, expires_at, is_decoy=False)
                self._take(db, None, None, expires_at, is_decoy=True)
                return place
        # It is raised after the transaction, because the time and the free places are to be recorded.
        full = f"the status list is full: {taken} of {self._size} places are taken"
        if is_believed:
            raise RuntimeError(full)
        raise RuntimeError(
            f"{full}; none is freed, because the clock is far ahead of the last record: if it is right, "
            "call trust_clock, or `ybtoken status trust-clock`"
        )

    def trust_clock(self) -> None:
        """Record the clock's time, although it is far ahead of the last record, or behind it.

        Call it after the clock was compared with another one: when nothing was entered or published for more than an
        hour, because until then no place is freed (with a wrong clock, revoked passes would be valid again); and when a
        list was published while the clock was ahead, because until then no list is signed. Verifiers have refused that
        list as one from the future. One that took it, because its own clock was ahead too, keeps to it until its time.
        """
        with self._transaction() as db:
            now = int(self._clock())
            db.execute("UPDATE list SET seen_at = :now, issued_at = min(issued_at, :now)", {"now": now})

    def suspend(self, *, index: int | None = None, person: int | None = None, channel: int | None = None) -> None:
        """Suspend (冻结) a pass, a person, a channel, or a person's passes in a channel, until `reinstate`.

        A pass that is issued later to a suspended person or channel is suspended from the start.
        """
        rule = self._rule(index, person, channel)
        with self._transaction() as db:
            db.execute(f"DELETE FROM suspensions WHERE {_SAME_RULE}", rule)  # noqa: S608
            db.execute("INSERT INTO suspensions VALUES (:place, :person, :channel)", rule)
            self._stir(db, rule)

    def reinstate(self, *, index: int | None = None, person: int | None = None, channel: int | None = None) -> bool:
        """Lift the suspension that was made with the same arguments. Other suspensions and revocations stay.

        Returns:
            Whether there was such a suspension.
        """
        rule = self._rule(index, person, channel)
        with self._transaction() as db:
            lifted = db.execute(f"DELETE FROM suspensions WHERE {_SAME_RULE}", rule).rowcount  # noqa: S608
            self._stir(db, rule)
        return lifted > 0

    def revoke(self, *, index: int | None = None, person: int | None = None, channel: int | None = None) -> int:
        """Revoke (撤销, 解绑) the passes that exist, for good. Passes issued later, after a new activation, are valid.

        Returns:
            How many passes were revoked.
        """
        rule = self._rule(index, person, channel)
        with self._transaction() as db:
            sql = f"UPDATE passes SET status = {Status.INVALID:d} WHERE {_SELECTED}"  # noqa: S608
            revoked = db.execute(sql, rule).rowcount
            self._stir(db, rule)
        return revoked

    def status(self, index: int) -> Status:
        """What the next list will say of the pass with this index."""
        uint("index", index, self._size - 1)
        with self._transaction() as db:
            row = db.execute("SELECT status FROM passes WHERE place = ?", (index,)).fetchone()
            if row is None or _within(_LAST_STATUS, *row) != Status.VALID:
                return Status.VALID if row is None else Status(row[0])
            suspended = db.execute(f"SELECT 1 WHERE ? IN ({_SUSPENDED})", (index,)).fetchone()
        return Status.VALID if suspended is None else Status.SUSPENDED

    def publish(self, key: SigningKey, *, lifetime: int = 3600, ttl: int = 300, now: int | None = None) -> bytes:
        """Sign the list as it is now. Each list is newer than the one before; publish the bytes at its address.

        Lists have times in whole seconds. A second call in the same second waits for the next second, because a list
        with the same time would not replace the first, and one with a later time would be from the future.

        Args:
            key: a key for status lists, and for nothing else.
            lifetime: after how many seconds the list is stale. A terminal without a network may miss a revocation for
                as long.
            ttl: after how many seconds a verifier should fetch a new one.
            now: seconds since 1970; by default the registry's clock.

        Raises:
            ValueError: the last list is not older than this time: the clock was set back (see `trust_clock`), or has
                stopped.
        """
        last, at = 0, 0.0
        for _ in range(_TRIES if now is None else 1):
            with self._transaction() as db:
                last = _within(_LAST_INTEGER, *(db.execute("SELECT issued_at FROM list").fetchone() or (None,)))
                at = self._clock() if now is None else now
                if int(at) > last:
                    return self._publish(db, key, int(at), lifetime, ttl)
            if now is not None or last + 1 - at > 1:
                break
            time.sleep(last + 1 - at)  # another process may publish in that second, too
        raise BoundsError(
            f"the last list was issued at {last}, so a list of {int(at)} would replace nothing: if the clock was ahead "
            "then and is right now, call trust_clock, or `ybtoken status trust-clock`",
            f"上一份列表签发于 {last}，时间为 {int(at)} 的列表不能取代它：若当时时钟偏快而现已校准，"
            "请调用 trust_clock 或执行 `ybtoken status trust-clock`",
        )

    def _publish(self, db: sqlite3.Connection, key: SigningKey, issued_at: int, lifetime: int, ttl: int) -> bytes:
        db.execute("UPDATE list SET issued_at = ?", (issued_at,))
        _record(db, issued_at)
        array = bytearray(self._size * _BITS // 8)
        for (place,) in db.execute(_SUSPENDED):
            _put(array, _within(self._size - 1, place), Status.SUSPENDED)
        for place, status in db.execute("SELECT place, status FROM passes WHERE status <> 0"):
            # after the suspensions, because a revocation overrides them
            _put(array, _within(self._size - 1, place), _within(_LAST_STATUS, status))
        statuses = StatusList(
            self._uri, _BITS, bytes(array), issued_at=issued_at, expires_at=issued_at + lifetime, ttl=ttl
        )
        return sign_status_list(statuses, key)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _before_fork(self) -> None:
        pass  # that no transaction is under way is enough: without one, SQLite has no lock here

    def __del__(self) -> None:
        if (db := getattr(self, "_db", None)) is not None:
            db.close()

    def _rule(self, index: int | None, person: int | None, channel: int | None) -> dict[str, object]:
        """The arguments as parameters of the SQL statements. Raises `TypeError` or `ValueError` if one is not valid."""
        if index is None and person is None and channel is None:
            raise BoundsError("state which passes: index, person or channel", "请指明凭证：index、person 或 channel")
        if index is not None:
            uint("index", index, self._size - 1)
        if channel is not None:
            uint("channel", channel, MAX_CHANNEL)
        return {"place": index, "person": _blob(person), "channel": channel}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._made_in != generation():  # SQLite forbids to use a connection of the parent
            raise RuntimeError("this process was forked: open the registry in it, because processes may share the file")
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                finally:
                    if self._db.in_transaction:  # it failed, and a full disk may have ended it already
                        self._db.execute("ROLLBACK")
            except _SQLITE_ERRORS as error:
                raise OSError(EIO, str(error), self._path) from error

    def _take(self, db: sqlite3.Connection, person: object, channel: object, expires_at: int, *, is_decoy: bool) -> int:
        for _ in range(_DRAWS):
            place = self._draw(self._size)
            row = (place, person, channel, expires_at, is_decoy)
            if db.execute("INSERT OR IGNORE INTO passes VALUES (?, ?, ?, ?, ?, 0)", row).rowcount:
                return place
        raise sqlite3.DataError("the registry is damaged: it holds more places than it counts")

    def _stir(self, db: sqlite3.Connection, rule: dict[str, object]) -> None:
        """Change as many decoys as the rule selects passes, beginning at a random place."""
        (changed,) = db.execute(f"SELECT count(*) FROM passes WHERE {_SELECTED}", rule).fetchone()  # noqa: S608
        start = self._draw(self._size)
        decoys = [
            place
            for where in ("place >= ?", "place < ?")
            for (place,) in db.execute(
                f"SELECT place FROM passes WHERE is_decoy AND {where} ORDER BY place LIMIT ?",  # noqa: S608
                (start, changed),
            )
        ]
        changes = ((self._draw(len(Status)), place) for place in decoys[:changed])
        db.executemany("UPDATE passes SET status = ? WHERE place = ?", changes)

    def __repr__(self) -> str:
        return f"StatusRegistry({self._uri!r}, {self._size} places)"


def _record(db: sqlite3.Connection, now: int) -> bool:
    """Record the time; false, and nothing is recorded, if it is too far ahead of the last record to be believed."""
    sql = "UPDATE list SET seen_at = max(seen_at, ?) WHERE seen_at + ? >= ?"
    return db.execute(sql, (now, _MARGIN, now)).rowcount > 0


def _within(most: int, found: object) -> int:
    """A number that was read from the file, which may hold values of any kind."""
    if type(found) is not int or not 0 <= found <= most:
        raise sqlite3.DataError("the registry is damaged: it holds a value that no registry writes")
    return found


def _blob(person: int | None) -> bytes | None:
    # A person number is an unsigned integer of 64 bits, and an INTEGER of SQLite is a signed one.
    return None if person is None else uint("person", person, _MAX_PERSON).to_bytes(8, "big")


def _put(array: bytearray, place: int, status: int) -> None:
    at, shift = place * _BITS >> 3, place * _BITS & 7
    array[at] = array[at] & ~(3 << shift) | status << shift
