"""The keys of phones: loaded when a pass names one, and remembered when it does so again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

__all__ = ["remember_again"]

_Key = TypeVar("_Key")


class _Sight(Generic[_Key]):
    __slots__ = ("again", "key")

    def __init__(self) -> None:
        self.again = False
        self.key: _Key | None = None


def remember_again(load: Callable[[bytes, bool], _Key], *, most: int = 1024) -> Callable[[bytes, bool], _Key]:
    """Make a loader that keeps a phone's key from its second display on.

    Most phones come by once a day. To keep their keys costs a sixth of what loading them does, for the memory that one
    takes and another gives up is in no cache of the processor; and they would drive out those that come again.

    Args:
        load: makes a key of x and of whether y is odd.
        most: of how many phones, those that were seen last, something is remembered.
    """

    @lru_cache(maxsize=most)
    def sight_of(x: bytes, y_is_odd: bool) -> _Sight[_Key]:
        return _Sight()

    def key_of(x: bytes, y_is_odd: bool) -> _Key:
        sight = sight_of(x, y_is_odd)
        key = sight.key
        if key is None:
            key = load(x, y_is_odd)
            if sight.again:
                sight.key = key
            sight.again = True
        return key

    return key_of
