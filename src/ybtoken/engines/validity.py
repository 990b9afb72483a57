"""Steps 6 and 7 of one row: time and issuer scope (Spec 4)."""

from __future__ import annotations

from ybtoken.keys.ring import KeyEntry
from ybtoken.refusals import ACCEPTED

__all__ = ["judge"]


def judge(issued_at: int, expires_at: int, city: int, entry: KeyEntry, now: int, skew: int, max_lifetime: int) -> int:
    """Steps 6 and 7: time and issuer scope (Spec 4).

    Returns:
        0, or the number of the refusal.
    """
    if issued_at > now + skew:
        return _FUTURE
    if now >= expires_at + skew:
        return _EXPIRED
    if expires_at - issued_at > max_lifetime:
        return _LIFETIME
    if not entry.not_before <= issued_at < entry.not_after:
        return _PERIOD
    if entry.withdrawn_since is not None and issued_at >= entry.withdrawn_since:
        return _WITHDRAWN
    if not entry.scope.covers_number(city):
        return _PLACE
    return ACCEPTED


_FUTURE, _EXPIRED, _LIFETIME = 97, 98, 99
_PERIOD, _WITHDRAWN, _PLACE = 113, 114, 115
