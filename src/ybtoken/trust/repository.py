"""The publisher's side: a TUF repository of rings in a folder, which any web server can serve.

    metadata/1.root.json, N.snapshot.json, N.targets.json, N.<role>.json, timestamp.json
    targets/<sha256>.ring.jwks

Root and targets keys are kept offline or in hardware and are needed seldom; snapshot and timestamp keys are online and
sign again before each end. A verifier reads ``timestamp.json`` first, so it is replaced last, after all files to which
it leads. So a reader sees the old state or the new one, except while the keys of targets, snapshot or timestamp are
replaced: their new root and the timestamp are two files. A verifier that comes between them keeps the ring that it has
and takes the new state at its next refresh. A root that was there is never deleted, because a verifier that has seen it
goes back to no other.

Whoever can write the folder must not have the keys sign what he wrote. So a publisher begins with a root of his own,
which is kept beside the offline keys, and metadata is only changed and signed again if the keys of its role signed it.
"""

# The faces of tuf and securesystemslib name everything by plain imports.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ybtoken._checks import callback
from ybtoken._state import State, replace_file
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.protocols import SigningKey, VerifyingKey
from ybtoken.keys.ring import KeyRing
from ybtoken.trust.changes import RingChange, changes_between
from ybtoken.words import BoundsError, words_of

try:
    from tuf.api.metadata import (
        TOP_LEVEL_ROLE_NAMES,
        DelegatedRole,
        Delegations,
        Metadata,
        MetaFile,
        Root,
        Snapshot,
        Targets,
        Timestamp,
    )
    from tuf.api.serialization.json import JSONSerializer

    from ybtoken.trust._metadata import (
        ROLES,
        MetadataFolder,
        by_key_id,
        can_sign,
        checked_threshold,
        delegated_roles,
        file_info,
        refuse_too_few,
        sign,
        version_and_end,
    )
    from ybtoken.trust.signatures import MetadataSigner, metadata_key
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] not in ("tuf", "securesystemslib"):
        raise
    raise ModuleNotFoundError("a TUF repository needs: pip install 'ybtoken[tuf]'", name="tuf") from error

__all__ = ["LIFETIMES", "ROLES", "RingRepository"]

LIFETIMES: Mapping[str, int] = {
    Root.type: 365 * 86400,
    Targets.type: 90 * 86400,
    Snapshot.type: 7 * 86400,
    Timestamp.type: 86400,
}
"""For how many seconds each role's statement holds. The timestamp's is how long a terminal may miss a withdrawal."""

_NOTHING: Mapping[str, Any] = {}
_SERIALIZER = JSONSerializer(compact=False)


class RingRepository:
    """A repository in a folder. `create` makes one.

    Args:
        folder: with ``metadata/`` and ``targets/`` below.
        root: the bytes of root metadata that is trusted, such as the first one, from a copy outside the folder. Each
            root in the folder must follow from it. Without it the repository can be read, but nothing is signed.
        lifetimes: for how many seconds the statements of each role hold; see `LIFETIMES`. Delegated roles hold as long
            as ``targets``.
        clock: gives the seconds since 1970.

    Raises:
        ValueError: there is no repository, or its root is damaged or does not follow from ``root``.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        root: bytes | None = None,
        lifetimes: Mapping[str, int] = LIFETIMES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._files = MetadataFolder(Path(folder), root)
        self._lifetimes = {**LIFETIMES, **lifetimes}
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._changing = State(Path(folder) / "repository")
        self._files.root()

    @classmethod
    def create(
        cls,
        folder: str | Path,
        keys: Mapping[str, Iterable[VerifyingKey]],
        signers: Iterable[SigningKey],
        *,
        thresholds: Mapping[str, int] | None = None,
        lifetimes: Mapping[str, int] = LIFETIMES,
        clock: Callable[[], float] = time.time,
    ) -> RingRepository:
        """Make a repository without rings.

        Args:
            folder: a new folder.
            keys: the public keys of each role: root, targets, snapshot, timestamp.
            signers: private keys of all four roles.
            thresholds: how many keys of a role must sign; 1 if it is not given.
            lifetimes: see above, and so is ``clock``.

        Raises:
            ValueError: the folder has a repository, a role has too few keys, or too few of them sign.
        """
        metadata = Path(folder) / "metadata"
        if metadata.exists():
            raise BoundsError(f"{folder} has a repository already", f"{folder} 已有仓库")
        now = _time(clock())
        root = Root(expires=now + timedelta(seconds={**LIFETIMES, **lifetimes}[Root.type]))
        for role in ROLES:
            public = [metadata_key(key) for key in keys.get(role, ())]
            for key in public:
                root.add_key(key, role)
            root.roles[role].threshold = checked_threshold((thresholds or {}).get(role, 1), public, role)
        signed, by_id = Metadata(root), by_key_id(signers)
        sign(signed, root, Root.type, by_id)
        document = signed.to_bytes(_SERIALIZER)
        metadata.mkdir(parents=True)
        try:
            (Path(folder) / "targets").mkdir(exist_ok=True)
            replace_file(metadata / "1.root.json", document)
            repository = cls(folder, root=document, lifetimes=lifetimes, clock=clock)
            repository._write(repository._signed(Targets.type, _new(Targets), by_id, root))
            repository._write(*repository._finish(by_id, root))
        except BaseException:  # nobody has trusted this root yet
            for left in metadata.iterdir():
                left.unlink()
            metadata.rmdir()
            raise
        return repository

    @property
    def root(self) -> bytes:
        """The newest root metadata: what new verifiers are shipped with, and what is kept beside the offline keys."""
        return self._files.newest_root().to_bytes(_SERIALIZER)

    def rings(self) -> dict[str, bytes]:
        """The rings that are published now, by their paths: the repository's own, and those of delegated roles."""
        found: dict[str, bytes] = {}
        for role, targets in self._files.signing_rings().items():
            for path, info in targets.targets.items():
                if role == Targets.type or self._files.delegated(role).is_delegated_path(path):
                    found.setdefault(path, self._files.published(path, info))
        return found

    def roles(self) -> dict[str, tuple[int, int]]:
        """The roles that sign rings (targets, and those it delegates to), with their version and end."""
        return {name: version_and_end(targets) for name, targets in self._files.signing_rings().items()}

    def ends(self) -> dict[str, tuple[int, int]]:
        """Version and end (seconds since 1970) of every role."""
        root = self._files.root()
        online = {role: version_and_end(self._files.load(role, root)) for role in (Timestamp.type, Snapshot.type)}
        return {Root.type: version_and_end(root)} | online | self.roles()

    def publish(
        self,
        rings: Mapping[str, bytes],
        signers: Iterable[SigningKey],
        *,
        role: str = Targets.type,
        lift_withdrawal: bool = False,
    ) -> list[RingChange]:
        """Publish rings, or without any, sign again what would end.

        A changed ring has a greater version (``yb_version``) than the one before, if either has a version.

        Args:
            rings: JWK Sets by their paths; other paths of the role stay as they are.
            signers: the private keys that are at hand: those of the role if there are rings, and those of snapshot and
                timestamp. A province that has its own role only leaves the last two to the platform, which publishes
                without rings afterwards.
            role: who states these rings: ``targets``, or a delegated role.
            lift_withdrawal: allow that a withdrawal is taken back, or moved to later.

        Returns:
            What the rings changed.

        Raises:
            ValueError: a file is not a key ring, it must not follow the one before it, there are too few keys of a
                role, or metadata in the folder is not signed by its role. Nothing is changed then.
        """
        new = {path: _ring(path, document) for path, document in rings.items()}
        by_id, changes = by_key_id(signers), []
        with self._changing.locked():
            root = self._own_root()
            if role == Targets.type:
                delegator, targets = root, self._files.latest(role, root, root)
                is_due = self._ends_soon(targets) and can_sign(root, role, by_id)
            else:
                self._files.delegated(role)
                delegator = self._files.latest(Targets.type, root, root)
                is_due = not self._files.has(role)
                targets = (
                    _new(Targets, self._files.listed(role, root))
                    if is_due
                    else self._files.latest(role, delegator, root)
                )
            is_finished = role == Targets.type or can_sign(root, Timestamp.type, by_id)
            if rings or is_due:
                refuse_too_few(delegator, role, by_id)
                if is_finished:
                    self._refuse_unfinished(by_id, root)
                for path, document in rings.items():
                    before = targets.targets.get(path)
                    if before is None or before.hashes != file_info(path, document).hashes:
                        old = KeyRing() if before is None else _ring(path, self._files.published(path, before))
                        changes += _changes(path, old, new[path], lift_withdrawal=lift_withdrawal)
                self._put_files(targets, rings, role)
                self._write(self._signed(role, targets, by_id, delegator))
            if is_finished:
                self._write(*self._finish(by_id, root))
        return changes

    def delegate(
        self,
        role: str,
        paths: Iterable[str],
        keys: Iterable[VerifyingKey],
        signers: Iterable[SigningKey],
        *,
        threshold: int = 1,
    ) -> None:
        """Let other keys sign the rings at some paths, such as a province's; the role's first `publish` comes next.

        Args:
            role: the name of the new role, or of one whose keys are replaced.
            paths: patterns of paths, such as ``33/*``.
            keys: the public keys that may sign them.
            signers: private keys of targets, snapshot and timestamp.
            threshold: how many of the keys must sign.

        Raises:
            ValueError: the name of a top-level role, too few keys, or too few signers.
        """
        if role in TOP_LEVEL_ROLE_NAMES or not role.isascii() or not role.replace("-", "").isalnum():
            raise BoundsError(
                "a delegated role has a name of ASCII letters, digits and -, and none of the four",
                "受托角色的名称由 ASCII 字母、数字和 - 组成，且不是四个顶层角色之一",
            )
        public = [metadata_key(key) for key in keys]
        by_id = by_key_id(signers)
        with self._changing.locked():
            root = self._own_root()
            targets = self._files.latest(Targets.type, root, root)
            known = targets.delegations or Delegations({}, {})
            others = {name: each for name, each in (known.roles or {}).items() if name != role}
            needed = {keyid for each in others.values() for keyid in each.keyids}
            kept = {keyid: key for keyid, key in known.keys.items() if keyid in needed}
            ids = [key.keyid for key in public]
            made = DelegatedRole(
                role, ids, checked_threshold(threshold, public, role), terminating=True, paths=list(paths)
            )
            targets.delegations = Delegations(kept | {key.keyid: key for key in public}, {**others, role: made})
            self._refuse_unfinished(by_id, root)
            self._write(self._signed(Targets.type, targets, by_id, root))
            self._write(*self._finish(by_id, root))
            if self._files.has(role) and not self._files.is_good(role, targets):
                for path in self._files.numbered(
                    role
                ):  # signed with the keys that were replaced: nobody may use it any more
                    path.unlink()

    def rotate(
        self,
        role: str,
        keys: Iterable[VerifyingKey],
        signers: Iterable[SigningKey],
        *,
        threshold: int | None = None,
    ) -> None:
        """Replace the keys of a top-level role by a new root, which the keys of the old root sign as well.

        Args:
            role: root, targets, snapshot or timestamp.
            keys: the role's new public keys; the old ones are no longer trusted.
            signers: private keys of the present root, of the new root, and of the roles below that must sign again.
            threshold: how many of the new keys must sign; by default as many as before.

        Raises:
            ValueError: the role is another, or there are too few keys of a role. Nothing is changed then.
            OSError: a file cannot be written. Nothing is changed if there is no new root; otherwise verifiers may have
                seen it, so it stays, and the next `publish` or `rotate` completes the change.
        """
        if role not in ROLES:
            raise BoundsError(f"the role is one of {', '.join(ROLES)}", f"角色须为 {'、'.join(ROLES)} 之一")
        by_id = by_key_id(signers)
        with self._changing.locked():
            old, root = self._own_root(), self._own_root()
            public = [metadata_key(key) for key in keys]
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            for key in public:
                root.add_key(key, role)
            wanted = root.roles[role].threshold if threshold is None else threshold
            root.roles[role].threshold = checked_threshold(wanted, public, role)
            root.version += 1
            root.expires = self._end(Root.type)
            signed = Metadata(root)
            sign(signed, root, Root.type, by_id)
            sign(signed, old, Root.type, by_id, append=True)
            again = {
                Targets.type: [Targets.type, Snapshot.type, Timestamp.type],
                Snapshot.type: [Snapshot.type, Timestamp.type],
                Timestamp.type: [Timestamp.type],
            }.get(role, [])
            for each in again:
                refuse_too_few(root, each, by_id)
            before = {each: self._files.latest(each, old, old) for each in again}
            made = []
            if Targets.type in again:
                made.append(self._signed(Targets.type, before[Targets.type], by_id, root))
            if again:
                made += self._finish(by_id, root, before)
            new = (f"{root.version}.root.json", signed.to_bytes(_SERIALIZER))
            try:
                self._write(*made[:-1], new)
            except BaseException:
                if not (self._files.metadata / new[0]).exists():
                    self._files.drop_unfinished(old)
                raise
            self._write(*made[-1:])  # the timestamp; if this fails, the next change states one

    def _refuse_unfinished(self, by_id: Mapping[str, MetadataSigner], root: Root) -> None:
        """Refuse a change that the snapshot and the timestamp could not state, before anything is written."""
        for role in (Snapshot.type, Timestamp.type):
            refuse_too_few(root, role, by_id)
            if self._files.has(role):
                self._files.latest(role, root, root)

    def _finish(
        self, by_id: Mapping[str, MetadataSigner], root: Root, before: Mapping[str, Any] = _NOTHING
    ) -> list[tuple[str, bytes]]:
        """Snapshot, if a role has another version or the snapshot ends soon; and timestamp, always, as the last.

        ``before`` has what the keys of the root before this one signed, and the targets that go with the new one.
        """
        has = self._files.has(Snapshot.type)
        snapshot = before.get(Snapshot.type) or (self._files.load(Snapshot.type, root) if has else _new(Snapshot))
        timestamp = before.get(Timestamp.type) or (
            self._files.timestamp(root) if self._files.has(Timestamp.type) else _new(Timestamp)
        )
        listed = {name: each.version for name, each in snapshot.meta.items()}
        targets = before.get(Targets.type) or self._files.load(Targets.type, root)
        meta = {f"{Targets.type}.json": targets.version}
        for role in delegated_roles(targets):
            name = f"{role}.json"
            if self._files.has(role) and self._files.is_good(role, targets):
                meta[name] = max(self._files.load(role, targets).version, listed.get(name, 0))
            elif name in listed:
                meta[name] = listed[name]  # whatever lies there now, a verifier refuses a version below this one
        refuse_too_few(root, Timestamp.type, by_id)
        made = []
        if listed != meta or Snapshot.type in before or not has or self._ends_soon(snapshot):
            snapshot.meta = {name: MetaFile(version) for name, version in meta.items()}
            made.append(self._signed(Snapshot.type, snapshot, by_id, root))
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        return [*made, self._signed(Timestamp.type, timestamp, by_id, root)]

    def _signed(
        self, role: str, signed: Any, by_id: Mapping[str, MetadataSigner], delegator: Root | Targets
    ) -> tuple[str, bytes]:
        """The version after this one, signed: the name of its file, and its content."""
        signed.version += 1
        signed.expires = self._end(role)
        made: Metadata[Any] = Metadata(signed)
        sign(made, delegator, role, by_id)
        name = "timestamp.json" if role == Timestamp.type else f"{signed.version}.{role}.json"
        return name, made.to_bytes(_SERIALIZER)

    def _write(self, *files: tuple[str, bytes]) -> None:
        for name, data in files:
            replace_file(self._files.metadata / name, data)

    def _own_root(self) -> Root:
        """The newest root, for a change; nothing is in the way of it that a rotation left."""
        root = self._files.own_root()
        self._files.drop_unfinished(root)
        return root

    def _put_files(self, targets: Targets, rings: Mapping[str, bytes], role: str) -> None:
        for path, document in rings.items():
            if role != Targets.type and not self._files.delegated(role).is_delegated_path(path):
                raise BoundsError(f"the role {role} may not sign {path}", f"角色 {role} 无权签署 {path}")
            info = file_info(path, document)
            file = self._files.file(path, info)
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, document)
            targets.targets[path] = info

    def _end(self, role: str) -> datetime:
        lifetime = self._lifetimes.get(role, self._lifetimes[Targets.type])
        return _time(self._clock()) + timedelta(seconds=lifetime)

    def _ends_soon(self, signed: Any) -> bool:
        return bool(version_and_end(signed)[1] - self._clock() < self._lifetimes[signed.type] / 2)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _new(kind: type[Any], version: int = 0) -> Any:
    """A statement before its first version, or before the one after this."""
    signed = kind()
    signed.version = version
    return signed


def _ring(path: str, document: bytes) -> KeyRing:
    try:
        return load_jwks(document)
    except (ValueError, RecursionError) as error:
        words = words_of(error)
        raise BoundsError(f"{path} is no key ring: {words.en}", f"{path} 不是密钥环：{words.zh}") from error


def _changes(path: str, old: KeyRing, new: KeyRing, *, lift_withdrawal: bool) -> list[RingChange]:
    """What a ring changes. It is refused if it takes a withdrawal back, or cannot be told from the one before it."""
    changes = changes_between(old, new)
    lifted = [change.what for change in changes if change.lifts_withdrawal]
    if lifted and not lift_withdrawal:
        raise BoundsError(
            f"{path}: a withdrawal would be taken back, which only lift-withdrawal allows: "
            + "; ".join(what.en for what in lifted),
            f"{path}：将取消停用，须以 lift-withdrawal 明确允许：" + "；".join(what.zh for what in lifted),
        )
    if new.version < old.version or (new.version == old.version and new.version):
        raise BoundsError(
            f"{path}: version {old.version} is there already, and this is {new.version}: a changed ring has a greater "
            f"one",
            f"{path}：仓库中已是版本 {old.version}，此文件为版本 {new.version}：改动后的密钥环须用更大的版本号",
        )
    return changes
