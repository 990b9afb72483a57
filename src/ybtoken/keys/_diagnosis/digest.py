"""Digests that a signer may have made from a message: without ZA, with another user id, with another hash function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm, Curve
from ybtoken.keys._diagnosis.deviation import Deviation
from ybtoken.keys._diagnosis.message import sha256, sm3
from ybtoken.keys._reading.numbers import DOMAINS
from ybtoken.keys._sm2.curve import A, B, G
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.words import Words

__all__ = ["digests"]

Digest = Callable[[bytes], bytes]

_ID = Words(
    "Agree on one SM2 user id; the usual one is 1234567812345678, as these 16 characters.",
    "请统一 SM2 用户标识，通常为 1234567812345678 这 16 个字符。",
)
_ZA = Words(
    "Sign e = SM3(ZA || message); ybtoken.keys.signatures.sm2_digest makes it.",
    "请对 e = SM3(ZA||报文) 签名，可用 ybtoken.keys.signatures.sm2_digest 计算。",
)
_HASH = Words(
    "Use the hash of the key's algorithm: SM3 with SM2, SHA-256 with ES256.", "SM2 用 SM3，ES256 用 SHA-256。"
)
_CURVE = b"".join(number.to_bytes(32, "big") for number in (A, B, *G))


def _deviation(code: str, en: str, zh: str, remedy: Words) -> Deviation:
    return Deviation(f"digest.{code}", Words(en, zh), remedy)


def digests(key: VerifyingKey, user_ids: tuple[bytes, ...]) -> Iterator[tuple[Digest, tuple[Deviation, ...]]]:
    """Functions from a message to 32 bytes, the right one first, each with what is wrong with it."""
    if Algorithm(key.algorithm).curve is Curve.SM2:
        yield from _sm2(key, user_ids)
    else:
        yield sha256, ()
        yield sm3, (_deviation("sm3", "SM3 was used in place of SHA-256.", "误用 SM3 代替 SHA-256。", _HASH),)
        yield from _common(sha256, DOMAINS[Curve.P256].n)


def _sm2(key: VerifyingKey, user_ids: tuple[bytes, ...]) -> Iterator[tuple[Digest, tuple[Deviation, ...]]]:
    own: bytes = getattr(key, "user_id", DEFAULT_USER_ID)
    point = b"".join(key.point)

    def with_id(user_id: bytes, length: int | None = None, hashed: Digest = sm3) -> Digest:
        bits = 8 * len(user_id) if length is None else length
        za = hashed(bits.to_bytes(2, "big") + user_id + _CURVE + point)
        return lambda message: hashed(za + message)

    right = with_id(own)
    yield right, ()
    yield sm3, (_deviation("no-za", "ZA was left out: e is SM3(message).", "缺少 ZA：e 为 SM3(报文)。", _ZA),)
    named = {
        b"": Words("empty", "空"),
        DEFAULT_USER_ID: Words("the usual 1234567812345678", "默认的 1234567812345678"),
        DEFAULT_USER_ID.hex().encode(): Words(
            "the hexadecimal of 1234567812345678, as text", "1234567812345678 的十六进制文本"
        ),
        bytes.fromhex(DEFAULT_USER_ID.decode()): Words(
            "1234567812345678 read as hexadecimal, 8 bytes", "1234567812345678 按十六进制解析的 8 字节"
        ),
        b"ALICE123@YAHOO.COM": Words("ALICE123@YAHOO.COM, the standard's example", "标准示例 ALICE123@YAHOO.COM"),
        DEFAULT_USER_ID + b"\0": Words("1234567812345678 with a zero byte", "1234567812345678 加零字节"),
        own.hex().encode(): Words("the key's id as hexadecimal text", "标识的十六进制文本"),
        key.kid: Words("the kid", "kid"),
        key.kid.hex().encode(): Words("the kid as text", "kid 文本"),
    } | {each: Words(f"{each!r}", f"{each!r}") for each in user_ids}
    for user_id, name in named.items():
        if user_id != own and len(user_id) < 8192:
            en = f"Another SM2 user id was used: {name.en}."
            yield with_id(user_id), (_deviation("user-id", en, f"SM2 用户标识不同：{name.zh}。", _ID),)
    entl = _deviation("entl", "The id's length stands in ZA in bytes, not bits.", "ZA 中标识长度误以字节计。", _ZA)
    yield with_id(own, len(own)), (entl,)
    other = _deviation("sha256", "SHA-256 was used in place of SM3.", "误用 SHA-256 代替 SM3。", _HASH)
    no_za = _deviation("no-za", "ZA was left out.", "缺少 ZA。", _ZA)
    yield sha256, (other, no_za)
    yield with_id(own, hashed=sha256), (other,)
    za = sm3((8 * len(own)).to_bytes(2, "big") + own + _CURVE + point)
    yield lambda message: sha256(za + message), (other,)
    yield from _common(right, DOMAINS[Curve.SM2].n)
    last = _deviation("za-last", "ZA stands behind the message.", "ZA 放在报文之后。", _ZA)
    yield lambda message: sm3(message + za), (last,)


def _common(right: Digest, n: int) -> Iterator[tuple[Digest, tuple[Deviation, ...]]]:
    twice = _deviation("twice", "The digest was hashed once more.", "摘要又被摘要一次。", _HASH)
    yield lambda message: sm3(right(message)), (twice,)
    yield lambda message: sha256(right(message)), (twice,)
    turned = _deviation("little-endian", "The digest was taken as little-endian.", "摘要按小端字节序使用。", _HASH)
    yield lambda message: right(message)[::-1], (turned,)
    for name in ("sha1", "sha384", "sha512", "md5"):
        words = _deviation("other-hash", f"{name.upper()} was used.", f"误用 {name.upper()}。", _HASH)
        yield partial(_hashed_by, name), (words,)
    raw = _deviation("none", "The message was not hashed.", "报文未做摘要。", _HASH)
    yield lambda message: message[:32].rjust(32, b"\0"), (raw,)
    yield lambda message: (int.from_bytes(message, "big") % n).to_bytes(32, "big"), (raw,)


def _hashed_by(name: str, message: bytes) -> bytes:
    return hashlib.new(name, message, usedforsecurity=False).digest()[:32].rjust(32, b"\0")
