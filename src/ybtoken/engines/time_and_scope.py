"""Steps 6 and 7 for one token whose signatures are good: time and issuer scope (Spec 4).

This module owns these two steps in Python; `native/engine/src/validity.rs` owns them in Rust. The time is an argument.
The functions have one side effect: a checker of one-time codes counts wrong codes.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from ybtoken.errors import CannotCheckError, TimeError, TokenError, error_for
from ybtoken.keys.ring import KeyEntry
from ybtoken.refusals import ACCEPTED, BY_NUMBER, Code
from ybtoken.verified import city_code_of
from ybtoken.voucher import DevicePresentation
from ybtoken.wire.claims import Claims
from ybtoken.words import Reason

__all__ = ["Limits", "OneTimeCodes", "check_pass", "number_of", "refusal_of"]

_NO_MASTER_KEY = Reason("this verifier has no master key", "本验证方没有主密钥")


@runtime_checkable
class OneTimeCodes(Protocol):
    """Checks the one-time codes of rotating passes; see `ybtoken.passes.rotating.RotatingCodes`."""

    def check(self, claims: Claims, kid: bytes, otp: str, now: int) -> int:
        """The step of 30 s since 1970 to which a code belongs; raises `TokenError`."""
        ...

    def window(self, step: int) -> int:
        """The time from which the code of a step is refused."""
        ...

    def earliest(self, now: int) -> int:
        """The first step whose code is accepted at a time."""
        ...

    def recorded(self) -> OneTimeCodes:
        """A checker for recorded scans, which counts nothing and does not compare codes that are still valid."""
        ...


class Limits(NamedTuple):
    """The times that a verifier allows, in seconds; see `ybtoken.verifier.Verifier`."""

    skew: int = 10
    max_lifetime: int = 300
    max_pass_lifetime: int = 24 * 3600
    max_display_age: int = 60
    one_time_codes: OneTimeCodes | None = None


def number_of(entry: KeyEntry, issued_at: int, expires_at: int, city: int, now: int, skew: int, longest: int) -> int:
    """Do steps 6 and 7 for a token or a pass.

    Args:
        entry: the entry of the key that signed it.
        issued_at: its claim iat.
        expires_at: its claim exp.
        city: its city code, as a number.
        now: seconds since 1970.
        skew: see `Limits`.
        longest: the most seconds for which it may be valid.

    Returns:
        0, or the number of the refusal.
    """
    if issued_at > now + skew:
        return _FUTURE
    if now >= expires_at + skew:
        return _EXPIRED
    if expires_at - issued_at > longest:
        return _LIFETIME
    if not entry.not_before <= issued_at < entry.not_after:
        return _PERIOD
    if entry.withdrawn_since is not None and issued_at >= entry.withdrawn_since:
        return _WITHDRAWN
    if not entry.scope.covers_number(city):
        return _PLACE
    return ACCEPTED


# Access to enum members is slow on Python 3.11.
_FUTURE, _EXPIRED, _LIFETIME = int(Code.TIME_FUTURE), int(Code.TIME_EXPIRED), int(Code.TIME_LIFETIME)
_PERIOD, _WITHDRAWN, _PLACE = int(Code.SCOPE_PERIOD), int(Code.SCOPE_WITHDRAWN), int(Code.SCOPE_PLACE)


def refusal_of(number: int, entry: KeyEntry, claims: Claims, now: int, skew: int) -> TokenError:
    """The error of step 6 or 7 that `number_of` found, with its facts."""
    refusal = BY_NUMBER[number]
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
        city_code=city_code_of(claims.city),
        scope=str(entry.scope),
    )


def check_pass(
    entry: KeyEntry, claims: Claims, otp: str, presentation: DevicePresentation | None, limits: Limits, now: int
) -> int | None:
    """Steps 6 and 7 of a pass: its own time, the time of its display, and the issuer's scope, in this order.

    Args:
        entry: the key that signed the pass.
        claims: the pass's claims.
        otp: the one-time code that was shown, for a rotating pass.
        presentation: what the phone signed, for a device-bound pass.
        limits: see `Limits`.
        now: seconds since 1970.

    Returns:
        The time step of the one-time code, for a rotating pass; otherwise ``None``.

    Raises:
        TokenError: the pass is refused.
    """
    step = None
    number = number_of(
        entry, claims.issued_at, claims.expires_at, claims.city, now, limits.skew, limits.max_pass_lifetime
    )
    if not number or Code(number).step > 6:
        if presentation is not None:
            _check_display(presentation.issued_at, limits, now)
        elif limits.one_time_codes is None:
            raise CannotCheckError("otp.unavailable", reason=_NO_MASTER_KEY)
        else:
            step = limits.one_time_codes.check(claims, entry.kid, otp, now)
    if number:
        raise refusal_of(number, entry, claims, now, limits.skew)
    return step


def _check_display(presented_at: int, limits: Limits, now: int) -> None:
    """Do step 6 for what a phone signed: it must not be from the future, and not too old."""
    skew = limits.skew
    if presented_at > now + skew:
        raise TimeError("presentation.future", presented_at=presented_at, now=now, skew=skew, ahead=presented_at - now)
    until = presented_at + limits.max_display_age
    if now >= until + skew:
        raise TimeError("presentation.expired", presented_at=presented_at, now=now, skew=skew, late=now - until)
