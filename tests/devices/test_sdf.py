"""A key in a cryptographic machine, imitated by a library in C on libcrypto, because no real device was at hand."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.devices.checked import DeviceError
from ybtoken.devices.sdf import SdfSigningKey
from ybtoken.keys.sm2 import SM2SigningKey
from ybtoken.testing.keys import check_key_pair


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here (Debian: gcc libssl-dev)")
    target = tmp_path_factory.mktemp("sdf") / "double.so"
    source = Path(__file__).with_name("sdf_double.c")
    made = subprocess.run(["cc", "-shared", "-fPIC", "-o", target, source, "-lcrypto"], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"the double was not compiled (Debian: gcc libssl-dev): {made.stderr[-200:]}")
    return str(target)


def test_conformance(library: str) -> None:
    key = SdfSigningKey(library, index=1, password=b"secret")
    check_key_pair(key, key.verifying_key, other=SM2SigningKey.generate().verifying_key)
    key.close()


def test_vouchers_of_threads_verify(library: str) -> None:
    key = SdfSigningKey(library, index=1, password=b"secret", user_id=b"platform")
    issuer, verifier = Issuer(key), Verifier(KeyRing([KeyEntry(key.verifying_key, "x")]))
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda _: issuer.issue(bytes(16), "330100").text, range(300)))
    assert {verifier.verify(text).kid for text in texts} == {key.kid}


@pytest.mark.parametrize(("fault", "words"), [("bit", "Nothing that was tried"), ("swap", "s stands before r")])
def test_a_bad_signature_never_leaves_the_device(library, monkeypatch, fault: str, words: str) -> None:
    key = SdfSigningKey(library, index=1, password=b"secret")
    monkeypatch.setenv("SDF_DOUBLE_FAULT", fault)
    libc_sees = [0, 0]
    for _ in range(10):
        try:
            key.verifying_key.verify(b"m", key.sign(b"m"))
            libc_sees[0] += 1
        except DeviceError as error:
            assert words in error.en
            libc_sees[1] += 1
    assert libc_sees == ([5, 5] if fault == "bit" else [0, 10])


@pytest.mark.parametrize("code", ["0x01000003", "0x01000004", "0x01000005", "0x01000006", "0x01000007"])
def test_a_lost_session_is_closed_and_replaced_once(library: str, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    key, double = SdfSigningKey(library, index=1, password=b"secret"), ctypes.CDLL(library)
    opened, made = double.double_open(), double.double_made()
    for fault in (f"lost {code}", "", f"lost {code}"):
        monkeypatch.setenv("SDF_DOUBLE_FAULT", fault)
        key.verifying_key.verify(b"m", key.sign(b"m"))
    assert (double.double_open(), double.double_made()) == (opened, made + 2)
    monkeypatch.setenv("SDF_DOUBLE_FAULT", code)  # it stays lost
    with pytest.raises(DeviceError, match=f"SDF_InternalSign_ECC returned {code}"):
        key.sign(b"m")
    assert (double.double_open(), double.double_made()) == (opened, made + 3)
    monkeypatch.delenv("SDF_DOUBLE_FAULT")
    key.verifying_key.verify(b"m", key.sign(b"m"))
    key.close()
    key.close()
    assert double.double_open() == opened - 1001  # one device and one session


@pytest.mark.parametrize("code", ["0x01000001", "0x01000008", "0x0100000d", "0x01010003", "0x02000005", "0xffffffff"])
def test_another_failure_opens_no_session(library: str, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    key, double = SdfSigningKey(library, index=1, password=b"secret"), ctypes.CDLL(library)
    made = double.double_made()
    monkeypatch.setenv("SDF_DOUBLE_FAULT", code)
    meaning = {"0x01000008": "no such key", "0x0100000d": "signing failed", "0x01000001": "an unknown error"}
    with pytest.raises(DeviceError, match=f"{code}: .*{meaning.get(code, 'manual')}"):
        key.sign(b"m")
    assert double.double_made() == made
    key.close()


def test_a_device_that_could_not_be_opened_is_closed(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    double = ctypes.CDLL(library)
    opened = double.double_open()
    for options in ({"password": b"wrong"}, {"index": 2}, {"index": 2, "password": None}, {"user_id": b""}):
        with pytest.raises((DeviceError, ValueError)):
            SdfSigningKey(library, **({"index": 1, "password": b"secret"} | options))
    key = SdfSigningKey(library, index=1, password=b"secret")
    key.close()
    monkeypatch.setenv("SDF_DOUBLE_FAULT", "no session")
    with pytest.raises(DeviceError, match="the session did not open"):
        key.sign(b"m")
    monkeypatch.delenv("SDF_DOUBLE_FAULT")
    key.verifying_key.verify(b"m", key.sign(b"m"))
    key.close()
    assert double.double_open() == opened


def test_what_the_device_refuses_is_said(library: str) -> None:
    for options, words in (
        ({"password": b"wrong"}, "SDF_GetPrivateKeyAccessRight returned 0x01000007: no right"),
        ({"index": 2}, "returned 0x01000008: there is no such key"),
    ):
        with pytest.raises(DeviceError, match=words):
            SdfSigningKey(library, **({"index": 1, "password": b"secret"} | options))
    with pytest.raises(DeviceError, match="is no SDF library"):
        SdfSigningKey("/nonexistent.so", index=1, password=None)
    without = SdfSigningKey(library, index=1, password=None)
    with pytest.raises(DeviceError, match="SDF_InternalSign_ECC returned 0x01000007"):
        without.sign(b"m")


def test_the_command_line_tries_a_device(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("typer", reason="no typer (extra cli)")
    from typer.testing import CliRunner

    from ybtoken.cli.app import app

    monkeypatch.setenv("PASSWORD", "secret")
    arguments = ["device", "check", library, "--index", "1", "--passphrase-env", "PASSWORD", "--lang", "en"]
    good = CliRunner().invoke(app, arguments)
    assert good.exit_code == 0, good.output
    assert "300 signatures of 8 threads, each verified: good" in good.output
    monkeypatch.setenv("PASSWORD", "wrong!")
    bad = CliRunner().invoke(app, arguments)
    assert (bad.exit_code, "no right to use the private key" in bad.output) == (1, True)


def test_a_forked_child_signs_while_a_thread_of_its_parent_holds_the_device(library: str) -> None:
    key = SdfSigningKey(library, index=1, password=b"secret")
    with key._lock:  # as a thread that is within a call would
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(20)  # instead of hanging for ever
                key.verifying_key.verify(b"child", key.sign(b"child"))
                status = 0
            finally:
                os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    key.verifying_key.verify(b"parent", key.sign(b"parent"))
