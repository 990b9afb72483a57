"""``ybtoken ring``: a key ring's file. What makes and reads signed repositories is in `ybtoken.cli.repository`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ybtoken.cli.keyfiles import KeyKind, Ring, changing_ring, load_public_key, load_ring
from ybtoken.cli.speech import REFUSED, Lang, MisuseError, Speaker, command, misuse_of, of_group
from ybtoken.cli.values import parse_time
from ybtoken.keys.keyset import load_key_set
from ybtoken.keys.ring import FOREVER, KeyEntry, KeyRing, Use
from ybtoken.places import Scope
from ybtoken.trust.changes import RingChange, changes_between
from ybtoken.words import words_of

__all__ = ["AsJson", "entry_fields", "ring", "say_changes", "say_json"]

ring = typer.Typer(
    callback=of_group,
    no_args_is_help=True,
    help="Key rings: change a ring's file, publish it signed, fetch it. / 密钥环：修改、签名发布与获取。",
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object. / JSON 对象。")]
Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's id, or its first 4 digits or more. / 密钥标识。")]


def say_json(content: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(content, ensure_ascii=False))


@ring.command("add", help="Enter a partner's public key. / 登记合作方公钥。")
@command
def add(
    public: Annotated[Path, typer.Argument(metavar="KEY", help="The public key's file, in any spelling. / 公钥文件。")],
    ring: Ring,
    issuer: Annotated[str, typer.Option("--issuer", help="The issuer's name. / 签发机构名称。")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="Insured places: 2, 4 or 6 digits; repeatable. / 参保地前缀。")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option("--except", help="Places taken out. / 排除的参保地。")] = None,
    everywhere: Annotated[
        bool, typer.Option("--whole-country", help="In place of --scope: every place. / 全国范围。")
    ] = False,
    not_before: Annotated[
        int | None, typer.Option(parser=parse_time, metavar="TIME", help="It may sign from then on. / 签发起始时间。")
    ] = None,
    not_after: Annotated[
        int | None,
        typer.Option(parser=parse_time, metavar="TIME", help="It may sign before then. / 签发截止时间（不含）。"),
    ] = None,
    kind: Annotated[KeyKind | None, typer.Option("--alg", help="By default that of its curve. / 算法。")] = None,
    user_id: Annotated[str | None, typer.Option("--user-id", help="SM2's user id. / SM2 用户标识。")] = None,
    use: Annotated[Use, typer.Option("--use", help="What it signs. / 用途。")] = Use.TOKENS,
    status_uri: Annotated[str | None, typer.Option("--status-uri", help="Its status list. / 状态列表地址。")] = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Read a public key in whatever spelling it came, and enter it in a ring with its scope and period."""
    speaker = Speaker(lang)
    if bool(scope) == everywhere:
        raise MisuseError("Give --scope, or --whole-country.", "请给出 --scope 或 --whole-country。")
    try:
        entry = KeyEntry(
            load_public_key(public, kind=kind, user_id=user_id),
            issuer,
            Scope(tuple(scope or ()), tuple(exclude or ())),
            not_before=not_before or 0,
            not_after=FOREVER if not_after is None else not_after,
            use=use,
            status_uri=status_uri,
        )
        with changing_ring(ring) as (keys, replace):
            changed = keys.with_entries(entry)
            replace(changed)
    except ValueError as error:
        raise misuse_of(error) from None
    say_changes(speaker, changes_between(keys, changed), changed, as_json=as_json)


@ring.command("withdraw", help="Refuse what a key signed since a time. / 停用密钥。")
@command
def withdraw(
    kid: Kid,
    ring: Ring,
    since: Annotated[
        int | None, typer.Option("--since", parser=parse_time, metavar="TIME", help="By default now. / 默认现在。")
    ] = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Withdraw a key: tokens that it issued at or after a time are refused. A withdrawal is never moved to later."""
    at = int(time.time()) if since is None else since
    with changing_ring(ring) as (keys, replace):
        entry = _find(keys, kid)
        if entry.withdrawn_since is not None and entry.withdrawn_since <= at:
            raise MisuseError(
                f"{entry.kid.hex()} is withdrawn already, since {entry.withdrawn_since}: a later time would bring "
                f"codes back.",
                f"{entry.kid.hex()} 已自 {entry.withdrawn_since} 起停用：改为更晚会使已拒绝的码恢复有效。",
            )
        changed = keys.withdrawn(entry.kid, since=at)
        replace(changed)
    say_changes(Speaker(lang), changes_between(keys, changed), changed, as_json=as_json)


@ring.command("remove", help="Take a key out: all that it signed is refused. / 移除密钥。")
@command
def remove(kid: Kid, ring: Ring, as_json: AsJson = False, lang: Lang = None) -> None:
    """Remove a key from a ring's file."""
    with changing_ring(ring) as (keys, replace):
        changed = keys.without(_find(keys, kid).kid)
        replace(changed)
    say_changes(Speaker(lang), changes_between(keys, changed), changed, as_json=as_json)


@ring.command("show", help="Show a ring's file. / 查看密钥环文件。")
@command
def show(
    file: Annotated[Path, typer.Argument(help="A JWK Set, or a COSE_KeySet. / 密钥环文件。")],
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Show every key of a ring."""
    keys = load_ring(file)
    if as_json:
        say_json({"version": keys.version, "keys": [entry_fields(entry) for entry in keys.entries]})
        return
    speaker = Speaker(lang)
    version = keys.version or "-"
    speaker.say(f"{len(keys)} keys, version {version}", f"{len(keys)} 个密钥，版本 {version}")
    for change in changes_between(KeyRing(), keys):
        speaker.say(change.what.en.replace(": added, ", ": "), change.what.zh.replace("：新增，", "："))


@ring.command("diff", help="Say what lies between two rings; 1 if anything does. / 比较两个密钥环。")
@command
def diff(
    old: Annotated[Path, typer.Argument(help="The ring before. / 原密钥环。")],
    new: Annotated[Path, typer.Argument(help="The ring after. / 新密钥环。")],
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Compare two rings; like diff, exit code 0 means no difference and 1 means some."""
    before, after = load_ring(old), load_ring(new)
    changes = changes_between(before, after)
    say_changes(Speaker(lang), changes, after, as_json=as_json, before=before)
    if changes:
        raise typer.Exit(REFUSED)


@ring.command("check", help="Read a ring as strictly as a verifier; 1 if it is refused. / 严格检查密钥环。")
@command
def check(
    file: Annotated[Path, typer.Argument(help="A JWK Set, or a COSE_KeySet. / 密钥环文件。")],
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Read a ring as a verifier does, and say what a verifier would say. Files are not changed."""
    speaker = Speaker(lang)
    try:
        keys = load_key_set(file.read_bytes())
    except (ValueError, RecursionError) as error:
        reason = words_of(error)
        if as_json:
            say_json({"good": False, "reason": reason.en})
        else:
            speaker.say(f"REFUSED: {reason.en}", f"不予采用：{reason.zh}")
        raise typer.Exit(REFUSED) from None
    now = int(time.time())
    ended = [entry.kid.hex() for entry in keys.entries if entry.not_after <= now]
    if as_json:
        say_json({"good": True, "version": keys.version, "keys": len(keys), "use": keys.use.value, "ended": ended})
        return
    speaker.say(f"good: {len(keys)} keys, version {keys.version or '-'}", f"合格：{len(keys)} 个密钥")
    if ended:
        speaker.say(f"signs no more: {', '.join(ended)}", f"已到签发截止时间：{', '.join(ended)}")


def say_changes(
    speaker: Speaker, changes: list[RingChange], new: KeyRing, *, as_json: bool, before: KeyRing | None = None
) -> None:
    """Say what changed in a ring, and its version."""
    if as_json:
        fields = [
            {"kid": change.kid.hex(), "what": change.what._asdict(), "lifts_withdrawal": change.lifts_withdrawal}
            for change in changes
        ]
        say_json({"version": new.version, "changes": fields})
        return
    for change in changes:
        warning = ("! ", "！") if change.lifts_withdrawal else ("", "")
        speaker.say(warning[0] + change.what.en, warning[1] + change.what.zh)
    if before is not None and not changes:
        speaker.say("no difference", "无差异")
    elif before is None:
        speaker.say(f"version {new.version}, {len(new)} keys", f"版本 {new.version}，共 {len(new)} 个密钥")


def entry_fields(entry: KeyEntry) -> dict[str, Any]:
    """An entry as JSON-ready values."""
    return {
        "kid": entry.kid.hex(),
        "algorithm": entry.key.algorithm.name,
        "issuer": entry.issuer,
        "scope": list(entry.scope.prefixes),
        "except": list(entry.scope.exclusions),
        "not_before": entry.not_before,
        "not_after": None if entry.not_after == FOREVER else entry.not_after,
        "withdrawn_since": entry.withdrawn_since,
        "use": entry.use.value,
        "status_uri": entry.status_uri,
    }


def _find(keys: KeyRing, kid: str) -> KeyEntry:
    found = [entry for entry in keys.entries if len(kid) >= 4 and entry.kid.hex().startswith(kid)]
    if len(found) != 1:
        raise MisuseError(
            f"{len(found)} keys of the ring begin with {kid!r}; give 4 digits or more, and enough of them.",
            f"密钥环中有 {len(found)} 个密钥以 {kid!r} 开头；请给出至少 4 位且足以区分的标识。",
        )
    return found[0]
