"""Reads options that are more than a word or a number."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from enum import IntEnum
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from ybtoken.voucher import MAX_UINT8, MAX_UINT32, OPTIONAL_CLAIMS, Assurance, OptionalClaim

__all__ = [
    "AssuranceLevel",
    "Files",
    "Now",
    "Scanned",
    "Texts",
    "parse_assurance",
    "parse_time",
    "with_claim_options",
    "without_options",
]

_Parameters = ParamSpec("_Parameters")


def parse_time(value: str) -> int:
    """Seconds since 1970, given as such a number or in ISO 8601 with an offset."""
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
    return _level(value, Assurance, MAX_UINT8)


def _level(value: str, levels: type[IntEnum], maximum: int) -> int:
    names = {level.name.lower(): int(level) for level in levels}
    if value.lower() in names:
        return names[value.lower()]
    if value.isascii() and value.isdigit() and len(value) <= len(str(maximum)) and int(value) <= maximum:
        return int(value)
    raise typer.BadParameter(f"one of {', '.join(names)}, or 0 to {maximum}. / 须为上述名称之一或 0 至 {maximum}。")


def with_claim_options(function: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """Give a command that takes ``**claims`` an option for each optional claim: a row of `OPTIONAL_CLAIMS`."""
    signature = inspect.signature(function, eval_str=True)
    stated = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    claims = [
        inspect.Parameter(row.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(row))
        for row in OPTIONAL_CLAIMS
    ]
    return _with_parameters(function, [*stated, *claims])


def without_options(function: Callable[..., None], *names: str) -> Callable[..., None]:
    """The same command without some of its options, which keep their defaults."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    signature = inspect.signature(function, eval_str=True)
    return _with_parameters(run, [each for name, each in signature.parameters.items() if name not in names])


def _with_parameters(
    function: Callable[_Parameters, None], parameters: list[inspect.Parameter]
) -> Callable[_Parameters, None]:
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {each.name: each.annotation for each in parameters}
    return function


def _option(row: OptionalClaim) -> Any:
    words = f"{row.help.en} / {row.help.zh}"
    if row.levels is not None:
        # Some versions of click ask a parser for its name.
        parser = wraps(_level)(partial(_level, levels=row.levels, maximum=row.maximum))
        names = ", ".join(level.name.lower() for level in row.levels)
        return Annotated[int | None, typer.Option(parser=parser, metavar="LEVEL", help=f"{words} ({names})")]
    if row.kind == 16:
        return Annotated[str | None, typer.Option(metavar="HEX", help=words)]
    return Annotated[str | None if row.digits else int | None, typer.Option(help=words)]


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
        help="password, fingerprint, face, or a number. / 核验等级：口令、指纹、人脸或数字。",
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
