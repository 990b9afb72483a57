"""The terminal's challenge: its text, and the answer to it (Spec 3.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from cases.kit import framed, groups

ABOUT = (
    "A terminal's challenge: `text` is what the terminal shows, `expect` what it says and the answer to it (hex); or "
    "`expect` is null, and the text is no challenge."
)
NONCE = bytes.fromhex("c4a11e46e0000001")


def _data(purpose: int, nonce: bytes, terminal: str) -> bytes:
    return purpose.to_bytes(3, "big") + nonce + terminal.encode()


def _text(data: bytes, prefix: str = "95") -> str:
    return framed(prefix + groups(data))


def _answer(data: bytes) -> bytes:
    return hashlib.sha256(b"ybtoken challenge" + data).digest()[:12]


_DATA = _data(1301, NONCE, "H33010600123")
CHALLENGE_TEXT = _text(_DATA)
_OTHER = _data(1301, NONCE, "H33010600124")
OTHER_TEXT = _text(_OTHER)


def answer_of(text: str) -> bytes:
    """The answer to one of the two challenges."""
    return _answer({CHALLENGE_TEXT: _DATA, OTHER_TEXT: _OTHER}[text])


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    for name, why, purpose, nonce, terminal in (
        ("accept", "a settlement at a pharmacy's terminal", 1301, NONCE, "H33010600123"),
        ("accept-short", "a name of one letter, and the purpose 00000", 0, bytes(8), "a"),
        ("accept-long", "a name of 32 characters, and the purpose 99999", 99_999, b"\xff" * 8, "A-z_0.9" + "x" * 25),
    ):
        data = _data(purpose, nonce, terminal)
        expect = {
            "terminal": terminal,
            "purpose": f"{purpose:05d}",
            "nonce": nonce.hex(),
            "answer": _answer(data).hex(),
        }
        yield {"id": f"challenge/{name}", "why": why, "text": _text(data), "expect": expect}
    for name, why, bad in (
        ("prefix-token", "the prefix of a voucher", _text(_DATA, "96")),
        ("check", "wrong check digits", CHALLENGE_TEXT[:-1] + str((int(CHALLENGE_TEXT[-1]) + 1) % 10)),
        ("cut", "the last digit was not read", CHALLENGE_TEXT[:-1]),
        ("no-terminal", "no name", _text(_data(1301, NONCE, ""))),
        ("terminal-33", "a name of 33 characters", _text(_data(1301, NONCE, "x" * 33))),
        ("terminal-space", "a space in the name", _text(_data(1301, NONCE, "H 1"))),
        ("terminal-newline", "a line feed after the name", _text(_data(1301, NONCE, "H1\n"))),
        ("terminal-not-ascii", "a name in Chinese", _text(_data(1301, NONCE, "\u836f\u5e97"))),
        ("purpose-above", "a purpose of six digits", _text(_data(100_000, NONCE, "H1"))),
        ("short", "fewer bytes than purpose and nonce take", _text(_DATA[:10])),
    ):
        yield {"id": f"challenge/{name}", "why": why, "text": bad, "expect": None}
