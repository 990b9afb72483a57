from __future__ import annotations

import pytest

from tests.support import OTP, check_each, text_of, with_check
from ybtoken.errors import TextError
from ybtoken.refusals import BY_CODE
from ybtoken.wire.text import CHALLENGE, MAX_TEXT, PREFIXES, decode_text, encode_text, normalize_scan, otp_of_text

DATA = bytes(range(137))
TEXT = encode_text(1, DATA)
GOOD_LENGTHS = {4 + 17 * whole + last for whole in range(50) for last in (0, 3, 5, 8, 10, 13, 15)} - {4}


def refuse(text: str, code: str) -> None:
    with pytest.raises(TextError) as caught:
        decode_text(text)
    assert caught.value.code == code, text


@pytest.mark.parametrize(
    ("data", "groups"),
    [
        (b"\x00", "000"),
        (b"\xff", "255"),
        (b"\xff\xff", "65535"),
        (b"\x01\x00\x00", "00000001"),  # little-endian
        (b"\x00\x00\x01", "00065536"),
        (b"\xff" * 4, "4294967295"),
        (b"\xff" * 5, "1099511627775"),
        (b"\xff" * 6, "281474976710655"),
        (b"\xff" * 7, "72057594037927935"),
        (b"\xff" * 8, "72057594037927935255"),
    ],
)
def test_groups_are_as_the_specification_says(data, groups):
    text = encode_text(1, data)
    assert text[:2] == "96"
    assert text[2:-2] == groups
    assert decode_text(text) == (1, data)


def test_check_digits_are_iso_7064():
    # ISO 7064 MOD 97-10: the published example 0794 has the check digits 44, so prefix 07 is not ours but the sum is.
    assert with_check("0794") == "079444"
    assert int(TEXT) % 97 == 1


def test_every_size_is_spelled_and_read_back():
    def check(size):
        data = bytes((size * i + 251) % 256 for i in range(size))
        for profile, prefix in PREFIXES.items():
            text = encode_text(profile, data, OTP if profile == 2 else "")
            assert text == text_of(data, profile)
            assert text.startswith(prefix)
            assert decode_text(text) == (profile, data)

    check_each(range(1, 200), check)


def test_a_base_token_has_337_digits():
    assert len(TEXT) == 337
    assert len(encode_text(1, bytes(141))) == 347


def test_the_longest_text_is_read_and_no_longer_one_written():
    longest = max(size for size in range(400) if 4 + size // 7 * 17 + (0, 3, 5, 8, 10, 13, 15)[size % 7] <= MAX_TEXT)
    assert decode_text(encode_text(1, bytes(longest))) == (1, bytes(longest))
    with pytest.raises(ValueError, match="do not fit a text"):
        encode_text(1, bytes(longest + 1))


def test_there_is_no_text_of_nothing():
    with pytest.raises(ValueError, match="0 bytes do not fit"):
        encode_text(1, b"")


@pytest.mark.parametrize("profile", [0, 4, "96"])
def test_there_is_no_other_profile(profile):
    with pytest.raises(KeyError):
        encode_text(profile, b"x")


@pytest.mark.parametrize(
    ("profile", "otp"),
    [(2, ""), (2, "1234567"), (2, "123456789"), (2, "1234567x"), (2, "１２３４５６７８"), (1, OTP), (3, OTP)],
)
def test_a_rotating_pass_and_nothing_else_has_a_code_of_eight_digits(profile, otp):
    with pytest.raises(ValueError, match="one-time code"):
        encode_text(profile, b"x", otp)


def test_the_code_stands_before_the_check_digits():
    text = encode_text(2, b"x", OTP)
    assert text == with_check("97" + "120" + OTP)
    assert otp_of_text(text) == OTP


def test_a_challenge_is_no_token_and_a_token_no_challenge():
    challenge = encode_text(CHALLENGE, b"x")
    assert challenge.startswith("95")
    assert decode_text(challenge, challenge=True) == (CHALLENGE, b"x")
    for text, wanted in ((challenge, False), (TEXT, True)):
        with pytest.raises(TextError) as caught:
            decode_text(text, challenge=wanted)
        assert caught.value.code == "text.prefix"


class Liar(str):
    """A `str` whose methods return another text than it holds."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"1"

    def __len__(self) -> int:
        return 1


def test_a_subclass_of_str_is_read_by_what_it_holds():
    text = encode_text(1, bytes(range(60)))
    assert decode_text(Liar(text)) == (1, bytes(range(60)))


@pytest.mark.parametrize("text", [None, 96, b"96", TEXT.encode(), [TEXT], bytearray(b"96")])
def test_a_text_is_a_string(text):
    with pytest.raises(TypeError, match="a token's text is a string"):
        decode_text(text)


def test_only_lengths_of_the_table_are_read():
    def check(size):
        text = with_check("96" + "0" * (size - 4))
        assert len(text) == size
        if size in GOOD_LENGTHS:
            assert decode_text(text)[0] == 1
        else:
            refuse(text, "text.length")

    check_each(range(4, MAX_TEXT + 1), check)


@pytest.mark.parametrize("text", ["9", "", "6", "69", "00", "10", "25", "62", "95", "99", "９６", "9 6", "-96", "+96"])
def test_another_prefix_is_no_voucher(text):
    refuse(text, "text.prefix")
    long = text + TEXT[2:]
    refuse(long, "text.beginning" if long.isascii() and long.isdigit() and text != "95" else "text.prefix")


def test_a_text_whose_beginning_was_cut_off_is_a_scanners_fault():
    def code_of(text: str) -> str:
        with pytest.raises(TextError) as caught:
            decode_text(text)
        return caught.value.code

    codes = [code_of(TEXT[lost:]) for lost in range(1, len(TEXT))]
    cut, short = codes[:-40], codes[-40:]
    by_chance = [at for at in range(1, len(TEXT)) if TEXT[at : at + 2] in PREFIXES.values()]
    for lost, code in enumerate(cut, 1):
        if lost not in by_chance:
            assert code == ("text.prefix" if TEXT[lost : lost + 2] == "95" else "text.beginning")
        assert "Scan again" in BY_CODE[code].remedy.en
    assert set(short) <= {"text.prefix", "text.length", "text.range", "text.check"}


@pytest.mark.parametrize("other", ["1" * 18, "28" + "0" * 14, "1" * 40, "1" * 50 + "a", "1" * 41 + "１"])
def test_another_code_is_not_called_a_cut_voucher(other):
    refuse(other, "text.prefix")


@pytest.mark.parametrize("text", ["96", "960", "9600", "97", "98"])
def test_a_prefix_alone_is_no_voucher(text):
    refuse(text, "text.length")


def test_a_text_over_the_limit_is_not_looked_at():
    refuse("96" + "1" * MAX_TEXT, "text.length")
    refuse("x" * (MAX_TEXT + 1), "text.length")
    refuse("x" * 10_000_000, "text.length")


@pytest.mark.parametrize("at", [2, 3, 100, 335, 336])
def test_anything_but_a_digit_is_refused(at):
    def check(character):
        refuse(TEXT[:at] + character + TEXT[at + 1 :], "text.digits")
        refuse(TEXT[:at] + character + TEXT[at:], "text.digits")

    check_each([*"abcxyzABC+-_ .,\n\r\t\0\x7f", "²", "٣", "３", "౩", "\ud800", "😀", "\u0308"], check)


@pytest.mark.parametrize("size", range(1, 8))
def test_the_first_number_out_of_a_groups_range_is_refused(size):
    digits = (0, 3, 5, 8, 10, 13, 15, 17)[size]
    highest = 256**size - 1
    for before in ("", "0" * 17):
        assert decode_text(with_check(f"96{before}{highest:0{digits}d}"))[1].endswith(b"\xff" * size)
        refuse(with_check(f"96{before}{highest + 1:0{digits}d}"), "text.range")
        refuse(with_check(f"96{before}{'9' * digits}"), "text.range")


def test_a_group_out_of_range_is_refused_wherever_it_stands():
    for whole in range(5):
        body = ["0" * 17] * 5
        body[whole] = "9" * 17
        refuse(with_check("96" + "".join(body) + "000"), "text.range")


def test_one_pair_of_check_digits_is_right():
    def check(digits):
        if digits == TEXT[-2:]:
            assert decode_text(TEXT[:-2] + digits) == (1, DATA)
        else:
            refuse(TEXT[:-2] + digits, "text.check")

    check_each([f"{number:02d}" for number in range(100)], check)


def test_check_digits_have_no_second_spelling():
    """00, 01 and 99 are congruent to 97, 98 and 02: the sum alone would take them."""
    seen = set()
    for byte in range(256):
        text = encode_text(1, bytes([byte]))
        number = int(text[-2:])
        assert 2 <= number <= 98
        for alias in (number - 97, number + 97):
            if 0 <= alias < 100:
                assert int(f"{text[:-2]}{alias:02d}") % 97 == 1
                refuse(f"{text[:-2]}{alias:02d}", "text.check")
                seen.add(alias)
    assert seen == {0, 1, 99}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 801, "text.length"),  # over the limit before anything else
        ("95" + "x" * 10, "text.prefix"),  # then the prefix
        ("96x", "text.digits"),  # then digits
        ("96" + "9" * 16 + "00", "text.length"),  # then the table of lengths
        ("96" + "9" * 17 + "00", "text.range"),  # then ranges
        ("96" + "0" * 17 + "00", "text.check"),  # then the check digits
    ],
)
def test_the_first_rule_that_is_broken_is_reported(text, code):
    refuse(text, code)


class TestNormalizeScan:
    @pytest.mark.parametrize(
        "scanned",
        [
            TEXT,
            TEXT + "\r\n",
            f"\t {TEXT} \r",
            "]Q1" + TEXT,
            "]Q0" + TEXT + "\n",
            "\\000026" + TEXT,
            "]Q2\\000026" + TEXT,
            " ]Q1 \\000026 " + TEXT,
            "\\000026\\000003" + TEXT,
            " ".join(TEXT[i : i + 4] for i in range(0, len(TEXT), 4)),
            TEXT.translate({ord("0") + i: 0xFF10 + i for i in range(10)}),
            TEXT + "\0",
            TEXT + "\x1d",
            f"\x02{TEXT}\x03",
            "\ufeff" + TEXT,
            "\u200e" + TEXT,
            f"\x02]Q1\0{TEXT}\x0b",
            "\0".join(TEXT[i : i + 64] for i in range(0, len(TEXT), 64)),
        ],
    )
    def test_what_scanners_add_is_taken_away(self, scanned):
        assert normalize_scan(scanned) == TEXT

    @pytest.mark.parametrize(
        "other",
        ["", "96-12", "9_6", "+96", "]Q7" + TEXT, "]C1" + TEXT, TEXT + "]Q1", TEXT + "\\000026", "\\00026", "٣",
         "96\u3000", "96\u00a0", "96\x85", "96\u00ad", "[Q1", "²"],
    )  # fmt: skip
    def test_nothing_else_is(self, other):
        assert normalize_scan(other) == other

    def test_a_text_is_a_string(self):
        with pytest.raises(TypeError):
            normalize_scan(TEXT.encode())  # type: ignore[arg-type]
