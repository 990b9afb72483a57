"""Errors as problem details (RFC 9457): what was refused, why, and what to do, in Chinese and English.

| refused because | HTTP status |
|---|---|
| the token is not good (steps 1 to 8) | 422 |
| it was used already | 409 |
| too many wrong one-time codes | 429 |
| it cannot be checked now: nothing is accepted | 503 |
| the issuer does not sign what the request asks for | 400 |
| the request itself is not what the endpoint takes | 400, 404, 405, 413, 421 |
| the gateway has too much to do, or a fault: nothing is accepted | 503, 500 |
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from ybtoken import CannotCheckError, IssueError, TokenError, refusals
from ybtoken.errors import OtpError, RedeemError

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 10
"""So many errors of one request are named."""

REQUESTS: dict[int, tuple[str, refusals.Words, refusals.Words]] = {
    400: (
        "request.invalid",
        refusals.Words("The request is not what this address takes.", "请求内容不符合接口要求。"),
        refusals.Words(
            "Call support: the terminal's software has to be corrected.", "请联系技术支持：需更正终端软件。"
        ),
    ),
    404: (
        "request.address",
        refusals.Words("There is nothing at this address.", "此地址不存在。"),
        refusals.Words("Call support: the terminal's address is wrong.", "请联系技术支持：终端配置的地址有误。"),
    ),
    405: (
        "request.method",
        refusals.Words("This address takes another method.", "此地址不支持该请求方法。"),
        refusals.Words(
            "Call support: the terminal's software has to be corrected.", "请联系技术支持：需更正终端软件。"
        ),
    ),
    413: (
        "request.size",
        refusals.Words("The request is too long.", "请求过长。"),
        refusals.Words("Send fewer codes in one request.", "请减少单次请求中的码数。"),
    ),
    421: (
        "request.host",
        refusals.Words("The gateway is not known by this name.", "网关不使用此主机名。"),
        refusals.Words(
            "Call support: name it in YBTOKEN_GATEWAY_HOSTS.", "请联系技术支持：在 YBTOKEN_GATEWAY_HOSTS 中登记。"
        ),
    ),
    500: (
        "request.fault",
        refusals.Words("The gateway has a fault.", "网关发生故障。"),
        refusals.Words("Accept nothing, and call support.", "请勿受理，并联系技术支持。"),
    ),
    503: (
        "request.unavailable",
        refusals.Words("The gateway cannot do this now.", "网关暂时无法处理。"),
        refusals.Words("Try again later; if it persists, call support.", "请稍后再试；仍不成功请联系技术支持。"),
    ),
}
"""What is wrong with a request itself, by status: code, what happened, what to do."""

OF_CODES: dict[str, tuple[int, refusals.Words, refusals.Words]] = {
    "request.time": (
        400,
        refusals.Words(
            "The time of this acceptance is more than a week ago, or in the future by the gateway's clock.",
            "受理时间早于一周之前，或晚于网关的当前时间。",
        ),
        refusals.Words(
            "Call support: compare the clocks of terminal and gateway. What is older than a week is settled by hand.",
            "请联系技术支持：核对终端与网关的时钟；超过一周的记录须人工结算。",
        ),
    ),
}
"""What else may be wrong with one, by code: status, what happened, what to do."""

_UNREAD = "There was an error parsing the body"  # as FastAPI says it


class RequestError(HTTPException):
    """A request that is refused by a code of `OF_CODES`."""

    def __init__(self, code: str) -> None:
        super().__init__(OF_CODES[code][0])
        self.code = code


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

    model_config = ConfigDict(use_attribute_docstrings=True)

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


def _about(status: int, code: str = "") -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    if code:
        _, what, remedy = OF_CODES[code]
    elif status in REQUESTS:
        code, what, remedy = REQUESTS[status]
    else:
        return {"type": "about:blank", "title": title, "status": status}
    words = {"what": what._asdict(), "remedy": remedy._asdict()}
    return {"type": f"/problems/{code}", "title": title, "status": status, "code": code, **words}


def bare_problem(status: int) -> JSONResponse:
    """What is wrong with a request, without a word of its own."""
    return _answer(_about(status))


def _misused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where and why, but not what was sent: it may be a code, or a secret. An unknown member's name was sent, too.
    errors = [
        {"loc": list(one["loc"][:-1] if one.get("type") == "extra_forbidden" else one["loc"]), "msg": one["msg"]}
        for one in error.errors()[:MOST_ERRORS]
    ]
    return _answer(_about(400) | {"errors": errors})


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error, RequestError):
        problem = _about(error.status_code, error.code)
    elif error.detail == _UNREAD:  # what is said of other bodies that are no JSON
        problem = _about(400) | {"errors": [{"loc": ["body"], "msg": "JSON decode error"}]}
    else:
        problem = _about(error.status_code) | {"detail": str(error.detail)}
    return _answer(problem, dict(error.headers) if error.headers else None)


def install(app: FastAPI) -> None:
    """Answer every error with a problem."""
    app.add_exception_handler(TokenError, _refused)
    app.add_exception_handler(IssueError, _not_issued)
    app.add_exception_handler(RequestValidationError, _misused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, lambda request, error: bare_problem(500))  # the server logs it
