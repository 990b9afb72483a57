"""``ybtoken status``: freeze, reinstate and revoke passes, and publish the status list."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ybtoken._state import replace_file
from ybtoken.cli.keyfiles import PassphraseEnv, PassphraseFile, Ring, load_ring, load_signing_key, passphrase_from
from ybtoken.cli.ring import AsJson, say_json
from ybtoken.cli.speech import REFUSED, Lang, MisuseError, Speaker, command, misuse_of, of_group
from ybtoken.cli.values import Now
from ybtoken.errors import CannotCheckError
from ybtoken.status.list import Status, StatusListReader
from ybtoken.status.registry import StatusRegistry
from ybtoken.trust.changes import time_words

__all__ = ["status"]

status = typer.Typer(
    callback=of_group,
    no_args_is_help=True,
    help="Passes' statuses: freeze, lift, revoke, publish. / 凭证状态：冻结、解冻、撤销与发布。",
)

Registry = Annotated[Path, typer.Argument(metavar="REGISTRY", help="The registry's file. / 登记簿文件。")]
Index = Annotated[int | None, typer.Option("--index", min=0, help="One pass, by its place. / 状态列表序号。")]
Person = Annotated[int | None, typer.Option("--person", min=0, help="A person's passes. / 人员编号。")]
Channel = Annotated[int | None, typer.Option("--channel", min=0, help="A channel's passes. / 渠道。")]


def _with(registry: Path, act: Callable[[StatusRegistry], Any]) -> Any:
    if not registry.is_file():
        raise MisuseError(f"{registry} is no registry: there is no such file.", f"{registry} 不存在。")
    try:
        opened = StatusRegistry.open(registry)
    except (ValueError, sqlite3.Error) as error:
        raise misuse_of(error, zh="") from None
    try:
        return act(opened)
    except ValueError as error:
        raise misuse_of(error) from None
    finally:
        opened.close()


@status.command("freeze", help="Suspend passes until they are reinstated. / 冻结。")
@command
def freeze(
    registry: Registry,
    index: Index = None,
    person: Person = None,
    channel: Channel = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Suspend a pass, a person, a channel, or a person in a channel."""
    _with(registry, lambda opened: opened.suspend(index=index, person=person, channel=channel))
    _done(Speaker(lang), "frozen", "已冻结", as_json=as_json)


@status.command("reinstate", help="Lift a suspension; 1 if there was none. / 解冻。")
@command
def reinstate(
    registry: Registry,
    index: Index = None,
    person: Person = None,
    channel: Channel = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Lift the suspension that was made with the same options."""
    lifted = _with(registry, lambda opened: opened.reinstate(index=index, person=person, channel=channel))
    if not lifted:
        _done(Speaker(lang), "no such suspension", "没有这项冻结", as_json=as_json)
        raise typer.Exit(REFUSED)
    _done(Speaker(lang), "reinstated", "已解冻", as_json=as_json)


@status.command("revoke", help="Revoke passes for good; 1 if there were none. / 撤销。")
@command
def revoke(
    registry: Registry,
    index: Index = None,
    person: Person = None,
    channel: Channel = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Revoke the passes that exist."""
    count = _with(registry, lambda opened: opened.revoke(index=index, person=person, channel=channel))
    _done(Speaker(lang), f"revoked: {count}", f"已撤销 {count} 个", as_json=as_json, count=count)
    if not count:
        raise typer.Exit(REFUSED)


@status.command("publish", help="Sign the list, and replace its file. / 签名发布状态列表。")
@command
def publish(
    registry: Registry,
    out: Annotated[Path, typer.Option("--out", help="The list's file, replaced whole. / 输出文件。")],
    key: Annotated[Path, typer.Option("--key", "-k", help="The private key for lists. / 状态列表私钥。")],
    lifetime: Annotated[
        int, typer.Option("--lifetime", min=1, help="Seconds it may be relied on. / 有效秒数。")
    ] = 3600,
    ttl: Annotated[int, typer.Option("--ttl", min=1, help="Seconds until a new one is fetched. / 更新间隔。")] = 300,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Publish the list as it is now."""
    speaker = Speaker(lang)
    passphrase = passphrase_from(passphrase_file, passphrase_env, speaker)
    signing = load_signing_key(key, passphrase, kind=None, ring=None, speaker=speaker)
    data = _with(registry, lambda opened: opened.publish(signing, lifetime=lifetime, ttl=ttl))
    replace_file(out, data)
    _done(speaker, f"{out}: {len(data)} bytes", f"{out}：{len(data)} 字节", as_json=as_json, bytes=len(data))


@status.command(
    "trust-clock",
    help="Believe this machine's clock after a pause, or after it was ahead. / 停顿或时钟偏快之后，确认本机时钟可信。",
)
@command
def trust_clock(registry: Registry, as_json: AsJson = False, lang: Lang = None) -> None:
    """Record the time, so that places are freed and lists signed again. Compare the clock with another one before."""
    _with(registry, StatusRegistry.trust_clock)
    now = int(time.time())
    at = time_words(now)
    _done(Speaker(lang), f"recorded: {at}", f"已记录本机时间：{at}", as_json=as_json, seen_at=now)


@status.command("show", help="Check a published list as a verifier does; 1 if refused. / 检查状态列表。")
@command
def show(
    file: Annotated[Path, typer.Argument(help="The published list. / 状态列表文件。")],
    ring: Ring,
    uri: Annotated[str, typer.Option("--uri", help="The list's address. / 列表地址。")],
    index: Annotated[
        int | None, typer.Option("--index", min=0, help="Say this pass's status. / 状态列表序号。")
    ] = None,
    now: Now = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Read a list with the ring of its keys, and say how many passes have which status."""
    speaker = Speaker(lang)
    at = int(time.time()) if now is None else now
    try:
        reader = StatusListReader(load_ring(ring), uri)
    except ValueError as error:
        raise misuse_of(error) from None
    read = reader.read(file.read_bytes(), now=at)
    if at >= read.expires_at:
        raise CannotCheckError("status.unavailable", reason="the list is past its end")
    end = time_words(read.expires_at)
    fields: dict[str, Any] = {"size": len(read), "issued_at": read.issued_at, "expires_at": read.expires_at}
    if index is not None:
        try:
            found = read[index]
        except IndexError:
            raise MisuseError("The list has no such index.", "列表没有该序号。") from None
        name = {int(each): each.name.lower() for each in Status}.get(found, str(found))
        fields |= {"index": index, "status": name}
        _done(speaker, f"{index}: {name}", f"{index}：{name}", as_json=as_json, **fields)
        return
    _done(
        speaker,
        f"good: {len(read)} places, until {end}",
        f"合格：{len(read)} 个序号，有效至 {end}",
        as_json=as_json,
        **fields,
    )


def _done(speaker: Speaker, en: str, zh: str, *, as_json: bool, **fields: Any) -> None:
    if as_json:
        say_json({"what": {"en": en, "zh": zh}} | fields)
    else:
        speaker.say(en, zh)
