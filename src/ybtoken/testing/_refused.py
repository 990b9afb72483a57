"""What the conformance suites share."""

from __future__ import annotations

from collections.abc import Callable

from ybtoken.errors import TokenError


def refused(call: Callable[[], object], error: type[TokenError]) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"not refused with {error.__name__}")
