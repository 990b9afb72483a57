"""Step 8: what this verifier accepts beyond the format's own rules.

A policy is a small immutable object with one method. A verifier takes any number of policies, and all of them must
accept. A policy sees a voucher whose signature, time and scope are good. It reads no clock; the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ybtoken._checks import callback, duration, instance, uint
from ybtoken.errors import CannotCheckError, PolicyError, TokenError
from ybtoken.places import Scope
from ybtoken.verified import VerifiedVoucher
from ybtoken.vocabulary import PURPOSES, check_known_purpose
from ybtoken.voucher import MAX_CHANNEL, MAX_UINT8, Assurance, Note, Profile
from ybtoken.words import Reason

if TYPE_CHECKING:
    from ybtoken.identity import IdentitySealer

__all__ = [
    "AcceptedProfiles",
    "AllOf",
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

_NO_SEALING_KEY = Reason("no sealing key was in force when the code was issued", "签发此码时没有可用的身份加密密钥")


@runtime_checkable
class Policy(Protocol):
    """One thing a verifier insists on."""

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
        """Raise a `TokenError` to refuse. Return a note if the caller should know under which condition it accepted.

        ``now`` is in seconds since 1970.
        """


class InsuredPlace:
    """Accept only holders who are insured in these places (参保地)."""

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        self.scope = instance("scope", scope, Scope, "a Scope")

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if not self.scope.covers(voucher.city_code):
            raise PolicyError("policy.place", city_code=voucher.city_code, accepted=str(self.scope))


class Purpose:
    """Accept only codes that were shown for one of these business types (用码业务类型).

    Args:
        purposes: five digits each; at least one, unless codes that state none are accepted.
        accept_unstated: also accept codes that state no business type.
        known: the constructor refuses a type that is not one of these, because it is probably a slip; ``None`` allows
            any five digits.
    """

    __slots__ = ("accept_unstated", "purposes")

    def __init__(self, *purposes: str, accept_unstated: bool = False, known: Container[str] | None = PURPOSES) -> None:
        self.purposes = frozenset(check_known_purpose(purpose, known) for purpose in purposes)
        _check_some("business type", self.purposes, accept_unstated)
        self.accept_unstated = accept_unstated

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.purpose is None and self.accept_unstated:
            return
        if voucher.purpose not in self.purposes:
            raise PolicyError("policy.purpose", found=voucher.purpose or "-", accepted="/".join(sorted(self.purposes)))


class Channel:
    """Accept only codes that were shown through one of these channels.

    Args:
        channels: 0 to 65535 each; at least one, unless codes that state none are accepted.
        accept_unstated: also accept codes that state no channel.
    """

    __slots__ = ("accept_unstated", "channels")

    def __init__(self, *channels: int, accept_unstated: bool = False) -> None:
        self.channels = frozenset(uint("a channel", channel, MAX_CHANNEL) for channel in channels)
        _check_some("channel", self.channels, accept_unstated)
        self.accept_unstated = accept_unstated

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.channel is None and self.accept_unstated:
            return
        if voucher.channel not in self.channels:
            found = "-" if voucher.channel is None else voucher.channel
            raise PolicyError("policy.channel", found=found, accepted="/".join(map(str, sorted(self.channels))))


class AcceptedProfiles:
    """Accept only these profiles: only device-bound passes, for instance, where the risk of relayed codes is high."""

    __slots__ = ("profiles",)

    def __init__(self, *profiles: Profile) -> None:
        self.profiles = frozenset(map(Profile, profiles))
        _check_some("profile", self.profiles)

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.profile not in self.profiles:
            accepted = "/".join(profile.name for profile in sorted(self.profiles))
            raise PolicyError("policy.profile", found=voucher.profile.name, accepted=accepted)


class HolderOnly:
    """Accept only codes that their holder shows, and none that a family member shows (亲情账户)."""

    __slots__ = ()

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.presenter is not None:
            raise PolicyError("policy.presenter")


class FamilyAccount:
    """Accept codes that their holder shows, or that a presenter shows whose family account (亲情账户) has the holder.

    Where the sealer has no key of the time at which the code was issued, the code is refused with `policy.unavailable`.

    Args:
        sealer: opens the references of holder and presenter.
        members: takes the presenter's person number and returns those of the holders whose codes they may show. If it
            cannot tell, it raises ``CannotCheckError("policy.unavailable", reason=...)``.
    """

    __slots__ = ("members", "sealer")

    def __init__(self, sealer: IdentitySealer, members: Callable[[int], Container[int]]) -> None:
        if not callable(getattr(sealer, "open", None)):
            raise TypeError(f"sealer is an IdentitySealer, not {type(sealer).__name__}")
        self.sealer = sealer
        self.members = callback("members", members, "the person numbers of the holders")

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.presenter is None:
            return
        try:
            holder = self.sealer.open(voucher.identity_ref, at=voucher.issued_at)
            presenter = self.sealer.open(voucher.presenter, at=voucher.issued_at)
        except ValueError:
            raise CannotCheckError("policy.unavailable", reason=_NO_SEALING_KEY) from None
        if holder not in self.members(presenter):
            raise PolicyError("policy.presenter")


class MinimumAssurance:
    """Accept only codes whose holder was authenticated at least this strongly (see `Assurance`; 0 to 255)."""

    __slots__ = ("level",)

    def __init__(self, level: Assurance | int) -> None:
        self.level = int(uint("level", level, MAX_UINT8))

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        if voucher.assurance is None or voucher.assurance < self.level:
            found = "-" if voucher.assurance is None else voucher.assurance
            raise PolicyError("policy.assurance", found=found, accepted=self.level)


class MaximumAge:
    """Accept only codes that were issued at most this many seconds ago, however long they are valid."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: int) -> None:
        self.seconds = duration("seconds", seconds)

    def check(self, voucher: VerifiedVoucher, now: int) -> None:
        """See `Policy`."""
        age = now - voucher.issued_at
        if age > self.seconds:
            raise PolicyError("policy.age", age=age, accepted=self.seconds)


class AllOf:
    """Accept only what every one of several policies accepts; the first refusal is reported.

    A verifier's own policies are combined in this way. This one is for an alternative in `AnyOf`: "a device-bound pass,
    or a voucher whose holder was authenticated by face".
    """

    __slots__ = ("policies",)

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = _policies("AllOf", policies)

    def check(self, voucher: VerifiedVoucher, now: int) -> Note | None:
        """See `Policy`. Returns the first note of any of the policies; further notes are dropped."""
        notes = [policy.check(voucher, now) for policy in self.policies]
        return next((note for note in notes if note is not None), None)


class AnyOf:
    """Accept what at least one of several policies accepts; the last one's refusal is reported."""

    __slots__ = ("policies",)

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = _policies("AnyOf", policies)

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


def _check_some(what: str, accepted: frozenset[object], accept_unstated: bool = False) -> None:
    """Refuse the values of a policy that would refuse every voucher, because that is probably a slip."""
    if not accepted and not accept_unstated:
        raise ValueError(f"this policy takes at least one {what}")


def _policies(name: str, policies: Iterable[Policy]) -> tuple[Policy, ...]:
    if not isinstance(policies, Iterable):
        raise TypeError(f"{name} takes several policies in a list, not {type(policies).__name__}")
    checked = tuple(instance("a policy", policy, Policy, "an object with check(voucher, now)") for policy in policies)
    if not checked:
        raise ValueError(f"{name} takes at least one policy")
    return checked
