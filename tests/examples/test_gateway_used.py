"""Where the gateway remembers used codes, and what it takes for forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from examples.gateway.settings import Settings
from examples.gateway.used import USED, AsyncKeeping, Keeping, guard_of
from examples.gateway.world import open_vault
from tests.support import HOLDER, NOW, RING, fake_issuer
from ybtoken import AsyncReplayGuard, MemoryReplayGuard, TokenError, Verifier
from ybtoken.passes.rotating import STEP, RotatingCodes
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard


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


def begun(folder: Path, now: int, **settings: str) -> int:
    """Since when the guard's file remembers, after a start at a time."""
    made = Settings(folder=folder, algorithm="es256", **settings)  # type: ignore[arg-type]
    open_vault(made)
    guard = guard_of(made, lambda: now)
    assert isinstance(guard, SqliteReplayGuard)
    guard.close()
    with closing(sqlite3.connect(folder / USED)) as file:
        return int(file.execute("SELECT begun FROM memory").fetchone()[0])


def test_the_file_remembers_from_the_platform_on_whose_codes_it_is_for(tmp_path: Path) -> None:
    folder, root, other = tmp_path / "new", tmp_path / "root.json", tmp_path / "other.json"
    root.write_bytes(b"of a platform")
    other.write_bytes(b"of another")
    rings = {"rings": "https://a.example", "rings_root": str(root)}
    assert begun(folder, NOW) == 0, "no code of a new key was used before"
    assert begun(folder, NOW + 1) == 0
    assert begun(folder, NOW + 2, **rings) == NOW + 2
    assert begun(folder, NOW + 3, **rings) == NOW + 2
    assert begun(folder, NOW + 4, **rings | {"rings": "https://b.example"}) == NOW + 2, "a platform may move"
    assert begun(folder, NOW + 5, **rings | {"rings_root": str(other)}) == NOW + 5
    assert begun(folder, NOW + 6) == NOW + 6


def test_a_start_that_ended_too_early_is_no_loss(tmp_path: Path) -> None:
    rings = {"rings": "https://a.example", "rings_root": str(tmp_path / "root.json")}
    (tmp_path / "root.json").write_bytes(b"of a platform")
    folder = tmp_path / "new"
    begun(folder, NOW)
    made = Settings(folder=folder, algorithm="es256", **rings)  # type: ignore[arg-type]
    open_vault(made)  # and no guard was made
    assert begun(folder, NOW + 1, **rings) == NOW + 1


@pytest.mark.parametrize("left", ["rings", "signing.pem"])
def test_a_file_that_is_deleted_without_what_used_its_key_does_not_begin_at_0(tmp_path: Path, left: str) -> None:
    (tmp_path / "new").mkdir(mode=0o700)
    begun(tmp_path / "new", NOW)
    (tmp_path / "new" / "rings").mkdir()
    for path in (tmp_path / "new").iterdir():
        if path.is_file() and path.name != left:
            path.unlink()
    if left != "rings":
        (tmp_path / "new" / "rings").rmdir()
    assert begun(tmp_path / "new", NOW + 1) == NOW + 1
