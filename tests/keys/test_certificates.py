"""Keys in certificates: the key and its period are read; a chain is only checked against given anchors."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ybtoken.keys.certificates import read_certified_key
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.reading import KeyReadError, read_private_key, read_public_key
from ybtoken.keys.sm2 import SM2VerifyingKey

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = int(START.timestamp()) + 86400
ENCODING = serialization.Encoding


def certificate(
    name: str, key: Any, issuer: str, by: Any, *, ca: bool = False, days: int = 365, usage: str = ""
) -> Any:
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage:
        named = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
        made = made.add_extension(x509.KeyUsage(**{each: each == usage for each in named}), critical=True)
    return made.sign(by, hashes.SHA256()).public_bytes(ENCODING.PEM)


ROOT, MIDDLE, HOLDER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
ANCHOR = P256SigningKey.from_cryptography(ROOT).verifying_key
OTHER = P256SigningKey.generate().verifying_key
HOLDER_KID = P256SigningKey.from_cryptography(HOLDER).kid
MIDDLE_PEM = certificate("middle", MIDDLE, "root", ROOT, ca=True)
LEAF = certificate("holder", HOLDER, "middle", MIDDLE)


def test_a_certificate_gives_its_key_and_its_period() -> None:
    read = read_public_key(LEAF)
    assert read.spelling.en == "P-256 public key: X.509 certificate, in PEM"
    assert (read.not_before, read.not_after) == (int(START.timestamp()), int(START.timestamp()) + 365 * 86400 + 1)
    der = x509.load_pem_x509_certificate(LEAF).public_bytes(ENCODING.DER)
    for spelling in (der, der.hex(), LEAF.decode(), b"words\n" + LEAF):
        assert read_public_key(spelling).point == read.point
    with pytest.raises(KeyReadError, match="this is a certificate, and a private key is wanted"):
        read_private_key(LEAF)


@pytest.mark.parametrize("count", [64, 65])
def test_a_certificate_has_at_most_64_extensions(count: int) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    made = x509.CertificateBuilder(name, name, HOLDER.public_key(), 1, START, START + timedelta(days=1))
    for number in range(count):
        oid = x509.ObjectIdentifier(f"1.2.3.{number}")
        made = made.add_extension(x509.UnrecognizedExtension(oid, b""), critical=False)
    text = made.sign(HOLDER, hashes.SHA256()).public_bytes(ENCODING.PEM)
    if count == 64:
        read_public_key(text)
    else:
        with pytest.raises(KeyReadError, match="more than 64 extensions"):
            read_public_key(text)


def test_of_a_chain_the_holders_certificate_is_read_whatever_the_order() -> None:
    point = read_public_key(LEAF).point
    for text in (LEAF + MIDDLE_PEM, MIDDLE_PEM + LEAF):
        assert read_public_key(text).point == point
    with pytest.raises(KeyReadError) as refused:
        read_public_key(LEAF + certificate("another", ROOT, "root", ROOT))
    assert refused.value.code == "key.ambiguous"


def test_of_a_pair_the_certificate_for_signatures_is_read() -> None:
    signs = certificate("holder", HOLDER, "root", ROOT, usage="digital_signature")
    encrypts = certificate("holder", MIDDLE, "root", ROOT, usage="key_encipherment")
    assert read_public_key(encrypts + signs).point == read_public_key(LEAF).point
    with pytest.raises(KeyReadError, match="certificate for encryption"):
        read_public_key(encrypts)


def test_a_chain_leads_to_an_anchor() -> None:
    for text, anchors in ((LEAF + MIDDLE_PEM, [OTHER, ANCHOR]), (MIDDLE_PEM + LEAF, [ANCHOR]), (MIDDLE_PEM, [ANCHOR])):
        read_certified_key(text, anchors=anchors, now=NOW)
    middle_key = P256SigningKey.from_cryptography(MIDDLE).verifying_key
    assert read_certified_key(LEAF, anchors=[middle_key], now=NOW).point == read_public_key(LEAF).point


def test_a_chain_that_leads_nowhere_is_refused() -> None:
    no_ca = certificate("middle", MIDDLE, "root", ROOT)
    ended = certificate("middle", MIDDLE, "root", ROOT, ca=True, days=1)
    forged = certificate("holder", HOLDER, "middle", HOLDER)
    for text, anchors, words in (
        (LEAF, [ANCHOR], "no anchor"),
        (LEAF + MIDDLE_PEM, [OTHER], "no anchor"),
        (LEAF + MIDDLE_PEM, [], "no anchor"),
        (LEAF + no_ca, [ANCHOR], "no CA"),
        (LEAF + ended, [ANCHOR], "has ended"),
        (forged + MIDDLE_PEM, [ANCHOR], "no anchor"),
        (ANCHOR.to_pem(), [ANCHOR], "there is no certificate"),
    ):
        with pytest.raises(KeyReadError, match=words) as refused:
            read_certified_key(text, anchors=anchors, now=NOW + 86400)
        assert refused.value.code == "key.chain"


def test_an_sm2_certificate_of_openssl_is_read_and_confirmed(tmp_path: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "sm2", "-nodes", "-keyout", "key.pem", "-out", "c.pem", "-subj",
        "/CN=x", "-sm3", "-sigopt", "distid:1234567812345678", "-days", "30"]  # fmt: skip
    try:
        made = subprocess.run(command, cwd=tmp_path, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl command line here")
    if made.returncode:
        command[3:4] = ["ec", "-pkeyopt", "ec_paramgen_curve:sm2"]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "c.pem").read_bytes()
    key = SM2VerifyingKey.from_pem(text)
    now = read_public_key(text).not_before + 1
    assert read_certified_key(text, anchors=[key], now=now).point == b"\x04" + b"".join(key.point)
    with pytest.raises(KeyReadError, match="no anchor"):
        read_certified_key(text, anchors=[OTHER], now=now)
