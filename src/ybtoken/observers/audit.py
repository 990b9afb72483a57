"""An audit file whose tampering is detected: every line holds the hash of the one before it.

A line is ``<SHA-256 in hex> <JSON>``. The hash is over the previous line's hash and the JSON, so changing, removing or
inserting a line breaks the chain from that line on. Cutting lines off the end does not break it: keep the last hash
(`AuditFile.head`) elsewhere from time to time, and give it to `check_audit`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from ybtoken.observers.event import VerdictEvent

__all__ = ["AuditError", "AuditFile", "check_audit"]

_START = hashlib.sha256(b"ybtoken audit 1").hexdigest()


class AuditError(ValueError):
    """The chain is broken. ``line`` is the number of the first line that does not fit, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


def _link(previous: str, record: str) -> str:
    return hashlib.sha256(f"{previous}\n{record}".encode()).hexdigest()


def _walk(path: Path) -> Iterator[tuple[int, str]]:
    head = _START
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            stated, _, record = line.rstrip("\n").partition(" ")
            head = _link(head, record)
            if not line.endswith("\n") or stated != head:
                raise AuditError(number, "changed, inserted, cut short, or what stood before it is missing")
            yield number, head


def check_audit(path: str | os.PathLike[str], *, head: str | None = None) -> int:
    """Check the whole chain of a file, and return the number of its lines.

    Args:
        path: the file.
        head: a hash that was kept elsewhere. If the file does not contain it, lines were cut off.

    Raises:
        AuditError: the file was tampered with.
    """
    count, found = 0, head is None or head == _START
    for number, here in _walk(Path(path)):
        count, found = number, found or here == head
    if not found:
        raise AuditError(count + 1, "lines are missing: the head that was kept is not in the file")
    return count


class AuditFile:
    """An observer that appends every verdict to a chained file. Thread-safe, but a file has one writer at a time.

    Args:
        path: the file. If it exists, its chain is checked and it is continued.
        sync: force each line to the disk before the caller gets the verdict.

    Raises:
        AuditError: the file that is to be continued was tampered with.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = False) -> None:
        self._path, self._sync, self._lock = Path(path), sync, Lock()
        self.head = _START
        """The hash of the last line: keep it elsewhere."""
        if self._path.exists():
            for _, head in _walk(self._path):
                self.head = head
        self._file = self._path.open("a", encoding="utf-8", newline="\n")

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        self.append(event.to_dict())

    def append(self, record: dict[str, Any]) -> None:
        """Append any record of JSON-ready values."""
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            head = _link(self.head, text)
            self._file.write(f"{head} {text}\n")
            self._file.flush()
            if self._sync:
                os.fsync(self._file.fileno())
            self.head = head

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> AuditFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
