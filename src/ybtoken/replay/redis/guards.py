"""The two guards: one that blocks, and one for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import redis
import redis.asyncio

from ybtoken.errors import TokenError
from ybtoken.replay.protocols import AsyncReplayGuard, Claim, ReplayGuard
from ybtoken.replay.redis.connections import DEADLINE, settings_of
from ybtoken.replay.redis.groups import Command, Conversation, Node
from ybtoken.replay.redis.rules import OnRestart, OnUnchecked, Rules

__all__ = ["AsyncRedisReplayGuard", "RedisReplayGuard"]

_IN_USE = "the store holds claims already, so this is not its first use: prepare it without first_use"


class RedisReplayGuard(ReplayGuard):
    """A `ReplayGuard` in Redis 6 or later, Valkey, or a cluster of either. Thread-safe, and safe to fork.

    At its first claim and then every 5 seconds it asks the server with INFO whether claims are safe there. It refuses
    if keys may be evicted, or if the server is a replica. Within each claim the script compares the server's run id and
    its count of evicted keys with those of earlier claims.

    Args:
        client: a client of redis-py. The guard uses its address, credentials and time-outs for its own connections. If
            the client has no time-out, the guard waits 0.5 s for an answer. `from_url` makes a client.
        replicas: strict mode: a claim counts only when so many replicas have it. Without it, a claim that is not yet
            replicated is lost if a replica takes over; with it, only if all those replicas fail as well.
        replica_timeout: how long to wait for the replicas, in seconds.
        on_restart: "refuse" codes issued before the server last started, or "trust" its persistence, which must then be
            ``appendonly yes`` with ``appendfsync always``; the guard checks that.
        on_unchecked: what to do if the server forbids INFO: "refuse" every code, or "trust" the server without checks.
            The application then guarantees that no key is evicted, that a server that restarts is empty or has lost
            nothing, and that it is the primary.
        prefix: the start of the names of all keys.
        clock: returns seconds since 1970; the verifier's clock.
    """

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        *,
        replicas: int = 0,
        replica_timeout: float = 0.1,
        on_restart: OnRestart = "refuse",
        on_unchecked: OnUnchecked = "refuse",
        prefix: str = "ybtoken",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings_of(client, asynchronous=False)
        self._rules = Rules(
            replicas=replicas,
            replica_timeout=replica_timeout,
            on_restart=on_restart,
            on_unchecked=on_unchecked,
            prefix=prefix,
            clock=clock,
            deadline=self._settings.deadline,
            seeds=self._settings.seeds,
        )
        self._connections: dict[Node, Any] = {}

    @classmethod
    def from_url(cls, url: str, *, deadline: float = DEADLINE, **options: Any) -> RedisReplayGuard:
        """Connect to ``redis://``, ``rediss://`` or ``unix://``.

        Args:
            url: the server; see `redis.Redis.from_url`.
            deadline: the longest time that connecting, or waiting for an answer, may take, in seconds.
            options: the other arguments of the class.
        """
        return cls(redis.Redis.from_url(url, socket_timeout=deadline, socket_connect_timeout=deadline), **options)

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        (refused,) = self.claim_many([Claim(key, since, by, until)])
        if refused is not None:
            raise refused

    def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`. All claims take one round trip, in a cluster one to each node.

        If a node of a cluster does not answer, only its own claims are refused.
        """
        outcomes: list[TokenError | None] = self._hold(self._rules.claim(claims))
        return outcomes

    def prepare(self, *, first_use: bool = False) -> int:
        """Let a store begin to remember now, so that the codes of its first half minute are not refused.

        The first claim on an empty store does the same, but refuses codes issued before it. Call this at least 2 x skew
        before the first code is redeemed. A store that is already prepared stays as it is.

        Args:
            first_use: state that no code was ever redeemed with this store, so that no code is refused for its age.
                Never state this after a loss, and never in a script that runs at each start, because codes that were
                redeemed before would be accepted again.

        Returns:
            Since when the store remembers every claim, in seconds since 1970.

        Raises:
            TokenError: the store does not answer, or is not safe.
            ValueError: ``first_use`` is stated although the store holds claims.
        """
        if first_use and self._hold(self._rules.claims_held()):
            raise ValueError(_IN_USE)
        begun: int = self._hold(self._rules.prepare(first_use=first_use))
        return begun

    def _hold(self, conversation: Conversation) -> Any:
        try:
            requests = next(conversation)
            while True:
                requests = conversation.send([self._send(node, commands) for node, commands in requests])
        except StopIteration as end:
            return end.value
        finally:
            for node in self._rules.take_garbled():
                if (connections := self._connections.get(node)) is not None:  # `close` may have taken them
                    connections.close()

    def _send(self, node: Node, commands: list[Command]) -> list[Any]:
        try:
            connections = self._connections.get(node)
            if connections is None:
                connections = self._connections.setdefault(node, self._settings.connections(node))
            replies: list[Any] = connections.talk(commands)
            return replies
        except Exception as error:  # whatever a client makes of what a store sends, the code is refused
            return [error] * len(commands)

    def close(self) -> None:
        """Close the connections; a later claim opens them again."""
        for node in list(self._connections):
            if (connections := self._connections.pop(node, None)) is not None:
                connections.close()

    def __repr__(self) -> str:
        return "RedisReplayGuard()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a guard is not pickled or copied: make one with the same client where it is used")


class AsyncRedisReplayGuard(AsyncReplayGuard):
    """The same for asyncio: an `AsyncReplayGuard` for one event loop. See `RedisReplayGuard`."""

    def __init__(
        self,
        client: redis.asyncio.Redis | redis.asyncio.RedisCluster,
        *,
        replicas: int = 0,
        replica_timeout: float = 0.1,
        on_restart: OnRestart = "refuse",
        on_unchecked: OnUnchecked = "refuse",
        prefix: str = "ybtoken",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings_of(client, asynchronous=True)
        self._rules = Rules(
            replicas=replicas,
            replica_timeout=replica_timeout,
            on_restart=on_restart,
            on_unchecked=on_unchecked,
            prefix=prefix,
            clock=clock,
            deadline=self._settings.deadline,
            seeds=self._settings.seeds,
        )
        self._connections: dict[Node, Any] = {}

    @classmethod
    def from_url(cls, url: str, *, deadline: float = DEADLINE, **options: Any) -> AsyncRedisReplayGuard:
        """See `RedisReplayGuard.from_url`."""
        client = redis.asyncio.Redis.from_url(url, socket_timeout=deadline, socket_connect_timeout=deadline)
        return cls(client, **options)

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""
        (refused,) = await self.claim_many([Claim(key, since, by, until)])
        if refused is not None:
            raise refused

    async def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `RedisReplayGuard.claim_many`."""
        outcomes: list[TokenError | None] = await self._hold(self._rules.claim(claims))
        return outcomes

    async def prepare(self, *, first_use: bool = False) -> int:
        """See `RedisReplayGuard.prepare`."""
        if first_use and await self._hold(self._rules.claims_held()):
            raise ValueError(_IN_USE)
        begun: int = await self._hold(self._rules.prepare(first_use=first_use))
        return begun

    async def _hold(self, conversation: Conversation) -> Any:
        try:
            requests = next(conversation)
            while True:
                if len(requests) == 1:
                    answers = [await self._send(*requests[0])]
                else:
                    answers = await asyncio.gather(*(self._send(*request) for request in requests))
                requests = conversation.send(answers)
        except StopIteration as end:
            return end.value
        finally:
            for node in self._rules.take_garbled():
                if (connections := self._connections.get(node)) is not None:  # `aclose` may have taken them
                    await connections.close()

    async def _send(self, node: Node, commands: list[Command]) -> list[Any]:
        try:
            connections = self._connections.get(node)
            if connections is None:
                connections = self._connections.setdefault(node, self._settings.connections(node))
            replies: list[Any] = await connections.talk(commands)
            return replies
        except Exception as error:  # whatever a client makes of what a store sends, the code is refused
            return [error] * len(commands)

    async def aclose(self) -> None:
        """Close the connections."""
        for node in list(self._connections):
            if (connections := self._connections.pop(node, None)) is not None:
                await connections.close()

    def __repr__(self) -> str:
        return "AsyncRedisReplayGuard()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a guard is not pickled or copied: make one with the same client where it is used")
