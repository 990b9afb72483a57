"""The text in the QR code: the one module that knows its spelling, with the check digits (Spec 2.1).

    text = prefix(2) || groups || [one-time code(8)] || check(2)

It has only digits, so that it fits QR numeric mode and survives any scanner. ``groups`` are 7 bytes at a time,
little-endian, as 17 decimal digits; the last 1 to 6 bytes as 3, 5, 8, 10, 13 or 15 digits. Only a rotating pass
(profile 2) has a one-time code. ``check`` is ISO 7064 MOD 97-10 over everything before it. Decoding is one-to-one: each
byte string with its one-time code has exactly one spelling.

A terminal's challenge (`ybtoken.passes.challenge`) is spelled in the same way, under a prefix of its own.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from struct import Struct

from ybtoken._checks import exact_string
from ybtoken.errors import TextError

__all__ = ["decode_text", "encode_text", "normalize_scan"]

MAX_TEXT = 800
"""The longest text that is read, in characters. A version 13-M symbol, the largest in use, holds 796."""

PREFIXES = {1: "96", 2: "97", 3: "98"}
"""The prefix of each profile's text; clear of the prefixes of pay codes in use (10-15, 25-30, 62)."""

CHALLENGE = 95
"""Stands for the profile in the text of a terminal's challenge, which is not a token."""

OTP_DIGITS = 8
"""How many digits the one-time code of a rotating pass has (RFC 6238)."""

LONGEST_OTHER = 40
"""Digits of the longest other code that a counter scans. Pay codes have 16 to 24, drug tracing codes 20."""

_GROUP_BYTES, _GROUP_DIGITS = 7, 17
_LAST_GROUP_DIGITS = (0, 3, 5, 8, 10, 13, 15)
_LAST_GROUP_BYTES = {digits: size for size, digits in enumerate(_LAST_GROUP_DIGITS)}
_SPELLED = PREFIXES | {CHALLENGE: str(CHALLENGE)}
_KINDS = {prefix: kind for kind, prefix in _SPELLED.items()}
_ROTATING = 2
_FRAME_DIGITS = 4  # prefix and check
# ISO 7064 MOD 97-10: the whole text, read as a number, is 1 modulo 97. Check digits are 02 to 98, because 00, 01 and 99
# are congruent to 97, 98 and 02 and would be second spellings. One remainder modulo 97 * 100 checks both rules.
_GOOD_REMAINDERS = frozenset(r for r in range(1, 9700, 97) if 2 <= r % 100 <= 98)
# The check digits, by the remainder modulo 97 of the text before them.
_CHECK_DIGITS = tuple(b"%02d" % (98 - 100 * r % 97) for r in range(97))
# A long text is read in two parts because the time of int() grows with the square of the length.
_PART, _PART_WEIGHT = 384, pow(10, 384, 9700)


def encode_text(profile: int, data: bytes, otp: str = "") -> str:
    """Spell a byte string as the text of a QR code.

    Args:
        profile: 1, 2 or 3; or `CHALLENGE`.
        data: the token's bytes, at least one.
        otp: the one-time code that a rotating pass (profile 2) is shown with, 8 digits.
    """
    code = otp.encode()
    if len(code) != (OTP_DIGITS if profile == _ROTATING else 0) or not (code or b"0").isdigit():
        raise ValueError("a rotating pass, and nothing else, is shown with a one-time code of 8 digits")
    spelling = _spelling(profile, len(data), len(code))
    if spelling is None:
        raise ValueError(f"{len(data)} bytes do not fit a text of at most {MAX_TEXT} digits")
    unchecked = spelling.digits % spelling.numbers(spelling.widen(*spelling.cut(data))) + code
    return (unchecked + _CHECK_DIGITS[_remainder(unchecked) % 97]).decode()


class _Spelling:
    """How byte strings of one size are spelled in one profile; computed once for each."""

    __slots__ = ("cut", "digits", "numbers", "widen")

    def __init__(self, prefix: str, size: int) -> None:
        whole, rest = divmod(size, _GROUP_BYTES)
        sizes = [_GROUP_BYTES] * whole + [rest] * bool(rest)
        widths = [_GROUP_DIGITS] * whole + [_LAST_GROUP_DIGITS[rest]] * bool(rest)
        self.cut = Struct("".join(f"{n}s" for n in sizes)).unpack
        self.widen = Struct("".join(f"{n}s{8 - n}x" for n in sizes)).pack
        self.numbers = Struct(f"<{len(sizes)}Q").unpack
        self.digits = (prefix + "".join(f"%0{width}d" for width in widths)).encode()


@lru_cache(maxsize=2 * MAX_TEXT)
def _spelling(profile: int, size: int, otp_digits: int) -> _Spelling | None:
    digits = size // _GROUP_BYTES * _GROUP_DIGITS + _LAST_GROUP_DIGITS[size % _GROUP_BYTES]
    if not size or digits + otp_digits + _FRAME_DIGITS > MAX_TEXT:
        return None
    return _Spelling(_SPELLED[profile], size)


class _Layout:
    """How a text of one length is cut into groups; computed once for each length."""

    __slots__ = ("cut", "last_bound", "pack", "size")

    def __init__(self, groups_digits: int, otp_digits: int) -> None:
        whole, last_digits = divmod(groups_digits, _GROUP_DIGITS)
        last_bytes = _LAST_GROUP_BYTES[last_digits]
        self.size = _GROUP_BYTES * whole + last_bytes
        self.last_bound = 256 ** (last_bytes or _GROUP_BYTES)
        last = f"{last_digits}s" if last_digits else ""
        self.cut = Struct(f"2x{f'{_GROUP_DIGITS}s' * whole}{last}{otp_digits + 2}x").unpack
        # Each group is packed as eight bytes. The eighth must be zero and is removed later.
        self.pack = Struct(f"<{whole + bool(last_digits)}Q").pack


@cache  # at most two for each length up to MAX_TEXT
def _layout(text_digits: int, otp_digits: int) -> _Layout | None:
    groups_digits = text_digits - _FRAME_DIGITS - otp_digits
    if groups_digits <= 0 or groups_digits % _GROUP_DIGITS not in _LAST_GROUP_BYTES:
        return None
    return _Layout(groups_digits, otp_digits)


def decode_text(text: str, *, challenge: bool = False) -> tuple[int, bytes]:
    """Read the text of a QR code (step 1).

    Args:
        text: the one exact spelling; see `normalize_scan` for what a scanner returns.
        challenge: whether the text is that of a challenge and not of a token.

    Returns:
        The profile that the prefix states, and the bytes; for the one-time code of profile 2 see `otp_of_text`.

    Raises:
        TextError: the text has any other spelling.
        TypeError: the text is not a string.
    """
    if type(text) is not str:
        if not isinstance(text, str):
            raise TypeError(f"a token's text is a string, not {type(text).__name__}")
        text = exact_string(text)
    size = len(text)
    if size > MAX_TEXT:
        raise TextError("text.length")
    profile = _KINDS.get(text[:2])
    if profile is None or (profile == CHALLENGE) is not challenge:
        raise TextError("text.beginning" if profile is None and _is_long_number(text) else "text.prefix")
    digits = text.encode("ascii", "replace")
    if not digits.isdigit():  # bytes.isdigit, because str.isdigit accepts digits of other scripts
        raise TextError("text.digits")
    layout = _layout(size, OTP_DIGITS if profile == _ROTATING else 0)
    if layout is None:
        raise TextError("text.length")
    groups = tuple(map(int, layout.cut(digits)))
    padded = bytearray(layout.pack(*groups))
    if groups[-1] >= layout.last_bound or padded[7::8].strip(b"\0"):
        raise TextError("text.range")
    del padded[7::8]
    if _remainder(digits) not in _GOOD_REMAINDERS:
        raise TextError("text.check")
    return profile, bytes(padded[: layout.size])


def _remainder(digits: bytes) -> int:
    """The text, read as a number, modulo 97 * 100."""
    if len(digits) <= _PART:
        return int(digits) % 9700
    return (int(digits[:-_PART]) * _PART_WEIGHT + int(digits[-_PART:])) % 9700


def _is_long_number(text: str) -> bool:
    """Whether a text that begins as none of ours is one all the same, whose beginning a scanner lost or misread."""
    return len(text) > LONGEST_OTHER and text.isascii() and text.isdigit()


def otp_of_text(text: str) -> str:
    """The one-time code in the text of a rotating pass that `decode_text` has read: the 8 digits before the check."""
    return text[-OTP_DIGITS - 2 : -2]


# The C0 controls and DEL, the space, and invisible format characters: zero width, direction, byte order mark.
_ADDED_BY_SCANNERS = re.compile(r"[\x00-\x20\x7f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
_AIM_AND_ECI = re.compile(r"\A(?:\]Q[0-6])?(?:\\[0-9]{6})*")
_FULL_WIDTH_DIGITS = {0xFF10 + digit: str(digit) for digit in range(10)}


def normalize_scan(scanned: str) -> str:
    r"""Remove what scanners add to a text, and nothing else.

    This removes spaces, control characters (CR, LF, TAB; the NUL of a C buffer, STX and ETX of a serial line, GS) and
    invisible format characters (a byte order mark, U+200E), and at the start an AIM symbology identifier (``]Q1``) and
    echoes of an ECI (``\000026``). Full-width digits, which an input method makes, become ASCII digits. Any other
    fault is left for `Verifier.verify` to refuse.
    """
    if not isinstance(scanned, str):
        raise TypeError(f"what was scanned is a string, not {type(scanned).__name__}")
    text = exact_string(scanned)
    if text.isascii() and text.isdigit():  # most scans: nothing was added
        return text
    text = _ADDED_BY_SCANNERS.sub("", text).translate(_FULL_WIDTH_DIGITS)
    return _AIM_AND_ECI.sub("", text)
