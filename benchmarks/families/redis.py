"""The replay guard in Redis with a real server: claims a second, one at a time, in batches and on an event loop,
compared with a bare ``SET NX EX`` by redis-py; and the memory of the server for each claim.

The server may use the other cores, as if it had its own machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count

import redis

from benchmarks.measure import AbsentError, Bench, Row
from benchmarks.samples import CITY, IDENTITY_REF
from ybtoken import Issuer, KeyEntry, KeyRing, Verifier
from ybtoken.batcher import RedemptionBatcher
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.replay.protocols import Claim
from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard

LIFE = 3600
BATCH = 256
AT_ONCE = 64
DEADLINE = 10  # s; so long that a busy machine refuses no claim
HELD = 126_000  # and a twentieth more: tables double at 2^17, and just after that a claim takes the most memory


def run(bench: Bench) -> None:
    """Measure the family."""
    with _server() as url, asyncio.Runner() as runner:
        client = redis.Redis.from_url(url)
        version = client.info("server")["redis_version"]
        _rates(bench, url, client, runner, version)
        _together(bench, url, runner)
        _costs(bench, url, client, version)
        client.close()


def _rates(bench: Bench, url: str, client: redis.Redis, runner: asyncio.Runner, version: str) -> None:
    guard, waiting = (
        RedisReplayGuard.from_url(url, deadline=DEADLINE),
        AsyncRedisReplayGuard.from_url(url, deadline=DEADLINE),
    )
    guard.prepare(first_use=True)
    numbers, now, rounds = count(), int(time.time()), 200
    key = P256SigningKey.generate()
    issuer = Issuer(key, lifetime=LIFE)
    verifier = Verifier(KeyRing([KeyEntry(key.verifying_key, "bench")]), guard=guard, max_lifetime=LIFE)
    batches = _batches(issuer, BATCH, bench.rounds(rounds // 10) + 1)

    def new() -> Claim:
        return Claim(next(numbers).to_bytes(16, "big"), now, now + LIFE, now + LIFE)

    def claim() -> None:
        (refused,) = guard.claim_many([new()])
        assert refused is None

    async def claim_async() -> None:
        (refused,) = await waiting.claim_many([new()])
        assert refused is None

    def claims(size: int) -> None:
        assert guard.claim_many([new() for _ in range(size)]) == [None] * size

    def bare(size: int) -> None:
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(size):
                pipeline.set(b"bare:" + new().key, b"8 bytes.", nx=True, ex=LIFE)
            assert pipeline.execute() == [True] * size

    def unchecked(size: int) -> None:
        """Make claims that the server does not check: SET NX EX, and GET of the claim and of the epoch."""
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(size):
                name = b"unchecked:" + new().key
                pipeline.execute_command("SET", name, b"8 bytes.", "NX", "EX", LIFE)
                pipeline.execute_command("GET", name)
                pipeline.execute_command("GET", b"unchecked:epoch")
            assert len(pipeline.execute(raise_on_error=False)) == 3 * size

    async def many_tasks() -> None:
        await asyncio.gather(*(claim_async() for _ in range(AT_ONCE)))

    async def one_after_another() -> None:
        for _ in range(AT_ONCE):
            await claim_async()

    def redeem() -> None:
        assert verifier.redeem_many(next(batches)).accepted == BATCH

    times = bench.take(
        {
            "claim": claim,
            "unchecked": lambda: unchecked(1),
            "bare": lambda: client.set(b"bare:" + new().key, b"8 bytes.", nx=True, ex=LIFE),
            "claims of 256": lambda: claims(256),
            "unchecked of 256": lambda: unchecked(256),
            "bare of 256": lambda: bare(256),
            "tasks": lambda: runner.run(many_tasks()),
            "in turn": lambda: runner.run(one_after_another()),
        },
        rounds=rounds,
    )
    more = bench.take(
        {"claims of 4096": lambda: claims(4096), "bare of 4096": lambda: bare(4096), "redeem": redeem},
        rounds=rounds // 10,
    )
    for name, seconds, size, note in (
        ("claims_per_s", times.seconds("claim"), 1, "one a round trip, one connection"),
        ("claims_256_per_s", times.seconds("claims of 256"), 256, "256 a round trip"),
        ("claims_4096_per_s", more.seconds("claims of 4096"), 4096, "4096 a round trip"),
        ("async_claims_per_s", times.seconds("in turn"), AT_ONCE, "asyncio, one after another"),
        ("async_tasks_claims_per_s", times.seconds("tasks"), AT_ONCE, f"asyncio, {AT_ONCE} tasks with a claim each"),
        ("redeem_many_per_s", more.seconds("redeem"), BATCH, "256 texts, ES256 by the serial engine included"),
    ):
        bench.row(Row(f"redis.{name}", size / seconds, "1/s", "higher", note=f"{note}; Redis {version}"))
    for name, claim, bare_one, taken in (
        ("claim", "claim", "bare", times),
        ("claims_256", "claims of 256", "bare of 256", times),
        ("claims_4096", "claims of 4096", "bare of 4096", more),
    ):
        ratio, noise = taken.ratio(bare_one, claim)
        bench.row(Row(f"redis.{name}_vs_bare", ratio, "ratio", "higher", noise, note="bare: SET NX EX by redis-py"))
    for name, claim_name in (("claim", "claim"), ("claims_256", "claims of 256")):
        ratio, noise = times.ratio(claim_name.replace("claims", "unchecked").replace("claim", "unchecked"), claim_name)
        note = "unchecked: a pipeline of SET NX EX, GET, GET for each claim by redis-py"
        bench.row(Row(f"redis.{name}_vs_unchecked", ratio, "ratio", "higher", noise, target=">= 0.95", note=note))
    guard.close()
    runner.run(waiting.aclose())


def _together(bench: Bench, url: str, runner: asyncio.Runner) -> None:
    """Redemptions by single calls, one after another, against as many callers at the same time through a batcher."""
    try:
        from ybtoken.engines.native import NativeEngine

        engine, name = NativeEngine(), "native engine"
    except ModuleNotFoundError:
        engine, name = None, "serial engine"
    key, rounds = P256SigningKey.generate(), 40
    issuer, guard = Issuer(key, lifetime=LIFE), AsyncRedisReplayGuard.from_url(url, deadline=DEADLINE)
    keys = KeyRing([KeyEntry(key.verifying_key, "bench")])
    verifier = Verifier(keys, guard=guard, engine=engine, max_lifetime=LIFE)
    batcher = RedemptionBatcher(verifier)
    needed = 3 * (bench.rounds(rounds) + 1)
    batches = _batches(issuer, AT_ONCE, needed)

    async def in_turn(redeem: Callable[[str], Awaitable[object]]) -> None:
        for text in next(batches):
            await redeem(text)

    async def at_once() -> None:
        await asyncio.gather(*map(batcher.redeem, next(batches)))

    times = bench.take(
        {
            "single": lambda: runner.run(in_turn(verifier.redeem_async)),
            "lone": lambda: runner.run(in_turn(batcher.redeem)),
            "together": lambda: runner.run(at_once()),
        },
        rounds=rounds,
    )
    note = f"{AT_ONCE} callers through RedemptionBatcher against redeem_async one by one; ES256, {name}"
    ratio, noise = times.ratio("single", "together")
    bench.row(Row("redis.coalesced_vs_single", ratio, "ratio", "higher", noise, target=">= 4", note=note))
    ratio, noise = times.ratio("lone", "single")
    note = "latency of one caller alone through RedemptionBatcher against redeem_async"
    bench.row(Row("redis.lone_vs_single", ratio, "ratio", "lower", noise, target="<= 1.15", note=note))
    rate = AT_ONCE / times.seconds("together")
    bench.row(Row("redis.coalesced_per_s", rate, "1/s", "higher", note=f"{AT_ONCE} callers, {name}"))
    runner.run(guard.aclose())


def _batches(issuer: Issuer, size: int, count: int) -> Iterator[list[str]]:
    """Batches of new texts. They are made now, so that no measured call pays for issuing them."""
    return iter([[token.text for token in issuer.issue_many([(IDENTITY_REF, CITY)] * size)] for _ in range(count)])


def _costs(bench: Bench, url: str, client: redis.Redis, version: str) -> None:
    client.flushall()
    guard, now, held = RedisReplayGuard.from_url(url, deadline=DEADLINE), int(time.time()), bench.rounds(HELD)
    guard.prepare(first_use=True)
    guard.claim_many([Claim(b"first", now, now + LIFE, now + LIFE)])
    (name,) = [name for name in client.scan_iter(count=100) if not name.endswith(b"epoch")]
    bench.row(Row("redis.memory_usage", client.memory_usage(name), "bytes", "lower", note=f"of one; Redis {version}"))
    before, keys = client.info()["used_memory"], client.dbsize()
    for size, claims in ((1, held // 20), (1000, held)):
        server, own = _cpu(client), time.process_time()
        for start in range(0, claims, size):
            numbers = range(start, min(start + size, claims))
            guard.claim_many([Claim(b"%d %d" % (size, i), now, now + LIFE, now + LIFE) for i in numbers])
        for who, spent in (("server", _cpu(client) - server), ("client", time.process_time() - own)):
            value, note = spent / claims * 1e6, f"its processor time, {size} a round trip"
            bench.row(Row(f"redis.{who}_us_per_claim_of_{size}", value, "us", "lower", note=note))
    each = (client.info()["used_memory"] - before) / (client.dbsize() - keys)
    bench.row(
        Row(
            "redis.bytes_per_claim",
            each,
            "bytes",
            "lower",
            target="<= 200",
            note=f"used_memory, of {client.dbsize():,}",
        )
    )
    guard.close()


def _cpu(client: redis.Redis) -> float:
    spent = client.info("cpu")
    return float(spent["used_cpu_user"] + spent["used_cpu_sys"])


@contextmanager
def _server() -> Iterator[str]:
    """Run a server without persistence on a free port of the loopback; yields its address."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise AbsentError("no redis-server on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(process.pid, range(os.cpu_count() or 1))
            _wait(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


def _wait(port: int) -> None:
    for _ in range(1000):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
    raise AbsentError("redis-server did not start")
