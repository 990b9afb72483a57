"""The command line as people run it: processes, pipes, terminals, and missing packages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from ybtoken.keys.p256 import P256SigningKey

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")


@pytest.fixture
def shell(ybtoken, tmp_path):
    def shell(script, **environment):
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; yb() {{ {ybtoken} \"$@\"; }}; {script}"],
            cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60, env=os.environ | environment,
        )  # fmt: skip

    return shell


def test_keygen_issue_qr_verify_redeem_through_pipes(shell, tmp_path):
    done = shell(
        """
        export PASS=secret-words
        yb keygen key.pem --ring ring.jwks --issuer ZJ --scope 33 --passphrase-env PASS &&
        yb issue 330100 -k key.pem -r ring.jwks --passphrase-env PASS | tee text | yb qr -o code.png &&
        cat text | yb verify -r ring.jwks --json &&
        cat text text | yb redeem -r ring.jwks --json
        """
    )
    assert done.returncode == 1, done.stderr  # of the second redeem of one text
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["accepted"] for row in rows] == [True, True, False]
    assert rows[2]["error"]["code"] == "redeem.replayed"
    assert "secret-words" not in done.stdout + done.stderr
    assert (tmp_path / "code.png").read_bytes().startswith(b"\x89PNG")


def test_a_reader_that_goes_away_is_no_traceback(shell, office):
    done = shell(f"yb issue 330100 -k '{office.key}' --count 100000 | head -n 3")
    assert done.returncode == 141
    assert len(done.stdout.split()) == 3
    assert done.stderr == ""
    texts = "yes 960123"
    done = shell(f"{texts} | yb verify -r '{office.ring}' 2>&1 | head -n 1")
    assert "REFUSED" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_full_disk_is_said_and_no_traceback(shell, office):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    done = shell(f"yb issue 330100 -k '{office.key}' > /dev/full")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_closed_streams_are_no_traceback(shell, office):
    assert shell(f"yb verify -r '{office.ring}' <&-").returncode == 2
    for closed in (">&-", ">&- 2>&-"):
        done = shell(f"yb verify 96123 -r '{office.ring}' {closed}")
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_a_terminal_that_lacks_some_characters_is_no_traceback(shell, office, encoding):
    done = shell(f"yb verify 96123 -r '{office.ring}' --lang both", PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    assert "text.length" in done.stdout


def test_a_scanner_behind_a_pipe_is_answered_at_once(ybtoken, office):
    command = f"exec {ybtoken} redeem -q -r '{office.ring}' --now {office.now}"
    with subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in (office.text(), office.text()):
            process.stdin.write(text + "\n")
            process.stdin.flush()
            assert "redeemed" in process.stdout.readline()  # while the pipe is still open
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_an_interrupt_ends_it_without_a_traceback(ybtoken, office):
    with subprocess.Popen(
        ["bash", "-c", f"exec {ybtoken} verify -r '{office.ring}'"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("960\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(2)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in said


def test_at_a_keyboard_the_passphrase_is_asked_for_twice_and_not_shown(ybtoken, tmp_path):
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    ours, theirs = pty.openpty()
    command = f"exec {ybtoken} keygen k.pem --ring r.jwks --issuer ZJ --lang en"
    with subprocess.Popen(
        ["bash", "-c", command], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        said = b""
        for asked in (1, 2):
            while said.count(b": ") < asked:
                said += os.read(ours, 1000)
            os.write(ours, b"right-words\n")
        assert process.wait(timeout=30) == 0
    said += os.read(ours, 10_000)
    os.close(theirs)
    os.close(ours)
    assert b"encrypted" in said
    assert b"words" not in said
    P256SigningKey.from_pem((tmp_path / "k.pem").read_bytes(), passphrase=b"right-words")


PEAK = """
import resource, sys
from ybtoken.cli.app import app
try:
    app(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_huge_input_streams_in_bounded_memory(shell, office, tmp_path):
    """Texts, and then one line of 50 MB without an end: the peak is little more than a small input needs."""
    (tmp_path / "peak.py").write_text(PEAK)
    run = f"'{sys.executable}' peak.py verify -q -r '{office.ring}' | tail -n 1"
    small = shell(f"echo 960 | {run}")
    texts = shell(f"head -c 20000000 /dev/zero | tr '\\0' 1 | fold -w 347 | {run}")
    line = shell(f"head -c 50000000 /dev/zero | tr '\\0' 9 | {run}")
    assert "text.beginning" in texts.stdout
    assert line.stdout.startswith("-:1: REFUSED")
    peaks = [int(done.stderr.split()[-1]) for done in (small, texts, line)]
    unit = 1 if sys.platform == "darwin" else 1024
    assert max(peaks) - peaks[0] < 12_000_000 / unit, peaks


def test_without_typer_it_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['typer'] = None; from ybtoken.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install 'ybtoken[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_missing_module_is_not_blamed_on_the_extra():
    code = "import sys; sys.modules['cbor2'] = None; from ybtoken.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "cbor2" in done.stderr
    assert "ybtoken[cli]" not in done.stderr


def test_the_script_starts_quickly_and_knows_its_version(shell):
    before = os.times()
    done = shell("yb --version")
    assert done.returncode == 0
    assert done.stdout[0].isdigit()
    spent = os.times()  # of the processor, because others may use it too
    assert spent.children_user + spent.children_system - before.children_user - before.children_system < 10
