from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest

from ybtoken.cli.lines import Line
from ybtoken.cli.report import Report
from ybtoken.cli.speech import Language, Speaker
from ybtoken.errors import TextError
from ybtoken.refusals import REFUSALS


@pytest.fixture
def check(run, office):
    def check(*args, name="verify", stdin=None, now=office.now + 5):
        return run(name, "--ring", office.ring, "--now", now, *args, stdin=stdin)

    return check


def wrong_digit(text):
    return text[:100] + str((int(text[100]) + 1) % 10) + text[101:]


def test_a_good_text_is_accepted_with_exit_code_0(check, office):
    result = check(office.text(purpose="01301"))
    assert result.exit_code == 0
    assert result.stdout == "1: good  insured in Hangzhou, Zhejiang; issued by 浙江 office; for settlement; 55 s left\n"


def test_a_refusal_is_exit_code_1_and_says_what_and_what_to_do(check, office):
    result = check(office.text(), now=office.now + 100)
    assert result.exit_code == 1
    assert "REFUSED [time.expired] The code expired 40 s ago. Refresh the code in the app" in result.stdout


def test_one_refusal_among_good_ones_is_exit_code_1(check, office):
    texts = [office.text(), wrong_digit(office.text()), office.text()]
    result = check(*texts)
    assert result.exit_code == 1
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["good", "REFUSED", "good"]
    assert "3 codes" in result.stderr
    assert "text.check 1" in result.stderr
    assert check(*texts, "--quiet").stderr == ""


def test_no_text_at_all_is_misuse_never_acceptance(check):
    for stdin in ("", "\n\n\r\n", "\ufeff\n"):
        result = check(stdin=stdin)
        assert result.exit_code == 2
        assert "No text" in result.stderr
    assert check("").exit_code == 2


@pytest.mark.parametrize(
    "args", [["--skew", "-1"], ["--max-lifetime", "0"], ["--place", "3"], ["--purpose", "1"], ["--channel", "x"],
             ["--skew", "5000000000"], ["--max-lifetime", "5000000000"],
             ["--assurance", "256"], ["--max-age", "-1"], ["--now", "yesterday"], ["--lang", "fr"], ["--unknown"]]
)  # fmt: skip
def test_misuse_is_exit_code_2(check, office, args):
    result = check(office.text(), *args)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--place", "33"], None),
        (["--place", "32", "--place", "3301"], None),
        (["--place", "32"], "policy.place"),
        (["--purpose", "01301", "--purpose", "01302"], None),
        (["--purpose", "02121"], "policy.purpose"),
        (["--channel", "7"], None),
        (["--channel", "8"], "policy.channel"),
        (["--assurance", "fingerprint"], None),
        (["--assurance", "3"], "policy.assurance"),
        (["--max-age", "5"], None),
        (["--max-age", "4"], "policy.age"),
        (["--max-lifetime", "59"], "time.lifetime"),
    ],
)
@pytest.mark.parametrize("name", ["verify", "redeem"])
def test_policies_and_bounds(check, office, options, code, name):
    result = check(office.text(channel=7, purpose="01301", assurance=2), "--json", *options, name=name)
    row = json.loads(result.stdout)
    assert (result.exit_code, row.get("error", {}).get("code")) == ((0, None) if code is None else (1, code))


def test_the_skew_moves_both_bounds(check, office):
    text = office.text()
    assert check(text, now=office.now - 11).exit_code == 1
    assert check(text, "--skew", 11, now=office.now - 11).exit_code == 0
    assert check(text, now=office.now + 70).exit_code == 1
    assert check(text, "--skew", 11, now=office.now + 70).exit_code == 0


def test_json_lines_of_accepted_texts(check, office):
    result = check(office.text(purpose="01301", presenter=b"\xff" * 16), "--json")
    row = json.loads(result.stdout)
    assert result.stdout.isascii()
    voucher = row.pop("voucher")
    assert row == {"source": "", "line": 1, "accepted": True}
    nonce, kid = voucher.pop("nonce"), voucher.pop("kid")
    assert len(nonce) == len(kid) == 16
    assert voucher.pop("replay_key") == kid + nonce
    assert voucher == {
        "identity_ref": b"identity-ref-16b".hex(), "city_code": "330100", "issued_at": office.now,
        "expires_at": office.now + 60, "profile": 1, "channel": None, "purpose": "01301", "presenter": "ff" * 16,
        "assurance": None, "status_index": None, "algorithm": "ES256", "issuer": "浙江 office",
        "verified_at": office.now + 5, "time_step": None, "presented_at": None, "notes": [],
    }  # fmt: skip


def test_json_lines_of_refused_texts(check, office):
    texts = [wrong_digit(office.text()), "1234", "", "96" + "x" * 10, office.text(now=office.now + 1000), "9" * 9000]
    result = check("--json", stdin="\n".join(texts))
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    codes = {refusal.code for refusal in REFUSALS}
    assert [row["line"] for row in rows] == [1, 2, 4, 5, 6]
    assert [row["error"]["code"] for row in rows] == [
        "text.check", "text.prefix", "text.digits", "time.future", "text.length",
    ]  # fmt: skip
    for row in rows:
        assert row.keys() == {"source", "line", "accepted", "error"}
        assert (row["source"], row["accepted"]) == ("-", False)
        assert row["error"].keys() == {"code", "step", "what", "remedy", "hint", "facts"}
        assert row["error"]["code"] in codes
        assert row["error"]["what"].keys() == {"en", "zh"}


def test_nothing_printed_contains_the_text_of_a_live_token(check, office):
    text = office.text()
    for options in ([], ["--json"], ["--lang", "both"]):
        assert text not in check(text, *options).output


def test_texts_come_from_arguments_then_files_or_standard_input(check, office, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(office.text() + "\n")
    result = check(office.text(), "-f", tmp_path / "a", "-f", "-", "-f", tmp_path / "b", stdin=office.text())
    assert [line.split(": ")[0] for line in result.stdout.splitlines()] == [
        "1", f"{tmp_path / 'a'}:1", "-:1", f"{tmp_path / 'b'}:1",
    ]  # fmt: skip
    assert check(stdin=office.text()).exit_code == 0


def test_lines_end_as_any_system_ends_them(check, office):
    texts = [office.text() for _ in range(3)]
    for end in ("\n", "\r\n", "\r"):
        for mark in ("", "\ufeff"):
            result = check(stdin=mark + end.join(texts) + end)
            assert result.exit_code == 0
            assert [line[:4] for line in result.stdout.splitlines()] == ["-:1:", "-:2:", "-:3:"]


def test_what_a_scanner_adds_is_taken_away_only_when_asked(check, office):
    scanned = f" ]Q1\\000026{office.text()}\t"
    assert check(scanned).exit_code == 1
    assert check(scanned, "--scanned").exit_code == 0
    # A line that was cut is not made shorter and then accepted.
    padded = office.text() + " " * 9000 + "1"
    assert check("--scanned", stdin=padded).exit_code == 1


def test_bytes_that_are_no_text_are_refused_line_by_line(check, office):
    result = check("--json", stdin=bytes(range(256)) * 50 + b"\n" + office.text().encode() + b"\n\xff\xfe\n")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert sum(row["accepted"] for row in rows) == 1
    assert len(rows) > 50


def test_redeem_accepts_once_in_a_run_and_says_where_it_remembers(check, office):
    text = office.text()
    result = check(text, text, text, office.text(), name="redeem")
    assert result.exit_code == 1
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["redeemed", "REFUSED", "REFUSED", "redeemed"]
    assert "[redeem.replayed]" in result.stdout
    assert "this run only" in result.stderr
    assert check(text, text).exit_code == 0  # verify never uses up
    assert check(text, name="redeem").exit_code == 0  # another run has another memory


def test_languages(check, office, monkeypatch):
    english = check(office.text()).stdout
    chinese = check(office.text(), "--lang", "zh").stdout
    both = check(office.text(), "--lang", "both").stdout
    assert "good" in english
    assert "有效" not in english
    assert "有效" in chinese
    assert "good" not in chinese
    assert "good" in both
    assert "有效" in both
    monkeypatch.setenv("LC_ALL", "")
    monkeypatch.setenv("LC_MESSAGES", "zh_CN.UTF-8")
    assert check(office.text()).stdout == chinese
    assert "已被使用" in check(office.text(), *[office.text(now=office.now - 1)] * 2, name="redeem").stdout


@pytest.mark.parametrize(("on_terminal", "quiet", "shown"), [(True, False, 3), (False, False, 0), (True, True, 0)])
def test_progress_is_shown_on_long_work_in_a_terminal(monkeypatch, capsys, on_terminal, quiet, shown):
    now = [0.0]
    monkeypatch.setattr("ybtoken.cli.report.time.monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr.isatty", lambda: on_terminal)
    report = Report(Speaker(Language.EN), as_json=False, quiet=quiet, redeemed=False)
    for _ in range(50):
        now[0] += 0.1
        report.add([Line("", 1, "x")] * 10, [TextError("text.check")] * 10)
    progress = capsys.readouterr().err.splitlines()
    assert len(progress) == shown
    assert progress[:1] == ["... 200 codes, 100/s"][:shown]


@pytest.fixture
def redeem(run, office):
    def redeem(*args):
        return run("redeem", "--ring", office.ring, *args)

    return redeem


def test_redeem_keeps_used_codes_in_a_file(redeem, office, tmp_path):
    text, store = office.text(now=int(time.time())), str(tmp_path / "used.db")
    assert "[redeem.restarted]" in redeem(text, "--store", store).stdout  # it is new: it cannot know
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("UPDATE memory SET begun = 0")
    first = redeem(text, "--store", store, "--terminal", "counter 3")
    assert (first.exit_code, "for this run only" in first.stderr) == (0, False)
    again = redeem(text, "--store", store)
    assert again.exit_code == 1
    assert "[redeem.replayed]" in again.stdout
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        assert connection.execute("SELECT terminal, text FROM redemption").fetchall() == [("counter 3", text)]


def test_a_skew_beyond_what_is_remembered_is_misuse(check, office):
    text = office.text()
    result = check(text, "--skew", 61, "--lang", "zh", name="redeem")
    assert (result.exit_code, result.stderr[:26]) == (2, "参数有误：设有防重放组件时，max_display_")
    assert check(text, "--skew", 61).exit_code == 0
    assert check(text, "--skew", 60, name="redeem").exit_code == 0


@pytest.mark.parametrize("store", ["http://x", "redis://x:y", "."])
def test_a_store_that_cannot_be_used_is_misuse(redeem, office, store):
    result = redeem(office.text(), "--store", store)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize("store", ["used.db", "redis://localhost:1"])
def test_a_store_goes_by_the_clock_alone(check, office, tmp_path, monkeypatch, store):
    monkeypatch.chdir(tmp_path)
    result = check(office.text(), "--store", store, name="redeem")
    assert result.exit_code == 2
    assert "--now is not used with --store" in result.stderr
    assert not list(tmp_path.iterdir())


def test_verify_needs_no_store(run, office, tmp_path):
    assert run("verify", "--ring", office.ring, office.text(), "--store", str(tmp_path / "used.db")).exit_code == 2
