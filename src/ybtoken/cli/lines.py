"""Reads lines from arguments, files and pipes in bounded memory. A batch is what can be read at once.

From a file this is a megabyte at a time; from a pipe it is what has arrived, so that a scanner gets its answer at once.
A line that is too long to be a text is cut and marked as such.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import typer

from ybtoken.cli.speech import MisuseError, Speaker
from ybtoken.wire.text import normalize_scan

__all__ = ["LONGEST_LINE", "Line", "read_lines"]

LONGEST_LINE = 8192
"""In bytes: ten times the longest text."""
_CHUNK = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line, without its end.

    Args:
        source: the file's name, ``-`` for standard input, "" for an argument.
        number: the line's number in the source, from 1.
        text: the line's text; bytes that are not UTF-8 are replaced by U+FFFD.
        whole: false if the line was longer than `LONGEST_LINE` and is cut.
    """

    source: str
    number: int
    text: str
    whole: bool = True

    @property
    def place(self) -> str:
        """Where the line is, for people."""
        return f"{self.source}:{self.number}" if self.source else str(self.number)

    def token(self, *, scanned: bool) -> str:
        """The line as a token's text. A cut line is not normalised, because it is too long for a token."""
        return normalize_scan(self.text) if scanned and self.whole else self.text


class _Reader(Protocol):
    def read1(self, size: int, /) -> bytes: ...


def read_lines(arguments: Sequence[str] | None, files: Sequence[Path] | None, speaker: Speaker) -> Iterator[list[Line]]:
    """Batches of the lines that are not empty: the arguments, then the files; standard input if there is neither.

    Raises:
        MisuseError: there is no line at all.
        OSError: a file cannot be read.
    """
    none = True
    for batch in _batches(arguments or (), files or (), speaker):
        if lines := [line for line in batch if line.text]:
            none = False
            yield lines
    if none:
        raise MisuseError("No text was given.", "没有给出任何内容。")


def _batches(arguments: Sequence[str], files: Sequence[Path], speaker: Speaker) -> Iterator[Iterable[Line]]:
    if arguments:
        yield [Line("", number, text) for number, text in enumerate(arguments, 1)]
    elif not files:
        files = [Path("-")]
    for file in files:
        if str(file) == "-":
            if sys.stdin is None:
                raise MisuseError("Standard input is closed.", "标准输入已关闭。")
            if sys.stdin.isatty():
                speaker.note("Reading from the keyboard; Ctrl-D ends.", "从键盘读取，按 Ctrl-D 结束。")
            yield from _lines_of(cast(_Reader, typer.get_binary_stream("stdin")), "-")
        else:
            with file.open("rb") as stream:
                yield from _lines_of(stream, str(file))


def _lines_of(stream: _Reader, source: str) -> Iterator[Iterable[Line]]:
    number = 0
    rest, cut = b"", False  # the start of a line whose end is not read yet; whether part of it was dropped
    before = b""  # the chunk that was read last
    while chunk := stream.read1(_CHUNK):
        data = rest + chunk
        if not before:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        elif before.endswith(b"\r"):
            data = data.removeprefix(b"\n")  # the second half of a CR LF that was split between two reads
        before = chunk
        pieces = data.splitlines()
        rest = pieces.pop() if pieces and not data.endswith((b"\n", b"\r")) else b""
        batch = []
        for piece in pieces:
            number += 1
            batch.append(_line(source, number, piece, cut))
            cut = False
        if len(rest) > LONGEST_LINE:
            rest, cut = rest[:LONGEST_LINE], True
        yield batch
    if rest:
        yield [_line(source, number + 1, rest, cut)]


def _line(source: str, number: int, data: bytes, cut: bool) -> Line:
    whole = not cut and len(data) <= LONGEST_LINE
    return Line(source, number, data[:LONGEST_LINE].decode(errors="replace"), whole)
