"""The device-bound pass (profile 3) on its phone (Spec 3.3)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ybtoken._checks import callback, instance
from ybtoken.keys.protocols import SigningKey
from ybtoken.passes.challenge import Challenge
from ybtoken.voucher import DevicePresentation, Profile
from ybtoken.wire.envelope import sign1
from ybtoken.wire.presentation import (
    PRESENTATION_HEADERS,
    PRESENTATION_NONCE_SIZE,
    encode_presentation_payload,
)
from ybtoken.wire.text import encode_text

__all__ = ["DeviceBoundPass"]


def encode_presentation(token: bytes, presentation: DevicePresentation, key: SigningKey) -> bytes:
    """Sign what a phone shows.

    Args:
        token: the bytes of the pass.
        presentation: the time, the nonce, and the answer to a challenge if there was one.
        key: the phone's private key.
    """
    header = PRESENTATION_HEADERS[key.algorithm.curve]
    payload = encode_presentation_payload(token, presentation)
    return sign1(header, payload, key.sign)


class DeviceBoundPass:
    """A device-bound pass on its phone: shows codes, offline, that only this phone can make.

    Args:
        data: the bytes of the pass, from the issuer (`ybtoken.tokens.Pass`).
        key: the phone's private key, preferably in a secure element. `present` asks it for one signature.
        clock: returns seconds since 1970, by the phone's clock.
        random: returns as many unpredictable bytes as it is asked for.
    """

    __slots__ = ("_clock", "_key", "_random", "data")

    def __init__(
        self,
        data: bytes,
        key: SigningKey,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.data = instance("data", data, bytes, "the bytes of a pass")
        self._key = instance("key", key, SigningKey, "the phone's private key (SigningKey)")
        self._clock = callback("clock", clock, "seconds since 1970")
        self._random = callback("random", random, "bytes")

    def present(self, *, challenge: Challenge | None = None, now: int | None = None) -> str:
        """The text to show now. Each call gives another text.

        Args:
            challenge: what the terminal asked, if it did. Show its terminal and purpose to the holder first.
            now: seconds since 1970. Without it the pass reads its clock.
        """
        if challenge is not None:
            instance("challenge", challenge, Challenge, "a Challenge")
        presentation = DevicePresentation(
            int(self._clock() if now is None else now),
            self._random(PRESENTATION_NONCE_SIZE),
            None if challenge is None else challenge.answer,
        )
        return encode_text(Profile.DEVICE_BOUND, encode_presentation(self.data, presentation, self._key))

    def __repr__(self) -> str:
        return f"DeviceBoundPass({self._key!r})"
