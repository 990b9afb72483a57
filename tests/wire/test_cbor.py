"""CBOR that others wrote is decoded only if it is plain: its bytes are walked before a decoder sees them."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ybtoken.wire.cbor import CutOffError, end_of_item, load_plain

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.binary() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 2**64 - 1) | st.text(), inner, max_size=5)
    ),
    max_leaves=20,
)


def shared(levels: int) -> bytes:
    """An array that holds itself twice, that many times over: as many bytes, and 2 ** levels items."""
    value: list[object] = []
    for _ in range(levels):
        value = [value, value]
    return cbor2.dumps(value, value_sharing=True)


@given(PLAIN, st.binary(max_size=5))
def test_a_plain_item_is_decoded_and_what_follows_is_left(value: object, more: bytes) -> None:
    data = cbor2.dumps(value)
    assert end_of_item(data + more) == len(data)
    assert load_plain(data + more) == cbor2.loads(data)


@given(PLAIN)
def test_an_item_that_ends_too_early_is_cut_off(value: object) -> None:
    data = cbor2.dumps(value)
    for end in range(len(data)):
        with pytest.raises(CutOffError):
            load_plain(data[:end])


@given(st.binary(max_size=40))
def test_whatever_the_bytes_are_there_is_a_value_or_a_value_error(data: bytes) -> None:
    try:
        load_plain(data)
    except ValueError as error:
        assert "CBOR" in str(error)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (shared(40), "with a tag"),
        (bytes.fromhex("d81c81d81d00"), "with a tag"),  # an array that contains itself
        (bytes.fromhex("c24101"), "with a tag"),
        (bytes.fromhex("82d9010000"), "with a tag"),
        (bytes.fromhex("9fff"), "definite length"),
        (bytes.fromhex("5f4101ff"), "definite length"),
        (bytes.fromhex("bfff"), "definite length"),
        (bytes.fromhex("ff"), "definite length"),
        (bytes.fromhex("1c"), "definite length"),
        (b"\x81" * 17 + b"\0", "within each other"),
        (b"\x81" * 100_000 + b"\0", "within each other"),
        (bytes.fromhex("9bffffffffffffffff00"), "cut off"),
        (bytes.fromhex("bb800000000000000000"), "cut off"),
        (bytes.fromhex("5bffffffffffffffff00"), "cut off"),
        (bytes.fromhex("61ff"), "not CBOR"),  # no UTF-8
        (b"", "cut off"),
    ],
    ids=lambda data: data.hex()[:20] if isinstance(data, bytes) else None,
)
def test_what_is_not_plain_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_plain(data)


def test_16_levels_are_read() -> None:
    load_plain(b"\x81" * 15 + b"\x80")
