"""Points and private numbers without a structure around them, in the lengths that tools and devices write."""

from __future__ import annotations

from typing import NamedTuple

from ybtoken.algorithms import Curve
from ybtoken.keys._reading.found import CURVE_NAMES
from ybtoken.keys._reading.refused import KeyReadError, unknown
from ybtoken.words import Words

__all__ = ["DOMAINS", "Domain", "check_number", "number_of", "on_curve", "point_of"]

SIZE = 32
_FIELD = 64  # of an SDF or SKF structure, which has room for 512 bits
_BITS = (256).to_bytes(4, "little")  # the first member of such a structure


class Domain(NamedTuple):
    """A curve's parameters; a is p - 3 on both curves."""

    p: int
    b: int
    n: int
    g: tuple[int, int]


DOMAINS = {
    Curve.P256: Domain(
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        (
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
    ),
    Curve.SM2: Domain(
        0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
        0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
        0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
        (
            0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
            0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
        ),
    ),
}


def on_curve(curve: Curve, point: bytes) -> bool:
    """Whether 65 bytes are the uncompressed point of this curve."""
    p, b, _, _ = DOMAINS[curve]
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    return x < p and y < p and (y * y - (x * x - 3) * x - b) % p == 0


def number_of(data: bytes) -> tuple[bytes, Words]:
    """A private number from bare bytes, 32 of them big-endian, and how it was written.

    Raises:
        KeyReadError: the length is another, or bytes that should be zero are not.
    """
    size = len(data)
    if size == SIZE:
        return data, Words("32 bytes", "32 字节")
    if size == SIZE + 1 and not data[0]:
        return data[1:], Words("33 bytes with 00 in front", "33 字节（前置 00）")
    if size == _FIELD and not any(data[:SIZE]):
        return data[SIZE:], Words("a field of 64 bytes", "64 字节字段")
    if size == 4 + _FIELD and data.startswith(_BITS) and not any(data[4 : 4 + SIZE]):
        return data[4 + SIZE :], Words("an SDF structure with a field of 64 bytes", "SDF 结构（64 字节字段）")
    if size == 4 + SIZE and data.startswith(_BITS):
        return data[4:], Words("an SDF structure with a field of 32 bytes", "SDF 结构（32 字节字段）")
    if size in (2 * SIZE, 2 * SIZE + 1) and _candidates(data):
        raise KeyReadError(
            "key.public",
            f"this is a public key ({size} bytes), and a private key is wanted",
            f"这是公钥（{size} 字节），此处需要私钥",
        )
    if size in (3 * SIZE, 3 * SIZE + 1) and any(_candidates(data[i:]) for i in (0, SIZE)):
        raise KeyReadError(
            "key.kind",
            f"{size} bytes: this looks like a private and a public key one after the other; give the 32 private bytes",
            f"{size} 字节：似为私钥与公钥相连，请只给出 32 字节私钥",
        )
    if size == 16:
        raise KeyReadError(
            "key.kind",
            "16 bytes: this has the size of an SM4 key; a private key has 32",
            "16 字节：这是 SM4 密钥的长度，私钥为 32 字节",
        )
    if SIZE - 2 <= size < SIZE:
        raise KeyReadError(
            "key.damaged",
            f"{size} bytes: a private key has 32. If the tool drops leading zeros, put them back in front",
            f"{size} 字节：私钥为 32 字节。若工具省略了前导零，请补在前面",
        )
    raise unknown()


def check_number(curve: Curve, number: bytes) -> bytes:
    """Return a private number if it is within the curve's bounds: 1 to n - 1, for SM2 1 to n - 2."""
    last = DOMAINS[curve].n - (2 if curve is Curve.SM2 else 1)
    if not 1 <= int.from_bytes(number, "big") <= last:
        raise KeyReadError(
            "key.number",
            f"the private number is not one of {CURVE_NAMES[curve]}: 1 to n - {'2' if curve is Curve.SM2 else '1'}",
            f"私钥数值不在 {CURVE_NAMES[curve]} 的范围内",
        )
    return number


def point_of(data: bytes, curve: Curve | None) -> tuple[Curve, bytes, Words]:
    """A public point from bare bytes: its curve, 65 bytes, and how it was written.

    Args:
        data: 64 or 65 bytes, 33 (compressed), fields of 64 bytes, an SDF structure, or one of these wrapped in ASN.1.
        curve: the curve, if it is known. An uncompressed point determines its curve, because it is on no other.

    Raises:
        KeyReadError: the length is another, or the bytes are not a point.
    """
    if len(data) == SIZE + 1 and data[0] in (2, 3):
        return _decompressed(data, curve)
    found = [
        (each, point, words)
        for point, words in _candidates(data)
        for each in (DOMAINS if curve is None else (curve,))
        if on_curve(each, point)
    ]
    if found:
        return found[0]
    if candidates := _candidates(data):
        _refuse_point(candidates[0][0], curve, len(data))
    if len(data) == SIZE:
        raise KeyReadError(
            "key.private",
            "32 bytes: this is a private key, or half of a public key; a public key has 64 or 65 bytes",
            "32 字节：这是私钥，或公钥的一半；公钥为 64 或 65 字节",
        )
    raise unknown()


def _refuse_point(point: bytes, curve: Curve | None, size: int) -> None:
    for other in DOMAINS:
        if curve is not None and other is not curve and on_curve(other, point):
            raise KeyReadError(
                "key.curve",
                f"this is a {CURVE_NAMES[other]} public key, and one of {CURVE_NAMES[curve]} is wanted",
                f"这是 {CURVE_NAMES[other]} 公钥，此处需要 {CURVE_NAMES[curve]} 公钥",
            )
    x, y = point[1:33], point[33:]
    turned = b"\x04" + x[::-1] + y[::-1]
    wanted = CURVE_NAMES[curve] if curve is not None else "SM2 or P-256"
    if any(on_curve(each, turned) for each in DOMAINS):
        raise KeyReadError(
            "key.point",
            "the coordinates are little-endian: turn the 32 bytes of x and of y round",
            "坐标为小端字节序：请将 x、y 各 32 字节倒序",
        )
    if any(on_curve(each, b"\x04" + y + x) for each in DOMAINS):
        raise KeyReadError("key.point", "x and y have changed places", "x 与 y 位置颠倒")
    hint = " (a signature also has 64 bytes)" if size == 2 * SIZE else ""
    raise KeyReadError(
        "key.point",
        f"{size} bytes, but not a point on the curve {wanted}{hint}",
        f"{size} 字节，但不是 {wanted} 曲线上的点{'（签名也是 64 字节）' if hint else ''}",
    )


def _candidates(data: bytes) -> list[tuple[bytes, Words]]:
    """The uncompressed points that the bytes may mean by their length and first bytes; they may be off the curve."""
    size = len(data)
    if size == 2 * SIZE:
        return [(b"\x04" + data, Words("64 bytes without 04", "64 字节，不含 04"))]
    if size == 2 * SIZE + 1 and data[0] == 4:
        return [(data, Words("65 bytes with 04", "65 字节，含 04"))]
    if size == 2 * SIZE + 1 and data[0] in (6, 7):
        if data[0] & 1 != data[-1] & 1:
            raise KeyReadError("key.point", "a hybrid point whose y is not of its parity", "混合格式的点，y 的奇偶不符")
        return [(b"\x04" + data[1:], Words("65 bytes of the hybrid form", "65 字节，混合格式"))]
    if size == 2 * SIZE + 2 and data.startswith(b"\x00\x04"):
        return [(data[1:], Words("66 bytes, the content of a BIT STRING", "66 字节，BIT STRING 的内容"))]
    if size == 2 * SIZE + 3 and data.startswith(b"\x04\x41\x04"):
        return [(data[2:], Words("an OCTET STRING in DER, as PKCS#11 has it", "DER OCTET STRING（PKCS#11 形式）"))]
    if size == 2 * SIZE + 4 and data.startswith(b"\x03\x42\x00\x04"):
        return [(data[3:], Words("a BIT STRING in DER", "DER BIT STRING"))]
    found = []
    if size == 4 + 2 * SIZE and data.startswith(_BITS):
        found.append((b"\x04" + data[4:], Words("an SDF structure with fields of 32 bytes", "SDF 结构（32 字节字段）")))
    if size in (2 * _FIELD, 4 + 2 * _FIELD, 1 + 2 * _FIELD):
        head, fields = data[: -2 * _FIELD], data[-2 * _FIELD :]
        x, y = fields[:_FIELD], fields[_FIELD:]
        if head in (b"", _BITS, b"\x04") and not any(x[:SIZE]) and not any(y[:SIZE]):
            words = Words("fields of 64 bytes", "64 字节字段")
            if head == _BITS:
                words = Words("an SDF structure with fields of 64 bytes", "SDF 结构（64 字节字段）")
            found.append((b"\x04" + x[SIZE:] + y[SIZE:], words))
    return found


def _decompressed(data: bytes, curve: Curve | None) -> tuple[Curve, bytes, Words]:
    if curve is None:
        raise KeyReadError(
            "key.curve",
            "a compressed point does not say which curve it is on: state SM2 or P-256",
            "压缩格式的点不能表明所在曲线：请指定 SM2 或 P-256",
        )
    p, b, _, _ = DOMAINS[curve]
    x = int.from_bytes(data[1:], "big")
    y = pow(x**3 - 3 * x + b, (p + 1) // 4, p)  # a square root if there is one: p is 3 modulo 4 on both curves
    point = b"\x04" + data[1:] + (y if y & 1 == data[0] & 1 else p - y).to_bytes(SIZE, "big")
    if not on_curve(curve, point):
        name = CURVE_NAMES[curve]
        raise KeyReadError(
            "key.point", f"33 bytes, but not a compressed point of {name}", f"33 字节，但不是 {name} 的压缩格式的点"
        )
    return curve, point, Words("33 bytes, compressed", "33 字节，压缩格式")
