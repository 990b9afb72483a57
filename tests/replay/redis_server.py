"""A real redis-server on a free port of the loopback, for tests."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

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
        """Whether the process lives until it answers; False if it ended before."""
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
        """Whether this very process answers on the port, and has loaded what it had stored."""
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

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()
