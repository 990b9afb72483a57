"""What the readers of keys and key rings say when they are given something else than a file's bytes."""

from __future__ import annotations

import os
import re

__all__ = ["check_passphrase", "refuse_path"]

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
