"""Step 8: the terminal's challenge and the verifier's policies, for a token that passed steps 1 to 7."""

from __future__ import annotations

from dataclasses import dataclass

from ybtoken.engines.columns import Opened
from ybtoken.engines.time_and_scope import Limits
from ybtoken.errors import ChallengeError
from ybtoken.passes.challenge import Challenge
from ybtoken.policy import Policy
from ybtoken.verified import Facts, VerifiedVoucher, verified
from ybtoken.voucher import DevicePresentation, Note

__all__ = ["Judge"]


@dataclass(frozen=True, slots=True)
class Judge:
    """The rules of step 8; safe to share between threads.

    Args:
        policies: conditions beyond the format; all must accept.
        limits: see `Limits`.
    """

    policies: tuple[Policy, ...]
    limits: Limits

    def voucher(self, opened: Opened, now: int, challenge: Challenge | None, *, recorded: bool) -> VerifiedVoucher:
        """Do step 8 for a token and return the verified voucher.

        Args:
            opened: the token.
            now: seconds since 1970.
            challenge: the argument of `Verifier.verify`, as is ``recorded``.

        Raises:
            TokenError: the token is refused.
        """
        if not recorded and (challenge is not None or opened.presentation is not None):
            _check_challenge(challenge, opened.presentation)
        voucher = self.unchecked(opened, now)
        if not self.policies:
            return voucher
        notes = tuple(note for policy in self.policies if (note := policy.check(voucher, now)) is not None)
        return self.unchecked(opened, now, notes) if notes else voucher

    def unchecked(self, opened: Opened, now: int, notes: tuple[Note, ...] = ()) -> VerifiedVoucher:
        """The verified voucher of a token for which step 8 was done before, or will be done by the caller."""
        entry, claims, step, presentation = opened
        until = claims.expires_at
        if presentation is not None:
            until = min(until, presentation.issued_at + self.limits.max_display_age)
        elif step is not None and self.limits.one_time_codes is not None:
            until = self.limits.one_time_codes.window(step)
        return verified(Facts(claims, entry, now, until, step, presentation, notes))


def _check_challenge(challenge: Challenge | None, presentation: DevicePresentation | None) -> None:
    answer = None if presentation is None else presentation.challenge
    if challenge is None:
        if answer is not None:
            raise ChallengeError("challenge.wrong")
    elif answer is None:
        raise ChallengeError("challenge.missing")
    elif answer != challenge.answer:
        raise ChallengeError("challenge.wrong")
