"""The guards' own connections. They use the settings of the client that a guard is given, but never that client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from threading import Semaphore
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from ybtoken._checks import instance

__all__ = ["DEADLINE", "settings_of"]

DEADLINE = 0.5  # seconds
_CONNECTIONS = 32
# Options of a client that are not for connections, or that would change the answers.
_NOT_OURS = frozenset(
    {
        "cache",
        "cache_config",
        "connection_pool",
        "decode_responses",
        "encoding",
        "encoding_errors",
        "himport_registry",
        "maint_notifications_config",
        "max_connections",
        "maint_notifications_pool_handler",
        "orig_host_address",
        "orig_socket_connect_timeout",
        "orig_socket_timeout",
        "oss_cluster_maint_notifications_handler",
        "parser_class",
        "redis_connect_func",
        "response_callbacks",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
    }
)


class Settings:
    """How to connect, and to which nodes.

    Args:
        options: the options of a pool and of its connections.
        pool: makes a pool from such options.
        kind: `Connections` or `AsyncConnections`.
        seeds: the known nodes of a cluster; none for a single server.
        address_remap: returns the address to which to connect for an address that a cluster states.
    """

    def __init__(
        self,
        options: dict[str, Any],
        pool: Callable[..., Any],
        kind: type[Connections | AsyncConnections],
        *,
        seeds: list[tuple[str, int]] | None = None,
        address_remap: Callable[[tuple[str, int]], tuple[str, int]] | None = None,
    ) -> None:
        # Without a time-out, a claim could wait forever and stop the counter.
        timeout = options.get("socket_timeout") or DEADLINE
        connect_timeout = options.get("socket_connect_timeout") or timeout
        self.deadline: float = max(timeout, connect_timeout)
        self._options = options | {"socket_timeout": timeout, "socket_connect_timeout": connect_timeout}
        self._pool, self._kind = pool, kind
        self.seeds = seeds or []
        self._remap = address_remap

    def connections(self, node: tuple[str, int] | None) -> Any:
        """Make connections to a single server, or to one node of a cluster."""
        options = dict(self._options)
        if node is not None:
            options["host"], options["port"] = self._remap(node) if self._remap else node
        # The pool only makes connections (and finds the primary, if it is a pool of Sentinel's). Its limit would count
        # all connections ever made, so it is set out of reach; `Connections` limits those in use.
        pool = self._pool(**options, max_connections=1 << 31)
        return self._kind(pool, _CONNECTIONS, options["socket_timeout"])


def settings_of(client: Any, *, asynchronous: bool) -> Settings:
    """The settings of a client of redis-py.

    Raises:
        TypeError: this is not a client, or a client of the other kind (blocking or asyncio).
        ValueError: the client is for replicas.
    """
    library: Any = redis.asyncio if asynchronous else redis
    name = "redis.asyncio" if asynchronous else "redis"
    wanted = f"a {name}.Redis or {name}.RedisCluster (from_url makes one of an address)"
    instance("client", client, (library.Redis, library.RedisCluster), wanted)
    retry: Any = AsyncRetry if asynchronous else Retry
    # No retries by the client, because the guard itself sends again what a dropped connection may have lost.
    ours = {"retry": retry(NoBackoff(), 0), "decode_responses": False}
    if isinstance(client, library.RedisCluster):
        return _of_cluster(client, library, ours)
    kind = AsyncConnections if asynchronous else Connections
    pool = client.connection_pool
    options = {name: value for name, value in pool.connection_kwargs.items() if name not in _NOT_OURS}
    options |= ours | {"connection_class": pool.connection_class}
    sentinel: Any = redis.asyncio.sentinel if asynchronous else redis.sentinel
    if isinstance(pool, sentinel.SentinelConnectionPool):
        if not pool.is_master:
            raise ValueError("client is one for the primary (Sentinel.master_for), not for a replica")
        of_sentinel = partial(sentinel.SentinelConnectionPool, pool.service_name, pool.sentinel_manager)
        return Settings(options, of_sentinel, kind)
    return Settings(options, library.ConnectionPool, kind)


def _of_cluster(client: Any, library: Any, ours: dict[str, Any]) -> Settings:
    nodes = client.nodes_manager
    given = client.connection_kwargs if library is redis.asyncio else nodes.connection_kwargs
    options = {name: value for name, value in given.items() if name not in _NOT_OURS | {"host", "port", "path", "db"}}
    options |= ours
    known = list(nodes.startup_nodes.values())
    if library is redis.asyncio:
        options["connection_class"] = known[0].connection_class
    elif options.pop("ssl", False):
        options["connection_class"] = redis.SSLConnection
    seeds = [(node.host, int(node.port)) for node in known]
    remap = getattr(nodes, "address_remap", None)
    kind = AsyncConnections if library is redis.asyncio else Connections
    return Settings(options, library.ConnectionPool, kind, seeds=seeds, address_remap=remap)


class Connections:
    """Connections of one guard to one server. Thread-safe, and safe to fork.

    They are kept here and not in the client's pool, because that asks the operating system at each use whether the
    connection is still alive, which takes half as long as a claim. Here a dead connection is noticed when it is used.
    Then all idle connections are dropped, and the caller sends again.
    """

    def __init__(self, pool: Any, most: int, deadline: float) -> None:
        self._pool, self._most, self._deadline = pool, most, deadline
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._idle: list[Any] = []
        self._free = Semaphore(self._most)

    def talk(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Send commands on one connection and return the answers, which may be errors of the server."""
        if os.getpid() != self._process:
            self._reset()  # connections made before the fork belong to the parent
        if not self._free.acquire(timeout=self._deadline):
            raise redis.TimeoutError("no connection became free")
        try:
            connection = _taken(self._idle) or self._pool.make_connection()
            answers: list[Any] = []
            try:
                connection.connect()
                connection.send_packed_command(connection.pack_commands(commands))
                for _ in commands:
                    try:
                        answers.append(connection.read_response())
                    except redis.ResponseError as error:
                        answers.append(error)
            except BaseException:
                connection.disconnect()  # a late answer must not be taken for the answer to the next command
                self.close()
                raise
            self._idle.append(connection)
            return answers
        finally:
            self._free.release()

    def close(self) -> None:
        """Close those that are idle."""
        while connection := _taken(self._idle):
            connection.disconnect()


class AsyncConnections:
    """The same for one event loop."""

    def __init__(self, pool: Any, most: int, deadline: float) -> None:
        self._pool, self._deadline = pool, deadline
        self._idle: list[Any] = []
        self._free = asyncio.Semaphore(most)

    async def talk(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """See `Connections.talk`."""
        if self._free.locked():
            await asyncio.wait_for(self._free.acquire(), self._deadline)
        else:
            await self._free.acquire()
        try:
            connection = _taken(self._idle) or self._pool.make_connection()
            answers: list[Any] = []
            try:
                await connection.connect()
                await connection.send_packed_command(connection.pack_commands(commands))
                for _ in commands:
                    try:
                        answers.append(await connection.read_response())
                    except redis.ResponseError as error:
                        answers.append(error)
            except BaseException:
                await connection.disconnect(nowait=True)
                await self.close()
                raise
            self._idle.append(connection)
            return answers
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close those that are idle."""
        while connection := _taken(self._idle):
            await connection.disconnect(nowait=True)


def _taken(idle: list[Any]) -> Any:
    try:
        return idle.pop()
    except IndexError:
        return None
