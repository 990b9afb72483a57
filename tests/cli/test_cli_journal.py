from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A guard's file with three redemptions in its journal."""
    path, now = tmp_path / "guard.db", int(time.time())
    guard = SqliteReplayGuard(path, terminal="T1", place="330100")
    claims = [Claim(b"key%d" % i, now + 60, now + 60, now + 60, f"96{i}") for i in range(3)]
    assert guard.claim_many(claims) == [None] * 3
    guard.close()
    return path


def test_a_journal_is_written_handed_in_and_removed(run, file, tmp_path):
    out = tmp_path / "journal.jsonl"
    result = run("store", "journal", str(file), "-o", str(out), "--lang", "en")
    assert result.exit_code == 0
    assert f"3 rows. When they are handed in: ybtoken store handed-in {file} 3" in result.output
    assert out.stat().st_mode & 0o777 == 0o600
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["number"], row["text"], row["terminal"], row["place"]) for row in rows] == [
        (1, "960", "T1", "330100"),
        (2, "961", "T1", "330100"),
        (3, "962", "T1", "330100"),
    ]
    assert [row["display"] for row in rows] == [b"key%d".__mod__(i).hex() for i in range(3)]
    assert "2 rows removed" in run("store", "handed-in", str(file), "2", "--lang", "en").output
    assert json.loads(run("store", "journal", str(file)).stdout) == rows[2]
    assert run("store", "journal", str(file), "--after", "3", "--lang", "zh").output == "没有记录。\n"
    guard = SqliteReplayGuard(file)
    now = int(time.time())
    (refused,) = guard.claim_many([Claim(b"key0", now + 60, now + 60, now + 60)])
    assert refused is not None
    assert refused.code == "redeem.replayed", "its code stays used"
    guard.close()


def test_a_file_begins_anew(run, file):
    guard, now = SqliteReplayGuard(file), int(time.time())
    result = run("store", "begin-anew", str(file), "--lang", "en")
    assert result.exit_code == 0
    assert "The file remembers used codes since" in result.output
    (refused,) = guard.claim_many([Claim(b"key", now, now + 60, now + 60)])
    assert refused is not None
    assert refused.code == "redeem.restarted"
    guard.close()
    assert json.loads(run("store", "journal", str(file)).stdout.splitlines()[0])["text"] == "960"


def test_a_row_that_is_none_of_a_journals_is_said_to_be_so(run, file, tmp_path):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE redemption SET key = 'text' WHERE number = 2")
    result = run("store", "journal", str(file))
    assert result.exit_code == 2
    assert "row 2 of the journal" in result.output
    assert run("store", "handed-in", str(file), "9" * 20).exit_code == 2


def test_an_earlier_journal_is_not_written_over(run, file, tmp_path):
    out = tmp_path / "journal.jsonl"
    out.write_text("earlier")
    result = run("store", "journal", str(file), "-o", str(out))
    assert result.exit_code == 2
    assert out.read_text() == "earlier"


def test_a_file_that_is_none_or_is_another_is_said_to_be_so(run, tmp_path):
    missing = tmp_path / "missing.db"
    assert run("store", "journal", str(missing)).exit_code == 2
    assert not missing.exists()
    (tmp_path / "other").write_text("not a guard's file, and long enough that SQLite looks at it" * 20)
    for name in ("journal", "handed-in"):
        result = run("store", name, str(tmp_path / "other"), *(["1"] if name == "handed-in" else []))
        assert result.exit_code == 2
        assert "Traceback" not in result.output
