"""A repository of rings, its keys, and a web server on the loopback that can be made to misbehave."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ybtoken import KeyEntry, KeyRing, Scope
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

START = 1_800_000_000


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Place:
    """A publisher's folder, its private keys, and the ring of one issuer."""

    def __init__(self, folder: Path, clock: Clock, make: Callable[[], Any] = P256SigningKey.generate) -> None:
        from ybtoken.trust.repository import ROLES, RingRepository

        self.folder, self.clock = folder, clock
        self.keys: dict[str, Any] = {role: make() for role in ROLES}
        public = {role: [key.verifying_key] for role, key in self.keys.items()}
        self.repository = RingRepository.create(folder, public, self.keys.values(), clock=clock)
        self.root = self.repository.root
        self.issuer = P256SigningKey.generate()
        self.ring = KeyRing([KeyEntry(self.issuer.verifying_key, "Zhejiang", Scope(("33",)))], version=1)
        self.publish()

    def publish(self, ring: KeyRing | None = None, path: str = "ring.jwks") -> None:
        """Publish a ring, or else the one that stands."""
        self.ring = self.ring if ring is None else ring
        self.repository.publish({path: dump_jwks(self.ring).encode()}, self.keys.values())

    def withdraw(self) -> None:
        self.publish(self.ring.withdrawn(self.issuer.kid, since=self.clock.now - 60))


class Server:
    """Serves a folder; ``answers`` replaces what is answered at some paths, and ``asked`` counts the requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, Callable[[SimpleHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                with contextlib.suppress(OSError):
                    if self.path in outer.answers:
                        outer.answers[self.path](self)
                    else:
                        super().do_GET()

            def translate_path(self, path: str) -> str:
                return str(outer.folder) + path

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=partial(self.server.serve_forever, poll_interval=0.01))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, clock: Clock) -> Place:
    pytest.importorskip("tuf", reason="the extra tuf is not installed")
    return Place(tmp_path / "repository", clock)


@pytest.fixture
def server(place: Place) -> Iterator[Server]:
    serving = Server(place.folder)
    yield serving
    serving.close()
