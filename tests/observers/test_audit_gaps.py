from __future__ import annotations

import errno
import json
import os
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
