"""The one way to decode CBOR that is not known to be ours: its bytes are checked before `cbor2` sees them.

`cbor2` resolves shared references (tags 28 and 29), so a document of 176 bytes can stand for a value that takes seconds
to walk, or that contains itself. It also reserves room for as many items as an array states. Nothing that is read here
needs a tag, so every tag is refused, and an array or map that states more items than bytes follow is cut off.
"""

from __future__ import annotations

from typing import Any

import cbor2

from ybtoken.words import BoundsError

__all__ = ["CutOffError", "end_of_item", "load_plain"]

_DEPTH = 16
"""Arrays and maps within each other; a key ring has 3, and claims have 3."""

_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
_INDEFINITE = 28  # additional information from 28 on is reserved, or means an indefinite length (RFC 8949 section 3)


class CutOffError(BoundsError):
    """The data ends within the item."""


def end_of_item(data: bytes, at: int = 0) -> int:
    """Where the CBOR item that begins at this offset ends.

    Raises:
        CutOffError: the data ends before the item does.
        ValueError: the item has a tag or an indefinite length, or more than 16 arrays and maps within each other.
    """
    left = [1]  # the items that are still to come, for each array and map that is open
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        if at >= len(data):
            raise CutOffError("not CBOR: cut off", "不是 CBOR：不完整")
        major, number, at = data[at] >> 5, data[at] & 31, at + 1
        if number >= _INDEFINITE:
            raise BoundsError("not CBOR of a definite length", "不是定长的 CBOR")
        if number >= 24:
            width = 1 << (number - 24)
            number, at = int.from_bytes(data[at : at + width], "big"), at + width
        if major == _TAG:
            raise BoundsError("CBOR with a tag, which has no meaning here", "CBOR 带有标签，此处无意义")
        if major in (_BYTES, _TEXT):
            at += number
        elif major in (_ARRAY, _MAP):
            items = number * (major - _TEXT)
            if items > len(data) - at:  # each has a byte at least
                raise CutOffError("not CBOR: cut off", "不是 CBOR：不完整")
            if len(left) > _DEPTH:
                raise BoundsError(
                    f"CBOR of more than {_DEPTH} arrays and maps within each other",
                    f"CBOR 的数组与 map 嵌套超过 {_DEPTH} 层",
                )
            left.append(items)
        if at > len(data):
            raise CutOffError("not CBOR: cut off", "不是 CBOR：不完整")
    return at


def load_plain(data: bytes) -> Any:
    """Decode the CBOR item at the beginning of the data, which has no tags and only definite lengths.

    Raises:
        ValueError: the data does not begin with such an item. `CutOffError` if it ends too early.
    """
    item = data[: end_of_item(data)]
    try:
        return cbor2.loads(item)
    except (cbor2.CBORError, ValueError, TypeError) as error:
        raise BoundsError(f"not CBOR: {error}", "不是 CBOR") from error
