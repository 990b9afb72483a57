"""``ybtoken qr``: a text as a QR code, on the terminal or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ybtoken.cli.lines import read_lines
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command
from ybtoken.cli.values import Files, Scanned, Texts
from ybtoken.wire.text import CHALLENGE, decode_text

__all__ = ["qr"]


@command
def qr(
    texts: Texts = None,
    files: Files = None,
    scanned: Scanned = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A .png or .svg file; else the terminal. / 输出文件，默认绘于终端。"),
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=100, help="Pixels a module. / 每模块像素数。")] = 8,
    lang: Lang = None,
) -> None:
    """Draw texts as QR codes."""
    try:
        from ybtoken.qr import QrCode
    except ModuleNotFoundError as error:
        raise MisuseError(str(error), "绘制二维码需要 segno：pip install 'ybtoken[qr]'") from None
    speaker = Speaker(lang)
    kind = None if out is None else out.suffix.lower()
    if kind not in (None, ".png", ".svg"):
        raise MisuseError(f"{out}: a picture is a .png or a .svg", f"{out}：图片须为 .png 或 .svg")
    lines = (line for batch in read_lines(texts, files, speaker) for line in batch)
    for count, token in enumerate(line.token(scanned=scanned) for line in lines):
        if out is not None and count:
            raise MisuseError(f"{out} holds the first text only.", f"{out} 仅含第一个码文。")
        # Do not draw a text that would only be refused, at the counter or by the phone.
        decode_text(token, challenge=token.startswith(str(CHALLENGE)))
        code = QrCode(token)
        if out is None:
            typer.echo(
                code.terminal(), color=True
            )  # colours even in a pipe, because few scanners read an inverted symbol
            continue
        out.write_bytes(code.png(scale=scale) if kind == ".png" else code.svg(scale=scale).encode())
        side = 17 + 4 * code.version
        speaker.say(
            f"{out}: version {code.version}-M, {side} modules a side, {len(token)} digits",
            f"{out}：版本 {code.version}-M，每边 {side} 模块，{len(token)} 位数字",
        )
