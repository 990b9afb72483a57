"""The verifier: the order of the checks is its rule (Spec 4), and the numbers here are the spec's.

1 text, 2 envelope, 3 key, 4 signature, 5 claims     an engine: pure
6 time, 7 issuer scope, 8 policy                     judging: pure, the clock is an argument
9 redeem                                             the only I/O, and last: a bad token never burns a nonce
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ybtoken.engine import Engine, Opened, SerialEngine, Texts, judge
from ybtoken.errors import TokenError, error_for
from ybtoken.keys import KeyRing
from ybtoken.policy import Policy
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.replay import AsyncReplayGuard, ReplayGuard
from ybtoken.verdicts import Verdicts
from ybtoken.voucher import Profile, VerifiedVoucher, Voucher

__all__ = ["Verifier"]


class Verifier:
    """Verifies and redeems vouchers; immutable, and safe to share between threads.

    Args:
        keys: the public keys that are trusted.
        guard: where redeemed tokens are remembered; needed to `redeem`.
        policies: what is insisted on beyond the format; all must agree.
        engine: what does steps 1 to 5.
        skew: by how many seconds the clocks of issuer and verifier may differ, either way.
        max_lifetime: refuse tokens that are valid for more seconds than this.
        clock: seconds since 1970; read once a call, unless the call is given its own ``now``.
    """

    __slots__ = ("_clock", "_guard", "_max_lifetime", "_opener", "_policies", "_skew")

    def __init__(
        self,
        keys: KeyRing,
        *,
        guard: ReplayGuard | AsyncReplayGuard | None = None,
        policies: Iterable[Policy] = (),
        engine: Engine | None = None,
        skew: int = 10,
        max_lifetime: int = 300,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(keys, KeyRing):
            raise TypeError("keys is a KeyRing")
        if skew < 0 or max_lifetime < 1:
            raise ValueError("skew is at least 0 and max_lifetime at least 1 second")
        self._opener = (engine or SerialEngine()).prepare(keys)
        self._guard = guard
        self._policies = tuple(policies)
        self._skew = skew
        self._max_lifetime = max_lifetime
        self._clock = clock

    @property
    def keys(self) -> KeyRing:
        """The public keys that are trusted."""
        return self._opener.keys

    def verify(self, text: str, *, now: int | None = None) -> VerifiedVoucher:
        """Verify one token: steps 1 to 8. Pure: it can be repeated, and does not make the token used.

        A verified token may still be shown twice; only `redeem` makes it good for one use.

        Args:
            text: the one exact spelling; see `normalize_scan` for what a scanner returns.
            now: seconds since 1970; the verifier's clock if it is not given.

        Raises:
            TokenError: the token is refused.
        """
        return self._judge(self._opener.open(text), self._now(now))

    def verify_many(self, texts: Texts, *, now: int | None = None) -> Verdicts:
        """Verify many tokens: one verdict each, in order; a bad one raises nothing.

        Args:
            texts: strings or byte strings; an Arrow array of them; or one buffer of lines, each ended by a line feed.
            now: one time for all, in seconds since 1970; the verifier's clock if it is not given.
        """
        if isinstance(texts, str):
            raise TypeError("verify_many takes many texts, not one string")
        at = self._now(now)
        batch = self._opener.open_many(texts)
        codes = batch.judge(at, self._skew, self._max_lifetime)
        if self._policies:
            for i, code in enumerate(codes):
                if code == ACCEPTED:
                    try:
                        self._judge(batch.opened(i), at)
                    except TokenError as error:
                        codes[i] = error.number
        return Verdicts(batch, codes, partial(self._judge, now=at))

    def redeem(self, text: str, *, now: int | None = None) -> VerifiedVoucher:
        """Verify one token and use it up: steps 1 to 9. Of any number of calls for one token, one returns.

        Raises:
            TokenError: the token is refused.
            TypeError: the verifier has no guard, or one for asyncio.
        """
        if self._guard is None or inspect.iscoroutinefunction(self._guard.claim):
            raise TypeError("redeem needs a Verifier with a ReplayGuard; for an AsyncReplayGuard use redeem_async")
        voucher = self.verify(text, now=now)
        claimed: object = self._guard.claim(voucher.replay_key, voucher.expires_at + self._skew)
        if claimed is not None:  # an awaitable after all: nothing was claimed yet
            raise TypeError("the guard's claim() returned something: for an AsyncReplayGuard use redeem_async")
        return voucher

    async def redeem_async(self, text: str, *, now: int | None = None) -> VerifiedVoucher:
        """The same with an `AsyncReplayGuard`, or with a guard that never waits (as the one in memory)."""
        if self._guard is None:
            raise TypeError("redeem_async needs a Verifier with a guard")
        voucher = self.verify(text, now=now)
        claimed = self._guard.claim(voucher.replay_key, voucher.expires_at + self._skew)
        if inspect.isawaitable(claimed):
            await claimed
        return voucher

    def _now(self, now: int | None) -> int:
        return int(self._clock() if now is None else now)

    def _judge(self, opened: Opened, now: int) -> VerifiedVoucher:
        # 6. time, 7. issuer scope
        entry, claims = opened
        number = judge(claims.issued_at, claims.expires_at, claims.city, entry, now, self._skew, self._max_lifetime)
        if number != ACCEPTED:
            raise _refused(number, opened, now, self._skew)
        voucher = _verified(opened, now)
        # 8. policy
        for policy in self._policies:
            policy.check(voucher, now)
        return voucher


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
        city_code=f"{claims.city:06d}",
        scope=str(entry.scope),
    )


_PROFILES = {int(profile): profile for profile in Profile}


class _Draft(Voucher):
    """A `VerifiedVoucher` in the making: of the same layout, but open for writing."""

    __slots__ = ("algorithm", "issuer", "kid", "verified_at")
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__  # the two share a slot: left frozen, this one would keep the other slow


def _verified(opened: Opened, now: int) -> VerifiedVoucher:
    """Make the one thing that only a verifier makes; past its constructor, which refuses everybody."""
    key, claims = opened.entry.key, opened.claims
    purpose = claims.purpose
    # Plain assignments and a change of class take a fifth of the time of fifteen calls of object.__setattr__.
    voucher: Any = object.__new__(_Draft)
    voucher.identity_ref = claims.identity_ref
    voucher.city_code = f"{claims.city:06d}"
    voucher.issued_at = claims.issued_at
    voucher.expires_at = claims.expires_at
    voucher.nonce = claims.nonce
    voucher.profile = _PROFILES[claims.profile]
    voucher.channel = claims.channel
    voucher.purpose = None if purpose is None else f"{purpose:05d}"
    voucher.presenter = claims.presenter
    voucher.assurance = claims.assurance
    voucher.status_index = claims.status_index
    voucher.kid = key.kid
    voucher.algorithm = key.algorithm
    voucher.issuer = opened.entry.issuer
    voucher.verified_at = now
    voucher.__class__ = VerifiedVoucher
    return voucher  # type: ignore[no-any-return]
