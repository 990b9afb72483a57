"""Replay guards in Redis or Valkey (extra ``redis``), for verifiers on more than one machine.

A claim is one pipeline on one connection, without scripts or transactions, so that it passes any proxy:

    SET <claim> <id> NX EX <ttl>     the claim itself: atomic, and the only command that decides
    GET <claim>                      whose it is: ours again, if a reply was lost and the pipeline sent anew
    GET <epoch>                      whether the store still has the memory that the claims before it went to
    WAIT <replicas> <ms>             strict mode only: has it reached the replicas

The epoch is a key that the first claim on an empty store leaves there: the server's run id and the time. Where it is
missing, or names another run of the server, claims may have been lost; a token issued before then may have been used
already, and is refused. A token issued later cannot have been: holders refresh, and nothing has to be switched.

A key says nothing about a person: it is a hash of the kid and the nonce. In a cluster its first byte is the hash tag,
so that claims spread over 256 slots and each shares its slot with an epoch.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

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
    """What both guards share: which commands make a claim, and what the replies mean. No I/O."""

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
        if token_life < 1 or replicas < 0 or replica_timeout <= 0:
            raise ValueError("token_life is at least 1 s, replicas at least 0, replica_timeout above 0 s")
        if on_restart not in ("refuse", "trust"):
            raise ValueError('on_restart is "refuse" or "trust"')
        self.token_life = token_life
        self.replicas = replicas
        self.replica_timeout_ms = max(1, int(replica_timeout * 1000))
        self.on_restart = on_restart
        self.tags = [f"{prefix}:{{{i:02x}}}:" for i in range(256)] if cluster else [f"{prefix}:"]
        self.clock = clock
        self.run_id = b"?"

    def _plan(self, key: bytes, expires_at: int) -> _Claim | TokenError:
        now = int(self.clock())
        if expires_at <= now:
            return CannotCheckError("redeem.clock", ahead=now - expires_at)
        digest = blake2b(key, digest_size=16)
        tag = self.tags[digest.digest()[0] % len(self.tags)]
        # A relative time to live: the server's own clock may be off by minutes, and an EXAT in its past would forget.
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
        """Claim keys: yields the commands of one pipeline, is sent the replies, and returns the outcomes."""
        plans = [self._plan(key, expires_at) for key, expires_at in wanted]
        claims = [plan for plan in plans if isinstance(plan, _Claim)]
        commands: list[_Command] = []
        for claim in claims:
            commands += [
                ("SET", claim.name, claim.id, "NX", "EX", claim.ttl),
                ("GET", claim.name),
                ("GET", claim.epoch),
            ]
        if self.replicas:  # once: it waits for all that this connection has written
            commands.append(("WAIT", self.replicas, self.replica_timeout_ms))
        replies = (yield commands) if claims else []
        epochs = {
            claim.epoch: epoch
            for claim, epoch in zip(claims, replies[2::3], strict=False)
            if not isinstance(epoch, Exception)
        }
        if lost := [name for name, epoch in epochs.items() if self._is_lost(epoch)]:
            # Where one is lost, begin every other that is not there either: else its first claim would.
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
        if claim.expires_at - self.token_life <= begun:  # or in the same second, before it
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
    # The class only: a message of the client may hold the address, or a password in it.
    return error_for(code, reason=type(error).__name__)


FAILURES = (redis.RedisError, OSError)


_Options = dict[str, Any]


_CONNECTIONS = 32


def _deadline(seconds: float) -> _Options:
    """Settings for a pool of ours: no connection, and no reply, is waited for longer than this."""
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "timeout": seconds,
        "max_connections": _CONNECTIONS,
    }


class RedisReplayGuard:
    """A `ybtoken.replay.protocols.ReplayGuard` in Redis 6 or later, Valkey, or a cluster of either. Thread-safe.

    Args:
        client: a client whose time-outs and retries are the deadline of a claim; `from_url` makes one.
        token_life: the longest time, in seconds, from a token's issue to the end of its claim: the lifetime of the
            tokens that are issued, and twice the verifier's skew. After a restart, tokens issued before it are refused
            for so long.
        replicas: strict mode: a claim counts only when so many replicas have it. Without it, a claim that was not yet
            replicated is lost when a replica takes over; with it, only if all those replicas fail as well. Not in a
            cluster.
        replica_timeout: how long to wait for the replicas, in seconds.
        on_restart: "refuse" tokens issued before the server last started, or "trust" its persistence; trust only
            ``appendfsync always``. In a cluster a restart shows only by an empty shard.
        prefix: what the names of keys begin with.
        clock: seconds since 1970; the verifier's clock.
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
        # A connection that was dropped is made anew once; sending a claim twice is safe, it is known again by its id.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        pool = redis.BlockingConnectionPool.from_url(url, retry=retry, **_deadline(deadline))
        return cls(redis.Redis.from_pool(pool), **options)

    def claim(self, key: bytes, expires_at: int) -> None:
        """See `ybtoken.replay.protocols.ReplayGuard.claim`."""
        (refused,) = self.claim_many([(key, expires_at)])
        if refused is not None:
            raise refused

    def claim_many(self, claims: Iterable[tuple[bytes, int]]) -> list[TokenError | None]:
        """Claim many keys in one round trip: for each ``None``, or why it is refused. Order kept."""
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
    """The same for asyncio: an `AsyncReplayGuard` for one event loop. See `RedisReplayGuard`."""

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
