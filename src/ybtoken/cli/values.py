"""Options that are more than a word or a number, and how they are read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ybtoken.voucher import MAX_UINT8, MAX_UINT32, Assurance

__all__ = ["AssuranceLevel", "Files", "Now", "Scanned", "Texts", "parse_assurance", "parse_time"]


def parse_time(value: str) -> int:
    """Seconds since 1970, from such a number or from ISO 8601 with an offset."""
    try:
        if value.isascii() and value.isdigit():
            seconds = int(value)
        else:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError("no offset: whose clock?")
            seconds = int(moment.timestamp())
        if not 0 <= seconds <= MAX_UINT32:
            raise ValueError("out of range")
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "a time is seconds since 1970, or like 2026-05-01T08:00:00+08:00 (with the offset). / "
            "时间为 1970 年起的秒数，或 2026-05-01T08:00:00+08:00（须带时区）。"
        ) from None
    return seconds


def parse_assurance(value: str) -> int:
    """A level of assurance, by its name or its number."""
    names = {level.name.lower(): int(level) for level in Assurance}
    if value.lower() in names:
        return names[value.lower()]
    if value.isascii() and value.isdigit() and len(value) <= 3 and int(value) <= MAX_UINT8:
        return int(value)
    raise typer.BadParameter(f"one of {', '.join(names)}, or 0 to {MAX_UINT8}. / 须为上述名称之一或 0 至 {MAX_UINT8}。")


Now = Annotated[
    int | None,
    typer.Option(
        "--now",
        parser=parse_time,
        metavar="TIME",
        help="The time to go by; else the clock. / 所依时间，默认取本机时钟。",
    ),
]
AssuranceLevel = Annotated[
    int | None,
    typer.Option(
        "--assurance",
        parser=parse_assurance,
        metavar="LEVEL",
        help="password, fingerprint, face, or a number. / 核验级别：口令、指纹、人脸或数字。",
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT]...", help="Texts; else files, else standard input. / 码文；未给时读文件或标准输入。"
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", help="Texts, one a line; - is standard input. / 每行一码的文件；- 为标准输入。"),
]
Scanned = Annotated[
    bool,
    typer.Option("--scanned", help="First take away what scanners add. / 先去除扫码枪附加的字符。"),
]
