"""Public keys from other projects: good points are accepted; all others, and other curves, are refused at load."""

from __future__ import annotations

import json
import re

import pytest

from tests.external import outside
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey


def loads(x: str, y: str) -> bool:
    try:
        P256VerifyingKey.from_point(outside.fixed(x), outside.fixed(y))
    except (ValueError, OverflowError):  # the latter for a coordinate that does not fit 32 bytes
        return False
    return True


def test_wycheproof_points():
    """Only uncompressed points, because a compressed point has no y, and the constructor takes both coordinates."""
    tests = [test for _, test in outside.wycheproof("ecdh_secp256r1_ecpoint")]
    taken = {"valid": 0, "invalid": 0}
    for test in tests:
        point = bytes.fromhex(test["public"])
        try:
            if point[:1] != b"\x04":
                raise ValueError("compressed or empty")
            key = P256VerifyingKey.from_point(point[1:33], point[33:])
        except ValueError:
            assert test["result"] != "valid", test
            continue
        assert b"\x04" + b"".join(key.point) == point
        taken[test["result"]] += 1
    assert taken == {"valid": 330, "invalid": 0}
    assert len(tests) == 355


@pytest.mark.parametrize("name", ["nist-fips186/PKV.rsp", "nist-fips186/186-2/PKV.rsp"])
def test_nist_public_key_validation(name):
    records = list(outside.rsp(name, "P-256"))
    assert [loads(record["Qx"], record["Qy"]) for record in records] == [
        record["Result"].startswith("P") for record in records
    ]
    assert len(records) == 12


def test_nist_key_pairs():
    sections = outside.path("nist-fips186/KeyPair.rsp").read_text().split("\n[P-256]\n")
    pairs = re.findall(r"^d = (\w+)\s+Qx = (\w+)\s+Qy = (\w+)", sections[1].split("\n[P-384]\n")[0], re.MULTILINE)
    for d, x, y in pairs:
        key = P256SigningKey(int(d, 16).to_bytes(32, "big"))
        assert key.verifying_key.point == (outside.fixed(x), outside.fixed(y))
    assert len(pairs) == 10


def test_botan_invalid_keys():
    records = list(outside.stanzas("botan/ecdsa_invalid.vec", head="Group", keep="secp256r1"))
    whole = [record for record in records if "InvalidKeyY" in record]  # the file breaks off within one
    assert not any(loads(record["InvalidKeyX"], record["InvalidKeyY"]) for record in whole)
    assert len(whole) == 15


@pytest.mark.parametrize("curve", ["secp256k1", "brainpoolP256r1"])
def test_keys_of_other_curves_are_refused_at_load(curve):
    """They are refused by their encoding, and by their coordinates, which are not on P-256."""
    groups = {}
    for group, _ in outside.wycheproof(f"ecdsa_{curve}_sha256_p1363"):
        groups[group["publicKeyDer"]] = group
    assert len(groups) > 90
    for group in groups.values():
        with pytest.raises(ValueError):
            P256VerifyingKey.from_pem(group["publicKeyPem"].encode())
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        with pytest.raises(ValueError):
            P256VerifyingKey.from_point(point[1:33], point[33:])
        jwk = group.get("publicKeyJwk")
        if jwk:
            for crv in (jwk["crv"], "P-256"):
                members = {k: jwk[k] for k in ("kty", "x", "y")} | {"crv": crv, "alg": "ES256", "yb_issuer": "x"}
                with pytest.raises(ValueError):
                    load_jwks(json.dumps({"keys": [members]}))


def test_wycheproof_keys_are_loaded_from_jwk():
    groups = [group for group, _ in outside.wycheproof("ecdsa_secp256r1_sha256_p1363") if "publicKeyJwk" in group]
    assert len(groups) > 100
    for group in groups:
        jwk = group["publicKeyJwk"]
        members = {k: jwk[k] for k in ("kty", "crv", "x", "y")} | {"alg": "ES256", "yb_issuer": "Zhejiang"}
        ring = load_jwks(json.dumps({"keys": [members]}))
        assert ring.entries[0].kid == P256VerifyingKey.from_pem(group["publicKeyPem"].encode()).kid
