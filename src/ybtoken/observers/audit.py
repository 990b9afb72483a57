"""An audit file whose tampering is detected: every line holds the hash of the one before it.

A line is ``<hash in hex> <JSON>``. The hash is SHA-256, or SM3 where national algorithms are required. It is over the
previous line's hash and the JSON, so changing, removing or inserting a line breaks the chain from that line on. Cutting
lines off the end does not break it: from time to time keep the last hash (`AuditFile.head`) elsewhere, and give it to
`check_audit`.

A write that fails, as on a full disk, may leave half a line. The next record that can be written stands behind a line
that states the gap: ``{"gap": {"lost": 2, "bytes": 17, "hash": "..."}}`` says how many records were lost, and how many
bytes, with which hash, stand between the line before and this one. So the chain goes on, and says what is missing.

If the line that states the gap is cut short as well, so that ``half~<line feed>ha`` stands there, the next one states
the whole of it. No record ends with a tilde.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn, TypeAlias
from weakref import WeakSet

from cryptography.hazmat.primitives import hashes

from ybtoken._forks import generation
from ybtoken.observers.event import VerdictEvent
from ybtoken.words import BoundsError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["AuditCheck", "AuditDigest", "AuditError", "AuditFile", "AuditGap", "check_audit"]

AuditDigest: TypeAlias = Literal["sha256", "sm3"]
"""The hash function of an audit file. A file is checked with the one with which it was written."""


class AuditError(BoundsError):
    """The chain is broken. ``line`` is the number of the first line that does not fit, from 1."""

    def __init__(self, line: int, en: str, zh: str) -> None:
        super().__init__(f"line {line}: {en}", f"第 {line} 行：{zh}")
        self.line = line


_GAP = b'{"gap":'
_PIECE = 1 << 16  # bytes; a longer line is read in several pieces
_TORN = b"~\n"  # what ends a line that was cut short; a line feed alone may be all that the line lacked


def _hashing(digest: AuditDigest, data: bytes) -> hashes.Hash:
    if digest not in ("sha256", "sm3"):
        raise ValueError(f'digest is "sha256" or "sm3", not {digest!r}')
    state = hashes.Hash(hashes.SM3() if digest == "sm3" else hashes.SHA256())
    state.update(data)
    return state


def _start(digest: AuditDigest) -> str:
    return _hashing(digest, b"ybtoken audit 1").finalize().hex()


def _link(digest: AuditDigest, previous: str, record: bytes) -> hashes.Hash:
    return _hashing(digest, f"{previous}\n".encode() + record)


class _Skipped:
    """Bytes that are no lines of the chain: how many, and their hash. They are not kept, because they may be many."""

    def __init__(self, digest: AuditDigest) -> None:
        self._state, self.size = _hashing(digest, b""), 0

    def add(self, data: bytes) -> None:
        self._state.update(data)
        self.size += len(data)

    def with_more(self, data: bytes) -> _Skipped:
        more = object.__new__(_Skipped)
        more._state, more.size = self._state.copy(), self.size
        more.add(data)
        return more

    def hash(self) -> str:
        return self._state.copy().finalize().hex()


class AuditGap(NamedTuple):
    """A place where records were lost."""

    line: int
    """The number of the line that states it."""
    lost: int
    """How many records, as far as the writer knew."""
    size: int
    """How many bytes stand there that are no lines of the chain."""


class AuditCheck(NamedTuple):
    """What a check found."""

    lines: int
    """How many lines the chain has, those that state a gap among them."""
    gaps: tuple[AuditGap, ...]


class _Line(NamedTuple):
    number: int
    head: str
    gap: AuditGap | None


class _TornError(AuditError):
    """What stands at the end is no whole line, as after a write that failed."""

    def __init__(self, line: int, torn: _Skipped) -> None:
        super().__init__(line, "cut short at the end", "末尾被截断")
        self.torn = torn


def _walk(file: BinaryIO, digest: AuditDigest) -> Iterator[_Line]:
    """The lines of the chain. Only one piece of the file is held at once.

    Raises:
        AuditError: a line does not fit, and no gap states it.
    """
    head, skipped, first_bad, torn = _start(digest), _Skipped(digest), 0, True
    for number in count(1):
        line = file.readline(_PIECE)
        if not line:
            break
        stated, _, record = line.removesuffix(b"\n").partition(b" ")
        link, with_line, tail = _link(digest, head, record), None, line[-2:]
        if len(line) == _PIECE and not line.endswith(b"\n"):
            with_line = skipped.with_more(line)
            while not tail.endswith(b"\n") and (piece := file.readline(_PIECE)):
                link.update(piece.removesuffix(b"\n"))
                with_line.add(piece)
                tail = (tail + piece[-2:])[-2:]
        fits = tail.endswith(b"\n") and stated == link.finalize().hex().encode()
        gap = _gap_of(number, record, skipped) if fits and with_line is None else None
        if fits and (gap is not None or not (skipped.size or record.startswith(_GAP))):
            head, torn = stated.decode(), True
            if skipped.size:
                skipped = _Skipped(digest)
            yield _Line(number, head, gap)
            continue
        if not skipped.size:
            first_bad = number
        if with_line is None:
            skipped.add(line)
        else:
            skipped = with_line
        torn = torn and (tail == _TORN or not tail.endswith(b"\n"))
    if skipped.size and torn:
        raise _TornError(first_bad, skipped)
    if skipped.size:
        raise AuditError(
            first_bad,
            "changed, inserted, cut short, or what stood before it is missing",
            "被改动、插入或截断，或其前面的内容缺失",
        )


def _gap_of(number: int, record: bytes, skipped: _Skipped) -> AuditGap | None:
    """The gap that a record states, if it states just the bytes that were skipped."""
    if not record.startswith(_GAP):
        return None
    try:
        gap = json.loads(record)["gap"]
        lost, size, hashed = gap["lost"], gap["bytes"], gap["hash"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if type(lost) is not int or size != skipped.size or hashed != skipped.hash():
        return None
    return AuditGap(number, lost, size)


def check_audit(path: str | os.PathLike[str], *, head: str | None = None, digest: AuditDigest = "sha256") -> AuditCheck:
    """Check the whole chain of a file.

    Args:
        path: the file.
        head: a hash that was kept elsewhere. If the file does not contain it, lines were cut off.
        digest: the hash function with which the file was written.

    Returns:
        How many lines there are, and where records were lost.

    Raises:
        AuditError: the file was tampered with, or ends with a line that is cut short.
    """
    found, lines, last, gaps = head is None or head == _start(digest), 0, 0, list[AuditGap]()
    with Path(path).open("rb") as file:
        for last, here, gap in _walk(file, digest):  # noqa: B007 - used after the loop
            lines, found = lines + 1, found or here == head
            if gap is not None:
                gaps.append(gap)
    if not found:
        raise AuditError(
            last + 1, "lines are missing: the head that was kept is not in the file", "缺少若干行：文件中没有另存的链头"
        )
    return AuditCheck(lines, tuple(gaps))


class AuditFile:
    """An observer that appends every verdict to a chained file. Thread-safe, but a file has one writer at a time.

    The file is locked (by ``flock``, where the system has it) until it is closed or the process ends. A second writer
    is refused, because the lines of two writers break the chain.

    A record that cannot be written is lost, and `append` raises an `OSError`. The next one that can be written stands
    behind a line that states the gap, also after a restart.

    Args:
        path: the file. If it exists, its chain is checked and it is continued.
        sync: force each line to the disk before the caller gets the verdict.
        digest: the hash function of the chain.

    Raises:
        AuditError: the existing file was tampered with.
        BlockingIOError: the file has a writer, in another process or in this one.
        OSError: the file cannot be opened or locked.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = False, digest: AuditDigest = "sha256") -> None:
        self._sync, self._lock, self._made_in = sync, Lock(), generation()
        self._digest: AuditDigest = digest
        self.head = _start(digest)
        """The hash of the last line: keep it elsewhere."""
        self._torn = _Skipped(digest)  # what stands behind the last line
        self.lost = 0
        """How many records were lost since the last line."""
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - `close` closes it
        try:
            _lock(self._file, path)
            with Path(path).open("rb") as file:
                try:
                    for line in _walk(file, digest):
                        self.head = line.head
                except _TornError as error:
                    self._torn, self.lost = error.torn, 1
        except BaseException:
            self._file.close()
            raise
        _files.add(self)

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        self.append(event.to_dict())

    def append(self, record: dict[str, Any]) -> None:
        """Append any record of JSON-ready values.

        Raises:
            ValueError: a number that JSON does not have, such as NaN, or a member "gap"; nothing is written.
            OSError: it cannot be written, and is lost.
            RuntimeError: this process was forked from the one that writes the file.
        """
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if "gap" in record:
            raise ValueError('a record has no member "gap", which states that records are missing')
        if self._made_in != generation():
            raise RuntimeError("an audit file has one writer, and this process was forked from it: open one of its own")
        with self._lock:
            try:
                if self._torn.size or self.lost:
                    self._state_the_gap()
                self._write(b"", text.encode("utf-8", "backslashreplace"))  # half a character is an escape in JSON too
                if self._sync:
                    os.fsync(self._file.fileno())
            except OSError:
                self.lost += 1
                raise

    def _state_the_gap(self) -> None:
        end = _TORN if self._torn.size else b""
        skipped = self._torn.with_more(end)
        gap = {"gap": {"lost": self.lost, "bytes": skipped.size, "hash": skipped.hash()}}
        self._write(end, json.dumps(gap, separators=(",", ":")).encode())
        self.lost = 0

    def _write(self, before: bytes, record: bytes) -> None:
        """Write a line of the chain, or remember how much of it was written."""
        head = _link(self._digest, self.head, record).finalize().hex()
        rest = data = before + head.encode() + b" " + record + b"\n"
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self._torn.add(data[: len(data) - len(rest)])
            raise
        self.head = head
        if self._torn.size:
            self._torn = _Skipped(self._digest)

    def close(self) -> None:
        """Close the file, so that it may have another writer."""
        if fcntl is not None and not self._file.closed and self._made_in == generation():
            fcntl.flock(self._file, fcntl.LOCK_UN)  # a process that was started meanwhile may have the file open, too
        self._file.close()

    def __enter__(self) -> AuditFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an audit file has one writer, and is not pickled or copied")


_files: WeakSet[AuditFile] = WeakSet()


def _lock(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(
            error.errno, "an audit file has one writer, and this one has it already", str(path)
        ) from None


def _leave_to_the_parent() -> None:
    """Close the parent's files in a forked process, so that they are free when the parent ends."""
    for audit in _files:
        audit._file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
