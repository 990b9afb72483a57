"""An audit file whose tampering is detected: every line holds the hash of the one before it.

A line is ``<hash in hex> <JSON>``. The hash is SHA-256, or SM3 where national algorithms are required. It is over the
previous line's hash and the JSON, so changing, removing or inserting a line breaks the chain from that line on. Cutting
lines off the end does not break it: from time to time keep the last hash (`AuditFile.head`) elsewhere, and give it to
`check_audit`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias

from cryptography.hazmat.primitives import hashes

from ybtoken.observers.event import VerdictEvent

__all__ = ["AuditDigest", "AuditError", "AuditFile", "check_audit"]

AuditDigest: TypeAlias = Literal["sha256", "sm3"]
"""The hash function of an audit file. A file is checked with the one with which it was written."""


class AuditError(ValueError):
    """The chain is broken. ``line`` is the number of the first line that does not fit, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


def _hash(digest: AuditDigest, data: bytes) -> str:
    if digest not in ("sha256", "sm3"):
        raise ValueError(f'digest is "sha256" or "sm3", not {digest!r}')
    state = hashes.Hash(hashes.SM3() if digest == "sm3" else hashes.SHA256())
    state.update(data)
    return state.finalize().hex()


def _start(digest: AuditDigest) -> str:
    return _hash(digest, b"ybtoken audit 1")


def _link(digest: AuditDigest, previous: str, record: str) -> str:
    return _hash(digest, f"{previous}\n{record}".encode())


def _walk(path: Path, digest: AuditDigest) -> Iterator[tuple[int, str]]:
    head = _start(digest)
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            stated, _, record = line.rstrip("\n").partition(" ")
            head = _link(digest, head, record)
            if not line.endswith("\n") or stated != head:
                raise AuditError(number, "changed, inserted, cut short, or what stood before it is missing")
            yield number, head


def check_audit(path: str | os.PathLike[str], *, head: str | None = None, digest: AuditDigest = "sha256") -> int:
    """Check the whole chain of a file, and return the number of its lines.

    Args:
        path: the file.
        head: a hash that was kept elsewhere. If the file does not contain it, lines were cut off.
        digest: the hash function with which the file was written.

    Raises:
        AuditError: the file was tampered with.
    """
    count, found = 0, head is None or head == _start(digest)
    for number, here in _walk(Path(path), digest):
        count, found = number, found or here == head
    if not found:
        raise AuditError(count + 1, "lines are missing: the head that was kept is not in the file")
    return count


class AuditFile:
    """An observer that appends every verdict to a chained file. Thread-safe, but a file has one writer at a time.

    Args:
        path: the file. If it exists, its chain is checked and it is continued.
        sync: force each line to the disk before the caller gets the verdict.
        digest: the hash function of the chain.

    Raises:
        AuditError: the existing file was tampered with.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = False, digest: AuditDigest = "sha256") -> None:
        self._path, self._sync, self._lock = Path(path), sync, Lock()
        self._digest: AuditDigest = digest
        self.head = _start(digest)
        """The hash of the last line: keep it elsewhere."""
        if self._path.exists():
            for _, head in _walk(self._path, digest):
                self.head = head
        self._file = self._path.open("a", encoding="utf-8", newline="\n")

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        self.append(event.to_dict())

    def append(self, record: dict[str, Any]) -> None:
        """Append any record of JSON-ready values."""
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            head = _link(self._digest, self.head, text)
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
