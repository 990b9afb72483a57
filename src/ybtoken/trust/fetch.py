"""Fetches the files of a TUF repository, over HTTP with one deadline, or from a folder.

TUF bounds the sizes; this module bounds the time. A server that sends a byte now and then would never exceed a time-out
for each read, so all fetches of a refresh together have one deadline.
"""

# The faces of tuf and securesystemslib name everything by plain imports.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import unquote

import urllib3
from tuf.api.exceptions import DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

__all__ = ["FolderFetcher", "HttpFetcher"]

_CHUNK = 1 << 16


class HttpFetcher(FetcherInterface):
    """Fetches over HTTP. It serves one refresh, as a context manager that closes all its connections.

    Args:
        seconds: for how long all fetches together may take.
        proxy: the address of a proxy; none by default.
    """

    def __init__(self, seconds: float, proxy: str | None = None) -> None:
        self._seconds = seconds
        self._sockets: list[socket.socket] = []
        self._is_over = False
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True
        self._ends_at = time.monotonic() + seconds
        self._pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
        self._pool.pool_classes_by_scheme = {
            "http": _pool_noting_sockets(urllib3.HTTPConnectionPool, self._sockets),
            "https": _pool_noting_sockets(urllib3.HTTPSConnectionPool, self._sockets),
        }

    def __enter__(self) -> HttpFetcher:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._pool.clear()

    def _end(self) -> None:
        self._is_over = True
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # a read that waits returns at once

    def _fetch(self, url: str) -> Iterator[bytes]:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise SlowRetrievalError
        try:
            response = self._pool.request(
                "GET",
                url,
                headers={"Accept-Encoding": "identity"},
                preload_content=False,
                retries=urllib3.Retry(total=0, redirect=0, raise_on_redirect=False),
                timeout=urllib3.Timeout(total=left),
            )
        except urllib3.exceptions.HTTPError as error:
            if self._is_over or _is_late(getattr(error, "reason", error)):
                raise SlowRetrievalError from error
            raise
        if response.status != 200:
            response.close()
            raise DownloadHTTPError(f"the server answered {response.status}", response.status)
        return self._chunks(response)

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            yield from response.stream(_CHUNK, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            if self._is_over or _is_late(error):
                raise SlowRetrievalError from error
            raise
        finally:
            response.close()
        if self._is_over:
            raise SlowRetrievalError


def _is_late(error: object) -> bool:
    late = isinstance(error, urllib3.exceptions.TimeoutError)
    return late and not isinstance(error, urllib3.exceptions.NewConnectionError)  # which is one by its base class


def _pool_noting_sockets(pool: Any, sockets: list[socket.socket]) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # the base is a class of urllib3, of HTTP or HTTPS
        def connect(self) -> None:
            super().connect()
            sockets.append(self.sock)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


class FolderFetcher(FetcherInterface):
    """Reads the files of a folder, for terminals to which people bring the files.

    Args:
        folder: the start of each address.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __enter__(self) -> FolderFetcher:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = (self._folder / unquote(url)).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise DownloadHTTPError("there is no such file", 404)
        return self._chunks(path)

    def _chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
