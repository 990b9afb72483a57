"""The policy that asks a status source (step 8)."""

from __future__ import annotations

from collections.abc import Mapping

from ybtoken.errors import CannotCheckError, StatusError
from ybtoken.status.list import Status
from ybtoken.status.source import StatusSource
from ybtoken.voucher import Note, Profile, VerifiedVoucher, Voucher
from ybtoken.words import Words

__all__ = ["StatusPolicy"]


class StatusPolicy:
    """Refuse what is suspended or revoked, and what cannot be checked.

    A voucher (profile 1) without a place in a list is accepted: its issuer knew the status when it signed, seconds ago.

    Args:
        sources: where statuses are asked: one source for all keys, or one for each kid.
        accept_unlisted: accept passes, too, that have no place in a list.
    """

    __slots__ = ("_accept_unlisted", "_sources")

    def __init__(self, sources: StatusSource | Mapping[bytes, StatusSource], *, accept_unlisted: bool = False) -> None:
        self._sources = sources
        self._accept_unlisted = accept_unlisted

    def check(self, voucher: Voucher, now: int) -> Note | None:
        """See `ybtoken.policy.Policy`."""
        index = voucher.status_index
        if index is None:
            if voucher.profile is Profile.VOUCHER or self._accept_unlisted:
                return None
            raise CannotCheckError("status.unavailable", reason="the pass has no place in a status list")
        status, overdue = self._source(voucher).status(index, now)
        if status == Status.SUSPENDED:
            raise StatusError("status.suspended", status_index=index)
        if status != Status.VALID:
            raise StatusError("status.invalid", status_index=index, status=status)
        return None if overdue is None else _overdue(overdue)

    def _source(self, voucher: Voucher) -> StatusSource:
        if not isinstance(self._sources, Mapping):
            return self._sources
        source = self._sources.get(voucher.kid) if isinstance(voucher, VerifiedVoucher) else None
        if source is None:
            raise CannotCheckError("status.unavailable", reason="there is no status list for the issuer's key")
        return source


def _overdue(seconds: int) -> Note:
    return Note(
        "status.grace",
        Words(
            f"The status was read from a list that ended {seconds} s ago: a later suspension is not known here.",
            f"状态取自已过期 {seconds} 秒的状态列表：此后的冻结本机尚不知晓。",
        ),
    )
