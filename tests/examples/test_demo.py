from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ybtoken import ReplayGuard

pytest.importorskip("segno", reason="the extra qr is not installed")
pytest.importorskip("zxingcpp", reason="zxing-cpp is not installed")
pytest.importorskip("PIL", reason="pillow is not installed")

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


@pytest.fixture
def demo():
    spec = importlib.util.spec_from_file_location("ybtoken_demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_demo_tells_the_whole_story_in_time(tmp_path):
    before = os.times()
    done = subprocess.run(
        [sys.executable, DEMO, "--folder", tmp_path], capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    spent = os.times()  # of the processor, because others may use it too
    assert spent.children_user + spent.children_system - before.children_user - before.children_system < 10
    assert re.findall(r"step (\d)  ([a-z.]+)", done.stdout) == [
        ("9", "redeem.replayed"), ("1", "text.check"), ("1", "text.digits"), ("1", "text.length"),
        ("4", "signature.invalid"), ("7", "scope.place"), ("8", "policy.place"), ("6", "time.expired"),
        ("9", "redeem.replayed"), ("6", "otp.wrong"), ("5", "claims.profile"),
        ("4", "device.signature"), ("8", "challenge.wrong"), ("8", "policy.profile"), ("8", "status.suspended"),
        ("7", "scope.withdrawn"), ("7", "scope.withdrawn"),
    ]  # fmt: skip
    assert done.stdout.endswith("All as it should be. / 一切符合预期。\n")
    assert (tmp_path / "voucher.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("signer", ["sm2", "es256"])
def test_every_algorithm_tells_it(demo, tmp_path, capsys, signer):
    assert demo.main(["--algorithm", signer, "--folder", str(tmp_path)]) == 0
    assert signer.upper() in capsys.readouterr().out


def test_without_a_libcrypto_it_is_told_with_es256(demo, tmp_path, capsys, monkeypatch):
    def missing():
        raise demo.LibcryptoError("libcrypto.missing", "no libcrypto was found", "未找到 libcrypto")

    monkeypatch.setitem(demo.SIGNERS, "sm2", missing)
    assert demo.main(["--folder", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "no libcrypto was found" in out
    assert "ES256" in out


def test_a_voucher_that_is_accepted_twice_fails_the_demo(demo, tmp_path, capsys, monkeypatch):
    class Forgetful(ReplayGuard):
        def claim(self, key, **times):
            pass

    monkeypatch.setattr(demo, "MemoryReplayGuard", lambda **_: Forgetful())
    assert demo.main(["--folder", str(tmp_path)]) == 1
    assert "accepted what must be refused as redeem.replayed" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_fails_the_demo(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo.zxingcpp, "read_barcodes", lambda picture, **_: [])
    assert demo.main(["--folder", str(tmp_path)]) == 1
    assert "0 codes" in capsys.readouterr().err


def test_another_refusal_than_the_story_says_fails_the_demo(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "encode_text", lambda profile, data: "96")
    assert demo.main(["--folder", str(tmp_path)]) == 1
    assert "refused as text.length, not as signature.invalid" in capsys.readouterr().err
