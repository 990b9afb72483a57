"""``ybtoken verify`` and ``ybtoken redeem``: verdicts on texts, one line for each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ybtoken.cli.challenge import ChallengeText, challenge_of
from ybtoken.cli.guards import Store, guard_of
from ybtoken.cli.keyfiles import Ring, load_codes, load_ring
from ybtoken.cli.lines import read_lines
from ybtoken.cli.report import Report
from ybtoken.cli.speech import REFUSED, Lang, MisuseError, Speaker, command, misuse_of
from ybtoken.cli.values import AssuranceLevel, Files, Now, Scanned, Texts
from ybtoken.errors import TokenError
from ybtoken.passes.challenge import Challenge
from ybtoken.places import Scope
from ybtoken.policy import Channel, InsuredPlace, MaximumAge, MinimumAssurance, Policy, Purpose
from ybtoken.verified import VerifiedVoucher
from ybtoken.verifier import Verifier

__all__ = ["check"]


@command
def check(
    context: typer.Context,
    ring: Ring,
    texts: Texts = None,
    files: Files = None,
    scanned: Scanned = False,
    place: Annotated[
        list[str] | None, typer.Option(help="Accept these insured places: 2, 4 or 6 digits. / 受理的参保地前缀。")
    ] = None,
    purpose: Annotated[
        list[str] | None, typer.Option(help="Accept these business types. / 受理的用码业务类型。")
    ] = None,
    channel: Annotated[list[int] | None, typer.Option(help="Accept these channels. / 受理的渠道。")] = None,
    assurance: AssuranceLevel = None,
    max_age: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="Accept codes at most this old. / 码龄上限（秒）。")
    ] = None,
    skew: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="Clocks may differ by this. / 时钟容差。")] = 10,
    max_lifetime: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="The longest life of a code. / 有效期上限。")
    ] = 300,
    challenge: ChallengeText = None,
    master_key: Annotated[
        Path | None,
        typer.Option(
            "--master-key", help="For rotating passes: the master key's file, hex. / 主密钥文件，用于动态码凭证。"
        ),
    ] = None,
    store: Store = None,
    terminal: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="This terminal's name in a file's journal. / 本终端名称，记入文件中的离线受理记录。"
        ),
    ] = "",
    now: Now = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line. / 逐行 JSON。")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary. / 不显示进度和汇总。")] = False,
    lang: Lang = None,
) -> None:
    """Verify texts; under the name ``redeem``, also use each up."""
    speaker = Speaker(lang)
    redeem = context.command.name == "redeem"

    def clock() -> float:
        return time.time() if now is None else now

    try:  # before a file is read, or made
        policies = _policies(place, purpose, channel, assurance, max_age)
    except ValueError as error:
        raise misuse_of(error) from None
    if store is not None and now is not None:
        raise MisuseError(
            "--now is not used with --store: a store that is shown a wrong time forgets used codes.",
            "--now 不能与 --store 同用：时间不对会使存储丢失已用码的记录。",
        )
    asked = challenge_of(challenge)
    codes = None if master_key is None else load_codes(master_key, speaker)
    keys, guard = load_ring(ring), guard_of(store, terminal=terminal, clock=clock) if redeem else None
    try:
        verifier = Verifier(
            keys,
            guard=guard,
            policies=policies,
            skew=skew,
            max_lifetime=max_lifetime,
            otp=codes,
            clock=clock,
        )
    except ValueError as error:
        raise misuse_of(error) from None
    if redeem and store is None and not quiet:
        speaker.note(
            "Used codes are remembered in memory, for this run only: another run accepts them again while they live. "
            "--store keeps them.",
            "已用码仅记录在本次运行的内存中：再次运行时，仍在有效期内的码会被重复受理。可用 --store 保存。",
        )
    report = Report(speaker, as_json=as_json, quiet=quiet, redeemed=redeem)
    for batch in read_lines(texts, files, speaker):
        tokens = [line.token(scanned=scanned) for line in batch]
        if redeem:
            report.add(batch, (_redeem(verifier, token, asked) for token in tokens))
        else:
            report.add(batch, verifier.verify_many(tokens, challenge=asked))
    report.finish()
    if report.refused["otp.unavailable"] and codes is None and not quiet:
        speaker.note(
            "A rotating pass was shown: verifying it needs the master key, --master-key FILE.",
            "出示的是动态码凭证：验证需要主密钥，请用 --master-key 给出其文件。",
        )
    if report.refused:
        raise typer.Exit(REFUSED)


def _policies(
    place: Iterable[str] | None,
    purpose: Iterable[str] | None,
    channel: Iterable[int] | None,
    assurance: int | None,
    max_age: int | None,
) -> list[Policy]:
    policies: list[Policy] = []
    if place:
        policies.append(InsuredPlace(Scope(tuple(place))))
    if purpose:
        policies.append(Purpose(*purpose))
    if channel:
        policies.append(Channel(*channel))
    if assurance is not None:
        policies.append(MinimumAssurance(assurance))
    if max_age is not None:
        policies.append(MaximumAge(max_age))
    return policies


def _redeem(verifier: Verifier, token: str, challenge: Challenge | None) -> VerifiedVoucher | TokenError:
    try:
        return verifier.redeem(token, challenge=challenge)
    except TokenError as error:
        return error
