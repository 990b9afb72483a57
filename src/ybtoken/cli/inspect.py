"""``ybtoken inspect``: shows the outcome of each step for a text, and its content, all in diagnostic notation.

It needs no key. With a key ring it also checks the key, the signature, the time and the scope.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ybtoken.cli.diagnostic import diagnose
from ybtoken.cli.keyfiles import load_ring
from ybtoken.cli.layers import layers
from ybtoken.cli.lines import read_lines
from ybtoken.cli.speech import REFUSED, Lang, Speaker, command
from ybtoken.cli.values import Files, Now, Scanned, Texts
from ybtoken.errors import TokenError
from ybtoken.wire.text import decode_text
from ybtoken.words import Words

__all__ = ["inspect"]

_LABEL = Words(
    "UNVERIFIED: anybody can make this. To trust it, verify it.",
    "未经验证：任何人都能伪造以下内容，须经 verify 验证方可采信。",
)


@command
def inspect(
    texts: Texts = None,
    files: Files = None,
    scanned: Scanned = False,
    ring: Annotated[
        Path | None, typer.Option("--ring", "-r", help="Judge by these keys as well. / 同时按此密钥环检查。")
    ] = None,
    now: Now = None,
    lang: Lang = None,
) -> None:
    """Show what each layer says of texts, and what they hold; no verdict is given."""
    speaker = Speaker(lang)
    keys = None if ring is None else load_ring(ring)
    damaged = False
    for batch in read_lines(texts, files, speaker):
        for line in batch:
            text = line.token(scanned=scanned)
            _comment(line.place, speaker.choose(_LABEL))
            for name, said in layers(text, keys, int(time.time()) if now is None else now):
                _comment(f"{speaker.choose(name)}: {speaker.choose(said)}")
            try:
                profile, data = decode_text(text)
                _comment(f"text: {len(text)} digits, profile {profile}, check digits {text[-2:]}")
                _comment(f"{len(data)} bytes: {data.hex()}")
                typer.echo(diagnose(profile, data) + "\n")
            except TokenError:  # reported above
                damaged = True
                typer.echo("")
    if damaged:
        raise typer.Exit(REFUSED)


def _comment(*parts: str) -> None:
    # In diagnostic notation a slash would end the comment.
    typer.echo("/ " + "  ".join(parts).replace("/", "|") + " /")
