"""Key rings: which are taken, and which are refused before any token is looked at (Spec 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cases.device import ABOVE_P
from cases.kit import ESP256, IAT, KEY_A, KEY_B, Key, base64url
from cases.kit_sm2 import KEY_S, KEY_T, P

ABOUT = (
    'A JWK Set as a key ring: `expect.kids` in its order if it is taken, or `expect.ring` is "refused": a verifier does '
    "not start with it. Where `jwks` would hide how it is written, `document` has the bytes of the JSON text, in hex."
)


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    for name, why, keys in (
        ("accept-both", "ES256 and SM2 keys together", (KEY_A, KEY_S)),
        ("accept-sm2", "SM2 keys with their user ids", (KEY_S, KEY_T)),
        ("accept-empty", "no key at all: every token is refused", ()),
    ):
        expect = {"kids": [key.kid.hex() for key in keys]}
        yield {"id": f"ring/{name}", "why": why, "jwks": {"keys": [key.jwk() for key in keys]}, "expect": expect}

    esp256 = Key("A", ESP256)
    for name, why, entries in (
        ("p256-point-as-sm2", "a P-256 key registered as SM2: its point is not on that curve",
         [KEY_S.jwk(x=base64url(KEY_A.x), y=base64url(KEY_A.y), kid=KEY_A.kid.hex())]),
        ("p256-point-as-sm2-no-kid", "the same without a kid", [_without(KEY_A.jwk(crv="SM2", alg="SM2"), "kid")]),
        ("sm2-point-as-p256", "an SM2 key registered as ES256",
         [_without(KEY_S.jwk(crv="P-256", alg="ES256"), "kid", "yb_user_id")]),
        ("sm2-alg-on-p256", "SM2 is not an algorithm of P-256", [KEY_A.jwk(alg="SM2")]),
        ("es256-alg-on-sm2", "ES256 is not an algorithm of the SM2 curve", [KEY_S.jwk(alg="ES256")]),
        ("kid-twice", "one key twice", [KEY_A.jwk(), KEY_A.jwk(yb_issuer="Other")]),
        ("kid-under-two-algorithms", "one key as ES256 and as ESP256", [KEY_A.jwk(), esp256.jwk()]),
        ("kid-of-another-algorithm", "an SM2 key that states an ES256 key's kid",
         [KEY_A.jwk(), KEY_S.jwk(kid=KEY_A.kid.hex())]),
        ("alg-minus-48", "-48 is not SM2", [KEY_S.jwk(alg=-48)]),
        ("alg-unstated", "a key without an algorithm", [_without(KEY_S.jwk(), "alg")]),
        ("curve-by-other-name", "only one name of the curve is known", [KEY_S.jwk(crv="sm2p256v1")]),
        ("user-id-on-p256", "yb_user_id is for SM2 keys", [KEY_A.jwk(yb_user_id=base64url(KEY_S.user_id))]),
        ("user-id-empty", "an empty user id", [KEY_S.jwk(yb_user_id="")]),
        ("user-id-too-long", "ZA holds user ids of at most 8191 bytes", [KEY_S.jwk(yb_user_id=base64url(bytes(8192)))]),
        ("user-id-not-base64url", "a user id in clear", [KEY_S.jwk(yb_user_id="1234567812345678!")]),
        ("sm2-y-negated-kid", "-Q has another kid", [KEY_S.jwk(y=base64url((P - int.from_bytes(KEY_S.y, "big")).to_bytes(32, "big")))]),
        ("sm2-x-bit", "a point beside the curve", [_without(KEY_S.jwk(x=base64url(_flip(KEY_S.x))), "kid")]),
        ("sm2-x-unreduced", "x is p", [_without(KEY_S.jwk(x=base64url(P.to_bytes(32, "big"))), "kid")]),
        ("sm2-zero", "the point 0, 0", [_without(KEY_S.jwk(x=base64url(bytes(32)), y=base64url(bytes(32))), "kid")]),
        ("sm2-short", "coordinates of 31 bytes", [_without(KEY_S.jwk(x=base64url(KEY_S.x[1:]), y=base64url(KEY_S.y[1:])), "kid")]),
        ("private", "a private key", [KEY_S.jwk(d=base64url(KEY_S.secret.to_bytes(32, "big")))]),
        ("private-p256", "a private key on P-256", [KEY_B.jwk(d=base64url(KEY_B.secret.to_bytes(32, "big")))]),
    ):  # fmt: skip
        yield {"id": f"ring/{name}", "why": why, "jwks": {"keys": entries}, "expect": {"ring": "refused"}}
    yield from _members()
    yield from _documents()


_REFUSED = {"ring": "refused"}
_PADDED = KEY_A.jwk()["x"] + "="
_LOOSE = KEY_A.jwk()["x"][:-1] + chr(ord(KEY_A.jwk()["x"][-1]) + 1)
"""The same bytes in a second spelling: the last character has an unused bit that is set."""


def _members() -> Iterator[dict[str, Any]]:
    """One member of one entry."""
    kids = {"kids": [KEY_A.kid.hex()]}
    for name, why, changed, expect in (
        ("use-sig", "the use that a key has, stated", {"use": "sig", "key_ops": ["verify"]}, kids),
        ("scope-empty", "an empty scope is the whole country", {"yb_scope": [], "yb_except": ["33"]}, kids),
        ("nbf-0", "the least period", {"nbf": 0, "exp": 1}, kids),
        ("time-largest", "a time of 2^32 - 1: the largest that a token can state", {"exp": 2**32 - 1}, kids),
        ("withdrawn-largest", "withdrawn from the last second on", {"yb_withdrawn_since": 2**32 - 1}, kids),
        ("ext-true", "what WebCrypto writes of each key", {"ext": True, "key_ops": ["verify"]}, kids),
        ("ext-false", "the same of a key that may not be exported, which a public one always may", {"ext": False}, kids),
        ("ext-text", "an ext that is neither true nor false", {"ext": "true"}, _REFUSED),
        ("ext-1", "an ext that is 1", {"ext": 1}, _REFUSED),
        ("exp-2-32", "an end of 2^32: a key without an end leaves exp out", {"exp": 2**32}, _REFUSED),
        ("nbf-2-32", "a beginning of 2^32", {"nbf": 2**32}, _REFUSED),
        ("exp-milliseconds", "an end in milliseconds, which would never come", {"exp": IAT * 1000}, _REFUSED),
        ("withdrawn-2-32", "withdrawn from 2^32 on, which is never", {"yb_withdrawn_since": 2**32}, _REFUSED),
        ("withdrawn-milliseconds", "a withdrawal in milliseconds, which would do nothing",
         {"yb_withdrawn_since": IAT * 1000}, _REFUSED),
        ("withdrawn-0", "withdrawn since ever", {"yb_withdrawn_since": 0}, kids),
        ("name-spaces", "a name with an ideographic and a no-break space",
         {"yb_issuer": "\u6d59\u6c5f\u3000\u533b\u4fdd\u00a0A"}, kids),
        ("name-astral", "a name of one character outside the BMP", {"yb_issuer": "\U00020bb7"}, kids),
        ("status-key", "a key for status lists", {"yb_use": "status"}, kids),
        ("member-unknown", "a member that is not in the table", {"x5t": "AA"}, _REFUSED),
        ("member-other-case", "a member in another spelling", {"Use": "sig"}, _REFUSED),
        ("use-enc", "a key for encryption", {"use": "enc"}, _REFUSED),
        ("key-ops-sign", "a key for signing", {"key_ops": ["sign"]}, _REFUSED),
        ("key-ops-both", "a key for signing and verifying", {"key_ops": ["sign", "verify"]}, _REFUSED),
        ("key-ops-empty", "a key for nothing", {"key_ops": []}, _REFUSED),
        ("key-ops-text", "an operation that is not in an array", {"key_ops": "verify"}, _REFUSED),
        ("kty-okp", "another kind of key", {"kty": "OKP"}, _REFUSED),
        ("yb-use-other", "a use that there is not", {"yb_use": "sig"}, _REFUSED),
        ("status-key-uri", "a key for status lists with a status list", {"yb_use": "status", "yb_status_uri": "a"}, _REFUSED),
        ("issuer-empty", "an empty name", {"yb_issuer": ""}, _REFUSED),
        ("issuer-newline", "a line feed in the name", {"yb_issuer": "A\nB"}, _REFUSED),
        ("issuer-delete", "a control above ASCII's in the name", {"yb_issuer": "A\u0085B"}, _REFUSED),
        ("issuer-bidi", "a character in the name that turns the direction of what follows",
         {"yb_issuer": "A\u202eB"}, _REFUSED),
        ("issuer-invisible", "a zero-width space in the name", {"yb_issuer": "A\u200b"}, _REFUSED),
        ("issuer-surrogate", "half a character in the name", {"yb_issuer": "A\ud800"}, _REFUSED),
        ("issuer-number", "a name that is a number", {"yb_issuer": 1}, _REFUSED),
        ("status-uri-empty", "an empty address", {"yb_status_uri": ""}, _REFUSED),
        ("status-uri-newline", "a line feed in the address", {"yb_status_uri": "https://a/\n"}, _REFUSED),
        ("kid-upper-case", "a kid in capitals", {"kid": KEY_A.kid.hex().upper()}, _REFUSED),
        ("kid-spaces", "a kid with spaces", {"kid": KEY_A.kid.hex(" ")}, _REFUSED),
        ("kid-other", "the kid of another key", {"kid": KEY_B.kid.hex()}, _REFUSED),
        ("base64url-padded", "a coordinate with padding", {"x": _PADDED}, _REFUSED),
        ("base64url-loose", "a coordinate in a second spelling of the same bytes", {"x": _LOOSE}, _REFUSED),
        ("base64url-newline", "a line feed after a coordinate", {"x": KEY_A.jwk()["x"] + "\n"}, _REFUSED),
        ("crv-array", "a curve in an array, which a language may take for its only item", {"crv": ["P-256"]}, _REFUSED),
        ("alg-array", "an algorithm in an array", {"alg": ["ES256"]}, _REFUSED),
        ("prefix-1", "a prefix of one digit", {"yb_scope": ["3"]}, _REFUSED),
        ("prefix-3", "a prefix of three digits", {"yb_scope": ["330"]}, _REFUSED),
        ("prefix-8", "a prefix of eight digits", {"yb_scope": ["33010000"]}, _REFUSED),
        ("prefix-empty", "an empty prefix", {"yb_scope": [""]}, _REFUSED),
        ("prefix-full-width", "a prefix in full-width digits", {"yb_scope": ["\uff13\uff13"]}, _REFUSED),
        ("prefix-number", "a prefix that is a number", {"yb_scope": [33]}, _REFUSED),
        ("scope-empty-text", "a scope that is an empty string, which is no empty array", {"yb_scope": ""}, _REFUSED),
        ("scope-text", "a scope that is one string", {"yb_scope": "33"}, _REFUSED),
        ("scope-object", "a scope that is an object", {"yb_scope": {"33": 1}}, _REFUSED),
        ("scope-number", "a scope that is a number", {"yb_scope": 33}, _REFUSED),
        ("except-text", "exceptions that are one string", {"yb_except": "33"}, _REFUSED),
        ("except-object", "exceptions that are an object", {"yb_except": {"33": 1}}, _REFUSED),
        ("x-in-a-field", "an x of 64 bytes that begins with zeros, as devices have it",
         {"x": base64url(bytes(32) + KEY_A.x)}, _REFUSED),
        ("except-prefix-5", "an exception of five digits", {"yb_except": ["33010"]}, _REFUSED),
        ("scope-nothing", "the exceptions leave nothing", {"yb_scope": ["3301", "3302"], "yb_except": ["33"]}, _REFUSED),
        ("nbf-exp", "a period that is empty", {"nbf": IAT, "exp": IAT}, _REFUSED),
        ("exp-before-nbf", "a period that ends before it begins", {"nbf": IAT, "exp": IAT - 1}, _REFUSED),
        ("exp-0", "an end at 0", {"exp": 0}, _REFUSED),
        ("nbf-negative", "a time before 1970", {"nbf": -1}, _REFUSED),
        ("withdrawn-negative", "withdrawn before 1970", {"yb_withdrawn_since": -1}, _REFUSED),
        ("time-too-large", "a time of 2^53", {"exp": 2**53}, _REFUSED),
        ("time-text", "a time as text", {"nbf": "0"}, _REFUSED),
        ("time-true", "a time that is true", {"nbf": True}, _REFUSED),
        *((f"null-{member.replace('_', '-')}", "null is no value", {member: None}, _REFUSED)
          for member in ("kid", "use", "key_ops", "ext", "yb_issuer", "yb_scope", "yb_except", "nbf", "exp",
                         "yb_withdrawn_since", "yb_use", "yb_status_uri")),
    ):  # fmt: skip
        jwks = {"keys": [KEY_A.jwk(**changed)]}
        yield {"id": f"ring/{name}", "why": why, "jwks": jwks, "expect": expect}
    for name, why, entries in (
        ("null-user-id", "null is no value", [KEY_S.jwk(yb_user_id=None)]),
        ("base64url-standard", "the other alphabet of base64", [_with_standard_alphabet()]),
        ("issuer-missing", "no issuer", [_without(KEY_A.jwk(), "yb_issuer")]),
        ("kty-missing", "no kind of key", [_without(KEY_A.jwk(), "kty")]),
        ("y-missing", "no second coordinate", [_without(KEY_A.jwk(), "y")]),
        ("uses-mixed", "a key for tokens and one for status lists", [KEY_A.jwk(), KEY_B.jwk(yb_use="status")]),
        ("key-text", "a key that is no object", ["key"]),
        ("p256-x-above-p", "an x that is p + an x of a point: not reduced",
         [_without(KEY_A.jwk(x=base64url(ABOVE_P[0]), y=base64url(ABOVE_P[1])), "kid")]),
    ):  # fmt: skip
        yield {"id": f"ring/{name}", "why": why, "jwks": {"keys": entries}, "expect": _REFUSED}


def _with_standard_alphabet() -> dict[str, Any]:
    """An entry in which a coordinate with ``-`` or ``_`` has ``+`` or ``/`` in their place."""
    for number in range(100):
        jwk = Key(f"base64 {number}").jwk()
        if set(jwk["x"]) & set("-_"):
            return jwk | {"x": jwk["x"].replace("-", "+").replace("_", "/")}
    raise AssertionError


def _documents() -> Iterator[dict[str, Any]]:
    """How the set is written."""
    key = json.dumps(KEY_A.jwk())
    kids = {"kids": [KEY_A.kid.hex()]}
    stated = key.replace("Test issuer A", "Test issuer \\u0041").replace("{", '{ "exp"\t:\r\n2000000000 ,')
    for name, why, document, expect in (
        ("json-accept", "white space and escapes have no meaning", f' {{"keys": [{stated}]}}\n', kids),
        ("json-version", "the ring's version", f'{{"yb_version": 7, "keys": [{key}]}}', kids),
        ("json-version-behind", "the version behind the keys", f'{{"keys": [{key}], "yb_version": 1}}', kids),
        ("json-version-largest", "2^53 - 1", f'{{"yb_version": 9007199254740991, "keys": [{key}]}}', kids),
        ("json-version-0", "versions begin with 1", f'{{"yb_version": 0, "keys": [{key}]}}', _REFUSED),
        ("json-version-text", "a version as text", f'{{"yb_version": "1", "keys": [{key}]}}', _REFUSED),
        ("json-version-true", "a version that is true", f'{{"yb_version": true, "keys": [{key}]}}', _REFUSED),
        ("json-version-null", "null is no value", f'{{"yb_version": null, "keys": [{key}]}}', _REFUSED),
        ("json-version-twice", "two versions", f'{{"yb_version": 1, "keys": [{key}], "yb_version": 2}}', _REFUSED),
        ("json-version-alone", "a version without keys", '{"yb_version": 1}', _REFUSED),
        ("json-version-other-name", "a version by another name", f'{{"version": 1, "keys": [{key}]}}', _REFUSED),
        ("json-exp", "an end of the whole ring, which no reader would keep", f'{{"exp": 1, "keys": [{key}]}}', _REFUSED),
        ("json-top-member", "a member beside keys", f'{{"keys": [{key}], "next": "https://a"}}', _REFUSED),
        ("json-no-keys", "no keys", "{}", _REFUSED),
        ("json-keys-object", "keys that are no array", f'{{"keys": {{"0": {key}}}}}', _REFUSED),
        ("json-array", "an array of keys without the object around it", f"[{key}]", _REFUSED),
        ("json-keys-twice", "keys twice", f'{{"keys": [], "keys": [{key}]}}', _REFUSED),
        ("json-member-twice", "a member twice", f'{{"keys": [{key[:-1]}, "yb_issuer": "Other"}}]}}', _REFUSED),
        ("json-member-twice-escaped", "a member twice, once with an escape",
         f'{{"keys": [{key[:-1]}, "yb_issue\\u0072": "Other"}}]}}', _REFUSED),
        ("json-fraction", "a time with a fraction, of 0", f'{{"keys": [{key[:-1]}, "nbf": 1.0}}]}}', _REFUSED),
        ("json-exponent", "a time with an exponent", f'{{"keys": [{key[:-1]}, "nbf": 1e3}}]}}', _REFUSED),
        ("json-minus-0", "a time of -0", f'{{"keys": [{key[:-1]}, "nbf": -0}}]}}', _REFUSED),
        ("json-leading-0", "a time with a leading zero, which is no JSON", f'{{"keys": [{key[:-1]}, "nbf": 01}}]}}', _REFUSED),
        ("json-nan", "NaN, which is no JSON", f'{{"keys": [{key[:-1]}, "nbf": NaN}}]}}', _REFUSED),
        ("json-trailing", "something behind the object", f'{{"keys": [{key}]}} {{}}', _REFUSED),
        ("json-comma", "a comma behind the last key", f'{{"keys": [{key},]}}', _REFUSED),
        ("json-comment", "a comment", f'{{"keys": [{key}] /* ours */}}', _REFUSED),
        ("json-control", "a tab in a string", f'{{"keys": [{key.replace("Test issuer A", "Test" + chr(9))}]}}', _REFUSED),
        ("json-single-quotes", "single quotes", "{'keys': []}", _REFUSED),
        ("json-nothing", "no JSON at all", "", _REFUSED),
        ("json-cut", "the last bracket is missing", f'{{"keys": [{key}]', _REFUSED),
        ("json-bom", "a byte order mark", f'\ufeff{{"keys": [{key}]}}', _REFUSED),
        ("json-deep", "a member nested two thousand times", '{"keys": ' + "[" * 2_000, _REFUSED),
    ):  # fmt: skip
        yield {"id": f"ring/{name}", "why": why, "document": document.encode().hex(), "expect": expect}
    for name, why, data in (
        ("json-utf-16", "UTF-16", f'{{"keys": [{key}]}}'.encode("utf-16")),
        ("json-utf-8-invalid", "a byte that is no UTF-8", f'{{"keys": [{key}]}}'.encode().replace(b"issuer A", b"issuer \xff")),
    ):  # fmt: skip
        yield {"id": f"ring/{name}", "why": why, "document": data.hex(), "expect": _REFUSED}


def _without(jwk: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in members}


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
