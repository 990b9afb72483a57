"""``ybtoken ring init, publish, rotate, delegate, state, fetch``: rings in a signed repository (TUF, extra ``tuf``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ybtoken._state import replace_file
from ybtoken.cli.keyfiles import (
    KeyKind,
    PassphraseEnv,
    PassphraseFile,
    SoftwareKey,
    generate_key,
    load_public_key,
    load_signing_key,
    new_private_files,
    passphrase_from,
)
from ybtoken.cli.ring import AsJson, ring, say_changes, say_json
from ybtoken.cli.speech import REFUSED, Lang, MisuseError, Speaker, command, misuse_of
from ybtoken.keys.keyset import load_key_set
from ybtoken.keys.ring import KeyRing
from ybtoken.places import Scope
from ybtoken.trust.changes import time_words
from ybtoken.words import words_of

if TYPE_CHECKING:
    from ybtoken.trust.repository import RingRepository

_ROLES = ("root", "targets", "snapshot", "timestamp")
_OWN_ROOT = "root.json"

Repository = Annotated[Path, typer.Argument(metavar="REPOSITORY", help="The repository's folder. / 仓库目录。")]
SigningKeys = Annotated[
    list[Path],
    typer.Option(
        "--key", "-k", help="Private keys that sign, one passphrase for all; repeatable. / 签名私钥，可重复。"
    ),
]
OwnRoot = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Your own copy of the root; root.json beside the first key by default. / 自存的根元数据。",
        show_default=False,
    ),
]
RingPath = Annotated[str, typer.Option("--path", help="The ring's path in it. / 仓库内路径。")]


@ring.command("init", help="Make a repository and its keys. / 建立签名仓库及其密钥。")
@command
def init(
    repository: Repository,
    keys: Annotated[Path, typer.Option("--keys", help="A folder for the new private keys. / 新私钥目录。")],
    kind: Annotated[KeyKind, typer.Option("--alg", help="es256: read by every TUF client; or sm2. / 算法。")] = (
        KeyKind.ES256
    ),
    root_keys: Annotated[int, typer.Option("--root-keys", min=1, max=16, help="How many. / 根密钥数。")] = 1,
    root_threshold: Annotated[
        int, typer.Option("--root-threshold", min=1, help="How many of them must sign. / 门限。")
    ] = 1,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    in_clear: Annotated[bool, typer.Option("--in-clear", help="Without a passphrase. / 私钥不加密保存。")] = False,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Make root, targets, snapshot and timestamp keys, and a repository that they sign."""
    speaker = Speaker(lang)
    made = _trust()
    if in_clear and (passphrase_file or passphrase_env):
        raise MisuseError("--in-clear takes no passphrase.", "--in-clear 不能与口令同用。")
    if root_threshold > root_keys:
        raise MisuseError(
            f"--root-threshold is at most --root-keys, {root_keys}.",
            f"--root-threshold 不得大于 --root-keys（{root_keys}）。",
        )
    passphrase = None if in_clear else passphrase_from(passphrase_file, passphrase_env, speaker, confirm=True)()
    if (repository / "metadata").exists():
        raise MisuseError(f"{repository} has a repository already.", f"{repository} 已有仓库。")
    files = {role: [keys / f"{role}.pem"] for role in _ROLES}
    if root_keys > 1:
        files["root"] = [keys / f"root-{number}.pem" for number in range(1, root_keys + 1)]
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    signers = {role: [generate_key(kind) for _ in paths] for role, paths in files.items()}
    every = [key for role in signers.values() for key in role]
    public = {role: [key.verifying_key for key in each] for role, each in signers.items()}
    each_path = (path for paths in files.values() for path in paths)
    private = ((path, key.to_pem(passphrase=passphrase)) for path, key in zip(each_path, every, strict=True))
    with _misuse(), new_private_files(private, (repository / "metadata").exists):
        held = made.RingRepository.create(repository, public, every, thresholds={"root": root_threshold})
    names = {role: [str(path) for path in paths] for role, paths in files.items()}
    root = repository / "metadata" / "1.root.json"
    replace_file(keys / _OWN_ROOT, held.root)
    if as_json:
        say_json({"repository": str(repository), "root": str(root), "keys": names})
        return
    state = ("IN CLEAR", "未加密") if in_clear else ("encrypted", "已加密")
    speaker.say(
        f"{repository}: a repository without rings\n"
        f"  {root}  ship this to verifiers: it is what their trust begins with\n"
        f"  {keys}  private keys, {state[0]}: take root and targets off this machine, with a copy of {_OWN_ROOT}",
        f"{repository}：尚无密钥环的仓库\n"
        f"  {root}  随验证方出厂：其信任由此开始\n"
        f"  {keys}  私钥，{state[1]}：请将 root 与 targets 连同 {_OWN_ROOT} 的副本移出本机",
    )


@ring.command("publish", help="Sign and publish a ring; without one, sign again what would end. / 签名发布。")
@command
def publish(
    repository: Repository,
    keys: SigningKeys,
    file: Annotated[
        Path | None, typer.Option("--ring", "-r", help="The ring's file. / 密钥环文件。", show_default=False)
    ] = None,
    path: RingPath = "ring.jwks",
    role: Annotated[
        str, typer.Option("--role", help="Who signs it: targets, or a delegated role. / 角色。")
    ] = "targets",
    lift: Annotated[
        bool, typer.Option("--lift-withdrawal", help="Allow a withdrawal to be taken back. / 允许取消停用。")
    ] = False,
    root: OwnRoot = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Publish a ring's file, and say what it changes. A timer calls this without a ring, before each end."""
    speaker = Speaker(lang)
    own = root or keys[0].with_name(_OWN_ROOT)
    held = _repository(repository, own)
    signers = _load_keys(keys, passphrase_from(passphrase_file, passphrase_env, speaker), speaker)
    rings, new = {}, KeyRing()
    if file is not None:
        document = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        with _misuse(f"{file}: "):
            new = load_key_set(document)
        rings[path] = document
    with _misuse():
        changes = held.publish(rings, signers, role=role, lift_withdrawal=lift)
        _keep(own, held)
        ends = held.ends()
    if as_json:
        fields = [{"kid": c.kid.hex(), "what": c.what._asdict()} for c in changes]
        say_json({"changes": fields, "roles": _roles(ends)})
        return
    if file is not None:
        say_changes(speaker, changes, new, as_json=False)
    _say_ends(speaker, ends)


@ring.command("rotate", help="Replace the keys of a role by new ones. / 更换角色密钥。")
@command
def rotate(
    repository: Repository,
    role: Annotated[str, typer.Argument(help=f"{', '.join(_ROLES)} / 角色。")],
    keys: SigningKeys,
    new: Annotated[list[Path], typer.Option("--new", help="New private keys' files; repeatable. / 新私钥文件。")],
    kind: Annotated[KeyKind, typer.Option("--alg", help="The new keys' algorithm. / 算法。")] = KeyKind.ES256,
    threshold: Annotated[int | None, typer.Option("--threshold", min=1, help="As before by default. / 门限。")] = None,
    root: OwnRoot = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    in_clear: Annotated[bool, typer.Option("--in-clear", help="Without a passphrase. / 私钥不加密保存。")] = False,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Make new keys for a role and a new root that names them; the old root's keys sign it, too."""
    speaker = Speaker(lang)
    own = root or keys[0].with_name(_OWN_ROOT)
    held = _repository(repository, own)
    passphrase = passphrase_from(passphrase_file, passphrase_env, speaker)
    signers = _load_keys(keys, passphrase, speaker)
    made = [generate_key(kind) for _ in new]
    files = (
        (path, key.to_pem(passphrase=None if in_clear else passphrase())) for path, key in zip(new, made, strict=True)
    )
    with _misuse():
        before = held.root
        with new_private_files(files, lambda: held.root != before):
            held.rotate(role, [key.verifying_key for key in made], [*signers, *made], threshold=threshold)
    _keep(own, held)
    _say_roles(speaker, held, as_json=as_json)


@ring.command("delegate", help="Let a province's keys sign its ring. / 委托省级密钥签署本省密钥环。")
@command
def delegate(
    repository: Repository,
    role: Annotated[str, typer.Argument(help="The new role's name. / 新角色名。")],
    paths: Annotated[list[str], typer.Option("--path", help="Such as 33/*; repeatable. / 可签路径。")],
    public: Annotated[list[Path], typer.Option("--public", help="Its public keys; repeatable. / 其公钥。")],
    keys: SigningKeys,
    threshold: Annotated[int, typer.Option("--threshold", min=1, help="How many must sign. / 门限。")] = 1,
    root: OwnRoot = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Delegate paths to other keys; that role publishes with ``--role`` then."""
    speaker = Speaker(lang)
    own = root or keys[0].with_name(_OWN_ROOT)
    held = _repository(repository, own)
    signers = _load_keys(keys, passphrase_from(passphrase_file, passphrase_env, speaker), speaker)
    with _misuse():
        read = [load_public_key(path) for path in public]
        held.delegate(role, paths, read, signers, threshold=threshold)
        _keep(own, held)
    _say_roles(speaker, held, as_json=as_json)


@ring.command("state", help="Versions and ends of a repository's roles; 1 if one has ended. / 仓库状态。")
@command
def state(repository: Repository, as_json: AsJson = False, lang: Lang = None) -> None:
    """Say which version of each role is there, and when it ends."""
    held = _repository(repository)
    ends = _say_roles(Speaker(lang), held, as_json=as_json)
    if any(end <= time.time() for _, end in ends.values()):
        raise typer.Exit(REFUSED)


@ring.command("fetch", help="Fetch a ring as a verifier does; 1 if it cannot be had. / 如验证方一样获取密钥环。")
@command
def fetch(
    repository: Annotated[str, typer.Argument(help="https://..., or a folder. / 地址或目录。")],
    root: Annotated[Path, typer.Option("--root", help="The root metadata to begin with. / 初始根元数据。")],
    folder: Annotated[Path, typer.Option("--state", help="Remembers what was seen. / 状态目录。")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the ring here. / 输出文件。")] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option("--target", help="PATH or PATH=SCOPE, such as 33/ring.jwks=33; repeatable. / 目标路径。"),
    ] = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Fetch and check a repository's ring, and remember it; what is there stays if the repository is not good."""
    from ybtoken.keys.keyset import dump_jwks

    speaker = Speaker(lang)
    _trust()
    from ybtoken.trust.tuf import RING, TufRingSource

    with _misuse():
        wanted = dict(_target(each) for each in targets or [RING])
        address = repository if "://" in repository else Path(repository)
        source = TufRingSource(address, root.read_bytes(), state=folder, targets=wanted)
    now = int(time.time())
    is_new = source.refresh(now)
    problem = source.problem
    keys = source.ring(now)  # its refusal is this command's
    if out is not None:
        replace_file(out, dump_jwks(keys).encode())
    end = source.expires_at or 0
    if as_json:
        reason = None if problem is None else problem.reason
        say_json({"new": is_new, "version": keys.version, "keys": len(keys), "expires_at": end, "problem": reason})
    else:
        en, zh = ("new", "新") if is_new else ("as before", "与之前相同")
        speaker.say(
            f"{len(keys)} keys, version {keys.version or '-'}, {en}, until {time_words(end)}",
            f"{len(keys)} 个密钥，版本 {keys.version or '-'}，{zh}，有效至 {time_words(end)}",
        )
        if problem is not None:
            words = words_of(problem.reason)
            speaker.note(f"NOT REFRESHED: {words.en}", f"未能更新：{words.zh}")
    if problem is not None:
        raise typer.Exit(REFUSED)


def _target(stated: str) -> tuple[str, Scope]:
    path, _, scope = stated.partition("=")
    return path, Scope((scope,)) if scope else Scope()


@contextmanager
def _misuse(place: str = "") -> Iterator[None]:
    """Say what a repository refuses as misuse of the command line, after the file."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise misuse_of(error, place, f"{place}操作未完成：") from None


def _trust() -> Any:
    try:
        from ybtoken.trust import repository
    except ModuleNotFoundError as error:
        raise MisuseError(str(error), "需要 python-tuf：pip install 'ybtoken[tuf]'") from None
    return repository


def _repository(folder: Path, own: Path | None = None) -> RingRepository:
    made = _trust()
    if own is not None and not own.exists():
        raise MisuseError(
            f"There is no {own}: a copy of the root that is kept away from {folder}, so that nothing is signed that "
            f"somebody else wrote there. `init` makes it; --root names another.",
            f"缺少 {own}：根元数据的自存副本，不取自 {folder}，以免为他人写入的内容签名。"
            f"init 会生成它；--root 可另行指定。",
        )
    with _misuse():
        held: RingRepository = made.RingRepository(folder, root=None if own is None else own.read_bytes())
    return held


def _keep(own: Path, held: RingRepository) -> None:
    """Remember the newest root, so that the folder cannot go back to keys that were replaced."""
    if own.read_bytes() != held.root:
        replace_file(own, held.root)


def _load_keys(files: list[Path], passphrase: Callable[[], bytes | None], speaker: Speaker) -> list[SoftwareKey]:
    return [load_signing_key(file, passphrase, kind=None, ring=None, speaker=speaker) for file in files]


def _roles(ends: dict[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    return {role: {"version": version, "expires_at": end} for role, (version, end) in ends.items()}


def _say_roles(speaker: Speaker, held: RingRepository, *, as_json: bool) -> dict[str, tuple[int, int]]:
    with _misuse():
        ends = held.ends()
    if as_json:
        say_json({"roles": _roles(ends)})
    else:
        _say_ends(speaker, ends)
    return ends


def _say_ends(speaker: Speaker, ends: dict[str, tuple[int, int]]) -> None:
    for role, (version, end) in ends.items():
        over = ("  ENDED", "  已过期") if end <= time.time() else ("", "")
        speaker.say(
            f"  {role} version {version}, until {time_words(end)}{over[0]}",
            f"  {role} 版本 {version}，有效至 {time_words(end)}{over[1]}",
        )
