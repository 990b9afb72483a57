"""Step 8: what this verifier accepts beyond the format's own rules.

A policy is a small immutable object with one method; a verifier takes any number and all must agree. Policies see a
voucher whose signature, time and scope are good, and read no clock: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ybtoken.errors import PolicyError, TokenError
from ybtoken.places import Scope
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import Assurance, Note, Profile, check_purpose

if TYPE_CHECKING:
    from ybtoken.identity import IdentitySealer

__all__ = [
    "AcceptedProfiles",
    "AnyOf",
    "Channel",
    "FamilyAccount",
    "HolderOnly",
    "InsuredPlace",
    "MaximumAge",
    "MinimumAssurance",
    "Policy",
    "Purpose",
]


@runtime_checkable
class Policy(Protocol):
    """One thing a verifier insists on."""

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
        """Raise a `TokenError` to refuse; return a note if whoever accepts should know something.

        ``now`` is in seconds since 1970.
        """


class InsuredPlace:
    """Accept only holders who are insured in these places (参保地)."""

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if not self.scope.covers(voucher.city_code):
            raise PolicyError("policy.place", city_code=voucher.city_code, accepted=str(self.scope))


class Purpose:
    """Accept only codes that were shown for one of these business types (用码业务类型)."""

    __slots__ = ("accept_unstated", "purposes")

    def __init__(self, *purposes: str, accept_unstated: bool = False) -> None:
        self.purposes = frozenset(map(check_purpose, purposes))
        self.accept_unstated = accept_unstated

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
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

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.channel is None and self.accept_unstated:
            return
        if voucher.channel not in self.channels:
            found = "-" if voucher.channel is None else voucher.channel
            raise PolicyError("policy.channel", found=found, accepted="/".join(map(str, sorted(self.channels))))


class AcceptedProfiles:
    """Accept only these kinds of codes: where the risk asks for it, only device-bound passes."""

    __slots__ = ("profiles",)

    def __init__(self, *profiles: Profile) -> None:
        self.profiles = frozenset(map(Profile, profiles))

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.profile not in self.profiles:
            accepted = "/".join(profile.name for profile in sorted(self.profiles))
            raise PolicyError("policy.profile", found=voucher.profile.name, accepted=accepted)


class HolderOnly:
    """Accept only codes that their holder shows: none of a family account (亲情账户)."""

    __slots__ = ()

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.presenter is not None:
            raise PolicyError("policy.presenter")


class FamilyAccount:
    """Accept what the holder shows, and of others what their family account (亲情账户) covers.

    Args:
        sealer: opens the references of holder and presenter.
        members: whose codes a presenter may show: the presenter's person number in, the holders' out.
    """

    __slots__ = ("members", "sealer")

    def __init__(self, sealer: IdentitySealer, members: Callable[[int], Container[int]]) -> None:
        self.sealer = sealer
        self.members = members

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.presenter is None:
            return
        holder = self.sealer.open(voucher.identity_ref, at=voucher.issued_at)
        presenter = self.sealer.open(voucher.presenter, at=voucher.issued_at)
        if holder not in self.members(presenter):
            raise PolicyError("policy.presenter")


class MinimumAssurance:
    """Accept only holders who were authenticated at least this strongly."""

    __slots__ = ("level",)

    def __init__(self, level: Assurance | int) -> None:
        self.level = int(level)

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.assurance is None or voucher.assurance < self.level:
            found = "-" if voucher.assurance is None else voucher.assurance
            raise PolicyError("policy.assurance", found=found, accepted=self.level)


class MaximumAge:
    """Accept only codes that were issued at most this many seconds ago, however long they are valid."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
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

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
        """See `Policy`."""
        refused: TokenError | None = None
        for policy in self.policies:
            try:
                return policy.check(voucher, now)
            except TokenError as error:
                refused = error
        assert refused is not None  # there is at least one policy
        raise refused
