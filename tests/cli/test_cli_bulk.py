"""``ybtoken bulk``: what it prints, in which language, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typer.testing import Result

from tests.cli.conftest import NOW, Office

Run = Callable[..., Result]


def scans(office: Office, rows: int = 4) -> Any:
    texts = [office.text() for _ in range(rows)]
    return pa.table({"text": texts, "scanned_at": [NOW + 5] * rows, "place": ["330100"] * rows})


@pytest.fixture
def bulk(run: Run, office: Office, tmp_path: Path) -> Callable[..., Result]:
    """Runs it on a table; every further argument goes to the command."""

    def bulk(table: Any, *arguments: object, name: str = "scans.parquet") -> Result:
        if table is not None:
            pq.write_table(table, tmp_path / name)
        return run("bulk", tmp_path / name, "-r", office.ring, "-o", tmp_path / "out", *arguments)

    return bulk


def test_it_prints_the_summary_in_one_language(bulk: Any, office: Office, tmp_path: Path) -> None:
    table = scans(office)
    english = bulk(table, "--lang", "en", "--plot", tmp_path / "plot.png")
    assert english.exit_code == 0, english.output
    assert "scans 4" in english.stdout
    assert "accepted" in english.stdout
    assert english.stderr == ""
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    chinese = bulk(table, "--lang", "zh")
    assert "扫码记录 4 条" in chinese.stdout
    assert "先前的运行完成 4 行，本次完成 0 行" in chinese.stderr
    both = bulk(table, "--lang", "both")
    assert "scans 4" in both.stdout
    assert "扫码记录 4 条" in both.stdout


def test_it_prints_the_summary_as_json(bulk: Any, office: Office) -> None:
    result = bulk(scans(office), "--json")
    told = json.loads(result.stdout)
    assert told["total"] == told["accepted"] == 4
    assert (told["rows_verified_now"], told["rows_verified_before"]) == (4, 0)
    assert told["warnings"] == []


def test_local_times_are_refused_until_a_zone_is_named(bulk: Any, office: Office) -> None:
    table = scans(office)
    local = table["scanned_at"].cast(pa.timestamp("s", tz="Asia/Shanghai")).cast(pa.timestamp("us", tz="Asia/Shanghai"))
    naive = pa.chunked_array([pc.local_timestamp(chunk) for chunk in local.chunks])
    table = table.set_column(1, "scanned_at", naive)
    refused = bulk(table, "--lang", "both")
    assert refused.exit_code == 2
    assert "--tz Asia/Shanghai" in refused.stderr
    assert "未注明时区" in refused.stderr
    assert json.loads(bulk(table, "--tz", "Asia/Shanghai", "--json").stdout)["accepted"] == 4


def test_a_run_whose_times_are_off_ends_with_a_warning(bulk: Any, office: Office) -> None:
    table = scans(office).set_column(1, "scanned_at", pa.array([NOW + 8 * 3600] * 4))
    result = bulk(table, "--lang", "en")
    assert result.exit_code == 0
    assert re.search(r"WARNING: More than half .* 8 h after the issue", result.stdout)
    assert "WARNING" in result.stderr  # where standard output goes into a file
    assert "警告" in bulk(None, "--lang", "zh", "--json").stderr


def test_what_cannot_be_verified_is_said_in_words(bulk: Any, office: Office, tmp_path: Path) -> None:
    table = scans(office)
    for arguments, why in (
        (["--text", "nothing"], r"scans\.parquet: there is no column 'nothing'"),
        (["--tz", "Mars"], "'Mars' is no time zone"),
        (["--plot", tmp_path / "plot.gif"], r"a plot is an \.svg"),
        (["--text", "scanned_at"], "two columns"),
    ):
        result = bulk(table, *arguments, "--lang", "en")
        assert result.exit_code == 2, arguments
        assert re.search(why, result.stderr)
        assert not (tmp_path / "out").exists()
    missing = bulk(None, name="gone.parquet")
    assert missing.exit_code == 2
    assert "gone.parquet" in missing.stderr


def test_journals_and_places_reach_the_summary(bulk: Any, office: Office, tmp_path: Path) -> None:
    table = scans(office, 2)
    text = table["text"][0].as_py()
    row = {"scanned_at": NOW + 9, "terminal": "T7", "place": "330700", "display": "", "number": 1, "text": text}
    (tmp_path / "journal.jsonl").write_text(json.dumps(row))
    result = bulk(table, "--journal", tmp_path / "journal.jsonl", "--place", "terminal", "--lang", "en")
    assert "rows of journals 1: accepted 1" in result.stdout
    assert "displays accepted more than once 1, of them only by a journal 1" in result.stdout
    assert "T7  (journal, journal.jsonl:1)" in result.stdout


def test_an_interrupted_run_says_how_to_go_on_and_does(office: Office, tmp_path: Path) -> None:
    """Ctrl-C on a terminal: progress with rate and time left, then how to resume; the second run adds the rest."""
    table = pa.concat_tables([scans(office, 50)] * 400)
    pq.write_table(table, tmp_path / "scans.parquet", row_group_size=1000)
    command = [
        *(sys.executable, "-m", "ybtoken.cli", "bulk", str(tmp_path / "scans.parquet")),
        *("-r", str(office.ring), "-o", str(tmp_path / "out"), "--lang", "en"),
    ]  # fmt: skip
    terminal, side = pty.openpty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=side, start_new_session=True, preexec_fn=_hear_interrupts
    ) as process:
        os.close(side)
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "out").glob("part-*.parquet"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        shown = _read(terminal)
        assert process.wait(60) == 130
    assert "Interrupted." in shown
    assert "the same command goes on from there" in shown
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    told = json.loads(again.stdout)
    assert told["total"] == len(table)
    assert told["rows_verified_before"] >= 2000
    assert told["rows_verified_now"] + told["rows_verified_before"] == len(table)
    assert "were verified by an earlier run" in again.stderr


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background ignores them, and so do its children


def _read(terminal: int) -> str:
    data = b""
    try:
        while block := os.read(terminal, 4096):
            data += block
    except OSError:  # the other side was closed
        pass
    finally:
        os.close(terminal)
    return data.decode()
