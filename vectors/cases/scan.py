"""What scanners add to a text (Spec 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ABOUT = (
    "Normalising a scan: `scanned` is what the scanner gives, `expect.text` what goes to verification. Never refuses."
)


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    for name, why, scanned, normalised in (
        ("plain", "nothing to take away", "960123456789", "960123456789"),
        ("empty", "nothing at all", "", ""),
        ("return", "a carriage return at the end", "9601234\r", "9601234"),
        ("crlf", "both line ends", "9601234\r\n", "9601234"),
        ("tab", "a tab at the end", "9601234\t", "9601234"),
        ("spaces", "spaces anywhere", " 96 012 34 ", "9601234"),
        ("aim", "an AIM symbology identifier", "]Q19601234", "9601234"),
        ("aim-eci", "an AIM symbology identifier and the echo of an ECI", "]Q1\\0000269601234", "9601234"),
        ("eci", "the echo of an ECI", "\\0000269601234", "9601234"),
        ("eci-twice", "the echoes of two ECIs", "\\000003\\0000269601234", "9601234"),
        ("full-width", "full-width digits from an input method", "\uff19\uff16\uff10\uff11", "9601"),
        ("all", "all of it", "]Q1\\000026\uff19\uff1601 234\r\n", "9601234"),
        ("letters", "letters are left for verification to refuse", "96O1l", "96O1l"),
        ("aim-other", "the identifier of another symbology is left", "]C19601234", "]C19601234"),
        ("aim-inside", "an identifier that is not at the start is left", "96]Q101234", "96]Q101234"),
        ("eci-inside", "an ECI that is not at the start is left", "9601\\000026", "9601\\000026"),
        ("arabic-indic", "other scripts' digits are left", "96\u0661", "96\u0661"),
        ("no-break-space", "other white space is left", "9601\u00a0", "9601\u00a0"),
        ("sign", "signs and underscores are left", "+96_01", "+96_01"),
        ("zeros", "zeros at the start are left", "00960123", "00960123"),
    ):
        yield {"id": f"scan/{name}", "why": why, "scanned": scanned, "expect": {"text": normalised}}
