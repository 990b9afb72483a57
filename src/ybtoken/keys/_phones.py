"""The keys of phones: loaded when a pass names one, and remembered when it does so again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

__all__ = ["remember_again"]

_Key = TypeVar("_Key")
_PLACES = 4096


def remember_again(load: Callable[[bytes, bool], _Key], *, most: int = 1024) -> Callable[[bytes, bool], _Key]:
    """Make a loader that keeps a phone's key from its second display on.

    Most phones come by once a day. To keep their keys costs a sixth of what loading them does, for the memory that one
    takes and another gives up is in no cache of the processor; and they would drive out those that come again. So of a
    phone that comes for the first time x is noted, in one of 4096 places; if it is there still, the phone comes again.

    Args:
        load: makes a key of x and of whether y is odd.
        most: how many keys are kept; the one that was not used for longest goes first.
    """
    noted = [b""] * _PLACES
    kept = lru_cache(maxsize=most)(load)

    def key_of(x: bytes, y_is_odd: bool) -> _Key:
        place = int.from_bytes(x[-2:], "big") % _PLACES
        if noted[place] == x:
            return kept(x, y_is_odd)
        noted[place] = x
        return load(x, y_is_odd)

    return key_of
