"""The QR code of a token's text, by segno (extra ``qr``): one numeric segment, no ECI, black on white.

Black on white also where the page around it is dark, with the quiet zone of 4 modules inside the picture: a scanner
needs both, and dark modes take them away.
"""

from __future__ import annotations

import io
from functools import cached_property

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
        if not (text.isascii() and text.isdigit()):
            raise ValueError("a token's text is digits only")
        self.text = text

    @cached_property
    def symbol(self) -> segno.QRCode:
        """The symbol, for whatever else segno can do with it."""
        # boost_error would take a higher level where it is free; a fixed level keeps sizes comparable.
        return segno.make_qr(self.text, error="m", mode="numeric", boost_error=False)

    @property
    def version(self) -> int:
        """The symbol's version: 1 to 40; it has 17 + 4 * version modules a side."""
        version = self.symbol.version
        assert isinstance(version, int)  # a word is for Micro QR codes only
        return version

    def png(self, *, scale: int = 8) -> bytes:
        """A PNG, ``scale`` pixels a module."""
        return self._saved("png", scale)

    def svg(self, *, scale: int = 8) -> str:
        """An SVG document, with the white ground drawn."""
        return self._saved("svg", scale).decode()

    def terminal(self) -> str:
        """Text for a terminal: half blocks, with colours set so that a dark terminal shows black on white."""
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
