"""The rotating pass (profile 2): one-time codes from a secret that is derived and never stored (Spec 3.2).

    secret = HKDF-SHA256(master, salt = nonce, info = "ybtoken otp" || identity_ref), 32 bytes   (RFC 5869)
    code   = TOTP(secret), SHA-256, 8 digits, steps of 30 s                                       (RFC 6238)

The phone is given the secret once, when the pass is issued; the verifier derives it anew from its master key and what
the pass states under the issuer's signature. Who can check a code can make one: verify rotating passes only where the
master key may be, which is online at the platform, never on a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from threading import Lock
from typing import TYPE_CHECKING, NoReturn, Protocol

from ybtoken.errors import CannotCheckError, OtpError
from ybtoken.keys.by_time import KeysByTime
from ybtoken.voucher import Profile
from ybtoken.wire.text import OTP_DIGITS, encode_text

if TYPE_CHECKING:
    from ybtoken.tokens import Pass

__all__ = ["STEP", "RotatingCodes", "RotatingPass", "one_time_code"]

STEP = 30
"""Seconds for which a code stands."""
SECRET_SIZE = 32

_INFO = b"ybtoken otp"
_CODES: int = 10**OTP_DIGITS
_MIN_MASTER_SIZE = 32


def one_time_code(secret: bytes, time_step: int) -> str:
    """The code of a step of 30 s since 1970: 8 digits."""
    return f"{_one_time_number(secret, time_step):0{OTP_DIGITS}d}"


def _one_time_number(secret: bytes, time_step: int) -> int:
    """RFC 4226 section 5.3, with RFC 6238's hash; pyotp's takes three times as long, and gives the same."""
    digest = _hmac(secret, time_step.to_bytes(8, "big"))
    at = digest[-1] & 0xF
    return (int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF) % _CODES


_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def _hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 with a key of at most one block (RFC 2104); hmac.digest takes half as long again."""
    padded = key.ljust(_BLOCK, b"\0")
    return sha256(padded.translate(_OUTER) + sha256(padded.translate(_INNER) + message).digest()).digest()


def _check_master(key: bytes) -> bytes:
    if len(key) < _MIN_MASTER_SIZE:
        raise ValueError(f"a master key has at least {_MIN_MASTER_SIZE} bytes, not {len(key)}")
    return key


class _PassClaims(Protocol):
    """What is read of a pass: of its voucher, or of its claims."""

    @property
    def nonce(self) -> bytes: ...
    @property
    def identity_ref(self) -> bytes: ...
    @property
    def issued_at(self) -> int: ...


class RotatingCodes:
    """The platform's side: enrols phones, and checks the codes they show. Thread-safe.

    It also counts wrong codes, so that nobody finds one by trying: when too many of one pass were wrong within a step,
    that pass is refused for the rest of it, and no other. A process counts for itself.

    Args:
        master: the master key, at least 32 secret bytes; or, where keys are rotated, each key by the time (seconds
            since 1970) from which it is in force. That time is the key's id: a pass uses the key that was in force when
            it was issued. Old keys stay for as long as passes live; a key that is withdrawn is replaced by another.
        steps_back: how many steps before the present one are accepted: for a code that was shown just before it
            changed. None ahead are.
        tries: how many wrong codes of one pass are looked at within a step.
        capacity: for how many passes wrong codes are counted within a step, about 150 bytes each; beyond it the counts
            that began first are dropped, and nobody is refused for it.
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
        if steps_back < 0 or tries < 1 or capacity < 1:
            raise ValueError("steps_back is at least 0, tries and capacity at least 1")
        self.steps_back = steps_back
        self._tries = tries
        self._capacity = capacity
        self._lock = Lock()
        self._step = 0
        self._wrong: dict[bytes, int] = {}  # wrong codes by pass, in the present step only

    def enrol(self, issued: Pass) -> RotatingPass:
        """The pass with its secret, for the phone; hand it over once, encrypted, and keep nothing."""
        if issued.voucher.profile is not Profile.ROTATING:
            raise ValueError("this is no rotating pass")
        return RotatingPass(issued.data, self._secret(issued.voucher))

    def window(self, step: int) -> int:
        """From which time on (seconds since 1970) the code of a step is refused by a clock that is right."""
        return (step + self.steps_back + 1) * STEP

    def earliest(self, now: int) -> int:
        """The first step whose code is accepted at a time."""
        return max(now // STEP - self.steps_back, 0)

    def check(self, claims: _PassClaims, kid: bytes, otp: str, now: int) -> int:
        """Check the code that a pass was shown with, in constant time.

        Args:
            claims: the pass's claims, from under a good signature.
            kid: the id of the issuer's key.
            otp: the code that was shown, 8 digits.
            now: seconds since 1970.

        Returns:
            The step of 30 s since 1970 that the code is of.

        Raises:
            OtpError: the code is wrong, or too many were.
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
            if compare_digest(_one_time_number(secret, step).to_bytes(4, "big"), shown):
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
        extracted = _hmac(claims.nonce, master)
        return _hmac(extracted, _INFO + claims.identity_ref + b"\x01")

    def __repr__(self) -> str:
        return f"RotatingCodes({len(self._keys)} keys)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("this holds master keys and is not pickled or copied")


class RotatingPass:
    """A rotating pass on its phone: shows another code every 30 seconds, offline.

    Args:
        data: the pass, as the issuer gave it out.
        secret: 32 bytes, from `RotatingCodes.enrol`. Whoever copies it can show the pass: keep it in the phone's key
            store.
        clock: seconds since 1970; the phone's.
    """

    __slots__ = ("_clock", "data", "secret")

    def __init__(self, data: bytes, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        if len(secret) != SECRET_SIZE:
            raise ValueError(f"a secret is {SECRET_SIZE} bytes")
        self.data = data
        self.secret = secret
        self._clock = clock

    def present(self, *, now: int | None = None) -> str:
        """The text to show now; it changes at every full half minute.

        Args:
            now: seconds since 1970; the phone's clock if it is not given.
        """
        at = int(self._clock() if now is None else now)
        return encode_text(Profile.ROTATING, self.data, one_time_code(self.secret, at // STEP))

    def __repr__(self) -> str:
        return f"RotatingPass({len(self.data)} bytes)"
