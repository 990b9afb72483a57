"""A strict reader of DER (X.690): definite lengths in their shortest form, and nothing after the end.

`cryptography` cannot read keys on the SM2 curve, so the few structures that hold keys are read here.
"""

from __future__ import annotations

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "INTEGER",
    "NULL",
    "OCTET_STRING",
    "OID",
    "SEQUENCE",
    "DerError",
    "Reader",
    "encode",
    "encode_oid",
    "encode_uint",
    "sequence",
    "shape",
]

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x30
_LONG = 0x80
# What is read here is much smaller. Without these bounds, one MiB of the right bytes could take minutes.
_LONGEST_INTEGER = 2049  # bytes: an RSA modulus of 16,384 bits
_LONGEST_OID = 64  # bytes
_MOST_ELEMENTS = 32


class DerError(ValueError):
    """The bytes are not DER, or not the structure that was expected."""


class Reader:
    """Reads DER elements one after another.

    Args:
        data: the bytes of a whole number of elements.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        """Whether another element follows."""
        return self._at < len(self._data)

    @property
    def tag(self) -> int:
        """The tag of the next element; -1 at the end."""
        return self._data[self._at] if self else -1

    def raw(self, tag: int) -> bytes:
        """The next element with its tag and length; the tag must be this one."""
        start = self._at
        self.take(tag)
        return self._data[start : self._at]

    def take(self, tag: int) -> bytes:
        """The content of the next element; its tag must be this one."""
        data, at = self._data, self._at
        if self.tag != tag or at + 2 > len(data) or tag & 0x1F == 0x1F:
            raise DerError(f"an element {tag:#04x} was expected")
        size, at = data[at + 1], at + 2
        if size >= _LONG:
            count = size - _LONG
            digits = data[at : at + count]
            size, at = int.from_bytes(digits, "big"), at + count
            if not 1 <= count <= 4 or len(digits) < count or size < _LONG or not digits[0]:
                raise DerError("a length that is indefinite or not in its shortest form")
        if at + size > len(data):
            raise DerError("cut off")
        self._at = at + size
        return data[at : self._at]

    def integer(self) -> int:
        """The next element, an INTEGER in its shortest form and of at most 16,384 bits; it may be negative."""
        content = self.take(INTEGER)
        if len(content) > _LONGEST_INTEGER:
            raise DerError("an integer of more than 16,384 bits")
        if not content or (len(content) > 1 and content[0] in (0, 0xFF) and content[0] >> 7 == content[1] >> 7):
            raise DerError("an integer that is not in its shortest form")
        return int.from_bytes(content, "big", signed=True)

    def bits(self) -> bytes:
        """The next element, a BIT STRING of whole bytes."""
        content = self.take(BIT_STRING)
        if content[:1] != b"\0":
            raise DerError("a bit string that does not end with a byte")
        return content[1:]

    def oid(self) -> str:
        """The next element, an OBJECT IDENTIFIER of at most 64 bytes, as numbers and dots."""
        content = self.take(OID)
        if len(content) > _LONGEST_OID:
            raise DerError(f"an object identifier of more than {_LONGEST_OID} bytes")
        if not content or content[-1] >= _LONG:
            raise DerError("an object identifier that is cut off")
        numbers, number = [], 0
        for octet in content:
            number = number << 7 | octet & 0x7F
            if octet < _LONG:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))

    def inside(self, tag: int) -> Reader:
        """A reader of the content of the next element; its tag must be this one."""
        return Reader(self.take(tag))

    def end(self) -> None:
        """Check that no further element follows."""
        if self:
            raise DerError("bytes follow the end")


def sequence(data: bytes) -> Reader:
    """A reader of the content of one SEQUENCE; nothing may follow it."""
    outer = Reader(data)
    inner = outer.inside(SEQUENCE)
    outer.end()
    return inner


def shape(data: bytes) -> list[int]:
    """The tags of the elements in one SEQUENCE, at most 32 of them; nothing may follow it."""
    reader = sequence(data)
    tags: list[int] = []
    while reader:
        if len(tags) == _MOST_ELEMENTS:
            raise DerError(f"a sequence of more than {_MOST_ELEMENTS} elements")
        tags.append(reader.tag)
        reader.take(reader.tag)
    return tags


def encode(tag: int, *contents: bytes) -> bytes:
    """One element with these contents."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG + len(digits))) + digits + content


def encode_uint(number: int) -> bytes:
    """An INTEGER that is not negative."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def encode_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from numbers and dots."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for number in (40 * first + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | _LONG)
        content += bytes(reversed(digits))
    return encode(OID, bytes(content))
