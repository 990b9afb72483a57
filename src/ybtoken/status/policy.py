"""The policy that asks a status source (step 8)."""

from __future__ import annotations

from collections.abc import Mapping

from ybtoken._checks import instance, octets
from ybtoken.errors import CannotCheckError, StatusError
from ybtoken.status.list import Status
from ybtoken.status.source import StatusSource
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import Note, Profile
from ybtoken.wire.envelope import KID_SIZE
from ybtoken.words import Words

__all__ = ["StatusPolicy"]

_WANTED = "a StatusSource"


class StatusPolicy:
    """Refuse tokens that are suspended or revoked, and tokens whose status cannot be checked.

    A voucher (profile 1) without a place in a list is accepted, because its issuer signed it seconds ago and knew the
    status then.

    Args:
        sources: one source for all keys, or a mapping with a source for each kid.
        accept_unlisted: accept passes without a place in a list, too.

    Raises:
        TypeError: a value that is no source, such as a class.
        ValueError: a kid of a wrong length.
    """

    __slots__ = ("_accept_unlisted", "_sources")

    def __init__(self, sources: StatusSource | Mapping[bytes, StatusSource], *, accept_unlisted: bool = False) -> None:
        if isinstance(sources, Mapping):
            sources = dict(sources)
            for kid, source in sources.items():
                octets("a kid", kid, range(KID_SIZE, KID_SIZE + 1))
                instance(f"the source of {kid.hex()}", source, StatusSource, _WANTED)
        else:
            instance("sources", sources, StatusSource, f"{_WANTED}, or a mapping of kids to sources")
        self._sources: StatusSource | Mapping[bytes, StatusSource] = sources
        self._accept_unlisted = accept_unlisted

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
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

    def _source(self, voucher: VerifiedVoucher) -> StatusSource:
        if not isinstance(self._sources, Mapping):
            return self._sources
        source = self._sources.get(voucher.kid)
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
