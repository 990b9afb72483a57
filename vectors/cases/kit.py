"""What the cases are made with: CBOR written by hand, test keys, signatures, texts.

Nothing here comes from the library: the vectors are a second opinion on it. ECDSA takes its k from RFC 6979, so every
byte can be made again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

# --- CBOR (RFC 8949) -------------------------------------------------------------------------------------------------


def head(major: int, number: int, width: int | None = None) -> bytes:
    """The head of an item: in its shortest form, or with the number in so many bytes (0, 1, 2, 4 or 8)."""
    if width is None:
        width = next(
            w for w, limit in ((0, 24), (1, 1 << 8), (2, 1 << 16), (4, 1 << 32), (8, 1 << 64)) if number < limit
        )
    if width == 0:
        return bytes([major << 5 | number])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + number.to_bytes(width, "big")


def uint(number: int, width: int | None = None) -> bytes:
    """An integer from 0 on."""
    return head(0, number, width)


def nint(number: int, width: int | None = None) -> bytes:
    """An integer below 0."""
    return head(1, -1 - number, width)


def bstr(data: bytes, width: int | None = None) -> bytes:
    """A byte string."""
    return head(2, len(data), width) + data


def tstr(text: str) -> bytes:
    """A text string."""
    return head(3, len(text.encode())) + text.encode()


# --- keys and signatures ---------------------------------------------------------------------------------------------

ES256, ESP256, SM2 = -7, -9, -65537
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of P-256."""

Hash = Callable[[bytes], Any]


def rfc6979_k(secret: int, digest: bytes, order: int = ORDER, hash_: Hash = hashlib.sha256) -> int:
    """The k of deterministic ECDSA (RFC 6979 section 3.2), for digests and orders of 32 bytes."""
    name = hash_(b"").name
    seed = secret.to_bytes(32, "big") + (int.from_bytes(digest, "big") % order).to_bytes(32, "big")
    key, value = bytes(32), b"\1" * 32
    for separator in (b"\0", b"\1"):
        key = hmac.digest(key, value + separator + seed, name)
        value = hmac.digest(key, value, name)
    while True:
        value = hmac.digest(key, value, name)
        if 0 < (k := int.from_bytes(value, "big")) < order:
            return k
        key = hmac.digest(key, value + b"\0", name)
        value = hmac.digest(key, value, name)


class Key:
    """A test key on P-256. Its secret is a hash of its name: it protects nothing.

    Args:
        name: names the key, and makes its secret.
        algorithm: ES256 or ESP256.
    """

    def __init__(self, name: str, algorithm: int = ES256) -> None:
        self.name = name
        self.algorithm = algorithm
        self.secret = int.from_bytes(hashlib.sha256(f"ybtoken test key {name}".encode()).digest(), "big") % ORDER
        numbers = ec.derive_private_key(self.secret, ec.SECP256R1()).public_key().public_numbers()
        self.x, self.y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        # RFC 9679: the SHA-256 of {1: 2, -1: 1, -2: x, -3: y}, of which 8 bytes.
        thumbprint = hashlib.sha256(b"\xa4\x01\x02\x20\x01\x21" + bstr(self.x) + b"\x22" + bstr(self.y)).digest()
        self.kid = thumbprint[:8]

    def header(self) -> bytes:
        """The protected header of this key's tokens."""
        return b"\xa2\x01" + nint(self.algorithm) + b"\x04" + bstr(self.kid)

    def sign(self, message: bytes) -> tuple[int, int]:
        """ECDSA with SHA-256 and the k of RFC 6979: r and s."""
        digest = hashlib.sha256(message).digest()
        k = rfc6979_k(self.secret, digest)
        r = ec.derive_private_key(k, ec.SECP256R1()).public_key().public_numbers().x % ORDER
        return r, pow(k, -1, ORDER) * (int.from_bytes(digest, "big") + r * self.secret) % ORDER

    def jwk(self, **members: Any) -> dict[str, Any]:
        """The key's entry in a JWK Set; the members are those of Spec 5."""
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": base64url(self.x),
            "y": base64url(self.y),
            "alg": {ES256: "ES256", ESP256: "ESP256"}[self.algorithm],
            "kid": self.kid.hex(),
            "yb_issuer": f"Test issuer {self.name}",
            **members,
        }


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


KEY_A = Key("A")
KEY_B = Key("B")
KEY_E = Key("E", ESP256)
STRANGER = Key("stranger")
"""In no key ring."""

# --- tokens ----------------------------------------------------------------------------------------------------------

IAT = 1_800_000_000
EXP = IAT + 60
NOW = IAT + 5
NONCE = bytes.fromhex("6e6f6e6365303031")
IDENTITY = bytes.fromhex("1d1d0000111122223333444455556666")
PRESENTER = bytes.fromhex("b0b00000aaaabbbbccccddddeeeeffff")
CITY = 330_100


def payload(**changed: bytes) -> bytes:
    """The claims, item by item; what is changed is given as raw bytes."""
    parts = {
        "map": b"\xa4",
        "exp": b"\x04" + uint(EXP),
        "iat": b"\x06" + uint(IAT),
        "cti": b"\x07" + bstr(NONCE),
        "cnf": b"",
        "label": b"\x3a\x00\x01\x00\x00",
        "array": b"\x84" if "extras" in changed else b"\x83",
        "profile": b"\x01",
        "identity": bstr(IDENTITY),
        "city": uint(CITY),
        "extras": b"",
        "end": b"",
    }
    assert changed.keys() <= parts.keys()
    return b"".join((parts | changed).values())


def sig_structure(header: bytes, claims: bytes) -> bytes:
    """What is signed (RFC 9052 section 4.4)."""
    return b"\x84" + tstr("Signature1") + bstr(header) + b"\x40" + bstr(claims)


def raw_signature(r: int, s: int) -> bytes:
    """R || s, 32 bytes each, big-endian."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(claims: bytes | None = None, *, key: Key = KEY_A, header: bytes | None = None, **changed: bytes) -> bytes:
    """A token over some claims, signed by a key; what is changed of the envelope is given as raw bytes."""
    claims = payload() if claims is None else claims
    header = key.header() if header is None else header
    parts = {
        "tag": b"\xd2",
        "array": b"\x84",
        "protected": bstr(header),
        "unprotected": b"\xa0",
        "payload": bstr(claims),
        "signature": b"\x58\x40" + raw_signature(*key.sign(sig_structure(header, claims))),
        "end": b"",
    }
    assert changed.keys() <= parts.keys()
    return b"".join((parts | changed).values())


# --- text ------------------------------------------------------------------------------------------------------------

_LAST_DIGITS = (0, 3, 5, 8, 10, 13, 15)


def groups(data: bytes) -> str:
    """Bytes as groups of digits."""
    digits = ""
    for i in range(0, len(data), 7):
        group = data[i : i + 7]
        digits += str(int.from_bytes(group, "little")).zfill(17 if len(group) == 7 else _LAST_DIGITS[len(group)])
    return digits


def framed(body: str) -> str:
    """A prefix and groups, with their check digits (ISO 7064 MOD 97-10)."""
    return body + f"{98 - int(body + '00') % 97:02d}"


def text(data: bytes, prefix: str = "96") -> str:
    """The text of a token."""
    return framed(prefix + groups(data))


# --- cases -----------------------------------------------------------------------------------------------------------


Redeems = list[tuple[str, int, dict[str, Any]] | tuple[str, int, dict[str, Any], int]]
"""Each text with its time, what is expected, and the time of the claim if it is another."""


def in_order(redeems: Redeems) -> list[dict[str, Any]]:
    """What is redeemed, as it stands in the file."""
    return [
        {"text": text_, "now": now, **({"claimed_at": late[0]} if late else {}), "expect": expect}
        for text_, now, expect, *late in redeems
    ]


def case(
    id_: str,
    why: str,
    text_: str,
    expect: dict[str, Any],
    *,
    keys: list[dict[str, Any]] | None = None,
    now: int = NOW,
    skew: int = 10,
    max_lifetime: int = 300,
    **more: Any,
) -> dict[str, Any]:
    """A case of verification, as it stands in the file."""
    return {
        "id": id_,
        "why": why,
        "text": text_,
        "jwks": {"keys": [KEY_A.jwk(), KEY_B.jwk()] if keys is None else keys},
        "now": now,
        "skew": skew,
        "max_lifetime": max_lifetime,
        **more,
        "expect": expect,
    }


_STEPS = {
    "text": 1,
    "envelope": 2,
    "key": 3,
    "signature": 4,
    "device": 4,
    "claims": 5,
    "time": 6,
    "otp": 6,
    "presentation": 6,
    "scope": 7,
    "policy": 8,
    "challenge": 8,
    "status": 8,
    "redeem": 9,
}


def refused(code: str) -> dict[str, Any]:
    """The expectation that a token is refused."""
    return {"step": _STEPS[code.split(".")[0]], "code": code}


def accepted(key: Key = KEY_A, **claims: Any) -> dict[str, Any]:
    """The expectation that a token is accepted, with these claims in place of the usual ones."""
    return {
        "claims": {
            "kid": key.kid.hex(),
            "algorithm": key.algorithm,
            "profile": 1,
            "identity_ref": IDENTITY.hex(),
            "city_code": f"{CITY:06d}",
            "issued_at": IAT,
            "expires_at": EXP,
            "nonce": NONCE.hex(),
            **claims,
        }
    }
