"""Keys and signatures as other makers' tools write them: each spelling is read, or refused by its name.

OpenSSL's are in `test_key_spellings`, and those of PKCS#11 tokens in `tests/devices`.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ybtoken.algorithms import Curve
from ybtoken.keys.diagnosis import diagnose_signature
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.reading import KeyReadError, read_private_key, read_public_key
from ybtoken.keys.signatures import raw_from_der
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey

INTEROP = Path(__file__).parents[2] / "interop"
PASSPHRASE = b"demo1234"


class Written(NamedTuple):
    curve: Curve
    kind: str
    name: str
    data: bytes


def prepared(name: str) -> list[str]:
    spec = importlib.util.spec_from_file_location("prepare", INTEROP / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    make: Callable[[], list[str]] = getattr(prepare, name)
    return make()


def lines(said: str) -> list[Written]:
    fields = [line.split(" ") for line in said.splitlines() if line]
    return [Written(Curve[curve], kind, name, base64.b64decode(data)) for curve, kind, name, data in fields]


def bouncy_castle(folder: Path) -> list[Written]:
    return lines(subprocess.run(prepared("java_keys"), check=True, capture_output=True, text=True).stdout)


def sm_crypto(folder: Path) -> list[Written]:
    return lines(subprocess.run(prepared("node_keys"), check=True, capture_output=True, text=True).stdout)


def gmsm(folder: Path) -> list[Written]:
    build = ["go", "build", "-o", str(folder / "gmsm"), "."]
    subprocess.run(build, cwd=INTEROP / "gmsm", check=True, capture_output=True, text=True)
    run = subprocess.run([str(folder / "gmsm")], input="keys\n", check=True, capture_output=True, text=True)
    return lines(run.stdout)


def gmalg(folder: Path) -> list[Written]:
    made = pytest.importorskip("gmalg", reason="no gmalg")
    number = b""
    while len(number) != 32:  # it leaves out leading zeros, and a key of 31 bytes is refused
        number, point = made.SM2().generate_keypair()
    spelled = {("private", "sk"): number, ("public", "pk"): point}
    return [Written(Curve.SM2, kind, name, data) for (kind, name), data in spelled.items()]


def gmssl(folder: Path) -> list[Written]:
    sm2 = pytest.importorskip("gmssl.sm2", reason="no gmssl")
    number = f"{int.from_bytes(os.urandom(31), 'big') + 1:064x}"
    crypt = sm2.CryptSM2(private_key=number, public_key="")
    public = crypt._kg(int(number, 16), sm2.default_ecc_table["g"])  # 128 digits, without 04
    crypt.public_key = public
    spelled = {
        ("private", "private_key"): number,
        ("public", "public_key"): public,
        ("signature.hex", "sign_with_sm3"): crypt.sign_with_sm3(b"MESSAGE"),
    }
    return [Written(Curve.SM2, kind, name, data.encode()) for (kind, name), data in spelled.items()]


MAKERS = {"BouncyCastle": bouncy_castle, "sm-crypto": sm_crypto, "gmsm": gmsm, "gmalg": gmalg, "gmssl": gmssl}


@pytest.fixture(scope="module", params=MAKERS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    try:
        return MAKERS[request.param](tmp_path_factory.mktemp("maker"))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"{request.param} cannot be made ready: {error} {getattr(error, 'stderr', '')}")


def test_every_spelling_of_a_key_is_read_and_is_the_same_key(written: list[Written]) -> None:
    assert {"private", "public"} <= {each.kind for each in written}
    for curve in {each.curve for each in written}:
        kind = {Curve.SM2: SM2SigningKey, Curve.P256: P256SigningKey}[curve]
        key = next(
            kind(read_private_key(each.data, curve=curve).number)
            for each in written
            if (each.curve, each.kind) == (curve, "private")
        )
        point = b"\x04" + b"".join(key.verifying_key.point)
        for each in written:
            if each.curve is not curve:
                continue
            if each.kind in ("private", "sealed"):
                passphrase = PASSPHRASE if each.kind == "sealed" else None
                found = read_private_key(each.data, passphrase=passphrase, curve=curve)
                assert kind(found.number).kid == key.kid, each.name
            if each.kind == "sealed":
                with pytest.raises(KeyReadError) as refused:
                    read_private_key(each.data, passphrase=b"wrong", curve=curve)
                assert refused.value.code == "key.passphrase-wrong", each.name
            if each.kind in ("public", "compressed"):
                assert read_public_key(each.data, curve=curve).point == point, each.name
            if each.kind in ("private", "sealed"):
                with pytest.raises(KeyReadError):
                    read_public_key(each.data, curve=curve)


def test_every_way_of_signing_is_named(written: list[Written]) -> None:
    ways = [each for each in written if each.kind.startswith("signature")]
    if not ways:
        return  # this maker's signatures are tried in test_sm2, or it only writes keys
    public = next(read_public_key(each.data, curve=Curve.SM2) for each in written if each.kind == "public")
    key = SM2SigningKey.generate().verifying_key.__class__(public.point)
    for each in ways:
        assert diagnose_signature(key, b"MESSAGE", each.data, user_ids=[b"hospital-7"]).code == each.kind, each.name


@pytest.fixture
def real_gmssl() -> Any:
    """GmSSL 3's own library, as its wheel for Python carries it."""
    pytest.importorskip("easy_gmssl", reason="no easy-gmssl")
    return pytest.importorskip("easy_gmssl.gmssl")


def test_gmssl_3_reads_our_encrypted_key_and_we_read_its_own(real_gmssl: Any, tmp_path: Path) -> None:
    ours, theirs, public = (str(tmp_path / name) for name in ("ours.pem", "theirs.pem", "public.pem"))
    key = SM2SigningKey.generate()
    Path(ours).write_bytes(key.to_pem(passphrase=b"demo1234", cipher="sm4"))
    read = real_gmssl.Sm2Key()
    read.import_encrypted_private_key_info_pem(ours, "demo1234")
    assert (bytes(read.public_key.x), bytes(read.public_key.y)) == key.verifying_key.point

    made = real_gmssl.Sm2Key()
    made.generate_key()
    made.export_encrypted_private_key_info_pem(theirs, "demo1234")
    made.export_public_key_info_pem(public)
    point = bytes(made.public_key.x), bytes(made.public_key.y)
    assert SM2SigningKey.from_pem(Path(theirs).read_bytes(), passphrase=b"demo1234").verifying_key.point == point
    assert SM2VerifyingKey.from_pem(Path(public).read_bytes()).point == point
    with pytest.raises(ValueError, match="passphrase"):
        SM2SigningKey.from_pem(Path(theirs).read_bytes(), passphrase=b"demo12345")


def test_a_signature_of_gmssl_3_is_good_once_it_is_r_and_s(real_gmssl: Any) -> None:
    made = real_gmssl.Sm2Key()
    made.generate_key()
    signing = real_gmssl.Sm2Signature(made, "1234567812345678", real_gmssl.DO_SIGN)
    signing.update(b"message")
    key = SM2VerifyingKey.from_point(bytes(made.public_key.x), bytes(made.public_key.y))
    key.verify(b"message", raw_from_der(signing.sign()))
