"""The files of a guard in SQLite: how its file is made, and what the files beside it show.

The witness (``.witness``) holds the latest number of the journal, and is not part of the database: it shows that a
backup was put in the place of the file. SQLite's log (``-wal``) is older than a file that was copied over it, and stays
the same as long as somebody uses the file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where closing a file gives up no locks of others
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone_in", "log_of", "make", "was_covered", "witness", "witnessed"]

_WIDTH = 18  # digits in the witness
_CHECKPOINT = 10.0  # seconds that SQLite may take from writing its log to writing the file
_MAKE = os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def alone_in(folder: Path, end: float) -> Iterator[None]:
    """Let no other guard, of any thread or process, make or open a file in a folder meanwhile.

    Args:
        folder: the folder.
        end: until when to wait, by the monotonic clock.

    Raises:
        TimeoutError: another one does so until then.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError("another program is opening the file") from None
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def make(path: Path) -> os.stat_result:
    """Make a file that its owner alone can read, where none is; returns its state.

    A log that the file of this name had before is removed, because SQLite would take it for that of the new file.
    """
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{end}")
    descriptor = os.open(path, _MAKE | os.O_EXCL, 0o600)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def log_of(path: Path) -> int | None:
    """Which file is the log of a file that is in use; ``None`` if there is none."""
    try:
        return os.stat(f"{path}-wal").st_ino
    except FileNotFoundError:
        return None


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
