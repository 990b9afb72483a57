"""``ybtoken challenge``: what a terminal asks a phone, and the option with which the other commands take it."""

from __future__ import annotations

from typing import Annotated

import typer

from ybtoken.cli.ring import AsJson, say_json
from ybtoken.cli.speech import Lang, command, misuse_of
from ybtoken.passes.challenge import Challenge

__all__ = ["ChallengeText", "challenge", "challenge_of"]

ChallengeText = Annotated[
    str | None,
    typer.Option("--challenge", metavar="TEXT", help="What the terminal asked: its text. / 终端挑战的码文。"),
]


@command
def challenge(
    terminal: Annotated[
        str,
        typer.Option(
            "--terminal", metavar="NAME", help="The terminal's name: 1 to 32 of A-Z a-z 0-9 . _ - / 终端名称。"
        ),
    ],
    purpose: Annotated[str, typer.Option("--purpose", help="Business type, five digits. / 用码业务类型，五位数字。")],
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Print the text of a new challenge; each is for one customer."""
    try:
        asked = Challenge.new(terminal, purpose)
    except ValueError as error:
        raise misuse_of(error) from None
    if as_json:
        say_json({"text": asked.text, "terminal": asked.terminal, "purpose": asked.purpose})
    else:
        typer.echo(asked.text)


def challenge_of(text: str | None) -> Challenge | None:
    """The challenge that ``--challenge`` states, if it does."""
    if text is None:
        return None
    try:
        return Challenge.from_text(text)
    except ValueError as error:
        raise misuse_of(error, "--challenge: ", "--challenge：") from None
