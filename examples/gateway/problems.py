"""Errors as problem details (RFC 9457): what was refused, why, and what to do, in Chinese and English.

| refused because | HTTP status |
|---|---|
| the token is not good (steps 1 to 8) | 422 |
| it was used already | 409 |
| too many wrong one-time codes | 429 |
| it cannot be checked now: nothing is accepted | 503 |
| the issuer does not sign what the request asks for | 400 |
| the request itself is not what the endpoint takes | 400, 413 |
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ybtoken import CannotCheckError, IssueError, TokenError, refusals
from ybtoken.errors import OtpError, RedeemError

MEDIA_TYPE = "application/problem+json"


class Words(BaseModel):
    """The same sentence in English and Chinese."""

    en: str
    zh: str

    @classmethod
    def of(cls, words: refusals.Words) -> Words:
        """The library's words as a member of a body."""
        return cls(en=words.en, zh=words.zh)


class Problem(BaseModel):
    """Problem details of RFC 9457, with members of ours."""

    type: str
    title: str
    status: int
    detail: str | None = None
    code: str | None = None
    """The stable code of the refusal."""
    step: int | None = None
    """The verification step at which the token was refused, 1 to 9."""
    what: Words | None = None
    """What happened."""
    remedy: Words | None = None
    """What the person at the counter does."""
    hint: Words | None = None
    """What the developer looks at."""
    facts: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    """Where the request itself is wrong."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the errors of an endpoint."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in (400, 413, *statuses)
    }


REFUSED = (409, 422, 429, 503)


def status_of(error: TokenError) -> int:
    """The HTTP status of a refusal."""
    match error:
        case CannotCheckError():
            return 503
        case RedeemError():
            return 409
        case OtpError(code="otp.throttled"):
            return 429
    return 422


def problem_of(error: TokenError) -> dict[str, Any]:
    """A refusal as the members of a problem."""
    return {
        "type": f"/problems/{error.code}",
        "title": error.what.en,
        "status": status_of(error),
        "detail": str(error),
        **error.to_dict(),
    }


def _answer(problem: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem, problem["status"], headers, MEDIA_TYPE)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TokenError)
    wait = {"Retry-After": str(error.facts.get("retry_after", 1))} if isinstance(error, CannotCheckError) else None
    return _answer(problem_of(error), wait)


def _not_issued(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IssueError)
    about = {"type": f"/problems/{error.code}", "title": error.what.en, "status": 400, "detail": str(error)}
    return _answer(about | error.to_dict())


def _misused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where and why, but not what was sent: it may be a code, or a secret.
    errors = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in error.errors()]
    return _answer({"type": "about:blank", "title": "Bad Request", "status": 400, "errors": errors})


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    problem = {"type": "about:blank", "title": title, "status": error.status_code, "detail": str(error.detail)}
    return _answer(problem, dict(error.headers) if error.headers else None)


def install(app: FastAPI) -> None:
    """Answer every error with a problem."""
    app.add_exception_handler(TokenError, _refused)
    app.add_exception_handler(IssueError, _not_issued)
    app.add_exception_handler(RequestValidationError, _misused)
    app.add_exception_handler(HTTPException, _http)
