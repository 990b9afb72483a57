"""State machines over the real guards: terminals whose clocks are wrong within the skew, time that passes, and losses.

Whatever happens in whichever order, a display is accepted once, and a fresh code that nobody used is accepted.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.replay.redis_server import SERVER, RedisServer
from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, TokenError, Verifier
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.testing.keys import FakeKey

SKEW = 10
START = 1_800_000_000
KEY = FakeKey("issuer")
RING = KeyRing([KeyEntry(KEY, "issuer")])
CODES = RotatingCodes(bytes(32))
offsets = st.sampled_from([-SKEW, SKEW, 0])  # faults are most likely at the bounds


class Terminals(RuleBasedStateMachine):
    """Two terminals, an issuer, and a store; the subclasses say which guards."""

    displays = Bundle("displays")

    def __init__(self) -> None:
        super().__init__()
        self.now = START  # the truth
        self.off = {"one": 0, "other": 0, "issuer": 0, "store": 0}
        self.accepted: dict[str, int] = {}
        self.ends: dict[str, int] = {}  # when each code is refused, by the clock of the terminal that is asked
        self.steps: dict[bytes, int] = {}
        self.whole_since = START - 1000
        self.since_loss = 0  # how many codes were accepted since then
        self.make()
        self.verifiers = {
            name: Verifier(RING, guard=guard, skew=SKEW, otp=CODES, clock=self.clock(name))
            for name, guard in self.guards().items()
        }
        issuer = Issuer(KEY, clock=lambda: START - 100)
        self.phones = [CODES.enrol(issuer.issue_rotating_pass(bytes(16), "330100")) for _ in range(2)]

    def clock(self, name: str) -> Callable[[], float]:
        return lambda: self.now + self.off[name]

    def make(self) -> None:
        """Make the store, which has remembered for long."""

    def guards(self) -> dict[str, Any]:
        raise NotImplementedError

    def pass_time(self, seconds: int) -> None:
        """Let the store's time pass."""

    def lose_all(self) -> None:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.now = START

    @rule(target=displays, lifetime=st.sampled_from([1, 20, 60]), count=st.integers(1, 3))
    def issue(self, lifetime: int, count: int) -> Any:
        issuer = Issuer(KEY, lifetime=lifetime, clock=self.clock("issuer"))
        texts = [issuer.issue(bytes(16), "330100").text for _ in range(count)]
        self.ends |= dict.fromkeys(texts, int(self.clock("issuer")()) + lifetime + SKEW)
        return multiple(*((text, self.now, lifetime) for text in texts))

    @rule(target=displays, phone=st.integers(0, 1), off=st.integers(-45, 30))
    def present(self, phone: int, off: int) -> Any:
        return self.phones[phone].present(now=self.now + off), self.now, 0  # a phone's clock is not trusted

    @rule(display=displays, terminal=st.sampled_from(["one", "other"]))
    def redeem(self, display: tuple[str, int, int], terminal: str) -> None:
        text, issued, lifetime = display
        try:
            step = (voucher := self.verifiers[terminal].redeem(text)).time_step
        except TokenError as error:
            assert error.code.split(".")[0] in ("time", "redeem", "otp"), error
            unused = not self.accepted.get(text)
            new = issued > self.whole_since + 4 * SKEW
            fresh = lifetime and new and issued + SKEW <= self.now < issued + lifetime - 2 * SKEW
            assert not (unused and fresh), error
        else:
            self.accepted[text] = self.accepted.get(text, 0) + 1
            self.since_loss += 1
            assert self.accepted[text] == 1, "accepted twice"
            if step is not None:
                assert step > self.steps.get(voucher.nonce, 0), "a step before the last accepted one"
                self.steps[voucher.nonce] = step

    @precondition(lambda self: self.accepted)
    @rule(which=st.integers(0, 3), terminal=st.sampled_from(["one", "other"]))
    def redeem_again(self, which: int, terminal: str) -> None:
        text = list(self.accepted)[-1 - which % len(self.accepted)]
        self.redeem((text, self.now, 0), terminal)

    @rule(display=displays, terminal=st.sampled_from(["one", "other"]), off=offsets)
    def wait_for_the_last_moment(self, display: tuple[str, int, int], terminal: str, off: int) -> None:
        self.off[terminal] = off
        last = self.ends.get(display[0], 0) - 1 - self.off[terminal]
        self.wait(max(0, last - self.now))
        self.redeem(display, terminal)

    @rule(display=displays, first=st.sampled_from(["one", "other"]), off=offsets, other_off=offsets)
    def redeem_at_the_last_moments(self, display: tuple[str, int, int], first: str, off: int, other_off: int) -> None:
        self.wait_for_the_last_moment(display, first, off)
        self.wait_for_the_last_moment(display, "other" if first == "one" else "one", other_off)

    @rule(seconds=st.sampled_from([0, 1, 9, 10, 19, 20, 45]))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.pass_time(seconds)

    @rule(name=st.sampled_from(["one", "other", "issuer", "store"]), off=offsets)
    def set_clock(self, name: str, off: int) -> None:
        self.off[name] = off

    @precondition(lambda self: self.since_loss)  # otherwise most codes would be refused because of a loss
    @rule()
    def lose(self) -> None:
        self.lose_all()
        for verifier in self.verifiers.values():  # the next claim would notice the loss; here one follows at once
            try:
                verifier.redeem(Issuer(KEY, clock=self.clock("issuer")).issue(bytes(16), "330100").text)
            except TokenError as error:
                assert error.code in ("redeem.restarted", "time.future", "time.expired"), error
        self.whole_since, self.since_loss = self.now, 0


class OfMemory(Terminals):
    """One guard in memory for both terminals; a process that restarts."""

    def make(self) -> None:
        self.guard = MemoryReplayGuard(clock=self.clock("store"))

    def guards(self) -> dict[str, Any]:
        class Current:
            """The guard of the process that runs now."""

            def claim(_, *args: Any, **times: Any) -> None:
                self.guard.claim(*args, **times)

            def claim_many(_, claims: Any) -> Any:
                return self.guard.claim_many(claims)

        return dict.fromkeys(("one", "other"), Current())

    def lose_all(self) -> None:
        clock = self.clock("store")
        self.guard = MemoryReplayGuard(clock=clock, remembers_since=int(clock()))


class OfRedis(Terminals):
    """A guard in Redis for each terminal, and a server that is emptied or evicts."""

    server: RedisServer
    count = 0

    def make(self) -> None:
        OfRedis.count += 1

    def guards(self) -> dict[str, Any]:
        from ybtoken.replay.redis import RedisReplayGuard

        prefix = f"run{OfRedis.count}"
        RedisReplayGuard.from_url(self.server.url, prefix=prefix, deadline=10, clock=lambda: START - 1000).prepare()
        self.made = {
            name: RedisReplayGuard.from_url(self.server.url, prefix=prefix, deadline=10, clock=self.clock(name))
            for name in ("one", "other")
        }
        return self.made

    def pass_time(self, seconds: int) -> None:
        self.server.pass_time(seconds)

    def lose_all(self) -> None:
        self.server.client.flushall()

    def teardown(self) -> None:
        self.lose_all()
        for guard in self.made.values():
            guard.close()


class OfSqlite(Terminals):
    """A guard in a file for each terminal of one machine, whose clock they share; a file that is lost."""

    def make(self) -> None:
        self.folder = tempfile.TemporaryDirectory()

    def guards(self) -> dict[str, Any]:
        from ybtoken.replay.sqlite import SqliteReplayGuard

        path = Path(self.folder.name) / "guard.db"
        SqliteReplayGuard(path, clock=lambda: START - 1000).close()
        self.made = {name: SqliteReplayGuard(path, clock=self.clock("store")) for name in ("one", "other")}
        return self.made

    def lose_all(self) -> None:
        for guard in self.made.values():
            guard.close()
        for path in Path(self.folder.name).iterdir():
            path.unlink()

    def teardown(self) -> None:
        for guard in self.made.values():
            guard.close()
        self.folder.cleanup()


def run(machine: type[Terminals], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=50))


def test_a_guard_in_memory() -> None:
    run(OfMemory, 200)


@pytest.mark.skipif(find_spec("ybtoken.replay.sqlite") is None, reason="there is no guard in a file here")
def test_guards_in_a_file() -> None:
    run(OfSqlite, 40)


@pytest.mark.skipif(SERVER is None and not os.environ.get("CI"), reason="no redis-server on this machine")
def test_guards_in_redis(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    OfRedis.server = RedisServer(tmp_path, "--save", "")
    try:
        run(OfRedis, 100)
    finally:
        OfRedis.server.stop()
