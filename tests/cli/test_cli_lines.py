from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from ybtoken.cli import lines as module
from ybtoken.cli.lines import LONGEST_LINE, _lines_of


class Pipe:
    """Bytes that arrive in pieces, independent of how many are requested."""

    def __init__(self, pieces):
        self._pieces = [piece for piece in pieces if piece]

    def read1(self, size):
        return self._pieces.pop(0) if self._pieces else b""


def read(stream):
    return [line for batch in _lines_of(stream, "s") for line in batch]


@given(st.lists(st.text("12\r\n\t x", max_size=8).map(str.encode), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_arrive(pieces):
    expected = b"".join(pieces).splitlines()
    lines = read(Pipe(pieces))
    assert [line.text.encode() for line in lines] == expected
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))
    assert all(line.whole for line in lines)


@given(st.integers(0, 3 * LONGEST_LINE), st.integers(1, LONGEST_LINE * 2))
def test_a_line_that_is_too_long_is_cut_and_says_so_wherever_reads_end(size, step):
    data = b"1" * size + b"\n" + b"2\n" + b"3" * size
    lines = read(Pipe([data[i : i + step] for i in range(0, len(data), step)]))
    kept = min(size, LONGEST_LINE)
    assert [line.text for line in lines] == ["1" * kept, "2", "3" * kept][: 2 + bool(size)]
    assert [line.whole for line in lines] == [size <= LONGEST_LINE, True, size <= LONGEST_LINE][: 2 + bool(size)]


def test_a_byte_order_mark_is_no_part_of_the_first_line_and_of_no_other():
    mark = "\ufeff"
    assert [line.text for line in read(io.BytesIO(f"{mark}1\n{mark}2".encode()))] == ["1", f"{mark}2"]


def test_a_batch_is_what_has_arrived():
    batches = list(_lines_of(Pipe([b"1\n2\n3", b"4\n", b"5"]), "s"))
    assert [[line.text for line in batch] for batch in batches] == [["1", "2"], ["34"], [], ["5"]]


def test_reads_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 5)
    assert [line.text for line in read(io.BytesIO(b"12\r\n34\r\n567890123\n"))] == ["12", "34", "567890123"]
