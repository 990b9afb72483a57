"""The rotating pass (profile 2): one-time codes from a secret that is derived and never stored (Spec 3.2).

    secret = HKDF-SHA256(master, salt = nonce, info = "ybtoken otp" || identity_ref), 32 bytes   (RFC 5869)
    code   = TOTP(secret), SHA-256, 8 digits, steps of 30 s                                       (RFC 6238)

The phone is given the secret once, when the pass is issued. The verifier derives it anew from its master key and from
what the pass states under the issuer's signature. A verifier that can check a code can also make one, so verify
rotating passes only where the master key may be: online at the platform, never on a terminal.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import NoReturn, Protocol

from ybtoken._checks import LATEST_CLOCK, callback, instance, octets, uint
from ybtoken._forks import new_lock_in_children
from ybtoken.errors import CannotCheckError, OtpError
from ybtoken.keys.by_time import KeysByTime
from ybtoken.tokens import Pass
from ybtoken.voucher import STEP, Profile
from ybtoken.wire.text import OTP_DIGITS, encode_text
from ybtoken.words import Reason

__all__ = ["STEP", "RecordedCodes", "RotatingCodes", "RotatingPass", "one_time_code"]

SECRET_SIZE = 32
"""The size of a pass's secret, in bytes."""

_INFO = b"ybtoken otp"
_CODES: int = 10**OTP_DIGITS
_MIN_MASTER_SIZE = 32
_KEPT = 300  # for so many seconds after a step's end, its counts are kept and recorded scans refused; clocks differ


def one_time_code(secret: bytes, time_step: int) -> str:
    """The code of a step of 30 s since 1970: 8 digits."""
    return f"{_one_time_number(secret, time_step):0{OTP_DIGITS}d}"


def _one_time_number(secret: bytes, time_step: int) -> int:
    """RFC 4226 section 5.3 with SHA-256. pyotp gives the same number and takes three times as long."""
    digest = hmac.digest(secret, time_step.to_bytes(8, "big"), "sha256")
    at = digest[-1] & 0xF
    return (int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF) % _CODES


def _check_master(key: bytes) -> bytes:
    if len(key) < _MIN_MASTER_SIZE:
        raise ValueError(f"a master key has at least {_MIN_MASTER_SIZE} bytes, not {len(key)}")
    return key


class _PassClaims(Protocol):
    """The claims of a pass on which its codes depend."""

    @property
    def nonce(self) -> bytes: ...
    @property
    def identity_ref(self) -> bytes: ...
    @property
    def issued_at(self) -> int: ...


class RotatingCodes:
    """The platform's side of rotating passes: enrols phones, and checks the codes that they show. Thread-safe.

    It also counts wrong codes, so that nobody finds a code by trying. A code is compared with the codes of two steps of
    30 s, and a wrong one counts for both. A step for which a pass has used up its tries is not compared any more, so
    that an attacker has five guesses at each code, whatever the order of the times at which they are made (ADR 0024).
    A pass that has wrong codes at ``40 + 2 * steps_back`` steps is not compared at further ones, because only times
    that the attacker chooses can explain so many.
    Other passes are not affected. Each process has its own counts, a forked one those of its parent at first.

    Args:
        master: the master key, at least 32 secret bytes. If keys are rotated, a mapping: each key by the time (seconds
            since 1970) from which it is in force. That time is the key's id, because a pass uses the key that was in
            force when it was issued. Keep an old key for as long as its passes live. To withdraw a key, put another one
            in its place.
        steps_back: how many steps before the present one are accepted, because a code may be read just after the phone
            changed it; 0 to 120. Later steps are never accepted.
        tries: how many wrong codes of one pass are compared with the code of a step.
        capacity: how many counts are held, at about 150 bytes each. There are two for each pass and step with wrong
            codes. A count is dropped 5 minutes after the end of its step. Beyond the capacity the oldest counts are
            dropped; no pass is refused because of that. One pass has some 40 counts at most (more if ``steps_back`` is
            greater), so that one pass or a few cannot push counts out.
        clock: returns seconds since 1970. It decides when counts end and when a recorded scan is past. If it goes back,
            counts are kept as if it stood still, and a recorded scan is past by what it shows. By default it starts at
            the system's time when this object is made, and continues by the monotonic clock.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds.
    """

    __slots__ = (
        "__weakref__", "_capacity", "_clock", "_counts", "_freed_at", "_held", "_keys", "_latest", "_lock", "_most",
        "_steps", "_tries", "steps_back",
    )  # fmt: skip

    def __init__(
        self,
        master: bytes | Mapping[int, bytes],
        *,
        steps_back: int = 1,
        tries: int = 5,
        capacity: int = 100_000,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._keys = KeysByTime("a master key", master, _check_master)
        self.steps_back = uint("steps_back", steps_back, 120)
        self._tries = uint("tries", tries, minimum=1)
        self._capacity = uint("capacity", capacity, minimum=1)
        self._clock = _steady_clock() if clock is None else callback("clock", clock, "seconds since 1970")
        self._lock = Lock()
        self._latest = 0
        self._freed_at = 0
        self._held = 0
        self._counts: dict[int, _Counts] = {}  # by step
        self._steps: dict[bytes, int] = {}  # by pass, at how many steps it has counts
        # With a right clock, a pass that is attacked without end has 13 + 2 * steps_back. The others allow for a
        # verifier whose clock is ahead of this one by some minutes.
        self._most = 40 + 2 * self.steps_back
        new_lock_in_children(self)

    def enrol(self, issued: Pass) -> RotatingPass:
        """The pass with its secret, for the phone. Hand it over once, encrypted, and keep no copy of the secret."""
        instance("issued", issued, Pass, "a Pass from Issuer.issue_rotating_pass")
        if issued.voucher.profile is not Profile.ROTATING:
            raise ValueError("this is no rotating pass")
        return RotatingPass(issued.data, self._secret(issued.voucher))

    def window(self, step: int) -> int:
        """The time (seconds since 1970) from which a verifier with the right time refuses the code of a step."""
        return (step + self.steps_back + 1) * STEP

    def earliest(self, now: int) -> int:
        """The first step whose code is accepted at a time."""
        return max(now // STEP - self.steps_back, 0)

    def check(self, claims: _PassClaims, kid: bytes, otp: str, now: int) -> int:
        """Check the code that was shown with a pass, in constant time.

        Args:
            claims: the claims of the pass, whose signature is good.
            kid: the id of the issuer's key.
            otp: the code that was shown, 8 digits.
            now: seconds since 1970.

        Returns:
            The step of 30 s since 1970 to which the code belongs.

        Raises:
            OtpError: the code is wrong (the facts state the time, and the first and the last step with whose codes it
                was compared; steps that are used up are left out), or too many wrong codes of this pass were tried
                (they state the steps whose codes would be accepted).
            CannotCheckError: no master key was in force when the pass was issued.
        """
        secret, key = self._secret(claims), kid + claims.nonce
        steps = range(self.earliest(now), now // STEP + 1)
        with self._lock:  # held while comparing too, because otherwise each thread could try one code more
            self._free()
            is_full = self._steps.get(key, 0) >= self._most  # then only steps that have a count are compared
            counted = ((step, self._count(step, key)) for step in steps)
            compared = [step for step, count in counted if count < self._tries and (count or not is_full)]
            found = _step_of(secret, otp, compared)
            if found < 0:
                for step in compared:
                    self._count_wrong(step, key)
        if not compared:
            raise OtpError("otp.throttled", wrong=self._tries, **_looked_at(steps, now))
        if found < 0:
            raise OtpError("otp.wrong", **_looked_at(compared, now))
        return found

    def recorded(self) -> RecordedCodes:
        """A checker for recorded scans, which counts nothing and does not compare codes that are still valid."""
        return RecordedCodes(self)

    def _now(self) -> int:
        now = int(self._clock())
        if not 0 <= now <= LATEST_CLOCK:
            raise ValueError(f"the clock is 0 to 2**33 - 1 seconds since 1970, not {now}; is it in milliseconds?")
        return now

    def _count(self, step: int, key: bytes) -> int:
        counts = self._counts.get(step)
        return 0 if counts is None else counts.wrong.get(key, 0)

    def _count_wrong(self, step: int, key: bytes) -> None:
        counts = self._counts.setdefault(step, _Counts())
        # A verifier's clock may be far from this one, and its caller may pass any time. The count of a future step
        # lasts until the step is past; the count of a past step lasts as long as a right clock would accept the step.
        counts.end = max(self.window(step), self._latest + (self.steps_back + 1) * STEP) + _KEPT
        if key not in counts.wrong:
            self._held += 1
            self._steps[key] = self._steps.get(key, 0) + 1
        counts.wrong[key] = counts.wrong.get(key, 0) + 1
        if self._held > self._capacity:
            oldest = next(iter(self._counts))
            wrong = self._counts[oldest].wrong
            dropped = next(iter(wrong))
            del wrong[dropped]
            self._forget([dropped])
            if not wrong:
                del self._counts[oldest]

    def _forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self._held -= 1
            self._steps[key] -= 1
            if not self._steps[key]:
                del self._steps[key]

    def _free(self) -> None:
        self._latest = now = max(self._latest, self._now())
        if now < self._freed_at + STEP:
            return
        self._freed_at = now
        for step in [step for step, counts in self._counts.items() if counts.end <= now]:
            self._forget(self._counts.pop(step).wrong)

    def _secret(self, claims: _PassClaims) -> bytes:
        master = self._keys.at(claims.issued_at)
        if master is None:
            reason = Reason("no master key was in force when the pass was issued", "签发该凭证时没有主密钥在用")
            raise CannotCheckError("otp.unavailable", reason=reason)
        # RFC 5869: extract, then one block of expand, which gives the 32 bytes.
        extracted = hmac.digest(claims.nonce, master, "sha256")
        return hmac.digest(extracted, _INFO + claims.identity_ref + b"\x01", "sha256")

    def __repr__(self) -> str:
        return f"RotatingCodes({len(self._keys)} keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("this holds master keys and is not pickled or copied")


class RecordedCodes:
    """Checks the codes of `RotatingCodes` in recorded scans; a verifier uses it if it is given ``recorded=True``.

    It counts nothing, so that repeating the verification of a recorded day gives the same verdicts. An attacker could
    use that to try codes without limit. Therefore a scan is refused (``otp.unavailable``) until no right clock accepts
    any code with which it is compared.
    """

    __slots__ = ("_codes", "earliest", "window")

    def __init__(self, codes: RotatingCodes) -> None:
        self._codes = codes
        self.window, self.earliest = codes.window, codes.earliest

    def check(self, claims: _PassClaims, kid: bytes, otp: str, now: int) -> int:
        """See `RotatingCodes.check`."""
        codes, steps = self._codes, range(self.earliest(now), now // STEP + 1)
        # The clock as it is now, and not the latest time that it ever showed: after a clock that was ahead is right
        # again, codes that are still good would be compared without a count.
        wait = self.window(steps[-1]) + _KEPT - codes._now()
        if wait > 0:
            reason = Reason(
                f"recorded too recently: it can be checked in {wait} s", f"扫码时间距今太近：{wait} 秒后方可校验"
            )
            raise CannotCheckError("otp.unavailable", reason=reason)
        found = _step_of(codes._secret(claims), otp, steps)
        if found < 0:
            raise OtpError("otp.wrong", **_looked_at(steps, now))
        return found

    def recorded(self) -> RecordedCodes:
        """Itself."""
        return self


class _Counts:
    """The wrong codes that were compared with those of one step, by pass; ``end`` is when they are dropped."""

    __slots__ = ("end", "wrong")

    def __init__(self) -> None:
        self.end = 0
        self.wrong: dict[bytes, int] = {}


def _step_of(secret: bytes, otp: str, steps: Iterable[int]) -> int:
    """The last of the steps whose code was shown; -1 if there is none. All are compared, each in full."""
    shown, found = int(otp).to_bytes(4, "big"), -1
    for step in steps:
        if hmac.compare_digest(_one_time_number(secret, step).to_bytes(4, "big"), shown):
            found = step
    return found


def _looked_at(steps: Sequence[int], now: int) -> dict[str, int]:
    """Facts of an error: the time, the first and last of some steps, and the seconds until the next step begins."""
    return {"now": now, "first_step": steps[0], "last_step": steps[-1], "next_in": STEP - now % STEP}


def _steady_clock() -> Callable[[], float]:
    """The system's time now, continued by the monotonic clock, which cannot be set."""
    base = time.time() - time.monotonic()
    return lambda: base + time.monotonic()


class RotatingPass:
    """A rotating pass on its phone: shows another code every 30 seconds, offline.

    Args:
        data: the bytes of the pass, from the issuer.
        secret: 32 bytes, from `RotatingCodes.enrol`. Anyone who copies it can show the pass, so keep it in the phone's
            key store.
        clock: returns seconds since 1970, by the phone's clock.
    """

    __slots__ = ("_clock", "data", "secret")

    def __init__(self, data: bytes, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self.data = instance("data", data, bytes, "the bytes of a pass")
        self.secret = octets("secret", secret, range(SECRET_SIZE, SECRET_SIZE + 1))
        self._clock = callback("clock", clock, "seconds since 1970")

    def present(self, *, now: int | None = None) -> str:
        """The text to show now. It changes every 30 seconds.

        Args:
            now: seconds since 1970. Without it the pass reads its clock.
        """
        at = int(self._clock() if now is None else now)
        return encode_text(Profile.ROTATING, self.data, one_time_code(self.secret, at // STEP))

    def __repr__(self) -> str:
        return f"RotatingPass({len(self.data)} bytes)"
