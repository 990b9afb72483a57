"""Decodes a file or pasted text to bytes: PEM, hexadecimal, base64 or bare bytes; removes the marks of editors."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from ybtoken.keys._reading.refused import KeyReadError
from ybtoken.words import Words

__all__ = ["Block", "Decoded", "decoded", "pem_blocks", "text_of"]

LONGEST = 1 << 20
"""Longer input cannot be a key: a certificate with its whole chain has some ten thousand bytes."""

_MOST_BLOCKS = 64  # a key has one block or two, and a chain of certificates fewer than ten
_LONGEST_HEADER = 200
_BEGIN, _END = "-----BEGIN ", "-----END "
_LABEL = re.compile(r"([A-Z0-9 #./]+)-----")
_NOTHING = re.compile("[\\s\u200b\u200c\u200d\u200e\u200f\u2060\ufeff]+")  # chats and editors add them
_HEX = re.compile(r"[0-9A-Fa-f]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}|[A-Za-z0-9_-]+={0,2}")
_HEX_MARKS = re.compile(r"0[xX]|\\x|[,:;{}\[\]]")
_HEX_DUMP = Words(", in hexadecimal", "，十六进制")


class Decoded(NamedTuple):
    """Bytes, and how they were written, for people: ", in hexadecimal"."""

    data: bytes
    how: Words


class Block(NamedTuple):
    """One block of PEM.

    Args:
        label: what stands after BEGIN.
        data: the bytes.
        sealed: the value of ``DEK-Info``, if the block is encrypted in OpenSSL's old format.
    """

    label: str
    data: bytes
    sealed: str | None


def text_of(data: bytes | str) -> str | None:
    """The input as text, without an editor's marks; None if it is binary."""
    if isinstance(data, bytes):
        marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
        encoding = next((name for mark, name in marks.items() if data.startswith(mark)), "ascii")
        if encoding == "ascii" and b"-----BEGIN " in data:
            encoding = "latin-1"  # there may be words before the block, in any encoding
        try:
            data = data.decode(encoding)
        except UnicodeDecodeError:
            return None
        if "\0" in data:
            return None
    text = data.strip("\ufeff\x00 \t\r\n\v\f\"'`")
    if "-----BEGIN " in text:
        text = text.replace("\\r", "").replace("\\n", "\n")  # out of JSON or an environment variable
    return text


def pem_blocks(text: str) -> list[Block]:
    """Every PEM block in a text (RFC 7468); an empty list if none begins.

    Raises:
        KeyReadError: a block is cut off, its content is not base64, or there are more than 64.
    """
    blocks = []
    for label, body in _bodies(text):
        sealed = None
        if "Proc-Type:" in body or "DEK-Info:" in body:
            _, _, header = body.partition("DEK-Info:")
            sealed = "".join(header[:_LONGEST_HEADER].split()[:1])
        lines = [line for line in body.splitlines() if ":" not in line]
        data = _base64(_NOTHING.sub("", "".join(lines)))
        if data is None:
            raise _damaged(f"the lines of {label} are not base64", f"{label} 的内容不是 Base64")
        blocks.append(Block(label, data, sealed))
    return blocks


def _bodies(text: str) -> Iterator[tuple[str, str]]:
    """The label and the text of each block. One regular expression for all would search to the end for every BEGIN."""
    if text.count(_BEGIN) > _MOST_BLOCKS:
        raise _damaged(f"more than {_MOST_BLOCKS} blocks", f"超过 {_MOST_BLOCKS} 段")
    begin = text.find(_BEGIN)
    while begin >= 0:
        first = _LABEL.match(text, begin + len(_BEGIN))
        end = text.find(_END, first.end()) if first else -1
        last = _LABEL.match(text, end + len(_END)) if end >= 0 else None
        begin = text.find(_BEGIN, begin + 1)
        if first is None or last is None or 0 <= begin < end:
            raise _damaged(
                "a line -----BEGIN ...----- or -----END ...----- is missing or changed", "首行或末行缺失或有误"
            )
        if first[1] != last[1]:
            raise _damaged(f"it begins as {first[1]} and ends as {last[1]}", f"首行为 {first[1]}，末行为 {last[1]}")
        yield first[1], text[first.end() : end]


def _damaged(en: str, zh: str) -> KeyReadError:
    return KeyReadError("key.damaged", f"this is PEM that is cut off or damaged: {en}", f"PEM 不完整或已损坏：{zh}")


def decoded(data: bytes | str, text: str | None) -> list[Decoded]:
    """The bytes that the input may mean in each encoding other than PEM.

    Raises:
        KeyReadError: the number of hexadecimal digits is odd.
    """
    found = []
    compact = _NOTHING.sub("", text) if text is not None else None
    digits = _HEX_MARKS.sub("", compact) if compact is not None else ""
    is_hex = bool(_HEX.fullmatch(digits))
    if isinstance(data, bytes) and not is_hex:
        found.append(Decoded(data, Words("", "")))
    if compact is None:
        return found
    if is_hex and len(digits) % 2 == 0:
        found.append(Decoded(bytes.fromhex(digits), _HEX_DUMP))
    if _BASE64.fullmatch(compact) and (bytes_ := _base64(compact)) is not None:
        found.append(Decoded(bytes_, Words(", in base64", "，Base64")))
    if is_hex and len(digits) % 2 and not found:
        raise KeyReadError(
            "key.damaged",
            f"{len(digits)} hexadecimal digits: an odd number, so one was lost. If the tool drops leading zeros, put "
            "them back in front",
            f"{len(digits)} 位十六进制：位数为奇数，有缺失。若工具省略了前导零，请补在前面",
        )
    return found


def _base64(text: str) -> bytes | None:
    """Decode base64 in either alphabet, with or without padding; ``None`` if the bytes have another spelling."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        return None
    spelled = base64.b64encode(data).decode()
    return data if data and spelled.rstrip("=") == bare and len(text) - len(bare) in (0, spelled.count("=")) else None
