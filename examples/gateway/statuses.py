"""What the verifying side knows of statuses, for a gateway that publishes and verifies by one clock.

If that clock was ahead, the list that it published then would be used until its end, and no newer one would replace it:
whoever is frozen meanwhile would be accepted. So a list from the future is dropped, and until there is another one the
status of a pass cannot be checked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ybtoken import CannotCheckError, VerifiedVoucher
from ybtoken.status.list import Status, StatusListReader
from ybtoken.status.source import MemoryStatusSource, StatusAnswer
from ybtoken.voucher import Note
from ybtoken.words import Words

_log = logging.getLogger(__name__)
_NONE = Words(
    "There is no good status list, perhaps because a clock was or is wrong: the status of passes cannot be checked. "
    "Tell the operator.",
    "没有可用的状态列表，可能是时钟曾经或现在有误：暂时无法核验凭证状态。请告知运维人员。",
)
_FROZEN = Note(
    "status.since",
    Words(
        "The pass is frozen or revoked now. It may have been so when the terminal accepted it: compare the times "
        "before settling.",
        "该凭证目前已冻结或撤销，受理时可能已是如此：结算前请核对时间。",
    ),
)


class Statuses:
    """A `ybtoken.status.source.StatusSource` that notices when the clock was set back.

    Args:
        reader: checks the lists.
        skew: by how many seconds clocks may differ.
    """

    def __init__(self, reader: StatusListReader, skew: int) -> None:
        self._reader, self._skew = reader, skew
        self._source = MemoryStatusSource(reader)

    @property
    def problem(self) -> Words | None:
        """What a person at the counter has to know; ``None`` while there is a list."""
        return None if self._source.current is not None else _NONE

    def load(self, data: bytes, now: int) -> None:
        """Use a list from now on if it is newer; one that is not good is logged."""
        held = self._source.current
        if held is not None and held.issued_at > now + self._skew:
            self._source = MemoryStatusSource(self._reader)
        try:
            self._source.load(data, now)
        except CannotCheckError as error:
            _log.error("%s (%s)", " / ".join(_NONE if self.problem is not None else error.what), error.reason)

    def status(self, index: int, now: int) -> StatusAnswer:
        """See `ybtoken.status.source.StatusSource`."""
        return self._source.status(index, now)


class PresentStatus:
    """A policy for what is handed in: it notes that a pass is frozen or revoked now, and refuses nothing.

    The terminal looked the pass up when it accepted it, and no list tells since when a status holds. So a pass that was
    frozen afterwards would be refused although it was good, and after the pass's end its place may be another's.

    Args:
        statuses: the present list.
        clock: returns seconds since 1970. The time of the verdict is that of the acceptance.
    """

    def __init__(self, statuses: Statuses, clock: Callable[[], float]) -> None:
        self._statuses, self._clock = statuses, clock

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
        """See `ybtoken.policy.Policy`."""
        at = int(self._clock())
        if voucher.status_index is None or at >= voucher.expires_at:
            return None
        try:
            status, _ = self._statuses.status(voucher.status_index, at)
        except CannotCheckError:  # the readiness check says so
            return None
        return None if status == Status.VALID else _FROZEN
