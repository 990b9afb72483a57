"""The files beside a guard's file, which show that a backup was put in its place.

The witness (``.witness``) holds the latest number of the journal, and is not part of the database. SQLite's log
(``-wal``) is older than a file that was copied over it.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["make", "was_covered", "witness", "witnessed"]

_WIDTH = 18  # digits in the witness
_CHECKPOINT = 10.0  # seconds that SQLite may take from writing its log to writing the file
_MAKE = os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def make(path: Path) -> os.stat_result:
    """Make a file that its owner alone can read, if there is none; returns its state."""
    descriptor = os.open(path, _MAKE, 0o600)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def was_covered(path: Path, about: os.stat_result) -> bool:
    """Whether a file was written without its log, as when a backup is copied over it after a kill.

    SQLite then puts the latest pages of the log, with the latest number, on the old ones of the backup. It writes to
    the file itself only just after the log.
    """
    try:
        log = os.stat(f"{path}-wal")
    except FileNotFoundError:
        return False
    return log.st_size > 0 and about.st_mtime > log.st_mtime + _CHECKPOINT


def witness(path: Path, number: int) -> None:
    """Write the latest number of the journal of the file ``path`` into its witness."""
    name = f"{path}.witness"
    try:
        descriptor = os.open(name, _MAKE & ~os.O_CREAT)
    except FileNotFoundError:
        descriptor = os.open(name, _MAKE, 0o600)
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # an operator's command must not keep it from the service
            about = os.stat(path)
            os.fchown(descriptor, about.st_uid, about.st_gid)
    try:
        os.write(descriptor, b"%0*d" % (_WIDTH, number))
    finally:
        os.close(descriptor)


def witnessed(path: Path) -> int | None:
    """The number that the witness holds; `None` if it holds none."""
    try:
        held = Path(f"{path}.witness").read_bytes()
    except FileNotFoundError:
        return None
    return int(held) if len(held) == _WIDTH and held.isdigit() else None
