"""The publisher's side: a TUF repository of rings in a folder, which any web server can serve.

    metadata/1.root.json, N.snapshot.json, N.targets.json, N.<role>.json, timestamp.json
    targets/<sha256>.ring.jwks

Root and targets keys are kept offline or in hardware and are needed seldom; snapshot and timestamp keys are online and
sign again before each end. A verifier reads ``timestamp.json`` first, so it is replaced last, after all files to which
it leads. So a reader sees the old state or the new one.
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

_SERIALIZER = JSONSerializer(compact=False)


class RingRepository:
    """A repository in a folder. `create` makes one.

    Args:
        folder: with ``metadata/`` and ``targets/`` below.
        lifetimes: for how many seconds the statements of each role hold; see `LIFETIMES`. Delegated roles hold as long
            as ``targets``.
        clock: gives the seconds since 1970.

    Raises:
        ValueError: there is no repository, or its root is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        lifetimes: Mapping[str, int] = LIFETIMES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metadata = Path(folder) / "metadata"
        self._targets = Path(folder) / "targets"
        self._lifetimes = {**LIFETIMES, **lifetimes}
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._changing = State(Path(folder) / "repository")
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
            raise ValueError(f"{folder} has a repository already")
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
        replace_file(metadata / "1.root.json", signed.to_bytes(_SERIALIZER))
        repository = cls(folder, lifetimes=lifetimes, clock=clock)
        try:
            repository._write(Targets.type, Targets(), by_id, root)
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
        """The newest root metadata: what new verifiers are shipped with."""
        return self._newest(Root.type).read_bytes()

    def rings(self) -> dict[str, bytes]:
        """The rings that are published now, by their paths: the repository's own, and those of delegated roles."""
        found: dict[str, bytes] = {}
        for role in self.roles():
            for path, info in self._load(role).targets.items():
                found.setdefault(path, self._file(path, info).read_bytes())
        return found

    def roles(self) -> dict[str, tuple[int, int]]:
        """The roles that sign rings (targets, and those it delegates to), with their version and end."""
        delegations = self._load(Targets.type).delegations
        names = [Targets.type, *((delegations.roles or {}) if delegations is not None else ())]
        return {name: self._about(name) for name in names if self._has(name)}

    def ends(self) -> dict[str, tuple[int, int]]:
        """Version and end (seconds since 1970) of every role."""
        return {name: self._about(name) for name in (Root.type, Timestamp.type, Snapshot.type)} | self.roles()

    def publish(self, rings: Mapping[str, bytes], signers: Iterable[SigningKey], *, role: str = Targets.type) -> None:
        """Publish rings, or without any, sign again what would end.

        Args:
            rings: JWK Sets by their paths; other paths of the role stay as they are.
            signers: the private keys that are at hand: those of the role if there are rings, and those of snapshot and
                timestamp. A province that has its own role only leaves the last two to the platform, which publishes
                without rings afterwards.
            role: who states these rings: ``targets``, or a delegated role.

        Raises:
            ValueError: a file is not a key ring, or there are too few keys of a role. Nothing is changed then.
        """
        for path, document in rings.items():
            try:
                load_jwks(document)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path} is no key ring: {error}") from error
        root, by_id = self._root(), _by_id(signers)
        with self._changing.locked():
            ends_soon = Targets.type == role and self._ends_soon(role) and _can(root, role, by_id)
            if rings or ends_soon or (role != Targets.type and not self._has(role)):
                targets = self._load(role) if self._has(role) else Targets()
                delegator = self._delegator(role)
                self._put_files(targets, rings, role)
                self._write(role, targets, by_id, delegator)
            if role != Targets.type and not _can(root, Timestamp.type, by_id):
                return
            self._finish(by_id, root)

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
            raise ValueError("a delegated role has a name of ASCII letters, digits and -, and none of the four")
        public = [metadata_key(key) for key in keys]
        root, by_id = self._root(), _by_id(signers)
        with self._changing.locked():
            targets = self._load(Targets.type)
            known = targets.delegations or Delegations({}, {})
            others = {name: each for name, each in (known.roles or {}).items() if name != role}
            needed = {keyid for each in others.values() for keyid in each.keyids}
            kept = {keyid: key for keyid, key in known.keys.items() if keyid in needed}
            ids = [key.keyid for key in public]
            made = DelegatedRole(role, ids, _threshold(threshold, public, role), terminating=True, paths=list(paths))
            targets.delegations = Delegations(kept | {key.keyid: key for key in public}, {**others, role: made})
            self._write(Targets.type, targets, by_id, root)
            self._finish(by_id, root)

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
            raise ValueError(f"the role is one of {', '.join(ROLES)}")
        old, by_id = self._root(), _by_id(signers)
        with self._changing.locked():
            root = Metadata[Root].from_bytes(self.root).signed
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
            replace_file(self._metadata / f"{root.version}.root.json", signed.to_bytes(_SERIALIZER))
            if Targets.type in again:
                self._write(Targets.type, self._load(Targets.type), by_id, root)
            if again:
                self._finish(by_id, root, renew_snapshot=Snapshot.type in again)

    def _finish(self, by_id: Mapping[str, MetadataSigner], root: Root, *, renew_snapshot: bool = False) -> None:
        """Snapshot, if a role has another version or the snapshot ends soon; and timestamp, always."""
        meta = {f"{role}.json": MetaFile(version) for role, (version, _) in self.roles().items()}
        has = self._has(Snapshot.type)
        snapshot = self._load_as(Snapshot.type, Snapshot) if has else Snapshot()
        changed = {name: each.version for name, each in snapshot.meta.items()} != {
            name: each.version for name, each in meta.items()
        }
        _refuse_too_few(root, Timestamp.type, by_id)
        if changed or renew_snapshot or not has or self._ends_soon(Snapshot.type):
            snapshot.meta = meta
            self._write(Snapshot.type, snapshot, by_id, root)
        timestamp = self._load_as(Timestamp.type, Timestamp) if self._has(Timestamp.type) else Timestamp()
        timestamp.snapshot_meta = MetaFile(self._about(Snapshot.type)[0])
        self._write(Timestamp.type, timestamp, by_id, root)

    def _write(self, role: str, signed: Any, by_id: Mapping[str, MetadataSigner], delegator: Root | Targets) -> None:
        signed.version = self._about(role)[0] + 1 if self._has(role) else 1
        signed.expires = self._end(role)
        made: Metadata[Any] = Metadata(signed)
        _sign(made, delegator, role, by_id)
        name = "timestamp.json" if role == Timestamp.type else f"{signed.version}.{role}.json"
        replace_file(self._metadata / name, made.to_bytes(_SERIALIZER))

    def _put_files(self, targets: Targets, rings: Mapping[str, bytes], role: str) -> None:
        for path, document in rings.items():
            if role != Targets.type and not self._delegated(role).is_delegated_path(path):
                raise ValueError(f"the role {role} may not sign {path}")
            info = TargetFile.from_data(path, document, ["sha256"])
            file = self._file(path, info)
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, document)
            targets.targets[path] = info

    def _file(self, path: str, info: TargetFile) -> Path:
        folder, _, name = path.rpartition("/")
        return self._targets / folder / f"{info.hashes['sha256']}.{name}"

    def _delegated(self, role: str) -> DelegatedRole:
        delegations = self._load(Targets.type).delegations
        found = (delegations.roles or {}).get(role) if delegations is not None else None
        if found is None:
            raise ValueError(f"targets delegates to no role {role}")
        return found

    def _delegator(self, role: str) -> Root | Targets:
        if role == Targets.type:
            return self._root()
        self._delegated(role)
        return self._load(Targets.type)

    def _root(self) -> Root:
        try:
            signed = Metadata[Root].from_bytes(self.root)
            signed.verify_delegate(Root.type, signed)
        except (RepositoryError, OSError) as error:
            raise ValueError(f"{self._metadata.parent} is no repository with a good root: {error}") from error
        return signed.signed

    def _load(self, role: str) -> Targets:
        targets: Targets = self._load_as(role, Targets)
        return targets

    def _load_as(self, role: str, kind: type[Any]) -> Any:
        found: Metadata[Any] = Metadata.from_bytes(self._newest(role).read_bytes())
        if not isinstance(found.signed, kind):
            raise ValueError(f"{self._newest(role)} is no {kind.__name__}")
        return found.signed

    def _newest(self, role: str) -> Path:
        if role == Timestamp.type:
            return self._metadata / "timestamp.json"
        numbered = [
            (int(number), path)
            for path in self._metadata.glob(f"*.{role}.json")
            if (number := path.name.partition(".")[0]).isdigit() and path.name == f"{number}.{role}.json"
        ]
        if not numbered:
            raise FileNotFoundError(2, "No such file", str(self._metadata / f"1.{role}.json"))
        return max(numbered)[1]

    def _has(self, role: str) -> bool:
        try:
            return self._newest(role).exists()
        except FileNotFoundError:
            return False

    def _about(self, role: str) -> tuple[int, int]:
        signed = Metadata[Any].from_bytes(self._newest(role).read_bytes()).signed
        return signed.version, int(signed.expires.timestamp())

    def _end(self, role: str) -> datetime:
        lifetime = self._lifetimes.get(role, self._lifetimes[Targets.type])
        return _time(self._clock()) + timedelta(seconds=lifetime)

    def _ends_soon(self, role: str) -> bool:
        lifetime = self._lifetimes.get(role, self._lifetimes[Targets.type])
        return self._about(role)[1] - self._clock() < lifetime / 2


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


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
        raise ValueError(f"{about.threshold} of the {len(about.keyids)} keys of {role} must sign, and {there} are here")


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
        raise ValueError(f"{role} has {len(keys)} keys, of which 1 to {len(keys)} must sign, not {threshold}")
    return threshold
