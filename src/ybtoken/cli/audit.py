"""``ybtoken audit check``: whether an audit file is whole."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ybtoken.cli.ring import AsJson, say_json
from ybtoken.cli.speech import REFUSED, Lang, Speaker, command, of_group
from ybtoken.observers.audit import AuditError, check_audit
from ybtoken.words import words_of

__all__ = ["audit"]

audit = typer.Typer(callback=of_group, no_args_is_help=True, help="Audit files. / 审计文件。")


class _Digest(StrEnum):
    SHA256 = "sha256"
    SM3 = "sm3"


@audit.command("check", help="Check the chain of an audit file; 1 if it is broken. / 校验审计链。")
@command
def check(
    file: Annotated[Path, typer.Argument(help="The audit file. / 审计文件。")],
    head: Annotated[
        str | None,
        typer.Option("--head", help="A hash that was kept elsewhere; else a cut is not seen. / 另存的链头。"),
    ] = None,
    digest: Annotated[
        _Digest, typer.Option("--digest", help="With which it was written. / 杂凑算法。")
    ] = _Digest.SHA256,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Check every line against the one before it."""
    speaker = Speaker(lang)
    try:
        found = check_audit(file, head=head, digest=digest.value)
    except (AuditError, UnicodeDecodeError) as error:
        line = error.line if isinstance(error, AuditError) else None
        if as_json:
            say_json({"good": False, "line": line, "reason": str(error)})
        else:
            words = words_of(error)
            speaker.say(f"BROKEN: {words.en}", f"审计链断裂：{words.zh}")
        raise typer.Exit(REFUSED) from None
    gaps = [gap._asdict() for gap in found.gaps]
    if as_json:
        say_json({"good": not gaps, "lines": found.lines, "gaps": gaps, "head_checked": head is not None})
    else:
        speaker.say(f"whole: {found.lines} lines", f"完整：{found.lines} 行")
        if gaps:
            speaker.say(f"GAPS, where records were lost: {gaps}", f"有记录丢失：{gaps}")
        if head is None:
            speaker.note(
                "Whether lines were cut off the end is not known: give --head.",
                "无法判断末尾是否被截断：请给出 --head。",
            )
    if gaps:
        raise typer.Exit(REFUSED)
