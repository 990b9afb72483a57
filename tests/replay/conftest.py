"""Shared by the tests of guards: a redis-server, a clock that stands still, and guards that are closed at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.replay.redis_server import SERVER, RedisServer


class Clock:
    """The guards' clock. It stands still unless a test moves it, so that no outcome depends on the machine's load."""

    def __init__(self) -> None:
        self.now: float = int(time.time())

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path, "--save", "", "--appendonly", "no")
    yield server
    server.stop()


@pytest.fixture
def guard_of(clock: Clock) -> Iterator[Callable[..., Any]]:
    """Makes a guard over a server, or over a client. Its store was prepared 1,000 s ago unless it is told not."""
    if SERVER is None:
        pytest.skip("no redis-server on this machine")
    from ybtoken.replay.redis import RedisReplayGuard

    made: list[RedisReplayGuard] = []

    def make(store: Any, *, prepared: bool = True, deadline: float = 10, **options: Any) -> RedisReplayGuard:
        # A long deadline, so that a loaded machine fails no test; tests of the deadline set their own.
        options = {"clock": clock} | options
        if isinstance(store, RedisServer):
            store = store.url
        if isinstance(store, str):
            made.append(RedisReplayGuard.from_url(store, deadline=deadline, **options))
        else:
            made.append(RedisReplayGuard(store, **options))
        if prepared:
            clock.now -= 1000
            made[-1].prepare()
            clock.now += 1000
        return made[-1]

    yield make
    for guard in made:
        guard.close()
