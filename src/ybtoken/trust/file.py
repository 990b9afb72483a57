"""A ring in a file, for development, and for terminals to which people bring the files.

Nothing in the file is signed, so it is only as trustworthy as the way on which it came. Its reader remembers the newest
version that it has used, and every withdrawal, so a file from a backup does not make a withdrawn key valid again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ybtoken._state import DamagedStateError, State
from ybtoken.keys.keyset import load_key_set
from ybtoken.keys.ring import KeyRing
from ybtoken.trust.source import HeldRing

__all__ = ["FileRingSource"]


class FileRingSource(HeldRing):
    """A ring in a file that another program replaces (by renaming a new one over it). It has no end.

    A ring is refused, and the one that is held stays, if

    * it has a lower version (`yb_version`) than one that was used before, or none after one that had a version;
    * it has the same version and another content;
    * neither has a version, and a key that was withdrawn would be good again.

    Args:
        path: the file: a JWK Set, or a COSE_KeySet.
        state: the file that remembers what was used, over restarts; ``None`` remembers in this object only.
    """

    def __init__(self, path: str | Path, *, state: str | Path | None) -> None:
        super().__init__()
        self._path = Path(path)
        self._state = State(state)
        self._seen: tuple[int, int, int] | None = None
        self._digest = ""

    def refresh(self, now: int) -> bool:
        """See `ybtoken.trust.source.RingSource`. A file that has not changed is not read again."""
        with self._refreshing:
            try:
                about = self._path.stat()
                seen = (about.st_mtime_ns, about.st_size, about.st_ino)
                if seen == self._seen and self.problem is None:
                    return False
                return self._read(self._path.read_bytes(), seen, now)
            except DamagedStateError as error:
                return self._failed(str(error))
            except OSError as error:
                return self._failed(f"{error.filename or self._path} cannot be read or written: {error.strerror}")
            except (ValueError, RecursionError) as error:
                return self._failed(f"the file is no key ring: {error}")

    def _read(self, document: bytes, seen: tuple[int, int, int], now: int) -> bool:
        ring, digest = load_key_set(document), hashlib.sha256(document).hexdigest()
        with self._state.locked():
            before = self._state.read()
            if before is not None and (reason := _older(ring, digest, before)):
                return self._failed(reason)
            if before is None or before["digest"] != digest:
                self._state.write({"version": ring.version, "digest": digest, "withdrawn": _withdrawn(ring, before)})
        self.problem, self._seen = None, seen
        if digest == self._digest:
            return False
        self._digest = digest
        self._take(ring, None, now)
        return True


def _older(ring: KeyRing, digest: str, before: dict[str, Any]) -> str | None:
    """Why a ring must not replace what was seen before; ``None`` if it may."""
    version = before["version"]
    if ring.version < version:
        stated = f"version {ring.version}" if ring.version else "no version"
        return f"the ring has {stated}, and version {version} was used before"
    if ring.version > version or digest == before["digest"]:
        return None
    if version:
        return f"two rings have version {version}: a changed ring has a greater one"
    for entry in ring.entries:
        since = before["withdrawn"].get(entry.kid.hex())
        if since is not None and (entry.withdrawn_since is None or entry.withdrawn_since > since):
            return f"the ring would bring the key {entry.kid.hex()} back, which is withdrawn since {since}"
    return None


def _withdrawn(ring: KeyRing, before: dict[str, Any] | None) -> dict[str, int]:
    kept = {} if before is None or ring.version else before["withdrawn"]
    return kept | {e.kid.hex(): e.withdrawn_since for e in ring.entries if e.withdrawn_since is not None}
