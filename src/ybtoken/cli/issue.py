"""``ybtoken issue``: one voucher, or one for each record of a file or pipe."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ybtoken.algorithms import Algorithm
from ybtoken.cli.keyfiles import (
    KeyKind,
    PassphraseEnv,
    PassphraseFile,
    load_ring,
    load_sealer,
    load_signing_key,
    passphrase_from,
)
from ybtoken.cli.lines import LONGEST_LINE, Line, read_lines
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command
from ybtoken.cli.values import Now, with_claim_options
from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.issuer import Issuer
from ybtoken.misuse import IssueError
from ybtoken.places import Scope
from ybtoken.voucher import IDENTITY_REF_SIZE, OPTIONAL_CLAIMS

__all__ = ["issue"]

_MEMBERS = ("city_code", "identity_ref", "person", *(claim.name for claim in OPTIONAL_CLAIMS))


@command
@with_claim_options
def issue(
    city_code: Annotated[
        str | None, typer.Argument(metavar="[CITY_CODE]", help="The insured place, six digits. / 参保地，六位数字。")
    ] = None,
    *,
    key: Annotated[Path, typer.Option("--key", "-k", help="The private key, PEM. / 私钥文件（PEM）。")],
    ring: Annotated[
        Path | None,
        typer.Option(
            "--ring", "-r", help="Take the key's scope and algorithm from this ring. / 从密钥环取范围和算法。"
        ),
    ] = None,
    kind: Annotated[
        KeyKind | None, typer.Option("--alg", help="The key's algorithm, if no ring says. / 算法（未给密钥环时）。")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="Records, one JSON object a line; - is standard input. They override the options. Members: "
            f"{', '.join(_MEMBERS)}. / 逐行 JSON 记录；- 为标准输入；优先于选项。",
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many of each. / 每条签发几份。")] = 1,
    identity_ref: Annotated[
        str | None,
        typer.Option("--ref", metavar="HEX", help="The identity reference; else random. / 身份引用，默认随机。"),
    ] = None,
    person: Annotated[
        int | None, typer.Option(help="A person number to seal; needs --sealing-key. / 人员编号，须配 --sealing-key。")
    ] = None,
    sealing_key: Annotated[Path | None, typer.Option(help="The sealing key's file, hex. / 身份加密密钥文件。")] = None,
    cipher: Annotated[
        BlockCipher | None,
        typer.Option(
            case_sensitive=False,
            help="What seals; SM4 by default with SM2 keys. / 身份加密算法；SM2 密钥默认 SM4。",
        ),
    ] = None,
    lifetime: Annotated[int, typer.Option(min=1, help="Seconds a voucher is valid. / 有效秒数。")] = 60,
    now: Now = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    lang: Lang = None,
    **claims: Any,
) -> None:
    """Issue vouchers; prints their texts."""
    speaker = Speaker(lang)
    if (city_code is None) == (file is None):
        raise MisuseError("Give a city code, or --file with records.", "请给出参保地代码，或用 --file 给出记录。")
    passphrase = passphrase_from(passphrase_file, passphrase_env, speaker)
    keys = None if ring is None else load_ring(ring)
    signing_key = load_signing_key(key, passphrase, kind=kind, ring=keys, speaker=speaker)
    if keys is not None and signing_key.kid not in keys:
        raise MisuseError(f"{ring} has no entry for {key}.", f"{ring} 中没有 {key} 的条目。")
    scope = Scope() if keys is None else keys[signing_key.kid].scope
    issuer = Issuer(signing_key, scope=scope, lifetime=lifetime)
    sm2_only = signing_key.algorithm is Algorithm.SM2 if keys is None else keys.sm2_only
    cipher = cipher or BlockCipher.default(sm2_only=sm2_only)
    sealer = None if sealing_key is None else load_sealer(sealing_key, cipher, speaker)
    options = {"city_code": city_code, "identity_ref": identity_ref, "person": person} | claims
    for place, record in _records(file, speaker):
        try:
            for _ in range(count):
                typer.echo(_issue(issuer, sealer, options | record, now))
        except IssueError as error:
            what, remedy = error.what, error.remedy
            raise MisuseError(
                f"{place}[{error.code}] {what.en} {remedy.en}", f"{place}[{error.code}] {what.zh}{remedy.zh}"
            ) from None
        except (ValueError, TypeError) as error:
            raise MisuseError(f"{place}{error}", f"{place}无法签发：{error}") from None


def _records(file: Path | None, speaker: Speaker) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record with its place in the file; one empty record if there is no file."""
    if file is None:
        yield "", {}
        return
    for batch in read_lines((), [file], speaker):
        for line in batch:
            yield f"{line.place}: ", _record(line)


def _record(line: Line) -> dict[str, Any]:
    if not line.whole:
        raise MisuseError(f"{line.place}: longer than {LONGEST_LINE} bytes", f"{line.place}：超过 {LONGEST_LINE} 字节")
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"{line.place}: not JSON: {error}", f"{line.place}：不是 JSON：{error}") from None
    if not isinstance(record, dict):
        raise MisuseError(f"{line.place}: not a JSON object", f"{line.place}：不是 JSON 对象")
    if unknown := sorted(set(record).difference(_MEMBERS)):
        raise MisuseError(f"{line.place}: unknown members {unknown}", f"{line.place}：未知成员 {unknown}")
    own_holder: dict[str, Any] = (
        {"person": None, "identity_ref": None} if {"person", "identity_ref"} & set(record) else {}
    )
    return own_holder | record


def _issue(issuer: Issuer, sealer: IdentitySealer | None, record: dict[str, Any], now: int | None) -> str:
    at = int(time.time()) if now is None else now
    claims = {claim.name: claim.from_text(record[claim.name]) for claim in OPTIONAL_CLAIMS}
    return issuer.issue(_identity_ref(sealer, record, at), record["city_code"], now=at, **claims).text


def _identity_ref(sealer: IdentitySealer | None, record: dict[str, Any], at: int) -> bytes:
    stated, person = record["identity_ref"], record["person"]
    if stated is not None and person is not None:
        raise ValueError("an identity reference and a person number: one of them is enough")
    if stated is not None:
        return bytes.fromhex(stated)
    if person is None:
        return secrets.token_bytes(IDENTITY_REF_SIZE)
    if sealer is None:
        raise ValueError("a person number needs --sealing-key")
    if isinstance(person, bool) or not isinstance(person, int) or not 0 <= person < 1 << 64:
        raise ValueError("a person number is an integer of 64 bits")
    return sealer.seal(person, at=at)
