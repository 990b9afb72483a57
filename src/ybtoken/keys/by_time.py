"""Secret keys that are rotated: each is in force from its own start time until the next key's (ADR 0007).

An identity reference or the secret of a rotating pass does not name the key with which it was made. The time at which
its token was issued selects the key, so an old key must be kept as long as anything made with it is still in use.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Generic, NoReturn, TypeVar

from ybtoken._checks import instant

__all__ = ["KeysByTime"]

_Key = TypeVar("_Key")


class KeysByTime(Generic[_Key]):
    """Secret keys by the time from which each is in force. Immutable; never shown, copied or pickled.

    Args:
        name: what each key is, for messages, such as "a master key".
        keys: one key; or a mapping from the time (seconds since 1970) from which a key is in force to the key.
        load: checks a key and converts it to the object that is used; raises `ValueError` for a wrong key.

    Raises:
        TypeError: a key is not bytes, or a time is not in whole seconds.
        ValueError: there is no key at all, or `load` refuses one.
    """

    __slots__ = ("_loaded", "_since")

    def __init__(self, name: str, keys: bytes | Mapping[int, bytes], load: Callable[[bytes], _Key]) -> None:
        if not isinstance(keys, (bytes, Mapping)):
            raise TypeError(f"{name} is bytes, or a mapping of times to bytes, not {type(keys).__name__}")
        by_time = keys if isinstance(keys, Mapping) else {0: keys}
        for since, key in by_time.items():
            instant(f"the time from which {name} is in force", since)
            if not isinstance(key, bytes):
                raise TypeError(f"{name} is bytes, not {type(key).__name__}")
        if not by_time:
            raise ValueError(f"there is at least one key ({name}), and the mapping of times to keys is empty")
        self._since = sorted(by_time)
        self._loaded = [load(by_time[since]) for since in self._since]

    def at(self, time: int) -> _Key | None:
        """The key in force at a time (seconds since 1970); ``None`` if the first key starts later."""
        index = bisect_right(self._since, time)
        return self._loaded[index - 1] if index else None

    def __len__(self) -> int:
        return len(self._since)

    def __repr__(self) -> str:
        return f"KeysByTime({len(self)} keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secret keys are not pickled or copied")
