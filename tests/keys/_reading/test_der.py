"""The strict reader of DER: each element that is not the expected one, or not in its only form, is refused."""

from __future__ import annotations

import pytest

from ybtoken.keys._reading import der
from ybtoken.keys._reading.der import DerError, Reader


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        (der.INTEGER, b""),
        (der.INTEGER, b"\x02"),
        (der.INTEGER, b"\x04\x01\x07"),  # another tag
        (0x1F, b"\x1f\x01\x07"),  # a tag of several bytes
        (0xBF, b"\xbf\x01\x07"),
        (der.INTEGER, b"\x02\x02\x07"),  # cut off
        (der.OCTET_STRING, b"\x04\x80\0\0"),  # of indefinite length
        (der.OCTET_STRING, b"\x04\x81\x7f" + bytes(127)),  # a length that fits into one byte
        (der.OCTET_STRING, b"\x04\x82\0\x80" + bytes(128)),  # a length that begins with 0
        (der.OCTET_STRING, b"\x04\x82\x01"),
        (der.OCTET_STRING, b"\x04\x85\x01\0\0\0\0"),
    ],
)
def test_what_is_not_the_element_is_refused(tag: int, data: bytes) -> None:
    with pytest.raises(DerError):
        Reader(data).take(tag)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_a_length_has_one_form(size: int) -> None:
    reader = Reader(der.encode(der.OCTET_STRING, bytes(size)) + b"\x02\x01\x07")
    assert reader.take(der.OCTET_STRING) == bytes(size)
    assert reader.integer() == 7
    reader.end()
    assert reader.tag == -1


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (b"\x00", "0.0"),
        (b"\x27", "0.39"),
        (b"\x28", "1.0"),
        (b"\x4f", "1.39"),
        (b"\x50", "2.0"),
        (b"\x88\x37", "2.999"),
        (b"\x2a\x7f", "1.2.127"),
        (b"\x2a\x81\x00", "1.2.128"),
        (b"\x2a\x81\x80\x00\x01", "1.2.16384.1"),
    ],
)
def test_an_object_identifier_is_numbers_and_dots(content: bytes, numbers: str) -> None:
    encoded = der.encode(der.OID, content)
    assert Reader(encoded).oid() == numbers
    assert der.encode_oid(numbers) == encoded


@pytest.mark.parametrize("content", [b"", b"\x2a\x80", b"\x2a\xff", b"\x2a" + b"\x01" * 64])
def test_an_object_identifier_ends_and_is_short(content: bytes) -> None:
    with pytest.raises(DerError, match="object identifier"):
        Reader(der.encode(der.OID, content)).oid()
