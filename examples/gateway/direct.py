"""Endpoints without the framework's work around them, for what a terminal asks thousands of times a minute.

FastAPI describes such an endpoint as any other. Requests go to it by a plain route: the body is read and checked by
pydantic in one step, and what the endpoint returns is written as it is, because it was made from checked values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

_Body = TypeVar("_Body", bound=BaseModel)
_JSON = (b"content-type", b"application/json")


class Direct:
    """An endpoint as an application: takes a body of one kind, and answers with 200 and JSON, or raises."""

    def __init__(self, kind: type[_Body], endpoint: Callable[[_Body], Awaitable[dict[str, Any]]]) -> None:
        self._read, self._endpoint = kind.__pydantic_validator__.validate_json, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        try:
            # A page from elsewhere can send anything but this type without the browser asking here first.
            if not any(name == b"content-type" and _is_json(value) for name, value in scope["headers"]):
                raise RequestValidationError([{"loc": ("body",), "msg": "the content-type is application/json"}])
            given = self._read(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False, include_context=False)
            raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in errors]) from None
        answer = to_json(await self._endpoint(given))
        headers = [_JSON, (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def direct(
    app: FastAPI, path: str, kind: type[_Body], endpoint: Callable[[_Body], Awaitable[dict[str, Any]]], **about: Any
) -> None:
    """Serve ``POST path`` directly, and describe it.

    Args:
        app: the application.
        path: the path.
        kind: of the body.
        endpoint: is given the body.
        about: as for `FastAPI.post`.
    """
    app.post(path, **about)(endpoint)
    app.router.routes.insert(0, Route(path, Direct(kind, endpoint), methods=["POST"]))


def _is_json(media_type: bytes) -> bool:
    return media_type == _JSON[1] or media_type.partition(b";")[0].strip().lower() == _JSON[1]


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body
