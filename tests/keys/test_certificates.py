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

from ybtoken.keys._reading import der
from ybtoken.keys.certificates import read_certified_key
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.reading import KeyReadError, read_private_key, read_public_key
from ybtoken.keys.sm2 import SM2VerifyingKey

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = int(START.timestamp()) + 86400
ENCODING = serialization.Encoding


def certificate(
    name: str,
    key: Any,
    issuer: str,
    by: Any,
    *,
    ca: bool = False,
    below: int | None = None,
    days: int = 365,
    usage: str = "",
    purposes: tuple[str, ...] = (),
    critical: bool = True,
) -> Any:
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=below), critical=True)
    )
    if usage:
        named = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
        made = made.add_extension(x509.KeyUsage(**{each: each == usage for each in named}), critical=True)
    if purposes:
        made = made.add_extension(x509.ExtendedKeyUsage(map(x509.ObjectIdentifier, purposes)), critical=critical)
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
    plain = x509.load_pem_x509_certificate(LEAF).public_bytes(ENCODING.DER)
    for spelling in (plain, plain.hex(), LEAF.decode(), b"words\n" + LEAF):
        assert read_public_key(spelling).point == read.point
    with pytest.raises(KeyReadError, match="this is a certificate, and a private key is wanted"):
        read_private_key(LEAF)
    with pytest.raises(KeyReadError, match="this is a certificate, and a private key is wanted"):
        read_private_key(plain)


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


@pytest.mark.parametrize("below", [None, 0, 1])
def test_a_ca_has_no_more_cas_below_it_than_it_may(below: int | None) -> None:
    upper, again = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    top = certificate("upper", upper, "root", ROOT, ca=True, below=below)
    new_key = certificate("upper", again, "upper", upper, ca=True, below=0)  # the same CA: it is not counted
    holder = certificate("holder", HOLDER, "middle", MIDDLE)
    direct = certificate("holder", HOLDER, "upper", again)
    read_certified_key(direct + new_key + top, anchors=[ANCHOR], now=NOW)
    read_certified_key(certificate("middle", MIDDLE, "upper", upper, ca=True) + top, anchors=[ANCHOR], now=NOW)
    chain = holder + certificate("middle", MIDDLE, "upper", upper, ca=True, below=0) + top
    if below == 0:
        with pytest.raises(KeyReadError, match="may have 0 CAs below it, and has 1") as refused:
            read_certified_key(chain, anchors=[ANCHOR], now=NOW)
        assert refused.value.code == "key.chain"
    else:
        read_certified_key(chain, anchors=[ANCHOR], now=NOW)


def test_a_certificate_for_other_purposes_only_is_refused() -> None:
    server, anything = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
    for purposes, critical in (((server,), False), ((server, anything), True), ((anything,), True)):
        leaf = certificate("holder", HOLDER, "root", ROOT, purposes=purposes, critical=critical)
        read_certified_key(leaf, anchors=[ANCHOR], now=NOW)
    leaf = certificate("holder", HOLDER, "root", ROOT, purposes=(server,))
    middle = certificate("middle", MIDDLE, "root", ROOT, ca=True, purposes=(server,))
    for text in (leaf, LEAF + middle):
        with pytest.raises(KeyReadError, match=r"for other purposes only: TLS server \(1\.3\.6") as refused:
            read_certified_key(text, anchors=[ANCHOR], now=NOW)
        assert refused.value.code == "key.chain"
    assert read_public_key(leaf).point == read_public_key(LEAF).point


@pytest.mark.parametrize("count", [0, 1, 64, 65])
def test_a_certificate_is_for_1_to_64_purposes(count: int) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    made = x509.CertificateBuilder(name, name, HOLDER.public_key(), 1, START, START + timedelta(days=1))
    purposes = der.encode(der.SEQUENCE, *(der.encode_oid(f"1.2.3.{number}") for number in range(count)))
    made = made.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.37"), purposes), critical=True)
    text = made.sign(HOLDER, hashes.SHA256()).public_bytes(ENCODING.PEM)
    if count in (1, 64):
        read_public_key(text)
    else:
        with pytest.raises(KeyReadError, match="for no purpose, or for more than 64"):
            read_public_key(text)


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
