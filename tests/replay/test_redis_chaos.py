"""Kills of a server under load, by terminals whose clocks are wrong by the skew: no code is accepted twice.

A short form runs with the tests; `make chaos` kills 500 times, which takes half an hour.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

redis = pytest.importorskip("redis")

from tests.replay.redis_server import SERVER, RedisServer  # noqa: E402
from ybtoken import Issuer, KeyEntry, KeyRing, TokenError, Verifier  # noqa: E402
from ybtoken.replay.redis import RedisReplayGuard  # noqa: E402
from ybtoken.testing.keys import FakeKey  # noqa: E402

pytestmark = pytest.mark.skipif(SERVER is None and not os.environ.get("CI"), reason="no redis-server on this machine")

SKEW = 1  # short lives, so that codes of every age meet each kill
LIFE = 4
KEY = FakeKey("issuer")
RING = KeyRing([KeyEntry(KEY, "issuer")])


@pytest.mark.parametrize(
    "persistence",
    [["--save", ""], ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]],
    ids=["nothing is kept", "what is kept is stale"],
)
def test_kills_under_load_by_terminals_whose_clocks_are_wrong(
    tmp_path: Path, persistence: list[str], seeded: Callable[[], random.Random]
) -> None:
    kills = int(os.environ.get("YBTOKEN_CHAOS_KILLS", "6")) // 2
    chance = seeded()
    server = RedisServer(tmp_path, *persistence)
    accepted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    codes: list[str] = []
    lock, stop = threading.Lock(), threading.Event()
    unexpected: list[BaseException] = []

    def issue() -> None:
        own = random.Random(chance.getrandbits(32))
        while not stop.is_set():
            issuer = Issuer(KEY, lifetime=LIFE, clock=lambda: time.time() + own.choice((-SKEW, 0, SKEW)))
            with lock:
                codes.append(issuer.issue(bytes(16), "330100").text)
                del codes[:-1000]  # as many as are accepted by somebody, and some that are past
            time.sleep(0.01)

    def redeem(off: int, seed: int) -> None:
        def clock() -> float:
            return time.time() + off

        own, guard = random.Random(seed), RedisReplayGuard.from_url(server.url, deadline=0.5, clock=clock)
        verifier = Verifier(RING, guard=guard, skew=SKEW, clock=clock)
        while not stop.is_set():
            time.sleep(0.002)  # leave the machine to others; several codes are still tried for each that is issued
            with lock:
                text = own.choice(codes) if codes else ""
            try:
                verifier.redeem(text)
            except TokenError as error:
                with lock:
                    refused[error.code] += 1
            except BaseException as error:
                unexpected.append(error)
                return
            else:
                with lock:
                    accepted[text] += 1
        guard.close()

    threads = [threading.Thread(target=issue)]
    threads += [threading.Thread(target=redeem, args=(off, chance.getrandbits(32))) for off in (SKEW, -SKEW)]
    for thread in threads:
        thread.start()
    recoveries: list[float] = []
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.0, 2 * SKEW + LIFE / 2))
            server.kill()
            server.start()
            returned, before = time.monotonic(), accepted.total()
            while accepted.total() == before and not unexpected:
                assert time.monotonic() < returned + 60, refused
                time.sleep(0.01)
            recoveries.append(time.monotonic() - returned)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        server.stop()
    assert not unexpected
    print(
        f"{kills} kills, {accepted.total()} accepted, {refused['redeem.replayed']} replays and "
        f"{refused['redeem.restarted']} codes from before a loss refused; accepted again after "
        f"{statistics.median(recoveries):.2f} s, at most {max(recoveries):.2f} s"
    )
    assert accepted
    assert max(accepted.values()) == 1
    # 2 x skew by design, as much again because the clocks differ, and a second for whole seconds
    assert statistics.median(recoveries) < 4 * SKEW + 2
