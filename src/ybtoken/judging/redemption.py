"""Step 9 without I/O: what redeeming claims, and what the outcomes of the claims mean.

`redemption` is a generator: it yields claims, is sent their outcomes, and returns the refusals. `drive` runs it with a
guard that blocks, and `drive_async` with one for asyncio.

The times of a claim follow from one assumption: no clock is further than the skew from the true time.

*until.* A verifier whose clock is slow by the skew accepts a display until its end + 2 x skew of true time, because it
adds the skew as well. A claim made by a clock that is fast by the skew ends a skew early. So a claim has to last until
the display's end + 3 x skew by the claimer's clock. The end and the skew are those of the verifier that accepts it
longest, which need not be the claimer. So every claim lasts `CLAIM_KEPT` after what is signed, and no verifier has
numbers that reach further (ADR 0022).

*since.* A display cannot have been redeemed before it was issued, which is at its stated time - skew at the earliest. A
store that begins its memory writes down its guard's clock after the loss: that is the loss - skew at the earliest. So a
memory that began before the stated time - 2 x skew has every claim on the display.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable
from itertools import islice
from typing import TypeAlias

from ybtoken.engines.time_and_scope import Limits
from ybtoken.errors import CannotCheckError, RedeemError, TokenError
from ybtoken.replay.protocols import AsyncReplayGuard, Claim, ReplayGuard
from ybtoken.verified import CLAIM_KEPT, VerifiedVoucher
from ybtoken.voucher import STEP
from ybtoken.words import BoundsError

__all__ = ["Redemption", "check_reach", "claims_of", "drive", "drive_async", "redemption", "with_the_wait"]

Redemption: TypeAlias = Generator[list[Claim], object, dict[int, TokenError]]

_Part: TypeAlias = list[tuple[int, VerifiedVoucher, list[Claim]]]

_OUT_OF_REACH = frozenset({"redeem.unavailable", "redeem.timeout"})


def check_reach(limits: Limits) -> None:
    """Refuse the numbers of a verifier that would accept a display when the claim of another verifier has ended.

    Raises:
        ValueError: they reach further than a claim is kept.
    """
    longest = {"max_display_age": limits.max_display_age}
    if limits.one_time_codes is not None:
        longest["30 * (steps_back + 1)"] = limits.one_time_codes.window(0)  # step 0 begins at 0
    for name, seconds in longest.items():
        if (reach := seconds + 3 * limits.skew) > CLAIM_KEPT:
            raise BoundsError(
                f"with a guard, {name} + 3 * skew is at most {CLAIM_KEPT} seconds, not {reach}: the guard may have "
                "forgotten by then what another verifier redeemed",
                f"设有防重放组件时，{name} + 3 * skew 最多 {CLAIM_KEPT} 秒，不能是 {reach} 秒：届时该组件可能已不记得"
                "其他验证器的核销",
            )


def claims_of(
    voucher: VerifiedVoucher, skew: int, first_step: int | None = None, text: str | None = None
) -> list[Claim]:
    """The claims that redeem a voucher. The first is for its replay key, and decides.

    Redeeming step n of a rotating pass also claims every earlier step that a clock within the skew could still accept,
    so accepted steps of a pass only increase, with any guard.

    Args:
        voucher: the voucher to redeem.
        skew: the verifier's skew, in seconds.
        first_step: the earliest time step of a rotating pass that some verifier could still accept.
        text: the scanned text.
    """
    since, until = _shown_at(voucher, skew) - 2 * skew, voucher.redeem_until
    by = voucher.display_expires_at + skew
    claims = [Claim(voucher.replay_key, since, by, until, text)]
    if voucher.time_step is not None and first_step is not None:
        for step in range(first_step, voucher.time_step):
            claims.append(Claim(voucher.replay_key[:-4] + step.to_bytes(4, "big"), since, by, until))
    return claims


def _shown_at(voucher: VerifiedVoucher, skew: int) -> int:
    """The earliest time of the display as it is stated; the true time is at most a skew earlier."""
    if voucher.time_step is not None:
        return voucher.time_step * STEP
    if voucher.presentation is not None:
        # The phone's clock may be wrong: a verifier accepts a display that is dated up to a skew ahead.
        return voucher.presentation.issued_at - skew
    return voucher.issued_at


def redemption(vouchers: Iterable[tuple[int, VerifiedVoucher, str | None]], limits: Limits, chunk: int) -> Redemption:
    """Redeem vouchers, in order.

    Args:
        vouchers: each with its place and its text.
        limits: the verifier's limits.
        chunk: how many vouchers are claimed together.

    Yields:
        The claims of the next chunk. The list of their outcomes must be sent back.

    Returns:
        The refusals, by place. If the store was unreachable for every claim of a chunk, the remaining chunks get the
        same error without being sent, because each of them would wait as long.
    """
    refused: dict[int, TokenError] = {}
    rest = iter(vouchers)
    while part := [(i, one, _claims(one, text, limits)) for i, one, text in islice(rest, chunk)]:
        outcomes = yield [claim for _, _, claims in part for claim in claims]
        failed = _failed(part, outcomes, limits.skew)
        refused |= failed
        if len(failed) == len(part) and all(error.code in _OUT_OF_REACH for error in failed.values()):
            error = next(reversed(failed.values()))
            refused |= {i: error for i, _, _ in rest}
    return refused


def _claims(voucher: VerifiedVoucher, text: str | None, limits: Limits) -> list[Claim]:
    first = None
    if voucher.time_step is not None and limits.one_time_codes is not None:
        # Another verifier's clock may be behind this one's by twice the skew, if one is fast and the other slow.
        first = limits.one_time_codes.earliest(voucher.verified_at - 2 * limits.skew)
    return claims_of(voucher, limits.skew, first, text)


def _failed(part: _Part, outcomes: object, skew: int) -> dict[int, TokenError]:
    if not isinstance(outcomes, list) or len(outcomes) != sum(len(claims) for _, _, claims in part):
        raise TypeError("the guard's claim_many() returns a list with one outcome for each claim")
    failed: dict[int, TokenError] = {}
    remaining = iter(outcomes)
    for i, voucher, claims in part:
        first, *earlier = islice(remaining, len(claims))
        # An earlier step that was used before is no reason to refuse, but a store that failed is.
        for error in (first, *(error for error in earlier if not isinstance(error, RedeemError))):
            if error is not None:
                failed.setdefault(i, _with_the_wait(error, voucher, skew))
    return failed


def _with_the_wait(error: TokenError, voucher: VerifiedVoucher, skew: int) -> TokenError:
    ahead = 3 * skew if voucher.presentation is not None else 2 * skew
    step = 1 if voucher.time_step is None else STEP
    return with_the_wait(error, voucher.verified_at, ahead, step=step)


def with_the_wait(error: TokenError, now: int, ahead: int, *, step: int = 1) -> TokenError:
    """Add after how many seconds a new display will be accepted, if the store may have lost claims on this one.

    Args:
        error: a guard's refusal; one with another code is returned as it is.
        now: seconds since 1970.
        ahead: by how many seconds the time of a display is later than its claim's ``since``.
        step: how many seconds one display lasts, if its time is that of a step.
    """
    if error.code != "redeem.restarted" or not isinstance(error.facts.get("begun"), int):
        return error
    first = error.begun + ahead + 1  # the earliest time of a display that will be accepted
    first += -first % step
    return CannotCheckError(error.code, **error.facts | {"retry_after": max(1, first - now)})


def drive(guard: ReplayGuard, redeeming: Redemption) -> dict[int, TokenError]:
    """Make the claims of a redemption with a guard that blocks; returns the refusals by place."""
    try:
        claims = next(redeeming)
        while True:
            outcomes: object = guard.claim_many(claims)
            if inspect.isawaitable(outcomes):  # an asynchronous guard in a wrapper; nothing was claimed yet
                raise TypeError("the guard's claim_many() has to be awaited: use redeem_async or redeem_many_async")
            claims = redeeming.send(outcomes)
    except StopIteration as end:
        refused: dict[int, TokenError] = end.value
        return refused


async def drive_async(
    guard: ReplayGuard | AsyncReplayGuard, in_a_thread: bool, redeeming: Redemption
) -> dict[int, TokenError]:
    """The same on an event loop, with a guard for asyncio, one that never waits, or one that is called in a thread."""
    import asyncio  # a caller that awaits this has loaded it already, and others do not need it

    try:
        claims = next(redeeming)
        while True:
            outcomes: object
            if in_a_thread:
                outcomes = await asyncio.to_thread(guard.claim_many, claims)
            else:
                outcomes = guard.claim_many(claims)
            if inspect.isawaitable(outcomes):
                outcomes = await outcomes
            elif not in_a_thread:
                await asyncio.sleep(0)  # let other tasks run, because a guard that never waits does not
            claims = redeeming.send(outcomes)
    except StopIteration as end:
        refused: dict[int, TokenError] = end.value
        return refused
