from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replay.redis_server import SERVER, RedisServer

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.skipif(SERVER is None, reason="no redis-server on this machine")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path, "--save", "")
    yield server
    server.stop()


def test_a_new_store_is_prepared_once(run, server):
    begun = int(time.time())
    result = run("store", "prepare", server.url)
    assert result.exit_code == 0
    assert "remembers used codes since" in result.output
    with redis.Redis.from_url(server.url) as client:
        epoch = client.get("ybtoken:epoch")
        assert begun <= int(epoch.rpartition(b":")[2]) <= time.time()
        assert run("store", "prepare", server.url, "--lang", "zh").output.startswith("存储自 ")
        assert client.get("ybtoken:epoch") == epoch


def test_a_first_use_is_stated(run, server):
    from ybtoken.replay.redis import RedisReplayGuard

    result = run("store", "prepare", server.url, "--first-use", "--prefix", "pharmacy")
    assert result.output == "The store is prepared: no code is refused for its age.\n"
    guard = RedisReplayGuard.from_url(server.url, prefix="pharmacy", deadline=10)
    guard.claim(b"key", since=1, by=1 << 32, until=1 << 32)
    guard.close()
    result = run("store", "prepare", server.url, "--first-use", "--prefix", "pharmacy")
    assert (result.exit_code, result.output) == (2, "The store holds claims already: leave out --first-use.\n")


def test_a_store_that_is_set_up_wrongly_or_away_is_named(run, server):
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    result = run("store", "prepare", server.url)
    assert result.exit_code == 2
    assert "[redeem.evicting]" in result.output
    assert "allkeys-lru" in result.output
    server.kill()
    result = run("store", "prepare", f"redis://:secret@127.0.0.1:{server.port}/0")
    assert result.exit_code == 2
    assert "[redeem.unavailable]" in result.output
    assert "secret" not in result.output
    result = run("store", "prepare", "http://:secret@somewhere")
    assert (result.exit_code, result.output) == (2, "The address cannot be used (ValueError).\n")
    result = run("store", "prepare", f"redis://:secret@127.0.0.1:{server.port}", "--cluster")
    assert result.exit_code == 2
    assert "secret" not in result.output
