"""What a target is, and which errors are its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Target", "may_raise"]


class Target(NamedTuple):
    """A boundary."""

    run: Callable[[bytes], object]
    raises: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def expects(self, error: Exception) -> bool:
        """Whether an error is one of its own."""
        return _is_one_of(error, self.raises)


@contextlib.contextmanager
def may_raise(*kinds: type[Exception]) -> Iterator[None]:
    """Let errors of these types pass, and no foreign subtypes."""
    try:
        yield
    except kinds as error:
        if not _is_one_of(error, kinds):
            raise


def _is_one_of(error: Exception, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether an error is of these types or this library's subtypes: JSONDecodeError is a ValueError, and foreign."""
    return type(error) in kinds or (isinstance(error, kinds) and type(error).__module__.startswith("ybtoken."))
