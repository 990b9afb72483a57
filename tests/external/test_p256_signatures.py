"""Signatures from other projects, verified by `P256VerifyingKey`: valid ones are accepted, and all others refused.

Vectors that start from a message go the whole way. Vectors that start from a digest cannot, because a key takes
content. For those the hash, and nothing else, is removed from the same code path.
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from tests.external import outside
from ybtoken.errors import SignatureError
from ybtoken.keys import p256
from ybtoken.keys.p256 import P256VerifyingKey


def verifies(key: P256VerifyingKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(message, signature)
    except SignatureError:
        return False
    return True


def raw(der: bytes) -> bytes | None:
    """r || s of a signature in strict DER; ``None`` for any but its one encoding, or for numbers that do not fit."""
    try:
        r, s = decode_dss_signature(der)
    except ValueError:
        return None
    if encode_dss_signature(r, s) != der or not (0 <= r < 1 << 256 and 0 <= s < 1 << 256):
        return None
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def key_of(group: dict[str, Any]) -> P256VerifyingKey:
    key = P256VerifyingKey.from_pem(group["publicKeyPem"].encode())
    point = bytes.fromhex(group["publicKey"]["uncompressed"])
    assert key.point == (point[1:33], point[33:])
    return key


@pytest.fixture
def digests(monkeypatch):
    """Remove the hash from the backend, so that the message is the digest."""
    monkeypatch.setattr(p256, "_ECDSA", ec.ECDSA(Prehashed(hashes.SHA256())))


def digest32(digest: bytes) -> bytes:
    """The number that ECDSA on P-256 makes of a digest of another length (FIPS 186-5 section 6.4)."""
    return digest[:32].rjust(32, b"\0")


def wrong(verdicts: list[tuple[Any, bool, bool]]) -> list[Any]:
    return [name for name, verified, valid in verdicts if verified is not valid]


def test_wycheproof_p1363():
    verdicts = [
        (test["tcId"], verifies(key_of(group), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])),
         test["result"] == "valid")
        for group, test in outside.wycheproof("ecdsa_secp256r1_sha256_p1363")
    ]  # fmt: skip
    assert not wrong(verdicts)
    assert (len(verdicts), sum(valid for *_, valid in verdicts)) == (262, 173)


def test_wycheproof_der():
    """The format has no DER; after strict conversion every verdict is the same."""
    verdicts = []
    for group, test in outside.wycheproof("ecdsa_secp256r1_sha256"):
        signature = raw(bytes.fromhex(test["sig"]))
        verified = signature is not None and verifies(key_of(group), bytes.fromhex(test["msg"]), signature)
        verdicts.append((test["tcId"], verified, test["result"] == "valid"))
    assert not wrong(verdicts)
    assert (len(verdicts), sum(valid for *_, valid in verdicts)) == (484, 174)


def test_a_signature_in_der_is_no_signature():
    taken = [
        test["tcId"]
        for group, test in outside.wycheproof("ecdsa_secp256r1_sha256")
        if verifies(key_of(group), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
    ]
    assert taken == []


@pytest.mark.parametrize(("name", "count"), [("ecdsa_secp256r1_sha512_p1363", 332), ("ecdsa_secp256r1_sha512", 554)])
def test_a_signature_over_another_hash_is_refused(name, count):
    """ES256 uses SHA-256, so a signature that is good with SHA-512 must be refused."""
    verdicts = []
    for group, test in outside.wycheproof(name):
        signature = bytes.fromhex(test["sig"]) if "p1363" in name else raw(bytes.fromhex(test["sig"]))
        if signature is not None:
            verdicts.append((test["tcId"], verifies(key_of(group), bytes.fromhex(test["msg"]), signature), False))
    assert not wrong(verdicts)
    assert count / 2 < len(verdicts) <= count


@pytest.mark.parametrize(
    ("name", "section", "counts"),
    [
        ("nist-fips186/SigVer.rsp", "P-256,SHA-256", (15, 3)),
        *(("nist-fips186/SigVer.rsp", f"P-256,SHA-{n}", (15, 0)) for n in (1, 224, 384, 512)),
        ("nist-fips186/186-2/SigVer.rsp", "P-256", (15, 0)),
    ],
)  # fmt: skip
def test_nist_sigver(name, section, counts):
    """Signatures with other hash functions, such as SHA-1 in the older file, are all refused."""
    verdicts = []
    for record in outside.rsp(name, section):
        key = P256VerifyingKey.from_point(outside.fixed(record["Qx"]), outside.fixed(record["Qy"]))
        signature = outside.fixed(record["R"]) + outside.fixed(record["S"])
        valid = record["Result"].startswith("P") and section.endswith("SHA-256")
        verdicts.append((record, verifies(key, bytes.fromhex(record["Msg"]), signature), valid))
    assert not wrong(verdicts)
    assert (len(verdicts), sum(valid for *_, valid in verdicts)) == counts


def test_nist_siggen():
    verdicts = []
    for record in outside.rsp("nist-fips186/SigGen.txt", "P-256,SHA-256"):
        key = P256VerifyingKey.from_point(outside.fixed(record["Qx"]), outside.fixed(record["Qy"]))
        signature = outside.fixed(record["R"]) + outside.fixed(record["S"])
        verdicts.append((record, verifies(key, bytes.fromhex(record["Msg"]), signature), True))
    assert not wrong(verdicts)
    assert len(verdicts) == 15


@pytest.mark.usefixtures("digests")
@pytest.mark.parametrize(
    ("name", "count"), [("boringssl/ecdsa_verify_tests.txt", 85), ("boringssl/ecdsa_sign_tests.txt", 62)]
)
def test_boringssl(name, count):
    """Digests. Numbers that do not fit into 32 bytes have no r || s, and so no signature; all of those are invalid."""
    verdicts = []
    for record in outside.stanzas(name):
        if record.get("Curve") != "P-256":
            continue
        key_pair = ec.derive_private_key(int(record["Private"], 16), ec.SECP256R1()) if "Private" in record else None
        key = (
            P256VerifyingKey.from_cryptography(key_pair.public_key())
            if key_pair
            else P256VerifyingKey.from_point(outside.fixed(record["X"]), outside.fixed(record["Y"]))
        )
        try:
            signature = outside.fixed(record["R"]) + outside.fixed(record["S"])
        except OverflowError:
            signature = b""
        digest = digest32(bytes.fromhex(record["Digest"]))
        verdicts.append((record, verifies(key, digest, signature), "Invalid" not in record))
    assert not wrong(verdicts)
    assert len(verdicts) == count


@pytest.mark.usefixtures("digests")
def test_botan():
    """Raw input in place of a digest."""
    verdicts = []
    for record in outside.stanzas("botan/ecdsa_verify.vec"):
        if record.get("Group") == "secp256r1":
            key = P256VerifyingKey.from_point(outside.fixed(record["Px"]), outside.fixed(record["Py"]))
            signature = bytes.fromhex(record["Signature"])
            verdicts.append((record, verifies(key, digest32(bytes.fromhex(record["Msg"])), signature), True))
    assert not wrong(verdicts)
    assert len(verdicts) == 10


@pytest.mark.usefixtures("digests")
def test_edge_cases():
    """Digests, with scalars that reach every unusual branch of point arithmetic."""
    tests = outside.from_json("edge/p256_edge_digest.json")["tests"]
    verdicts, bad_keys = [], 0
    for test in tests:
        point = bytes.fromhex(test["pub_hex"])
        try:
            if point[0] != 4:
                raise ValueError("a key takes the coordinates of an uncompressed point")
            key = P256VerifyingKey.from_point(point[1:33], point[33:])
        except ValueError:  # some are about the key: refused when it is loaded
            bad_keys += 1
            verdicts.append((test["id"], False, test["valid"]))
            continue
        digest, signature = bytes.fromhex(test["digest_hex"]), bytes.fromhex(test["sig_raw_hex"])
        verdicts.append((test["id"], verifies(key, digest, signature), test["valid"]))
    assert not wrong(verdicts)
    assert 0 < bad_keys <= 11
    assert (len(verdicts), sum(valid for *_, valid in verdicts)) == (583, 490)
