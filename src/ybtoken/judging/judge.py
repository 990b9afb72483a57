"""Steps 6 to 8 for one token whose signatures are good, and what redeeming it claims: time, issuer scope, policy.

The clock is an argument; what is here does no I/O and is pure but for one thing: wrong one-time codes of a rotating
pass are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ybtoken.engines.columns import Opened
from ybtoken.engines.validity import judge
from ybtoken.errors import CannotCheckError, ChallengeError, TimeError, TokenError, error_for
from ybtoken.policy import Policy
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.voucher import DevicePresentation, Profile, VerifiedVoucher, Voucher

if TYPE_CHECKING:
    from ybtoken.passes.challenge import Challenge
    from ybtoken.passes.rotating import RotatingCodes

__all__ = ["Asked", "Judge"]

Asked: TypeAlias = 'Challenge | Literal["any"] | None'
"""What a terminal asked a phone to answer."""

_STEP_7 = 7 * 16  # refusals of step 7 have numbers from here on


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The rules by which a verifier judges; safe to share between threads. The arguments are those of `Verifier`."""

    policies: tuple[Policy, ...]
    skew: int
    max_lifetime: int
    max_pass_lifetime: int
    max_display_age: int
    otp: RotatingCodes | None

    def __post_init__(self) -> None:
        if self.skew < 0 or min(self.max_lifetime, self.max_pass_lifetime, self.max_display_age) < 1:
            raise ValueError("skew is at least 0 seconds, the lifetimes and the age are at least 1")

    def voucher(self, opened: Opened, now: int, challenge: Asked) -> VerifiedVoucher:
        """The verified voucher.

        Args:
            opened: the token.
            now: seconds since 1970.
            challenge: as for `Verifier.verify`.

        Raises:
            TokenError: it is refused.
        """
        # 6. time, 7. issuer scope
        entry, claims, shown = opened
        (
            expires_at, issued_at, nonce, profile, identity_ref, city,
            channel, purpose, presenter, assurance, status_index, device_key,
        ) = claims  # fmt: skip
        skew, step, until = self.skew, None, expires_at + self.skew
        most = self.max_lifetime if shown is None else self.max_pass_lifetime
        number = judge(issued_at, expires_at, city, entry, now, skew, most)
        if shown is not None and not 0 < number < _STEP_7:  # of a pass, the time of its display, too
            if isinstance(shown, str):
                step, until = self._check_otp(opened, shown, now)
            else:
                until = self._check_display(shown.issued_at, now, until)
        if number != ACCEPTED:
            raise _refused(number, opened, now, skew)
        # 8. policy; the terminal's own challenge first
        if (challenge is not None or shown is not None) and challenge != "any":
            _check_challenge(challenge, shown)
        # The one thing that only a verifier makes, past its constructor, which refuses everybody. Plain assignments and
        # a change of class take a fifth of the time of so many calls of object.__setattr__.
        key = entry.key
        draft: Any = object.__new__(_Draft)
        draft.identity_ref = identity_ref
        draft.city_code = _city_code(city)
        draft.issued_at = issued_at
        draft.expires_at = expires_at
        draft.nonce = nonce
        draft.profile = _PROFILES[profile]
        draft.channel = channel
        draft.purpose = None if purpose is None else f"{purpose:05d}"
        draft.presenter = presenter
        draft.assurance = assurance
        draft.status_index = status_index
        draft.device_key = device_key
        draft.kid = key.kid
        draft.algorithm = key.algorithm
        draft.issuer = entry.issuer
        draft.verified_at = now
        draft.redeem_until = until
        draft.time_step = step
        draft.presentation = shown if isinstance(shown, DevicePresentation) else None
        draft.notes = ()
        draft.__class__ = VerifiedVoucher
        voucher: VerifiedVoucher = draft
        if self.policies:
            notes = [note for policy in self.policies if (note := policy.check(voucher, now)) is not None]
            object.__setattr__(voucher, "notes", tuple(notes))
        return voucher

    def claims(self, voucher: VerifiedVoucher) -> list[tuple[bytes, int]]:
        """What redeeming a voucher claims, and until when: first its replay key, and that decides.

        Of a rotating pass, the steps before that some verifier's clock might still accept follow, each as if it had
        been used: so the steps that are accepted of a pass only go up, with any guard, and by nothing but its claims.
        """
        claims = [(voucher.replay_key, voucher.redeem_until)]
        if voucher.time_step is not None and self.otp is not None:
            for step in range(self.otp.earliest(voucher.verified_at - self.skew), voucher.time_step):
                claims.append((voucher.replay_key[:-4] + step.to_bytes(4, "big"), voucher.redeem_until))
        return claims

    def _check_otp(self, opened: Opened, otp: str, now: int) -> tuple[int, int]:
        if self.otp is None:
            raise CannotCheckError("otp.unavailable", reason="this verifier has no master key")
        step = self.otp.check(opened.claims, opened.entry.kid, otp, now)
        # Another verifier's clock may be behind this one's by the skew.
        return step, self.otp.window(step) + self.skew

    def _check_display(self, issued_at: int, now: int, pass_until: int) -> int:
        until = issued_at + self.max_display_age + self.skew
        if issued_at > now + self.skew:
            raise TimeError(
                "presentation.future", presented_at=issued_at, now=now, skew=self.skew, ahead=issued_at - now
            )
        if now >= until:
            raise TimeError(
                "presentation.expired", presented_at=issued_at, now=now, skew=self.skew, late=now - until + self.skew
            )
        return until if until < pass_until else pass_until


def _check_challenge(challenge: Challenge | None, shown: str | DevicePresentation | None) -> None:
    answer = shown.challenge if isinstance(shown, DevicePresentation) else None
    if challenge is None:
        if answer is not None:
            raise ChallengeError("challenge.wrong")
    elif answer is None:
        raise ChallengeError("challenge.missing")
    elif answer != challenge.answer:
        raise ChallengeError("challenge.wrong")


def _refused(number: int, opened: Opened, now: int, skew: int) -> TokenError:
    """The error of step 6 or 7, with its facts."""
    refusal, entry, claims = BY_NUMBER[number], opened.entry, opened.claims
    if refusal.step == 6:
        return error_for(
            refusal.code,
            issued_at=claims.issued_at,
            expired_at=claims.expires_at,
            now=now,
            skew=skew,
            ahead=claims.issued_at - now,
            late=now - claims.expires_at,
            lifetime=claims.expires_at - claims.issued_at,
        )
    return error_for(
        refusal.code,
        kid=entry.kid.hex(),
        issuer=entry.issuer,
        issued_at=claims.issued_at,
        city_code=_city_code(claims.city),
        scope=str(entry.scope),
    )


_PROFILES = {int(profile): profile for profile in Profile}


@lru_cache(maxsize=4096)  # more than there are places
def _city_code(city: int) -> str:
    return f"{city:06d}"


class _Draft(Voucher):
    """A `VerifiedVoucher` in the making: of the same layout, but open for writing."""

    __slots__ = (
        "algorithm",
        "issuer",
        "kid",
        "notes",
        "presentation",
        "redeem_until",
        "time_step",
        "verified_at",
    )  # fmt: skip
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__  # the two share a slot: left frozen, this one would keep the other slow
