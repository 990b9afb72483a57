"""Where status lists come from.

A source holds one list. A newer list replaces an older one, never the other way round, and one that is past its end
says nothing: whoever cannot check refuses. A grace, for places whose network fails for longer than lists live, is said
in the verdict. A list over HTTP is in `ybtoken.statushttp`.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol, runtime_checkable

from ybtoken.errors import CannotCheckError
from ybtoken.status.list import StatusList, StatusListReader

__all__ = ["FileStatusSource", "MemoryStatusSource", "StatusAnswer", "StatusSource"]


class StatusAnswer(NamedTuple):
    """What a source says of an index."""

    status: int
    """A value of `Status`, or one above that has no meaning here."""
    overdue: int | None = None
    """For how many seconds the list has been past its end, within the source's grace; ``None`` if it is not."""


# Of a list that is not past its end; made once, for making one takes longer than finding it.
_ANSWERS = tuple(map(StatusAnswer, range(256)))


@runtime_checkable
class StatusSource(Protocol):
    """Knows the status of every pass of one list."""

    def status(self, index: int, now: int) -> StatusAnswer:
        """The status of an index at a time, in seconds since 1970.

        Raises:
            CannotCheckError: ``status.unavailable``: there is no list, it is past its end, or does not go so far.
        """
        ...


class MemoryStatusSource:
    """A list in memory; whoever gets the lists passes them in. Thread-safe.

    Args:
        reader: checks the lists.
        grace: for how many seconds past its end a list is still asked.
    """

    def __init__(self, reader: StatusListReader, *, grace: int = 0) -> None:
        if grace < 0:
            raise ValueError("grace is at least 0 seconds")
        self._reader = reader
        self._grace = grace
        self._lock = Lock()
        self._list: StatusList | None = None
        self.problem: CannotCheckError | None = None
        """Why the last list that was passed in, or looked for, could not be taken."""

    @property
    def current(self) -> StatusList | None:
        """The list that is asked now."""
        return self._list

    def is_due(self, now: int) -> bool:
        """Whether a newer list should be fetched: there is none, or its time to live is over."""
        held = self._list
        return held is None or now >= min(held.issued_at + held.ttl, held.expires_at)

    def load(self, data: bytes, now: int) -> bool:
        """Take a list, if it is newer than the one that is held.

        Returns:
            Whether it was taken.

        Raises:
            CannotCheckError: ``status.unavailable``: it is not good; what is held stays.
        """
        try:
            read = self._reader.read(data, now=now)
        except CannotCheckError as error:
            self.problem = error
            raise
        with self._lock:
            self.problem = None
            if self._list is not None and read.issued_at <= self._list.issued_at:
                return False
            self._list = read
            return True

    def status(self, index: int, now: int) -> StatusAnswer:
        """See `StatusSource`."""
        held = self._list
        if held is None:
            reason = "there is no list yet" if self.problem is None else self.problem.reason
            raise CannotCheckError("status.unavailable", reason=reason)
        overdue = now - held.expires_at
        if overdue >= self._grace:
            raise CannotCheckError("status.unavailable", reason="the list is past its end", expired_at=held.expires_at)
        try:
            status = held[index]
        except IndexError:
            raise CannotCheckError("status.unavailable", reason="the list does not go so far") from None
        return StatusAnswer(status, overdue) if overdue >= 0 else _ANSWERS[status]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._list!r})"


class FileStatusSource(MemoryStatusSource):
    """A list in a file that something else keeps up to date; looked at again when it has changed.

    Replace the file by renaming: a list that is read half written is refused, and the one that is held stays.

    Args:
        path: the file.
        reader: checks the lists.
        grace: for how many seconds past its end a list is still asked.
        every: look whether the file has changed at most once in so many seconds.
    """

    def __init__(self, path: str | Path, reader: StatusListReader, *, grace: int = 0, every: int = 5) -> None:
        super().__init__(reader, grace=grace)
        self._path = Path(path)
        self._every = every
        self._looked_at: int | None = None
        self._seen: tuple[int, int, int] | None = None

    def status(self, index: int, now: int) -> StatusAnswer:
        """See `StatusSource`."""
        if self._looked_at is None or not 0 <= now - self._looked_at < self._every:
            self.refresh(now)
        return super().status(index, now)

    def refresh(self, now: int) -> None:
        """Look at the file now; what is wrong with it is in ``problem``, and what is held stays."""
        self._looked_at = now
        try:
            about = self._path.stat()
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
            if seen == self._seen:
                return
            self.load(self._path.read_bytes(), now)
            self._seen = seen
        except OSError as error:
            self.problem = CannotCheckError("status.unavailable", reason=f"the file is not readable: {error.strerror}")
        except CannotCheckError:
            pass  # load has noted it
