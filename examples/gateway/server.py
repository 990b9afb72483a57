"""Uvicorn with limits on how long a request may take to arrive and an answer to be read, and on connections.

Uvicorn closes a connection that is idle after an answer, and waits for ever for the rest of a request, and for a client
that reads no answer. Whoever opens connections and sends half a request on each, or reads nothing, would use up the
gateway's descriptors. Its ``limit_concurrency`` keeps
connections open as well, and its answer is plain text: a terminal would take that for the answer of a proxy whose
gateway is away, and accept codes by itself.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .problems import bare_problem

ARRIVES_WITHIN = 10.0
"""Seconds from a connection's begin, or from the first byte of a request, until all of the request is here."""
READS_WITHIN = 10.0
"""Seconds in which a client has to read `READS_AT_LEAST` of an answer that waits for it, or all of it."""
READS_AT_LEAST = 1 << 14
"""Bytes."""
MOST_SERVED = 960
"""So many connections of a worker are served; a request on one more is answered with 503."""
MOST_CONNECTIONS = 1024
"""One more than so many is closed at once."""
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

_Protocol: Any = AutoHTTPProtocol  # the one of httptools where it is installed


async def _overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    problem = bare_problem(503)
    problem.headers.update({"retry-after": "1", "connection": "close"})  # the next connection may be served
    await problem(scope, receive, send)


class Impatient(_Protocol):
    """The protocol of one connection."""

    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so writing is paused as long as anything waits for the client
        if len(self.connections) > MOST_CONNECTIONS:
            transport.close()
            return
        if len(self.connections) > MOST_SERVED:
            self.app = _overloaded
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

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Give the connection up, also one that is closing, unless its client reads on."""
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > waiting - READS_AT_LEAST:
                self.transport.abort()
            else:
                self._watch()

        self._unread = self.loop.call_later(READS_WITHIN, look)

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(ARRIVES_WITHIN, self._end)

    def _end(self) -> None:
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_LATE)
            self.transport.close()
