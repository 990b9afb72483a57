"""A ring in a file, for development, and for terminals to which people bring the files.

Nothing in the file is signed, so it is only as trustworthy as the way on which it came. Its reader remembers the newest
version that it has used, every withdrawal, and every key that was removed, so a file from a backup does not make such a
key valid again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ybtoken._state import DamagedStateError, State, all_are
from ybtoken.keys.keyset import load_key_set
from ybtoken.keys.ring import KeyRing
from ybtoken.trust.source import HeldRing
from ybtoken.words import Reason, words_of

__all__ = ["FileRingSource"]


class FileRingSource(HeldRing):
    """A ring in a file that another program replaces (by renaming a new one over it). It has no end.

    A ring is refused, and the one that is held stays, if

    * it has a lower version (`yb_version`) than one that was used before, or none after one that had a version;
    * it has the same version and another content;
    * none that was used before had a version, and a key that was withdrawn or removed would be good again;
    * a key that was withdrawn, and then removed, would be good again.

    So it takes a version to undo a mistake: a ring with a greater one than the ring before may take a withdrawal back.

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
                return self._failed(Reason(*error.words))
            except OSError as error:
                file = error.filename or self._path
                return self._failed(
                    Reason(f"{file} cannot be read or written: {error.strerror}", f"无法读写 {file}：{error.strerror}")
                )
            except (ValueError, RecursionError) as error:
                words = words_of(error)
                return self._failed(Reason(f"the file is no key ring: {words.en}", f"文件不是密钥环：{words.zh}"))

    def _read(self, document: bytes, seen: tuple[int, int, int], now: int) -> bool:
        ring, digest = load_key_set(document), hashlib.sha256(document).hexdigest()
        with self._state.locked():
            content = self._state.read()
            before = _Used() if content is None else _used(content)
            if before is None:
                raise self._state.damaged()
            if reason := _older(ring, digest, before):
                return self._failed(reason)
            if before.digest != digest:
                self._state.write(_after(ring, digest, before)._asdict())
        self.problem, self._seen = None, seen
        if digest == self._digest:
            return False
        self._digest = digest
        self._take(ring, None, now)
        return True


class _Used(NamedTuple):
    """What is remembered: the last ring that was used, and what its predecessors said of keys."""

    version: int = 0
    digest: str = ""
    keys: Sequence[str] = ()
    removed: Sequence[str] = ()
    """Keys that a ring had once, and the last one had not."""
    withdrawn: Mapping[str, int] = {}


def _used(content: dict[str, Any]) -> _Used | None:
    match content:
        case {
            "version": version,
            "digest": digest,
            "keys": list(keys),
            "removed": list(removed),
            "withdrawn": dict(withdrawn),
        } if len(content) == len(_Used._fields):
            if all_are(int, version, *withdrawn.values()) and all_are(str, digest, *keys, *removed):
                return _Used(**content)
    return None


def _older(ring: KeyRing, digest: str, before: _Used) -> Reason | None:
    """Why a ring must not replace what was seen before; ``None`` if it may."""
    version = before.version
    if ring.version < version:
        en, zh = (f"version {ring.version}", f"版本为 {ring.version}") if ring.version else ("no version", "没有版本号")
        return Reason(
            f"the ring has {en}, and version {version} was used before", f"密钥环{zh}，而此前已用过版本 {version}"
        )
    if digest == before.digest:
        return None
    if version and ring.version == version:
        return Reason(
            f"two rings have version {version}: a changed ring has a greater one",
            f"两个密钥环的版本同为 {version}：改动后的密钥环须用更大的版本号",
        )
    for entry in ring.entries:
        kid = entry.kid.hex()
        is_removed, since = kid in before.removed, before.withdrawn.get(kid)
        is_lifted = since is not None and (entry.withdrawn_since is None or entry.withdrawn_since > since)
        if is_lifted and (is_removed or not version):
            return Reason(
                f"the ring would bring the key {kid} back, which is withdrawn since {since}",
                f"密钥环会使自 {since} 起停用的密钥 {kid} 重新有效",
            )
        if is_removed and not version:
            return Reason(
                f"the ring would bring the key {kid} back, which was removed", f"密钥环会使已移除的密钥 {kid} 重新有效"
            )
    return None


def _after(ring: KeyRing, digest: str, before: _Used) -> _Used:
    keys = [entry.kid.hex() for entry in ring.entries]
    removed = sorted({*before.removed, *before.keys}.difference(keys))
    withdrawn = {kid: since for kid, since in before.withdrawn.items() if kid in removed}
    withdrawn |= {e.kid.hex(): e.withdrawn_since for e in ring.entries if e.withdrawn_since is not None}
    return _Used(ring.version, digest, keys, removed, withdrawn)
