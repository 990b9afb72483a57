"""Key rings as COSE_KeySets (Spec 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import ESP256, IAT, KEY_A, KEY_B, Key, accepted, bstr, head, nint, text, token, tstr, uint
from cases.kit_sm2 import KEY_S, KEY_T, SM2

ABOUT = (
    "A COSE_KeySet as a key ring: `keyset` (hex) in, `expect.entries` out, in order, with their defaults; or "
    '`expect.ring` is "refused". A case with a `text` is verified with the set.'
)
_REFUSED = {"ring": "refused"}
_FOREVER = 1 << 32


def _key(key: Key = KEY_A, *, count: int | None = None, end: bytes = b"", **changed: bytes) -> bytes:
    """A COSE_Key, label by label; what is changed is given as raw bytes, and nothing takes a label away."""
    parts = {
        "kty": b"\x01\x02",
        "kid": b"\x02" + bstr(key.kid),
        "alg": b"\x03" + nint(key.algorithm),
        "crv": b"\x20" + (nint(SM2) if key.algorithm == SM2 else b"\x01"),
        "x": b"\x21" + bstr(key.x),
        "y": b"\x22" + bstr(key.y),
        "issuer": nint(-65537) + tstr(f"Test issuer {key.name}"),
    } | changed
    labels = sum(bool(part) for part in parts.values()) if count is None else count
    return head(5, labels) + b"".join(parts.values()) + end


def _set(*keys: bytes) -> bytes:
    return head(4, len(keys)) + b"".join(keys)


def _entry(key: Key = KEY_A, **changed: Any) -> dict[str, Any]:
    usual = {
        "kid": key.kid.hex(),
        "algorithm": key.algorithm,
        "issuer": f"Test issuer {key.name}",
        "scope": [],
        "except": [],
        "not_before": 0,
        "not_after": _FOREVER,
        "use": "tokens",
    }
    if key.algorithm == SM2:
        usual["user_id"] = b"1234567812345678".hex()
    return usual | changed


def _texts(*items: str) -> bytes:
    return head(4, len(items)) + b"".join(map(tstr, items))


_OURS = {
    "scope": nint(-65538) + _texts("33", "110101"),
    "except": nint(-65539) + _texts("3302"),
    "nbf": nint(-65540) + uint(IAT),
    "exp": nint(-65541) + uint(IAT + 1000),
    "withdrawn": nint(-65542) + uint(IAT + 500),
    "status_uri": nint(-65545) + tstr("https://status.example/1"),
}
_STATED: dict[str, Any] = {
    "scope": ["33", "110101"],
    "except": ["3302"],
    "not_before": IAT,
    "not_after": IAT + 1000,
    "withdrawn_since": IAT + 500,
    "status_uri": "https://status.example/1",
}
_USER_ID = nint(-65543) + bstr(KEY_T.user_id)
_FLOAT_1 = b"\xf9\x3c\x00"


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    reversed_ = b"\xa7" + b"".join(
        (nint(-65537) + tstr("Test issuer A"), b"\x22" + bstr(KEY_A.y), b"\x21" + bstr(KEY_A.x), b"\x20\x01",
         b"\x03\x26", b"\x02" + bstr(KEY_A.kid), b"\x01\x02")
    )  # fmt: skip
    esp256 = Key("E", ESP256)
    for name, why, keyset, entries in (
        ("accept", "a key with what it must have, and its kid", _set(_key()), [_entry()]),
        ("accept-no-kid", "the kid is computed", _set(_key(kid=b"")), [_entry()]),
        ("accept-all", "every label but those of status lists and SM2", _set(_key(**_OURS)), [_entry(**_STATED)]),
        ("accept-esp256", "an ESP256 key", _set(_key(esp256)), [_entry(esp256)]),
        ("accept-sm2", "an SM2 key without a user id has the default one", _set(_key(KEY_S)), [_entry(KEY_S)]),
        ("accept-sm2-user-id", "an SM2 key with a user id of its own", _set(_key(KEY_T, user_id=_USER_ID)),
         [_entry(KEY_T, user_id=KEY_T.user_id.hex())]),
        ("accept-status", "a key for status lists", _set(_key(use=nint(-65544) + tstr("status"))), [_entry(use="status")]),
        ("accept-tokens", "the default use, stated", _set(_key(use=nint(-65544) + tstr("tokens"))), [_entry()]),
        ("accept-order", "labels in another order", _set(reversed_), [_entry()]),
        ("accept-two", "two keys, in their order", _set(_key(KEY_B), _key()), [_entry(KEY_B), _entry()]),
        ("accept-empty", "no key at all", _set(), []),
        ("accept-exp-largest", "an end of 2^32 - 1", _set(_key(exp=nint(-65541) + uint(2**32 - 1))),
         [_entry(not_after=2**32 - 1)]),
    ):  # fmt: skip
        yield _case(name, why, keyset, {"entries": entries})
    good = _key()
    for name, why, keyset in (
        ("trailing", "a byte behind the set", _set(good) + b"\0"),
        ("cut", "the last byte is missing", _set(good)[:-1]),
        ("nothing", "no CBOR at all", b""),
        ("empty-map", "an empty map", b"\xa0"),
        ("empty-text", "an empty text", b"\x60"),
        ("empty-bytes", "an empty byte string", b"\x40"),
        ("number", "a number", b"\x00"),
        ("one-key", "a key without the array around it", good),
        ("array-indefinite", "an array of indefinite length", b"\x9f" + good + b"\xff"),
        ("array-long", "the array's length in two bytes", b"\x98\x01" + good),
        ("map-indefinite", "a map of indefinite length", _set(b"\xbf" + good[1:] + b"\xff")),
        ("string-indefinite", "a name in pieces",
         _set(_key(issuer=nint(-65537) + b"\x7f" + tstr("Test ") + tstr("issuer A") + b"\xff"))),
        ("label-long", "a label in two bytes", _set(_key(kty=b"\x18\x01\x02"))),
        ("value-long", "a value in two bytes", _set(_key(kty=b"\x01\x18\x02"))),
        ("label-twice", "a label twice", _set(_key(again=nint(-65537) + tstr("Other")))),
        ("label-unknown", "a label that is not in the table", _set(_key(other=nint(-65546) + b"\x01"))),
        ("label-base-iv", "a label that COSE has and the table has not", _set(_key(other=b"\x05\x41\x00"))),
        ("label-text", "a label as text", _set(_key(other=tstr("nbf") + b"\x01"))),
        ("label-true", "a label that is true, which some languages take for 1", _set(_key(kty=b"\xf5\x02"))),
        ("label-float", "a label of 1.0", _set(_key(kty=_FLOAT_1 + b"\x02"))),
        ("private", "a private key", _set(_key(d=b"\x23" + bstr(KEY_A.secret.to_bytes(32, "big"))))),
        ("tag", "a tag around the set", b"\xd9\xd9\xf7" + _set(good)),
        ("tag-bignum", "a time as a bignum", _set(_key(nbf=nint(-65540) + b"\xc2\x41\x05"))),
        ("kty-okp", "another kind of key", _set(_key(kty=b"\x01\x01"))),
        ("kty-missing", "no kind of key", _set(_key(kty=b""))),
        ("kty-float", "a kind of 2.0", _set(_key(kty=b"\x01\xf9\x40\x00"))),
        ("crv-true", "a curve that is true", _set(_key(crv=b"\x20\xf5"))),
        ("crv-float", "a curve of 1.0", _set(_key(crv=b"\x20" + _FLOAT_1))),
        ("crv-p384", "the curve P-384", _set(_key(crv=b"\x20\x02"))),
        ("crv-sm2", "a P-256 key on the SM2 curve", _set(_key(crv=b"\x20" + nint(SM2), alg=b"\x03" + nint(SM2), kid=b""))),
        ("alg-missing", "no algorithm", _set(_key(alg=b""))),
        ("alg-float", "an algorithm of -7.0", _set(_key(alg=b"\x03\xf9\xc7\x00"))),
        ("alg-text", "an algorithm by its name", _set(_key(alg=b"\x03" + tstr("ES256")))),
        ("alg-other", "an algorithm of another curve", _set(_key(alg=b"\x03" + nint(SM2)))),
        ("issuer-missing", "no issuer", _set(_key(issuer=b""))),
        ("issuer-bytes", "a name as bytes", _set(_key(issuer=nint(-65537) + bstr(b"A")))),
        ("issuer-empty", "an empty name", _set(_key(issuer=nint(-65537) + tstr("")))),
        ("issuer-control", "a line feed in the name", _set(_key(issuer=nint(-65537) + tstr("A\n")))),
        ("issuer-utf-8", "a name that is no UTF-8", _set(_key(issuer=nint(-65537) + b"\x61\xff"))),
        ("kid-other", "the kid of another key", _set(_key(kid=b"\x02" + bstr(KEY_B.kid)))),
        ("kid-text", "a kid as text", _set(_key(kid=b"\x02" + tstr(KEY_A.kid.hex())))),
        ("kid-null", "null is no value", _set(_key(kid=b"\x02\xf6"))),
        ("kid-twice", "one key twice", _set(good, good)),
        ("x-31", "a coordinate of 31 bytes", _set(_key(kid=b"", x=b"\x21" + bstr(KEY_A.x[1:])))),
        ("x-text", "a coordinate as text", _set(_key(kid=b"", x=b"\x21" + tstr("A" * 32)))),
        ("y-compressed", "y as a sign", _set(_key(y=b"\x22\xf5"))),
        ("y-missing", "no second coordinate", _set(_key(y=b""))),
        ("off-curve", "a point beside the curve", _set(_key(kid=b"", y=b"\x22" + bstr(KEY_B.y)))),
        ("user-id-p256", "a user id of a P-256 key", _set(_key(user_id=_USER_ID))),
        ("user-id-text", "a user id as text", _set(_key(KEY_S, user_id=nint(-65543) + tstr("1234567812345678")))),
        ("user-id-null", "null is no value", _set(_key(KEY_S, user_id=nint(-65543) + b"\xf6"))),
        ("user-id-empty", "an empty user id", _set(_key(KEY_S, user_id=nint(-65543) + bstr(b"")))),
        ("scope-text", "a scope that is one string", _set(_key(scope=nint(-65538) + tstr("33")))),
        ("scope-number", "a prefix that is a number", _set(_key(scope=nint(-65538) + b"\x81\x18\x21"))),
        ("scope-null", "null is no value", _set(_key(scope=nint(-65538) + b"\xf6"))),
        ("scope-nothing", "the exceptions leave nothing",
         _set(_key(scope=nint(-65538) + _texts("33"), out=nint(-65539) + _texts("33")))),
        ("nbf-true", "a time that is true", _set(_key(nbf=nint(-65540) + b"\xf5"))),
        ("nbf-float", "a time of 1.0", _set(_key(nbf=nint(-65540) + _FLOAT_1))),
        ("nbf-negative", "a time before 1970", _set(_key(nbf=nint(-65540) + b"\x20"))),
        ("nbf-exp", "a period that is empty", _set(_key(nbf=nint(-65540) + b"\x05", exp=nint(-65541) + b"\x05"))),
        ("exp-above", "an end of 2^32", _set(_key(exp=nint(-65541) + uint(2**32)))),
        ("nbf-above", "a beginning of 2^32", _set(_key(nbf=nint(-65540) + uint(2**32)))),
        ("withdrawn-above", "a withdrawal in milliseconds", _set(_key(withdrawn=nint(-65542) + uint(IAT * 1000)))),
        ("exp-null", "null is no value", _set(_key(exp=nint(-65541) + b"\xf6"))),
        ("withdrawn-null", "null is no value", _set(_key(w=nint(-65542) + b"\xf6"))),
        ("withdrawn-text", "a time as text", _set(_key(w=nint(-65542) + tstr("0")))),
        ("use-other", "a use that there is not", _set(_key(use=nint(-65544) + tstr("sig")))),
        ("use-null", "null is no value", _set(_key(use=nint(-65544) + b"\xf6"))),
        ("status-uri-null", "null is no value", _set(_key(uri=nint(-65545) + b"\xf6"))),
        ("status-uri-empty", "an empty address", _set(_key(uri=nint(-65545) + tstr("")))),
        ("status-uri-of-status", "a key for status lists with a status list",
         _set(_key(use=nint(-65544) + tstr("status"), uri=nint(-65545) + tstr("a")))),
        ("uses-mixed", "a key for tokens and one for status lists",
         _set(good, _key(KEY_B, use=nint(-65544) + tstr("status")))),
        ("key-text", "a key that is no map", _set(tstr("key"))),
    ):  # fmt: skip
        yield _case(name, why, keyset, _REFUSED)
    yield _verified("verify", "a token is verified with a set", _set(_key(**_OURS)), accepted())
    yield _verified(
        "verify-sm2", "the user id is that of the set", _set(_key(KEY_T, user_id=_USER_ID)), accepted(KEY_T), KEY_T
    )
    other = {"step": 4, "code": "signature.invalid"}
    yield _verified("verify-sm2-default", "without it the default one is taken", _set(_key(KEY_T)), other, KEY_T)


def _case(name: str, why: str, keyset: bytes, expect: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"keyset/{name}", "why": why, "keyset": keyset.hex(), "expect": expect}


def _verified(name: str, why: str, keyset: bytes, expect: dict[str, Any], key: Key = KEY_A) -> dict[str, Any]:
    settings = {"now": IAT + 5, "skew": 10, "max_lifetime": 300}
    return {
        "id": f"keyset/{name}",
        "why": why,
        "text": text(token(key=key)),
        "keyset": keyset.hex(),
        **settings,
        "expect": expect,
    }
