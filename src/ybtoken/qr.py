"""The QR code of a token's text, by segno (extra ``qr``): one numeric segment, no ECI, black on white.

The symbol is black on white on dark pages too, and its quiet zone of 4 modules is part of the picture. A scanner needs
both, and a page in dark mode would remove both if they were left to the page.
"""

from __future__ import annotations

import io
from functools import cached_property

from ybtoken._checks import instance

try:
    import segno
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("drawing QR codes needs segno: pip install 'ybtoken[qr]'", name="segno") from error

__all__ = ["QUIET_ZONE", "QrCode"]

QUIET_ZONE = 4
"""Light modules around the symbol (ISO/IEC 18004)."""


class QrCode:
    """A text as a QR code, error correction level M.

    Args:
        text: digits only.
    """

    def __init__(self, text: str) -> None:
        if not (instance("text", text, str, "a string").isascii() and text.isdigit()):
            raise ValueError("a token's text is digits only, and has at least one")
        self.text = text

    @cached_property
    def symbol(self) -> segno.QRCode:
        """The symbol as segno's own object, for the other formats that segno writes."""
        # With boost_error segno would choose a higher level where that costs no larger symbol; a fixed level keeps the
        # sizes of symbols comparable.
        return segno.make_qr(self.text, error="m", mode="numeric", boost_error=False)

    @property
    def version(self) -> int:
        """The symbol's version, 1 to 40. A side has 17 + 4 * version modules."""
        version = self.symbol.version
        assert isinstance(version, int)  # a word is for Micro QR codes only
        return version

    def png(self, *, scale: int = 8) -> bytes:
        """A PNG with ``scale`` pixels for each module."""
        return self._saved("png", scale)

    def svg(self, *, scale: int = 8) -> str:
        """An SVG document that draws the white ground too."""
        return self._saved("svg", scale).decode()

    def terminal(self) -> str:
        """Text for a terminal: half blocks, with colours that show black on white on a dark terminal too."""
        black, white, reset = "\x1b[30m", "\x1b[107m", "\x1b[0m"
        rows = [bytearray(row) for row in self.symbol.matrix_iter(border=QUIET_ZONE)]
        if len(rows) % 2:
            rows.append(bytearray(len(rows[0])))
        blocks = " ▄▀█"
        lines = (
            "".join(blocks[2 * bool(upper) + bool(lower)] for upper, lower in zip(above, below, strict=True))
            for above, below in zip(rows[::2], rows[1::2], strict=True)
        )
        return "".join(f"{black}{white}{line}{reset}\n" for line in lines)

    def _saved(self, kind: str, scale: int) -> bytes:
        out = io.BytesIO()
        self.symbol.save(out, kind=kind, scale=scale, border=QUIET_ZONE, dark="#000", light="#fff")
        return out.getvalue()
