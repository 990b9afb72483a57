"""A status list over HTTP, by httpx (extra ``status-http``).

Nothing here runs by itself, and no verification waits for a network: the application calls `refresh` on a schedule of
its own, or when `is_due` says so. If fetching fails, ``problem`` says why, and the list that is held stays until its
end.
"""

from __future__ import annotations

import time
from collections.abc import Callable

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

_HEADERS = {"Accept": "application/statuslist+cwt"}


class HttpStatusSource(MemoryStatusSource):
    """A list that is fetched from its own address; otherwise a `MemoryStatusSource`.

    Args:
        reader: checks the lists; its ``uri`` is the address.
        client: a client with the application's time-outs, proxies and TLS settings; by default one that waits for 5 s.
        grace: for how many seconds past its end a list is still used.
        max_bytes: reading stops after this many bytes of a response, and the list is refused.
        clock: gives the seconds since 1970.
    """

    def __init__(
        self,
        reader: StatusListReader,
        *,
        client: httpx.Client | None = None,
        grace: int = 0,
        max_bytes: int = 1 << 25,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(reader, grace=grace)
        if client is not None:
            instance("client", client, httpx.Client, "an httpx.Client")
        self._client = client or httpx.Client(timeout=5)
        self._max_bytes = uint("max_bytes", max_bytes, minimum=1)
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._etag: str | None = None

    def refresh(self, *, now: int | None = None) -> bool:
        """Fetch the list. A failure raises nothing: ``problem`` says what it was.

        Returns:
            Whether a newer list was taken.
        """
        at = int(self._clock() if now is None else now)
        try:
            headers = _HEADERS | ({"If-None-Match": self._etag} if self._etag else {})
            with self._client.stream("GET", self._reader.uri, headers=headers) as response:
                if response.status_code == httpx.codes.NOT_MODIFIED:
                    self.problem = None
                    return False
                if response.status_code != httpx.codes.OK:
                    return self._failed(f"the server answered {response.status_code}")
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > self._max_bytes:
                        return self._failed(f"the list has more than {self._max_bytes} bytes")
            taken = self.load(bytes(data), at)
            self._etag = response.headers.get("ETag")
        except httpx.HTTPError as error:
            return self._failed(f"the list cannot be fetched: {type(error).__name__}")
        except CannotCheckError:
            return False  # load has noted it
        return taken

    def _failed(self, reason: str) -> bool:
        self.problem = CannotCheckError("status.unavailable", reason=reason)
        return False
