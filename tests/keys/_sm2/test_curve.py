"""A point of SM2 has one form, and is on the curve."""

from __future__ import annotations

import pytest

from ybtoken.keys._sm2.curve import P, check_point, check_user_id, decompress

X = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
Y = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
COORDINATES = X.to_bytes(32, "big") + Y.to_bytes(32, "big")


def test_the_generator_is_on_the_curve() -> None:
    assert check_point(b"\x04" + COORDINATES) == (X, Y)
    for y in (Y, P - Y):
        assert check_point(decompress(COORDINATES[:32], bool(y % 2))) == (X, y)


@pytest.mark.parametrize(
    "point",
    [
        b"",
        b"\x04",
        COORDINATES,
        *(bytes([first]) + COORDINATES for first in (0, 2, 3, 5, 6, 7)),
        b"\x04" + COORDINATES[:-1],
        b"\x04" + COORDINATES + b"\0",
        b"\x04" + COORDINATES[:32] + b"\0" + COORDINATES[32:],
    ],
)
def test_a_point_is_65_bytes_that_begin_with_04(point: bytes) -> None:
    with pytest.raises(ValueError, match="65 bytes"):
        check_point(point)


# With x = 0 the curve has the points (0, +-sqrt(b)); P in place of 0, or Y + P, is a second spelling.
@pytest.mark.parametrize("point", [(X, Y + 1), (X + 1, Y), (0, 0), (P, decompress(bytes(32), False)[33:])])
def test_a_point_is_on_the_curve_and_its_coordinates_below_p(point: tuple[int, int | bytes]) -> None:
    x, y = point
    with pytest.raises(ValueError, match="not on the SM2 curve"):
        check_point(b"\x04" + x.to_bytes(32, "big") + (y if isinstance(y, bytes) else y.to_bytes(32, "big")))


def test_a_point_and_a_user_id_are_bytes() -> None:
    with pytest.raises(TypeError, match="public key is bytes"):
        check_point("04" + COORDINATES.hex())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="user id is bytes"):
        check_user_id("1234567812345678")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 8191, 8192])
def test_a_user_id_has_1_to_8191_bytes(size: int) -> None:
    if size in (1, 8191):
        assert check_user_id(bytes(size)) == bytes(size)
    else:
        with pytest.raises(ValueError, match="1 to 8191 bytes"):
            check_user_id(bytes(size))
