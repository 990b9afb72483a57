"""What the key classes need for PEM files, apart from the reader of partners' spellings (`ybtoken.keys.reading`)."""

from __future__ import annotations

import base64
import os
import re
from typing import Literal, TypeAlias

__all__ = ["KeyCipher", "check_cipher", "check_passphrase", "pem_from_der", "refuse_path"]

KeyCipher: TypeAlias = Literal["aes", "sm4"]
"""How a private key's file is encrypted: AES-256-CBC and PBKDF2 with HMAC-SHA-256, or SM4-CBC with HMAC-SM3."""

_PATH = re.compile(r"[^\n{}\[\]./\\]*[./\\][^\n{}\[\]]*")
_LONGEST_PATH = 4096


def refuse_path(what: str, given: object) -> None:
    """Raise `ValueError` if a file's name was given instead of its content."""
    text = given
    if isinstance(given, bytes) and given.isascii():  # CBOR is not: the first byte of an array is not ASCII
        text = given.decode()
    is_path = isinstance(text, str) and len(text) <= _LONGEST_PATH and text.isprintable() and _PATH.fullmatch(text)
    if isinstance(text, os.PathLike) or is_path:
        raise ValueError(f"this looks like a path, not {what}: pass the file's bytes, Path(...).read_bytes()")


def check_passphrase(passphrase: bytes | None) -> None:
    """Refuse a passphrase that is not bytes, such as a str, whose encoding would have to be guessed."""
    if passphrase is not None and not isinstance(passphrase, bytes):
        raise TypeError(f"a passphrase is bytes or None, not {type(passphrase).__name__}: encode it first")


def check_cipher(cipher: str, passphrase: bytes | None) -> bool:
    """Whether SM4 is requested; `ValueError` for an unknown name, or if there is no passphrase to encrypt with."""
    if cipher not in ("aes", "sm4"):
        raise ValueError(f'cipher is "aes" or "sm4", not {cipher!r}')
    if cipher == "sm4" and passphrase is None:
        raise ValueError("a cipher was chosen, but there is no passphrase to encrypt under")
    return cipher == "sm4"


def pem_from_der(label: str, der: bytes) -> bytes:
    """PEM (RFC 7468) of `der`, base64 in lines of 64."""
    text = base64.b64encode(der)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join([f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----\n".encode()])
