"""Whole SM2 tokens exchanged with other implementations: OpenSSL's command line, Botan, gmsm in Go, gmalg.

They verify ours. Theirs are made by an `Issuer` whose key signs through them, and are verified by both backends.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest

from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._der import der_from_raw, raw_from_der
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey
from ybtoken.wire.envelope import cut_envelope

USER_IDS = [DEFAULT_USER_ID, b"alice@example.com"]


class Peer(Protocol):
    def sign(self, key: SM2SigningKey, message: bytes) -> bytes: ...
    def verify(self, key: SM2SigningKey, message: bytes, signature: bytes) -> bool: ...


class OpenSSL:
    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl command line here")
        self.folder = folder

    def run(self, key: SM2SigningKey, message: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        (self.folder / "private.pem").write_bytes(key.to_pem(passphrase=None))
        (self.folder / "public.pem").write_bytes(key.verifying_key.to_pem())
        (self.folder / "message").write_bytes(message)
        fixed = ["-rawin", "-digest", "sm3", "-in", "message", "-pkeyopt", f"distid:{key.user_id.decode()}"]
        return subprocess.run(["openssl", "pkeyutl", *fixed, *arguments], cwd=self.folder, capture_output=True)

    def sign(self, key: SM2SigningKey, message: bytes) -> bytes:
        return raw_from_der(self.run(key, message, "-sign", "-inkey", "private.pem").stdout)

    def verify(self, key: SM2SigningKey, message: bytes, signature: bytes) -> bool:
        (self.folder / "signature").write_bytes(der_from_raw(signature))
        done = self.run(key, message, "-verify", "-pubin", "-inkey", "public.pem", "-sigfile", "signature")
        return done.returncode == 0 and b"Verified Successfully" in done.stdout


class Botan:
    def __init__(self, folder: Path) -> None:
        self.botan = _botan()
        text = (
            self.botan._ctype_str
        )  # version 2 takes messages to sign as text only; they go to the library as they are
        self.botan._ctype_str = lambda value: value if isinstance(value, bytes) else text(value)

    def sign(self, key: SM2SigningKey, message: bytes) -> bytes:
        scalar = int.from_bytes(key._key.scalar(), "big")
        private = self.botan.PrivateKey.load_sm2("sm2p256v1", scalar)
        signer = self.botan.PKSign(private, f"{key.user_id.decode()},SM3")
        signer.update(message)
        return bytes(signer.finish(self.botan.RandomNumberGenerator("system")))

    def verify(self, key: SM2SigningKey, message: bytes, signature: bytes) -> bool:
        point = (int.from_bytes(coordinate, "big") for coordinate in key.verifying_key.point)
        public = self.botan.PublicKey.load_sm2("sm2p256v1", *point)
        verifier = self.botan.PKVerify(public, f"{key.user_id.decode()},SM3")
        verifier.update(message)
        return bool(verifier.check_signature(signature))


def _botan() -> ModuleType:
    """Botan's own binding, a file with ctypes. Debian installs it only for its own Python (package python3-botan)."""
    for path in ("/usr/lib/python3/dist-packages/botan3.py", "/usr/lib/python3/dist-packages/botan2.py"):
        if Path(path).exists():
            spec = importlib.util.spec_from_file_location("botan", path)
            assert spec
            assert spec.loader
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    pytest.skip("no Botan here (Debian: python3-botan)")


class Gmsm:
    """emmansun/gmsm, through the program in interop/gmsm."""

    source = Path(__file__).parents[2] / "interop/gmsm"

    def __init__(self, folder: Path) -> None:
        if shutil.which("go") is None:
            pytest.skip("no Go here")
        self.program = folder / "gmsm"
        built = subprocess.run(
            ["go", "build", "-o", self.program, "."], cwd=self.source, capture_output=True, text=True
        )
        if built.returncode:
            pytest.skip(f"gmsm was not built: {built.stderr[-300:]}")

    def ask(self, *fields: str | bytes) -> str:
        request = " ".join(field.hex() if isinstance(field, bytes) else field for field in fields)
        return subprocess.run(
            [self.program], input=request + "\n", check=True, capture_output=True, text=True
        ).stdout.strip()

    def sign(self, key: SM2SigningKey, message: bytes) -> bytes:
        return bytes.fromhex(self.ask("sign", key._key.scalar(), key.user_id, message))

    def verify(self, key: SM2SigningKey, message: bytes, signature: bytes) -> bool:
        return self.ask("verify", *key.verifying_key.point, key.user_id, message, signature) == "true"


class Gmalg:
    def __init__(self, folder: Path) -> None:
        self.gmalg = pytest.importorskip("gmalg")

    def key(self, key: SM2SigningKey) -> object:
        return self.gmalg.SM2(key._key.scalar(), key.user_id, b"\x04" + b"".join(key.verifying_key.point))

    def sign(self, key: SM2SigningKey, message: bytes) -> bytes:
        r, s = self.key(key).sign(message)  # type: ignore[attr-defined]
        return bytes(r.rjust(32, b"\0") + s.rjust(32, b"\0"))  # it leaves out leading zeros

    def verify(self, key: SM2SigningKey, message: bytes, signature: bytes) -> bool:
        return bool(self.key(key).verify(message, signature[:32], signature[32:]))  # type: ignore[attr-defined]


@pytest.fixture(scope="module", params=[OpenSSL, Botan, Gmsm, Gmalg])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Peer:
    make: Callable[[Path], Peer] = request.param
    return make(tmp_path_factory.mktemp("peer"))


@pytest.fixture(params=USER_IDS, ids=lambda user_id: user_id.decode())
def key(request: pytest.FixtureRequest) -> SM2SigningKey:
    return SM2SigningKey.generate(user_id=request.param)


class SignsThrough:
    """A signing key whose signatures another implementation makes."""

    def __init__(self, peer: Peer, key: SM2SigningKey) -> None:
        self.algorithm, self.kid = key.algorithm, key.kid
        self._peer, self._key = peer, key
        self.verifying_key = key.verifying_key

    def sign(self, message: bytes) -> bytes:
        return self._peer.sign(self._key, message)


def test_our_tokens_verify_there(peer: Peer, key: SM2SigningKey) -> None:
    token = Issuer(key).issue(bytes(range(16)), "330106", purpose="01101")
    _, payload, signature = cut_envelope(token.data)
    message = KeyEntry(key.verifying_key, "issuer").prefix + payload
    assert peer.verify(key, message, signature)
    assert not peer.verify(key, message + b"\0", signature)
    other = SM2SigningKey.generate(user_id=key.user_id)
    assert not peer.verify(other, message, signature)


def test_their_tokens_verify_here(peer: Peer, key: SM2SigningKey) -> None:
    token = Issuer(SignsThrough(peer, key)).issue(bytes(range(16)), "330106", purpose="01101")
    for backend in ("libcrypto", "tables"):
        public = SM2VerifyingKey.from_point(*key.verifying_key.point, user_id=key.user_id, backend=backend)
        voucher = Verifier(KeyRing([KeyEntry(public, "issuer")])).verify(token.text)
        assert voucher.city_code == "330106"
