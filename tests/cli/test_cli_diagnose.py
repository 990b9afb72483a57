from __future__ import annotations

import json

from ybtoken.keys._der import der_from_raw
from ybtoken.keys.sm2 import SM2SigningKey


def test_a_partners_signature_is_explained(run, tmp_path):
    key = SM2SigningKey.generate(user_id=b"hospital-7")
    (tmp_path / "m").write_bytes(b"message")
    (tmp_path / "s").write_text(der_from_raw(key.sign(b"message")).hex())
    (tmp_path / "k").write_text(b"".join(key.verifying_key.point).hex())
    arguments = ["diagnose", "-k", tmp_path / "k", "-m", tmp_path / "m", "-s", tmp_path / "s"]
    result = run(*arguments, "--user-id", "hospital-7", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == "signature.hex+signature.der+digest.user-id"
    assert "64 bytes without 04, in hexadecimal" in result.stderr
    assert "unexplained" in run(*arguments).stdout


def test_a_good_signature_is_good_and_a_text_needs_keys(run, tmp_path):
    key = SM2SigningKey.generate()
    (tmp_path / "m").write_bytes(b"message")
    (tmp_path / "s").write_bytes(key.sign(b"message"))
    (tmp_path / "k").write_bytes(key.verifying_key.to_pem())
    assert run("diagnose", "-k", tmp_path / "k", "-m", tmp_path / "m", "-s", tmp_path / "s").exit_code == 0
    assert run("diagnose", "9612").exit_code == 2
    assert run("diagnose", "-m", tmp_path / "m").exit_code == 2
    (tmp_path / "k").write_bytes(key.to_pem(passphrase=None))
    refused = run("diagnose", "-k", tmp_path / "k", "-m", tmp_path / "m", "-s", tmp_path / "s")
    assert refused.exit_code == 2
    assert "this is a private key" in refused.stderr


def test_a_text_is_explained(run, tmp_path):
    made = run("keygen", tmp_path / "key.pem", "-r", tmp_path / "ring.jwks", "--issuer", "x", "--in-clear")
    assert made.exit_code == 0
    text = run("issue", "330100", "-k", tmp_path / "key.pem").stdout.strip()
    assert run("diagnose", "-r", tmp_path / "ring.jwks", text).exit_code == 0
    result = run("diagnose", "-r", tmp_path / "ring.jwks", text[7:])
    assert result.exit_code == 1
    assert "scan.cut" in result.stdout
