"""Rings from a TUF repository (extra ``tuf``), over HTTP or from a folder.

`python-tuf` checks what The Update Framework requires: thresholds of signatures, roots that replace each other in turn,
no version below one that was seen, ends, sizes, hashes. This module adds what it leaves to an application: the clock is
an argument, the ring and its end are stored on disk before they are used, and a province's ring may state only places
of that province.
"""

# The faces of tuf and securesystemslib name everything by plain imports.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from ybtoken._checks import instance, uint
from ybtoken._state import DamagedStateError, State, all_are
from ybtoken.errors import CannotCheckError
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.places import Scope
from ybtoken.trust.source import HeldRing
from ybtoken.words import BoundsError, Reason, words_of

try:
    from tuf.api import exceptions
    from tuf.api.metadata import Metadata, Root
    from tuf.ngclient import Updater, UpdaterConfig

    from ybtoken.trust import signatures as _  # noqa: F401 - so that SM2 signatures are known
    from ybtoken.trust.fetch import FolderFetcher, HttpFetcher
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] not in ("tuf", "securesystemslib", "urllib3"):
        raise
    raise ModuleNotFoundError("rings from a TUF repository need: pip install 'ybtoken[tuf]'", name="tuf") from error

__all__ = ["RING", "TufRingSource"]

RING = "ring.jwks"
"""The usual path of the national ring among a repository's targets."""

_WHOLE_COUNTRY: Mapping[str, Scope] = {RING: Scope()}


class _Statement(NamedTuple):
    """The result of a refresh."""

    versions: dict[str, int]
    expires_at: int
    documents: dict[str, str]


class TufRingSource(HeldRing):
    """The ring of a TUF repository.

    Args:
        repository: its address (``https://...``), or its folder as a `Path`; with ``metadata/`` and ``targets/`` below.
        root: the bytes of the root metadata with which this verifier was shipped, from which all trust follows.
        state: a folder that only this source uses; it keeps the newest versions and the ring over restarts.
        targets: paths of rings, each with the places that its entries may sign for; together they are the ring. A
            province's ring, whose path is delegated to the province's keys, gets the province's scope. By default the
            one ring ``ring.jwks`` for the whole country.
        grace: see `HeldRing`.
        timeout: after how many seconds a refresh is given up.
        max_bytes: the most bytes of one ring.
        proxy: the address of an HTTP proxy.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds, or the root is not root metadata.
    """

    def __init__(
        self,
        repository: str | Path,
        root: bytes,
        *,
        state: str | Path,
        targets: Mapping[str, Scope] = _WHOLE_COUNTRY,
        grace: int = 0,
        timeout: int = 20,
        max_bytes: int = 1 << 24,
        proxy: str | None = None,
    ) -> None:
        super().__init__(grace=grace)
        self._repository = _checked_repository(repository)
        self._root = _checked_root(root)
        self._targets = dict(targets)
        if not self._targets:
            raise ValueError("targets has at least one path of a ring")
        for path, scope in self._targets.items():
            instance(f"the scope of {path!r}", scope, Scope, "a Scope")
        self._timeout = uint("timeout", timeout, minimum=1)
        self._max_bytes = uint("max_bytes", max_bytes, minimum=1)
        self._proxy = proxy
        self._folder = Path(state)
        self._state = State(self._folder / "ring.state")
        self._ended = State(self._folder / "ended.state")
        self._noting = Lock()
        self._source = hashlib.sha256(repr((root, sorted(self._targets))).encode()).hexdigest()
        self._remembered: _Statement | None = None
        try:
            self._remember()
        except (OSError, DamagedStateError, _UnusableError) as error:  # and so does every refresh, until it is mended
            self._failed(_reason(error))

    def refresh(self, now: int) -> bool:
        """See `ybtoken.trust.source.RingSource`."""
        with self._refreshing:
            try:
                with self._state.locked():
                    self._remember()  # another process may have seen more
                    at = now if self._held is None else max(now, self._held.seen_at)
                    stated = self._fetch(at)
                    taken = self._learn(stated, at)
            except Exception as error:  # whatever a repository contains, the ring that is held stays
                taken = self._failed(_reason(error))
            else:
                self.problem = None
            with suppress(CannotCheckError):
                self.ring(now)  # that it has ended is remembered, even if nobody asks before a restart
            return taken

    def _remember(self) -> None:
        """Take over the state that was used last, by this process before a restart or by another process."""
        match self._state.read():
            case None:
                return
            case {
                "source": str(source),
                "seen_at": seen_at,
                "versions": {"root": _} as versions,
                "expires_at": expires_at,
                "documents": dict(documents),
            } if all_are(int, seen_at, expires_at, *versions.values()) and all_are(str, *documents.values()):
                stated = _Statement(versions, expires_at, documents)
            case _:
                raise self._state.damaged()
        if source == self._source and documents.keys() != self._targets.keys():
            raise self._state.damaged()
        if source == self._source and (self._remembered is None or versions != self._remembered.versions):
            # Otherwise it is the state of another root, or known.
            try:
                self._use(stated, seen_at)
            except _UnusableError:  # it was kept with other scopes: its versions count, and its ring is fetched again
                self._remembered = stated._replace(documents={})
                raise

    def _fetch(self, now: int) -> _Statement:
        metadata = self._folder / "metadata"
        metadata.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        is_folder = isinstance(self._repository, Path)
        base = "" if is_folder else f"{self._repository}/"
        # Lengths that metadata states are signed; these bounds are for what is fetched before that is known.
        config = UpdaterConfig(max_root_rotations=64, snapshot_max_length=1 << 20, targets_max_length=1 << 20)
        with self._fetcher() as fetcher:
            updater = Updater(
                str(metadata),
                f"{base}metadata/",
                None,
                f"{base}targets/",
                fetcher,
                config,
                bootstrap=self._root,
            )
            # The clock is an argument here, and python-tuf reads its own once, into this attribute.
            trusted = updater._trusted_set
            if not isinstance(getattr(trusted, "reference_time", None), datetime):
                raise _UnusableError(
                    "this version of python-tuf keeps its time elsewhere, so ends cannot be checked: install one that "
                    "ybtoken was tested with",
                    "此版本的 python-tuf 以其他方式保存时间，无法检查有效期：请安装 ybtoken 测试过的版本",
                )
            trusted.reference_time = datetime.fromtimestamp(now, UTC)
            updater.refresh()
            documents = {path: self._target(updater, path) for path in self._targets}
        versions = {signed.type: signed.version for signed in (trusted.root, trusted.timestamp, trusted.snapshot)}
        versions |= {name.removesuffix(".json"): meta.version for name, meta in trusted.snapshot.meta.items()}
        expires_at = min(int(signed.expires.timestamp()) for signed in trusted)
        return _Statement(versions, expires_at, documents)

    def _target(self, updater: Updater, path: str) -> str:
        info = updater.get_targetinfo(path)
        if info is None:
            raise _UnusableError(
                f"the repository has no {path}, or its role may not sign that path",
                f"仓库中没有 {path}，或其角色无权签署该路径",
            )
        if info.length > self._max_bytes:
            raise _UnusableError(
                f"{path} has {info.length} bytes, and {self._max_bytes} are allowed",
                f"{path} 有 {info.length} 字节，上限为 {self._max_bytes}",
            )
        file = self._folder / f"target.{hashlib.sha256(path.encode()).hexdigest()[:16]}"
        if updater.find_cached_target(info, str(file)) is None:
            updater.download_target(info, str(file))
        data = file.read_bytes()
        info.verify_length_and_hashes(data)  # the bytes that were read are those that were checked
        return data.decode()

    def _fetcher(self) -> FolderFetcher | HttpFetcher:
        if isinstance(self._repository, Path):
            return FolderFetcher(self._repository)
        return HttpFetcher(self._timeout, self._proxy)

    def _learn(self, stated: _Statement, now: int) -> bool:
        known = self._remembered
        if known is not None:
            # python-tuf compares with the metadata that it keeps; this also holds if those files were lost. A new root
            # may begin the other roles anew: that is how a stolen key which signed far too high a version is replaced.
            is_same_root = stated.versions[Root.type] == known.versions[Root.type]
            for role, version in stated.versions.items():
                if version < known.versions.get(role, 0) and (is_same_root or role == Root.type):
                    raise _UnusableError(
                        f"the repository offers {role} version {version}, and {known.versions[role]} was seen before",
                        f"仓库提供的 {role} 为版本 {version}，而此前已见过版本 {known.versions[role]}",
                    )
            if stated.versions == known.versions and known.documents:
                return False
        _ring_of(stated.documents, self._targets)  # refused before it is remembered
        content = {"source": self._source, "seen_at": now, **stated._asdict()}
        self._state.write(content)
        return self._use(stated, now)

    def _use(self, stated: _Statement, seen_at: int) -> bool:
        held, known = self._held, self._remembered
        is_same = held is not None and known is not None and known.documents == stated.documents
        ring = held.ring if is_same and held is not None else _ring_of(stated.documents, self._targets)
        has_ended = self._ended.read() == {"versions": stated.versions}
        self._remembered = stated
        self._take(ring, stated.expires_at, seen_at, has_ended=has_ended, about=stated.versions)
        return not is_same

    def _note_end(self, about: object) -> None:
        # Without the lock, which a refresh holds while it waits for the network.
        with suppress(OSError), self._noting:
            if self._remembered is not None and self._remembered.versions == about:
                self._ended.write({"versions": about})

    def _sweep(self) -> None:
        """Remove drafts that a process left when it was killed."""
        for draft in (self._folder / "metadata").glob("tmp*"):
            with suppress(OSError):
                os.unlink(draft)


class _UnusableError(BoundsError):
    """The content of a repository cannot be used; the message says why."""


def _checked_repository(repository: str | Path) -> str | Path:
    if isinstance(repository, Path):
        return repository
    if not isinstance(repository, str) or urlsplit(repository).scheme not in ("http", "https"):
        raise TypeError("repository is the address of a repository (https://...), or its folder as a Path")
    return repository.rstrip("/")


def _checked_root(root: bytes) -> bytes:
    if not isinstance(root, bytes):
        raise TypeError(f"root is the bytes of root metadata, not {type(root).__name__}")
    try:
        Metadata[Root].from_bytes(root).verify_delegate(Root.type, Metadata[Root].from_bytes(root))
    except exceptions.RepositoryError as error:
        raise BoundsError(
            f"root is no root metadata with enough good signatures: {error}",
            f"root 不是根元数据，或其有效签名数未达门限：{error}",
        ) from error
    return root


def _ring_of(documents: Mapping[str, str], targets: Mapping[str, Scope]) -> KeyRing:
    entries: list[KeyEntry] = []
    version = 0
    for path, document in documents.items():
        try:
            ring = load_jwks(document)
        except (ValueError, RecursionError) as error:
            words = words_of(error)
            raise _UnusableError(f"{path} is no key ring: {words.en}", f"{path} 不是密钥环：{words.zh}") from error
        for entry in ring.entries:
            if not targets[path].includes(entry.scope):
                raise _UnusableError(
                    f"{path} may state keys for {targets[path]} only, and {entry.kid.hex()} has {entry.scope}",
                    f"{path} 只可列出 {targets[path]} 的密钥，而 {entry.kid.hex()} 的范围为 {entry.scope}",
                )
        entries += ring.entries
        version = max(version, ring.version)
    try:
        return KeyRing(entries, version=version)
    except ValueError as error:
        words = words_of(error)
        raise _UnusableError(f"the rings do not go together: {words.en}", f"各密钥环不能合并：{words.zh}") from error


def _reason(error: Exception) -> Reason:
    """The reason of a failure, as a sentence for an operator."""
    match error:
        case _UnusableError() | DamagedStateError():
            return Reason(*error.words)
        case exceptions.BadVersionNumberError():
            en, zh = (
                "the repository offers an older or another version than was stated",
                "仓库提供了更旧或与声明不符的版本",
            )
        case exceptions.ExpiredMetadataError():
            en, zh = "the repository stands still, or this clock is wrong", "仓库停止更新，或本机时钟有误"
        case exceptions.UnsignedMetadataError():
            en, zh = "too few good signatures", "有效签名不足"
        case exceptions.LengthOrHashMismatchError():
            en, zh = "a file is not the one that was signed", "文件不是已签名的文件"
        case exceptions.RepositoryError():
            en, zh = "the metadata is not valid", "元数据无效"
        case exceptions.DownloadLengthMismatchError():
            en, zh = "a file is longer than it may be", "文件超过允许的长度"
        case exceptions.SlowRetrievalError():
            return Reason("the repository did not answer in time", "仓库未及时应答")
        case exceptions.DownloadHTTPError():
            en, zh = "a file is missing from the repository", "仓库中缺少文件"
        case exceptions.DownloadError():
            return Reason("the repository cannot be reached", "无法连接仓库")
        case OSError():
            file, what = error.filename, error.strerror
            return Reason(f"the state in {file} cannot be read or written: {what}", f"无法读写状态文件 {file}：{what}")
        case _:
            en, zh = "the repository's answer is not understood", "无法理解仓库的应答"
    return Reason(f"{en}: {error}", f"{zh}：{error}")
