"""The library reads keys in the many forms that OpenSSL's command line writes, and OpenSSL reads the library's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ybtoken.algorithms import Curve
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.reading import KeyReadError, read_private_key, read_public_key
from ybtoken.keys.sm2 import SM2SigningKey

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command line here")
PASSWORD = b"demo1234"
KEYS = {Curve.SM2: SM2SigningKey.generate(), Curve.P256: P256SigningKey.generate()}
both = pytest.mark.parametrize("curve", list(KEYS), ids=lambda curve: curve.name)

# Each is a command on key.pem, whether a passphrase is needed, and whether it is a private key.
WRITTEN = {
    "PKCS#8": ("pkcs8 -topk8 -nocrypt", False, True),
    "PKCS#8 DER": ("pkcs8 -topk8 -nocrypt -outform DER", False, True),
    "SEC 1": ("ec", False, True),
    "SEC 1 DER": ("ec -outform DER", False, True),
    "SEC 1 compressed": ("ec -conv_form compressed", False, True),
    "AES-256, SHA-256": ("pkcs8 -topk8 -v2 aes-256-cbc", True, True),
    "AES-128, SHA-1": ("pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA1", True, True),
    "AES-192, SHA-512": ("pkcs8 -topk8 -v2 aes-192-cbc -v2prf hmacWithSHA512 -outform DER", True, True),
    "3DES": ("pkcs8 -topk8 -v2 des3", True, True),
    "SM4, SHA-256": ("pkcs8 -topk8 -v2 sm4-cbc", True, True),
    "scrypt": ("pkcs8 -topk8 -scrypt", True, True),
    "PKCS#12's 3DES": ("pkcs8 -topk8 -v1 PBE-SHA1-3DES", True, True),
    "old PEM, AES": ("ec -aes256", True, True),
    "old PEM, 3DES": ("ec -des3", True, True),
    "old PEM, SM4": ("ec -sm4-cbc", True, True),
    "SPKI": ("ec -pubout", False, False),
    "SPKI DER": ("ec -pubout -outform DER", False, False),
    "SPKI compressed": ("ec -pubout -conv_form compressed", False, False),
    "SPKI hybrid": ("ec -pubout -conv_form hybrid", False, False),
    "explicit parameters": ("ec -param_enc explicit", False, True),
    "SPKI, explicit parameters": ("ec -pubout -param_enc explicit", False, False),
}


@both
@pytest.mark.parametrize("name", WRITTEN)
def test_what_openssl_writes_is_read(curve: Curve, name: str, tmp_path: Path) -> None:
    arguments, encrypted, private = WRITTEN[name]
    (tmp_path / "key.pem").write_bytes(KEYS[curve].to_pem(passphrase=None))
    command = ["openssl", *arguments.split(), "-in", "key.pem", "-out", "out"]
    if encrypted:
        command += ["-passout", "pass:demo1234"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this openssl does not write it: {done.stderr[-100:]}")
    written = (tmp_path / "out").read_bytes()
    if not private:
        assert read_public_key(written).point == b"\x04" + b"".join(KEYS[curve].verifying_key.point)
        return
    passphrase = PASSWORD if encrypted else None
    assert type(KEYS[curve]).from_pem(written, passphrase=passphrase).kid == KEYS[curve].kid
    if encrypted:
        for wrong, code in ((b"wrong", "key.passphrase-wrong"), (None, "key.passphrase-missing")):
            with pytest.raises(KeyReadError) as refused:
                read_private_key(written, passphrase=wrong)
            assert refused.value.code == code


@both
def test_openssl_reads_what_is_written_with_sm4(curve: Curve, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEYS[curve].to_pem(passphrase=PASSWORD, cipher="sm4"))
    command = ["openssl", "pkey", "-in", "key.pem", "-passin", "pass:demo1234", "-pubout"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if "unknown" in done.stderr.lower() or "unsupported" in done.stderr.lower():
        pytest.skip("this openssl has no HMAC-SM3 for PBKDF2 under GmSSL's object identifier")
    assert read_public_key(done.stdout).point == b"\x04" + b"".join(KEYS[curve].verifying_key.point)
