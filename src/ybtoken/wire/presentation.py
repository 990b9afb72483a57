"""The presentation: the one place that knows the bytes of what a phone signs at a display (Spec 3.3).

A presentation is a second tagged COSE_Sign1 around the pass, signed by the key that the pass names:

    d2 84 | 43 or 47, {1: alg} | a0 | 58 n, payload | 58 40, signature
    payload = 83 or 84 | 58 n, pass | 1a iat | 48 nonce | [4c answer to the terminal's challenge]

As in a token there is one encoding, and it is cut, not decoded. The curve of the pass's key fixes the algorithm. No
text holds a payload of more than 255 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

import cbor2

from ybtoken.algorithms import Algorithm, Curve
from ybtoken.errors import EnvelopeError
from ybtoken.voucher import MAX_UINT32, DevicePresentation
from ybtoken.wire.claims import named
from ybtoken.wire.envelope import encode_byte_string, sign1_prefix

__all__ = [
    "ANSWER_SIZE",
    "DEVICE_ALGORITHMS",
    "PRESENTATION_HEADERS",
    "PRESENTATION_NONCE_SIZE",
    "PRESENTATION_PREFIXES",
    "CutPresentation",
    "cut_presentation",
    "encode_presentation_payload",
]


_ALG = 1
DEVICE_ALGORITHMS = {Curve.P256: Algorithm.ES256, Curve.SM2: Algorithm.SM2}
PRESENTATION_HEADERS = {
    int(curve): cbor2.dumps({_ALG: int(algorithm)}) for curve, algorithm in DEVICE_ALGORITHMS.items()
}
PRESENTATION_PREFIXES = {curve: sign1_prefix(header) for curve, header in PRESENTATION_HEADERS.items()}
_STARTS = {b"\xd2\x84" + encode_byte_string(header) + b"\xa0": curve for curve, header in PRESENTATION_HEADERS.items()}
_START_SIZES = {start[2]: len(start) for start in _STARTS}
_SHORTEST_TOKEN = 24  # below that the head of the byte string would be one byte
_TAIL_SIZE = 66  # 58 40, signature
PRESENTATION_NONCE_SIZE = 8
ANSWER_SIZE = 12
"""Bytes of an answer: who relays would need a second challenge with the same 96 bits within a minute."""
_ANSWER_SIZES = {0x83: 0, 0x84: ANSWER_SIZE}
_LONGEST_PAYLOAD = 255


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


class _Layout(NamedTuple):
    """How a presentation is cut: by the bytes that must stand between its values."""

    cut: Callable[[bytes], tuple[Any, ...]]
    """Gives what stands before each value, and the value, in turns."""
    before: tuple[bytes, ...]
    curve: int
    signed_at: int
    earliest: int
    latest: int


# A time in its shortest form (RFC 8949 section 4.2.1) by its size: how it is cut, its head, and from when to when.
_TIMES = {
    1: ("0sB", b"", 0, 23),
    2: ("1sB", b"\x18", 24, 0xFF),
    3: ("1sH", b"\x19", 0x100, 0xFFFF),
    5: ("1sI", b"\x1a", 0x1_0000, MAX_UINT32),
}


@lru_cache(maxsize=1024)
def _layout(start: bytes, items: int, token_size: int, size: int) -> _Layout | None:
    curve, answer_size = _STARTS.get(start), _ANSWER_SIZES.get(items)
    if curve is None or answer_size is None or token_size < _SHORTEST_TOKEN:
        return None
    nonce_head, answer_head = b"\x48", b"\x4c"[:answer_size]
    payload_size = size - len(start) - 2 - _TAIL_SIZE
    time_size = payload_size - 3 - token_size - 1 - PRESENTATION_NONCE_SIZE - len(answer_head) - answer_size
    if time_size not in _TIMES or payload_size > _LONGEST_PAYLOAD:
        return None
    head = start + bytes((0x58, payload_size, items, 0x58, token_size))
    time_format, time_head, earliest, latest = _TIMES[time_size]
    answer_format = f"{len(answer_head)}s{answer_size}s"
    cut = Struct(
        f">{len(head)}s{token_size}s{time_format}1s{PRESENTATION_NONCE_SIZE}s{answer_format}2s{_TAIL_SIZE - 2}s"
    ).unpack
    before = (head, time_head, nonce_head, answer_head, b"\x58\x40")
    return _Layout(cut, before, curve, len(start), earliest, latest)


def cut_presentation(data: bytes) -> CutPresentation:
    """Cut a presentation into its raw parts, by the only shape there is (step 2).

    Raises:
        EnvelopeError: any other shape.
    """
    # start | 58 n, 83 or 84 | 58 m, pass | iat | 48 nonce [4c answer] | 58 40, signature
    try:
        at = _START_SIZES[data[2]]
        layout = _layout(data[:at], data[at + 2], data[at + 4], len(data))
    except LookupError:  # too short, or another beginning
        layout = None
    if layout is None:
        raise EnvelopeError("envelope.shape")
    cut, before, curve, signed_at, earliest, latest = layout
    fields = cut(data)
    token, issued_at, nonce, answer, signature = fields[1::2]
    if fields[::2] != before or not earliest <= issued_at <= latest:
        raise EnvelopeError("envelope.shape")
    presentation = named(DevicePresentation, (issued_at, nonce, answer or None))
    return named(CutPresentation, (curve, data[signed_at:-_TAIL_SIZE], signature, token, presentation))


def encode_presentation_payload(token: bytes, presentation: DevicePresentation) -> bytes:
    """What a phone signs: the pass, the time and the nonce, and the answer to a challenge if there was one."""
    return cbor2.dumps([token, *presentation] if presentation.challenge is not None else [token, *presentation[:2]])
