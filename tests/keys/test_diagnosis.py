"""Mistakes of partners' tools in signing: each is recognised, and a signature that nobody made is unexplained."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from ybtoken import Issuer, KeyEntry
from ybtoken.algorithms import Curve
from ybtoken.keys._der import der_from_raw, raw_from_der
from ybtoken.keys._diagnosis.message import sm3
from ybtoken.keys._reading.numbers import DOMAINS
from ybtoken.keys.diagnosis import diagnose_signature
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.signatures import fields_from_raw, sm2_digest
from ybtoken.keys.sm2 import SM2SigningKey
from ybtoken.wire.envelope import cut_envelope

NUMBER = bytes.fromhex("c93a" + "3a" * 30)
SM2, P256 = SM2SigningKey(NUMBER), P256SigningKey(NUMBER)
OTHER = SM2SigningKey.generate()
PUBLIC = SM2.verifying_key


def sign_e(digest: bytes) -> bytes:
    """Sign 32 bytes with SM2, in plain Python, with the private number of these tests."""
    p, _, n, g = DOMAINS[Curve.SM2]

    def add(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return a or b
        if a[0] == b[0]:
            if (a[1] + b[1]) % p == 0:
                return None
            slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, p)
        else:
            slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, p)
        x = (slope * slope - a[0] - b[0]) % p
        return x, (slope * (a[0] - x) - a[1]) % p

    k, d, point, base = secrets.randbelow(n - 1) + 1, int.from_bytes(NUMBER, "big"), None, g
    for bit in reversed(bin(k)[2:]):
        point = add(point, base) if bit == "1" else point
        base = add(base, base)
    r = (int.from_bytes(digest, "big") + point[0]) % n
    s = pow(1 + d, -1, n) * (k - r * d) % n
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_p256(digest: bytes) -> bytes:
    return raw_from_der(P256._private_key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))


def with_id(user_id: bytes) -> Callable[[bytes], bytes]:
    return lambda m: sign_e(sm2_digest(PUBLIC, m, user_id=user_id))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def za(user_id: bytes, bits: int | None = None) -> bytes:
    curve = b"".join(
        number.to_bytes(32, "big") for number in (DOMAINS[Curve.SM2].p - 3, DOMAINS[Curve.SM2].b, *DOMAINS[Curve.SM2].g)
    )
    length = 8 * len(user_id) if bits is None else bits
    return sm3(length.to_bytes(2, "big") + user_id + curve + b"".join(PUBLIC.point))


MESSAGE = "参保人：张三\n金额：12.50\n".encode()
TOKEN = Issuer(SM2).issue(bytes(range(16)), "330106", purpose="01101")
_HEADER, _PAYLOAD, _ = cut_envelope(TOKEN.data)
STRUCTURE = KeyEntry(PUBLIC, "x").prefix + _PAYLOAD
CLAIMS = cbor2.loads(_PAYLOAD)
R, S = slice(None, 32), slice(32, None)


def through(read: str, written: str) -> bytes:
    return SM2.sign(STRUCTURE.decode(read, "replace").encode(written, "replace"))


def again(header: object) -> bytes:
    return cbor2.dumps(["Signature1", header, b"", CLAIMS])


REORDERED = cbor2.dumps(dict(reversed(list(cbor2.loads(_HEADER).items()))))
SIGNED = SM2.sign(MESSAGE)
# name: (code, message, signature)
WAYS: dict[str, tuple[str, bytes, bytes | str]] = {
    "right": ("good", MESSAGE, SIGNED),
    "Java: Signature SM3withSM2": ("signature.der", MESSAGE, der_from_raw(SIGNED)),
    "Java: hexadecimal of DER": ("signature.hex+signature.der", MESSAGE, der_from_raw(SIGNED).hex().upper()),
    "Java: base64 of DER": ("signature.base64+signature.der", MESSAGE, base64.b64encode(der_from_raw(SIGNED))),
    "JS: hexadecimal": ("signature.hex", MESSAGE, SIGNED.hex()),
    "JS: HEXADECIMAL with 0x": ("signature.hex", MESSAGE, "0x" + SIGNED.hex().upper()),
    "base64": ("signature.base64", MESSAGE, base64.b64encode(SIGNED)),
    "base64url without padding": ("signature.base64", MESSAGE, base64.urlsafe_b64encode(SIGNED).rstrip(b"=")),
    "SDF: fields of 64 bytes": ("signature.fields", MESSAGE, fields_from_raw(SIGNED)),
    "public key behind": ("signature.with-key", MESSAGE, SIGNED + b"".join(PUBLIC.point)),
    "recovery byte behind": ("signature.recovery-id", MESSAGE, SIGNED + b"\x1b"),
    "recovery byte in front": ("signature.recovery-id", MESSAGE, b"\x1b" + SIGNED),
    "s r": ("signature.swapped", MESSAGE, SIGNED[S] + SIGNED[R]),
    "little-endian": ("signature.little-endian", MESSAGE, SIGNED[R][::-1] + SIGNED[S][::-1]),
    "little-endian as a whole": ("signature.little-endian+signature.swapped", MESSAGE, SIGNED[::-1]),
    "DER with negative integers": (
        "signature.der",
        MESSAGE,
        b"\x30\x44\x02\x20" + SIGNED[R] + b"\x02\x20" + SIGNED[S],
    ),
    "DER with leading zeros": (
        "signature.der",
        MESSAGE,
        b"\x30\x48\x02\x22\0\0" + SIGNED[R] + b"\x02\x22\0\0" + SIGNED[S],
    ),
    "Java: BigInteger.toByteArray": ("signature.long", MESSAGE, b"\0" + SIGNED[R] + b"\0" + SIGNED[S]),
    "Java: only s is negative": ("signature.long", MESSAGE, SIGNED[R] + b"\0" + SIGNED[S]),
    "no ZA": ("digest.no-za", MESSAGE, sign_e(sm3(MESSAGE))),
    "empty id": ("digest.user-id", MESSAGE, sign_e(sm3(za(b"") + MESSAGE))),
    "id as hexadecimal text": ("digest.user-id", MESSAGE, with_id(b"31323334353637383132333435363738")(MESSAGE)),
    "id read as hexadecimal": ("digest.user-id", MESSAGE, with_id(bytes.fromhex("1234567812345678"))(MESSAGE)),
    "the standard's example id": ("digest.user-id", MESSAGE, with_id(b"ALICE123@YAHOO.COM")(MESSAGE)),
    "a given id": ("digest.user-id", MESSAGE, with_id(b"hospital-7")(MESSAGE)),
    "id with a zero byte": ("digest.user-id", MESSAGE, with_id(b"1234567812345678\0")(MESSAGE)),
    "the id's length in bytes": ("digest.entl", MESSAGE, sign_e(sm3(za(b"1234567812345678", 16) + MESSAGE))),
    "SHA-256 without ZA": ("digest.sha256+digest.no-za", MESSAGE, sign_e(sha256(MESSAGE))),
    "SHA-256 after ZA": ("digest.sha256", MESSAGE, sign_e(sha256(za(b"1234567812345678") + MESSAGE))),
    "ZA behind": ("digest.za-last", MESSAGE, sign_e(sm3(MESSAGE + za(b"1234567812345678")))),
    "e hashed again": ("digest.twice", MESSAGE, sign_e(sm3(sm2_digest(PUBLIC, MESSAGE)))),
    "e little-endian": ("digest.little-endian", MESSAGE, sign_e(sm2_digest(PUBLIC, MESSAGE)[::-1])),
    "SHA-1": ("digest.other-hash", MESSAGE, sign_e(hashlib.sha1(MESSAGE).digest().rjust(32, b"\0"))),
    "JS: sm-crypto without hash": (
        "digest.none",
        MESSAGE,
        sign_e((int.from_bytes(MESSAGE, "big") % DOMAINS[Curve.SM2].n).to_bytes(32, "big")),
    ),
    "hashed with SM3 beforehand": ("message.hashed-sm3", MESSAGE, SM2.sign(sm3(MESSAGE))),
    "hashed with SHA-256 beforehand": ("message.hashed-sha256", MESSAGE, SM2.sign(sha256(MESSAGE))),
    "SM3 as hexadecimal": ("message.hashed-sm3-hex", MESSAGE, SM2.sign(sm3(MESSAGE).hex().encode())),
    "SM3 as HEXADECIMAL": ("message.hashed-sm3-hex", MESSAGE, SM2.sign(sm3(MESSAGE).hex().upper().encode())),
    "SHA-256 as hexadecimal": ("message.hashed-sha256-hex", MESSAGE, SM2.sign(sha256(MESSAGE).hex().encode())),
    "Go: SM3 twice, no ZA": ("message.hashed-sm3+digest.no-za", MESSAGE, sign_e(sm3(sm3(MESSAGE)))),
    "message as hexadecimal": ("message.hex", MESSAGE, SM2.sign(MESSAGE.hex().encode())),
    "message as base64": ("message.base64", MESSAGE, SM2.sign(base64.b64encode(MESSAGE))),
    "CRLF": ("message.line-ends", MESSAGE, SM2.sign(MESSAGE.replace(b"\n", b"\r\n"))),
    "a line end behind": ("message.line-ends", MESSAGE, SM2.sign(MESSAGE + b"\n")),
    "a zero byte behind": ("message.line-ends", MESSAGE, SM2.sign(MESSAGE + b"\0")),
    "the last line end removed": ("message.line-ends", MESSAGE, SM2.sign(MESSAGE.strip())),
    "GBK": ("message.charset", MESSAGE, SM2.sign(MESSAGE.decode().encode("gbk"))),
    "UTF-16": ("message.charset", MESSAGE, SM2.sign(MESSAGE.decode().encode("utf-16-le"))),
    "UTF-8 with BOM": ("message.bom", MESSAGE, SM2.sign(b"\xef\xbb\xbf" + MESSAGE)),
    "C#: bytes through ASCII": ("message.charset", STRUCTURE, through("ascii", "ascii")),
    "Java: bytes through a string": ("message.charset", STRUCTURE, through("utf-8", "utf-8")),
    "JS: binary string as UTF-8": ("message.charset", STRUCTURE, through("latin-1", "utf-8")),
    "python-cwt: kid before alg": ("message.label-order", STRUCTURE, SM2.sign(again(REORDERED))),
    "payload only": ("message.payload-only", STRUCTURE, SM2.sign(CLAIMS)),
    "header without kid": ("message.header", STRUCTURE, SM2.sign(again(cbor2.dumps({1: -65537})))),
    "kid as text": (
        "message.header",
        STRUCTURE,
        SM2.sign(again(cbor2.dumps(cbor2.loads(_HEADER) | {4: SM2.kid.hex()}))),
    ),
    "header empty": ("message.header", STRUCTURE, SM2.sign(again(b""))),
    "header as a map": ("message.structure", STRUCTURE, SM2.sign(again(cbor2.loads(_HEADER)))),
    "DER, no ZA": ("signature.der+digest.no-za", MESSAGE, der_from_raw(sign_e(sm3(MESSAGE)))),
    "DER, hashed beforehand": ("signature.der+message.hashed-sm3", MESSAGE, der_from_raw(SM2.sign(sm3(MESSAGE)))),
    "hexadecimal, given id": ("signature.hex+digest.user-id", MESSAGE, with_id(b"hospital-7")(MESSAGE).hex()),
    "another key": ("key.another", MESSAGE, OTHER.sign(MESSAGE)),
    "another key, DER": ("key.another+signature.der", MESSAGE, der_from_raw(OTHER.sign(MESSAGE))),
    "another message": ("unexplained", MESSAGE, SM2.sign(b"another message")),
    "forged": ("unexplained", MESSAGE, bytes(range(1, 65))),
    "damaged": ("unexplained", MESSAGE, SIGNED[:-1] + bytes([SIGNED[-1] ^ 1])),
    "nothing": ("unexplained", MESSAGE, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_way_of_signing_is_named(name: str) -> None:
    code, message, signature = WAYS[name]
    found = diagnose_signature(
        PUBLIC, message, signature, user_ids=[b"hospital-7"], others=[P256.verifying_key, OTHER.verifying_key]
    )
    assert found.code == code
    assert found.good == (code == "good")
    assert found.what.en.startswith("Nothing that was tried") == (code == "unexplained")
    assert (found.what.en == "The signature is good.") == found.good
    assert found.what.zh
    assert found.remedy.zh or found.good


P256_WAYS: dict[str, tuple[str, bytes, bytes | str]] = {
    "right": ("good", MESSAGE, P256.sign(MESSAGE)),
    "DER": ("signature.der", MESSAGE, der_from_raw(P256.sign(MESSAGE))),
    "SM3": ("digest.sm3", MESSAGE, sign_p256(sm3(MESSAGE))),
    "hashed beforehand": ("digest.twice", MESSAGE, P256.sign(sha256(MESSAGE))),
    "hashed as hexadecimal": ("message.hashed-sha256-hex", MESSAGE, P256.sign(sha256(MESSAGE).hex().encode())),
    "SHA-512": ("digest.other-hash", MESSAGE, sign_p256(hashlib.sha512(MESSAGE).digest()[:32])),
    "not hashed": ("digest.none", MESSAGE, sign_p256(MESSAGE[:32])),
    "CRLF": ("message.line-ends", MESSAGE, P256.sign(MESSAGE.replace(b"\n", b"\r\n"))),
    "SM2": ("key.another", MESSAGE, SM2.sign(MESSAGE)),
    "forged": ("unexplained", MESSAGE, bytes(64)),
}


@pytest.mark.parametrize("name", P256_WAYS)
def test_a_way_of_signing_with_p256_is_named(name: str) -> None:
    code, message, signature = P256_WAYS[name]
    assert diagnose_signature(P256.verifying_key, message, signature, others=[PUBLIC]).code == code


def test_dropped_zeros_are_named() -> None:
    signature = next(s for s in (SM2.sign(MESSAGE) for _ in range(20_000)) if not s[0] or not s[32])
    bare = signature[R].lstrip(b"\0") + signature[S].lstrip(b"\0")
    assert diagnose_signature(PUBLIC, MESSAGE, bare).code == "signature.short"


def test_an_id_that_sm2_cannot_have_is_passed_over() -> None:
    longest = b"x" * 8191
    signature = with_id(longest)(MESSAGE)
    assert diagnose_signature(PUBLIC, MESSAGE, signature, user_ids=[longest + b"x", longest]).code == "digest.user-id"


def test_misuse_is_a_type_error() -> None:
    for message, signature in (("text", bytes(64)), (b"m", 7)):
        with pytest.raises(TypeError, match=r"a (message|signature) is bytes"):
            diagnose_signature(PUBLIC, message, signature)  # type: ignore[arg-type]
