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
from collections.abc import Callable, Mapping
from threading import Lock
from typing import NoReturn, Protocol

from ybtoken._checks import callback, instance, octets, uint
from ybtoken.errors import CannotCheckError, OtpError
from ybtoken.keys.by_time import KeysByTime
from ybtoken.tokens import Pass
from ybtoken.voucher import STEP, Profile
from ybtoken.wire.text import OTP_DIGITS, encode_text

__all__ = ["STEP", "RotatingCodes", "RotatingPass", "one_time_code"]

SECRET_SIZE = 32
"""The size of a pass's secret, in bytes."""

_INFO = b"ybtoken otp"
_CODES: int = 10**OTP_DIGITS
_MIN_MASTER_SIZE = 32


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
    """The claims of a pass that a code depends on."""

    @property
    def nonce(self) -> bytes: ...
    @property
    def identity_ref(self) -> bytes: ...
    @property
    def issued_at(self) -> int: ...


class RotatingCodes:
    """The platform's side of rotating passes: enrols phones, and checks the codes that they show. Thread-safe.

    It also counts wrong codes, so that nobody finds a code by trying. If too many codes of one pass were wrong within a
    step of 30 s, that pass is refused for the rest of the step; other passes are not affected. Each process has its own
    counts.

    Args:
        master: the master key, at least 32 secret bytes. If keys are rotated, a mapping: each key by the time (seconds
            since 1970) from which it is in force. That time is the key's id, because a pass uses the key that was in
            force when it was issued. Keep an old key for as long as its passes live. To withdraw a key, put another one
            in its place.
        steps_back: how many steps before the present one are accepted, because a code may be read just after the phone
            changed it. Later steps are never accepted.
        tries: how many wrong codes of one pass are compared within a step before the pass is refused.
        capacity: the number of passes whose wrong codes are counted within a step, at about 150 bytes each. Beyond it
            the oldest counts are dropped, and no pass is refused because of it.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds.
    """

    __slots__ = ("_capacity", "_keys", "_lock", "_step", "_tries", "_wrong", "steps_back")

    def __init__(
        self,
        master: bytes | Mapping[int, bytes],
        *,
        steps_back: int = 1,
        tries: int = 5,
        capacity: int = 100_000,
    ) -> None:
        self._keys = KeysByTime("a master key", master, _check_master)
        self.steps_back = uint("steps_back", steps_back)
        self._tries = uint("tries", tries, minimum=1)
        self._capacity = uint("capacity", capacity, minimum=1)
        self._lock = Lock()
        self._step = 0
        self._wrong: dict[bytes, int] = {}  # wrong codes by pass, in the present step only

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
        """Check the code that a pass was shown with, in constant time.

        Args:
            claims: the claims of the pass, whose signature was good.
            kid: the id of the issuer's key.
            otp: the code that was shown, 8 digits.
            now: seconds since 1970.

        Returns:
            The step of 30 s since 1970 that the code is of.

        Raises:
            OtpError: the code is wrong, or too many codes of this pass were.
            CannotCheckError: no master key was in force when the pass was issued.
        """
        secret = self._secret(claims)
        present, shown, found = now // STEP, int(otp).to_bytes(4, "big"), -1
        key = kid + claims.nonce
        with self._lock:
            if present != self._step:
                self._step = present
                self._wrong.clear()
            wrong = self._wrong.get(key, 0)
        if wrong >= self._tries:
            raise OtpError("otp.throttled", wrong=wrong)
        for step in range(self.earliest(now), present + 1):
            if hmac.compare_digest(_one_time_number(secret, step).to_bytes(4, "big"), shown):
                found = step
        if found < 0:
            self._count(key)
            raise OtpError("otp.wrong")
        return found

    def _count(self, key: bytes) -> None:
        with self._lock:
            self._wrong[key] = self._wrong.get(key, 0) + 1
            if len(self._wrong) > self._capacity:
                del self._wrong[next(iter(self._wrong))]

    def _secret(self, claims: _PassClaims) -> bytes:
        master = self._keys.at(claims.issued_at)
        if master is None:
            raise CannotCheckError("otp.unavailable", reason="no master key was in force when the pass was issued")
        # RFC 5869: extract, then the one block of expand that 32 bytes take.
        extracted = hmac.digest(claims.nonce, master, "sha256")
        return hmac.digest(extracted, _INFO + claims.identity_ref + b"\x01", "sha256")

    def __repr__(self) -> str:
        return f"RotatingCodes({len(self._keys)} keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("this holds master keys and is not pickled or copied")


class RotatingPass:
    """A rotating pass on its phone: shows another code every 30 seconds, offline.

    Args:
        data: the bytes of the pass, from the issuer.
        secret: 32 bytes, from `RotatingCodes.enrol`. Anybody who copies it can show the pass, so keep it in the phone's
            key store.
        clock: returns seconds since 1970, by the phone's clock.
    """

    __slots__ = ("_clock", "data", "secret")

    def __init__(self, data: bytes, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self.data = instance("data", data, bytes, "the bytes of a pass")
        self.secret = octets("secret", secret, range(SECRET_SIZE, SECRET_SIZE + 1))
        self._clock = callback("clock", clock, "seconds since 1970")

    def present(self, *, now: int | None = None) -> str:
        """The text to show now. It changes at every full half minute.

        Args:
            now: seconds since 1970. Without it the pass reads its clock.
        """
        at = int(self._clock() if now is None else now)
        return encode_text(Profile.ROTATING, self.data, one_time_code(self.secret, at // STEP))

    def __repr__(self) -> str:
        return f"RotatingPass({len(self.data)} bytes)"
