"""The folder of a TUF repository as the publisher reads it: nothing in it is believed unless its role's keys signed it.

Also what goes before each signature: whose keys must sign, how many of them, and whether they are at hand.
"""

# The faces of tuf and securesystemslib name everything by plain imports.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ybtoken.keys.protocols import SigningKey
from ybtoken.words import BoundsError

try:
    from securesystemslib.signer import Key
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import DelegatedRole, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

    from ybtoken.trust.signatures import MetadataSigner
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] not in ("tuf", "securesystemslib"):
        raise
    raise ModuleNotFoundError("a TUF repository needs: pip install 'ybtoken[tuf]'", name="tuf") from error

__all__ = [
    "ROLES", "MetadataFolder", "by_key_id", "can_sign", "checked_threshold", "delegated_roles", "file_info",
    "refuse_too_few", "sign", "version_and_end",
]  # fmt: skip

ROLES = (Root.type, Targets.type, Snapshot.type, Timestamp.type)


class MetadataFolder:
    """The files of a repository, verified as they are read.

    Args:
        folder: with ``metadata/`` and ``targets/`` below.
        pinned: the bytes of a root that does not come from the folder. Without it the folder's newest root is believed,
            and `own_root` refuses.
    """

    def __init__(self, folder: Path, pinned: bytes | None) -> None:
        self.metadata, self._targets = folder / "metadata", folder / "targets"
        self._pinned = pinned
        self._roots: list[Root] = []

    def newest_root(self) -> Metadata[Root]:
        """The newest root in the folder, which follows from the pinned one if there is one."""
        try:
            newest = self.newest(Root.type)
            trusted = Metadata[Root].from_bytes(newest.read_bytes() if self._pinned is None else self._pinned)
            _verify(trusted.signed, Root.type, trusted)
            self._roots = [trusted.signed]
            while trusted.signed.version < _number(newest):
                version = trusted.signed.version + 1
                following = Metadata[Root].from_bytes((self.metadata / f"{version}.root.json").read_bytes())
                _verify(trusted.signed, Root.type, following)
                _verify(following.signed, Root.type, following)
                if following.signed.version != version:
                    raise ValueError(f"{version}.root.json has version {following.signed.version}")
                trusted = following
                self._roots.append(trusted.signed)
            held = Metadata[Root].from_bytes(newest.read_bytes())
            if held.signed_bytes != trusted.signed_bytes:
                raise ValueError(f"{newest.name} is not the root of that version that is trusted")
        except (RepositoryError, OSError, ValueError) as error:
            folder = self.metadata.parent
            raise BoundsError(
                f"{folder} is no repository with a good root: {error}", f"{folder} 不是根元数据完好的仓库：{error}"
            ) from error
        return trusted

    def root(self) -> Root:
        """The newest root in the folder."""
        return self.newest_root().signed

    def own_root(self) -> Root:
        """The newest root, for what will be signed."""
        if self._pinned is None:
            raise BoundsError(
                "to sign, a root is needed that does not come from the folder: root=, such as a copy of the first one",
                "签名须给出不取自该目录的根元数据（root=），如首个根元数据的副本",
            )
        return self.root()

    def load(self, role: str, delegator: Root | Targets) -> Any:
        """The newest metadata of a role, which enough of the keys that its delegator names have signed."""
        path = self.newest(role)
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

    def timestamp(self, root: Root) -> Any:
        """The timestamp, for a change; if a rotation was broken off after its root, that of a root before."""
        try:
            return self.load(Timestamp.type, root)
        except BoundsError:
            for before in reversed(self._roots[:-1]):
                if self.is_good(Timestamp.type, before):
                    return self.load(Timestamp.type, before)
            raise

    def drop_unfinished(self, root: Root) -> None:
        """Delete what a rotation left that was broken off before its root: no timestamp leads there."""
        roles = [role for role in (Snapshot.type, Targets.type) if self.has(role)]
        good = {role for role in roles if self.is_good(role, root)}
        if len(good) < len(roles):
            for role in roles:
                is_snapshot = role == Snapshot.type
                stated = self.timestamp(root).snapshot_meta.version if is_snapshot else self.listed(role, root)
                newest = self.newest(role)
                if _number(newest) > stated and (is_snapshot or role not in good):
                    newest.unlink()

    def latest(self, role: str, delegator: Root | Targets, root: Root) -> Any:
        """The newest metadata of a role, for a change: it is at least as new as the snapshot states."""
        signed = self.timestamp(root) if role == Timestamp.type else self.load(role, delegator)
        if signed.version < (listed := self.listed(role, root)):
            raise BoundsError(
                f"the folder has {role} version {signed.version}, and its snapshot states version {listed}",
                f"目录中的 {role} 为版本 {signed.version}，而 snapshot 声明的是版本 {listed}",
            )
        return signed

    def listed(self, role: str, root: Root) -> int:
        """The version of a role in the snapshot; 0 if it has none."""
        if not self.has(Snapshot.type):
            return 0
        listed = self.load(Snapshot.type, root).meta.get(f"{role}.json")
        return 0 if listed is None else int(listed.version)

    def is_good(self, role: str, delegator: Root | Targets) -> bool:
        """Whether enough of its keys signed the newest metadata of a role."""
        try:
            self.load(role, delegator)
        except ValueError:
            return False
        return True

    def has(self, role: str) -> bool:
        """Whether there is metadata of a role."""
        try:
            return self.newest(role).exists()
        except FileNotFoundError:
            return False

    def newest(self, role: str) -> Path:
        """The file with the newest metadata of a role; `FileNotFoundError` if there is none."""
        numbered = [self.metadata / "timestamp.json"] if role == Timestamp.type else self.numbered(role)
        if not numbered:
            raise FileNotFoundError(2, "No such file", str(self.metadata / f"1.{role}.json"))
        return numbered[-1]

    def numbered(self, role: str) -> list[Path]:
        """A role's files, from the first version to the newest."""
        found = [path for path in self.metadata.glob(f"*.{role}.json") if path.name == f"{_number(path)}.{role}.json"]
        return sorted(found, key=_number)

    def signing_rings(self) -> dict[str, Targets]:
        """The metadata of the roles that sign rings: targets, and those to which it delegates."""
        targets = self.load(Targets.type, self.root())
        others = {name: self.load(name, targets) for name in delegated_roles(targets) if self.has(name)}
        return {Targets.type: targets, **others}

    def delegated(self, role: str) -> DelegatedRole:
        """What targets states of a delegated role; `ValueError` if it does not delegate to it."""
        delegations = self.load(Targets.type, self.root()).delegations
        found: DelegatedRole | None = (delegations.roles or {}).get(role) if delegations is not None else None
        if found is None:
            raise BoundsError(f"targets delegates to no role {role}", f"targets 未委托角色 {role}")
        return found

    def published(self, path: str, info: TargetFile) -> bytes:
        """The bytes of a ring, if they are those that were signed."""
        file = self.file(path, info)
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

    def file(self, path: str, info: TargetFile) -> Path:
        """The file of a ring."""
        folder, _, name = path.rpartition("/")
        return self._targets / folder / f"{info.hashes['sha256']}.{name}"


def version_and_end(signed: Any) -> tuple[int, int]:
    """The version of a statement, and its end in seconds since 1970."""
    return signed.version, int(signed.expires.timestamp())


def file_info(path: str, document: bytes) -> TargetFile:
    """What targets metadata states of a file."""
    return TargetFile.from_data(path, document, ["sha256"])


def _number(path: Path) -> int:
    """The version in the name of a file; -1 if there is none."""
    number = path.name.partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() else -1


def _verify(delegator: Root | Targets, role: str, made: Metadata[Any]) -> None:
    delegator.verify_delegate(role, made.signed_bytes, made.signatures)


def delegated_roles(targets: Targets) -> list[str]:
    """The names of the roles to which targets metadata delegates."""
    return [] if targets.delegations is None else list(targets.delegations.roles or {})


def by_key_id(signers: Iterable[SigningKey]) -> dict[str, MetadataSigner]:
    """Signers by the identifiers that metadata has for their keys."""
    made = [MetadataSigner(key) for key in signers]
    return {signer.public_key.keyid: signer for signer in made}


def _role_of(delegator: Root | Targets, role: str) -> Any:
    if isinstance(delegator, Root):
        return delegator.roles[role]
    assert delegator.delegations is not None
    return (delegator.delegations.roles or {})[role]


def can_sign(delegator: Root | Targets, role: str, by_id: Mapping[str, MetadataSigner]) -> bool:
    """Whether enough of a role's keys are at hand."""
    about = _role_of(delegator, role)
    return bool(len(set(about.keyids) & set(by_id)) >= about.threshold)


def refuse_too_few(delegator: Root | Targets, role: str, by_id: Mapping[str, MetadataSigner]) -> None:
    """Raise `ValueError` unless enough of a role's keys are at hand."""
    if not can_sign(delegator, role, by_id):
        about = _role_of(delegator, role)
        there = len(set(about.keyids) & set(by_id))
        raise BoundsError(
            f"{about.threshold} of the {len(about.keyids)} keys of {role} must sign, and {there} are here",
            f"{role} 共 {len(about.keyids)} 把密钥，须有 {about.threshold} 把签名，现有 {there} 把",
        )


def sign(
    made: Metadata[Any],
    delegator: Root | Targets,
    role: str,
    by_id: Mapping[str, MetadataSigner],
    *,
    append: bool = False,
) -> None:
    """Sign a statement with every key of its role that is at hand."""
    refuse_too_few(delegator, role, by_id)
    if not append:
        made.signatures.clear()
    for keyid in _role_of(delegator, role).keyids:
        if keyid in by_id:
            made.sign(by_id[keyid], append=True)


def checked_threshold(threshold: int, keys: list[Key], role: str) -> int:
    """A threshold that the keys of a role can reach."""
    if not 1 <= threshold <= len({key.keyid for key in keys}):
        raise BoundsError(
            f"{role} has {len(keys)} keys, of which 1 to {len(keys)} must sign, not {threshold}",
            f"{role} 共 {len(keys)} 把密钥，门限须为 1 至 {len(keys)}，不能是 {threshold}",
        )
    return threshold
