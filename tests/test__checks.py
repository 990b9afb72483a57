from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ybtoken._checks import callback, duration, instance, instant, octets, string, uint
from ybtoken.keys.protocols import SigningKey
from ybtoken.testing.keys import FakeKey


@pytest.mark.parametrize("value", [True, 1.0, "1", None, b"1"])
@pytest.mark.parametrize("check", [lambda name, value: uint(name, value, 9), instant, duration])
def test_a_number_is_an_int_and_no_bool(check, value):
    with pytest.raises(TypeError, match=rf"^x is .*, not {type(value).__name__}$"):
        check("x", value)


def test_numbers_are_within_their_bounds():
    assert [uint("x", value, 9, minimum=2) for value in (2, 9)] == [2, 9]
    for value in (1, 10):
        with pytest.raises(ValueError, match=rf"^x is 2 to 9, not {value}$"):
            uint("x", value, 9, minimum=2)
    assert uint("x", 2**70) == 2**70
    with pytest.raises(ValueError, match=r"^x is at least 2, not 1$"):
        uint("x", 1, minimum=2)


def test_a_time_is_seconds_and_milliseconds_are_guessed_at():
    assert [instant("x", value) for value in (0, 2**32)] == [0, 2**32]
    with pytest.raises(ValueError, match=r"not 1700000000000: is it in milliseconds"):
        instant("x", 1_700_000_000_000)
    with pytest.raises(ValueError, match=r"not -1$"):
        instant("x", -1)
    with pytest.raises(TypeError, match=r"whole seconds since 1970 .an int., not datetime"):
        instant("x", datetime(2026, 1, 1))  # type: ignore[arg-type]


def test_a_duration_is_whole_seconds():
    assert [duration("x", value) for value in (0, 2**32)] == [0, 2**32]
    for value, minimum in ((-1, 0), (0, 1), (2**32 + 1, 0)):
        with pytest.raises(ValueError, match=rf"^x is at least {minimum} seconds .*, not {value}$"):
            duration("x", value, minimum=minimum)
    with pytest.raises(TypeError, match=r"number of whole seconds .an int., not timedelta"):
        duration("x", timedelta(1))  # type: ignore[arg-type]


def test_bytes_are_bytes_of_a_size():
    assert octets("x", b"12", range(2, 4)) == b"12"
    for value in ("12", bytearray(2), None):
        with pytest.raises(TypeError, match=rf"^x is bytes, not {type(value).__name__}$"):
            octets("x", value, range(2, 4))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^x is 2 to 3 bytes, not 1$"):
        octets("x", b"1", range(2, 4))
    with pytest.raises(ValueError, match=r"^x is 2 bytes, not 1$"):
        octets("x", b"1", range(2, 3))


def test_a_string_is_printable_and_not_empty():
    assert string("x", "国") == "国"
    for value in ("", "a\nb"):
        with pytest.raises(ValueError, match=r"^x is a printable string"):
            string("x", value)
    with pytest.raises(TypeError, match=r"^x is a string, not bytes$"):
        string("x", b"a")  # type: ignore[arg-type]


def test_a_class_is_no_instance_though_it_has_the_attributes():
    key = FakeKey()
    assert instance("x", key, SigningKey, "a key") is key
    with pytest.raises(TypeError, match=r"^x is a key, not the class FakeKey itself$"):
        instance("x", FakeKey, SigningKey, "a key")
    with pytest.raises(TypeError, match=r"^x is a number, not FakeKey$"):
        instance("x", key, (int, float), "a number")  # type: ignore[arg-type]


def test_a_callback_can_be_called():
    assert callback("x", int, "a number") is int
    with pytest.raises(TypeError, match=r"^x is a function that gives a number, not float$"):
        callback("x", 1.5, "a number")  # type: ignore[arg-type]
