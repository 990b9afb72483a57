from __future__ import annotations

import errno
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from ybtoken.observers.audit import AuditError, AuditFile, AuditGap, check_audit


class FullDisk:
    """A file on a disk that has room for so many bytes."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        written = self.file.write(data[: self.room])
        self.room -= written
        return written

    def __getattr__(self, name: str):
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 1, 65, 66, 70, 74, 75, 76, 100, 210])
def test_a_full_disk_makes_a_gap_that_is_stated(tmp_path: Path, room: int) -> None:
    """Wherever the write ends: in the hash, in the record, before the line feed, in the line that states the gap."""
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        audit.append({"n": 1})
        disk, kept, lost = audit._file, 1, 0
        for more in (room, 0, 40, 10_000):
            audit._file = FullDisk(disk, more)
            for n in range(3):
                try:
                    audit.append({"n": n})
                except OSError:
                    lost += 1
                else:
                    kept += 1
        assert audit.lost == 0
        audit._file = disk
    checked = check_audit(path, head=audit.head)
    assert checked.lines == kept + len(checked.gaps)
    assert sum(gap.lost for gap in checked.gaps) == lost > 0
    with AuditFile(path) as audit:
        audit.append({"n": 9})
    assert check_audit(path).lines == checked.lines + 1


@pytest.mark.parametrize("cut", [1, 5, 70])
def test_a_line_that_a_crash_cut_short_is_stated_by_the_next_writer(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        for n in range(3):
            audit.append({"n": n})
    path.write_bytes(path.read_bytes()[:-cut])
    size = len(path.read_bytes().splitlines()[-1]) + 2
    with pytest.raises(AuditError, match="cut short"):
        check_audit(path)
    with AuditFile(path) as audit:
        audit.append({"n": 4})
    assert check_audit(path) == (4, (AuditGap(4, 1, size),))


@pytest.mark.parametrize("change", ["torn", "gap", "remove"])
def test_a_gap_hides_nothing(tmp_path: Path, change: str) -> None:
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        for n in range(2):
            audit.append({"n": n})
    path.write_bytes(path.read_bytes()[:-3])
    with AuditFile(path) as audit:
        audit.append({"n": 3})
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "torn":
        lines[1] = lines[1].replace(b'"n"', b'"m"')
    elif change == "gap":
        lines[2] = lines[2].replace(b'"lost":1', b'"lost":0')
    else:
        del lines[1]
    path.write_bytes(b"".join(lines))
    with pytest.raises(AuditError) as caught:
        check_audit(path)
    assert caught.value.line == 2


def test_bytes_that_are_no_text_break_the_chain_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    path.write_bytes(b"\xff\xfe\n")
    for act in (check_audit, AuditFile):
        with pytest.raises(AuditError) as caught:
            act(path)
        assert caught.value.line == 1


def test_every_line_is_json(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        for number in (float("nan"), float("inf")):
            with pytest.raises(ValueError, match="JSON"):
                audit.append({"n": number})
        with pytest.raises(ValueError, match="gap"):
            audit.append({"gap": 1})
        audit.append({"half": "\ud800", "zh": "医保"})
    (line,) = path.read_text().splitlines()
    assert json.loads(line.partition(" ")[2]) == {"half": "\ud800", "zh": "医保"}
    assert check_audit(path) == (1, ())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_process_does_not_write_to_the_chain(tmp_path: Path) -> None:
    from tests.support import in_child

    with AuditFile(tmp_path / "audit") as audit:
        with audit._lock, pytest.raises(RuntimeError, match="forked"):
            in_child(lambda: audit.append({"n": 1}))
        audit.append({"n": 1})
    assert check_audit(tmp_path / "audit").lines == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    from tests.support import in_child

    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        audit.append({"n": 1})
        for act in (lambda: AuditFile(path), lambda: in_child(lambda: AuditFile(path).head)):
            with pytest.raises(BlockingIOError, match="has one writer"):
                act()
        audit.append({"n": 2})
        assert check_audit(path) == (2, ())  # reading is free
    assert in_child(lambda: AuditFile(path).head) == audit.head


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("closed", [True, False])
def test_a_forked_process_does_not_hold_the_file_of_its_parent(tmp_path: Path, closed: bool) -> None:
    audit = AuditFile(tmp_path / "audit")
    (ready, began), (wait, done) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(done)
        os.write(began, b"x")
        os.read(wait, 1)
        os._exit(0)
    os.read(ready, 1)
    try:
        if closed:
            audit.close()
        else:
            audit._file.close()  # as when the parent is killed
        AuditFile(tmp_path / "audit").close()
    finally:
        os.close(done)
        os.waitpid(child, 0)
        for end in (ready, began, wait):
            os.close(end)


def test_a_lock_that_a_file_system_does_not_have_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="no locks"):
        AuditFile(tmp_path / "audit")


@pytest.mark.parametrize("ends", [["abc"], [""], ["abc", "de"], ["", "~"], ["a", "", "b"]])
def test_a_gap_that_is_cut_short_is_stated_by_the_next_writer(tmp_path: Path, ends: list[str]) -> None:
    """As after several crashes, each while the gap of the last is stated."""
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        audit.append({"n": 1})
    torn = "half" + "".join(f"~\n{end}" for end in ends)
    with path.open("a") as file:
        file.write(torn)
    with pytest.raises(AuditError, match=r"line 2: cut short"):
        check_audit(path)
    with AuditFile(path) as audit:
        audit.append({"n": 2})
    lines = torn.count("\n") + 3
    assert check_audit(path, head=audit.head) == (3, (AuditGap(lines, 1, len(torn) + 2),))


@pytest.mark.parametrize("bad", ["half\n", "half\nabc", "half~\nabc\n", "half\nabc~\n", "~~\n\n~\n"])
def test_lines_that_no_crash_leaves_break_the_chain(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "audit"
    path.write_text(bad)
    for act in (check_audit, AuditFile):
        with pytest.raises(AuditError, match="line 1: changed"):
            act(path)


@pytest.mark.parametrize(
    "line", [b"x" * 99 + b"\n", b"x" * 99, b'{"gap":' + b"9" * 92 + b"\n"], ids=["lines", "one", "gaps"]
)
def test_what_does_not_fit_is_not_held_in_memory(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "audit"
    path.write_bytes(line * 8_000)
    tracemalloc.start()
    try:
        with pytest.raises(AuditError):
            check_audit(path)
        assert tracemalloc.get_traced_memory()[1] < 300_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 65_400, 65_465, 65_466, 65_467, 65_468, 131_000, 200_000])
def test_a_long_record_is_a_line_as_others_are(tmp_path: Path, size: int) -> None:
    path, text = tmp_path / "audit", "x" * size
    for n in range(2):
        with AuditFile(path) as audit:
            audit.append({"n": n, "text": text})
    assert check_audit(path, head=audit.head) == (2, ())
    path.write_bytes(path.read_bytes()[:-1])
    with AuditFile(path) as audit:
        audit.append({"n": 3})
    (gap,) = check_audit(path).gaps
    assert gap == (3, 1, path.read_bytes().index(b"~\n") + 2 - path.read_bytes().index(b"\n") - 1)
    path.write_bytes(path.read_bytes().replace(b"xx", b"xy", 1).replace(b'x"}', b'y"}', 1))
    with pytest.raises(AuditError, match="line 1"):
        check_audit(path)
