"""Key rings: which are taken, and which are refused before any token is looked at (Spec 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import ESP256, KEY_A, KEY_B, Key, base64url
from cases.kit_sm2 import KEY_S, KEY_T, P

ABOUT = (
    'A JWK Set as a key ring: `expect.kids` in its order if it is taken, or `expect.ring` is "refused": a verifier does '
    "not start with it."
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


def _without(jwk: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in members}


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
