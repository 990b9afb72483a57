"""The conformance suites are for implementations of others: each that breaks its protocol must fail."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support import CITY, FAKE, HOLDER, NOW, RING, fake_issuer
from ybtoken import Algorithm, AsyncReplayGuard, MemoryReplayGuard, ReplayGuard, SerialEngine
from ybtoken.errors import RedeemError, SignatureError, TextError
from ybtoken.testing.engines import check_engine
from ybtoken.testing.guards import check_async_replay_guard, check_replay_guard
from ybtoken.testing.keys import FakeKey, check_key_pair

TEXTS = [*(fake_issuer().issue(HOLDER, CITY, now=now).text for now in (1, 2, 3)), "96", "", "x", "96x"]


class TestFakeKey:
    def test_the_same_name_is_the_same_key(self):
        assert (FakeKey("a").kid, FakeKey("a").sign(b"m")) == (FakeKey("a").kid, FakeKey("a").sign(b"m"))
        assert FakeKey("a").kid != FakeKey("b").kid
        assert FakeKey("a", Algorithm.SM2).algorithm is Algorithm.SM2

    def test_it_refuses_what_another_signed(self):
        with pytest.raises(SignatureError) as caught:
            FakeKey("a").verify(b"m", FakeKey("b").sign(b"m"))
        assert caught.value.facts == {"kid": FakeKey("a").kid.hex()}

    def test_it_says_that_it_is_fake(self):
        assert repr(FakeKey("a")) == "FakeKey('a')"


class Credulous(FakeKey):
    def verify(self, message: bytes, signature: bytes) -> None:
        pass


class Prefix(FakeKey):
    """Compares only the first half of a signature."""

    def verify(self, message: bytes, signature: bytes) -> None:
        if signature[:32] != self.sign(message)[:32]:
            raise SignatureError("signature.invalid")


class WrongError(FakeKey):
    def verify(self, message: bytes, signature: bytes) -> None:
        if signature != self.sign(message):
            raise ValueError("bad signature")


class Short(FakeKey):
    def sign(self, message: bytes) -> bytes:
        return super().sign(message)[:63]


class Unpadded(FakeKey):
    """Leaves out leading zeros, as many libraries do."""

    def sign(self, message: bytes) -> bytes:
        signature = super().sign(message)
        return signature[:32].lstrip(b"\0") + signature[32:].lstrip(b"\0")


class Rare(FakeKey):
    """Makes one bad signature in 100."""

    calls = 0

    def sign(self, message: bytes) -> bytes:
        self.calls += 1
        return super().sign(message + b"." if self.calls % 100 == 0 else message)


class OneSession(FakeKey):
    """Hashes into a buffer that all threads share."""

    buffer = b""

    def sign(self, message: bytes) -> bytes:
        self.buffer = message
        time.sleep(0.001)
        return super().sign(self.buffer)


@pytest.mark.parametrize("kind", [Credulous, Prefix, WrongError, Short, Unpadded, Rare, OneSession])
def test_a_key_that_breaks_the_protocol_fails(kind):
    with pytest.raises((AssertionError, ValueError, SignatureError)):
        check_key_pair(kind("a"), kind("a"), other=kind("b"))


def test_a_pair_that_does_not_belong_together_fails():
    for signing, verifying, other in (
        (FakeKey("a"), FakeKey("b"), FakeKey("c")),
        (FakeKey("a"), FakeKey("a"), FakeKey("a")),
        (FakeKey("a"), FakeKey("a", Algorithm.SM2), FakeKey("b")),
    ):
        with pytest.raises(AssertionError):
            check_key_pair(signing, verifying, other=other)


class Forgetful(ReplayGuard):
    """Remembers only the last key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.last = b""

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        if key == self.last:
            raise RedeemError("redeem.replayed")
        self.last = key


class ForgetsExpired(ReplayGuard):
    """Forgets claims that have ended, and accepts them again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.claims = clock, dict[bytes, int]()

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        if self.claims.get(key, 0) > self.clock():
            raise RedeemError("redeem.replayed")
        self.claims[key] = until


class KeyedByExpiry(ReplayGuard):
    """Takes another expiry for another key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.claims = set[tuple[bytes, int]]()

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        if (key, until) in self.claims:
            raise RedeemError("redeem.replayed")
        self.claims.add((key, until))


class Racy(ForgetsExpired):
    """Checks first and writes later."""

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        import time

        known = key in self.claims
        time.sleep(0.001)
        self.claims[key] = until
        if known:
            raise RedeemError("redeem.replayed")


class NeverAccepts(ReplayGuard):
    def __init__(self, clock: Callable[[], float]) -> None:
        pass

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        raise RedeemError("redeem.replayed")


class OfMany(MemoryReplayGuard):
    """Right for single claims, but not for many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)


class AllOrNothing(OfMany):
    def claim_many(self, claims):
        outcomes = super().claim_many(claims)
        return outcomes if None not in outcomes else [None] * len(outcomes)


class Backwards(OfMany):
    def claim_many(self, claims):
        return super().claim_many(claims[::-1])[::-1]


class KeepsNothingOfMany(OfMany):
    def claim_many(self, claims):
        keys = [claim.key for claim in claims]
        known = [key in self._live or key in keys[:i] for i, key in enumerate(keys)]
        return [RedeemError("redeem.replayed") if one else None for one in known]


@pytest.mark.parametrize(
    "kind",
    [Forgetful, ForgetsExpired, KeyedByExpiry, Racy, NeverAccepts, AllOrNothing, Backwards, KeepsNothingOfMany],
)
def test_a_guard_that_breaks_the_protocol_fails(kind):
    with pytest.raises((AssertionError, RedeemError)):
        check_replay_guard(kind)


def test_a_good_guard_passes():
    check_replay_guard(lambda clock: MemoryReplayGuard(clock=clock), threads=4)


class Async(AsyncReplayGuard):
    def __init__(self, inner: ReplayGuard) -> None:
        self.inner = inner

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        self.inner.claim(key, since=since, by=by, until=until)


def test_an_asynchronous_guard_passes_or_fails_alike():
    check_async_replay_guard(lambda clock: Async(MemoryReplayGuard(clock=clock)), threads=4)
    with pytest.raises(AssertionError):
        check_async_replay_guard(lambda clock: Async(ForgetsExpired(clock)))


def test_a_guard_without_claim_is_none():
    with pytest.raises(TypeError, match="abstract"):
        type("Nothing", (ReplayGuard,), {})()


class Wrapped:
    """An engine that differs from the serial one in one respect."""

    name = "wrapped"

    def __init__(self, **changes: object) -> None:
        self.changes = changes

    def prepare(self, keys):
        opener, changes = SerialEngine().prepare(keys), self.changes

        class Opener:
            def __init__(self) -> None:
                self.keys = keys

            def open(self, text, limits, now):
                return changes.get("open", type(opener).open)(opener, text, limits, now)

            def open_many(self, texts, limits, now):
                return changes.get("open_many", type(opener).open_many)(opener, texts, limits, now)

        return Opener()


def other_code(opener, *call):
    try:
        return opener.open(*call)
    except TextError as error:
        raise TextError("text.check") from error


@pytest.mark.parametrize(
    "changes",
    [
        {"open": other_code},
        {"open": lambda opener, text, *call: opener.open(TEXTS[0], *call)},
        {"open_many": lambda opener, texts, *call: opener.open_many(list(texts)[::-1], *call)},
        {"open_many": lambda opener, texts, limits, now: opener.open_many([*texts, TEXTS[0]], limits, NOW)},
        {"open_many": lambda opener, texts, *call: opener.open_many(list(texts)[:1] * len(texts), *call)},
    ],
)
def test_an_engine_that_differs_from_the_serial_one_fails(changes):
    with pytest.raises(AssertionError):
        check_engine(Wrapped(**changes), RING, TEXTS, now=NOW)


def test_a_good_engine_passes():
    check_engine(Wrapped(), RING, TEXTS, now=NOW)
    assert FAKE.kid in RING
