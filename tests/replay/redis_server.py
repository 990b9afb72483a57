"""A real redis-server on a free port of the loopback, for tests."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        for _ in range(5):  # another process may take the port before the server does
            self.port = _free_port()
            if self._started():
                return
        raise OSError("redis-server did not start on any of 5 ports")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start again, on the same port, a server that was killed."""
        if not self._started():
            raise OSError(f"redis-server did not start on port {self.port}")

    def _started(self) -> bool:
        """Wait until the process answers; False if it ends before."""
        assert SERVER is not None
        self.process = subprocess.Popen(
            [SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *self.options],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            if self._answers():
                return True
            time.sleep(0.002)
        self.kill()
        raise TimeoutError("redis-server did not answer within 60 s")

    def _answers(self) -> bool:
        """Whether this process (and no other) answers on the port, and has loaded its stored data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"INFO server\r\nPING\r\nQUIT\r\n")
                said = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return False
        return b"process_id:%d\r\n" % self.process.pid in said and b"+PONG" in said

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if client := self.__dict__.pop("client", None):
            client.close()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()

    @cached_property
    def client(self) -> Any:
        """The tests' own client."""
        import redis

        return redis.Redis.from_url(self.url)

    def pass_time(self, seconds: float) -> None:
        """Let every claim end so many seconds sooner, as if the server's time had passed."""
        if seconds:
            self.client.eval(PASS_TIME, 0, int(seconds * 1000))


PASS_TIME = """
for _, name in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', name)
  if left >= 0 and left <= tonumber(ARGV[1]) then
    redis.call('DEL', name)
  elseif left > 0 then
    redis.call('PEXPIRE', name, left - tonumber(ARGV[1]))
  end
end
"""


class Proxy:
    """A proxy in front of a server, on the loopback, that can lose answers and hold messages."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.lose_answers = 0
        """How many of the next answers are lost: their connections are closed instead."""
        self._stopped: bytes | None = None  # messages with these bytes are held
        self._held = 0
        self._changed = threading.Condition()
        self.lost = 0
        self.one_more = b""
        """An extra answer that is passed on before the next one."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def hold(self, containing: bytes = b"") -> None:
        """Hold every message with these bytes until it is released."""
        self._stopped = containing

    def wait_until_held(self) -> None:
        """Wait until a message is held."""
        with self._changed:
            self._changed.wait_for(lambda: self._held)

    def release(self) -> None:
        """Pass on what is held, and from now on every message; returns when it has been sent."""
        with self._changed:
            self._stopped = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._held)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass_messages, args=(client, server), daemon=True).start()
            threading.Thread(target=self._pass_answers, args=(server, client), daemon=True).start()

    def _pass_messages(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self._stopped is None or self._stopped not in data:
                    server.sendall(data)
                    continue
                with self._changed:
                    self._held += 1
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._stopped is None)
                    with suppress(OSError):
                        server.sendall(data)
                    self._held -= 1
                    self._changed.notify_all()
        _shut(server)

    def _pass_answers(self, server: socket.socket, client: socket.socket) -> None:
        with server, client:
            try:
                while data := server.recv(1 << 16):
                    if self.lose_answers and not data.startswith((b"+OK", b"%")):  # the answers while connecting
                        self.lose_answers -= 1
                        self.lost += 1
                        break
                    more, self.one_more = self.one_more, b""
                    client.sendall(more + data)
            except OSError:
                pass
            _shut(client)

    def close(self) -> None:
        self._listener.close()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
