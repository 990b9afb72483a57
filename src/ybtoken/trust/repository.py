"""The publisher's side: a TUF repository of rings in a folder, which any web server can serve.

    metadata/1.root.json, N.snapshot.json, N.targets.json, N.<role>.json, timestamp.json
    targets/<sha256>.ring.jwks

Root and targets keys are kept offline or in hardware and are needed seldom; snapshot and timestamp keys are online and
sign again before each end. A verifier reads ``timestamp.json`` first, so it is replaced last, after all files to which
it leads. So a reader sees the old state or the new one.

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
    from securesystemslib.signer import Key
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import (
        TOP_LEVEL_ROLE_NAMES,
        DelegatedRole,
        Delegations,
        Metadata,
        MetaFile,
        Root,
        Snapshot,
        TargetFile,
        Targets,
        Timestamp,
    )
    from tuf.api.serialization.json import JSONSerializer

    from ybtoken.trust.signatures import MetadataSigner, metadata_key
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] not in ("tuf", "securesystemslib"):
        raise
    raise ModuleNotFoundError("a TUF repository needs: pip install 'ybtoken[tuf]'", name="tuf") from error

__all__ = ["LIFETIMES", "ROLES", "RingRepository"]

ROLES = (Root.type, Targets.type, Snapshot.type, Timestamp.type)
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
        self._metadata = Path(folder) / "metadata"
        self._targets = Path(folder) / "targets"
        self._lifetimes = {**LIFETIMES, **lifetimes}
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._changing = State(Path(folder) / "repository")
        self._pinned = root
        self._root()

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
            root.roles[role].threshold = _threshold((thresholds or {}).get(role, 1), public, role)
        signed, by_id = Metadata(root), _by_id(signers)
        _sign(signed, root, Root.type, by_id)
        metadata.mkdir(parents=True)
        (Path(folder) / "targets").mkdir(exist_ok=True)
        document = signed.to_bytes(_SERIALIZER)
        replace_file(metadata / "1.root.json", document)
        try:
            repository = cls(folder, root=document, lifetimes=lifetimes, clock=clock)
            repository._write(Targets.type, _new(Targets), by_id, root)
            repository._finish(by_id, root)
        except BaseException:
            (metadata / "1.root.json").unlink()
            for left in metadata.iterdir():
                left.unlink()
            metadata.rmdir()
            raise
        return repository

    @property
    def root(self) -> bytes:
        """The newest root metadata: what new verifiers are shipped with, and what is kept beside the offline keys."""
        return self._newest_root().to_bytes(_SERIALIZER)

    def rings(self) -> dict[str, bytes]:
        """The rings that are published now, by their paths: the repository's own, and those of delegated roles."""
        found: dict[str, bytes] = {}
        for role, targets in self._signing_rings().items():
            for path, info in targets.targets.items():
                if role == Targets.type or self._delegated(role).is_delegated_path(path):
                    found.setdefault(path, self._published(path, info))
        return found

    def roles(self) -> dict[str, tuple[int, int]]:
        """The roles that sign rings (targets, and those it delegates to), with their version and end."""
        return {name: _about(targets) for name, targets in self._signing_rings().items()}

    def ends(self) -> dict[str, tuple[int, int]]:
        """Version and end (seconds since 1970) of every role."""
        root = self._root()
        online = {role: _about(self._load(role, root)) for role in (Timestamp.type, Snapshot.type)}
        return {Root.type: _about(root)} | online | self.roles()

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
        by_id, changes = _by_id(signers), []
        with self._changing.locked():
            root = self._own_root()
            if role == Targets.type:
                delegator, targets = root, self._latest(role, root, root)
                is_due = self._ends_soon(targets) and _can(root, role, by_id)
            else:
                self._delegated(role)
                delegator = self._latest(Targets.type, root, root)
                is_due = not self._has(role)
                targets = _new(Targets, self._listed(role, root)) if is_due else self._latest(role, delegator, root)
            is_finished = role == Targets.type or _can(root, Timestamp.type, by_id)
            if rings or is_due:
                _refuse_too_few(delegator, role, by_id)
                if is_finished:
                    self._refuse_unfinished(by_id, root)
                for path, document in rings.items():
                    before = targets.targets.get(path)
                    if before is None or before.hashes != _about_file(path, document).hashes:
                        old = KeyRing() if before is None else _ring(path, self._published(path, before))
                        changes += _changes(path, old, new[path], lift_withdrawal=lift_withdrawal)
                self._put_files(targets, rings, role)
                self._write(role, targets, by_id, delegator)
            if is_finished:
                self._finish(by_id, root)
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
        by_id = _by_id(signers)
        with self._changing.locked():
            root = self._own_root()
            targets = self._latest(Targets.type, root, root)
            known = targets.delegations or Delegations({}, {})
            others = {name: each for name, each in (known.roles or {}).items() if name != role}
            needed = {keyid for each in others.values() for keyid in each.keyids}
            kept = {keyid: key for keyid, key in known.keys.items() if keyid in needed}
            ids = [key.keyid for key in public]
            made = DelegatedRole(role, ids, _threshold(threshold, public, role), terminating=True, paths=list(paths))
            targets.delegations = Delegations(kept | {key.keyid: key for key in public}, {**others, role: made})
            self._refuse_unfinished(by_id, root)
            self._write(Targets.type, targets, by_id, root)
            self._finish(by_id, root)
            if self._has(role) and not self._is_good(role, targets):
                for path in self._numbered(role):  # signed with the keys that were replaced: nobody may use it any more
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
        """
        if role not in ROLES:
            raise BoundsError(f"the role is one of {', '.join(ROLES)}", f"角色须为 {'、'.join(ROLES)} 之一")
        by_id = _by_id(signers)
        with self._changing.locked():
            old, root = self._own_root(), self._own_root()
            public = [metadata_key(key) for key in keys]
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            for key in public:
                root.add_key(key, role)
            wanted = root.roles[role].threshold if threshold is None else threshold
            root.roles[role].threshold = _threshold(wanted, public, role)
            root.version += 1
            root.expires = self._end(Root.type)
            signed = Metadata(root)
            _sign(signed, root, Root.type, by_id)
            _sign(signed, old, Root.type, by_id, append=True)
            again = {
                Targets.type: [Targets.type, Snapshot.type, Timestamp.type],
                Snapshot.type: [Snapshot.type, Timestamp.type],
                Timestamp.type: [Timestamp.type],
            }.get(role, [])
            for each in again:
                _refuse_too_few(root, each, by_id)
            before = {each: self._latest(each, old, old) for each in again}
            there, stamp = set(self._metadata.iterdir()), self._newest(Timestamp.type)
            stated = stamp.read_bytes()
            try:
                replace_file(self._metadata / f"{root.version}.root.json", signed.to_bytes(_SERIALIZER))
                if Targets.type in again:
                    self._write(Targets.type, before[Targets.type], by_id, root)
                if again:
                    self._finish(by_id, root, before)
            except BaseException:  # a root whose keys did not sign the rest could not be continued
                if stamp.read_bytes() == stated:
                    for path in set(self._metadata.iterdir()) - there:
                        path.unlink()
                raise

    def _refuse_unfinished(self, by_id: Mapping[str, MetadataSigner], root: Root) -> None:
        """Refuse a change that the snapshot and the timestamp could not state, before anything is written."""
        for role in (Snapshot.type, Timestamp.type):
            _refuse_too_few(root, role, by_id)
            if self._has(role):
                self._load(role, root)

    def _finish(self, by_id: Mapping[str, MetadataSigner], root: Root, before: Mapping[str, Any] = _NOTHING) -> None:
        """Snapshot, if a role has another version or the snapshot ends soon; and timestamp, always.

        ``before`` has what the keys of the root before this one signed.
        """
        has = self._has(Snapshot.type)
        snapshot = before.get(Snapshot.type) or (self._load(Snapshot.type, root) if has else _new(Snapshot))
        timestamp = before.get(Timestamp.type) or (
            self._load(Timestamp.type, root) if self._has(Timestamp.type) else _new(Timestamp)
        )
        listed = {name: each.version for name, each in snapshot.meta.items()}
        targets = self._load(Targets.type, root)
        meta = {f"{Targets.type}.json": targets.version}
        for role in _delegated_roles(targets):
            name = f"{role}.json"
            if self._has(role) and self._is_good(role, targets):
                meta[name] = max(self._load(role, targets).version, listed.get(name, 0))
            elif name in listed:
                meta[name] = listed[name]  # whatever lies there now, a verifier refuses a version below this one
        _refuse_too_few(root, Timestamp.type, by_id)
        if listed != meta or Snapshot.type in before or not has or self._ends_soon(snapshot):
            snapshot.meta = {name: MetaFile(version) for name, version in meta.items()}
            self._write(Snapshot.type, snapshot, by_id, root)
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        self._write(Timestamp.type, timestamp, by_id, root)

    def _write(self, role: str, signed: Any, by_id: Mapping[str, MetadataSigner], delegator: Root | Targets) -> None:
        """Write the version after this one."""
        signed.version += 1
        signed.expires = self._end(role)
        made: Metadata[Any] = Metadata(signed)
        _sign(made, delegator, role, by_id)
        name = "timestamp.json" if role == Timestamp.type else f"{signed.version}.{role}.json"
        replace_file(self._metadata / name, made.to_bytes(_SERIALIZER))

    def _put_files(self, targets: Targets, rings: Mapping[str, bytes], role: str) -> None:
        for path, document in rings.items():
            if role != Targets.type and not self._delegated(role).is_delegated_path(path):
                raise BoundsError(f"the role {role} may not sign {path}", f"角色 {role} 无权签署 {path}")
            info = _about_file(path, document)
            file = self._file(path, info)
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, document)
            targets.targets[path] = info

    def _file(self, path: str, info: TargetFile) -> Path:
        folder, _, name = path.rpartition("/")
        return self._targets / folder / f"{info.hashes['sha256']}.{name}"

    def _published(self, path: str, info: TargetFile) -> bytes:
        file = self._file(path, info)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise BoundsError(
                f"{file} is missing, which {path} is: publish the same ring again, or copy it there",
                f"缺少 {file}（即 {path}）：请重新发布同一密钥环，或将该文件拷回",
            ) from None
        try:
            info.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise BoundsError(f"{path} is not the file that was signed", f"{path} 不是已签名的文件") from error
        return data

    def _delegated(self, role: str) -> DelegatedRole:
        delegations = self._load(Targets.type, self._root()).delegations
        found: DelegatedRole | None = (delegations.roles or {}).get(role) if delegations is not None else None
        if found is None:
            raise BoundsError(f"targets delegates to no role {role}", f"targets 未委托角色 {role}")
        return found

    def _signing_rings(self) -> dict[str, Targets]:
        targets = self._load(Targets.type, self._root())
        others = {name: self._load(name, targets) for name in _delegated_roles(targets) if self._has(name)}
        return {Targets.type: targets, **others}

    def _listed(self, role: str, root: Root) -> int:
        """The version of a role in the snapshot; 0 if it has none."""
        if not self._has(Snapshot.type):
            return 0
        listed = self._load(Snapshot.type, root).meta.get(f"{role}.json")
        return 0 if listed is None else int(listed.version)

    def _latest(self, role: str, delegator: Root | Targets, root: Root) -> Any:
        """The newest metadata of a role, for a change: it is at least as new as the snapshot states."""
        signed = self._load(role, delegator)
        if signed.version < (listed := self._listed(role, root)):
            raise BoundsError(
                f"the folder has {role} version {signed.version}, and its snapshot states version {listed}",
                f"目录中的 {role} 为版本 {signed.version}，而 snapshot 声明的是版本 {listed}",
            )
        return signed

    def _own_root(self) -> Root:
        """The newest root, for what will be signed."""
        if self._pinned is None:
            raise BoundsError(
                "to sign, a root is needed that does not come from the folder: root=, such as a copy of the first one",
                "签名须给出不取自该目录的根元数据（root=），如首个根元数据的副本",
            )
        return self._root()

    def _root(self) -> Root:
        return self._newest_root().signed

    def _newest_root(self) -> Metadata[Root]:
        """The newest root in the folder, which follows from the pinned one if there is one."""
        try:
            newest = self._newest(Root.type)
            trusted = Metadata[Root].from_bytes(newest.read_bytes() if self._pinned is None else self._pinned)
            _verify(trusted.signed, Root.type, trusted)
            while trusted.signed.version < _number(newest):
                version = trusted.signed.version + 1
                following = Metadata[Root].from_bytes((self._metadata / f"{version}.root.json").read_bytes())
                _verify(trusted.signed, Root.type, following)
                _verify(following.signed, Root.type, following)
                if following.signed.version != version:
                    raise ValueError(f"{version}.root.json has version {following.signed.version}")
                trusted = following
            held = Metadata[Root].from_bytes(newest.read_bytes())
            if held.signed_bytes != trusted.signed_bytes:
                raise ValueError(f"{newest.name} is not the root of that version that is trusted")
        except (RepositoryError, OSError, ValueError) as error:
            folder = self._metadata.parent
            raise BoundsError(
                f"{folder} is no repository with a good root: {error}", f"{folder} 不是根元数据完好的仓库：{error}"
            ) from error
        return trusted

    def _load(self, role: str, delegator: Root | Targets) -> Any:
        """The newest metadata of a role, which enough of the keys that its delegator names have signed."""
        path = self._newest(role)
        try:
            found: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
            _verify(delegator, role, found)
        except (RepositoryError, ValueError) as error:
            raise BoundsError(
                f"{path} is not what the keys of {role} signed: {error}", f"{path} 并非由 {role} 的密钥签署：{error}"
            ) from error
        signed = found.signed
        if signed.type != (role if role in ROLES else Targets.type) or (
            role != Timestamp.type and signed.version != _number(path)
        ):
            raise BoundsError(
                f"{path} has the {signed.type} metadata of version {signed.version}",
                f"{path} 的内容是 {signed.type} 元数据的版本 {signed.version}",
            )
        return signed

    def _is_good(self, role: str, delegator: Targets) -> bool:
        try:
            self._load(role, delegator)
        except ValueError:
            return False
        return True

    def _numbered(self, role: str) -> list[Path]:
        """A role's files, from the first version to the newest."""
        found = [path for path in self._metadata.glob(f"*.{role}.json") if path.name == f"{_number(path)}.{role}.json"]
        return sorted(found, key=_number)

    def _newest(self, role: str) -> Path:
        numbered = [self._metadata / "timestamp.json"] if role == Timestamp.type else self._numbered(role)
        if not numbered:
            raise FileNotFoundError(2, "No such file", str(self._metadata / f"1.{role}.json"))
        return numbered[-1]

    def _has(self, role: str) -> bool:
        try:
            return self._newest(role).exists()
        except FileNotFoundError:
            return False

    def _end(self, role: str) -> datetime:
        lifetime = self._lifetimes.get(role, self._lifetimes[Targets.type])
        return _time(self._clock()) + timedelta(seconds=lifetime)

    def _ends_soon(self, signed: Any) -> bool:
        return bool(_about(signed)[1] - self._clock() < self._lifetimes[signed.type] / 2)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _new(kind: type[Any], version: int = 0) -> Any:
    """A statement before its first version, or before the one after this."""
    signed = kind()
    signed.version = version
    return signed


def _about(signed: Any) -> tuple[int, int]:
    return signed.version, int(signed.expires.timestamp())


def _about_file(path: str, document: bytes) -> TargetFile:
    return TargetFile.from_data(path, document, ["sha256"])


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


def _number(path: Path) -> int:
    """The version in the name of a file; -1 if there is none."""
    number = path.name.partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() else -1


def _verify(delegator: Root | Targets, role: str, made: Metadata[Any]) -> None:
    delegator.verify_delegate(role, made.signed_bytes, made.signatures)


def _delegated_roles(targets: Targets) -> list[str]:
    return [] if targets.delegations is None else list(targets.delegations.roles or {})


def _by_id(signers: Iterable[SigningKey]) -> dict[str, MetadataSigner]:
    made = [MetadataSigner(key) for key in signers]
    return {signer.public_key.keyid: signer for signer in made}


def _role_of(delegator: Root | Targets, role: str) -> Any:
    if isinstance(delegator, Root):
        return delegator.roles[role]
    assert delegator.delegations is not None
    return (delegator.delegations.roles or {})[role]


def _can(delegator: Root | Targets, role: str, by_id: Mapping[str, MetadataSigner]) -> bool:
    about = _role_of(delegator, role)
    return bool(len(set(about.keyids) & set(by_id)) >= about.threshold)


def _refuse_too_few(delegator: Root | Targets, role: str, by_id: Mapping[str, MetadataSigner]) -> None:
    if not _can(delegator, role, by_id):
        about = _role_of(delegator, role)
        there = len(set(about.keyids) & set(by_id))
        raise BoundsError(
            f"{about.threshold} of the {len(about.keyids)} keys of {role} must sign, and {there} are here",
            f"{role} 共 {len(about.keyids)} 把密钥，须有 {about.threshold} 把签名，现有 {there} 把",
        )


def _sign(
    made: Metadata[Any],
    delegator: Root | Targets,
    role: str,
    by_id: Mapping[str, MetadataSigner],
    *,
    append: bool = False,
) -> None:
    _refuse_too_few(delegator, role, by_id)
    if not append:
        made.signatures.clear()
    for keyid in _role_of(delegator, role).keyids:
        if keyid in by_id:
            made.sign(by_id[keyid], append=True)


def _threshold(threshold: int, keys: list[Key], role: str) -> int:
    if not 1 <= threshold <= len({key.keyid for key in keys}):
        raise BoundsError(
            f"{role} has {len(keys)} keys, of which 1 to {len(keys)} must sign, not {threshold}",
            f"{role} 共 {len(keys)} 把密钥，门限须为 1 至 {len(keys)}，不能是 {threshold}",
        )
    return threshold
