"""What every answer carries, and how much a request may bring: plain ASGI, so that it costs next to nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 8 << 20
"""The longest body that is read, in bytes: a full batch, and some."""

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


class Shield:
    """Adds the headers, and refuses bodies that are too long."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST:
                raise HTTPException(413, f"at most {MOST} bytes")
            return message

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, bounded, dressed)
