"""``ybtoken store journal``, ``handed-in`` and ``begin-anew``: a terminal's file of used codes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ybtoken.cli.speech import Lang, MisuseError, Speaker, command, misuse_of

if TYPE_CHECKING:
    from ybtoken.replay.sqlite import SqliteReplayGuard

__all__ = ["begin_anew", "handed_in", "journal"]

_File = Annotated[Path, typer.Argument(help="The guard's file. / 防重放组件的文件。", show_default=False)]


@command
def journal(
    file: _File,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A new file; else the rows are printed. / 输出到新文件，缺省为标准输出。"),
    ] = None,
    after: Annotated[int, typer.Option(min=0, help="Leave out rows up to this number. / 跳过此编号及之前的行。")] = 0,
    lang: Lang = None,
) -> None:
    """Write the journal as JSON lines, the oldest row first; nothing is removed."""
    speaker, rows, last = Speaker(lang), 0, after
    with _guard(file) as guard, _target(out) as stream:
        for row in guard.journal(after=after):
            stream.write(json.dumps(row.to_dict()) + "\n")
            rows, last = rows + 1, row.number
        stream.flush()
        if out is not None:
            os.fsync(stream.fileno())  # the rows are removed once this has been handed in
    speaker.note(
        f"{rows} rows. When they are handed in: ybtoken store handed-in {file} {last}" if rows else "No rows.",
        f"共 {rows} 行。上报完成后请执行：ybtoken store handed-in {file} {last}" if rows else "没有记录。",
    )


@command
def handed_in(
    file: _File,
    number: Annotated[
        int,
        typer.Argument(min=1, help="The last row that was handed in. / 已上报的最后一行的编号。", show_default=False),
    ],
    lang: Lang = None,
) -> None:
    """Remove the rows that were handed in; their codes stay used."""
    with _guard(file) as guard:
        removed = guard.remove_handed_in(number)
    Speaker(lang).say(f"{removed} rows removed; their codes stay used.", f"已删除 {removed} 行；相应的码仍为已使用。")


@command
def begin_anew(file: _File, lang: Lang = None) -> None:
    """Let a terminal's file remember from now on, after a backup was put back or the clock was wrong."""
    with _guard(file) as guard:
        begun = guard.begin_anew()
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(begun))
    Speaker(lang).say(
        f"The file remembers used codes since {at}. Codes issued more than 2 x skew after that are accepted: with the "
        f"default skew, 21 s after it.",
        f"文件自 {at} 起有记录；此后再过 2 倍 skew（默认即 21 秒后）签发的码可正常受理。",
    )


@contextmanager
def _guard(file: Path) -> Iterator[SqliteReplayGuard]:
    from ybtoken.replay.sqlite import SqliteReplayGuard

    if not file.is_file():  # the guard would make it
        raise MisuseError(f"There is no file {file}.", f"文件 {file} 不存在。")
    try:
        opened = SqliteReplayGuard(file, local=True)  # these commands claim nothing
    except ValueError as error:  # its message names the file
        raise misuse_of(error, zh="") from None
    try:
        with closing(opened) as guard:
            yield guard
    except (ValueError, OSError) as error:
        raise misuse_of(error, f"{file}: ", f"{file}：") from None


@contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    # A text is a record of a visit, so nobody else reads the file; and an earlier journal is not written over.
    with os.fdopen(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as stream:
        yield stream
