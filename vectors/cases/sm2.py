"""Step 4 under SM2, and what could be confused with it (Spec 2.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from cases.kit import (
    ES256,
    KEY_A,
    SM2,
    accepted,
    base64url,
    bstr,
    case,
    nint,
    payload,
    raw_signature,
    refused,
    rfc6979_k,
    sig_structure,
    text,
    token,
    uint,
)
from cases.kit_sm2 import KEY_S, KEY_T, SM2_ORDER, Sm2Key, sm3, times

ABOUT = "SM2 with SM3: e = SM3(ZA || Sig_structure) under the key's own user id, r || s. No signature has an alias."

N = SM2_ORDER
RING = [KEY_A.jwk(), KEY_S.jwk(), KEY_T.jwk()]


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    message = sig_structure(KEY_S.header(), payload())
    r, s = KEY_S.sign(message)
    extras = payload(extras=b"\xa2" + uint(1) + uint(3) + uint(2) + uint(1101))

    def accept(name: str, why: str, data: bytes, key: Sm2Key, ring: list[dict[str, Any]] = RING, **claims: Any) -> Any:
        return case(f"sm2/{name}", why, text(data), accepted(key, **claims), keys=ring, token=data.hex())

    yield accept("accept", "the default user id", token(key=KEY_S), KEY_S)
    unstated = KEY_S.jwk()
    del unstated["yb_user_id"]
    yield accept(
        "accept-user-id-unstated", "an entry without yb_user_id has the default", token(key=KEY_S), KEY_S, [unstated]
    )
    yield accept("accept-own-user-id", "a user id of the key's own", token(key=KEY_T), KEY_T)
    yield accept("accept-extras", "channel and purpose", token(extras, key=KEY_S), KEY_S, channel=3, purpose="01101")
    for name, why, first in (("r", "r begins with a zero byte", 0), ("s", "s begins with a zero byte", 32)):
        data = next(data for data in _many(KEY_S) if data[-64 + first] == 0)
        nonce = data[data.index(b"\x07\x48") + 2 :][:8].hex()
        yield accept(f"accept-short-{name}", why, data, KEY_S, nonce=nonce)

    top = 2**256 - 1
    for name, why, pair in (
        ("r-0", "r is 0", (0, s)),
        ("s-0", "s is 0", (r, 0)),
        ("both-0", "r and s are 0", (0, 0)),
        ("both-1", "r and s are 1", (1, 1)),
        ("r-n", "r is the order n", (N, s)),
        ("s-n", "s is the order n", (r, N)),
        ("r-n-plus-1", "r is n + 1", (N + 1, s)),
        ("s-n-plus-1", "s is n + 1", (r, N + 1)),
        ("sum-n", "r + s is n, so t is 0", (r, N - r)),
        ("both-highest", "r and s are 2^256 - 1", (top, top)),
        ("s-negated", "n - s is not s: SM2 has no aliases, as ECDSA has", (r, N - s)),
        ("r-negated", "n - r is not r", (N - r, s)),
        ("swapped", "r and s changed places", (s, r)),
        ("r-bit", "the last bit of r was changed", (r ^ 1, s)),
        ("s-bit", "the last bit of s was changed", (r, s ^ 1)),
        ("r-top-bit", "the first bit of r was changed", (r ^ 1 << 255, s)),
        ("s-top-bit", "the first bit of s was changed", (r, s ^ 1 << 255)),
        ("no-za", "e = SM3(message), without ZA", KEY_S.sign_digest(sm3(message))),
        ("za-sha256", "SHA-256 in place of SM3", KEY_S.sign_digest(hashlib.sha256(KEY_S.za() + message).digest())),
        ("digest-signed", "the digest of the message was signed as a message", KEY_S.sign(sm3(message))),
        ("user-id-empty", "ZA of an empty user id, as some libraries have it by default",
         KEY_S.sign_digest(sm3(KEY_S.za(b"") + message))),
        ("user-id-other", "ZA of another user id", KEY_S.sign_digest(sm3(KEY_S.za(KEY_T.user_id) + message))),
        ("za-other-key", "ZA of another key", KEY_S.sign_digest(sm3(KEY_T.za(KEY_S.user_id) + message))),
        ("ecdsa", "the equation of ECDSA on the SM2 curve", _ecdsa(KEY_S, sm3(KEY_S.za() + message))),
        ("other-key", "signed by another SM2 key of the ring", KEY_T.sign(message)),
        ("es256-key", "signed by an ES256 key of the ring", KEY_A.sign(message)),
    ):  # fmt: skip
        data = token(key=KEY_S, signature=b"\x58\x40" + raw_signature(*pair))
        yield case(f"sm2/{name}", why, text(data), refused("signature.invalid"), keys=RING)

    changed = token(key=KEY_S, payload=bstr(payload(city=uint(330_200))))
    yield case("sm2/other-city", "the city code was changed after signing", text(changed), refused("signature.invalid"),
               keys=RING)  # fmt: skip
    wrong = [KEY_S.jwk(yb_user_id=base64url(KEY_T.user_id))]
    yield case("sm2/ring-user-id-other", "the ring states another user id than the one signed under",
               text(token(key=KEY_S)), refused("signature.invalid"), keys=wrong)  # fmt: skip
    yield case("sm2/unknown", "the ring has no SM2 key", text(token(key=KEY_S)), refused("key.unknown"))

    for name, why, algorithm, code in (
        ("alg-minus-48", "-48 stood for SM2 elsewhere before it was given to ML-DSA-44", -48, "envelope.shape"),
        ("alg-es256", "an SM2 key's kid under ES256: a key has one algorithm", ES256, "key.unknown"),
        ("alg-esp256", "an SM2 key's kid under ESP256", -9, "key.unknown"),
        ("alg-minus-65538", "the number next to SM2's", SM2 - 1, "envelope.shape"),
        ("alg-65536", "-65537 as an unsigned number", 65_536, "envelope.shape"),
    ):
        number = nint(algorithm) if algorithm < 0 else uint(algorithm)
        data = token(key=KEY_S, header=b"\xa2\x01" + number + b"\x04" + bstr(KEY_S.kid))
        yield case(f"sm2/{name}", why, text(data), refused(code), keys=RING)
    es256_header = token(key=KEY_S, header=KEY_A.header())
    yield case("sm2/under-es256-header", "SM2 signature under an ES256 key's header", text(es256_header),
               refused("signature.invalid"), keys=RING)  # fmt: skip


def _many(key: Sm2Key) -> Iterator[bytes]:
    for number in range(100_000):
        yield token(payload(cti=b"\x07" + bstr(b"%08d" % number)), key=key)


def _ecdsa(key: Sm2Key, digest: bytes) -> tuple[int, int]:
    k = rfc6979_k(key.secret, digest, N)
    r = times(k)[0] % N
    return r, pow(k, -1, N) * (int.from_bytes(digest, "big") + r * key.secret) % N
