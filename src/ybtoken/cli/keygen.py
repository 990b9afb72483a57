"""``ybtoken keygen``: a private key in PEM, and its public half in a key ring."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.cli.keyfiles import (
    KeyKind,
    PassphraseEnv,
    PassphraseFile,
    Ring,
    changing_ring,
    generate_key,
    load_ring,
    new_private_files,
    passphrase_from,
)
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command, misuse_of
from ybtoken.cli.values import parse_time
from ybtoken.keys.ring import FOREVER, KeyEntry
from ybtoken.places import Scope
from ybtoken.words import Words

__all__ = ["keygen"]


@command
def keygen(
    key: Annotated[Path, typer.Argument(metavar="KEY.pem", help="The private key's new file. / 私钥新文件。")],
    ring: Ring,
    issuer: Annotated[str, typer.Option("--issuer", help="The issuer's name. / 签发机构名称。")],
    kind: Annotated[KeyKind, typer.Option("--alg", help="The key's algorithm. / 算法。")] = KeyKind.ES256,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", help="Insured places it signs for: 2, 4 or 6 digits; repeatable. / 可签发的参保地前缀，可重复。"
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--except", help="Places taken out again; repeatable. / 排除的参保地，可重复。")
    ] = None,
    not_before: Annotated[
        int | None,
        typer.Option(parser=parse_time, metavar="TIME", help="It may sign from then on. / 签发起始时间。"),
    ] = None,
    not_after: Annotated[
        int | None,
        typer.Option(parser=parse_time, metavar="TIME", help="It may sign before then. / 签发截止时间（不含）。"),
    ] = None,
    user_id: Annotated[
        str | None, typer.Option("--user-id", help="SM2's user id, if not the usual one. / SM2 用户标识。")
    ] = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    in_clear: Annotated[
        bool, typer.Option("--in-clear", help="Write the key without a passphrase. / 私钥不加密保存。")
    ] = False,
    lang: Lang = None,
) -> None:
    """Make a signing key and enter it in a key ring."""
    speaker = Speaker(lang)
    if in_clear and (passphrase_file or passphrase_env):
        raise MisuseError("--in-clear takes no passphrase.", "--in-clear 不能与口令同用。")
    passphrase = None if in_clear else passphrase_from(passphrase_file, passphrase_env, speaker, confirm=True)()
    if user_id is not None and kind is not KeyKind.SM2:
        raise MisuseError("--user-id is for SM2 keys.", "--user-id 仅用于 SM2 密钥。")
    signing_key = generate_key(kind, DEFAULT_USER_ID if user_id is None else user_id.encode())
    try:
        entry = KeyEntry(
            signing_key.verifying_key,
            issuer,
            Scope(tuple(scope or ()), tuple(exclude or ())),
            not_before=not_before or 0,
            not_after=FOREVER if not_after is None else not_after,
        )
        pem = signing_key.to_pem(passphrase=passphrase)
    except ValueError as error:
        raise misuse_of(error) from None
    with changing_ring(ring) as (keys, replace):
        with new_private_files([(key, pem)], lambda: ring.exists() and entry.kid in load_ring(ring)):
            replace(keys.with_entries(entry))
        count = len(keys) + 1
    state = Words("IN CLEAR", "未加密") if in_clear else Words("encrypted", "已加密")
    speaker.say(
        f"Key {entry.kid.hex()} ({kind.algorithm.name}) of {issuer}, scope {entry.scope}\n"
        f"  {key}  private key, {state.en}\n"
        f"  {ring}  key ring, {count} in all",
        f"密钥 {entry.kid.hex()}（{kind.algorithm.name}），签发机构 {issuer}，范围 {entry.scope}\n"
        f"  {key}  私钥，{state.zh}\n"
        f"  {ring}  密钥环，共 {count} 个密钥",
    )
