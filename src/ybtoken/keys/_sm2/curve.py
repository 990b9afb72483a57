"""SM2 as bytes: the curve, its points, ZA, and the encodings of keys.

This module owns every SM2 rule that needs no secret and no library: the domain parameters (GB/T 32918.5-2017), ZA (GB/T
32918.2-2016 section 5.5), the check of a point when a key is loaded, and the one form of SubjectPublicKeyInfo and
PKCS#8 (RFC 5480, RFC 5958, RFC 5915). Only `pkcs8_from_scalar` handles a secret.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes

from ybtoken.words import BoundsError

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

MAX_USER_ID: Final = 8191  # its length in bits must fit in the two bytes of ENTL

_ALGORITHM: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")  # id-ecPublicKey, sm2p256v1
_SPKI_HEAD: Final = bytes.fromhex("3059") + _ALGORITHM + bytes.fromhex("034200")
_CURVE_BYTES: Final = b"".join(number.to_bytes(32, "big") for number in (A, B, *G))


def check_point(point: bytes) -> tuple[int, int]:
    """The coordinates of an uncompressed point, ``04 || x || y``.

    A point on the curve needs no further check: the cofactor is 1, so its order is n.

    Raises:
        TypeError: not bytes.
        ValueError: not 65 bytes that start with 04, a coordinate not below p, or not on the curve.
    """
    if not isinstance(point, bytes):
        raise TypeError(f"an SM2 public key is bytes, not {type(point).__name__}")
    if len(point) != 65 or point[0] != 4:
        raise BoundsError("an SM2 public key is 65 bytes: 04, x, y", "SM2 公钥应为 65 字节：04、x、y")
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    if x >= P or y >= P or (y * y - (x * x + A) * x - B) % P:
        raise BoundsError("the point is not on the SM2 curve", "该点不在 SM2 曲线上")
    return x, y


def decompress(x: bytes, y_is_odd: bool) -> bytes:
    """The uncompressed point with this x and the y of this parity (GB/T 32918.1-2016 section 4.2.10).

    Raises:
        ValueError: no point of the curve has this x.
    """
    number = int.from_bytes(x, "big")
    y = pow(number**3 + A * number + B, (P + 1) // 4, P)  # a square root if there is one, because P is 3 modulo 4
    point = b"\x04" + x + (y if y % 2 == y_is_odd else P - y).to_bytes(32, "big")
    check_point(point)
    return point


def check_user_id(user_id: bytes) -> bytes:
    """Return an SM2 user id of 1 to 8191 bytes, or raise `TypeError` or `ValueError`."""
    if not isinstance(user_id, bytes):
        raise TypeError(f"an SM2 user id is bytes, not {type(user_id).__name__} (SM2 用户标识应为 bytes)")
    if not 1 <= len(user_id) <= MAX_USER_ID:
        raise BoundsError(f"an SM2 user id is 1 to {MAX_USER_ID} bytes", f"SM2 用户标识应为 1 至 {MAX_USER_ID} 字节")
    return user_id


def message_hash(point: bytes, user_id: bytes) -> hashes.Hash:
    """SM3 after it has hashed ZA: a copy of it that hashes the message gives e (GB/T 32918.2 sections 5.5, 6.1).

    Raises:
        TypeError, ValueError: see `check_user_id`.
    """
    check_user_id(user_id)
    head = hashes.Hash(hashes.SM3())
    head.update((len(user_id) * 8).to_bytes(2, "big") + user_id + _CURVE_BYTES + point[1:])
    state = hashes.Hash(hashes.SM3())
    state.update(head.finalize())
    return state


def spki_from_point(point: bytes) -> bytes:
    """SubjectPublicKeyInfo (DER, 91 bytes) of an uncompressed point."""
    return _SPKI_HEAD + point


def point_from_spki(der: bytes) -> bytes:
    """The checked point of a SubjectPublicKeyInfo; ValueError for another algorithm, curve or point form."""
    if not der.startswith(_SPKI_HEAD):
        raise BoundsError("not an SM2 public key with an uncompressed point", "不是 SM2 公钥，或点未按非压缩格式编码")
    point = der[len(_SPKI_HEAD) :]
    check_point(point)
    return point


def pkcs8_from_scalar(scalar: bytes) -> bytes:
    """PKCS#8 (DER) of a 32-byte private scalar, without its public point, which the reader computes."""
    ec_private_key = bytes.fromhex("30250201010420") + scalar
    return bytes.fromhex("3041020100") + _ALGORITHM + bytes.fromhex("0427") + ec_private_key
