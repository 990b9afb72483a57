"""The device-bound pass (profile 3): the one place that knows what a phone signs at a display (Spec 3.3).

A presentation is a second tagged COSE_Sign1 around the pass, signed by the key that the pass names:

    d2 84 | 43 or 47, {1: alg} | a0 | 58 n, payload | 58 40, signature
    payload = 83 or 84 | 58 n, pass | 1a iat | 48 nonce | [4c answer to the terminal's challenge]

As in a token there is one encoding, and it is walked, not decoded. The curve of the pass's key fixes the algorithm. No
text holds a payload of more than 255 bytes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cbor2

from ybtoken.challenge import ANSWER_SIZE, Challenge
from ybtoken.cose import encode_byte_string, encode_envelope, sign1_prefix, walk_uint
from ybtoken.errors import ClaimsError, EnvelopeError, SignatureError
from ybtoken.keys import Algorithm, Curve, SigningKey, VerifyingKey
from ybtoken.text import encode_text
from ybtoken.voucher import MAX_UINT32, DeviceKey, DevicePresentation, Profile

__all__ = ["DeviceBoundPass", "cut_presentation", "device_key_of", "encode_presentation"]

_ALG = 1
_ALGORITHMS = {Curve.P256: Algorithm.ES256, Curve.SM2: Algorithm.SM2}
_HEADERS = {int(curve): cbor2.dumps({_ALG: int(algorithm)}) for curve, algorithm in _ALGORITHMS.items()}
_PREFIXES = {curve: sign1_prefix(header) for curve, header in _HEADERS.items()}
_STARTS = {b"\xd2\x84" + encode_byte_string(header) + b"\xa0": curve for curve, header in _HEADERS.items()}
_START_SIZES = {start[2]: len(start) for start in _STARTS}
_SHORTEST_TOKEN = 24  # below that the head of the byte string would be one byte
_TAIL_SIZE = 66  # 58 40, signature
_NONCE_SIZE = 8
_STATED_SIZES = {0x83: 1 + _NONCE_SIZE, 0x84: 2 + _NONCE_SIZE + ANSWER_SIZE}  # nonce and answer, with their heads


@cache
def _verify_on(curve: int) -> Callable[[bytes, bool, bytes, bytes], None]:
    # Imported when a phone's signature is checked: who verifies profile 1 only loads the backend of its own keys.
    if curve == Curve.P256:
        from ybtoken.backends.p256 import verify_compressed
    else:
        from ybtoken.backends.sm2 import verify_compressed
    return verify_compressed


def device_key_of(key: VerifyingKey) -> DeviceKey:
    """A phone's public key as a pass carries it.

    Raises:
        ValueError: a P-256 key that is not ES256, or an SM2 key with a user id of its own: the curve fixes both.
    """
    curve = key.algorithm.curve
    if key.algorithm is not _ALGORITHMS[curve]:
        raise ValueError(f"a device key on {curve.name} is {_ALGORITHMS[curve].name}, not {key.algorithm.name}")
    if curve is Curve.SM2:
        from ybtoken.backends.sm2 import DEFAULT_USER_ID  # not loaded by who has no such key

        if getattr(key, "user_id", DEFAULT_USER_ID) != DEFAULT_USER_ID:
            raise ValueError("an SM2 device key has the default user id")
    x, y = key.point
    return DeviceKey(int(curve), x, bool(y[-1] & 1))


class CutPresentation(NamedTuple):
    """A presentation in its raw parts; nothing of it is checked but its shape."""

    curve: int
    """The curve of the algorithm that its header names."""
    signed: bytes
    """The payload with the CBOR head of its byte string."""
    signature: bytes
    token: bytes
    """The pass."""
    presentation: DevicePresentation

    def check(self, key: DeviceKey) -> None:
        """Step 4, again: the phone's own signature, with the key that the pass names.

        Raises:
            SignatureError: ``device.signature``.
            ClaimsError: the pass names a key that is no point of its curve.
        """
        if self.curve != key.curve:
            raise SignatureError("device.signature")
        try:
            _verify_on(key.curve)(key.x, key.y_is_odd, _PREFIXES[key.curve] + self.signed, self.signature)
        except ValueError:
            raise ClaimsError("claims.shape") from None


def cut_presentation(data: bytes) -> CutPresentation:
    """Cut a presentation into its raw parts, by the only shape there is (step 2).

    Raises:
        EnvelopeError: any other shape.
    """
    # start | 58 n, 83 or 84 | 58 m, pass | iat | 48 nonce [4c answer] | 58 40, signature
    try:
        start, end = data[: _START_SIZES[data[2]]], len(data) - _TAIL_SIZE
        curve, at = _STARTS[start], len(start)
        head, size, items, token_head, token_size = data[at : at + 5]
        token_end = at + 5 + token_size
        issued_at, stated_at = walk_uint(data, token_end, MAX_UINT32)
        stated = data[stated_at:end]
        if (
            head != 0x58
            or size != end - at - 2
            or token_head != 0x58
            or token_size < _SHORTEST_TOKEN
            or len(stated) != _STATED_SIZES[items]
            or stated[0] != 0x40 + _NONCE_SIZE
            or (items == 0x84 and stated[1 + _NONCE_SIZE] != 0x40 + ANSWER_SIZE)
            or data[end : end + 2] != b"\x58\x40"
        ):
            raise EnvelopeError("envelope.shape")
    except (LookupError, ValueError, ClaimsError):  # too short, another beginning, or iat not in its shortest form
        raise EnvelopeError("envelope.shape") from None
    nonce, answer = stated[1 : 1 + _NONCE_SIZE], stated[2 + _NONCE_SIZE :] if items == 0x84 else None
    presentation = DevicePresentation(issued_at, nonce, answer)
    return CutPresentation(curve, data[at:end], data[end + 2 :], data[at + 5 : token_end], presentation)


def encode_presentation(token: bytes, presentation: DevicePresentation, key: SigningKey) -> bytes:
    """Sign what a phone shows.

    Args:
        token: the pass.
        presentation: time, nonce, and the answer to a challenge if there was one.
        key: the phone's key.
    """
    header = _HEADERS[key.algorithm.curve]
    stated = [token, *presentation] if presentation.challenge is not None else [token, *presentation[:2]]
    payload = cbor2.dumps(stated)
    signature = key.sign(_PREFIXES[key.algorithm.curve] + encode_byte_string(payload))
    return encode_envelope(header, payload, signature)


class DeviceBoundPass:
    """A device-bound pass on its phone: shows a code, offline, that only this phone can make.

    Args:
        data: the pass, as the issuer gave it out (`ybtoken.issuer.Pass`).
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
            self._random(_NONCE_SIZE),
            None if challenge is None else challenge.answer,
        )
        return encode_text(Profile.DEVICE_BOUND, encode_presentation(self.data, presentation, self._key))

    def __repr__(self) -> str:
        return f"DeviceBoundPass({self._key!r})"
