"""The verifier: the order of the checks is its rule (Spec 4), and the numbers here are the spec's.

1 text, 2 envelope, 3 key, 4 signature, 5 claims,    an engine: the clock is an argument; pure but for one thing, that
6 time, 7 issuer scope                               wrong one-time codes of a rotating pass are counted
8 policy                                             judging: pure
9 redeem                                             the only I/O, and last: a bad token never burns a nonce
"""

from __future__ import annotations

import inspect
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, TypeAlias

from ybtoken._checks import LATEST_CLOCK, callback, duration, exact_string, instance
from ybtoken.engines.protocols import Engine
from ybtoken.engines.serial import SerialEngine
from ybtoken.engines.texts import Held, Texts, held, texts_of
from ybtoken.engines.time_and_scope import Limits, OneTimeCodes
from ybtoken.errors import TextError, TokenError
from ybtoken.judging.judge import Judge
from ybtoken.judging.redemption import check_reach, drive, drive_async, redemption
from ybtoken.judging.verdicts import Verdict, Verdicts
from ybtoken.keys.ring import KeyRing, Use
from ybtoken.passes.challenge import Challenge
from ybtoken.policy import Policy
from ybtoken.refusals import ACCEPTED
from ybtoken.replay.protocols import AsyncReplayGuard, ReplayGuard
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import Note
from ybtoken.wire.text import MAX_TEXT

__all__ = ["Challenges", "Verifier"]

Challenges: TypeAlias = Challenge | list[Challenge | None] | tuple[Challenge | None, ...] | None
"""What was asked: of all texts, or of each."""

_LONGEST_LINE = 4 * (MAX_TEXT + 1)  # bytes that hold more than MAX_TEXT characters, whichever they are
_MOST_LINES = 1 << 14
_OFFLOAD_ABOVE = 8  # texts; verifying more takes long enough to be worth a thread; engines may state another number
_UPPER_HALF = 1 if sys.byteorder == "little" else 0  # of a time in 64 bits, which is all ones if the time is negative
# Vouchers whose claims go to the guard together. Redis takes most a second in long pipelines, but a client makes one of
# 64 in 4 ms, and others on the event loop wait for that.
_CHUNK, _CHUNK_ON_A_LOOP = 1024, 64


class Verifier:
    """Verifies and redeems vouchers; immutable, and safe to share between threads.

    Args:
        keys: the public keys that are trusted.
        guard: where redeemed tokens are remembered; needed to `redeem`. A guard remembers a display for 240 seconds
            after its signed end, so with one ``max_display_age + 3 * skew`` is at most 240 seconds, and so is
            ``30 * (steps_back + 1) + 3 * skew`` with the ``steps_back`` of ``otp``.
        policies: conditions beyond the format; all must accept.
        engine: what does steps 1 to 7; `SerialEngine` if it is not given.
        skew: by how many seconds the clocks of issuer and verifier may differ, in either direction.
        max_lifetime: refuse vouchers (profile 1) that are valid for more seconds than this.
        max_pass_lifetime: the same for passes (profiles 2 and 3).
        max_display_age: for how many seconds what a phone signed (profile 3) is accepted after it was shown.
        otp: checks the one-time codes of rotating passes (profile 2), which are refused without it.
        clock: returns seconds since 1970. A call reads it once, unless it is given its own ``now``.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds; the message says what is expected.
    """

    __slots__ = (
        "_clock",
        "_guard",
        "_guard_is_async",
        "_guard_waits",
        "_judge",
        "_limits",
        "_offload_above",
        "_opener",
        "_recorded",
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
        otp: OneTimeCodes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        instance("keys", keys, KeyRing, "a KeyRing")
        if keys.use is not Use.TOKENS:
            raise ValueError("these keys are for status lists and sign no tokens")
        if isinstance(policies, Policy) or not isinstance(policies, Iterable):
            raise TypeError("policies is a list of policies: put the one policy into a list")
        self._limits = Limits(
            duration("skew", skew),
            duration("max_lifetime", max_lifetime, minimum=1),
            duration("max_pass_lifetime", max_pass_lifetime, minimum=1),
            duration("max_display_age", max_display_age, minimum=1),
            otp if otp is None else instance("otp", otp, OneTimeCodes, "a RotatingCodes"),
        )
        self._recorded = self._limits if otp is None else self._limits._replace(one_time_codes=otp.recorded())
        checked = [instance("a policy", policy, Policy, "an object with check(voucher, now)") for policy in policies]
        self._judge = Judge(tuple(checked), self._limits)
        if guard is not None:
            kinds = (ReplayGuard, AsyncReplayGuard)
            instance("guard", guard, kinds, "a ReplayGuard or an AsyncReplayGuard, such as MemoryReplayGuard()")
            check_reach(self._limits)
        self._guard = guard
        self._guard_is_async = guard is not None and inspect.iscoroutinefunction(guard.claim_many)
        self._guard_waits = not self._guard_is_async and bool(getattr(guard, "waits", True))
        self._clock = callback("clock", clock, "seconds since 1970")
        if engine is None:
            engine = SerialEngine()
        self._opener = instance("engine", engine, Engine, "an engine, such as NativeEngine()").prepare(keys)
        self._offload_above: int = getattr(engine, "offload_above", _OFFLOAD_ABOVE)

    @property
    def keys(self) -> KeyRing:
        """The public keys that are trusted."""
        return self._opener.keys

    @property
    def guard(self) -> ReplayGuard | AsyncReplayGuard | None:
        """Where redeemed tokens are remembered."""
        return self._guard

    @property
    def guard_waits(self) -> bool:
        """Whether a claim may wait for a store, so that it is awaited, or made in a thread, on an event loop."""
        return self._guard_is_async or self._guard_waits

    def verify(
        self, text: str, *, now: int | None = None, challenge: Challenge | None = None, recorded: bool = False
    ) -> VerifiedVoucher:
        """Verify one token: steps 1 to 8. This can be repeated, and does not use the token up.

        A verified token may have been shown before; only `redeem` accepts each display once.

        Args:
            text: the one exact spelling; see `normalize_scan` for what a scanner returns.
            now: seconds since 1970. Without it the verifier reads its clock.
            challenge: what this terminal asked. Only a device-bound pass that answers it is then accepted. Without a
                challenge, a code that answers one is refused, because it was made for another terminal.
            recorded: whether a terminal has accepted this text before, and it is verified again. The challenge is no
                longer known then, so an answer to any challenge is accepted and ``challenge`` must not be given. Wrong
                one-time codes are not counted, and a rotating pass is refused until its code has been invalid for 5
                minutes.

        Raises:
            TokenError: the token is refused.
        """
        text = _text(text)
        at = self._now(now)
        if challenge is not None:
            _check_challenge(challenge, recorded=recorded)
        opened = self._opener.open(text, self._recorded if recorded else self._limits, at)
        return self._judge.voucher(opened, at, challenge, recorded=recorded)

    def verify_many(
        self,
        texts: Texts,
        *,
        now: int | Sequence[int] | None = None,
        challenge: Challenges = None,
        recorded: bool = False,
    ) -> Verdicts:
        """Verify many tokens: one verdict for each, in order; a bad token raises nothing.

        Args:
            texts: strings or byte strings; an Arrow array of them; or one buffer of lines, each ended by a line feed.
            now: in seconds since 1970, one time for all or one for each. Without it the verifier reads its clock once.
            challenge: one for all, as for `verify`; or one for each, ``None`` where the terminal asked nothing.
            recorded: as for `verify`.

        Raises:
            ValueError: ``challenge`` has an entry for each text, and there are more or fewer texts.
        """
        texts = held(texts)
        asked = _each_challenge(challenge, recorded=recorded)
        limits = self._recorded if recorded else self._limits
        batch = self._opener.open_many(texts, limits, self._times(now))
        if isinstance(asked, (list, tuple)) and len(asked) != len(batch):
            raise ValueError(f"challenge has one entry for each text: {len(batch)}, not {len(asked)}")
        refused: dict[int, TokenError] = {}
        notes: dict[int, tuple[Note, ...]] = {}
        # Without policies and challenge, step 8 only concerns passes, because a pass may answer a challenge.
        for i in range(len(batch)) if self._judge.policies or challenge is not None else batch.passes:
            if batch.codes[i] == ACCEPTED:
                at, one = batch.now_of(i), asked[i] if isinstance(asked, (list, tuple)) else asked
                try:
                    voucher = self._judge.voucher(batch.opened(i), at, one, recorded=recorded)
                except TokenError as error:
                    refused[i] = error
                else:
                    if voucher.notes:
                        notes[i] = voucher.notes
        return Verdicts(batch, self._judge, refused, notes)

    async def verify_many_async(
        self,
        texts: Texts,
        *,
        now: int | Sequence[int] | None = None,
        challenge: Challenges = None,
        recorded: bool = False,
    ) -> Verdicts:
        """The same for asyncio: more than a few texts are verified in a thread, and other tasks run meanwhile."""
        import asyncio  # a caller that awaits this has loaded it already, and others do not need it

        texts = held(texts)
        if type(texts) is Held and len(texts) <= self._offload_above:
            return self.verify_many(texts, now=now, challenge=challenge, recorded=recorded)
        return await asyncio.to_thread(self.verify_many, texts, now=now, challenge=challenge, recorded=recorded)

    def verify_lines(
        self,
        file: BinaryIO,
        *,
        now: int | None = None,
        challenge: Challenge | None = None,
        recorded: bool = False,
        chunk_bytes: int = 4 << 20,
    ) -> Iterator[Verdicts]:
        """Verify a file of lines, however long, in memory that depends on ``chunk_bytes`` only.

        Args:
            file: open for reading bytes. A line ends with a line feed and nothing else; the last may lack it.
            now: in seconds since 1970, for all. Without it the verifier reads its clock for each chunk.
            challenge: one for all, as for `verify`.
            recorded: as for `verify`.
            chunk_bytes: how much is read at a time: some 12,000 texts of the usual length by default. At most 16,384
                lines are verified together, because an empty line takes as much memory as any.

        Yields:
            The verdicts of the next lines, in order.
        """
        if chunk_bytes < 1:
            raise ValueError("chunk_bytes is at least 1")
        rest = b""
        while block := file.read(chunk_bytes):
            lines, ended, tail = block.rpartition(b"\n")
            if ended:
                for part in _parts(rest + lines + ended):
                    yield self.verify_many(part, now=now, challenge=challenge, recorded=recorded)
                rest = b""
            # If a line has no end yet, keep only as much as shows that it is too long.
            rest = (rest + tail[:_LONGEST_LINE])[:_LONGEST_LINE]
        if rest:
            yield self.verify_many(rest, now=now, challenge=challenge, recorded=recorded)

    def redeem(self, text: str, *, now: int | None = None, challenge: Challenge | None = None) -> VerifiedVoucher:
        """Verify one token and use it up: steps 1 to 9. Of several calls for one display, one returns.

        Args:
            text: the text; all arguments are those of `verify`.

        Raises:
            TokenError: the token is refused.
            TypeError: the verifier has no guard, or one for asyncio.
        """
        guard = self._sync_guard("redeem")
        voucher = self.verify(text, now=now, challenge=challenge)
        return _accepted(voucher, drive(guard, redemption([(0, voucher, text)], self._limits, 1)))

    async def redeem_async(
        self, text: str, *, now: int | None = None, challenge: Challenge | None = None
    ) -> VerifiedVoucher:
        """The same with an `AsyncReplayGuard`, or with a `ReplayGuard`.

        A `ReplayGuard` is called in a thread, so that nobody on the event loop waits for its store, unless its
        ``waits`` is false (as that of the one in memory).
        """
        guard = self._any_guard("redeem_async")
        voucher = self.verify(text, now=now, challenge=challenge)
        return _accepted(
            voucher, await drive_async(guard, self._guard_waits, redemption([(0, voucher, text)], self._limits, 1))
        )

    def redeem_many(
        self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Challenges = None
    ) -> Verdicts:
        """Verify many tokens and use up those that are accepted, with the verdicts of `redeem` on one after another.

        A token that occurs twice is accepted the first time. Nothing is claimed for a text that is refused before step
        9. If the guard fails, the texts that it was asked for are refused with its error, and what was accepted before
        stays used up. If the guard cannot be reached, it is not asked again: the remaining texts are refused with the
        same error, and are not used up.

        Args:
            texts: the texts; all arguments are those of `verify_many`.

        Raises:
            TypeError: the verifier has no guard, or one for asyncio.
        """
        guard = self._sync_guard("redeem_many")
        texts = held(texts)
        verdicts = self.verify_many(texts, now=now, challenge=challenge)
        return verdicts.refusing(drive(guard, redemption(_accepted_of(verdicts, texts), self._limits, _CHUNK)))

    async def redeem_many_async(
        self, texts: Texts, *, now: int | Sequence[int] | None = None, challenge: Challenges = None
    ) -> Verdicts:
        """The same with an `AsyncReplayGuard`, or with a `ReplayGuard`, which is called as by `redeem_async`.

        More than a few texts are read and verified in a thread, and other tasks run between the claims. If it is
        cancelled before the first claim, nothing is used up; later, what was claimed by then.
        """
        guard = self._any_guard("redeem_many_async")
        texts = held(texts)
        verdicts = await self.verify_many_async(texts, now=now, challenge=challenge)
        redeeming = redemption(_accepted_of(verdicts, texts), self._limits, _CHUNK_ON_A_LOOP)
        return verdicts.refusing(await drive_async(guard, self._guard_waits, redeeming))

    async def claim_verified(self, verdicts: Iterable[Verdict], texts: Iterable[str]) -> list[Verdict]:
        """Step 9 alone: use up what this verifier has accepted just now. `redeem_many_async` does steps 1 to 9.

        Args:
            verdicts: of `verify` or `verify_many`.
            texts: the same texts, in the same order.

        Returns:
            The verdicts, with a refusal in place of each voucher that was used before.

        Raises:
            TypeError: the verifier has no guard.
        """
        guard, outcomes = self._any_guard("claim_verified"), list(verdicts)
        accepted = [
            (i, verdict, text)
            for i, (verdict, text) in enumerate(zip(outcomes, texts, strict=True))
            if isinstance(verdict, VerifiedVoucher)
        ]
        refused = await drive_async(guard, self._guard_waits, redemption(accepted, self._limits, _CHUNK_ON_A_LOOP))
        for i, error in refused.items():
            outcomes[i] = error
        return outcomes

    def _sync_guard(self, call: str) -> ReplayGuard:
        if self._guard is None or self._guard_is_async:
            raise TypeError(f"{call} needs a Verifier with a ReplayGuard; for an AsyncReplayGuard use {call}_async")
        return self._guard  # type: ignore[return-value]  # settled in the constructor

    def _any_guard(self, call: str) -> ReplayGuard | AsyncReplayGuard:
        if self._guard is None:
            raise TypeError(f"{call} needs a Verifier with a guard")
        return self._guard

    def _now(self, now: int | None) -> int:
        at = int(self._clock()) if now is None else now
        if type(at) is not int and (isinstance(at, bool) or not isinstance(at, int)):
            raise TypeError(f"now is a time in whole seconds since 1970 (an int), not {type(at).__name__}")
        if not 0 <= at <= LATEST_CLOCK:
            name = "the clock" if now is None else "now"
            raise ValueError(f"{name} is 0 to 2**33 - 1 seconds since 1970, not {at}; is it in milliseconds?")
        return at if type(at) is int else int.__index__(at)

    def _times(self, now: int | Sequence[int] | None) -> int | Sequence[int]:
        if now is None or isinstance(now, int) or not isinstance(now, (Sequence, array)):
            return self._now(now)
        try:
            times = array("q", now)
        except OverflowError:
            raise ValueError("every time in now is 0 to 2**33 - 1 seconds since 1970") from None
        except TypeError as error:
            raise TypeError(f"now is one time for each text, in whole seconds since 1970: {error}") from None
        if times and max(memoryview(times).cast("B").cast("I")[_UPPER_HALF::2]) > LATEST_CLOCK >> 32:
            raise ValueError("every time in now is 0 to 2**33 - 1 seconds since 1970; are they milliseconds?")
        return times


def _parts(lines: bytes) -> Iterator[bytes]:
    """The lines of a buffer, at most so many together."""
    if lines.count(b"\n") <= _MOST_LINES:
        yield lines
        return
    start = 0
    while start < len(lines):
        end = start
        for _ in range(_MOST_LINES):
            if not (end := lines.find(b"\n", end) + 1):
                end = len(lines)
                break
        yield lines[start:end]
        start = end


def _text(text: str) -> str:
    if type(text) is not str:
        if not isinstance(text, str):
            raise TypeError(f"a text is a str, not {type(text).__name__}")
        text = exact_string(text)
    if len(text) > MAX_TEXT:  # step 1, here and not in an engine: it costs least
        raise TextError("text.length")
    return text


def _check_challenge(challenge: object, *, recorded: bool) -> None:
    if challenge is None:
        return
    if not isinstance(challenge, Challenge):
        raise TypeError(f"challenge is a Challenge, not {type(challenge).__name__}")
    if recorded:  # one of the two would be ignored
        raise ValueError("challenge is for a terminal that asked; recorded=True accepts an answer to any challenge")


def _each_challenge(challenge: Challenges, *, recorded: bool) -> Challenges:
    """One challenge for all texts, or a list with one for each, after a look at the type of each."""
    if isinstance(challenge, (list, tuple)):
        for one in challenge:
            _check_challenge(one, recorded=recorded)
    else:
        _check_challenge(challenge, recorded=recorded)
    return challenge


def _accepted(voucher: VerifiedVoucher, refused: dict[int, TokenError]) -> VerifiedVoucher:
    for error in refused.values():
        raise error
    return voucher


def _accepted_of(verdicts: Verdicts, texts: Texts) -> Iterator[tuple[int, VerifiedVoucher, str]]:
    for i, (code, text) in enumerate(zip(verdicts.codes, texts_of(texts), strict=True)):
        if code == ACCEPTED:
            voucher = verdicts[i]
            assert isinstance(voucher, VerifiedVoucher)
            yield i, voucher, text
