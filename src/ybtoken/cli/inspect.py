"""``ybtoken inspect``: what a text holds, with no key and no verdict; the output is diagnostic notation throughout."""

from __future__ import annotations

import typer

from ybtoken.cli.diagnostic import diagnose
from ybtoken.cli.lines import read_lines
from ybtoken.cli.speech import REFUSED, Lang, Speaker, command
from ybtoken.cli.values import Files, Scanned, Texts
from ybtoken.errors import TokenError
from ybtoken.wire.text import decode_text
from ybtoken.words import Words

__all__ = ["inspect"]

_LABEL = Words(
    "UNVERIFIED: anybody can make this. To trust it, verify it.",
    "未经验证：任何人都能伪造以下内容，须经 verify 验证方可采信。",
)


@command
def inspect(texts: Texts = None, files: Files = None, scanned: Scanned = False, lang: Lang = None) -> None:
    """Show what texts hold, without verifying anything."""
    speaker = Speaker(lang)
    damaged = False
    for batch in read_lines(texts, files, speaker):
        for line in batch:
            text = line.token(scanned=scanned)
            _comment(line.place, speaker.choose(_LABEL))
            try:
                profile, data = decode_text(text)
                _comment(f"text: {len(text)} digits, profile {profile}, check digits {text[-2:]}")
                _comment(f"{len(data)} bytes: {data.hex()}")
                typer.echo(diagnose(data) + "\n")
            except TokenError as error:
                damaged = True
                _comment(f"[{error.code}] {speaker.choose(error.what)}")
                typer.echo("")
    if damaged:
        raise typer.Exit(REFUSED)


def _comment(*parts: str) -> None:
    # A slash would end a comment of diagnostic notation.
    typer.echo("/ " + "  ".join(parts).replace("/", "|") + " /")
