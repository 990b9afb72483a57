"""Verdicts as lines of a log."""

from __future__ import annotations

import json
import logging

from ybtoken.observers.event import VerdictEvent

__all__ = ["LogObserver"]


class LogObserver:
    """Writes each event as one line of JSON to a logger: accepted at INFO, refused at WARNING.

    Args:
        logger: where the lines go; the logger ``ybtoken.verdicts`` if none is given.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("ybtoken.verdicts")

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        level = logging.INFO if event.error is None else logging.WARNING
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", json.dumps(event.to_dict(), ensure_ascii=False))
