"""What the classes of keys need to read and write files, without the reader of every spelling (`keys.reading`)."""

from __future__ import annotations

import base64
import os
import re
from typing import Literal, TypeAlias

__all__ = ["KeyCipher", "check_cipher", "check_passphrase", "pem_from_der", "refuse_path"]

KeyCipher: TypeAlias = Literal["aes", "sm4"]
"""What encrypts a private key's file: AES-256-CBC under PBKDF2 with HMAC-SHA-256, or SM4-CBC with HMAC-SM3."""

_PATH = re.compile(r"[^\n{}\[\]]*[./\\][^\n{}\[\]]*")
_LONGEST_PATH = 4096


def refuse_path(what: str, given: object) -> None:
    """Raise `ValueError` if the name of a file was given instead of what is in it."""
    text = given
    if isinstance(given, bytes) and given.isascii():  # CBOR is not ASCII: its first byte, an array, is not
        text = given.decode()
    is_path = isinstance(text, str) and len(text) <= _LONGEST_PATH and text.isprintable() and _PATH.fullmatch(text)
    if isinstance(text, os.PathLike) or is_path:
        raise ValueError(f"this looks like a path, not {what}: pass the file's bytes, Path(...).read_bytes()")


def check_passphrase(passphrase: bytes | None) -> None:
    """Refuse a passphrase that is no bytes, such as a str: nobody may guess its encoding."""
    if passphrase is not None and not isinstance(passphrase, bytes):
        raise TypeError(f"a passphrase is bytes or None, not {type(passphrase).__name__}: encode it first")


def check_cipher(cipher: str, passphrase: bytes | None) -> bool:
    """Whether SM4 is to encrypt; `ValueError` for another name, or where nothing is to be encrypted."""
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
