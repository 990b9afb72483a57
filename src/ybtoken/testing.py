"""For tests: keys without security, and the conformance suites that every implementation of a plug point runs.

A suite is a function that takes what is to be tested and raises `AssertionError` where it departs from its protocol.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import Thread
from typing import Any, TypeVar

from ybtoken.algorithms import Algorithm
from ybtoken.engines.protocols import Engine
from ybtoken.engines.serial import SerialEngine
from ybtoken.errors import CannotCheckError, RedeemError, SignatureError, TokenError
from ybtoken.issuer import Issuer
from ybtoken.keys.protocols import SigningKey, VerifyingKey
from ybtoken.keys.ring import KeyEntry, KeyRing, Use
from ybtoken.passes.rotating import STEP, RotatingCodes
from ybtoken.replay.protocols import AsyncReplayGuard, ReplayGuard
from ybtoken.status.list import StatusList, StatusListReader, sign_status_list
from ybtoken.status.source import StatusSource
from ybtoken.verifier import Verifier

__all__ = [
    "FakeKey",
    "check_async_replay_guard",
    "check_engine",
    "check_key_pair",
    "check_replay_guard",
    "check_rotating_redemption",
    "check_status_source",
]


class FakeKey:
    """A signing and verifying key with no security at all: a signature is a hash that anybody can make.

    It takes cryptography out of tests and benchmarks of everything else.
    """

    def __init__(self, name: str = "fake", algorithm: Algorithm = Algorithm.ES256) -> None:
        self.algorithm = algorithm
        self._name = name.encode()
        digest = hashlib.sha512(self._name).digest()
        self.point = digest[:32], digest[32:]
        self.kid = hashlib.sha256(self._name).digest()[:8]

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`."""
        return hashlib.sha512(self._name + message).digest()

    def verify(self, message: bytes, signature: bytes) -> None:
        """See `ybtoken.keys.protocols.VerifyingKey`."""
        if signature != self.sign(message):
            raise SignatureError("signature.invalid", kid=self.kid.hex())

    def __repr__(self) -> str:
        return f"FakeKey({self._name.decode()!r})"


def _refused(call: Callable[[], object], error: type[TokenError]) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"not refused with {error.__name__}")


# One signature in 128 has an r or an s that begins with a zero byte: that none of so many has, happens once in 3,000
_SIGNATURES = 1_024


def check_key_pair(signing: SigningKey, verifying: VerifyingKey, *, other: VerifyingKey) -> None:
    """The conformance suite of `SigningKey` and `VerifyingKey`.

    Args:
        signing: a private key.
        verifying: its public key.
        other: another public key of the same algorithm.
    """
    assert isinstance(signing, SigningKey)
    assert isinstance(verifying, VerifyingKey)
    assert signing.algorithm is verifying.algorithm is other.algorithm
    assert signing.kid == verifying.kid != other.kid
    assert len(signing.kid) == 8
    assert [len(coordinate) for coordinate in verifying.point] == [32, 32]
    for size in (0, 1, 31, 32, 55, 56, 63, 64, 65, 119, 1000):
        message = bytes(range(256)) * 4
        message = message[:size]
        signature = signing.sign(message)
        assert isinstance(signature, bytes)
        assert len(signature) == 64
        verifying.verify(message, signature)
        for wrong in (message + b"\0", message[:-1] if message else b"\1"):
            _refused(lambda wrong=wrong, s=signature: verifying.verify(wrong, s), SignatureError)  # type: ignore[misc]
        _refused(lambda m=message, s=signature: other.verify(m, s), SignatureError)  # type: ignore[misc]
    for number in range(_SIGNATURES):
        message = number.to_bytes(2)
        signature = signing.sign(message)
        assert len(signature) == 64, "r and s are 32 bytes each, leading zeros included"
        if not signature[0] or not signature[32]:
            verifying.verify(message, signature)
    message = b"ybtoken"
    signature = signing.sign(message)
    for bit in range(512):
        flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
        _refused(lambda s=flipped: verifying.verify(message, s), SignatureError)  # type: ignore[misc]
    halves = signature[:32], signature[32:]
    for bad in chain(
        (b"", signature[:-1], signature + b"\0", b"\0" + signature, signature * 2),
        (halves[1] + halves[0], bytes(32) + halves[1], halves[0] + bytes(32), bytes(64), b"\xff" * 64),
    ):
        _refused(lambda s=bad: verifying.verify(message, s), SignatureError)  # type: ignore[misc]
    for key in (signing, verifying):
        assert "sign" not in repr(key).lower().replace("signingkey", "")


def check_replay_guard(make: Callable[[Callable[[], float]], ReplayGuard], *, threads: int = 16) -> None:
    """The conformance suite of `ReplayGuard`.

    Args:
        make: makes an empty guard that reads the given clock, as far as it reads one.
        threads: how many threads claim the same keys at once.
    """
    start = 4_000_000_000  # ahead of any real clock, so that a store with a clock of its own agrees
    now = [float(start)]
    guard = make(lambda: now[0])
    assert isinstance(guard, ReplayGuard)
    for key in (b"a", b"b", b"a\0", bytes(64)):
        guard.claim(key, start + 60)
        _refused(lambda key=key: guard.claim(key, start + 60), RedeemError)  # type: ignore[misc]
        _refused(lambda key=key: guard.claim(key, start + 600), RedeemError)  # type: ignore[misc]
    now[0] += 59
    _refused(lambda: guard.claim(b"a", start + 60), RedeemError)
    now[0] += 1
    try:  # past by the guard's clock: refused, or still remembered; never accepted a second time
        guard.claim(b"a", start + 60)
    except (RedeemError, CannotCheckError):
        pass
    else:
        raise AssertionError("a claim was forgotten and accepted again")
    until = start + 120
    guard.claim(b"one", until)
    outcomes = guard.claim_many([(b"many 1", until), (b"one", until), (b"many 2", until), (b"many 1", until + 1)])
    assert [outcome and type(outcome) for outcome in outcomes] == [None, RedeemError, None, RedeemError]
    for key in (b"many 1", b"many 2"):
        _refused(lambda key=key: guard.claim(key, until), RedeemError)  # type: ignore[misc]
    assert guard.claim_many([]) == []

    def accepted(key: bytes) -> bool:
        try:
            guard.claim(key, start + 120)
        except RedeemError:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        for i in range(50):
            assert sum(pool.map(accepted, [b"race %d" % i] * threads)) == 1
        keys = [(b"race of many %d" % i, until) for i in range(100)]
        for each in zip(*pool.map(guard.claim_many, [keys] * threads), strict=True):
            assert each.count(None) == 1


def check_async_replay_guard(make: Callable[[Callable[[], float]], AsyncReplayGuard], *, threads: int = 16) -> None:
    """The conformance suite of `AsyncReplayGuard`: `check_replay_guard` and `check_rotating_redemption` of it.

    Args:
        make: makes an empty guard that reads the given clock, as far as it reads one; called in its event loop. If it
            has an ``aclose``, that is awaited in the end.
        threads: how many tasks claim the same keys at once.
    """
    made: list[AsyncReplayGuard] = []

    async def make_here(clock: Callable[[], float]) -> AsyncReplayGuard:
        made.append(make(clock))
        assert isinstance(made[-1], AsyncReplayGuard)
        return made[-1]

    with _event_loop() as run:
        try:
            check_replay_guard(lambda clock: _Awaited(run(make_here(clock)), run), threads=threads)
            check_rotating_redemption(lambda clock: _Awaited(run(make_here(clock)), run))
        finally:
            for guard in made:
                if aclose := getattr(guard, "aclose", None):
                    run(aclose())


_T = TypeVar("_T")


@contextmanager
def _event_loop() -> Iterator[Callable[[Coroutine[Any, Any, _T]], _T]]:
    """An event loop in a thread; gives what runs a coroutine there and waits for it."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Awaited(ReplayGuard):
    """An asynchronous guard, from threads."""

    def __init__(self, guard: AsyncReplayGuard, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._guard, self._run = guard, run

    def claim(self, key: bytes, expires_at: int) -> None:
        self._run(self._guard.claim(key, expires_at))

    def claim_many(self, claims: Sequence[tuple[bytes, int]]) -> list[TokenError | None]:
        outcomes: list[TokenError | None] = self._run(self._guard.claim_many(claims))
        return outcomes


def check_rotating_redemption(
    make: Callable[[Callable[[], float]], ReplayGuard], *, threads: int = 8, rounds: int = 10
) -> None:
    """What a `ReplayGuard` does for rotating passes: a step is accepted once, and none before the last accepted one.

    Args:
        make: makes an empty guard that reads the given clock, as far as it reads one.
        threads: how many threads redeem the same pass at once.
        rounds: how often they do.
    """
    start = 4_000_000_020  # the first second of a step, ahead of any real clock
    key, codes = FakeKey("issuer"), RotatingCodes(bytes(32))
    issuer = Issuer(key, clock=lambda: start)
    verifier = Verifier(
        KeyRing([KeyEntry(key, "issuer")]), guard=make(lambda: start), otp=codes, clock=lambda: start, skew=40
    )
    for _ in range(rounds):
        phone = codes.enrol(issuer.issue_rotating_pass(bytes(16), "330100"))
        now, before = phone.present(now=start), phone.present(now=start - STEP)
        accepted: list[int] = []

        def attempt(text: str, accepted: list[int] = accepted) -> None:
            try:
                step = verifier.redeem(text).time_step
            except RedeemError:
                return
            assert step is not None
            accepted.append(step)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(attempt, [now, before] * threads))
        assert accepted.count(start // STEP) == 1, "a step was accepted twice, or not at all"
        assert accepted.count(start // STEP - 1) <= 1, "a step was accepted twice"
        for text in (now, before):
            _refused(lambda text=text: verifier.redeem(text), RedeemError)  # type: ignore[misc]


def check_status_source(make: Callable[[StatusListReader, bytes], StatusSource]) -> None:
    """The conformance suite of `StatusSource`.

    Args:
        make: makes a source, without grace, that checks lists with this reader and has got this signed list.
    """
    key, uri, issued_at = FakeKey("statuses"), "https://status.example/1", 4_000_000_000
    array = bytes.fromhex("c944f9")
    statuses = StatusList(uri, 2, array, issued_at=issued_at, expires_at=issued_at + 600, ttl=60)
    reader = StatusListReader(KeyRing([KeyEntry(key, "registry", use=Use.STATUS)]), uri)
    source = make(reader, sign_status_list(statuses, key))
    assert isinstance(source, StatusSource)
    for now in (issued_at, issued_at + 599):
        assert [source.status(i, now).status for i in range(12)] == [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
        assert source.status(0, now).overdue is None
        for index in (12, 2**32 - 1):
            _refused(lambda index=index, now=now: source.status(index, now), CannotCheckError)  # type: ignore[misc]
    for now in (issued_at + 600, issued_at + 10**9):
        _refused(lambda now=now: source.status(2, now), CannotCheckError)  # type: ignore[misc]


def check_engine(engine: Engine, keys: KeyRing, texts: list[str]) -> None:
    """The conformance suite of `Engine`: the same as the serial engine, alone and at any place in a batch.

    Args:
        engine: the engine.
        keys: a key ring.
        texts: good and bad texts; the more kinds, the better.
    """
    reference, opener = SerialEngine().prepare(keys), engine.prepare(keys)
    expected = reference.open_many(texts)
    for rotation in (0, 1, 7 % len(texts)):
        turned = texts[rotation:] + texts[:rotation]
        batch = opener.open_many(turned)
        assert len(batch) == len(texts)
        for i in range(len(turned)):
            at = (i + rotation) % len(texts)
            assert batch.codes[i] == expected.codes[at], (turned[i], batch.codes[i], expected.codes[at])
            if expected.codes[at] == 0:
                assert batch.opened(i) == expected.opened(at)
            else:
                assert batch.error(i).to_dict() == expected.error(at).to_dict()
    for i, text in enumerate(texts):
        try:
            opened = opener.open(text)
        except TokenError as error:
            assert expected.codes[i] == error.number, (text, error)
            assert error.to_dict() == expected.error(i).to_dict()
        else:
            assert expected.codes[i] == 0, text
            assert opened == expected.opened(i)
    assert len(opener.open_many([])) == 0
