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
        ("nul", "the NUL at the end of a C buffer", "9601234\0", "9601234"),
        ("nul-inside", "NUL between the pieces of a buffer", "96\x00012\x0034\0", "9601234"),
        ("gs", "a group separator at the end", "9601234\x1d", "9601234"),
        ("stx-etx", "the frame of a serial line", "\x029601234\x03", "9601234"),
        ("escape", "other control characters", "\x1b\x069601\x0b234\x7f\x04", "9601234"),
        ("bom", "a byte order mark at the start", "\ufeff9601234", "9601234"),
        ("lrm", "marks of direction around", "\u200e9601234\u200f\u202c\u2069", "9601234"),
        ("zero-width", "invisible characters inside", "96\u200b0\u200d1\u20602\u200c34", "9601234"),
        ("aim-after-stx", "an AIM identifier behind a control character", "\x02]Q19601234\x03", "9601234"),
        ("c1", "C1 control characters are left", "9601\u0085", "9601\u0085"),
        ("soft-hyphen", "other invisible characters are left", "96\u00ad01", "96\u00ad01"),
        ("ideographic-space", "the ideographic space is left", "9601\u3000", "9601\u3000"),
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
