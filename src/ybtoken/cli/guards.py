"""Where ``ybtoken redeem`` remembers used codes: in memory, in a file, or in Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ybtoken.cli.speech import MisuseError, misuse_of
from ybtoken.replay.memory import MemoryReplayGuard
from ybtoken.replay.protocols import ReplayGuard

__all__ = ["Store", "guard_of", "redis_guard"]

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FILE|URL",
        help="Remember used codes in this SQLite file, or in Redis (redis://...). / 已用码存入此 SQLite 文件或 Redis。",
    ),
]
_SCHEMES = ("redis://", "rediss://", "unix://")


def guard_of(store: str | None, *, terminal: str, clock: Callable[[], float]) -> ReplayGuard:
    """The guard that a command is asked to use; `MisuseError` says why it cannot."""
    if store is None:
        return MemoryReplayGuard(clock=clock)
    if store.startswith(_SCHEMES):
        guard: ReplayGuard = redis_guard(store, clock=clock)
        return guard
    if "://" in store:
        raise MisuseError(
            "A store is a file, or an address that begins with redis://, rediss:// or unix://.",
            "存储应为文件，或以 redis://、rediss://、unix:// 开头的地址。",
        )
    from ybtoken.replay.sqlite import SqliteReplayGuard

    try:
        return SqliteReplayGuard(store, terminal=terminal, clock=clock)
    except ValueError as error:
        raise misuse_of(error, zh="") from None


def redis_guard(url: str, *, cluster: bool = False, **options: Any) -> Any:
    """A `RedisReplayGuard` with these options; `MisuseError` if it cannot be made."""
    try:
        import redis
        from redis.exceptions import RedisClusterException

        from ybtoken.replay.redis import RedisReplayGuard
    except ModuleNotFoundError as error:
        raise MisuseError(str(error), "需要 redis-py：pip install 'ybtoken[redis]'") from None
    try:
        if cluster:
            return RedisReplayGuard(redis.RedisCluster.from_url(url), **options)
        return RedisReplayGuard.from_url(url, **options)
    except (ValueError, redis.RedisError, RedisClusterException) as error:
        name = type(error).__name__  # its words may hold the address, and a password in it
        raise MisuseError(f"The address cannot be used ({name}).", f"地址不可用（{name}）。") from None
