"""Where the gateway remembers used codes, and what it takes for forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

pytest.importorskip("fastapi")

from examples.gateway.used import AsyncKeeping, Keeping
from tests.support import HOLDER, NOW, RING, fake_issuer
from ybtoken import AsyncReplayGuard, MemoryReplayGuard, TokenError, Verifier
from ybtoken.passes.rotating import STEP, RotatingCodes
from ybtoken.replay.protocols import Claim


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class AsyncMemory(AsyncReplayGuard):
    """A guard for asyncio with the memory of another."""

    def __init__(self, guard: MemoryReplayGuard) -> None:
        self.guard = guard

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        self.guard.claim(key, since=since, by=by, until=until)

    async def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        return self.guard.claim_many(claims)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_earlier_code_of_a_pass_stays_used_after_the_clock_was_ahead_for_a_moment(asynchronous: bool) -> None:
    clock = Clock()
    clock.now = now = NOW + 25  # so late in its step that no step before the last is accepted
    memory = MemoryReplayGuard(clock=clock)
    codes = RotatingCodes(bytes(32), clock=clock)
    guard = AsyncKeeping(AsyncMemory(memory)) if asynchronous else Keeping(memory)
    verifier = Verifier(RING, guard=guard, otp=codes, clock=clock)
    issuer = fake_issuer()
    phone, other = (codes.enrol(issuer.issue_rotating_pass(HOLDER, "330100")) for _ in range(2))

    def verdict(text: str) -> str:
        try:
            asyncio.run(verifier.redeem_async(text)) if asynchronous else verifier.redeem(text)
        except TokenError as error:
            return error.code
        return "accepted"

    assert verdict(phone.present(now=now)) == "accepted"
    assert verdict(phone.present(now=now - STEP)) == "redeem.replayed"
    clock.now += 3600  # frees what has ended by then
    assert verdict(other.present(now=clock.now)) == "accepted"
    clock.now = now + 1
    assert verdict(phone.present(now=now - STEP)) == "redeem.replayed"
