from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from contextlib import closing

import pytest

from ybtoken import Verifier
from ybtoken.identity import IdentitySealer
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.rotating import RotatingCodes

MASTER = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2


def private(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.fixture
def master(tmp_path):
    return private(tmp_path / "master.hex", f"{MASTER}\n".encode())


@pytest.fixture
def phone(tmp_path):
    """A phone's key: the file of the private key, beside that of the public key."""
    key = P256SigningKey.generate()
    (tmp_path / "phone.pub").write_bytes(key.verifying_key.to_pem())
    return private(tmp_path / "phone.pem", key.to_pem(passphrase=None))


@pytest.fixture
def issue(run, office, tmp_path):
    def issue(*args, out="pass.json", now=office.now):
        return run(
            "pass", "issue", "330100", "-k", office.key, "-r", office.ring, "-o", tmp_path / out, "--now", now, *args
        )

    return issue


@pytest.fixture
def rotating(issue, master, tmp_path):
    result = issue("--master-key", master)
    assert result.exit_code == 0, result.output
    return tmp_path / "pass.json"


@pytest.fixture
def bound(issue, phone, tmp_path):
    result = issue("--device-key", phone.with_suffix(".pub"))
    assert result.exit_code == 0, result.output
    return tmp_path / "pass.json"


@pytest.fixture
def show(run, office):
    def show(file, *args, now=office.now + 3600):
        result = run("pass", "show", file, "--now", now, *args)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout.strip()

    return show


@pytest.fixture
def check(run, office):
    """Verify or redeem; returns the exit code, the codes of the refusals ("" if there is none), and the result."""

    def check(*args, name="redeem", now=office.now + 3600):
        result = run(name, "--ring", office.ring, "--now", now, "--json", *args)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        return result.exit_code, [row.get("error", {}).get("code", "") for row in rows], result

    return check


def test_a_rotating_pass_goes_from_the_issuer_over_the_phone_to_the_platform(show, check, rotating, master, office):
    text = show(rotating)
    assert show(rotating, now=office.now + 3630) != text
    for name in ("verify", "redeem"):
        code, refused, result = check(text, "--master-key", master, name=name)
        assert (code, refused) == (0, [""])
        voucher = json.loads(result.stdout)["voucher"]
        assert (voucher["profile"], voucher["city_code"]) == (2, "330100")
        assert voucher["expires_at"] - voucher["issued_at"] == 12 * 3600
        assert voucher["time_step"] == (office.now + 3600) // 30


def test_a_rotating_pass_shown_twice_is_redeemed_once(show, check, rotating, master, office):
    earlier, text = show(rotating, now=office.now + 3570), show(rotating)
    assert check(text, text, earlier, "--master-key", master)[:2] == (1, ["", "redeem.replayed", "redeem.replayed"])


def test_a_replay_in_another_run_is_refused_by_a_store(run, office, issue, rotating, master, tmp_path):
    # A store goes by the clock, so the pass and its display are of now.
    store = str(tmp_path / "used.db")
    assert issue("--master-key", master, out="now.json", now=int(time.time())).exit_code == 0
    text = run("pass", "show", tmp_path / "now.json").stdout.strip()
    arguments = ["redeem", "--ring", office.ring, "--master-key", master, "--store", store, text]
    assert "[redeem.restarted]" in run(*arguments).stdout
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("UPDATE memory SET begun = 0")
    assert run(*arguments).exit_code == 0
    again = run(*arguments)
    assert (again.exit_code, "[redeem.replayed]" in again.stdout) == (1, True)


def test_without_the_master_key_a_rotating_pass_is_refused_and_the_option_is_named(run, show, check, rotating):
    for name in ("verify", "redeem"):
        code, refused, result = check(show(rotating), name=name)
        assert (code, refused) == (1, ["otp.unavailable"])
        assert "--master-key FILE" in result.stderr
        assert "主密钥" in check(show(rotating), "--lang", "zh", name=name)[2].stderr
        assert check(show(rotating), "--quiet", name=name)[2].stderr == ""


def test_another_master_key_and_an_old_display_are_wrong_codes(show, check, rotating, master, tmp_path, office):
    other = private(tmp_path / "other.hex", b"00" * 32)
    assert check(show(rotating), "--master-key", other)[1] == ["otp.wrong"]
    assert check(show(rotating), "--master-key", master, now=office.now + 3660)[1] == ["otp.wrong"]


def test_wrong_codes_are_counted_while_the_command_runs(show, check, rotating, master, office):
    old = [show(rotating, now=office.now + 30 * step) for step in range(6)]
    found = check(*old, show(rotating), "--master-key", master)
    assert found[1] == ["otp.wrong"] * 5 + ["otp.throttled"] * 2


def test_a_device_bound_pass_goes_from_the_issuer_over_the_phone_to_a_terminal(show, check, bound, phone, office):
    first, second = show(bound, "--key", phone), show(bound, "--key", phone)
    assert first != second
    code, refused, result = check(first, second, first)
    assert (code, refused) == (1, ["", "", "redeem.replayed"])
    voucher = json.loads(result.stdout.splitlines()[0])["voucher"]
    assert (voucher["profile"], voucher["presented_at"]) == (3, office.now + 3600)
    assert check(first, now=office.now + 3800)[1] == ["presentation.expired"]


def test_a_device_bound_pass_of_an_sm2_key(issue, show, check, tmp_path):
    try:
        key = SM2SigningKey.generate()
    except LibcryptoError as error:
        pytest.skip(f"no SM2 in this libcrypto: {error}")
    (tmp_path / "sm2.pub").write_bytes(key.verifying_key.to_pem())
    pem = private(tmp_path / "sm2.pem", key.to_pem(passphrase=None))
    assert issue("--device-key", tmp_path / "sm2.pub").exit_code == 0
    assert check(show(tmp_path / "pass.json", "--key", pem))[:2] == (0, [""])


def test_a_phones_key_may_have_a_passphrase(run, office, bound, phone, check, tmp_path, monkeypatch):
    key = P256SigningKey.from_pem(phone.read_bytes())
    sealed = private(tmp_path / "sealed.pem", key.to_pem(passphrase=b"secret"))
    arguments = ["pass", "show", bound, "--key", sealed, "--now", office.now]
    assert run(*arguments).exit_code == 2
    monkeypatch.setenv("YB_PASS", "secret")
    shown = run(*arguments, "--passphrase-env", "YB_PASS")
    assert check(shown.stdout.strip(), now=office.now)[1] == [""]


def asked(run, terminal="T1", purpose="01301"):
    result = run("challenge", "--terminal", terminal, "--purpose", purpose)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_challenge_states_the_terminal_and_the_purpose_and_is_another_each_time(run):
    first, second = asked(run), asked(run)
    assert first != second
    read = Challenge.from_text(first)
    assert (read.terminal, read.purpose) == ("T1", "01301")
    row = json.loads(run("challenge", "--terminal", "T1", "--purpose", "01301", "--json").stdout)
    assert row.keys() == {"text", "terminal", "purpose"}
    assert Challenge.from_text(row["text"]).terminal == row["terminal"] == "T1"


@pytest.mark.parametrize("name", ["verify", "redeem"])
def test_only_the_answer_to_the_challenge_that_was_asked_is_accepted(run, show, check, bound, phone, name):
    here, elsewhere = asked(run), asked(run, "T2")
    answer = show(bound, "--key", phone, "--challenge", here)
    plain = show(bound, "--key", phone)
    assert check(answer, "--challenge", here, name=name)[:2] == (0, [""])
    assert check(answer, "--challenge", elsewhere, name=name)[:2] == (1, ["challenge.wrong"])
    assert check(answer, name=name)[:2] == (1, ["challenge.wrong"])  # this terminal asked nothing
    assert check(plain, "--challenge", here, name=name)[:2] == (1, ["challenge.missing"])


def test_a_rotating_pass_answers_no_challenge(run, show, check, rotating, master):
    found = check(show(rotating), "--challenge", asked(run), "--master-key", master)
    assert found[:2] == (1, ["challenge.missing"])


def test_a_pass_has_what_the_options_say(issue, show, run, office, master, tmp_path):
    seal = private(tmp_path / "seal.hex", b"00112233445566778899aabbccddeeff")
    result = issue(
        "--master-key", master, "--person", 7, "--sealing-key", seal, "--lifetime", 7200, "--channel", 9,
        "--assurance", "face", "--status-index", 70_000, "--purpose", "01301", "--presenter", "ff" * 16, "--json",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "file": str(tmp_path / "pass.json"), "profile": 2, "issued_at": office.now, "expires_at": office.now + 7200,
        "status_index": 70_000,
    }  # fmt: skip
    codes = RotatingCodes(bytes.fromhex(MASTER), clock=lambda: office.now)
    verifier = Verifier(load_jwks(office.ring.read_bytes()), otp=codes)
    found = verifier.verify(show(tmp_path / "pass.json", now=office.now + 60), now=office.now + 60)
    assert (found.channel, found.assurance, found.status_index, found.purpose) == (9, 3, 70_000, "01301")
    assert found.presenter == b"\xff" * 16
    sealer = IdentitySealer(bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert sealer.open(found.identity_ref, at=office.now) == 7


def test_a_display_as_json(bound, phone, office, show):
    row = json.loads(show(bound, "--key", phone, "--json"))
    assert row == {"text": row["text"], "profile": 3, "shown_at": office.now + 3600}


def test_a_display_without_a_time_goes_by_the_clock(run, issue, office, master, tmp_path):
    assert issue("--master-key", master, now=int(time.time())).exit_code == 0
    text = run("pass", "show", tmp_path / "pass.json").stdout.strip()
    assert run("verify", "--ring", office.ring, "--master-key", master, text).exit_code == 0


@pytest.mark.skipif(os.name != "posix", reason="files have no such permissions here")
def test_a_pass_is_private_and_what_others_may_read_is_warned_of(run, issue, show, rotating, master, phone, office):
    assert stat.S_IMODE(rotating.stat().st_mode) == 0o600
    text = show(rotating)
    for file in (rotating, master, phone):
        file.chmod(0o644)
    shown = run("pass", "show", rotating)
    assert (shown.exit_code, f"chmod 600 {rotating}" in shown.stderr) == (0, True)
    for name in ("verify", "redeem"):
        checked = run(name, "--ring", office.ring, "--master-key", master, "--now", office.now + 3600, text)
        assert (checked.exit_code, f"chmod 600 {master}" in checked.stderr) == (0, True)
    assert f"chmod 600 {master}" in issue("--master-key", master, out="second.json").stderr
    assert issue("--device-key", phone.with_suffix(".pub"), out="bound.json").exit_code == 0
    assert f"chmod 600 {phone}" in run("pass", "show", rotating.with_name("bound.json"), "--key", phone).stderr


def test_nothing_secret_is_on_the_screen(issue, check, show, master, rotating):
    secret = json.loads(rotating.read_text())["secret"]
    assert len(secret) == 64
    for options in ([], ["--json"], ["--lang", "both"]):
        name = f"{len(options)}{options[-1:]}.json"
        said = issue("--master-key", master, *options, out=name).output
        written = json.loads(rotating.with_name(name).read_text())
        assert MASTER not in said
        assert written["secret"] not in said
        assert written["pass"] not in said
    assert not [word for word in (MASTER, secret) if word in check(show(rotating), "--master-key", master)[2].output]


def test_a_full_disk_leaves_no_half_of_a_pass(issue, full_disk, master, tmp_path):
    with full_disk(100):
        result = issue("--master-key", master)
    assert (result.exit_code, (tmp_path / "pass.json").exists()) == (2, False)
    assert issue("--master-key", master).exit_code == 0


def test_a_pass_is_never_overwritten(issue, rotating, master):
    before = rotating.read_bytes()
    again = issue("--master-key", master)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "never overwritten" in again.stderr
    assert rotating.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "--master-key for a rotating pass"),
        (["--master-key", "master.hex", "--device-key", "phone.pub"], "--device-key for a device-bound pass"),
        (["--master-key", "missing"], "missing"),
        (["--master-key", "phone.pub"], "is no master key"),
        (["--master-key", "short.hex"], "is no master key"),
        (["--device-key", "master.hex"], "master.hex"),
        (["--device-key", "phone.pem"], "phone.pem"),
        (["--master-key", "master.hex", "--person", "1"], "needs --sealing-key"),
        (["--master-key", "master.hex", "--purpose", "99999"], "[issue.claim]"),
        (["--master-key", "master.hex", "--lifetime", "0"], ""),
        (["--device-key", "phone.pub", "--ref", "00"], "[issue.claim]"),
    ],
)
def test_misuse_of_pass_issue_is_refused_in_words(issue, master, phone, tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    private(tmp_path / "short.hex", b"00" * 31)
    result = issue(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.strip()
    assert MASTER not in result.output
    assert not (tmp_path / "pass.json").exists()


def test_a_place_outside_the_issuers_scope_is_misuse(run, office, master, tmp_path):
    arguments = ["-k", office.key, "-r", office.ring, "-o", tmp_path / "pass.json", "--master-key", master]
    result = run("pass", "issue", "440100", *arguments, "--lang", "zh")
    assert result.exit_code == 2
    assert "[issue.place]" in result.stderr
    assert "签发范围" in result.stderr
    assert "outside" not in result.stderr


def test_misuse_of_pass_show_is_refused_in_words(run, issue, rotating, master, phone, tmp_path, office):
    assert issue("--device-key", phone.with_suffix(".pub"), out="bound.json").exit_code == 0
    other = private(tmp_path / "other.pem", P256SigningKey.generate().to_pem(passphrase=None))
    bound = tmp_path / "bound.json"
    for args, says in (
        ([rotating, "--key", phone], "takes no --key"),
        ([rotating, "--challenge", asked(run)], "cannot answer a --challenge"),
        ([bound], "with --key"),
        ([bound, "--key", other], "bound to another key"),
        ([bound, "--key", phone.with_suffix(".pub")], "phone.pub"),
        ([bound, "--key", phone, "--challenge", "123"], "not a terminal's challenge"),
        ([bound, "--key", phone, "--challenge", office.text()], "not a terminal's challenge"),
        ([tmp_path / "missing"], "missing"),
        ([master], "is no pass's file"),
    ):
        result = run("pass", "show", *args)
        assert (result.exit_code, result.stdout) == (2, ""), args
        assert says in result.stderr, args
        assert result.stderr != run("pass", "show", *args, "--lang", "zh").stderr


def test_a_file_that_is_no_pass_is_refused_and_not_quoted(run, rotating, bound_data, office, tmp_path):
    whole = json.loads(rotating.read_text())
    data, secret = whole["pass"], whole["secret"]
    for kept in (
        {}, {"pass": data}, {"secret": secret}, {"pass": data, "secret": secret[:-2]}, {"pass": data, "secret": 5},
        {"pass": 5, "secret": secret}, {"pass": data[:-2], "secret": secret}, {"pass": "", "secret": secret},
        {"pass": data, "secret": secret, "more": 1}, {"pass": bound_data, "secret": secret},
        {"pass": office.issuer.issue(bytes(16), "330100").data.hex()}, [data, secret], 5, None,
    ):  # fmt: skip
        file = private(tmp_path / "broken.json", json.dumps(kept).encode())
        result = run("pass", "show", file)
        assert (result.exit_code, result.stdout) == (2, ""), kept
        assert "is no pass's file" in result.stderr
        assert secret[:20] not in result.output
    for content in (b"", b"{", b"\xff" * 100, b"[" * 100_000):
        result = run("pass", "show", private(tmp_path / "broken.json", content))
        assert (result.exit_code, "is no pass's file" in result.stderr) == (2, True)


@pytest.fixture
def bound_data(office, phone):
    key = P256SigningKey.from_pem(phone.read_bytes()).verifying_key
    return office.issuer.issue_device_bound_pass(bytes(16), "330100", key).data.hex()


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--terminal", "T1"],
        ["--purpose", "01301"],
        ["--terminal", "T 1", "--purpose", "01301"],
        ["--terminal", "x" * 33, "--purpose", "01301"],
        ["--terminal", "T1", "--purpose", "1301"],
        ["--terminal", "T1", "--purpose", "０１３０１"],
    ],
)
def test_misuse_of_challenge_is_refused_in_words(run, args):
    result = run("challenge", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip()


def test_a_wrong_terminal_is_said_in_the_language_asked_for(run):
    result = run("challenge", "--terminal", "终端", "--purpose", "01301", "--lang", "zh")
    assert "终端名称为" in result.stderr
    assert "a terminal" not in result.stderr


@pytest.mark.parametrize("name", ["verify", "redeem"])
def test_a_challenge_or_a_master_key_that_cannot_be_read_is_misuse(run, office, tmp_path, name):
    file = private(tmp_path / "short.hex", b"ab" * 31)
    for args, says in (
        (["--challenge", "95"], "not a terminal's challenge"),
        (["--master-key", file], "is no master key"),
        (["--master-key", tmp_path / "missing"], "missing"),
    ):
        result = run(name, "--ring", office.ring, office.text(), *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert says in result.stderr
        assert "abab" not in result.output


def test_a_challenge_is_drawn_as_a_qr_code(run, tmp_path):
    pytest.importorskip("segno", reason="segno is not installed")
    result = run("qr", asked(run, "H33010600123"), "--out", tmp_path / "asked.svg")
    assert (result.exit_code, "version 2-M" in result.stdout) == (0, True)
