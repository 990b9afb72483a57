"""What a signer may have handed over instead of ``r || s``, converted back to the 64 bytes ``r || s``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from ybtoken.keys._der import raw_from_der
from ybtoken.keys._diagnosis.deviation import Deviation
from ybtoken.keys._reading import der
from ybtoken.words import Words

__all__ = ["spellings"]

_REMEDY = Words(
    "Hand over r and s as 64 bytes: 32 each, big-endian, leading zeros included.",
    "请交付 64 字节的 r||s：各 32 字节，大端，保留前导零。",
)


def _spelled(code: str, en: str, zh: str, remedy: Words = _REMEDY) -> Deviation:
    return Deviation(f"signature.{code}", Words(en, zh), remedy)


_DER = _spelled(
    "der",
    "The signature is in DER.",
    "签名为 DER 编码。",
    Words(
        "Convert it: ybtoken.keys.signatures.raw_from_der, or the signer's plain or P1363 format.",
        "请转换：ybtoken.keys.signatures.raw_from_der，或选用签名工具的 plain（P1363）格式。",
    ),
)
_LOOSE_DER = _spelled("der", "The signature is in DER, and not in its one encoding.", "签名为 DER 编码，且编码不规范。")
_HEX = _spelled("hex", "The signature is text: hexadecimal.", "签名为十六进制文本。")
_BASE64 = _spelled("base64", "The signature is text: base64.", "签名为 Base64 文本。")
_SWAPPED = _spelled("swapped", "s stands before r.", "s 在 r 之前。")
_LITTLE = _spelled("little-endian", "r and s are little-endian.", "r、s 为小端字节序。")
_FIELDS = _spelled(
    "fields",
    "r and s are in fields of 64 bytes, as devices have them.",
    "r、s 为设备的 64 字节字段。",
    Words("Convert it: ybtoken.keys.signatures.raw_from_fields.", "请转换：ybtoken.keys.signatures.raw_from_fields。"),
)
_SHORT = _spelled("short", "Leading zeros of r or s were dropped.", "r 或 s 的前导零被省略。")
_LONG = _spelled("long", "r or s has a zero byte in front, as an integer has.", "r 或 s 前多一个零字节（整数符号位）。")
_WITH_KEY = _spelled("with-key", "The public key follows the signature.", "签名之后附有公钥。")
_RECOVERY = _spelled(
    "recovery-id", "A byte is added to r and s, as for recovering the key.", "r、s 之外多一个恢复标识字节。"
)


def spellings(given: bytes) -> Iterator[tuple[bytes, tuple[Deviation, ...]]]:
    """Every ``r || s`` that the bytes may mean, the plain one first, each with its deviations."""
    for data, read in _decoded(given):
        for raw, spelled in _raws(data):
            yield raw, (*read, *spelled)
            yield raw[32:] + raw[:32], (*read, *spelled, _SWAPPED)
            yield raw[:32][::-1] + raw[32:][::-1], (*read, *spelled, _LITTLE)
            yield raw[::-1], (*read, *spelled, _LITTLE, _SWAPPED)


def _decoded(given: bytes) -> Iterator[tuple[bytes, tuple[Deviation, ...]]]:
    yield given, ()
    try:
        text = "".join(given.decode("ascii").split())
    except UnicodeDecodeError:
        return
    text = text.strip("\"'\ufeff")
    bare = text.removeprefix("0x").replace(":", "").replace(",", "")
    try:
        yield bytes.fromhex(bare), (_HEX,)
        return
    except ValueError:
        pass
    padded = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        yield base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True), (_BASE64,)
    except binascii.Error:
        return


def _raws(data: bytes) -> Iterator[tuple[bytes, tuple[Deviation, ...]]]:
    size = len(data)
    if size == 64:
        yield data, ()
    try:
        yield raw_from_der(data), (_DER,)
    except ValueError:
        if loose := _loose(data):
            yield loose, (_LOOSE_DER,)
    if size == 128:
        if not any(data[:32]) and not any(data[64:96]):
            yield data[32:64] + data[96:], (_FIELDS,)
        yield data[:64], (_WITH_KEY,)
    elif size == 129:
        yield data[:64], (_WITH_KEY,)
    elif size in (65, 66):
        if size == 65:
            yield data[:64], (_RECOVERY,)
            yield data[1:], (_RECOVERY,)
        for first in (32, 33):  # an integer's zero byte before r, before s, or before both
            r, s = data[:first], data[first:]
            if not any(r[:-32]) and not any(s[:-32]) and len(s) >= 32:
                yield r[-32:] + s[-32:], (_LONG,)
    elif 56 <= size < 64:
        for first in range(size - 32, 33):
            yield data[:first].rjust(32, b"\0") + data[first:].rjust(32, b"\0"), (_SHORT,)


def _loose(data: bytes) -> bytes | None:
    """The ``r || s`` of DER whose integers are too long, or negative because the zero byte before them is missing."""
    try:
        reader = der.sequence(data)
        halves = [reader.take(der.INTEGER).lstrip(b"\0") for _ in range(2)]
        reader.end()
    except der.DerError:
        return None
    if any(len(half) > 32 for half in halves):
        return None
    return b"".join(half.rjust(32, b"\0") for half in halves)
