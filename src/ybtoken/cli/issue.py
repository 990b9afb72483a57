"""``ybtoken issue``: one voucher, or one for each record of a file or pipe."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ybtoken.cli.issuing import (
    Cipher,
    IdentityRef,
    IssuerKey,
    IssuerKind,
    IssuerRing,
    Person,
    SealingKey,
    identity_ref_of,
    issuer_and_sealer,
    refusals_as_misuse,
)
from ybtoken.cli.keyfiles import PassphraseEnv, PassphraseFile
from ybtoken.cli.lines import LONGEST_LINE, Line, read_lines
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command
from ybtoken.cli.values import Now, with_claim_options
from ybtoken.identity import IdentitySealer
from ybtoken.issuer import Issuer
from ybtoken.voucher import OPTIONAL_CLAIMS

__all__ = ["issue"]

_MEMBERS = ("city_code", "identity_ref", "person", *(claim.name for claim in OPTIONAL_CLAIMS))


@command
@with_claim_options
def issue(
    city_code: Annotated[
        str | None, typer.Argument(metavar="[CITY_CODE]", help="The insured place, six digits. / 参保地，六位数字。")
    ] = None,
    *,
    key: IssuerKey,
    ring: IssuerRing = None,
    kind: IssuerKind = None,
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
    identity_ref: IdentityRef = None,
    person: Person = None,
    sealing_key: SealingKey = None,
    cipher: Cipher = None,
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
    issuer, sealer = issuer_and_sealer(
        key,
        ring,
        kind,
        sealing_key,
        cipher,
        passphrase_file=passphrase_file,
        passphrase_env=passphrase_env,
        speaker=speaker,
        lifetime=lifetime,
    )
    options = {"city_code": city_code, "identity_ref": identity_ref, "person": person} | claims
    for place, record in _records(file, speaker):
        with refusals_as_misuse(place):
            for _ in range(count):
                typer.echo(_issue(issuer, sealer, options | record, now))


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
    identity_ref = identity_ref_of(sealer, record["identity_ref"], record["person"], at)
    return issuer.issue(identity_ref, record["city_code"], now=at, **claims).text
