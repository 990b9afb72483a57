from __future__ import annotations

import json

import pytest

from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.text import decode_text

SEALING_KEY = bytes(range(16))


def make(run, folder, *options):
    return run("keygen", folder / "key.pem", "-r", folder / "ring.jwks", "--issuer", "浙江", "--alg", "sm2", *options)


@pytest.mark.parametrize("user_id", [None, "alice@example.com"])
def test_what_an_sm2_key_issues_verifies(run, tmp_path, monkeypatch, user_id):
    monkeypatch.setenv("YB_PASS", "口令 one")
    options = ["--passphrase-env", "YB_PASS"]
    result = make(run, tmp_path, *options, *(["--user-id", user_id] if user_id else []))
    assert result.exit_code == 0, result.stderr
    ring = load_jwks((tmp_path / "ring.jwks").read_bytes())
    assert ring.sm2_only
    assert ring.entries[0].key.user_id == (user_id or "1234567812345678").encode()
    issued = run("issue", "330100", "-k", tmp_path / "key.pem", "-r", tmp_path / "ring.jwks", *options)
    assert issued.exit_code == 0, issued.stderr
    text = issued.stdout.strip()
    assert run("verify", text, "-r", tmp_path / "ring.jwks").exit_code == 0
    assert len(text) == 347


def test_the_curve_says_which_kind_of_key_a_file_holds(run, tmp_path):
    assert make(run, tmp_path, "--in-clear").exit_code == 0
    assert run("issue", "330100", "-k", tmp_path / "key.pem").exit_code == 0
    assert run("issue", "330100", "-k", tmp_path / "key.pem", "--alg", "sm2").exit_code == 0
    assert run("issue", "330100", "-k", tmp_path / "key.pem", "--alg", "es256").exit_code == 2
    (tmp_path / "p256.pem").write_bytes(P256SigningKey.generate().to_pem(passphrase=None))
    assert run("issue", "330100", "-k", tmp_path / "p256.pem", "--alg", "sm2").exit_code == 2


def test_sm4_seals_by_default_under_sm2(run, tmp_path):
    assert make(run, tmp_path, "--in-clear").exit_code == 0
    (tmp_path / "seal").write_text(SEALING_KEY.hex())
    for options, cipher in (([], BlockCipher.SM4), (["--cipher", "aes"], BlockCipher.AES)):
        issued = run(
            "issue",
            "330100",
            "-k",
            tmp_path / "key.pem",
            "--person",
            "42",
            "--sealing-key",
            tmp_path / "seal",
            *options,
        )
        assert issued.exit_code == 0, issued.stderr
        claims = parse_claims(cut_envelope(decode_text(issued.stdout.strip())[1])[1])
        assert IdentitySealer(SEALING_KEY, cipher=cipher).open(claims.identity_ref, at=claims.issued_at) == 42


def test_a_user_id_is_for_sm2_and_has_a_length(run, tmp_path):
    ring = ["-r", tmp_path / "ring.jwks", "--issuer", "x", "--in-clear"]
    assert run("keygen", tmp_path / "key.pem", *ring, "--user-id", "alice").exit_code == 2
    assert run("keygen", tmp_path / "key.pem", *ring, "--alg", "sm2", "--user-id", "").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_libcrypto_the_remedy_is_told(run, tmp_path, monkeypatch):
    assert make(run, tmp_path, "--in-clear").exit_code == 0

    def missing(*args, **options):
        raise LibcryptoError("libcrypto.missing", "no libcrypto was found", "未找到 libcrypto")

    monkeypatch.setattr(SM2SigningKey, "generate", missing)
    monkeypatch.setattr(SM2SigningKey, "from_read", missing)
    for result in (
        run("keygen", tmp_path / "k.pem", "-r", tmp_path / "r", "--issuer", "x", "--alg", "sm2", "--in-clear"),
        run("issue", "330100", "-k", tmp_path / "key.pem"),
    ):
        assert result.exit_code == 2
        assert "install OpenSSL 3" in result.stderr


def test_bench_measures_sm2(run):
    figures = json.loads(run("bench", "--alg", "sm2", "--seconds", "0.05", "--json").stdout)
    assert figures["algorithm"] == "SM2"
