"""Replay guards in Redis or Valkey (extra ``redis``), for verifiers on more than one machine.

A claim is one pipeline on one connection. It uses no script and no transaction, so that it passes through any proxy:

    SET <claim> <id> NX EX <ttl>     the claim itself: atomic, and the only command that decides
    GET <claim>                      who holds the claim: this guard, if a reply was lost and the pipeline sent again
    GET <epoch>                      whether the store still has the claims that were made before
    WAIT <replicas> <ms>             strict mode only: whether the claim has reached the replicas

The epoch is a key with the server's run id and the time; the first claim on an empty store sets it. If it is missing,
or names another run of the server, claims may have been lost. A token issued before the epoch's time may have been used
already and is refused. A token issued later cannot have been used before the loss and is accepted, so holders need only
refresh their codes, and operators need do nothing.

A key says nothing about a person because it is a hash of the kid and the nonce. In a cluster the first byte of that
hash is the hash tag: claims spread over 256 slots, and each slot has an epoch of its own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

from ybtoken._checks import callback, duration, instance, string, uint
from ybtoken.errors import CannotCheckError, RedeemError, TokenError, error_for

try:
    import redis
    import redis.asyncio
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("this guard needs redis-py: pip install 'ybtoken[redis]'", name="redis") from error

__all__ = ["AsyncRedisReplayGuard", "RedisReplayGuard"]

OnRestart = Literal["refuse", "trust"]
_Command = tuple[Any, ...]
_Conversation = Generator[list[_Command], list[Any], list[TokenError | None]]


_EPOCH = "epoch"


@dataclass(frozen=True, slots=True)
class _Claim:
    name: str
    epoch: str
    id: bytes
    expires_at: int
    ttl: int


class _Rules:
    """What both guards share, without I/O: which commands make a claim, and what the replies mean."""

    def __init__(
        self,
        token_life: int,
        replicas: int,
        replica_timeout: float,
        on_restart: OnRestart,
        prefix: str,
        clock: Callable[[], float],
        *,
        cluster: bool,
    ) -> None:
        self.token_life = duration("token_life", token_life, minimum=1)
        self.replicas = uint("replicas", replicas, 0xFFFF)
        if isinstance(replica_timeout, bool) or not isinstance(replica_timeout, (int, float)):
            raise TypeError(f"replica_timeout is a number of seconds, not {type(replica_timeout).__name__}")
        if not 0 < replica_timeout <= 3600:  # and no NaN
            raise ValueError(f"replica_timeout is above 0 and at most 3600 seconds, not {replica_timeout}")
        if on_restart not in ("refuse", "trust"):
            raise ValueError(f'on_restart is "refuse" or "trust", not {on_restart!r}')
        string("prefix", prefix)
        self.replica_timeout_ms = max(1, int(replica_timeout * 1000))
        self.on_restart = on_restart
        self.tags = [f"{prefix}:{{{i:02x}}}:" for i in range(256)] if cluster else [f"{prefix}:"]
        self.clock = callback("clock", clock, "the seconds since 1970")
        self.run_id = b"?"

    def _plan(self, key: bytes, expires_at: int) -> _Claim | TokenError:
        now = int(self.clock())
        if expires_at <= now:
            return CannotCheckError("redeem.clock", ahead=now - expires_at)
        digest = blake2b(key, digest_size=16)
        tag = self.tags[digest.digest()[0] % len(self.tags)]
        # The time to live is relative because the server's clock may be wrong by minutes: with EXAT, a claim whose end
        # is in the server's past would be forgotten at once.
        return _Claim(tag + digest.hexdigest(), tag + _EPOCH, secrets.token_bytes(8), expires_at, expires_at - now)

    def saw_run_id(self, info: bytes | str) -> None:
        """Take the server's run id from its answer to ``INFO server``, asked on every new connection."""
        lines = (info.decode() if isinstance(info, bytes) else info).splitlines()
        self.run_id = next((line[7:].encode() for line in lines if line.startswith("run_id:")), b"?")

    def _new_epoch(self) -> bytes:
        return b"%s:%d" % (self.run_id, int(self.clock()))

    def _is_lost(self, epoch: bytes | None) -> bool:
        """Whether the store has lost, or may have lost, the claims that it was given before."""
        if epoch is None:
            return True
        return self.on_restart == "refuse" and epoch.rpartition(b":")[0] != self.run_id

    def converse(self, wanted: Iterable[tuple[bytes, int]]) -> _Conversation:
        """Claim keys: yields the commands of one pipeline, takes the replies by ``send``, and returns the outcomes."""
        plans = [self._plan(key, expires_at) for key, expires_at in wanted]
        claims = [plan for plan in plans if isinstance(plan, _Claim)]
        commands: list[_Command] = []
        for claim in claims:
            commands += [
                ("SET", claim.name, claim.id, "NX", "EX", claim.ttl),
                ("GET", claim.name),
                ("GET", claim.epoch),
            ]
        if self.replicas:  # one WAIT at the end, because it waits for everything that this connection has written
            commands.append(("WAIT", self.replicas, self.replica_timeout_ms))
        replies = (yield commands) if claims else []
        epochs = {
            claim.epoch: epoch
            for claim, epoch in zip(claims, replies[2::3], strict=False)
            if not isinstance(epoch, Exception)
        }
        if lost := [name for name, epoch in epochs.items() if self._is_lost(epoch)]:
            # If one epoch is lost, every other that is missing begins now as well. Otherwise it would begin at its own
            # first claim, and refuse the tokens issued between now and then.
            epoch = self._new_epoch()
            begin: list[_Command] = [("SET", name, epoch) for name in lost]
            begin += [("SET", tag + _EPOCH, epoch, "NX") for tag in self.tags if tag + _EPOCH not in lost]
            begun = yield begin + [("GET", name) for name in lost]
            epochs |= dict(zip(lost, begun[len(begin) :], strict=True))
        acknowledged = replies[-1] if self.replicas and claims else 0
        outcomes = {
            claim.id: self._outcome(claim, replies[3 * i : 3 * i + 3], epochs.get(claim.epoch), acknowledged)
            for i, claim in enumerate(claims)
        }
        return [outcomes[plan.id] if isinstance(plan, _Claim) else plan for plan in plans]

    def _outcome(self, claim: _Claim, replies: Sequence[Any], epoch: Any, acknowledged: Any) -> TokenError | None:
        for reply in (*replies, epoch, acknowledged):
            if isinstance(reply, Exception):
                return refusal(reply)
        if replies[1] != claim.id:
            return RedeemError("redeem.replayed")
        begun = int(epoch.rpartition(b":")[2])
        if claim.expires_at - self.token_life <= begun:  # issued before the epoch, or in its second
            return error_for("redeem.restarted", begun=begun)
        if acknowledged < self.replicas:
            return error_for("redeem.unreplicated", acknowledged=acknowledged, wanted=self.replicas)
        return None


_CODES: tuple[tuple[type[Exception], str], ...] = (
    (redis.TimeoutError, "redeem.timeout"),
    (redis.BusyLoadingError, "redeem.loading"),
    (redis.ReadOnlyError, "redeem.readonly"),
    (redis.OutOfMemoryError, "redeem.memory"),
)


def refusal(error: Exception) -> TokenError:
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "redeem.unavailable")
    # Only the class is named, because the client's message may hold the server's address and a password in it.
    return error_for(code, reason=type(error).__name__)


FAILURES = (redis.RedisError, OSError)


_Options = dict[str, Any]


_CONNECTIONS = 32


def _deadline(seconds: float) -> _Options:
    """Settings of a pool that `from_url` makes: the longest wait for a connection, and for a reply, in seconds."""
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "timeout": seconds,
        "max_connections": _CONNECTIONS,
    }


class RedisReplayGuard:
    """A `ybtoken.replay.protocols.ReplayGuard` in Redis 6 or later, Valkey, or a cluster of either. Thread-safe.

    Args:
        client: a client of redis-py; its time-outs and retries are the deadline of a claim. `from_url` makes one.
        token_life: the longest time, in seconds, from a token's issue to the end of its claim: the lifetime of tokens
            plus twice the verifier's skew. After a restart, tokens issued before it are refused for this long.
        replicas: strict mode: a claim counts only when this many replicas have it. In the default mode (0), a claim
            that is not replicated yet is lost when a replica takes over; in strict mode, only if all these replicas
            fail as well. A cluster has no strict mode.
        replica_timeout: how long to wait for the replicas, in seconds.
        on_restart: "refuse" tokens issued before the server last started, or "trust" its persistence. Trust only a
            server with ``appendfsync always``. In a cluster a restart is noticed only by an empty shard.
        prefix: the beginning of every key's name.
        clock: gives the seconds since 1970: the verifier's clock.

    Raises:
        TypeError: the client is something else, such as an address; `from_url` takes one.
        ValueError: a number is out of its bounds, or strict mode was asked for in a cluster.
    """

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        *,
        token_life: int = 320,
        replicas: int = 0,
        replica_timeout: float = 0.1,
        on_restart: OnRestart = "refuse",
        prefix: str = "ybtoken",
        clock: Callable[[], float] = time.time,
    ) -> None:
        kinds = redis.Redis, redis.RedisCluster
        instance("client", client, kinds, "a redis.Redis or redis.RedisCluster (from_url makes one of an address)")
        cluster = isinstance(client, redis.RedisCluster)
        self._rules = _Rules(token_life, replicas, replica_timeout, on_restart, prefix, clock, cluster=cluster)
        self._client = client
        if isinstance(client, redis.Redis):
            client.connection_pool.connection_kwargs["redis_connect_func"] = self._on_connect
            client.connection_pool.disconnect()
        elif replicas:
            raise ValueError("strict mode is for one server and its replicas, not for a cluster")

    @classmethod
    def from_url(cls, url: str, *, deadline: float = 0.5, **options: Any) -> RedisReplayGuard:
        """Connect to ``redis://``, ``rediss://`` or ``unix://``.

        Args:
            url: the server; see `redis.Redis.from_url`.
            deadline: the longest time that connecting, or waiting for a reply, may take, in seconds.
            options: as for the class.
        """
        # A connection that was dropped is opened again once. Sending a claim twice is safe: its id shows whose it is.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        pool = redis.BlockingConnectionPool.from_url(url, retry=retry, **_deadline(deadline))
        return cls(redis.Redis.from_pool(pool), **options)

    def claim(self, key: bytes, expires_at: int) -> None:
        """See `ybtoken.replay.protocols.ReplayGuard.claim`."""
        (refused,) = self.claim_many([(key, expires_at)])
        if refused is not None:
            raise refused

    def claim_many(self, claims: Iterable[tuple[bytes, int]]) -> list[TokenError | None]:
        """See `ybtoken.replay.protocols.ReplayGuard.claim_many`; all claims travel in one round trip."""
        claims = list(claims)
        conversation = self._rules.converse(claims)
        try:
            commands = next(conversation)
            while True:
                commands = conversation.send(self._send(commands))
        except StopIteration as end:
            outcomes: list[TokenError | None] = end.value
            return outcomes
        except FAILURES as error:
            return [refusal(error)] * len(claims)

    def _send(self, commands: list[_Command]) -> list[Any]:
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute(raise_on_error=False)

    def _on_connect(self, connection: Any) -> None:
        connection.on_connect()
        connection.send_command("INFO", "server")
        self._rules.saw_run_id(connection.read_response())

    def close(self) -> None:
        """Close the connections; a later claim opens them again."""
        if isinstance(self._client, redis.Redis):
            self._client.connection_pool.disconnect()
        else:
            self._client.close()

    def __repr__(self) -> str:
        return "RedisReplayGuard()"


class AsyncRedisReplayGuard:
    """A `RedisReplayGuard` for asyncio, within one event loop. It takes the same arguments and a client of asyncio."""

    def __init__(
        self,
        client: redis.asyncio.Redis | redis.asyncio.RedisCluster,
        *,
        token_life: int = 320,
        replicas: int = 0,
        replica_timeout: float = 0.1,
        on_restart: OnRestart = "refuse",
        prefix: str = "ybtoken",
        clock: Callable[[], float] = time.time,
    ) -> None:
        kinds = redis.asyncio.Redis, redis.asyncio.RedisCluster
        wanted = "a redis.asyncio.Redis or redis.asyncio.RedisCluster (from_url makes one of an address)"
        instance("client", client, kinds, wanted)
        cluster = isinstance(client, redis.asyncio.RedisCluster)
        self._rules = _Rules(token_life, replicas, replica_timeout, on_restart, prefix, clock, cluster=cluster)
        self._client = client
        if isinstance(client, redis.asyncio.Redis):
            client.connection_pool.connection_kwargs["redis_connect_func"] = self._on_connect
        elif replicas:
            raise ValueError("strict mode is for one server and its replicas, not for a cluster")

    @classmethod
    def from_url(cls, url: str, *, deadline: float = 0.5, **options: Any) -> AsyncRedisReplayGuard:
        """See `RedisReplayGuard.from_url`."""
        retry = AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, retry=retry, **_deadline(deadline))
        return cls(redis.asyncio.Redis.from_pool(pool), **options)

    async def claim(self, key: bytes, expires_at: int) -> None:
        """See `ybtoken.replay.protocols.ReplayGuard.claim`."""
        (refused,) = await self.claim_many([(key, expires_at)])
        if refused is not None:
            raise refused

    async def claim_many(self, claims: Iterable[tuple[bytes, int]]) -> list[TokenError | None]:
        """See `RedisReplayGuard.claim_many`."""
        claims = list(claims)
        conversation = self._rules.converse(claims)
        try:
            commands = next(conversation)
            while True:
                commands = conversation.send(await self._send(commands))
        except StopIteration as end:
            outcomes: list[TokenError | None] = end.value
            return outcomes
        except FAILURES as error:
            return [refusal(error)] * len(claims)

    async def _send(self, commands: list[_Command]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

    async def _on_connect(self, connection: Any) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        self._rules.saw_run_id(await connection.read_response())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def __repr__(self) -> str:
        return "AsyncRedisReplayGuard()"
