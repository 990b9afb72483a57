"""The Redis guard against a real server: conformance, every failure, and restarts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

redis = pytest.importorskip("redis")

from tests.replay.conftest import Clock  # noqa: E402
from tests.replay.redis_server import SERVER, RedisServer  # noqa: E402
from ybtoken import CannotCheckError, Issuer, KeyEntry, KeyRing, TokenError, Verdicts, Verifier  # noqa: E402
from ybtoken.errors import RedeemError  # noqa: E402
from ybtoken.passes.rotating import STEP, RotatingCodes  # noqa: E402
from ybtoken.replay.protocols import Claim  # noqa: E402
from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard  # noqa: E402
from ybtoken.testing.guards import check_async_replay_guard, check_replay_guard, check_rotating_redemption  # noqa: E402
from ybtoken.testing.keys import FakeKey  # noqa: E402

pytestmark = pytest.mark.skipif(SERVER is None and not os.environ.get("CI"), reason="no redis-server on this machine")

LIFE = 60
Guards = Callable[..., RedisReplayGuard]


@pytest.fixture
def fresh(clock: Clock) -> Callable[[], dict[str, int]]:
    """The times of a claim on a token that was issued a moment after whatever came before."""
    return lambda: {"since": int(clock.now) + 1, "by": int(clock.now) + LIFE, "until": int(clock.now) + LIFE + 20}


Fresh = Callable[[], dict[str, int]]


def refusal_of(guard: RedisReplayGuard, times: dict[str, int], key: bytes = b"key") -> str:
    with pytest.raises(TokenError) as refused:
        guard.claim(key, **times)
    return refused.value.code


def emptied(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()


def test_conforms(server: RedisServer, guard_of: Guards, clock: Clock) -> None:
    check_replay_guard(
        lambda clock: guard_of(server, prepared=False, clock=clock), lose=lambda: emptied(server), threads=8
    )


def test_steps_of_a_rotating_pass_only_go_up(server: RedisServer, guard_of: Guards, clock: Clock) -> None:
    check_rotating_redemption(lambda clock: guard_of(server, prepared=False, clock=clock))


def test_async_conforms(server: RedisServer, clock: Clock) -> None:
    def make(clock: Callable[[], float]) -> AsyncRedisReplayGuard:
        emptied(server)
        return AsyncRedisReplayGuard.from_url(server.url, clock=clock, deadline=30)

    check_async_replay_guard(make, lose=lambda: emptied(server), threads=8)


def test_tasks_that_claim_at_once(server: RedisServer, fresh: Fresh, clock: Clock) -> None:
    async def run() -> None:
        guard = AsyncRedisReplayGuard.from_url(server.url, deadline=30, clock=clock)
        assert await guard.prepare() == clock.now
        outcomes = await asyncio.gather(
            *(guard.claim(b"race %d" % (i % 20), **fresh()) for i in range(400)), return_exceptions=True
        )
        assert outcomes.count(None) == 20
        assert {outcome.code for outcome in outcomes if isinstance(outcome, TokenError)} == {"redeem.replayed"}
        await guard.aclose()

    asyncio.run(run())


def test_guards_of_two_machines_share_their_claims(server: RedisServer, guard_of: Guards, fresh: Fresh) -> None:
    one, two = guard_of(server), guard_of(server)
    one.claim(b"key", **fresh())
    assert refusal_of(two, fresh()) == "redeem.replayed"


def test_a_batch_is_one_round_trip_and_keeps_its_order(
    server: RedisServer, guard_of: Guards, fresh: Fresh, clock: Clock
) -> None:
    guard, times = guard_of(server), tuple(fresh().values())
    guard.claim(b"used", **fresh())
    claims = [Claim(key, *times) for key in (b"a", b"used", b"b", b"a")]
    outcomes = guard.claim_many([*claims, Claim(b"late", times[0], times[0] - 1, times[2])])
    assert [outcome and outcome.code for outcome in outcomes] == [
        None, "redeem.replayed", None, "redeem.replayed", "redeem.clock",
    ]  # fmt: skip
    client = redis.Redis.from_url(server.url)
    before = client.info("stats")["total_writes_processed"]
    assert guard.claim_many([Claim(b"many %d" % i, *times) for i in range(300)]) == [None] * 300
    assert client.info("stats")["total_writes_processed"] - before < 20
    assert guard.claim_many([]) == []
    client.close()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_many_are_redeemed_as_one_by_one(
    server: RedisServer, asynchronous: bool, guard_of: Guards, clock: Clock
) -> None:
    key, codes = FakeKey("issuer"), RotatingCodes(bytes(32))
    now = clock.now
    issuer, ring = Issuer(key, lifetime=LIFE, clock=lambda: now), KeyRing([KeyEntry(key, "issuer")])
    phone = codes.enrol(issuer.issue_rotating_pass(bytes(16), "330106"))
    texts = [issuer.issue(bytes(16), "330106").text for _ in range(200)]
    scans = [*texts, phone.present(now=now), "96", phone.present(now=now - STEP), *texts[::-1]]
    options: Any = {"otp": codes, "skew": 0, "clock": lambda: now}

    async def redeem() -> Verdicts:
        guard = AsyncRedisReplayGuard.from_url(server.url, deadline=30, clock=clock)
        assert await guard.prepare(first_use=True) == 0
        try:
            return await Verifier(ring, guard=guard, **options).redeem_many_async(scans)
        finally:
            await guard.aclose()

    if asynchronous:
        verdicts = asyncio.run(redeem())
    else:
        verdicts = Verifier(ring, guard=guard_of(server), **options).redeem_many(scans)
    assert verdicts.codes[:201] == bytes(201)
    assert verdicts.counts() == {"redeem.replayed": 201, "text.length": 1}
    server.kill()
    down = Verifier(ring, guard=guard_of(server, prepared=False), **options)
    assert down.redeem_many([issuer.issue(bytes(16), "330106").text, "96"]).counts() == {
        "redeem.unavailable": 1,
        "text.length": 1,
    }


def test_a_claim_is_freed_when_it_expires_and_names_nobody(server: RedisServer, guard_of: Guards, fresh: Fresh) -> None:
    guard = guard_of(server)
    guard.claim(b"nonce-and-kid", **fresh())
    client = redis.Redis.from_url(server.url)
    (name,) = [key for key in client.scan_iter() if not key.endswith(b"epoch")]
    # Past its end it is kept for what a step of the server's clock and the slowest of all answers may take.
    assert LIFE + 20 - 10 <= client.ttl(name) <= LIFE + 20 + 2 + 4 * 10 + 1
    assert b"nonce" not in name
    client.close()


@pytest.mark.parametrize("strict", [0, 1])
def test_without_a_server_nothing_is_accepted(strict: int, guard_of: Guards, fresh: Fresh) -> None:
    with socket.socket() as taken:  # and nobody listens there
        taken.bind(("127.0.0.1", 0))
        guard = guard_of(f"redis://127.0.0.1:{taken.getsockname()[1]}", prepared=False, replicas=strict)
        assert refusal_of(guard, fresh()) == "redeem.unavailable"


def test_the_password_of_an_address_is_in_no_error(server: RedisServer, guard_of: Guards, fresh: Fresh) -> None:
    guard = guard_of(f"redis://:secret@127.0.0.1:{server.port}", prepared=False)
    with pytest.raises(CannotCheckError) as refused:
        guard.claim(b"key", **fresh())
    assert "secret" not in str(refused.value) + repr(refused.value.to_dict()) + repr(guard)


def test_a_server_that_hangs_is_given_up_within_the_deadline(
    server: RedisServer, guard_of: Guards, fresh: Fresh
) -> None:
    guard = guard_of(server, deadline=1)
    guard.claim(b"before", **fresh())
    server.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    assert refusal_of(guard, fresh()) == "redeem.timeout"
    assert time.monotonic() - begun < 10
    server.process.send_signal(signal.SIGCONT)
    guard.claim(b"after", **fresh())


def test_a_full_server_refuses(server: RedisServer, guard_of: Guards, fresh: Fresh) -> None:
    guard = guard_of(server)
    guard.claim(b"before", **fresh())
    client = redis.Redis.from_url(server.url)
    client.config_set("maxmemory", "1")
    assert refusal_of(guard, fresh()) == "redeem.memory"
    client.close()


def test_a_read_only_replica_refuses(server: RedisServer, tmp_path: Path, guard_of: Guards, fresh: Fresh) -> None:
    (tmp_path / "replica").mkdir()
    replica = RedisServer(tmp_path / "replica", "--save", "", "--replicaof", "127.0.0.1", str(server.port))
    try:
        guard_of(server).claim(b"before", **fresh())
        assert refusal_of(guard_of(replica, prepared=False), fresh()) == "redeem.readonly"
    finally:
        replica.stop()


def test_a_server_that_loads_refuses(tmp_path: Path, guard_of: Guards, fresh: Fresh) -> None:
    server = RedisServer(tmp_path, "--save", "", "--enable-debug-command", "yes")
    guard = guard_of(server, deadline=5)
    guard.claim(b"before", **fresh())
    client = redis.Redis.from_url(server.url)
    for i in range(20):
        client.set(f"filler {i}", b"x" * 50_000)
    client.config_set("key-load-delay", 100_000)  # microseconds a key
    other = redis.Redis.from_url(server.url, socket_timeout=30)
    reload = threading.Thread(target=lambda: other.execute_command("DEBUG", "RELOAD"))
    client.config_set("loading-process-events-interval-bytes", 1024)
    reload.start()
    codes = set()
    while reload.is_alive() and "redeem.loading" not in codes:
        try:
            guard.claim(os.urandom(16), **fresh())
        except TokenError as error:
            codes.add(error.code)
        time.sleep(0.02)
    reload.join()
    client.close()
    other.close()
    server.stop()
    assert "redeem.loading" in codes


def test_strict_mode_counts_the_replicas(server: RedisServer, tmp_path: Path, guard_of: Guards, fresh: Fresh) -> None:
    strict = guard_of(server, replicas=1, replica_timeout=0.05)
    assert refusal_of(strict, fresh(), b"alone") == "redeem.unreplicated"
    with redis.Redis.from_url(server.url) as client:
        client.config_set("repl-diskless-sync-delay", 0)  # by default it waits 5 s in case more replicas come
    (tmp_path / "replica").mkdir()
    replica = RedisServer(tmp_path / "replica", "--save", "", "--replicaof", "127.0.0.1", str(server.port))
    try:
        guard_of(server, replicas=1, replica_timeout=50, deadline=60).claim(b"both", **fresh())
    finally:
        replica.stop()


def test_after_an_empty_restart_older_tokens_are_refused_and_newer_ones_accepted(
    server: RedisServer, guard_of: Guards, fresh: Fresh, clock: Clock
) -> None:
    guard = guard_of(server)
    before = fresh()
    guard.claim(b"used", **before)
    clock.now += 1
    server.kill()
    server.start()
    with pytest.raises(CannotCheckError) as refused:
        guard.claim(b"used", **before)
    assert (refused.value.code, refused.value.begun) == ("redeem.restarted", clock.now)
    guard.claim(b"new", **fresh())


@pytest.mark.parametrize(("on_restart", "accepted"), [("refuse", False), ("trust", True)])
def test_a_restart_with_persistence_is_handled_as_configured(
    tmp_path: Path, on_restart: str, accepted: bool, guard_of: Guards, fresh: Fresh, clock: Clock
) -> None:
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    try:
        guard = guard_of(server, on_restart=on_restart)
        guard.claim(b"used", **fresh())
        clock.now += 1
        before = fresh()
        clock.now += 1
        server.kill()
        server.start()
        newcomer = guard_of(server, prepared=False, on_restart=on_restart)
        for other in (guard, newcomer):
            with pytest.raises((RedeemError, CannotCheckError)):
                other.claim(b"used", **before)
        key = b"not used before"
        if accepted:
            newcomer.claim(key, **before)
        else:
            with pytest.raises(CannotCheckError):
                newcomer.claim(key, **before)
    finally:
        server.stop()


def test_flushing_the_store_is_noticed(server: RedisServer, guard_of: Guards, fresh: Fresh, clock: Clock) -> None:
    guard = guard_of(server)
    before = fresh()
    guard.claim(b"used", **before)
    clock.now += 1
    client = redis.Redis.from_url(server.url)
    client.flushall()
    client.close()
    with pytest.raises(CannotCheckError):
        guard.claim(b"used", **before)


@pytest.mark.parametrize(
    "options", [{"replicas": -1}, {"replica_timeout": 0}, {"on_restart": "x"}, {"on_unchecked": "x"}]
)
def test_misuse_is_a_value_error(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        RedisReplayGuard.from_url("redis://127.0.0.1", **options)


@pytest.mark.parametrize("guard", [RedisReplayGuard, AsyncRedisReplayGuard])
def test_a_client_is_a_client_and_no_address(guard: Any) -> None:
    for bad in ("redis://127.0.0.1", None, redis.Redis, redis.asyncio.Redis, guard):
        with pytest.raises(TypeError, match=r"client is a redis\..*from_url makes one of an address.*, not "):
            guard(bad)
    other = redis.Redis() if guard is AsyncRedisReplayGuard else redis.asyncio.Redis()
    with pytest.raises(TypeError, match=r"^client is a redis\."):
        guard(other)


@pytest.mark.parametrize("guard", [RedisReplayGuard, AsyncRedisReplayGuard])
def test_a_client_of_sentinel_is_one_for_the_primary(guard: Any) -> None:
    library = redis.asyncio.sentinel if guard is AsyncRedisReplayGuard else redis.sentinel
    sentinel = library.Sentinel([("127.0.0.1", 1)])  # nothing listens there
    guard(sentinel.master_for("vouchers"))
    with pytest.raises(ValueError, match="client is one for the primary"):
        guard(sentinel.slave_for("vouchers"))


def test_a_replica_may_take_an_hour_to_confirm() -> None:
    guard_of_hours = partial(RedisReplayGuard.from_url, "redis://127.0.0.1", replicas=1, deadline=3601)
    guard_of_hours(replica_timeout=3600)
    with pytest.raises(ValueError, match=r"^replica_timeout is above 0 and at most 3600 seconds"):
        guard_of_hours(replica_timeout=3600.1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"replicas": 1.0}, TypeError), ({"replicas": True}, TypeError), ({"replicas": 1 << 16}, ValueError),
        ({"replica_timeout": "1"}, TypeError), ({"replica_timeout": True}, TypeError),
        ({"replica_timeout": float("nan")}, ValueError), ({"replica_timeout": 5000}, ValueError),
        ({"clock": 5}, TypeError), ({"prefix": b"x"}, TypeError), ({"prefix": ""}, ValueError),
    ],
)  # fmt: skip
def test_settings_of_other_kinds_are_refused(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(options))} is "):
        RedisReplayGuard(redis.Redis(), **options)  # type: ignore[arg-type]
