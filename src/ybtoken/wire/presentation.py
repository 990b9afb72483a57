"""The presentation: the one module that knows the bytes that a phone signs at a display (Spec 3.3).

A presentation is a second tagged COSE_Sign1 (see `ybtoken.wire.envelope`) around the pass, signed by the key that the
pass names. Its header is {1: alg}, and its payload is

    83 or 84 | 58 n, pass | iat | 48 nonce | [4c answer to the terminal's challenge]

As in a token there is one encoding, and the payload is cut at fixed places, not decoded. The curve of the pass's key
fixes the algorithm. A text has room for at most 255 bytes of payload.
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
from ybtoken.wire.envelope import cut_envelope, encode_header, sign1_prefix

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


DEVICE_ALGORITHMS = {Curve.P256: Algorithm.ES256, Curve.SM2: Algorithm.SM2}
PRESENTATION_HEADERS = {int(curve): encode_header(algorithm) for curve, algorithm in DEVICE_ALGORITHMS.items()}
PRESENTATION_PREFIXES = {curve: sign1_prefix(header) for curve, header in PRESENTATION_HEADERS.items()}
_CURVES = {header: curve for curve, header in PRESENTATION_HEADERS.items()}
_HEADER_SIZES = frozenset(map(len, _CURVES))
_SHORTEST_TOKEN = 24  # the byte string of a shorter pass would have a CBOR head of one byte
PRESENTATION_NONCE_SIZE = 8
ANSWER_SIZE = 12
"""The size of an answer, in bytes. To relay a code, an attacker would have to find within a minute a second challenge
whose answer has the same 96 bits."""
_ANSWER_SIZES = {0x83: 0, 0x84: ANSWER_SIZE}


class CutPresentation(NamedTuple):
    """The raw parts of a presentation, of which only the shape has been checked."""

    curve: int
    """The curve of the algorithm that its header names."""
    signed: bytes
    """The payload with the CBOR head of its byte string."""
    signature: bytes
    token: bytes
    """The pass."""
    presentation: DevicePresentation


class _Layout(NamedTuple):
    """How a payload of one size is cut, by the bytes that must stand between its values."""

    cut: Callable[[bytes], tuple[Any, ...]]
    """Gives the bytes before the first value, that value, the bytes before the second value, and so on."""
    between: tuple[bytes, ...]
    """What must stand before each value."""
    earliest: int
    latest: int


# A time in its shortest form (RFC 8949 section 4.2.1), by its size in bytes: its struct format, its CBOR head, and the
# least and the greatest time that have this form.
_TIMES = {
    1: ("0sB", b"", 0, 23),
    2: ("1sB", b"\x18", 24, 0xFF),
    3: ("1sH", b"\x19", 0x100, 0xFFFF),
    5: ("1sI", b"\x1a", 0x1_0000, MAX_UINT32),
}


@lru_cache(maxsize=1024)
def _layout(size: int, items: int, token_size: int) -> _Layout | None:
    """The layout of a payload of ``size`` bytes, its CBOR head included; ``None`` if there is none."""
    answer_size = _ANSWER_SIZES.get(items)
    if answer_size is None or token_size < _SHORTEST_TOKEN:
        return None
    head = bytes((0x58, size - 2, items, 0x58, token_size))
    nonce_head, answer_head = b"\x48", b"\x4c"[:answer_size]
    others = (head, nonce_head, answer_head, bytes(token_size + PRESENTATION_NONCE_SIZE + answer_size))
    time_size = size - sum(map(len, others))
    if time_size not in _TIMES:
        return None
    time_format, time_head, earliest, latest = _TIMES[time_size]
    answer_format = f"{len(answer_head)}s{answer_size}s"
    cut = Struct(f">{len(head)}s{token_size}s{time_format}1s{PRESENTATION_NONCE_SIZE}s{answer_format}").unpack
    return _Layout(cut, (head, time_head, nonce_head, answer_head), earliest, latest)


def cut_presentation(data: bytes) -> CutPresentation:
    """Cut a presentation, which has only one shape, into its raw parts (step 2).

    Raises:
        EnvelopeError: the shape is another.
    """
    header, signed, signature = cut_envelope(data, _HEADER_SIZES)
    curve, layout = _CURVES.get(header), _layout(len(signed), signed[2], signed[4])
    if curve is None or layout is None:
        raise EnvelopeError("envelope.shape")
    cut, between, earliest, latest = layout
    fields = cut(signed)
    token, issued_at, nonce, answer = fields[1::2]
    if fields[::2] != between or not earliest <= issued_at <= latest:
        raise EnvelopeError("envelope.shape")
    presentation = DevicePresentation(issued_at, nonce, answer or None)
    return CutPresentation(curve, signed, signature, token, presentation)


def encode_presentation_payload(token: bytes, presentation: DevicePresentation) -> bytes:
    """What a phone signs: the pass, the time and the nonce, and the answer to a challenge if there was one."""
    return cbor2.dumps([token, *presentation] if presentation.challenge is not None else [token, *presentation[:2]])
