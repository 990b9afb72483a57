"""The verifier: the order of the checks is its rule (Spec 4), and the numbers here are the spec's.

1 text, 2 envelope, 3 key, 4 signature, 5 claims     an engine: pure
6 time, 7 issuer scope, 8 policy                     judging: the clock is an argument; pure but for one thing, that
                                                     wrong one-time codes of a rotating pass are counted
9 redeem                                             the only I/O, and last: a bad token never burns a nonce
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from ybtoken.engines.columns import Opened
from ybtoken.engines.protocols import Engine, Texts
from ybtoken.engines.serial import SerialEngine
from ybtoken.errors import RedeemError, TokenError
from ybtoken.judging.judge import Asked, Judge
from ybtoken.judging.verdicts import Verdict, Verdicts
from ybtoken.keys.ring import KeyRing, Use
from ybtoken.policy import Policy
from ybtoken.refusals import ACCEPTED
from ybtoken.replay.protocols import AsyncReplayGuard, ReplayGuard
from ybtoken.voucher import VerifiedVoucher
from ybtoken.wire.text import MAX_TEXT

if TYPE_CHECKING:
    from ybtoken.passes.rotating import RotatingCodes

__all__ = ["Asked", "Verifier"]

_LONGEST_LINE = 4 * (MAX_TEXT + 1)  # bytes that hold more than MAX_TEXT characters, whichever they are
_OFFLOAD_ABOVE = 8  # texts; so many are verified in about the time that makes a thread's start worth it
# Vouchers whose claims go to the guard together. Redis takes most a second in long pipelines, but a client makes one of
# 64 in 4 ms, and others on the event loop wait for that.
_AT_ONCE, _AT_ONCE_ON_A_LOOP = 1024, 64
_OUT_OF_REACH = frozenset({"redeem.unavailable", "redeem.timeout"})

_Part: TypeAlias = list[tuple[int, list[tuple[bytes, int]]]]  # places of vouchers in a batch, and what each claims


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

    __slots__ = ("_clock", "_guard", "_judge", "_opener")

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
        self._judge = Judge(
            policies=tuple(policies),
            skew=skew,
            max_lifetime=max_lifetime,
            max_pass_lifetime=max_pass_lifetime,
            max_display_age=max_display_age,
            otp=otp,
        )
        self._opener = (engine or SerialEngine()).prepare(keys)
        self._guard = guard
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
        return self._judge.voucher(self._opener.open(text), self._now(now), challenge)

    def verify_many(self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Asked = None) -> Verdicts:
        """Verify many tokens: one verdict each, in order; a bad one raises nothing.

        Args:
            texts: strings or byte strings; an Arrow array of them; or one buffer of lines, each ended by a line feed.
            now: in seconds since 1970, one time for all or one for each; the verifier's clock if it is not given.
            challenge: one for all, as for `verify`.
        """
        return self._verdicts(texts, now, challenge)

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
        first, *earlier = self._judge.claims(voucher)
        claimed: object = self._guard.claim(*first)
        if claimed is not None:  # an awaitable after all: nothing was claimed yet
            raise TypeError("the guard's claim() returned something: for an AsyncReplayGuard use redeem_async")
        for claim in earlier:
            with suppress(RedeemError):
                self._guard.claim(*claim)
        return voucher

    async def redeem_async(self, text: str, *, now: int | None = None, challenge: Asked = None) -> VerifiedVoucher:
        """The same with an `AsyncReplayGuard`, or with a guard that never waits (as the one in memory)."""
        if self._guard is None:
            raise TypeError("redeem_async needs a Verifier with a guard")
        voucher = self.verify(text, now=now, challenge=challenge)
        first, *earlier = self._judge.claims(voucher)
        await _claim(self._guard, *first)
        for claim in earlier:
            with suppress(RedeemError):
                await _claim(self._guard, *claim)
        return voucher

    def redeem_many(self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Asked = None) -> Verdicts:
        """Verify many tokens and use up those that are accepted: to each what `redeem` would say, one after another.

        So of a token that stands there twice the first is accepted. Nothing is claimed for a text that is refused
        before step 9. A guard that fails refuses with its own code those that it was asked for: what was accepted
        before is used up, and says so. One that is not to be reached is not waited for again: what it was not asked
        for is refused with the same code, and not used up.

        Args:
            texts: as for `verify_many`, and so are the others.

        Raises:
            TypeError: the verifier has no guard, or one for asyncio.
        """
        if self._guard is None or inspect.iscoroutinefunction(self._guard.claim_many):
            raise TypeError("redeem_many needs a ReplayGuard; for an AsyncReplayGuard use redeem_many_async")
        verdicts = self._verdicts(texts, now, challenge, redeem=True)
        refused: dict[int, TokenError] = {}
        parts = self._parts(verdicts, _AT_ONCE)
        for part in parts:
            outcomes: object = self._guard.claim_many([claim for _, claims in part for claim in claims])
            failed = _refused(part, outcomes)
            refused |= failed | _unasked(part, failed, parts)
        return verdicts.refusing(refused)

    async def redeem_many_async(
        self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Asked = None
    ) -> Verdicts:
        """The same with an `AsyncReplayGuard`, or with a guard that never waits (as the one in memory).

        More than a few texts are read and verified in a thread, and others are served between the claims. Cancelled
        before the first claim, it has used up nothing; later, what it had claimed.
        """
        import asyncio  # loaded already by whoever awaits this, and by nobody else

        if self._guard is None:
            raise TypeError("redeem_many_async needs a Verifier with a guard")
        if isinstance(texts, Sized) and len(texts) <= _OFFLOAD_ABOVE:
            verdicts = self._verdicts(texts, now, challenge, redeem=True)
        else:
            verdicts = await asyncio.to_thread(self._verdicts, texts, now, challenge, redeem=True)
        refused: dict[int, TokenError] = {}
        parts = self._parts(verdicts, _AT_ONCE_ON_A_LOOP)
        for part in parts:
            outcomes: object = self._guard.claim_many([claim for _, claims in part for claim in claims])
            failed = _refused(part, await outcomes if inspect.isawaitable(outcomes) else outcomes)
            refused |= failed | _unasked(part, failed, parts)
            await asyncio.sleep(0)  # a guard that never waits does not let others run either
        return verdicts.refusing(refused)

    def _verdicts(
        self, texts: Texts, now: int | Sequence[int] | None, challenge: Asked, *, redeem: bool = False
    ) -> Verdicts:
        """Steps 1 to 8; ``redeem``: every voucher is made, once, and stays what it was when it was judged."""
        if isinstance(texts, str):
            raise TypeError("this takes many texts, not one string")
        batch = self._opener.open_many(texts)
        at = now if isinstance(now, Sequence) else self._now(now)
        if not isinstance(at, int) and len(at) != len(batch):
            raise ValueError(f"{len(at)} times for {len(batch)} texts")

        def judge_one(i: int, opened: Opened) -> VerifiedVoucher:
            return self._judge.voucher(opened, at if isinstance(at, int) else int(at[i]), challenge)

        codes = batch.judge(at, self._judge.skew, self._judge.max_lifetime)
        one_by_one = redeem or self._judge.policies or challenge is not None
        settled: dict[int, Verdict] = {}
        for i in range(len(batch)) if one_by_one else batch.passes:
            verdict: Verdict
            if codes[i] == ACCEPTED or i in batch.passes:
                try:
                    verdict, codes[i] = judge_one(i, batch.opened(i)), ACCEPTED
                except TokenError as error:
                    verdict, codes[i] = error, error.number
                if redeem or i in batch.passes:
                    settled[i] = verdict
        return Verdicts(batch, codes, judge_one, settled)

    def _parts(self, verdicts: Verdicts, at_once: int) -> Iterator[_Part]:
        """What the accepted claim, in order, of so many vouchers at once."""
        accepted = ((i, verdicts[i]) for i, code in enumerate(verdicts.codes) if code == ACCEPTED)
        claims = ((i, self._judge.claims(one)) for i, one in accepted if isinstance(one, VerifiedVoucher))
        while part := list(islice(claims, at_once)):
            yield part

    def _now(self, now: int | None) -> int:
        return int(self._clock() if now is None else now)


async def _claim(guard: ReplayGuard | AsyncReplayGuard, key: bytes, until: int) -> None:
    claimed = guard.claim(key, until)
    if inspect.isawaitable(claimed):
        await claimed


def _refused(part: _Part, outcomes: object) -> dict[int, TokenError]:
    """Whom the guard refused, by place; as in `Verifier.redeem`, an earlier step that was used already is no reason."""
    if not isinstance(outcomes, list) or len(outcomes) != sum(len(claims) for _, claims in part):
        raise TypeError("the guard's claim_many() returns a list, an outcome a claim")
    refused: dict[int, TokenError] = {}
    rest = iter(outcomes)
    for i, claims in part:
        first, *earlier = islice(rest, len(claims))
        for error in (first, *(error for error in earlier if not isinstance(error, RedeemError))):
            if error is not None:
                refused.setdefault(i, error)
    return refused


def _unasked(part: _Part, refused: dict[int, TokenError], rest: Iterator[_Part]) -> dict[int, TokenError]:
    """Refuses the rest by the same error when a store answered nobody of a part: each part more would wait as long."""
    errors = [refused.get(i) for i, _ in part]
    error = errors[-1]
    if error is None or not all(error is not None and error.code in _OUT_OF_REACH for error in errors):
        return {}
    return {i: error for later in rest for i, _ in later}
