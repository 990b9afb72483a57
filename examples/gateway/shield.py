"""What every request has to be, and what every answer carries: plain ASGI, so that it costs next to nothing.

* The ``Host`` is one of the gateway's names.
* The body has a longest length.
* HEAD is GET without the body.
* The answer states the id of its request, which stands in the lines of the log.
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .logs import REQUEST
from .problems import bare_problem

MOST = 16 << 10
"""The longest body that is read, in bytes: one code with all that goes with it, as JSON that escapes each character."""
MOST_OF_BATCH = 8 << 20
"""The longest body of a batch, in bytes: a full one, and some."""
_BATCHES = frozenset({"/redeem-batch", "/verify-batch"})

_PAGE = (Path(__file__).parent / "static" / "terminal.html").read_bytes()
_IMPORTS = re.findall(rb'<script type="importmap">(.*?)</script>', _PAGE)
"""The terminal's import map: the one script that stands in a page itself, so it is allowed by its hash."""
_HASHES = [f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in _IMPORTS]

POLICY = "; ".join(
    [
        "default-src 'none'",
        " ".join(["script-src 'self'", *_HASHES]),
        "style-src 'self'",
        "img-src 'self' data:",  # the codes
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


_WISHED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PAGES = frozenset({"/", "/phone", "/terminal", "/docs", "/worker.js"})  # a worker fetches under its own policy
_PLAIN = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
"""For answers that no browser shows."""


class Shield:
    """The outermost of the application's layers.

    Args:
        app: the layers within.
        hosts: the names by which clients may call the gateway.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app = app
        self._hosts = frozenset(host.lower().encode() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = wished = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"x-request-id":
                wished = value
        request = wished.decode() if _WISHED.fullmatch(wished) else f"{random.getrandbits(64):016x}"
        REQUEST.set(request)
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        headers = [*(HEADERS if scope["path"] in _PAGES else _PLAIN), (b"x-request-id", request.encode())]
        read, most = 0, MOST_OF_BATCH if scope["path"] in _BATCHES else MOST

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, f"at most {most} bytes")
            return message

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        if _name(host) not in self._hosts:
            # Without the name that was asked for: whoever chose it reads nothing of its own here.
            await bare_problem(421)(scope, receive, dressed)
            return
        await self.app(scope, bounded, dressed)


def _name(host: bytes) -> bytes:
    """A ``Host`` without its port."""
    name, colon, port = host.rpartition(b":")
    return (name if colon and (port.isdigit() or not port) else host).lower()
