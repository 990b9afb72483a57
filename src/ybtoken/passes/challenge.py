"""A terminal's challenge, which a phone answers, so that a code relayed to another terminal is refused (Spec 3.4).

The terminal shows the challenge as a small QR code. The phone reads it, tells its holder which terminal asks for what,
and signs the answer together with what it shows. The answer is a hash, so it has the same size for every challenge, and
only the terminal that asked can tell which challenge it answers.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ybtoken._checks import instance, octets
from ybtoken.errors import TextError
from ybtoken.vocabulary import check_purpose
from ybtoken.voucher import MAX_PURPOSE
from ybtoken.wire.presentation import ANSWER_SIZE
from ybtoken.wire.text import CHALLENGE, decode_text, encode_text
from ybtoken.words import BoundsError

if TYPE_CHECKING:
    from ybtoken.qr import QrCode

__all__ = ["Challenge"]

_NONCE_SIZE = 8
_PURPOSE_SIZE = 3
_FIXED_SIZE = _PURPOSE_SIZE + _NONCE_SIZE
_LABEL = b"ybtoken challenge"
_TERMINAL = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a terminal asks a phone to answer. Make a new one for every customer.

    Args:
        terminal: the name of the terminal that asks: 1 to 32 letters, digits, ``.``, ``_`` or ``-``.
        purpose: what is being done (用码业务类型), five digits. The phone shows it to its holder.
        nonce: 8 unpredictable bytes, never the same twice.
    """

    terminal: str
    purpose: str
    nonce: bytes = field(default_factory=lambda: os.urandom(_NONCE_SIZE))

    def __post_init__(self) -> None:
        if not _TERMINAL.fullmatch(instance("terminal", self.terminal, str, "a string")):
            raise BoundsError(
                f"a terminal is named by 1 to 32 of A-Z a-z 0-9 . _ -, not {self.terminal!r}",
                f"终端名称为 1 至 32 位字母、数字或 . _ -，不能是 {self.terminal!r}",
            )
        check_purpose(self.purpose)
        octets("a challenge's nonce", self.nonce, range(_NONCE_SIZE, _NONCE_SIZE + 1))

    @classmethod
    def new(cls, terminal: str, purpose: str, *, random: Callable[[int], bytes] = os.urandom) -> Challenge:
        """Make a challenge with a nonce of its own."""
        return cls(terminal, purpose, random(_NONCE_SIZE))

    @classmethod
    def from_text(cls, text: str) -> Challenge:
        """Read what a terminal shows. This is done on the phone.

        Raises:
            ValueError: this is not a challenge, or was damaged in reading.
        """
        try:
            _, data = decode_text(text, challenge=True)
        except TextError as error:
            raise BoundsError(f"not a terminal's challenge ({error.code})", f"不是终端挑战（{error.code}）") from None
        purpose, nonce, terminal = data[:_PURPOSE_SIZE], data[_PURPOSE_SIZE:][:_NONCE_SIZE], data[_FIXED_SIZE:]
        if (number := int.from_bytes(purpose, "big")) > MAX_PURPOSE or not terminal.isascii():
            raise BoundsError("not a terminal's challenge", "不是终端挑战")
        return cls(terminal.decode("ascii"), f"{number:05d}", nonce)

    @property
    def data(self) -> bytes:
        """The challenge's bytes: purpose (3, big-endian), nonce (8), terminal (ASCII)."""
        return int(self.purpose).to_bytes(_PURPOSE_SIZE, "big") + self.nonce + self.terminal.encode("ascii")

    @property
    def text(self) -> str:
        """What the terminal shows: digits, under the prefix 95."""
        return encode_text(CHALLENGE, self.data)

    @property
    def qr(self) -> QrCode:
        """The QR code of the text; needs the extra ``ybtoken[qr]``."""
        from ybtoken.qr import QrCode

        return QrCode(self.text)

    @property
    def answer(self) -> bytes:
        """What the phone signs: the first 12 bytes of SHA-256 over a label and the challenge's bytes."""
        return hashlib.sha256(_LABEL + self.data).digest()[:ANSWER_SIZE]
