"""A real cluster of three: one node that dies refuses its own claims only."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

redis = pytest.importorskip("redis")

from tests.replay.conftest import Clock  # noqa: E402
from tests.replay.redis_server import SERVER, RedisServer  # noqa: E402
from ybtoken import Issuer, KeyEntry, KeyRing, Verifier  # noqa: E402
from ybtoken.replay.protocols import Claim  # noqa: E402
from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard  # noqa: E402
from ybtoken.testing.guards import check_async_replay_guard, check_replay_guard, check_rotating_redemption  # noqa: E402
from ybtoken.testing.keys import FakeKey  # noqa: E402

pytestmark = pytest.mark.skipif(SERVER is None and not os.environ.get("CI"), reason="no redis-server on this machine")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.nodes: list[RedisServer] = []
        for name in ("a", "b", "c"):
            (folder / name).mkdir()
            options = [
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "1000",
                "--cluster-port",
                str(_free_port()),
            ]
            options += ["--cluster-require-full-coverage", "no", "--save", ""]
            self.nodes.append(RedisServer(folder / name, *options))
        addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
        command = ["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
        self.wait(3)

    @property
    def url(self) -> str:
        return self.nodes[0].url.removesuffix("/0")

    def wait(self, known: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if all(self._ready(node, known) for node in self.nodes if node.process.poll() is None):
                return
            time.sleep(0.05)
        raise TimeoutError("the cluster did not come up")

    def _ready(self, node: RedisServer, known: int) -> bool:
        with redis.Redis.from_url(node.url) as client:
            info = client.execute_command("CLUSTER", "INFO")
        text = info.decode() if isinstance(info, bytes) else "\r\n".join(f"{k}:{v}" for k, v in info.items())
        return "cluster_state:ok" in text and f"cluster_known_nodes:{known}" in text

    def flush(self) -> None:
        for node in self.nodes:
            with redis.Redis.from_url(node.url) as client:
                client.flushall()

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def guard(cluster: Cluster, clock: Clock) -> Iterator[Callable[..., RedisReplayGuard]]:
    clients: list[Any] = []
    guards: list[RedisReplayGuard] = []

    def make(**options: Any) -> RedisReplayGuard:
        clients.append(redis.RedisCluster.from_url(cluster.url, socket_timeout=5))
        guards.append(RedisReplayGuard(clients[-1], **({"clock": clock} | options)))
        return guards[-1]

    cluster.flush()
    yield make
    for one in guards:
        one.close()
    for client in clients:
        client.close()


def claims(clock: Clock, name: str, count: int = 300) -> list[Claim]:
    now = int(clock.now)
    return [Claim(b"%s %d" % (name.encode(), i), now, now + 60, now + 80) for i in range(count)]


def codes(outcomes: list[Any]) -> dict[str, int]:
    found = [outcome.code if outcome else "accepted" for outcome in outcomes]
    return {code: found.count(code) for code in sorted(set(found))}


def test_conforms(cluster: Cluster, guard: Callable[..., RedisReplayGuard]) -> None:
    check_replay_guard(lambda clock: guard(clock=clock), lose=cluster.flush, threads=4)
    cluster.flush()
    check_rotating_redemption(lambda clock: guard(clock=clock), threads=4, rounds=3)


def test_async_conforms(cluster: Cluster) -> None:
    def make(clock: Callable[[], float]) -> AsyncRedisReplayGuard:
        cluster.flush()
        return AsyncRedisReplayGuard(redis.asyncio.RedisCluster.from_url(cluster.url, socket_timeout=30), clock=clock)

    check_async_replay_guard(make, lose=cluster.flush, threads=4)


def test_the_first_claim_at_a_node_begins_all_its_epochs(clock: Clock, guard: Callable[..., RedisReplayGuard]) -> None:
    one, before = guard(), clock.now
    assert codes(one.claim_many(claims(clock, "a", 40))) == {"redeem.restarted": 40}
    clock.now += 25
    assert codes(one.claim_many(claims(clock, "b"))) == {"accepted": 300}
    assert one.prepare() == before


def test_a_node_that_dies_refuses_its_own_claims_and_begins_anew(
    cluster: Cluster, clock: Clock, guard: Callable[..., RedisReplayGuard]
) -> None:
    key = FakeKey("issuer")
    issuer = Issuer(key, clock=clock)
    one, other = guard(), guard()
    assert one.prepare(first_use=True) == 0
    verifier = Verifier(KeyRing([KeyEntry(key, "issuer")]), guard=one, clock=clock)
    texts = [issuer.issue(bytes(16), "330100").text for _ in range(300)]
    assert verifier.redeem_many(texts).accepted == 300
    cluster.nodes[1].kill()
    try:
        begun = time.monotonic()
        fresh = [issuer.issue(bytes(16), "330100").text for _ in range(300)]
        verdicts = verifier.redeem_many(fresh)
        assert 150 < verdicts.accepted < 250
        assert set(verdicts.counts()) == {"redeem.unavailable"}
        assert time.monotonic() - begun < 5
        again = verifier.redeem_many(texts).counts()
        assert set(again) == {"redeem.replayed", "redeem.unavailable"}
        assert codes(other.claim_many(claims(clock, "other"))).keys() == {"accepted", "redeem.unavailable"}

        async def asynchronous() -> dict[str, int]:
            client = redis.asyncio.RedisCluster.from_url(cluster.url, socket_timeout=5)
            third = AsyncRedisReplayGuard(client, clock=clock)
            outcomes = await third.claim_many(claims(clock, "async"))
            await third.aclose()
            await client.aclose()
            return codes(outcomes)

        assert asyncio.run(asynchronous()).keys() == {"accepted", "redeem.unavailable"}
    finally:
        cluster.nodes[1].start()
        cluster.wait(3)
    after = verifier.redeem_many(texts).counts()  # the node came back empty, and knows that it did
    assert set(after) == {"redeem.replayed", "redeem.restarted"}
    clock.now += 21
    assert verifier.redeem_many([issuer.issue(bytes(16), "330100").text for _ in range(300)]).accepted == 300


def test_slots_that_move_are_followed(cluster: Cluster, clock: Clock, guard: Callable[..., RedisReplayGuard]) -> None:
    one = guard()
    one.prepare(first_use=True)
    used = claims(clock, "moved")
    assert codes(one.claim_many(used)) == {"accepted": 300}
    ids = [redis.Redis.from_url(node.url).execute_command("CLUSTER", "MYID").decode() for node in cluster.nodes]
    command = ["redis-cli", "--cluster", "reshard", f"127.0.0.1:{cluster.nodes[0].port}", "--cluster-from", ids[0]]
    command += ["--cluster-to", ids[2], "--cluster-slots", "2000", "--cluster-yes"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    after = codes(one.claim_many(used))
    assert set(after) == {"redeem.replayed", "redeem.restarted"}  # the slots' new node does not vouch for the old one
    clock.now += 21
    assert codes(one.claim_many(claims(clock, "later"))) == {"accepted": 300}
