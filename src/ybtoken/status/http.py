"""A status list over HTTP, by httpx (extra ``status-http``).

Nothing here runs by itself, and no verification waits for a network: the application calls `refresh` on its own
schedule, or when `is_due` says so. If fetching fails, ``problem`` says why, and the present list is used until it is
stale.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR
from threading import Thread
from typing import Any

from ybtoken._checks import callback, instance, uint
from ybtoken.errors import CannotCheckError
from ybtoken.status.list import StatusListReader
from ybtoken.status.source import MemoryStatusSource

try:
    import httpx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "status lists over HTTP need httpx: pip install 'ybtoken[status-http]'", name="httpx"
    ) from error

__all__ = ["HttpStatusSource"]

# A compressed response of a few hundred bytes may grow to gigabytes, and a list is compressed already.
_HEADERS = {"Accept": "application/statuslist+cwt", "Accept-Encoding": "identity"}
_LONGEST_TAG = 256


class HttpStatusSource(MemoryStatusSource):
    """A `MemoryStatusSource` whose list is fetched from the list's own address.

    Args:
        reader: checks the lists; its ``uri`` is the address.
        client: an httpx client with the application's proxies, TLS settings and time-outs.
        grace: for how many seconds past its end a list is still used.
        state: see `MemoryStatusSource`.
        max_bytes: reading stops after this many bytes of a response, and the list is refused.
        deadline: the longest time that a fetch may take in all, in seconds.
        clock: gives the seconds since 1970.

    Raises:
        TypeError, ValueError: an argument of a wrong type or out of range, or the reader's ``uri`` is no HTTP address.
    """

    def __init__(
        self,
        reader: StatusListReader,
        *,
        client: httpx.Client | None = None,
        grace: int = 0,
        state: str | Path | None = None,
        max_bytes: int = 1 << 25,
        deadline: float = 10,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(reader, grace=grace, state=state)
        if client is not None:
            instance("client", client, httpx.Client, "an httpx.Client")
        _check_address(self._reader.uri)
        if isinstance(deadline, bool) or not isinstance(deadline, (int, float)):
            raise TypeError(f"deadline is a number of seconds, not {type(deadline).__name__}")
        if not 0 < deadline <= 3600:  # and no NaN
            raise ValueError(f"deadline is above 0 and at most 3600 seconds, not {deadline}")
        self._client = client or httpx.Client(timeout=min(5, deadline))
        self._max_bytes = uint("max_bytes", max_bytes, minimum=1)
        self._deadline = deadline
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._etag: str | None = None
        self._late: Thread | None = None

    def refresh(self, *, now: int | None = None) -> bool:
        """Fetch the list, within the deadline. A failure raises no error; ``problem`` says what failed.

        Returns:
            Whether a newer list was taken.
        """
        at = int(self._clock() if now is None else now)
        try:
            fetched = self._fetch()
            if fetched is None:  # it has not changed
                self.problem = None
                return False
            data, etag = fetched
            taken = self.load(data, at)
            self._etag = etag
        except CannotCheckError as error:
            self.problem = error
            return False
        return taken

    def _fetch(self) -> tuple[bytes, str | None] | None:
        """The list and its ETag, or None if it has not changed.

        The client's time-outs are for single reads, and a server that sends one byte at a time never exceeds them. So
        the fetch runs in its own thread, and the connection is cut at the deadline. A look-up of the address cannot be
        cut, so no fetch begins while the last one hangs; otherwise each would leave a thread behind.
        """
        end = time.monotonic() + self._deadline
        if self._late is not None:
            self._late.join(self._deadline)
            if self._late.is_alive():
                raise _failed("the last attempt still hangs, perhaps in the look-up of the address")
            self._late = None
        fetch = _Fetch(self._client, self._reader.uri, self._etag, self._max_bytes)
        thread = Thread(target=fetch.run, name="ybtoken status list", daemon=True)
        thread.start()
        thread.join(max(0, end - time.monotonic()))
        if thread.is_alive():
            self._late = thread
            fetch.cut()
            raise _failed(f"the list was not there within {self._deadline} s")
        if fetch.problem is not None:
            raise fetch.problem
        return fetch.found


class _Fetch:
    """One request. This class turns every failure into a `CannotCheckError`."""

    def __init__(self, client: httpx.Client, uri: str, etag: str | None, max_bytes: int) -> None:
        self._client, self._uri, self._etag, self._max_bytes = client, uri, etag, max_bytes
        self._connection: Any = None
        self._is_cut = False
        self.found: tuple[bytes, str | None] | None = None
        self.problem: CannotCheckError | None = None

    def run(self) -> None:
        try:
            self._request()
        except CannotCheckError as error:
            self.problem = error
        except httpx.TimeoutException:
            self.problem = _failed("the server did not answer in time")
        except httpx.TransportError:
            self.problem = _failed("the connection to the server failed")
        except Exception as error:
            self.problem = _failed("the list cannot be fetched")
            self.problem.__cause__ = error

    def cut(self) -> None:
        """Shut the connection, so that the thread that reads from it ends."""
        self._is_cut = True
        socket = self._connection and self._connection.get_extra_info("socket")
        if socket:
            with suppress(OSError):
                socket.shutdown(SHUT_RDWR)

    def _request(self) -> None:
        # The request uses a new connection, because httpx does not tell which socket a reused one has.
        headers = _HEADERS | {"Connection": "close"} | ({"If-None-Match": self._etag} if self._etag else {})
        with self._client.stream("GET", self._uri, headers=headers, extensions={"trace": self._trace}) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return
            if response.status_code != httpx.codes.OK:
                raise _failed(f"the server answered {response.status_code}")
            if (coding := response.headers.get("Content-Encoding", "identity")).lower() != "identity":
                raise _failed(f"the server compressed the list ({coding!r:.40}), which was not asked for")
            data = bytearray()
            for chunk in [response.content] if response.is_stream_consumed else response.iter_raw():
                data += chunk
                if len(data) > self._max_bytes:
                    raise _failed(f"the list has more than {self._max_bytes} bytes")
            etag = response.headers.get("ETag", "")
            is_usable = etag.isascii() and etag.isprintable() and 0 < len(etag) <= _LONGEST_TAG
            self.found = bytes(data), etag if is_usable else None

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete", ".connect_unix_socket.complete")):
            self._connection = info["return_value"]
            if self._is_cut:
                self.cut()


def _failed(reason: str) -> CannotCheckError:
    return CannotCheckError("status.unavailable", reason=reason)


def _check_address(uri: str) -> None:
    try:
        url = httpx.URL(uri)
    except Exception as error:  # httpx.InvalidURL, or an error of its codecs
        raise ValueError(f"the uri of the list is no address: {uri!r:.200}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"the uri of the list begins with https:// or http:// and has a host, not {uri!r:.200}")
