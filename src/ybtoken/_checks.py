"""Checks of arguments: a constructor refuses a value of the wrong kind with a sentence that names what it wants.

Each function returns the value it was given, or raises `TypeError` (another kind of value) or `ValueError` (the right
kind, out of its bounds). An object that exists is valid because its constructor called these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ybtoken.words import BoundsError

__all__ = [
    "LAST_SECOND",
    "LATEST_CLOCK",
    "callback",
    "duration",
    "exact_string",
    "instance",
    "instant",
    "octets",
    "string",
    "uint",
]

LAST_SECOND = 2**32
"""One second after the last time that a token can state; as the end of a period it means "no end"."""
LATEST_CLOCK = 2**33 - 1
"""Far above the last second that a token can state, and far below any clock that counts milliseconds (ADR 0030)."""

_T = TypeVar("_T")


def uint(name: str, value: int, maximum: int | None = None, *, minimum: int = 0) -> int:
    """An integer from ``minimum`` to ``maximum``, if there is one; a bool is no integer here."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is an integer, not {_kind(value)}")
    if value < minimum or (maximum is not None and value > maximum):
        bounds = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
        limits = f"不小于 {minimum}" if maximum is None else f"{minimum} 至 {maximum}"
        raise BoundsError(f"{name} is {bounds}, not {value}", f"{name} 应为 {limits}，实为 {value}")
    return value


def instant(name: str, value: int) -> int:
    """A time in whole seconds since 1970, 0 to 2**32 (which stands for "never ends")."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a time in whole seconds since 1970 (an int), not {_kind(value)}")
    if not 0 <= value <= LAST_SECOND:
        hint = ": is it in milliseconds?" if value > LAST_SECOND else ""
        raise ValueError(f"{name} is a time in whole seconds since 1970, 0 to 2**32, not {value}{hint}")
    return value


def duration(name: str, value: int, *, minimum: int = 0) -> int:
    """A length of time in whole seconds, at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a number of whole seconds (an int), not {_kind(value)}")
    if not minimum <= value <= LAST_SECOND:
        raise ValueError(f"{name} is at least {minimum} seconds and at most 2**32, not {value}")
    return value


def octets(name: str, value: bytes, sizes: range) -> bytes:
    """A `bytes` object whose size is in a range."""
    if not isinstance(value, bytes):
        raise TypeError(f"{name} is bytes, not {_kind(value)}")
    if len(value) not in sizes:
        wanted = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        limits = wanted.replace(" to ", " 至 ")
        raise BoundsError(
            f"{name} is {wanted} bytes, not {len(value)}", f"{name} 应为 {limits} 字节，实为 {len(value)} 字节"
        )
    return value


def string(name: str, value: str) -> str:
    """A string that is not empty and can be printed."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a string, not {_kind(value)}")
    if not value or not value.isprintable():
        raise ValueError(f"{name} is a printable string that is not empty")
    return value


def exact_string(text: str) -> str:
    """The same text as a `str` and nothing else: a subclass may say another text of itself than it has."""
    return text if type(text) is str else str.__str__(text)


def instance(name: str, value: _T, kind: type[Any] | tuple[type[Any], ...], wanted: str) -> _T:
    """An instance of a class or of a protocol that can be checked at run time.

    Args:
        name: of the argument.
        value: what was given.
        kind: the class, or several.
        wanted: what the argument is, in words: "a public key (VerifyingKey)".
    """
    # A class has the attributes of its instances, so a runtime-checkable protocol takes it for one of them.
    if isinstance(value, type) or not isinstance(value, kind):
        raise TypeError(f"{name} is {wanted}, not {_kind(value)}")
    return value


def callback(name: str, value: Callable[..., _T], wanted: str) -> Callable[..., _T]:
    """Something that can be called; ``wanted`` says what a call gives."""
    if not callable(value):
        raise TypeError(f"{name} is a function that gives {wanted}, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return f"the class {value.__name__} itself" if isinstance(value, type) else type(value).__name__
