from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from ybtoken.keys.keyset import dump_cose_keyset, load_jwks
from ybtoken.keys.p256 import P256SigningKey


def make(run, folder, *options, ring="ring.jwks", key="key.pem", issuer="浙江"):
    return run("keygen", folder / key, "--ring", folder / ring, "--issuer", issuer, *options)


def test_a_key_without_a_passphrase_is_refused_unless_told(run, tmp_path):
    result = make(run, tmp_path)
    assert result.exit_code == 2
    assert "--passphrase-file" in result.stderr
    assert list(tmp_path.iterdir()) == []

    assert make(run, tmp_path, "--in-clear").exit_code == 0
    P256SigningKey.from_pem((tmp_path / "key.pem").read_bytes())


@pytest.mark.parametrize("way", ["file", "env"])
def test_a_passphrase_from_a_file_or_the_environment_encrypts_the_key(run, tmp_path, monkeypatch, way):
    (tmp_path / "pass").write_bytes("口令 one\r\nsecond line".encode())
    monkeypatch.setenv("YB_PASS", "口令 one")
    given = ["--passphrase-file", tmp_path / "pass"] if way == "file" else ["--passphrase-env", "YB_PASS"]
    result = make(run, tmp_path, *given)
    assert result.exit_code == 0, result.stderr
    pem = (tmp_path / "key.pem").read_bytes()
    with pytest.raises(ValueError, match="a passphrase is needed"):
        P256SigningKey.from_pem(pem)
    key = P256SigningKey.from_pem(pem, passphrase="口令 one".encode())
    assert key.kid in load_jwks((tmp_path / "ring.jwks").read_bytes())
    assert "口令 one" not in result.output

    issued = run("issue", "330100", "-k", tmp_path / "key.pem", *given)
    assert issued.exit_code == 0, issued.stderr
    wrong = run("issue", "330100", "-k", tmp_path / "key.pem", "--passphrase-file", tmp_path / "ring.jwks")
    assert wrong.exit_code == 2
    assert run("issue", "330100", "-k", tmp_path / "key.pem").exit_code == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--passphrase-env", "YB_UNSET"],
        ["--passphrase-env", "A", "--passphrase-file", "B"],
        ["--passphrase-file", "missing"],
        ["--in-clear", "--passphrase-env", "A"],
        ["--in-clear", "--scope", "3"],
        ["--in-clear", "--scope", "33", "--except", "33"],
        ["--in-clear", "--not-before", "200", "--not-after", "100"],
        ["--in-clear", "--not-before", "2026-01-01T00:00:00"],  # without an offset
        ["--in-clear", "--not-before", "99999999999"],
        ["--in-clear", "--alg", "rs256"],
    ],
)
def test_misuse_leaves_no_file_behind(run, tmp_path, options):
    assert make(run, tmp_path, *options).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_ring_has_what_was_stated(run, tmp_path):
    options = ["--scope", "33", "--scope", "3201", "--except", "3302", "--alg", "esp256", "--in-clear"]
    times = ["--not-before", "2026-05-01T08:00:00+08:00", "--not-after", "1790000000"]
    assert make(run, tmp_path, *options, *times).exit_code == 0
    (entry,) = load_jwks((tmp_path / "ring.jwks").read_bytes()).entries
    assert entry.issuer == "浙江"
    assert (entry.scope.prefixes, entry.scope.exclusions) == (("33", "3201"), ("3302",))
    assert (entry.not_before, entry.not_after) == (1777593600, 1790000000)
    assert entry.key.algorithm.name == "ESP256"


def test_a_second_key_is_appended_and_the_first_is_kept(run, tmp_path):
    assert make(run, tmp_path, "--in-clear").exit_code == 0
    first = json.loads((tmp_path / "ring.jwks").read_text("utf-8"))["keys"]
    assert make(run, tmp_path, "--in-clear", key="second.pem", issuer="Jiangsu").exit_code == 0
    keys = json.loads((tmp_path / "ring.jwks").read_text("utf-8"))["keys"]
    assert keys[:1] == first
    assert [key["yb_issuer"] for key in keys] == ["浙江", "Jiangsu"]


def test_an_existing_key_is_never_overwritten(run, tmp_path):
    (tmp_path / "key.pem").write_text("precious")
    result = make(run, tmp_path, "--in-clear")
    assert result.exit_code == 2
    assert (tmp_path / "key.pem").read_text() == "precious"
    assert [file.name for file in tmp_path.iterdir()] == ["key.pem"]


def test_a_broken_ring_is_left_as_it_is_and_no_key_is_written(run, tmp_path):
    (tmp_path / "ring.jwks").write_text('{"keys": [')
    assert make(run, tmp_path, "--in-clear").exit_code == 2
    assert [file.name for file in tmp_path.iterdir()] == ["ring.jwks"]
    assert (tmp_path / "ring.jwks").read_text() == '{"keys": ['


def test_a_ring_that_another_program_changes_is_left_alone(run, tmp_path):
    (tmp_path / "ring.jwks.new").touch()
    assert make(run, tmp_path, "--in-clear").exit_code == 2
    assert [file.name for file in tmp_path.iterdir()] == ["ring.jwks.new"]


def test_a_key_that_its_ring_cannot_take_is_not_left_behind(run, full_disk, tmp_path):
    with full_disk(250):  # more than the key, less than the ring
        assert make(run, tmp_path, "--in-clear").exit_code == 2
    assert list(tmp_path.iterdir()) == []
    assert make(run, tmp_path, "--in-clear").exit_code == 0


def test_a_new_key_is_on_the_disk_before_its_ring_is(run, tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def recorded(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", recorded)
    assert make(run, tmp_path, "--in-clear").exit_code == 0
    files = [(tmp_path / name).stat().st_ino for name in ("key.pem", "ring.jwks")]
    assert [file for file in synced if file in files] == files


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_only_the_owner_can_read_the_private_key(run, tmp_path):
    assert make(run, tmp_path, "--in-clear").exit_code == 0
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_nothing_secret_is_on_the_screen(run, tmp_path):
    result = make(run, tmp_path, "--in-clear")
    pem = (tmp_path / "key.pem").read_text()
    assert "PRIVATE" not in result.output
    assert pem.splitlines()[1] not in result.output


def test_a_ring_may_be_a_cose_keyset(run, office, tmp_path):
    ring = load_jwks(office.ring.read_bytes())
    (tmp_path / "ring.cbor").write_bytes(dump_cose_keyset(ring))
    result = run("verify", office.text(), "--ring", tmp_path / "ring.cbor", "--now", office.now)
    assert result.exit_code == 0, result.output


BAD_RINGS = {
    "empty": b"",
    "not json": b"{",
    "no keys": b"{}",
    "keys no array": b'{"keys": {}}',
    "not utf-8": b'{"keys": "\xff"}',
    "deep json": b'{"keys":' + b"[" * 200_000,
    "deep cbor": b"\x81" * 200_000,
    "cbor of another kind": b"\x01",
    "random": bytes(range(256)),
    "huge number": b'{"keys":[{"nbf":' + b"9" * 10_000 + b"}]}",
    "key no object": b'{"keys": [1]}',
}


@pytest.mark.parametrize("document", BAD_RINGS.values(), ids=BAD_RINGS)
def test_a_bad_key_ring_is_misuse_without_a_traceback(run, office, tmp_path, document):
    (tmp_path / "ring").write_bytes(document)
    result = run("verify", office.text(), "--ring", tmp_path / "ring")
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "is no key ring" in result.stderr
    chinese = run("verify", office.text(), "--ring", tmp_path / "ring", "--lang", "zh").stderr
    assert "不是密钥环：" in chinese
    assert not re.search("[a-z]{3,} [a-z]{2,}", chinese)


def test_a_ring_with_a_member_of_another_kind_is_misuse(run, office, tmp_path):
    for member, value in (("yb_issuer", 5), ("yb_scope", "33"), ("nbf", "now"), ("kid", 1), ("x", None), ("crv", [])):
        jwks = json.loads(office.ring.read_text("utf-8"))
        jwks["keys"][0][member] = value
        (tmp_path / "ring").write_text(json.dumps(jwks))
        result = run("verify", office.text(), "--ring", tmp_path / "ring")
        assert (result.exit_code, result.stdout) == (2, ""), (member, result.output)


OTHER_CURVE = b"""-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgd0AfYiPgHnVRfZBlZMML
LBTL5HlLl24cPlH02WOycLChRANCAAQR5UQnEE40hZl71ni7M9eUn9Zqe8Y9e8C8
QPzLYN3HmjQoDQLcKcKaUyCazsGMLuAzuH/rmb6VofsrY6eIZfR2
-----END PRIVATE KEY-----
"""  # secp256k1
BAD_KEYS = {
    "empty": b"",
    "random": bytes(range(256)),
    "no base64": b"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
    "another curve": OTHER_CURVE,
}


@pytest.mark.parametrize("document", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_private_key_is_misuse_without_a_traceback(run, tmp_path, document):
    (tmp_path / "key.pem").write_bytes(document)
    result = run("issue", "330100", "--key", tmp_path / "key.pem")
    assert (result.exit_code, result.stdout) == (2, ""), result.output


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_misuse_and_named(run, office, tmp_path: Path, what):
    file = tmp_path / what
    if what == "folder":
        file.mkdir()
    for args in (
        ["verify", office.text(), "--ring", file],
        ["verify", "--file", file, "--ring", office.ring],
        ["issue", "330100", "--key", file],
        ["issue", "330100", "--key", office.key, "--person", "1", "--sealing-key", file],
        ["inspect", "--file", file],
        ["qr", "--file", file],
        ["qr", office.text(), "--out", file / "nowhere" / "code.png"],
    ):
        result = run(*args)
        assert (result.exit_code, result.stdout) == (2, ""), args
        assert str(file) in result.stderr
