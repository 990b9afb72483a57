"""The device-bound pass (profile 3) on its phone (Spec 3.3)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

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
        token: the pass.
        presentation: time, nonce, and the answer to a challenge if there was one.
        key: the phone's key.
    """
    header = PRESENTATION_HEADERS[key.algorithm.curve]
    payload = encode_presentation_payload(token, presentation)
    return sign1(header, payload, key.sign)


class DeviceBoundPass:
    """A device-bound pass on its phone: shows a code, offline, that only this phone can make.

    Args:
        data: the pass, as the issuer gave it out (`ybtoken.tokens.Pass`).
        key: the phone's key, best in a secure element: what `present` needs of it is one signature.
        clock: seconds since 1970; the phone's.
        random: gives that many unpredictable bytes.
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
        self.data = data
        self._key = key
        self._clock = clock
        self._random = random

    def present(self, *, challenge: Challenge | None = None, now: int | None = None) -> str:
        """The text to show now; another one each time.

        Args:
            challenge: what the terminal asked, if it did; first show the holder its terminal and purpose.
            now: seconds since 1970; the phone's clock if it is not given.
        """
        presentation = DevicePresentation(
            int(self._clock() if now is None else now),
            self._random(PRESENTATION_NONCE_SIZE),
            None if challenge is None else challenge.answer,
        )
        return encode_text(Profile.DEVICE_BOUND, encode_presentation(self.data, presentation, self._key))

    def __repr__(self) -> str:
        return f"DeviceBoundPass({self._key!r})"
