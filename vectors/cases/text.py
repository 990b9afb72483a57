"""Step 1: the spelling of the text (Spec 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from cases.kit import accepted, bstr, case, framed, groups, payload, refused, text, token

ABOUT = (
    "Step 1: one byte string has one text. Where bytes are shown to pass step 1 without being a token, the case is "
    "refused in step 2."
)


def _with_check(check: str) -> tuple[bytes, str]:
    """The first token, by a counter in its nonce, whose text has these check digits."""
    for number in count():
        nonce = number.to_bytes(8, "big")
        data = token(payload(cti=b"\x07" + bstr(nonce)))
        if text(data).endswith(check):
            return nonce, text(data)
    raise AssertionError


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    good = text(token())
    yield case("text/accept", "a voucher of 137 bytes is 337 digits", good, accepted(), token=token().hex())
    for size in range(9, 16):
        data = token(payload(cti=b"\x07" + bstr(bytes(range(size)))))
        yield case(
            f"text/accept-rest-{len(data) % 7}",
            f"a token of {len(data)} bytes: the last group holds {len(data) % 7 or 7} of them",
            text(data), accepted(nonce=bytes(range(size)).hex()), token=data.hex(),
        )  # fmt: skip

    for check, alias in (("97", "00"), ("98", "01"), ("02", "99")):
        nonce, spelled = _with_check(check)
        yield case(
            f"text/accept-check-{check}", f"check digits {check} are in use", spelled, accepted(nonce=nonce.hex())
        )
        yield case(
            f"text/check-alias-{alias}", f"{alias} is congruent to {check} modulo 97, and is not a second spelling",
            spelled[:-2] + alias, refused("text.check"),
        )  # fmt: skip
    yield case("text/check-wrong", "the check digits are off by one",
               good[:-2] + f"{int(good[-2:]) % 97 + 1:02d}", refused("text.check"))  # fmt: skip
    yield case("text/check-digit-changed", "one digit in the middle was misread",
               good[:100] + str((int(good[100]) + 1) % 10) + good[101:], refused("text.check"))  # fmt: skip
    at = next(i for i in range(150, 300) if good[i] != good[i + 1] and i % 17 not in (1, 2))
    yield case("text/check-digits-swapped", "two neighbouring digits changed places",
               good[:at] + good[at + 1] + good[at] + good[at + 2 :], refused("text.check"))  # fmt: skip
    yield case(
        "text/check-reversed", "the check digits changed places", good[:-2] + good[:-3:-1], refused("text.check")
    )
    yield case("text/check-of-groups-only", "the check digits leave out the prefix",
               good[:-2] + framed(good[2:-2])[-2:], refused("text.check"))  # fmt: skip

    yield case("text/empty", "an empty text has no prefix", "", refused("text.prefix"))
    yield case("text/one-digit", "one digit is no prefix", "9", refused("text.prefix"))
    for prefix, what in (("95", "a challenge's prefix"), ("99", "just above the prefixes"), ("28", "a pay code's prefix"),
                         ("00", "zeros"), ("69", "the prefix in another order")):  # fmt: skip
        code = "text.prefix" if prefix == "95" else "text.beginning"
        yield case(f"text/prefix-{prefix}", f"{prefix}: {what}", framed(prefix + good[2:-2]), refused(code))
    for lost in (1, 2, 3, 100, 296):
        yield case(f"text/beginning-{lost}", f"the first {lost} digits were lost; {337 - lost} are left",
                   good[lost:], refused("text.beginning"))  # fmt: skip
    yield case("text/beginning-short", "40 digits may be another code", good[297:], refused("text.prefix"))
    yield case("text/beginning-letters", "behind another prefix, one letter among many digits",
               good[1:60] + "O" + good[61:], refused("text.prefix"))  # fmt: skip
    yield case("text/beginning-wide", "the same with a digit of another script",
               good[1:60] + "\uff11" + good[61:], refused("text.prefix"))  # fmt: skip
    yield case(
        "text/prefix-full-width", "the prefix in full-width digits", "\uff19\uff16" + good[2:], refused("text.prefix")
    )
    yield case("text/prefix-after-space", "a space stands before the prefix", " " + good, refused("text.prefix"))
    yield case("text/prefix-after-plus", "a plus sign stands before the prefix", "+" + good, refused("text.prefix"))
    yield case("text/prefix-after-zero", "a zero stands before the prefix", "0" + good, refused("text.beginning"))
    yield case("text/prefix-after-aim", "what a scanner adds is taken away before verifying, not by it",
               "]Q1" + good, refused("text.prefix"))  # fmt: skip

    for name, what, bad in (
        ("newline", "a line feed at the end", good + "\n"),
        ("return", "a carriage return at the end", good + "\r"),
        ("space-end", "a space at the end", good + " "),
        ("space", "a space between two groups", good[:19] + " " + good[19:]),
        ("underscore", "an underscore between digits, as some number parsers allow", good[:10] + "_" + good[10:]),
        ("underscore-for-digit", "an underscore in a digit's place", good[:10] + "_" + good[11:]),
        ("plus", "a plus sign at the start of a group", good[:2] + "+" + good[3:]),
        ("minus", "a minus sign at the start of a group", good[:2] + "-" + good[3:]),
        ("letter-o", "the letter O for a zero", good[:30] + "O" + good[31:]),
        ("letter-l", "the letter l for a one", good[:30] + "l" + good[31:]),
        ("hexadecimal", "a hexadecimal digit", good[:30] + "a" + good[31:]),
        ("point", "a decimal point", good[:30] + "." + good[31:]),
        ("exponent", "an exponent", good[:30] + "e" + good[31:]),
        ("full-width", "one full-width digit", good[:30] + "\uff11" + good[31:]),
        ("arabic-indic", "one Arabic-Indic digit", good[:30] + "\u0661" + good[31:]),
        ("superscript", "one superscript digit", good[:30] + "\u00b2" + good[31:]),
        ("circled", "one circled digit", good[:30] + "\u2460" + good[31:]),
        ("check-full-width", "the check digits in full width", good[:-2] + "".join(chr(0xFEE0 + ord(c)) for c in good[-2:])),
        ("nul", "a NUL at the end", good + "\0"),
        ("zero-width", "a zero-width space at the end", good + "\u200b"),
        ("beyond-bmp", "a digit beyond the basic plane", good[:30] + "\U0001d7d1" + good[31:]),
    ):  # fmt: skip
        yield case(f"text/digits-{name}", what, bad, refused("text.digits"))

    yield case("text/length-prefix-only", "a prefix and nothing else", "96", refused("text.length"))
    yield case(
        "text/length-no-groups", "a prefix and check digits, and nothing between", framed("96"), refused("text.length")
    )
    for digits in (1, 2, 4, 6, 7, 9, 11, 12, 14, 16):
        body = groups(token())[: 17 * 19] + "0" * digits
        yield case(
            f"text/length-rest-{digits}", f"a last group of {digits} digits is not in the table",
            framed("96" + body), refused("text.length"),
        )  # fmt: skip
    yield case("text/length-one-less", "the last digit was not read", good[:-1], refused("text.length"))
    yield case(
        "text/length-one-more", "a digit was read twice", good[:50] + good[50] + good[50:], refused("text.length")
    )
    yield case("text/length-twice", "the code was scanned twice in a row", good + good, refused("text.length"))
    longest = framed("96" + "0" * (17 * 46 + 13))
    yield case("text/length-799", "799 digits, the most that a group table and the limit of 800 allow, pass step 1",
               longest, refused("envelope.shape"))  # fmt: skip
    yield case("text/length-800", "800 digits are within the limit, and not in the table",
               framed("96" + "0" * (17 * 46 + 14)), refused("text.length"))  # fmt: skip
    yield case("text/length-801-prefix", "the length is looked at before the first digits",
               "10" + "0" * 799, refused("text.length"))  # fmt: skip
    yield case("text/length-801", "801 digits are in the table, and over the limit of 800",
               framed("96" + "0" * (17 * 46 + 15)), refused("text.length"))  # fmt: skip

    for size, digits in enumerate((3, 5, 8, 10, 13, 15, 17), start=1):
        yield case(
            f"text/range-{size}-highest", f"256^{size} - 1 in the last {digits} digits passes step 1",
            framed("96" + str(256**size - 1).zfill(digits)), refused("envelope.shape"),
        )  # fmt: skip
        yield case(
            f"text/range-{size}-above", f"256^{size} in the last {digits} digits is out of range",
            framed("96" + str(256**size).zfill(digits)), refused("text.range"),
        )  # fmt: skip
        yield case(
            f"text/range-{size}-nines", f"{digits} nines are out of range",
            framed("96" + "9" * digits), refused("text.range"),
        )  # fmt: skip
    for number in (0, 9, 18):
        low = 2 + 17 * number
        group = int(good[low : low + 17]) + 256**7
        if group < 10**17:
            yield case(
                f"text/range-group-{number}", f"group {number}, with 256^7 added, would be a second spelling",
                framed(good[:low] + str(group) + good[low + 17 : -2]), refused("text.range"),
            )  # fmt: skip
    low = 2 + 17 * 19
    yield case(
        "text/range-last-group", "the last group, with 256^4 added, would be a second spelling",
        framed(good[:low] + str(int(good[low:-2]) + 256**4).zfill(10)), refused("text.range"),
    )  # fmt: skip
