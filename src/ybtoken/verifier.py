"""The verifier: the order of the checks is its rule (Spec 4), and the numbers here are the spec's.

1 text, 2 envelope, 3 key, 4 signature, 5 claims     an engine: pure
6 time, 7 issuer scope, 8 policy                     judging: the clock is an argument; pure but for one thing, that
                                                     wrong one-time codes of a rotating pass are counted
9 redeem                                             the only I/O, and last: a bad token never burns a nonce
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

from ybtoken.engine import Engine, Opened, SerialEngine, Texts, judge
from ybtoken.errors import CannotCheckError, ChallengeError, RedeemError, TimeError, TokenError, error_for
from ybtoken.keys import KeyRing, Use
from ybtoken.policy import Policy
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.replay import AsyncReplayGuard, ReplayGuard
from ybtoken.text import MAX_TEXT
from ybtoken.verdicts import Verdict, Verdicts
from ybtoken.voucher import DevicePresentation, Profile, VerifiedVoucher, Voucher

if TYPE_CHECKING:
    from ybtoken.challenge import Challenge
    from ybtoken.rotating import RotatingCodes

__all__ = ["Asked", "Verifier"]

Asked: TypeAlias = 'Challenge | Literal["any"] | None'
"""What a terminal asked a phone to answer."""

_LONGEST_LINE = 4 * (MAX_TEXT + 1)  # bytes that hold more than MAX_TEXT characters, whichever they are
_STEP_7 = 7 * 16  # refusals of step 7 have numbers from here on


class Verifier:
    """Verifies and redeems vouchers; immutable, and safe to share between threads.

    Args:
        keys: the public keys that are trusted.
        guard: where redeemed tokens are remembered; needed to `redeem`.
        policies: what is insisted on beyond the format; all must agree.
        engine: what does steps 1 to 5.
        skew: by how many seconds the clocks of issuer and verifier may differ, either way.
        max_lifetime: refuse vouchers (profile 1) that are valid for more seconds than this.
        max_pass_lifetime: the same for passes (profiles 2 and 3).
        max_display_age: for how many seconds what a phone signed (profile 3) is accepted after it was shown.
        otp: checks the one-time codes of rotating passes (profile 2), which are refused without it.
        clock: seconds since 1970; read once a call, unless the call is given its own ``now``.
    """

    __slots__ = (
        "_clock",
        "_guard",
        "_max_display_age",
        "_max_lifetime",
        "_max_pass_lifetime",
        "_opener",
        "_otp",
        "_policies",
        "_skew",
    )

    def __init__(
        self,
        keys: KeyRing,
        *,
        guard: ReplayGuard | AsyncReplayGuard | None = None,
        policies: Iterable[Policy] = (),
        engine: Engine | None = None,
        skew: int = 10,
        max_lifetime: int = 300,
        max_pass_lifetime: int = 24 * 3600,
        max_display_age: int = 60,
        otp: RotatingCodes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(keys, KeyRing):
            raise TypeError("keys is a KeyRing")
        if keys.use is not Use.TOKENS:
            raise ValueError("these keys are for status lists and sign no tokens")
        if skew < 0 or min(max_lifetime, max_pass_lifetime, max_display_age) < 1:
            raise ValueError("skew is at least 0 seconds, the lifetimes and the age are at least 1")
        self._opener = (engine or SerialEngine()).prepare(keys)
        self._guard = guard
        self._policies = tuple(policies)
        self._skew = skew
        self._max_lifetime = max_lifetime
        self._max_pass_lifetime = max_pass_lifetime
        self._max_display_age = max_display_age
        self._otp = otp
        self._clock = clock

    @property
    def keys(self) -> KeyRing:
        """The public keys that are trusted."""
        return self._opener.keys

    def verify(self, text: str, *, now: int | None = None, challenge: Asked = None) -> VerifiedVoucher:
        """Verify one token: steps 1 to 8. It can be repeated, and does not make the token used.

        A verified token may still be shown twice; only `redeem` makes it good for one use.

        Args:
            text: the one exact spelling; see `normalize_scan` for what a scanner returns.
            now: seconds since 1970; the verifier's clock if it is not given.
            challenge: what this terminal asked: then only a device-bound pass that answers it is accepted. Without one,
                a code that answers some challenge was made for another terminal, and is refused; "any" is for whoever
                verifies again what a terminal has accepted.

        Raises:
            TokenError: the token is refused.
        """
        return self._judge(self._opener.open(text), self._now(now), challenge)

    def verify_many(self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Asked = None) -> Verdicts:
        """Verify many tokens: one verdict each, in order; a bad one raises nothing.

        Args:
            texts: strings or byte strings; an Arrow array of them; or one buffer of lines, each ended by a line feed.
            now: in seconds since 1970, one time for all or one for each; the verifier's clock if it is not given.
            challenge: one for all, as for `verify`.
        """
        if isinstance(texts, str):
            raise TypeError("verify_many takes many texts, not one string")
        batch = self._opener.open_many(texts)
        at = now if isinstance(now, Sequence) else self._now(now)
        if not isinstance(at, int) and len(at) != len(batch):
            raise ValueError(f"{len(at)} times for {len(batch)} texts")

        def judge_one(i: int, opened: Opened) -> VerifiedVoucher:
            return self._judge(opened, at if isinstance(at, int) else int(at[i]), challenge)

        codes = batch.judge(at, self._skew, self._max_lifetime)
        passes: dict[int, Verdict] = {}
        for i, opened in batch.passes.items():
            try:
                passes[i] = judge_one(i, opened)
                codes[i] = ACCEPTED
            except TokenError as error:
                passes[i] = error
                codes[i] = error.number
        if self._policies or challenge is not None:
            for i, code in enumerate(codes):
                if code == ACCEPTED and i not in passes:
                    try:
                        judge_one(i, batch.opened(i))
                    except TokenError as error:
                        codes[i] = error.number
        return Verdicts(batch, codes, judge_one, passes)

    def verify_lines(
        self, file: BinaryIO, *, now: int | None = None, challenge: Asked = None, chunk_bytes: int = 4 << 20
    ) -> Iterator[Verdicts]:
        """Verify a file of lines, however long, in memory that depends on ``chunk_bytes`` only.

        Args:
            file: open for reading bytes. A line ends with a line feed and nothing else; the last may lack it.
            now: in seconds since 1970, for all; the verifier's clock at each chunk if it is not given.
            challenge: one for all, as for `verify`.
            chunk_bytes: how much is read at a time: some 12,000 texts of the usual length by default.

        Yields:
            The verdicts of the next lines, in order.
        """
        if chunk_bytes < 1:
            raise ValueError("chunk_bytes is at least 1")
        rest = b""
        while block := file.read(chunk_bytes):
            lines, ended, tail = block.rpartition(b"\n")
            if ended:
                yield self.verify_many(rest + lines + ended, now=now, challenge=challenge)
                rest = b""
            # Of a line without an end no more is kept than it takes to see that it is too long.
            rest = (rest + tail[:_LONGEST_LINE])[:_LONGEST_LINE]
        if rest:
            yield self.verify_many(rest, now=now, challenge=challenge)

    def redeem(self, text: str, *, now: int | None = None, challenge: Asked = None) -> VerifiedVoucher:
        """Verify one token and use it up: steps 1 to 9. Of any number of calls for one display, one returns.

        Args:
            text: as for `verify`, and so are the others.

        Raises:
            TokenError: the token is refused.
            TypeError: the verifier has no guard, or one for asyncio.
        """
        if self._guard is None or inspect.iscoroutinefunction(self._guard.claim):
            raise TypeError("redeem needs a Verifier with a ReplayGuard; for an AsyncReplayGuard use redeem_async")
        voucher = self.verify(text, now=now, challenge=challenge)
        claimed: object = self._guard.claim(voucher.replay_key, voucher.redeem_until)
        if claimed is not None:  # an awaitable after all: nothing was claimed yet
            raise TypeError("the guard's claim() returned something: for an AsyncReplayGuard use redeem_async")
        for key, until in self._earlier_steps(voucher):
            with suppress(RedeemError):
                self._guard.claim(key, until)
        return voucher

    async def redeem_async(self, text: str, *, now: int | None = None, challenge: Asked = None) -> VerifiedVoucher:
        """The same with an `AsyncReplayGuard`, or with a guard that never waits (as the one in memory)."""
        if self._guard is None:
            raise TypeError("redeem_async needs a Verifier with a guard")
        voucher = self.verify(text, now=now, challenge=challenge)
        await _claim(self._guard, voucher.replay_key, voucher.redeem_until)
        for key, until in self._earlier_steps(voucher):
            with suppress(RedeemError):
                await _claim(self._guard, key, until)
        return voucher

    def _earlier_steps(self, voucher: VerifiedVoucher) -> Iterator[tuple[bytes, int]]:
        """Of a rotating pass, the steps before the one redeemed that some verifier's clock might still accept.

        They are claimed after it, each as if it had been used: so the steps that are accepted of a pass only go up,
        with any guard, and by nothing but its claims.
        """
        if voucher.time_step is None or self._otp is None:
            return
        for step in range(self._otp.earliest(voucher.verified_at - self._skew), voucher.time_step):
            yield voucher.replay_key[:-4] + step.to_bytes(4, "big"), voucher.redeem_until

    def _now(self, now: int | None) -> int:
        return int(self._clock() if now is None else now)

    def _judge(self, opened: Opened, now: int, challenge: Asked) -> VerifiedVoucher:
        # 6. time, 7. issuer scope
        entry, claims, shown = opened
        skew, step, until = self._skew, None, claims.expires_at + self._skew
        most = self._max_lifetime if shown is None else self._max_pass_lifetime
        number = judge(claims.issued_at, claims.expires_at, claims.city, entry, now, skew, most)
        if shown is not None and not 0 < number < _STEP_7:  # of a pass, the time of its display, too
            if isinstance(shown, str):
                step, until = self._check_otp(opened, shown, now)
            else:
                until = self._check_display(shown.issued_at, now, until)
        if number != ACCEPTED:
            raise _refused(number, opened, now, skew)
        # 8. policy; the terminal's own challenge first
        if challenge != "any":
            _check_challenge(challenge, shown)
        voucher = _verified(opened, now, until, step)
        if self._policies:
            notes = [note for policy in self._policies if (note := policy.check(voucher, now)) is not None]
            object.__setattr__(voucher, "notes", tuple(notes))
        return voucher

    def _check_otp(self, opened: Opened, otp: str, now: int) -> tuple[int, int]:
        if self._otp is None:
            raise CannotCheckError("otp.unavailable", reason="this verifier has no master key")
        step = self._otp.check(opened.claims, opened.entry.kid, otp, now)
        # Another verifier's clock may be behind this one's by the skew.
        return step, self._otp.window(step) + self._skew

    def _check_display(self, issued_at: int, now: int, pass_until: int) -> int:
        until = issued_at + self._max_display_age + self._skew
        if issued_at > now + self._skew:
            raise TimeError(
                "presentation.future", presented_at=issued_at, now=now, skew=self._skew, ahead=issued_at - now
            )
        if now >= until:
            raise TimeError(
                "presentation.expired", presented_at=issued_at, now=now, skew=self._skew, late=now - until + self._skew
            )
        return until if until < pass_until else pass_until


async def _claim(guard: ReplayGuard | AsyncReplayGuard, key: bytes, until: int) -> None:
    claimed = guard.claim(key, until)
    if inspect.isawaitable(claimed):
        await claimed


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
        city_code=f"{claims.city:06d}",
        scope=str(entry.scope),
    )


_PROFILES = {int(profile): profile for profile in Profile}


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


def _verified(opened: Opened, now: int, until: int, step: int | None) -> VerifiedVoucher:
    """Make the one thing that only a verifier makes; past its constructor, which refuses everybody."""
    entry, claims, shown = opened
    key = entry.key
    (
        expires_at, issued_at, nonce, profile, identity_ref, city,
        channel, purpose, presenter, assurance, status_index, device_key,
    ) = claims  # fmt: skip
    # Plain assignments and a change of class take a fifth of the time of so many calls of object.__setattr__.
    voucher: Any = object.__new__(_Draft)
    voucher.identity_ref = identity_ref
    voucher.city_code = f"{city:06d}"
    voucher.issued_at = issued_at
    voucher.expires_at = expires_at
    voucher.nonce = nonce
    voucher.profile = _PROFILES[profile]
    voucher.channel = channel
    voucher.purpose = None if purpose is None else f"{purpose:05d}"
    voucher.presenter = presenter
    voucher.assurance = assurance
    voucher.status_index = status_index
    voucher.device_key = device_key
    voucher.kid = key.kid
    voucher.algorithm = key.algorithm
    voucher.issuer = entry.issuer
    voucher.verified_at = now
    voucher.redeem_until = until
    voucher.time_step = step
    voucher.presentation = shown if isinstance(shown, DevicePresentation) else None
    voucher.notes = ()
    voucher.__class__ = VerifiedVoucher
    return voucher  # type: ignore[no-any-return]
