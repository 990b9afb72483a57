"""A small file of state that survives a crash, a power loss, or a full disk.

The file is replaced as a whole after the new bytes are on the disk, so a reader finds the old content or the new
content. Processes that share the file take turns.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ybtoken.words import BoundsError

__all__ = ["DamagedStateError", "State", "all_are", "put_in_place", "replace_file"]

_DIGEST = "sha256"


class DamagedStateError(BoundsError):
    """The file does not have the content that was written: it is incomplete, or another file."""


class State:
    """A file that holds one JSON object.

    Args:
        path: the file; its folder is made if it is not there. ``None`` keeps the object in memory only.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = None if path is None else Path(path)
        self._held: dict[str, Any] | None = None

    def read(self) -> dict[str, Any] | None:
        """The object; ``None`` if nothing was written yet.

        Raises:
            OSError: the file cannot be read.
            DamagedStateError: it is damaged, so the last state is no longer known.
        """
        if self.path is None:
            return self._held
        try:
            line, _, body = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if line.decode("ascii", "replace") != f"{_DIGEST} {hashlib.sha256(body).hexdigest()}":
            raise self.damaged()
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self.damaged() from error
        if not isinstance(found, dict):
            raise self.damaged()
        return found

    def damaged(self) -> DamagedStateError:
        """The error of a file whose content is not what its owner wrote."""
        return DamagedStateError(
            f"the state in {self.path} is damaged, so what was seen last is not known; delete it to begin anew",
            f"状态文件 {self.path} 已损坏，上次所见无从得知；如要重新开始，请删除该文件",
        )

    def write(self, content: dict[str, Any]) -> None:
        """Replace the object; `OSError` if it cannot be written, and then the old object stays."""
        if self.path is None:
            self._held = content
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        body = json.dumps(content, ensure_ascii=False).encode()
        replace_file(self.path, f"{_DIGEST} {hashlib.sha256(body).hexdigest()}\n".encode() + body, mode=0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes that use this state out meanwhile, where the system has locks (not on Windows)."""
        if self.path is None:
            yield
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_name(f"{self.path.name}.lock").open("ab") as lock:
            with suppress(ModuleNotFoundError):
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file ends it
            yield


def all_are(kind: type, *items: object) -> bool:
    """Whether items that were read are of one kind; true and false are no numbers."""
    return all(type(item) is kind for item in items)


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace a file by one that is on the disk already, so that no reader and no crash sees half of it.

    Args:
        path: the file.
        data: its new content.
        mode: who may use it, less what the process's umask takes away.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
            stream.write(data)
        put_in_place(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def put_in_place(draft: Path, path: Path) -> None:
    """Give a finished file in the same folder its name, after its content is on the disk."""
    with draft.open("r+b") as stream:
        os.fsync(stream.fileno())
    draft.replace(path)
    with suppress(OSError):  # Windows has no descriptors of folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
