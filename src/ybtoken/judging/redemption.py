"""Step 9 without I/O: what redeeming claims, and what the outcomes of the claims mean.

`redemption` is a generator: it yields claims, is sent their outcomes, and returns who is refused. The verifier drives
it with a guard that blocks or with one for asyncio.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import islice
from typing import TypeAlias

from ybtoken.engines.validity import Limits
from ybtoken.errors import RedeemError, TokenError
from ybtoken.verified import VerifiedVoucher

__all__ = ["Claims", "Redemption", "claims_of", "redemption"]

Claims: TypeAlias = list[tuple[bytes, int]]
"""Replay keys, and until when each must be remembered (seconds since 1970)."""

Redemption: TypeAlias = Generator[Claims, object, dict[int, TokenError]]

_OUT_OF_REACH = frozenset({"redeem.unavailable", "redeem.timeout"})


def claims_of(voucher: VerifiedVoucher, limits: Limits) -> Claims:
    """What redeeming a voucher claims. The first claim is its replay key, and decides.

    Redeeming step n of a rotating pass also claims every earlier step that a clock within the skew could still accept,
    so accepted steps of a pass only increase, with any guard.
    """
    claims = [(voucher.replay_key, voucher.redeem_until)]
    if voucher.time_step is not None and limits.one_time_codes is not None:
        earliest = limits.one_time_codes.earliest(voucher.verified_at - limits.skew)
        for step in range(earliest, voucher.time_step):
            claims.append((voucher.replay_key[:-4] + step.to_bytes(4, "big"), voucher.redeem_until))
    return claims


def redemption(vouchers: Iterable[tuple[int, VerifiedVoucher]], limits: Limits, chunk: int) -> Redemption:
    """Redeem vouchers, in order.

    Args:
        vouchers: each with its place.
        limits: of the verifier.
        chunk: how many vouchers are claimed together.

    Yields:
        The claims of the next chunk; it wants to be sent the list of their outcomes.

    Returns:
        The refusals, by place. If the store was unreachable for every claim of a chunk, the remaining chunks get the
        same error without being sent, because each of them would wait as long.
    """
    refused: dict[int, TokenError] = {}
    rest = iter(vouchers)
    while part := [(i, claims_of(voucher, limits)) for i, voucher in islice(rest, chunk)]:
        outcomes = yield [claim for _, claims in part for claim in claims]
        failed = _failed(part, outcomes)
        refused |= failed
        if len(failed) == len(part) and all(error.code in _OUT_OF_REACH for error in failed.values()):
            error = next(reversed(failed.values()))
            refused |= {i: error for i, _ in rest}
    return refused


def _failed(part: list[tuple[int, Claims]], outcomes: object) -> dict[int, TokenError]:
    if not isinstance(outcomes, list) or len(outcomes) != sum(len(claims) for _, claims in part):
        raise TypeError("the guard's claim_many() returns a list with one outcome for each claim")
    failed: dict[int, TokenError] = {}
    remaining = iter(outcomes)
    for i, claims in part:
        first, *earlier = islice(remaining, len(claims))
        # An earlier step that was used already is no reason to refuse; a store that failed is.
        for error in (first, *(error for error in earlier if not isinstance(error, RedeemError))):
            if error is not None:
                failed.setdefault(i, error)
    return failed
