"""The conformance suite of status sources."""

from __future__ import annotations

from collections.abc import Callable

from ybtoken.errors import CannotCheckError
from ybtoken.keys.ring import KeyEntry, KeyRing, Use
from ybtoken.status.list import StatusList, StatusListReader, sign_status_list
from ybtoken.status.source import StatusSource
from ybtoken.testing._refused import refused
from ybtoken.testing.keys import FakeKey

__all__ = ["check_status_source"]


def check_status_source(make: Callable[[StatusListReader, bytes], StatusSource]) -> None:
    """Check that a `StatusSource` reads statuses, and refuses places outside its list and times after its expiry.

    Args:
        make: makes a source without grace from a reader, which checks lists, and the signed list that it holds.
    """
    key, uri, issued_at = FakeKey("statuses"), "https://status.example/1", 4_000_000_000
    array = bytes.fromhex("c944f9")
    statuses = StatusList(uri, 2, array, issued_at=issued_at, expires_at=issued_at + 600, ttl=60)
    reader = StatusListReader(KeyRing([KeyEntry(key, "registry", use=Use.STATUS)]), uri)
    source = make(reader, sign_status_list(statuses, key))
    assert isinstance(source, StatusSource)
    for now in (issued_at, issued_at + 599):
        assert [source.status(i, now).status for i in range(12)] == [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
        assert source.status(0, now).overdue is None
        for index in (12, 2**32 - 1):
            refused(lambda index=index, now=now: source.status(index, now), CannotCheckError)  # type: ignore[misc]
    for now in (issued_at + 600, issued_at + 10**9):
        refused(lambda now=now: source.status(2, now), CannotCheckError)  # type: ignore[misc]
