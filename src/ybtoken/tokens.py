"""What an issuer hands out: a token, or a pass for a phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ybtoken.voucher import Voucher

if TYPE_CHECKING:
    from ybtoken.qr import QrCode

__all__ = ["Pass", "Token"]


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token: its bytes, the text that its QR code holds, and the voucher that it states."""

    data: bytes
    text: str
    voucher: Voucher

    @property
    def qr(self) -> QrCode:
        """The QR code of the text; needs the extra ``ybtoken[qr]``."""
        from ybtoken.qr import QrCode

        return QrCode(self.text)


@dataclass(frozen=True, slots=True)
class Pass:
    """A signed pass: its bytes, for the phone, and the voucher that it states. The phone makes texts from it."""

    data: bytes
    voucher: Voucher
