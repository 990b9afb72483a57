"""The policy that notes in each verdict that the ring is overdue (step 8)."""

from __future__ import annotations

from ybtoken._checks import instance
from ybtoken.trust.source import RingSource
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import Note
from ybtoken.words import Words

__all__ = ["RingPolicy"]


class RingPolicy:
    """Refuse tokens if the source's ring has ended; within its grace, note for how long it has been overdue.

    Args:
        source: where the verifier's ring came from.
    """

    __slots__ = ("_source",)

    def __init__(self, source: RingSource) -> None:
        self._source = instance("source", source, RingSource, "a RingSource")

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
        """See `ybtoken.policy.Policy`."""
        self._source.ring(now)
        overdue = self._source.overdue(now)
        return None if overdue is None else _overdue(overdue)


def _overdue(seconds: int) -> Note:
    return Note(
        "key.ring_grace",
        Words(
            f"The key ring ended {seconds} s ago: a key that was withdrawn since then is not known here.",
            f"密钥环已过期 {seconds} 秒：此后停用的密钥本机尚不知晓。",
        ),
    )
