"""Steps 2 and 3: the envelope and the protected header (Spec 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import KEY_A, bstr, case, head, nint, payload, refused, text, token, tstr, uint

ABOUT = "Step 2: the envelope has one shape and one encoding. Every signature here is good for what it covers."


def _indefinite(major: int, inner: bytes) -> bytes:
    return bytes([major << 5 | 31]) + inner + b"\xff"


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    claims = payload()
    good = token()
    kid = b"\x04" + bstr(KEY_A.kid)
    signature = good[-64:]
    for name, why, data in (
        # the tag and the array
        ("no-tag", "COSE_Sign1 without its tag", good[1:]),
        ("tag-17", "the tag of COSE_Mac0", token(tag=b"\xd1")),
        ("tag-98", "the tag of COSE_Sign", token(tag=b"\xd8\x62")),
        ("tag-long", "tag 18 in two bytes", token(tag=b"\xd8\x12")),
        ("tag-twice", "tag 18 twice", token(tag=b"\xd2\xd2")),
        ("tag-cwt", "the CWT tag 61 outside", token(tag=b"\xd8\x3d\xd2")),
        ("tag-self-described", "the self-described CBOR tag outside", token(tag=b"\xd9\xd9\xf7\xd2")),
        ("array-3", "an array of 3: the payload is left out", token(array=b"\x83", payload=b"")),
        ("array-3-head", "an array that says 3 and holds 4", token(array=b"\x83")),
        ("array-5", "an array of 5: null follows the signature", token(array=b"\x85", end=b"\xf6")),
        ("array-long", "the array's length in two bytes", token(array=head(4, 4, 1))),
        ("array-indefinite", "an array of indefinite length", token(array=b"\x9f", end=b"\xff")),
        ("bstr-wrapped", "the token inside a byte string", bstr(good)),
        ("trailing-zero", "a zero byte after the token", token(end=b"\x00")),
        ("trailing-null", "another item after the token", token(end=b"\xf6")),
        ("trailing-token", "the token twice", good + good),
        ("leading-zero", "a zero byte before the token", b"\x00" + good),
        ("truncated", "the last byte is missing", good[:-1]),
        ("truncated-half", "the second half is missing", good[: len(good) // 2]),
        ("one-byte", "one byte, a tag without content", good[:1]),
        ("zeros", "137 zero bytes", bytes(len(good))),
        # the protected header's byte string
        ("protected-map", "the protected header is a map, not a byte string", token(protected=KEY_A.header())),
        ("protected-empty", "the protected header is empty", token(header=b"")),
        ("protected-empty-map", "the protected header is an empty map", token(header=b"\xa0")),
        ("protected-long", "the protected header's length in two bytes", token(protected=bstr(KEY_A.header(), 1))),
        ("protected-indefinite", "the protected header in chunks", token(protected=_indefinite(2, bstr(KEY_A.header())))),
        ("protected-text", "the protected header is a text string", token(protected=head(3, 13) + KEY_A.header())),
        # the protected header
        ("header-order", "kid before alg", token(header=b"\xa2" + kid + b"\x01\x26")),
        ("header-no-kid", "alg alone", token(header=b"\xa1\x01\x26")),
        ("header-no-alg", "kid alone", token(header=b"\xa1" + kid)),
        ("header-content-type", "a content type besides", token(header=b"\xa3\x01\x26\x03\x18\x3d" + kid)),
        ("header-17-bytes", "another label besides, of the length that an SM2 header has",
         token(header=b"\xa3\x01\x26" + kid + b"\x05\x42\x00\x00")),
        ("header-crit", "crit besides", token(header=b"\xa3\x01\x26\x02\x81\x04" + kid)),
        ("header-duplicate-alg", "alg twice", token(header=b"\xa3\x01\x26\x01\x26" + kid)),
        ("header-duplicate-kid", "kid twice", token(header=b"\xa3\x01\x26" + kid + kid)),
        ("header-indefinite", "a map of indefinite length", token(header=b"\xbf\x01\x26" + kid + b"\xff")),
        ("header-map-long", "the map's length in two bytes", token(header=b"\xb8\x02\x01\x26" + kid)),
        ("header-label-long", "label 1 in two bytes", token(header=b"\xa2\x18\x01\x26" + kid)),
        ("header-alg-long", "alg -7 in two bytes", token(header=b"\xa2\x01" + nint(-7, 1) + kid)),
        ("header-kid-long", "the kid's length in two bytes", token(header=b"\xa2\x01\x26\x04" + bstr(KEY_A.kid, 1))),
        ("header-kid-text", "the kid is a text string", token(header=b"\xa2\x01\x26\x04" + tstr("A-kid-01"))),
        ("header-kid-uint", "the kid is an integer", token(header=b"\xa2\x01\x26\x04" + uint(7, 8))),
        ("header-kid-7", "a kid of 7 bytes", token(header=b"\xa2\x01\x26\x04" + bstr(KEY_A.kid[:7]))),
        ("header-kid-9", "a kid of 9 bytes", token(header=b"\xa2\x01\x26\x04" + bstr(KEY_A.kid + b"\0"))),
        ("header-kid-empty", "an empty kid", token(header=b"\xa2\x01\x26\x04\x40")),
        ("header-trailing", "a byte after the map", token(header=KEY_A.header() + b"\x00")),
        ("header-truncated", "the map lacks its last byte", token(header=KEY_A.header()[:-1])),
        ("header-alg-text", "alg by name", token(header=b"\xa2\x01" + tstr("ES256") + kid)),
        ("header-alg-none", "alg null", token(header=b"\xa2\x01\xf6" + kid)),
        ("header-alg-0", "alg 0, which is reserved", token(header=b"\xa2\x01\x00" + kid)),
        ("header-alg-7", "alg 7, the number without its sign", token(header=b"\xa2\x01\x07" + kid)),
        ("header-alg-hmac", "alg 5, HMAC with SHA-256: a public key is no secret", token(header=b"\xa2\x01\x05" + kid)),
        ("header-alg-eddsa", "alg -8, EdDSA", token(header=b"\xa2\x01" + nint(-8) + kid)),
        ("header-alg-es384", "alg -35, ES384", token(header=b"\xa2\x01" + nint(-35) + kid)),
        ("header-alg-es512", "alg -36, ES512", token(header=b"\xa2\x01" + nint(-36) + kid)),
        ("header-alg-es256k", "alg -47, ES256K", token(header=b"\xa2\x01" + nint(-47) + kid)),
        ("header-alg-ml-dsa", "alg -48, ML-DSA-44", token(header=b"\xa2\x01" + nint(-48) + kid)),
        ("header-alg-esp384", "alg -51, ESP384", token(header=b"\xa2\x01" + nint(-51) + kid)),
        ("header-alg-minus-65536", "alg -65536, one beside SM2", token(header=b"\xa2\x01" + nint(-65536) + kid)),
        ("header-alg-minus-65538", "alg -65538, one beside SM2", token(header=b"\xa2\x01" + nint(-65538) + kid)),
        # the unprotected header
        ("unprotected-alg", "alg in the unprotected header", token(unprotected=b"\xa1\x01\x26")),
        ("unprotected-kid", "kid in the unprotected header", token(unprotected=b"\xa1" + kid)),
        ("unprotected-unknown", "an unknown label in the unprotected header", token(unprotected=b"\xa1\x18\x63\x00")),
        ("unprotected-long", "the empty map's length in two bytes", token(unprotected=b"\xb8\x00")),
        ("unprotected-indefinite", "the empty map of indefinite length", token(unprotected=b"\xbf\xff")),
        ("unprotected-null", "null for the unprotected header", token(unprotected=b"\xf6")),
        ("unprotected-array", "an empty array for the unprotected header", token(unprotected=b"\x80")),
        ("unprotected-bstr", "an empty byte string for the unprotected header", token(unprotected=b"\x40")),
        # the payload
        ("payload-detached", "a detached payload", token(payload=b"\xf6")),
        ("payload-empty", "an empty payload", token(b"")),
        ("payload-text", "the payload is a text string", token(payload=b"\x78" + bytes([len(claims)]) + claims)),
        ("payload-map", "the payload is a map, not a byte string", token(payload=claims)),
        ("payload-long", "the payload's length in three bytes", token(payload=bstr(claims, 2))),
        ("payload-very-long", "the payload's length in nine bytes", token(payload=bstr(claims, 8))),
        ("payload-indefinite", "the payload in chunks", token(payload=_indefinite(2, bstr(claims)))),
        ("payload-23", "a payload of 23 bytes, in its one-byte head", token(bytes(23))),
        ("payload-23-long", "a payload of 23 bytes, in a head of two bytes", token(payload=bstr(claims[:23], 1))),
        ("payload-length-1-more", "the payload's length is one too many",
         token(payload=b"\x58" + bytes([len(claims) + 1]) + claims)),
        ("payload-length-1-less", "the payload's length is one too few",
         token(payload=b"\x58" + bytes([len(claims) - 1]) + claims)),
        # the signature's byte string
        ("signature-empty", "an empty signature", token(signature=b"\x40")),
        ("signature-63", "a signature of 63 bytes", token(signature=bstr(signature[:63]))),
        ("signature-65", "a signature of 65 bytes", token(signature=bstr(signature + b"\0"))),
        ("signature-96", "a signature of 96 bytes", token(signature=bstr(signature + bytes(32)))),
        ("signature-der", "a signature in DER", token(signature=bstr(_der(signature)))),
        ("signature-long", "the signature's length in three bytes", token(signature=bstr(signature, 2))),
        ("signature-text", "the signature is a text string", token(signature=b"\x78\x40" + signature)),
        ("signature-indefinite", "the signature in chunks", token(signature=_indefinite(2, bstr(signature)))),
        ("signature-null", "null for the signature", token(signature=b"\xf6")),
    ):  # fmt: skip
        yield case(f"envelope/{name}", why, text(data), refused("envelope.shape"))


def _der(signature: bytes) -> bytes:
    parts = b""
    for half in (signature[:32], signature[32:]):
        number = half.lstrip(b"\0")
        number = b"\0" * (number[0] >> 7) + number
        parts += b"\x02" + bytes([len(number)]) + number
    return b"\x30" + bytes([len(parts)]) + parts
