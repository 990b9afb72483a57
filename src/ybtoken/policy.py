"""Step 8: what this verifier accepts beyond the format's own rules.

A policy is a small immutable object with one method; a verifier takes any number and all must agree. Policies see a
voucher whose signature, time and scope are good, and read no clock: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from ybtoken.errors import PolicyError, TokenError
from ybtoken.places import Scope
from ybtoken.voucher import Assurance, Voucher, check_purpose

__all__ = ["AnyOf", "Channel", "InsuredPlace", "MaximumAge", "MinimumAssurance", "Policy", "Purpose"]


@runtime_checkable
class Policy(Protocol):
    """One thing a verifier insists on."""

    def check(self, voucher: Voucher, now: int) -> None:
        """Raise a `TokenError` to refuse; ``now`` is in seconds since 1970. Depends on nothing else."""


class InsuredPlace:
    """Accept only holders who are insured in these places (参保地)."""

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def check(self, voucher: Voucher, now: int) -> None:
        """See `Policy`."""
        if not self.scope.covers(voucher.city_code):
            raise PolicyError("policy.place", city_code=voucher.city_code, accepted=str(self.scope))


class Purpose:
    """Accept only codes that were shown for one of these business types (用码业务类型)."""

    __slots__ = ("accept_unstated", "purposes")

    def __init__(self, *purposes: str, accept_unstated: bool = False) -> None:
        self.purposes = frozenset(map(check_purpose, purposes))
        self.accept_unstated = accept_unstated

    def check(self, voucher: Voucher, now: int) -> None:
        """See `Policy`."""
        if voucher.purpose is None and self.accept_unstated:
            return
        if voucher.purpose not in self.purposes:
            raise PolicyError("policy.purpose", found=voucher.purpose or "-", accepted="/".join(sorted(self.purposes)))


class Channel:
    """Accept only codes that were shown through one of these channels."""

    __slots__ = ("accept_unstated", "channels")

    def __init__(self, *channels: int, accept_unstated: bool = False) -> None:
        self.channels = frozenset(channels)
        self.accept_unstated = accept_unstated

    def check(self, voucher: Voucher, now: int) -> None:
        """See `Policy`."""
        if voucher.channel is None and self.accept_unstated:
            return
        if voucher.channel not in self.channels:
            found = "-" if voucher.channel is None else voucher.channel
            raise PolicyError("policy.channel", found=found, accepted="/".join(map(str, sorted(self.channels))))


class MinimumAssurance:
    """Accept only holders who were authenticated at least this strongly."""

    __slots__ = ("level",)

    def __init__(self, level: Assurance | int) -> None:
        self.level = int(level)

    def check(self, voucher: Voucher, now: int) -> None:
        """See `Policy`."""
        if voucher.assurance is None or voucher.assurance < self.level:
            found = "-" if voucher.assurance is None else voucher.assurance
            raise PolicyError("policy.assurance", found=found, accepted=self.level)


class MaximumAge:
    """Accept only codes that were issued at most this many seconds ago, however long they are valid."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def check(self, voucher: Voucher, now: int) -> None:
        """See `Policy`."""
        age = now - voucher.issued_at
        if age > self.seconds:
            raise PolicyError("policy.age", age=age, accepted=self.seconds)


class AnyOf:
    """Accept what at least one of several policies accepts; the last one's refusal is reported."""

    __slots__ = ("policies",)

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        if not self.policies:
            raise ValueError("AnyOf takes at least one policy")

    def check(self, voucher: Voucher, now: int) -> None:
        """See `Policy`."""
        refused: TokenError | None = None
        for policy in self.policies:
            try:
                return policy.check(voucher, now)
            except TokenError as error:
                refused = error
        assert refused is not None  # there is at least one policy
        raise refused
