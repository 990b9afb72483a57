"""What a settlement officer reads: counts, doubles with places and times, warnings, a picture in either language."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bulk.samples import KEYS, NOON, RING, codes_of, good_texts, scans, verifier
from ybtoken import Issuer, Verifier
from ybtoken.bulk import doubles, sources
from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.counts import CHINA
from ybtoken.bulk.plot import check_plot
from ybtoken.bulk.run import Progress, verify_files
from ybtoken.bulk.summary import Summary, summarize
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.replay.sqlite import SqliteReplayGuard


def summary_of(table: pa.Table, folder: Path, *, journals: Any = (), **settings: Any) -> Summary:
    pq.write_table(table, folder / "scans.parquet", row_group_size=70)
    verify_files(verifier(**settings), folder / "scans.parquet", folder / "out", journals=journals)
    return summarize(folder / "out")


def test_a_summary_counts_by_verdict_province_and_hour(tmp_path: Path) -> None:
    table = scans()
    summary = summary_of(table, tmp_path)
    rows = verifier()(table).to_pylist()
    assert summary.total == len(rows) == sum(summary.by_code.values())
    assert summary.accepted == sum(row["verdict_code"] == "accepted" for row in rows)
    assert summary.by_province["33"] == sum((row["verdict_city_code"] or "").startswith("33") for row in rows)
    noon = [row["verdict_code"] == "accepted" for row in rows if NOON <= row["scanned_at"] < NOON + 3600]
    at_noon = datetime.fromtimestamp(NOON, CHINA)
    assert at_noon.hour == 12
    assert summary.by_hour[at_noon] == (sum(noon), len(noon) - sum(noon))
    assert summary.warnings() == []
    assert summary.time_offset is None


def test_the_text_is_in_one_language_at_a_time(tmp_path: Path) -> None:
    summary = summary_of(scans(60), tmp_path)
    english, chinese = summary.text("en"), summary.text("zh")
    assert "scans 60" in english
    assert "Zhejiang" in english
    assert english.isascii()
    assert "扫码记录 60 条" in chinese
    assert "浙江" in chinese
    assert "Zhejiang" not in chinese
    assert "重复" in chinese
    day = f"{datetime.fromtimestamp(NOON, CHINA):%Y-%m-%d}"
    assert f"{day} 12:00" in english
    assert f"{day} 12:00" in chinese


def test_it_is_ready_for_json(tmp_path: Path) -> None:
    told = json.loads(json.dumps(summary_of(scans(60), tmp_path).to_dict()))
    assert told["total"] == sum(told["by_code"].values()) == 60
    assert {"province": "33", "en": "Zhejiang", "zh": "浙江"}.items() <= next(
        row for row in told["by_province"] if row["province"] == "33"
    ).items()
    assert told["by_hour"][0]["hour"].endswith(":00:00+08:00")


def test_a_run_without_rows_has_a_summary(tmp_path: Path) -> None:
    summary = summary_of(scans(5).slice(0, 0), tmp_path)
    assert (summary.total, summary.by_code, summary.warnings()) == (0, {}, [])
    assert "scans 0" in summary.text()
    summary.plot(tmp_path / "plot.svg")
    with pytest.raises(ScansError, match="holds no verdicts"):
        summarize(tmp_path)


def test_a_run_that_is_not_whole_is_not_summed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(sources, "ROWS_OF_A_PART", 20)
    (tmp_path / "a.csv").write_text("text,scanned_at\n" + "1,1\n" * 50)

    def interrupt(progress: Progress) -> None:
        if progress.rows > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_files(verifier(), tmp_path / "a.csv", out, progress=interrupt)
    assert list(out.glob("part-*"))
    with pytest.raises(ScansError, match="was interrupted: run it again"):
        summarize(out)
    verify_files(verifier(), tmp_path / "a.csv", out)
    assert summarize(out).total == 50
    last = out / "part-00000-00002.parquet"
    good = last.read_bytes()
    for name in ("part-00000-00003.parquet", "part-00001-00000.parquet", "part-x.parquet"):
        (out / name).write_bytes(good)
        with pytest.raises(ScansError, match=r"60 rows, and its run was on 50|is no part of this run"):
            summarize(out)
        (out / name).unlink()
    for damaged in (b"", good[:-20]):
        last.write_bytes(damaged)
        with pytest.raises(ScansError, match=r"00002.parquet is no part of this run"):
            summarize(out)
    last.unlink()
    with pytest.raises(ScansError, match=r"on 40 rows, and its run was on 50: .* new folder"):
        summarize(out)
    for manifest in ("[]", "5", "{}", '{"sources": 5, "journals": []}', '{"sources": [5], "journals": []}'):
        (out / "_manifest.json").write_text(manifest)
        with pytest.raises(ScansError, match="holds no verdicts"):
            summarize(out)


# -- warnings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "en", "zh"),
    [
        (8 * 3600, "8 h after", "晚8小时"),
        (-8 * 3600, "8 h before", "早8小时"),
        (400, "6 min after", "晚6分钟"),
        (90_000, "1 d 1 h after", "晚1天1小时"),
    ],
)
def test_times_that_are_off_for_most_scans_are_said_with_the_offset(
    offset: int, en: str, zh: str, tmp_path: Path
) -> None:
    texts = good_texts(5)
    times = [NOON + offset] * 3 + [NOON + 5] * 2
    summary = summary_of(pa.table({"text": texts, "scanned_at": times}), tmp_path)
    assert summary.time_offset == offset // 60 * 60
    (warning,) = summary.warnings()
    assert en in warning.en
    assert zh in warning.zh
    assert f"WARNING: {warning.en}" in summary.text("en")
    assert f"警告：{warning.zh}" in summary.text("zh")


def test_half_of_the_times_is_no_warning(tmp_path: Path) -> None:
    table = pa.table({"text": good_texts(4), "scanned_at": [NOON, NOON, NOON + 5000, NOON + 5000]})
    assert summary_of(table, tmp_path).warnings() == []


def test_texts_as_a_scanner_sent_them_are_counted_and_read_if_asked(tmp_path: Path) -> None:
    texts = good_texts(4)
    table = pa.table({"text": [texts[0], texts[1] + "\r", "]Q1" + texts[2], "x" + texts[3]], "scanned_at": [NOON] * 4})
    (tmp_path / "asked").mkdir()
    as_it_is = summary_of(table, tmp_path)
    assert (as_it_is.accepted, as_it_is.cleaned, as_it_is.cleanable) == (1, 0, 2)
    assert "2 refused scans would be accepted without what scanners add: --scanned" in as_it_is.text()
    asked = summary_of(table, tmp_path / "asked", scanned=True)
    assert (asked.accepted, asked.cleaned, asked.cleanable) == (3, 2, 0)
    assert "2 accepted without what a scanner had added" in asked.text()


def test_columns_that_hold_no_scans_are_said(tmp_path: Path) -> None:
    table = pa.table({"text": [None, None, good_texts(1)[0]], "scanned_at": [NOON] * 3})
    assert "2 of 3 rows hold no text or no time" in summary_of(table, tmp_path).text()


# -- doubles -----------------------------------------------------------------------------------------------------------


def test_displays_accepted_more_than_once_are_listed_with_places_and_times(tmp_path: Path) -> None:
    a, b, c = good_texts(3)
    table = pa.table(
        {
            "text": [a, b, c, a, b],
            "scanned_at": [NOON + 20, NOON, NOON, NOON + 1, NOON + 5000],  # b was refused the second time
            "terminal": ["T1", "T2", "T3", "T4", "T5"],
            "place": ["330100", "330200", None, "330300", "330400"],
        }
    )
    summary = summary_of(table, tmp_path)
    assert (summary.doubles.displays, summary.doubles.by_journals) == (1, 0)
    (double,) = summary.doubles.listed
    assert double.times == 2
    assert [(scan.at.timestamp(), scan.place, scan.row) for scan in double.scans] == [
        (NOON + 1, "330300 T4", 4),
        (NOON + 20, "330100 T1", 1),
    ]
    for text in (summary.text("en"), summary.text("zh")):
        assert "330300 T4  (scans.parquet:4)" in text
        assert "330100 T1  (scans.parquet:1)" in text
    listed = [json.loads(line) for line in (tmp_path / "out" / "_doubles.jsonl").read_text().splitlines()]
    assert [scan["at"] for scan in listed[0]["scans"]] == [
        scan.at.astimezone(CHINA).isoformat() for scan in double.scans
    ]
    assert summarize(tmp_path / "out", places=["terminal"]).doubles.listed[0].scans[0].place == "T4"


def test_the_journal_of_an_offline_terminal_brings_in_doubles(tmp_path: Path) -> None:
    a, b, c = good_texts(3)
    now = [NOON - 3600]  # the terminal was set up in time
    guard = SqliteReplayGuard(tmp_path / "guard", terminal="T7", place="330700", clock=lambda: now[0])
    now[0] = NOON + 9
    offline = Verifier(RING, guard=guard, clock=lambda: now[0])
    for text in (a, b):
        offline.redeem(text)
    rows = [json.dumps(row.to_dict()) for row in guard.journal()]
    guard.close()
    forged = json.dumps(
        {**json.loads(rows[0]), "text": c[:-1] + "9" if c[-1] != "9" else c[:-1] + "8", "display": "00"}
    )
    (tmp_path / "journal.jsonl").write_text("\n".join([*rows, forged]))
    table = pa.table({"text": [a, c, c], "scanned_at": [NOON, NOON, NOON + 3], "place": ["330100"] * 3})
    summary = summary_of(table, tmp_path, journals=[tmp_path / "journal.jsonl"])
    assert summary.total == 3
    assert summary.journal == {"accepted": 2, "text.check": 1}
    assert (summary.doubles.displays, summary.doubles.by_journals) == (2, 1)
    brought = next(double for double in summary.doubles.listed if any(scan.journal for scan in double.scans))
    key = Verifier(RING).verify(a, now=NOON).replay_key
    assert (brought.display, brought.times) == (key, 2)
    assert [(scan.place, scan.at.timestamp(), scan.journal) for scan in brought.scans] == [
        ("330100", NOON, False),
        ("330700 T7", NOON + 9, True),
    ]
    assert "330700 T7  (journal, journal.jsonl:1)" in summary.text("en")
    assert "330700 T7  (离线受理记录，journal.jsonl:1)" in summary.text("zh")


def test_doubles_are_the_same_however_many_files_they_are_sorted_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = good_texts(40)
    table = pa.table({"text": texts + texts[::3] + texts[:1], "scanned_at": [NOON + i % 50 for i in range(55)]})
    whole = summary_of(table, tmp_path).doubles
    assert whole.displays == 14
    assert whole.listed[0].times in (2, 3)
    monkeypatch.setattr(doubles, "_ROWS_A_FILE", 4)
    assert summarize(tmp_path / "out").doubles == whole
    monkeypatch.setattr(doubles, "LISTED", 5)
    some = summarize(tmp_path / "out").doubles
    assert (some.displays, len(some.listed)) == (14, 5)
    assert not list((tmp_path / "out").glob("_doubles-*"))


def test_displays_of_two_issuers_with_the_same_nonce_are_no_double(tmp_path: Path) -> None:
    texts = [
        Issuer(key, random=lambda size: bytes(8)).issue(bytes(16), "330100", now=at).text
        for key in KEYS
        for at in (NOON, NOON - 9)
    ]
    table = pa.table({"text": [texts[0], texts[2]], "scanned_at": [NOON] * 2})
    assert summary_of(table, tmp_path).doubles.displays == 0
    again = pa.table({"text": texts, "scanned_at": [NOON] * 4})
    (tmp_path / "again").mkdir()
    assert summary_of(again, tmp_path / "again").doubles.displays == 2


def test_displays_of_one_pass_are_told_apart(tmp_path: Path) -> None:
    phone = P256SigningKey.generate()
    issued = Issuer(KEYS[0]).issue_device_bound_pass(bytes(16), "330100", phone.verifying_key, now=NOON)
    bound = DeviceBoundPass(issued.data, phone, clock=lambda: NOON)
    displays = [bound.present(), bound.present()]
    table = pa.table({"text": [*displays, displays[0]], "scanned_at": [NOON + 1] * 3})
    found = verifier()(table)
    assert codes_of(found) == ["accepted"] * 3
    keys = found["verdict_display"].to_pylist()
    assert keys[0] == keys[2] != keys[1]
    assert keys[0] == Verifier(RING).verify(displays[0], now=NOON + 1).replay_key
    assert summary_of(table, tmp_path).doubles.displays == 1


# -- the picture -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_picture_is_drawn(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    summary_of(scans(60), tmp_path).plot(tmp_path / f"plot.{ending}")
    assert (tmp_path / f"plot.{ending}").stat().st_size > 5000


def test_the_words_of_a_picture_are_in_the_language_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    summary = summary_of(scans(120), tmp_path)
    summary.plot(tmp_path / "en.svg")
    english = (tmp_path / "en.svg").read_text("utf-8")  # each text stands as a comment beside its outlines
    assert f"120 scans, {datetime.fromtimestamp(NOON, CHINA):%Y-%m-%d}" in english
    assert "Zhejiang" in english
    try:
        check_plot(tmp_path / "zh.svg", "zh")
    except ScansError as error:
        assert "fonts-noto-cjk" in error.words.en
        pytest.skip("no Chinese font is installed")
    summary.plot(tmp_path / "zh.svg", "zh")  # a missing glyph is a warning, and so fails the test
    chinese = (tmp_path / "zh.svg").read_text("utf-8")
    assert "扫码记录 120 条" in chinese
    assert "浙江" in chinese
    assert "scans" not in chinese
    assert "Zhejiang" not in chinese


def test_what_cannot_be_drawn_is_said_before_the_run(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "plot.gif", "an .svg, .png or .pdf"),
        (tmp_path / "no" / "plot.svg", "no such folder"),
    ):
        with pytest.raises(ScansError, match=why):
            check_plot(path, "en")
