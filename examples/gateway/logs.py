"""Lines of the log: time, level, the request's id, which part, and what. A verdict's line is JSON after that."""

from __future__ import annotations

import logging
import logging.config
from contextvars import ContextVar
from typing import Any

REQUEST: ContextVar[str] = ContextVar("request", default="-")
"""The id of the request that is being answered; the answer states it as ``X-Request-ID``."""


class WithRequest(logging.Filter):
    """Adds the request's id to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = REQUEST.get()
        return True


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(request)s %(name)s %(message)s"}},
    "filters": {"request": {"()": "examples.gateway.logs.WithRequest"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]},
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
"""For `logging.config.dictConfig`, and for uvicorn, which configures each of its workers with it."""
