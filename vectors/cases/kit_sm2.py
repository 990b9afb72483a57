"""Test keys on SM2: like `kit.Key`, with arithmetic of their own, for `cryptography` does not have the curve."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives import hashes

from cases.kit import SM2, Key, base64url, bstr, nint, rfc6979_k

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
USER_ID = b"1234567812345678"

Point = tuple[int, int]


def sm3(data: bytes) -> bytes:
    """SM3 of some bytes."""
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


def times(k: int, point: Point = G) -> Point:
    """``k * point`` by double-and-add, for k from 1 to n - 1."""
    total: Point | None = None
    for bit in f"{k:b}":
        total = total and _slope(total, (3 * total[0] ** 2 + A) * pow(2 * total[1], -1, P), total)
        if bit == "1":
            total = (
                point
                if total is None
                else _slope(total, (point[1] - total[1]) * pow(point[0] - total[0], -1, P), point)
            )
    assert total
    return total


def _slope(left: Point, slope: int, right: Point) -> Point:
    x = (slope**2 - left[0] - right[0]) % P
    return x, (slope * (left[0] - x) - left[1]) % P


class Sm2Key(Key):
    """A test key on SM2; see `kit.Key`.

    Args:
        name: names the key, and makes its secret.
        user_id: the SM2 user id it signs under.
    """

    def __init__(self, name: str, user_id: bytes = USER_ID) -> None:
        self.name, self.algorithm, self.user_id = name, SM2, user_id
        seed = hashlib.sha256(f"ybtoken test key {name}".encode()).digest()
        self.secret = int.from_bytes(seed, "big") % (SM2_ORDER - 2) + 1
        self.x, self.y = (coordinate.to_bytes(32, "big") for coordinate in times(self.secret))
        # RFC 9679: the SHA-256 of {1: 2, -1: -65537, -2: x, -3: y}, of which 8 bytes.
        required = b"\xa4\x01\x02\x20" + nint(SM2) + b"\x21" + bstr(self.x) + b"\x22" + bstr(self.y)
        self.kid = hashlib.sha256(required).digest()[:8]

    def za(self, user_id: bytes | None = None) -> bytes:
        """ZA of the key (GB/T 32918.2 section 5.5)."""
        user_id = self.user_id if user_id is None else user_id
        curve = b"".join(number.to_bytes(32, "big") for number in (A, B, *G))
        return sm3((len(user_id) * 8).to_bytes(2, "big") + user_id + curve + self.x + self.y)

    def sign(self, message: bytes) -> tuple[int, int]:
        """SM2 with SM3, and the k of RFC 6979: r and s."""
        return self.sign_digest(sm3(self.za() + message))

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """SM2 over e itself."""
        k = rfc6979_k(self.secret, digest, SM2_ORDER)
        r = (int.from_bytes(digest, "big") + times(k)[0]) % SM2_ORDER
        return r, pow(1 + self.secret, -1, SM2_ORDER) * (k - r * self.secret) % SM2_ORDER

    def jwk(self, **members: Any) -> dict[str, Any]:
        """The key's entry in a JWK Set; the user id is stated."""
        return {
            "kty": "EC",
            "crv": "SM2",
            "x": base64url(self.x),
            "y": base64url(self.y),
            "alg": "SM2",
            "kid": self.kid.hex(),
            "yb_issuer": f"Test issuer {self.name}",
            "yb_user_id": base64url(self.user_id),
            **members,
        }


KEY_S = Sm2Key("S")
KEY_T = Sm2Key("T", b"issuer-330000@example.gov.cn")
"""With a user id of its own."""
