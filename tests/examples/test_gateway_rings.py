"""The gateway follows a signed repository of key rings: a withdrawal arrives while it runs, and staleness is shown."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")
pytest.importorskip("segno")
pytest.importorskip("tuf")

from examples.gateway.app import create_app  # noqa: E402
from examples.gateway.rings import ONLINE, Publisher  # noqa: E402
from examples.gateway.settings import Settings  # noqa: E402
from examples.gateway.world import RINGS_EVERY, World  # noqa: E402
from ybtoken import Issuer, KeyEntry, KeyRing  # noqa: E402
from ybtoken.keys.keyset import dump_jwks, load_jwks  # noqa: E402
from ybtoken.keys.p256 import P256SigningKey  # noqa: E402
from ybtoken.trust.repository import ROLES, RingRepository  # noqa: E402
from ybtoken.trust.tuf import RING, TufRingSource  # noqa: E402
from ybtoken.words import words_of  # noqa: E402

NOW = 1_800_000_000
DAY = 24 * 3600


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Scene:
    """A world, its clock, and a client of its application."""

    def __init__(self, folder: Path, later: int = 0, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.now += later
        self.world = World(Settings(folder=folder, **({"algorithm": "es256"} | settings)), clock=self.clock)
        self.app = create_app(self.world)

    async def __aenter__(self) -> Scene:
        self._running = self.app.router.lifespan_context(self.app)
        await self._running.__aenter__()
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()
        await self._running.__aexit__(*error)

    async def redeem(self, text: str) -> tuple[int, str]:
        answer = await self.client.post("/redeem", json={"text": text})
        return answer.status_code, answer.json().get("code", "accepted")

    async def own(self) -> str:
        text: str = (await self.client.post("/issue", json={})).json()["text"]
        return text

    async def stale(self) -> dict[str, str] | None:
        found: dict[str, str] | None = (await self.client.get("/config")).json()["stale"]
        return found

    def publish(self, ring: KeyRing) -> None:
        """As ``ybtoken ring publish`` does, on the gateway's own folders."""
        publish(self.world.settings.folder / "rings", ring, self.clock)

    async def other(self, key: P256SigningKey, count: int = 1) -> list[str]:
        issuer = Issuer(key, clock=self.clock)
        return [token.text for token in issuer.issue_many([(bytes(16), "330100")] * count)]


def publish(folder: Path, ring: KeyRing, clock: Clock, **options: Any) -> None:
    keys = [P256SigningKey.from_pem((folder / "keys" / f"{role}.pem").read_bytes()) for role in ROLES]
    root = (folder / "keys" / "root.json").read_bytes()
    RingRepository(folder / "repository", root=root, clock=clock).publish(
        {RING: dump_jwks(ring).encode()}, keys, **options
    )


def entered(ring: KeyRing, *keys: P256SigningKey) -> KeyRing:
    entries = [*ring.entries, *(KeyEntry(key.verifying_key, "Zhejiang") for key in keys)]
    return KeyRing(entries, version=ring.version + 1)


def scene(folder: Path, play: Any, **settings: Any) -> None:
    async def whole() -> None:
        async with Scene(folder, **settings) as stage:
            await play(stage)

    asyncio.run(whole())


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder over HTTP, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_keys_are_entered_and_withdrawn_while_the_gateway_runs(tmp_path: Path) -> None:
    async def play(stage: Scene) -> None:
        new = P256SigningKey.generate()
        first, second = await stage.other(new, 2)
        assert await stage.redeem(first) == (422, "key.unknown")
        ring = entered(stage.world.ring, new)
        stage.publish(ring)
        assert await stage.redeem(first) == (422, "key.unknown"), "no request fetches a ring"
        stage.world.refresh_rings()
        assert await stage.redeem(first) == (200, "accepted")
        assert await stage.redeem(first) == (409, "redeem.replayed"), "the guard is the same"
        stage.publish(ring.withdrawn(new.kid, since=NOW - 60))
        stage.world.refresh_rings()
        assert (await stage.redeem(second))[1] == "scope.withdrawn"
        keys = load_jwks((await stage.client.get("/keys")).text)
        assert keys[new.kid].withdrawn_since == NOW - 60, "a terminal that verifies by itself knows, too"
        assert await stage.redeem(await stage.own()) == (200, "accepted")

    scene(tmp_path, play)


def test_no_request_fails_while_keys_rotate(tmp_path: Path) -> None:
    async def play(stage: Scene) -> None:
        done: list[tuple[int, str]] = []
        rotating = True

        async def terminal() -> None:
            while rotating or len(done) < 200:
                done.append(await stage.redeem(await stage.own()))

        async def platform() -> None:
            nonlocal rotating
            ring = stage.world.ring
            for _ in range(6):
                ring = entered(ring, P256SigningKey.generate())
                stage.publish(ring)
                before = len(done)
                await asyncio.to_thread(stage.world.refresh_rings)
                while len(done) < before + 8:
                    await asyncio.sleep(0)
            rotating = False
            assert len(stage.world.ring.entries) == 7

        await asyncio.gather(platform(), *(terminal() for _ in range(8)))
        assert set(done) == {(200, "accepted")}

    scene(tmp_path, play)


def test_requests_cause_no_fetch_and_unknown_keys_cause_none_either(tmp_path: Path) -> None:
    clock = Clock()
    vault = World(Settings(folder=tmp_path / "gateway", algorithm="es256"), clock=clock)
    (tmp_path / "platform").mkdir()
    publisher = Publisher(tmp_path / "platform", vault.keys, clock)
    vault.close()
    (tmp_path / "root.json").write_bytes(publisher.root)
    with served(publisher.repository) as (address, asked):

        async def play(stage: Scene) -> None:
            assert stage.world.publisher is None
            fetched = len(asked)
            assert fetched > 0
            strange = await stage.other(P256SigningKey.generate(), 50)
            assert {await stage.redeem(text) for text in strange} == {(422, "key.unknown")}
            stage.clock.now += 30  # the folder follows another platform from now on, and what is older is refused
            assert await stage.redeem(await stage.own()) == (200, "accepted")
            assert len(asked) == fetched
            stage.world.refresh_rings()
            assert len(asked) - fetched <= 3, "the next root, and the timestamp"

        scene(tmp_path / "gateway", play, rings=address, rings_root=str(tmp_path / "root.json"))


def test_pages_are_told_when_the_ring_is_stale_and_when_it_has_ended(tmp_path: Path) -> None:
    async def play(stage: Scene) -> None:
        assert await stage.stale() is None
        timestamp = stage.world.publisher.repository / "metadata" / "timestamp.json"
        kept = timestamp.read_bytes()
        timestamp.unlink()
        stage.world.refresh_rings()
        told = await stage.stale()
        assert told is not None
        assert "is out of date" in told["en"]
        assert "密钥环无法更新" in told["zh"]
        assert await stage.redeem(await stage.own()) == (200, "accepted"), "the ring holds until its end"
        stage.clock.now += DAY
        told = await stage.stale()
        assert told is not None
        assert "ended at" in told["en"]
        assert "到期" in told["zh"]
        assert await stage.redeem(await stage.own()) == (503, "key.ring_expired")
        assert (await stage.client.get("/health/ready")).status_code == 503
        assert (await stage.client.get("/keys")).status_code == 503
        timestamp.write_bytes(kept)
        stage.world.refresh_rings()
        assert await stage.stale() is None, "what had not been signed again is, and taken"
        assert await stage.redeem(await stage.own()) == (200, "accepted")

    scene(tmp_path, play)


def test_an_old_ring_does_not_come_back_over_a_restart(tmp_path: Path) -> None:
    new = P256SigningKey.generate()
    old = tmp_path / "gateway" / "rings" / "repository"

    async def withdraw(stage: Scene) -> None:
        ring = entered(stage.world.ring, new)
        stage.publish(ring)
        copy = {path: path.read_bytes() for path in old.rglob("*.json")}
        stage.publish(ring.withdrawn(new.kid, since=NOW - 60))
        stage.world.refresh_rings()
        for path in old.rglob("*.json"):
            path.unlink()
        for path, content in copy.items():
            path.write_bytes(content)

    async def again(stage: Scene) -> None:
        (text,) = await stage.other(new)
        assert (await stage.redeem(text))[1] == "scope.withdrawn"
        assert await stage.stale() is not None

    scene(tmp_path / "gateway", withdraw)
    scene(tmp_path / "gateway", again, later=1)  # because a status list is newer by a second


def test_the_timestamp_is_signed_again_with_the_keys_that_are_online(tmp_path: Path) -> None:
    clock = Clock()
    key = P256SigningKey.generate()
    publisher = Publisher(tmp_path, entered(KeyRing(), key), clock)
    for role in set(ROLES) - set(ONLINE):
        (tmp_path / "rings" / "keys" / f"{role}.pem").unlink()
    assert not publisher.sign_again()
    clock.now += DAY // 2
    assert Publisher(tmp_path, KeyRing(), clock).sign_again(), "another worker's"
    assert not publisher.sign_again()
    clock.now += DAY - 60
    source = TufRingSource(publisher.repository, publisher.root, state=tmp_path / "seen")
    source.refresh(clock.now)
    assert key.kid in source.ring(clock.now)


def test_the_repository_is_served_to_terminals_elsewhere(tmp_path: Path) -> None:
    async def play(stage: Scene) -> None:
        answer = await stage.client.get("/rings/metadata/timestamp.json")
        assert answer.status_code == 200
        for path in ("/rings/keys/root.pem", "/rings/../keys/root.pem", "/rings/%2e%2e/keys/root.pem"):
            assert (await stage.client.get(path)).status_code == 404

    scene(tmp_path, play)


def test_a_year_passes_and_the_root_is_signed_again_in_time(tmp_path: Path) -> None:
    clock = Clock()
    key = P256SigningKey.generate()
    publisher = Publisher(tmp_path, entered(KeyRing(), key), clock)
    shipped = publisher.root
    source = TufRingSource(publisher.repository, shipped, state=tmp_path / "seen")
    for _ in range(30):
        clock.now += 20 * DAY
        publisher.sign_again()
        source.refresh(clock.now)
        assert key.kid in source.ring(clock.now)
    assert publisher.root != shipped
    Publisher(tmp_path, KeyRing(), clock)  # a restart begins with the root that it keeps


def test_that_a_repository_cannot_be_signed_again_is_said_long_before_its_end(tmp_path: Path) -> None:
    async def play(stage: Scene) -> None:
        timestamp = tmp_path / "rings" / "keys" / "timestamp.pem"
        kept = timestamp.read_bytes()
        timestamp.unlink()
        stage.clock.now += DAY // 2
        stage.world.refresh_rings()
        assert await stage.redeem(await stage.own()) == (200, "accepted")
        assert await stage.stale() is not None
        assert "ybtoken_ring_stale 1\n" in (await stage.client.get("/metrics")).text
        timestamp.write_bytes(kept)
        stage.world.refresh_rings()
        assert await stage.stale() is None

    scene(tmp_path, play)


def test_a_repository_without_the_own_root_says_what_to_do(tmp_path: Path) -> None:
    Publisher(tmp_path, KeyRing(), Clock())
    (tmp_path / "rings" / "keys" / "root.json").unlink()
    with pytest.raises(ValueError, match="put your copy of the root back") as refused:
        Publisher(tmp_path, KeyRing(), Clock())
    assert "请放回自存的根元数据" in words_of(refused.value).zh


def test_drafts_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".rings.old", tmp_path / ".rings.fresh"
    for draft in (old, fresh):
        draft.mkdir()
        (draft / "root.pem").write_text("secret")
    os.utime(old, (1, 1))
    Publisher(tmp_path, KeyRing(), Clock())
    assert (old.exists(), fresh.exists()) == (False, True), "the other may be a worker's that starts now"


@pytest.mark.parametrize(
    "settings",
    [
        {"rings": "https://rings.example"},
        {"rings_root": "root.json"},
        {"rings": "ftp://rings.example", "rings_root": "root.json"},
        {"rings": "https://user:secret@rings.example", "rings_root": "root.json"},
        {"rings": "https://[", "rings_root": "root.json"},
    ],
)
def test_a_repository_that_cannot_be_is_refused_by_name(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="YBTOKEN_GATEWAY_RINGS") as refused:
        Settings(**settings)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_a_root_that_is_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}")
    settings = Settings(
        folder=tmp_path / "gateway", algorithm="es256", rings="/srv", rings_root=f"{tmp_path}/root.json"
    )
    with pytest.raises(ValueError, match="no root metadata"):
        World(settings)


def test_the_ring_is_looked_at_often_enough() -> None:
    assert RINGS_EVERY <= 60
