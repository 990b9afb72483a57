"""The error of the reader of keys, which says what was found instead of a key."""

from __future__ import annotations

from ybtoken.words import Words

__all__ = ["KeyReadError", "unknown"]

UNKNOWN = "key.unknown"


class KeyReadError(ValueError):
    """The input is not the requested key; the message says what it is instead, and what to give.

    Args:
        code: stable, for programs. ``key.unknown`` (no spelling of a key), ``key.kind`` (something else that is known),
            ``key.private`` (a private key where a public one is wanted), ``key.public`` (the reverse), ``key.curve``
            (another curve, or none stated), ``key.damaged`` (a known spelling, cut off or changed), ``key.ambiguous``
            (two meanings), ``key.pair`` (a private key with somebody else's public key), ``key.point``,
            ``key.number`` (out of bounds), ``key.passphrase-missing``, ``key.passphrase-wrong``,
            ``key.passphrase-unneeded``, ``key.cipher`` (encrypted in a way that is not read), ``key.chain`` (a
            certificate that the given anchors do not confirm).
        en: what it is and what to do, in English.
        zh: the same in Chinese.
    """

    def __init__(self, code: str, en: str, zh: str) -> None:
        super().__init__(code, en, zh)
        self.code = code
        self.words = Words(en, zh)

    def __str__(self) -> str:
        return f"{self.words.en} ({self.words.zh})"


def unknown() -> KeyReadError:
    """The error for input that does not have the form of any key."""
    return KeyReadError(
        UNKNOWN,
        "this is no spelling of a key that is known here: PEM, DER, hexadecimal, base64, or bare bytes",
        "无法识别为密钥：应为 PEM、DER、十六进制、Base64 或裸字节",
    )
