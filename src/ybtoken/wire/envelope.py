"""The envelope: the one place that knows the bytes of a tagged COSE_Sign1 (RFC 9052 section 4.2, Spec 2.2).

Three things are signed in this way: a token (Spec 2.2), what a phone adds to a device-bound pass (Spec 3.3), and a
status list (Spec 3.5). All three are written by `sign1` and read by `cut_envelope`; they differ in their headers and
payloads. Every message is deterministically encoded (RFC 8949 section 4.2.1): there is one encoding of it, and reading
refuses any other. Writing goes through `cbor2`; reading cuts the bytes at fixed places and uses no CBOR decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import lru_cache
from typing import Final

import cbor2

from ybtoken.algorithms import Algorithm
from ybtoken.errors import EnvelopeError
from ybtoken.words import BoundsError

__all__ = [
    "ALG",
    "CRV",
    "EC2",
    "KID",
    "KID_SIZE",
    "KTY",
    "SIGNATURE_SIZE",
    "TOKEN_HEADER_SIZES",
    "TYP",
    "X",
    "Y",
    "cut_envelope",
    "encode_byte_string",
    "encode_envelope",
    "encode_header",
    "sign1",
    "sign1_prefix",
]

# The table of COSE labels. Maps are written in ascending order of their encoded labels. For these labels the order of
# RFC 8949 and the older length-first order of RFC 7049 agree, and a dict keeps the order in which it is written, so
# cbor2's canonical mode is not needed.
ALG: Final = 1
"""Header: the signature algorithm (RFC 9052 section 3.1)."""
KID: Final = 4
"""Header: the key id (RFC 9052 section 3.1)."""
TYP: Final = 16
"""Header: the type of the whole message (RFC 9596)."""
KTY: Final = 1
"""COSE_Key: the key type (RFC 9052 section 7.1)."""
CRV: Final = -1
"""COSE_Key: the curve (RFC 9053 section 7.1.1)."""
X: Final = -2
"""COSE_Key: the x coordinate."""
Y: Final = -3
"""COSE_Key: the y coordinate, or whether it is odd."""
EC2: Final = 2
"""The key type of a point with two coordinates."""

KID_SIZE: Final = 8
"""The size of a key id, in bytes (Spec 2.2)."""
_SIGN1_TAG = 18
SIGNATURE_SIZE = 64


def encode_header(algorithm: int, kid: bytes | None = None, *, typ: str | None = None) -> bytes:
    """A protected header (RFC 9052 section 3.1): the algorithm, and the kid and type if there are any.

    Args:
        algorithm: the COSE number of the signature algorithm.
        kid: the key id. A presentation has none because the pass names the phone's key.
        typ: the type of the message, stated by status lists.
    """
    stated: dict[int, object] = {ALG: int(algorithm), KID: kid, TYP: typ}
    return cbor2.dumps({label: value for label, value in stated.items() if value is not None})


def sign1_prefix(header: bytes) -> bytes:
    """The bytes that precede the payload in the Sig_structure (RFC 9052 section 4.4).

    The whole structure, ``["Signature1", protected, external_aad = h'', payload]``, is these bytes followed by the
    payload as a byte string *with its CBOR head*, as it stands in the message.
    """
    return _before_payload(header)[0]


@lru_cache(maxsize=256)  # a signer or verifier uses few headers, each many times
def _before_payload(header: bytes) -> tuple[bytes, bytes]:
    """What precedes the payload in the Sig_structure, and in the message.

    In the message that is the tag, the array of four, the protected header and the empty other one.
    """
    message = cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, [header, {}, b"", b""]))
    return b"\x84" + cbor2.dumps("Signature1") + cbor2.dumps(header) + cbor2.dumps(b""), message[:-2]


def encode_byte_string(data: bytes) -> bytes:
    """A byte string with its CBOR head, in the form that a payload has in the message and in the Sig_structure."""
    return _head(len(data)) + data


@lru_cache(maxsize=512)
def _head(size: int) -> bytes:
    """The CBOR head of a byte string."""
    return cbor2.dumps(bytes(size))[:-size] if size else cbor2.dumps(b"")


def sign1(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign a payload: the tagged COSE_Sign1.

    Args:
        header: the protected header, from `encode_header`.
        payload: the payload without a CBOR head.
        sign: the key's `ybtoken.keys.protocols.SigningKey.sign`.

    Raises:
        ValueError: the signature is not 64 bytes.
    """
    signed = encode_byte_string(payload)
    prefix, start = _before_payload(header)
    return _enclose(start, signed, sign(prefix + signed))


def encode_envelope(header: bytes, payload: bytes, signature: bytes) -> bytes:
    """The tagged COSE_Sign1 of a header, a payload and a signature that was made already.

    Raises:
        ValueError: the signature is not 64 bytes, r || s. Other makers' keys often leave out leading zero bytes.
    """
    return _enclose(_before_payload(header)[1], encode_byte_string(payload), signature)


def _enclose(start: bytes, signed: bytes, signature: bytes) -> bytes:
    """The same of what precedes a payload, and the payload with its CBOR head: these are encoded already."""
    if len(signature) != SIGNATURE_SIZE:
        found = len(signature)
        raise BoundsError(
            f"the key's signature has {found} bytes, not {SIGNATURE_SIZE}: "
            "r and s are 32 bytes each, leading zeros included",
            f"密钥返回的签名为 {found} 字节，应为 {SIGNATURE_SIZE} 字节：r、s 各 32 字节，含前导零",
        )
    return b"".join((start, signed, _SIGNATURE_HEAD, signature))


_SIGNATURE_HEAD = _head(SIGNATURE_SIZE)


_TAIL_SIZE = 2 + SIGNATURE_SIZE
# The CBOR head of a payload of 24 to 255 bytes, by the size of the payload with that head. A shorter payload would have
# a head of one byte, but no payload here is so short.
_HEADS = {size + 2: bytes((0x58, size)) for size in range(24, 0x100)}
# Heads of longer payloads: first byte, how many bytes of length follow it, and the shortest payload that needs them.
_LONG_HEADS = ((b"\x59", 2, 0x100), (b"\x5a", 4, 0x1_0000))


TOKEN_HEADER_SIZES = frozenset(len(encode_header(algorithm, bytes(KID_SIZE))) for algorithm in Algorithm)


def cut_envelope(
    data: bytes, header_sizes: Container[int] = TOKEN_HEADER_SIZES, *, longest: int = 0xFF
) -> tuple[bytes, bytes, bytes]:
    """Cut a tagged COSE_Sign1 into its raw parts (step 2). Only its shape is checked.

    Args:
        data: the message.
        header_sizes: the sizes that its protected header may have, in bytes.
        longest: the longest payload that is accepted, in bytes.

    Returns:
        The protected header; the payload with its CBOR head, which is what is signed; the signature.

    Raises:
        EnvelopeError: the shape is another.
    """
    # d2 84 | 4n or 58 n, header | a0 | 58 n, 59 nn or 5a nnnn, payload | 58 40, signature
    if data[:2] != b"\xd2\x84" or len(data) < _TAIL_SIZE:
        raise EnvelopeError("envelope.shape")
    start, header_size = 3, data[2] - 0x40
    if header_size == 0x18 and data[3] >= 0x18:  # 58 n
        start, header_size = 4, data[3]
    if header_size not in header_sizes:
        raise EnvelopeError("envelope.shape")
    header_end = start + header_size
    signed = data[header_end + 1 : -_TAIL_SIZE]
    if (
        data[header_end : header_end + 1] != b"\xa0"
        or data[-_TAIL_SIZE:-SIGNATURE_SIZE] != b"\x58\x40"
        or (signed[:2] != _HEADS.get(len(signed)) and not _has_long_head(signed, longest))
    ):
        raise EnvelopeError("envelope.shape")
    return data[start:header_end], signed, data[-SIGNATURE_SIZE:]


def _has_long_head(signed: bytes, longest: int) -> bool:
    for first, width, shortest in _LONG_HEADS:
        size = len(signed) - 1 - width
        if shortest <= size <= longest and size < 1 << 8 * width:
            return signed[: 1 + width] == first + size.to_bytes(width, "big")
    return False
