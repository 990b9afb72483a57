"""Ordinary faults between terminals and a real store: whatever happens, a code is accepted once."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

redis = pytest.importorskip("redis")

from tests.replay.conftest import Clock  # noqa: E402
from tests.replay.redis_server import SERVER, Proxy, RedisServer  # noqa: E402
from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, TokenError, Verifier  # noqa: E402
from ybtoken.replay.protocols import Claim  # noqa: E402
from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard  # noqa: E402
from ybtoken.replay.redis import rules as rules_module  # noqa: E402
from ybtoken.replay.redis.scripts import BEGIN, Epoch  # noqa: E402
from ybtoken.testing.keys import FakeKey  # noqa: E402

pytestmark = pytest.mark.skipif(SERVER is None and not os.environ.get("CI"), reason="no redis-server on this machine")

KEY = FakeKey("issuer")
RING = KeyRing([KeyEntry(KEY, "issuer")])
SKEW = 10
Guards = Callable[..., RedisReplayGuard]


def outcome(redeem: Callable[[str], object], text: str) -> str:
    try:
        redeem(text)
    except TokenError as error:
        return error.code
    return "accepted"


def outcome_in_time(redeem: Callable[[str], object], text: str) -> str:
    """The outcome, from a guard whose deadline is so short that a loaded machine may miss it some times."""
    for _ in range(100):
        if (found := outcome(redeem, text)) != "redeem.timeout":
            break
    return found


def terminal(guard: Any, clock: Callable[[], float]) -> Callable[[str], object]:
    return Verifier(RING, guard=guard, skew=SKEW, clock=clock).redeem


def code(now: float, lifetime: int = 60) -> str:
    return Issuer(KEY, lifetime=lifetime).issue(bytes(16), "330100", now=int(now)).text


class TestClocks:
    """A terminal with a fast clock accepts a code in its last second; one with a slow clock sees it in its own."""

    @pytest.mark.parametrize("off", [0, 9, SKEW])
    @pytest.mark.parametrize("kind", ["redis", "asyncio", "memory"])
    def test_two_terminals_accept_a_code_once(
        self, server: RedisServer, guard_of: Guards, clock: Clock, kind: str, off: int
    ) -> None:
        def fast() -> float:
            return clock.now + off

        def slow() -> float:
            return clock.now - off

        issued = int(clock.now)
        texts = [code(issued) for _ in range(20)]
        with asyncio.Runner() as runner:
            if kind == "memory":
                shared = MemoryReplayGuard(clock=fast)
                one, other = terminal(shared, fast), terminal(shared, slow)
            elif kind == "redis":
                one = terminal(guard_of(server, clock=fast, prepared=False), fast)
                other = terminal(guard_of(server, clock=slow, prepared=False), slow)
                guard_of(server, clock=lambda: issued - 1000)
            else:
                guards = [AsyncRedisReplayGuard.from_url(server.url, deadline=10, clock=by) for by in (fast, slow)]
                runner.run(guards[0].prepare(first_use=True))
                first = Verifier(RING, guard=guards[0], clock=fast)
                second = Verifier(RING, guard=guards[1], clock=slow)
                one = lambda text: runner.run(first.redeem_async(text))  # noqa: E731
                other = lambda text: runner.run(second.redeem_async(text))  # noqa: E731
            ends = issued + 60 + SKEW  # by the clock of the terminal that accepts
            clock.now = ends - 1 - off
            assert {outcome(one, text) for text in texts} == {"accepted"}
            clock.now = ends - 1 + off
            server.pass_time(2 * off)
            assert {outcome(other, text) for text in texts} <= {"redeem.replayed", "redeem.clock"}
            clock.now += 1
            assert {outcome(other, text) for text in texts} == {"time.expired"}
            if kind == "asyncio":
                for guard in guards:
                    runner.run(guard.aclose())

    def test_what_was_judged_long_ago_is_not_claimed(self, server: RedisServer, guard_of: Guards, clock: Clock) -> None:
        guard = guard_of(server)
        text = code(clock.now)
        judged = int(clock.now)
        clock.now += 60 + SKEW
        verifier = Verifier(RING, guard=guard, skew=SKEW, clock=clock)
        assert outcome(lambda one: verifier.redeem(one, now=judged), text) == "redeem.clock"


class TestEviction:
    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"])
    def test_a_store_that_may_evict_is_refused(self, server: RedisServer, guard_of: Guards, policy: str) -> None:
        guard = guard_of(server, prepared=False)
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", policy)
        (refused,) = guard.claim_many([Claim(b"key", 1, 1 << 32, 1 << 32)])
        assert refused is not None
        assert (refused.code, refused.policy, refused.refusal.cannot_check) == ("redeem.evicting", policy, True)
        assert policy in refused.hint.en
        assert policy in refused.hint.zh
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "0")  # then nothing is ever evicted
        assert guard.prepare() > 0

    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl"])
    def test_a_store_that_turns_into_a_cache_accepts_nothing_twice(
        self,
        server: RedisServer,
        guard_of: Guards,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        policy: str,
    ) -> None:
        """The policy changes just after it was asked for, and claims are evicted before it is asked for again."""
        monkeypatch.setattr(rules_module, "_CHECK_EVERY", 3600.0)  # however long a loaded machine takes to evict
        guard = guard_of(server)
        verifier = Verifier(RING, guard=guard, skew=SKEW, clock=clock)
        texts = [code(clock.now) for _ in range(1000)]
        assert verifier.redeem_many(texts).accepted == 1000
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "4mb")
            client.config_set("maxmemory-policy", policy)
            for i in range(60):
                with client.pipeline(transaction=False) as pipeline:
                    for j in range(300):
                        pipeline.set(f"page {i} {j}", "x" * 200, ex=600)
                    pipeline.execute(raise_on_error=False)
            assert client.info("stats")["evicted_keys"] > 0
        again = verifier.redeem_many(texts)
        assert again.accepted == 0
        assert set(again.counts()) == {"redeem.restarted"}
        assert outcome(verifier.redeem, code(clock.now)) == "redeem.evicting"  # asked again at once after a loss


class TestWhoseClient:
    def test_a_client_that_was_used_before_sees_a_restart_from_a_snapshot(
        self, tmp_path: Path, guard_of: Guards, clock: Clock
    ) -> None:
        server = RedisServer(tmp_path, "--save", "")
        try:
            client = redis.Redis.from_url(server.url)
            client.ping()
            used, fresh = guard_of(client), guard_of(server)
            with redis.Redis.from_url(server.url) as admin:
                admin.save()
            text = code(clock.now)
            assert outcome(terminal(used, clock), text) == "accepted"
            server.kill()
            server.start()
            assert outcome(terminal(used, clock), text) == "redeem.restarted"
            assert outcome(terminal(fresh, clock), text) == "redeem.restarted"
            clock.now += 2 * SKEW + 1
            for guard in (used, fresh, used):
                assert outcome(terminal(guard, clock), code(clock.now)) == "accepted"
            client.close()
        finally:
            server.stop()

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_client_that_decodes_is_used_and_not_changed(
        self, server: RedisServer, clock: Clock, asynchronous: bool
    ) -> None:
        async def run() -> None:
            library: Any = redis.asyncio if asynchronous else redis
            kind: Any = AsyncRedisReplayGuard if asynchronous else RedisReplayGuard
            client = library.Redis.from_url(server.url, decode_responses=True, client_name="till")
            before = dict(client.connection_pool.connection_kwargs)
            guard = kind(client, clock=clock)
            verifier = Verifier(RING, guard=guard, clock=clock)

            async def now(result: Any) -> Any:
                return await result if asynchronous else result

            assert await now(guard.prepare(first_use=True)) == 0
            text = code(clock.now)
            await verifier.redeem_async(text)
            with pytest.raises(TokenError, match="replayed"):
                await verifier.redeem_async(text)
            assert dict(client.connection_pool.connection_kwargs) == before
            names = [one["name"] for one in await now(client.client_list())]
            assert names.count("till") >= 2  # the guard's connections have the client's name, too
            await now(guard.aclose() if asynchronous else guard.close())
            await now(client.aclose() if asynchronous else client.close())

        asyncio.run(run())

    def test_a_subscriber_of_the_application_keeps_its_connection(self, server: RedisServer, guard_of: Guards) -> None:
        client = redis.Redis.from_url(server.url)
        subscriber = client.pubsub()
        subscriber.subscribe("news")
        assert subscriber.get_message(timeout=5)["type"] == "subscribe"
        guard_of(client).claim(b"key", since=1 << 31, by=1 << 32, until=1 << 32)
        client.publish("news", "x")
        assert subscriber.get_message(timeout=5)["data"] == b"x"
        client.close()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_child_process_has_connections_of_its_own(self, server: RedisServer, guard_of: Guards) -> None:
        guard = guard_of(server)
        times = {"since": 1 << 31, "by": 1 << 32, "until": 1 << 32}
        guard.claim(b"before", **times)
        child = os.fork()
        if child == 0:
            fine = False
            try:
                for i in range(200):
                    guard.claim(b"child %d" % i, **times)
                fine = True
            finally:
                os._exit(0 if fine else 1)
        for i in range(200):
            guard.claim(b"parent %d" % i, **times)
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(TokenError, match="replayed"):
            guard.claim(b"child 7", **times)


class TestLoss:
    @pytest.mark.parametrize("lifetime", [10, 60, 300])
    def test_whatever_the_lifetime_an_emptied_store_accepts_nothing_twice(
        self, server: RedisServer, guard_of: Guards, clock: Clock, lifetime: int
    ) -> None:
        redeem = terminal(guard_of(server), clock)
        texts = [code(clock.now + ahead, lifetime) for ahead in (-5, 0, 5, SKEW)]
        assert [outcome(redeem, text) for text in texts] == ["accepted"] * 4
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        for _ in range(lifetime + 2 * SKEW):
            assert "accepted" not in {outcome(redeem, text) for text in texts}
            clock.now += 1

    def test_the_wait_that_a_refusal_states_is_true(self, server: RedisServer, guard_of: Guards, clock: Clock) -> None:
        redeem = terminal(guard_of(server, prepared=False), clock)
        with pytest.raises(TokenError) as refused:
            redeem(code(clock.now))
        wait = refused.value.retry_after
        assert (refused.value.code, wait) == ("redeem.restarted", 2 * SKEW + 1)
        assert f" {wait} s " in refused.value.what.en
        assert f"{wait} 秒" in refused.value.what.zh
        clock.now += wait - 1
        assert outcome(redeem, code(clock.now)) == "redeem.restarted"
        clock.now += 1
        assert outcome(redeem, code(clock.now)) == "accepted"

    def test_a_store_that_was_prepared_refuses_nobody(
        self, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        guard = guard_of(server, prepared=False)
        assert guard.prepare() == clock.now
        clock.now += 2 * SKEW + 1
        assert guard.prepare() == clock.now - 2 * SKEW - 1  # left as it is
        assert outcome(terminal(guard, clock), code(clock.now)) == "accepted"

    def test_a_first_use_is_stated_of_an_unused_store_only(
        self, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        guard = guard_of(server, prepared=False)
        assert guard.prepare(first_use=True) == 0
        text = code(clock.now)
        assert outcome(terminal(guard, clock), text) == "accepted"
        with pytest.raises(ValueError, match="holds claims already"):
            guard.prepare(first_use=True)
        with redis.Redis.from_url(server.url) as client:
            client.delete("ybtoken:epoch")
        with pytest.raises(ValueError, match="holds claims already"):
            guard.prepare(first_use=True)
        assert guard.prepare() == clock.now

    @pytest.mark.parametrize("prefix", ["p[1]", "p*", "p?", "a\\b", "[^x]", "p]"])
    def test_no_prefix_is_read_as_a_pattern(
        self, server: RedisServer, guard_of: Guards, clock: Clock, prefix: str
    ) -> None:
        with redis.Redis.from_url(server.url) as client:
            client.set("p11:another", b"")  # as a pattern, "p*" would match it
        guard = guard_of(server, prepared=False, prefix=prefix)
        assert guard.prepare(first_use=True) == 0
        assert outcome(terminal(guard, clock), code(clock.now)) == "accepted"
        with pytest.raises(ValueError, match="holds claims already"):
            guard.prepare(first_use=True)

    @pytest.mark.parametrize("value", [b"", b"x", b"0123456789abcdef:1", b"\xff" * 80, b"a:b:c:d:e"])
    def test_an_epoch_that_is_none_counts_as_missing(
        self, server: RedisServer, guard_of: Guards, clock: Clock, value: bytes
    ) -> None:
        guard = guard_of(server)
        with redis.Redis.from_url(server.url) as client:
            client.set("ybtoken:epoch", value)
            assert outcome(terminal(guard, clock), code(clock.now)) == "redeem.restarted"
            client.delete("ybtoken:epoch")
            client.hset("ybtoken:epoch", "a", "b")
            assert outcome(terminal(guard, clock), code(clock.now)) == "redeem.unavailable"

    def test_a_server_whose_clock_is_set_ahead_has_lost_what_it_had(
        self, server: RedisServer, guard_of: Guards, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        guard, other = guard_of(server), guard_of(server)
        text = code(clock.now)
        assert outcome(terminal(guard, clock), text) == "accepted"
        assert outcome(terminal(other, clock), code(clock.now)) == "accepted"
        steady = rules_module.steady
        # This equals setting the server's clock ahead: all other times are set back, including that of the epoch.
        monkeypatch.setattr(rules_module, "steady", lambda: steady() - 300)
        with redis.Redis.from_url(server.url) as client:
            epoch = Epoch.read(client.get("ybtoken:epoch"))
            client.set("ybtoken:epoch", bytes(epoch._replace(at=epoch.at - 300)))
        server.pass_time(300)
        assert outcome(terminal(guard, clock), text) == "redeem.restarted"
        clock.now += 2 * SKEW + 1
        assert outcome(terminal(guard, clock), code(clock.now)) == "accepted"
        # The other guard sees the step later, and that the epoch was begun since: it does not begin another.
        assert outcome(terminal(other, clock), code(clock.now)) == "accepted"


class TestChecks:
    @pytest.mark.parametrize("on_restart", ["refuse", "trust"])
    @pytest.mark.parametrize(
        ("options", "persists"),
        [
            (["--appendonly", "no"], False),
            (["--appendonly", "yes", "--appendfsync", "everysec"], False),
            (["--appendonly", "yes", "--appendfsync", "always"], True),
        ],
    )
    def test_persistence_is_asked_for_if_it_is_trusted(
        self, tmp_path: Path, guard_of: Guards, clock: Clock, on_restart: str, options: list[str], persists: bool
    ) -> None:
        server = RedisServer(tmp_path, "--save", "", *options)
        try:
            guard = guard_of(server, prepared=False, on_restart=on_restart)
            expected = "redeem.restarted" if on_restart == "refuse" or persists else "redeem.persistence"
            assert outcome(terminal(guard, clock), code(clock.now)) == expected
        finally:
            server.stop()

    def test_it_is_asked_from_time_to_time(
        self, server: RedisServer, guard_of: Guards, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        redeem = terminal(guard_of(server), clock)
        assert outcome(redeem, code(clock.now)) == "accepted"
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
        assert outcome(redeem, code(clock.now)) == "accepted"  # nothing was evicted
        steady = rules_module.steady
        monkeypatch.setattr(rules_module, "steady", lambda: steady() + 6)
        assert outcome(redeem, code(clock.now)) == "redeem.evicting"

    @pytest.mark.parametrize("forbidden", [["-info"], ["-info", "-config|get"], ["-evalsha", "-eval"]])
    def test_a_server_that_forbids_the_question_is_refused(
        self, server: RedisServer, guard_of: Guards, clock: Clock, forbidden: list[str]
    ) -> None:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL", "SETUSER", "till", "on", ">secret", "~*", "+@all", *forbidden)
        url = f"redis://till:secret@127.0.0.1:{server.port}/0"
        assert outcome(terminal(guard_of(url, prepared=False), clock), code(clock.now)) == "redeem.unchecked"
        if "-info" in forbidden:
            vouched = guard_of(url, on_unchecked="trust")
            text = code(clock.now)
            assert outcome(terminal(vouched, clock), text) == "accepted"
            assert outcome(terminal(vouched, clock), text) == "redeem.replayed"
            with redis.Redis.from_url(server.url) as client:
                client.flushall()
            assert outcome(terminal(vouched, clock), text) == "redeem.restarted"

    def test_trust_in_persistence_needs_the_question_for_it(
        self, tmp_path: Path, guard_of: Guards, clock: Clock
    ) -> None:
        server = RedisServer(tmp_path, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
        try:
            with redis.Redis.from_url(server.url) as client:
                client.execute_command("ACL", "SETUSER", "till", "on", ">secret", "~*", "+@all", "-config")
            guard = guard_of(f"redis://till:secret@127.0.0.1:{server.port}/0", prepared=False, on_restart="trust")
            assert outcome(terminal(guard, clock), code(clock.now)) == "redeem.unchecked"
        finally:
            server.stop()

    @pytest.mark.parametrize("on_restart", ["refuse", "trust"])
    def test_a_replica_that_took_over_may_lack_claims(
        self, tmp_path: Path, guard_of: Guards, clock: Clock, on_restart: str
    ) -> None:
        options = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"]
        servers = []
        for name in ("primary", "replica"):
            (tmp_path / name).mkdir()
            servers.append(RedisServer(tmp_path / name, "--save", "", *options))
        primary, replica = servers
        try:
            guard = guard_of(primary, on_restart=on_restart)
            with redis.Redis.from_url(replica.url) as admin:
                admin.replicaof("127.0.0.1", primary.port)
                deadline = time.monotonic() + 30
                while admin.info("replication")["master_link_status"] != "up" and time.monotonic() < deadline:
                    time.sleep(0.05)
                while not admin.exists("ybtoken:epoch") and time.monotonic() < deadline:
                    time.sleep(0.05)
                admin.replicaof("NO", "ONE")  # and what is claimed from now on does not reach it
            text = code(clock.now)
            assert outcome(terminal(guard, clock), text) == "accepted"
            primary.kill()
            moved = guard_of(replica, prepared=False, on_restart=on_restart)
            assert outcome(terminal(moved, clock), text) == "redeem.restarted"
            clock.now += 2 * SKEW + 1
            assert outcome(terminal(moved, clock), code(clock.now)) == "accepted"
        finally:
            for server in servers:
                server.stop()


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


class TestMessages:
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_store_that_was_away_for_long_is_used_again(
        self, server: RedisServer, clock: Clock, asynchronous: bool
    ) -> None:
        async def run() -> None:
            kind: Any = AsyncRedisReplayGuard if asynchronous else RedisReplayGuard
            guard = kind.from_url(server.url, deadline=10, clock=clock)
            verifier = Verifier(RING, guard=guard, clock=clock)
            server.kill()
            for _ in range(300):
                with pytest.raises(TokenError, match="unavailable"):
                    await verifier.redeem_async(code(clock.now))
            server.start()
            with pytest.raises(TokenError, match="restarted"):
                await verifier.redeem_async(code(clock.now))
            clock.now += 2 * SKEW + 1
            await verifier.redeem_async(code(clock.now))
            if asynchronous:
                await guard.aclose()
            else:
                guard.close()

        asyncio.run(run())

    def test_more_threads_than_connections_wait_for_one(
        self, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        guard = guard_of(server)
        with ThreadPoolExecutor(100) as pool:
            found = list(pool.map(lambda _: outcome(terminal(guard, clock), code(clock.now)), range(1000)))
        assert set(found) == {"accepted"}
        with redis.Redis.from_url(server.url) as client:
            assert client.info("clients")["connected_clients"] <= 32 + 1

    def test_a_connection_whose_answers_make_no_sense_is_not_used_again(
        self, proxy: Proxy, guard_of: Guards, clock: Clock
    ) -> None:
        redeem = terminal(guard_of(proxy.url), clock)
        assert outcome(redeem, code(clock.now)) == "accepted"
        proxy.one_more = b"$3\r\nabc\r\n"  # from now on each answer on this connection is that before
        assert [outcome(redeem, code(clock.now)) for _ in range(3)] == ["redeem.unavailable", "accepted", "accepted"]

    def test_a_claim_whose_answer_was_lost_is_known_again(
        self, proxy: Proxy, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        guard = guard_of(proxy.url)
        redeem = terminal(guard, clock)
        assert outcome(redeem, code(clock.now)) == "accepted"
        for _ in range(10):
            proxy.lose_answers = 1
            text = code(clock.now)
            assert outcome(redeem, text) == "accepted"
            assert outcome(terminal(guard_of(server, prepared=False), clock), text) == "redeem.replayed"
        assert proxy.lost == 10

    def test_a_claim_whose_answers_are_all_lost_is_refused_and_stays_used(
        self, proxy: Proxy, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        redeem = terminal(guard_of(proxy.url), clock)
        assert outcome(redeem, code(clock.now)) == "accepted"
        proxy.lose_answers = 2
        text = code(clock.now)
        assert outcome(redeem, text) == "redeem.unavailable"
        assert outcome(redeem, text) == "redeem.replayed"

    def test_a_batch_whose_answer_was_lost_is_known_again(self, proxy: Proxy, guard_of: Guards, clock: Clock) -> None:
        guard = guard_of(proxy.url)
        claims = [Claim(b"%d" % (i % 50), int(clock.now), int(clock.now) + 60, int(clock.now) + 80) for i in range(100)]
        proxy.lose_answers = 1
        outcomes = guard.claim_many(claims)
        assert outcomes[:50] == [None] * 50
        assert {error.code for error in outcomes[50:] if error} == {"redeem.replayed"}
        assert len([error for error in outcomes if error]) == 50

    def test_a_message_that_is_held_up_accepts_nothing_twice(
        self, proxy: Proxy, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        """The claim of a terminal that has given up reaches the store after another terminal's claim has ended."""
        other = terminal(guard_of(server), clock)
        slow = terminal(guard_of(proxy.url, prepared=False, deadline=0.3), clock)
        assert outcome_in_time(slow, code(clock.now)) in ("accepted", "redeem.replayed")
        proxy.hold()
        text = code(clock.now)
        assert outcome(slow, text) == "redeem.timeout"
        assert outcome(other, text) == "accepted"
        proxy.release()
        server.client.ping()  # what was sent before has reached the store
        assert outcome(other, text) == "redeem.replayed"

    def test_an_answer_that_comes_late_is_not_taken_for_the_next(
        self, proxy: Proxy, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        guard_of(server)
        redeem = terminal(guard_of(proxy.url, prepared=False, deadline=0.3), clock)
        assert outcome_in_time(redeem, code(clock.now)) in ("accepted", "redeem.replayed")
        proxy.hold()
        texts = [code(clock.now) for _ in range(5)]
        assert {outcome(redeem, text) for text in texts} == {"redeem.timeout"}
        proxy.release()
        assert {outcome_in_time(redeem, text) for text in texts} <= {"redeem.replayed", "accepted"}  # not all were sent
        assert {outcome_in_time(redeem, text) for text in texts} == {"redeem.replayed"}

    def test_an_answer_that_comes_too_late_accepts_nothing(
        self, server: RedisServer, guard_of: Guards, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        redeem = terminal(guard_of(server), clock)
        assert outcome(redeem, code(clock.now)) == "accepted"
        steady, behind = rules_module.steady, iter([3600])
        monkeypatch.setattr(rules_module, "steady", lambda: steady() - next(behind, 0))  # an hour passes
        text = code(clock.now)
        assert outcome(redeem, text) == "redeem.timeout"
        assert outcome(redeem, text) == "redeem.replayed"

    def test_an_epoch_is_not_begun_by_a_message_from_before_the_loss(
        self, proxy: Proxy, server: RedisServer, guard_of: Guards, clock: Clock
    ) -> None:
        """One guard sees an empty store and is held up; another begins the epoch, redeems, and the store is emptied."""
        held_up = guard_of(proxy.url, prepared=False, clock=lambda: clock.now - 500)
        held_up.claim_many([Claim(b"x", 1, 1 << 32, 1 << 32)])
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
            proxy.hold(BEGIN.encode())
            early = threading.Thread(target=lambda: held_up.claim_many([Claim(b"x", 1, 1 << 32, 1 << 32)]))
            early.start()
            proxy.wait_until_held()  # it has been shown the missing epoch
            guard = guard_of(server, prepared=False)
            redeem = terminal(guard, clock)
            outcome(redeem, code(clock.now))
            clock.now += 2 * SKEW + 1
            text = code(clock.now)
            assert outcome(redeem, text) == "accepted"
            client.flushall()
            proxy.release()
            early.join()
            assert outcome(redeem, text) == "redeem.restarted"

    @pytest.mark.parametrize(
        "answer", [b"+OK\r\n", b":1\r\n", b"$3\r\nabc\r\n", b"*0\r\n", b"$-1\r\n", b"-ERR x\r\n", b"?", b""]
    )
    def test_whatever_a_store_answers_only_a_token_error_comes_out(
        self, answer: bytes, guard_of: Guards, clock: Clock
    ) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    with connection:
                        while connection.recv(1 << 16):
                            connection.sendall(answer)
                            if not answer:
                                break

            threading.Thread(target=serve, daemon=True).start()
            guard = guard_of(f"redis://127.0.0.1:{listener.getsockname()[1]}", prepared=False, deadline=0.3)
            assert outcome(terminal(guard, clock), code(clock.now)).startswith("redeem.")
            (refused,) = guard.claim_many([Claim(b"x", 1, 1 << 32, 1 << 32)])
            assert isinstance(refused, TokenError)
