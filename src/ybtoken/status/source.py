"""Sources of status lists: which list is used, and when it is stale.

A source has one list at a time. A newer list replaces an older one, never the other way round. A list is stale from its
end (``exp``) on; then the status cannot be checked, and the token is refused. If the network may fail for longer than
a list is valid, a source can have a grace: for so many seconds a stale list is still used, and every verdict says so.
`ybtoken.status.http` fetches a list over HTTP.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol, runtime_checkable

from ybtoken._checks import duration, instance
from ybtoken._state import DamagedStateError, State
from ybtoken.errors import CannotCheckError
from ybtoken.status.list import LONGEST_LIST, StatusList, StatusListReader
from ybtoken.words import Reason

__all__ = ["FileStatusSource", "MemoryStatusSource", "StatusAnswer", "StatusSource"]


class StatusAnswer(NamedTuple):
    """A source's answer for one index."""

    status: int
    """A value of `Status`, or a greater one, which has no meaning in this library."""
    overdue: int | None = None
    """For how many seconds the list has been past its end, within the source's grace; ``None`` before its end."""


# The answers of a list before its end. They are made once, because a look-up is faster than making a named tuple.
_ANSWERS = tuple(map(StatusAnswer, range(256)))


@runtime_checkable
class StatusSource(Protocol):
    """Gives the status of every pass of one list."""

    def status(self, index: int, now: int) -> StatusAnswer:
        """The status of an index at a time, in seconds since 1970.

        Raises:
            CannotCheckError: ``status.unavailable``: there is no list, it is past its end, or it has no such index.
        """
        ...


class MemoryStatusSource:
    """A list in memory; the application fetches lists and passes them to `load`. Thread-safe.

    Args:
        reader: checks the lists.
        grace: for how many seconds past its end a list is still used.
        state: a file that keeps the newest list over restarts; without it, an older list is accepted after a restart.
            Each list needs a file of its own: with the state of another list, every `load` fails.

    Raises:
        TypeError: ``reader`` is no `StatusListReader`, or a grace that is no int.
        ValueError: a grace below 0.
    """

    def __init__(self, reader: StatusListReader, *, grace: int = 0, state: str | Path | None = None) -> None:
        self._reader = instance("reader", reader, StatusListReader, "a StatusListReader")
        self._grace = duration("grace", grace)
        self._lock = Lock()
        self._list: StatusList | None = None
        self._newest = -1
        self._state = State(state)
        self.problem: CannotCheckError | None = None
        """Why the last attempt to take a list failed; ``None`` if it succeeded."""
        try:
            self._remember()
        except (OSError, DamagedStateError) as error:  # every `load` fails as well, until the file is repaired
            self.problem = _unremembered(error)

    @property
    def current(self) -> StatusList | None:
        """The list that is used now."""
        return self._list

    def is_due(self, now: int) -> bool:
        """Whether a newer list should be fetched: there is no list, or its time to live is over."""
        held = self._list
        return held is None or now >= min(held.issued_at + held.ttl, held.expires_at)

    def load(self, data: bytes, now: int) -> bool:
        """Use a list from now on, if it is newer than the present one.

        Returns:
            Whether it was newer.

        Raises:
            CannotCheckError: ``status.unavailable``: the list is not good, and the present one stays.
        """
        try:
            read = self._reader.read(data, now=now)
        except CannotCheckError as error:
            self.problem = error
            raise
        with self._lock:
            try:
                with self._state.locked():
                    self._remember()  # another process may have loaded a newer list
                    if read.issued_at <= self._newest:
                        self.problem = None
                        return False
                    if self._state.path is not None:
                        signed = base64.b64encode(data).decode()
                        self._state.write({"uri": read.uri, "issued_at": read.issued_at, "list": signed})
            except (OSError, DamagedStateError) as error:
                self.problem = _unremembered(error)
                raise self.problem from error
            self._newest, self._list, self.problem = read.issued_at, read, None
            return True

    def _remember(self) -> None:
        """Use the list in the state file if it is newer: from before a restart, or from another process."""
        if self._state.path is None or (content := self._state.read()) is None:
            return
        uri, issued_at, signed = (content.get(name) for name in ("uri", "issued_at", "list"))
        if type(uri) is not str or type(issued_at) is not int or type(signed) is not str:
            raise self._state.damaged()
        if uri != self._reader.uri:
            # If this source overwrote it, the other one would accept an older list.
            path = self._state.path
            raise DamagedStateError(
                f"the state in {path} is of another list, at {uri}: each list needs a state file of its own",
                f"状态文件 {path} 属于另一个列表（{uri}）：每个列表须有自己的状态文件",
            )
        try:
            data = base64.b64decode(signed, validate=True)
        except ValueError as error:
            raise self._state.damaged() from error
        if issued_at <= self._newest:
            return
        # A key that has left the ring since then makes the list unusable; an older list is still refused.
        with suppress(CannotCheckError):
            read = self._reader.read(data, now=issued_at)
            if read.issued_at != issued_at:
                raise self._state.damaged()
            self._list = read
        self._newest = issued_at

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


def _unremembered(error: OSError | DamagedStateError) -> CannotCheckError:
    if isinstance(error, DamagedStateError):
        return CannotCheckError("status.unavailable", reason=Reason(*error.words))
    file, what = error.filename, error.strerror
    reason = Reason(f"the state in {file} cannot be read or written: {what}", f"无法读写状态文件 {file}：{what}")
    return CannotCheckError("status.unavailable", reason=reason)


class FileStatusSource(MemoryStatusSource):
    """A list in a file that another program keeps up to date. The file is read again when it has changed.

    The other program should replace the file by renaming a new one: a list that is only half written is refused, and
    the present one stays.

    Args:
        path: the file.
        reader: checks the lists.
        grace: for how many seconds past its end a list is still used.
        every: how many seconds pass at least before the file is looked at again.
        state: see `MemoryStatusSource`.
    """

    def __init__(
        self,
        path: str | Path,
        reader: StatusListReader,
        *,
        grace: int = 0,
        every: int = 5,
        state: str | Path | None = None,
    ) -> None:
        super().__init__(reader, grace=grace, state=state)
        self._path = Path(path)
        self._every = duration("every", every)
        self._looked_at: int | None = None
        self._seen: tuple[int, int, int] | None = None

    def status(self, index: int, now: int) -> StatusAnswer:
        """See `StatusSource`."""
        if self._looked_at is None or not 0 <= now - self._looked_at < self._every:
            self.refresh(now)
        return super().status(index, now)

    def refresh(self, now: int) -> None:
        """Look at the file now. If its list is not good, ``problem`` says why, and the present list stays."""
        self._looked_at = now
        try:
            about = self._path.stat()
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
            if seen == self._seen:
                return
            if about.st_size > LONGEST_LIST:
                self.problem = CannotCheckError("status.unavailable", reason=f"the file has {about.st_size} bytes")
                return
            with self._path.open("rb") as file:
                self.load(file.read(LONGEST_LIST + 1), now)
            self._seen = seen
        except OSError as error:
            self.problem = CannotCheckError("status.unavailable", reason=f"the file is not readable: {error.strerror}")
        except CannotCheckError:
            pass  # load has noted it
