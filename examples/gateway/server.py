"""Uvicorn with a limit on how long a request may take to arrive.

Uvicorn closes a connection that is idle after an answer, and waits for ever for the rest of a request. Whoever opens
connections and sends half a request on each would use up the gateway's descriptors.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

ARRIVES_WITHIN = 10.0
"""Seconds from a connection's begin, or from the first byte of a request, until all of the request is here."""
MOST_CONNECTIONS = 1024
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

_Protocol: Any = AutoHTTPProtocol  # the one of httptools where it is installed


class Impatient(_Protocol):
    """The protocol of one connection."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        cycle = self.cycle
        if cycle is None or cycle.more_body or (cycle is before and cycle.response_complete):
            self._expect()
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(ARRIVES_WITHIN, self._end)

    def _end(self) -> None:
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_LATE)
            self.transport.close()
