"""The envelope: the one place that knows the bytes around a token's claims (Spec 2.2).

A token is a CWT (RFC 8392) in a tagged COSE_Sign1 (RFC 9052), deterministically encoded (RFC 8949 section 4.2.1).
Writing goes through `cbor2`. Reading cuts the one shape that is allowed, and refuses whatever differs.
"""

from __future__ import annotations

import cbor2

from ybtoken.errors import EnvelopeError

__all__ = ["cut_envelope", "encode_byte_string", "encode_envelope", "encode_header", "sign1_prefix"]


_ALG, _KID = 1, 4
_SIGN1_TAG = 18
_SIGNATURE_SIZE = 64

# Labels are written in ascending order of their encoding. For these labels RFC 8949's order and the older
# length-first order of RFC 7049 agree, and a dict keeps the order it is written in: no canonical mode is needed.


def encode_header(algorithm: int, kid: bytes) -> bytes:
    """The protected header, ``{1: alg, 4: kid}`` (RFC 9052 section 3.1)."""
    return cbor2.dumps({_ALG: algorithm, _KID: kid})


def sign1_prefix(header: bytes) -> bytes:
    """What precedes the payload in the Sig_structure (RFC 9052 section 4.4).

    The whole structure is this followed by the payload as a byte string *with its CBOR head*, as it stands in the
    token: ``["Signature1", protected, external_aad = h'', payload]``.
    """
    return b"\x84" + cbor2.dumps("Signature1") + cbor2.dumps(header) + cbor2.dumps(b"")


def encode_byte_string(data: bytes) -> bytes:
    """A byte string with its CBOR head: as a payload stands in the token and in the Sig_structure."""
    return cbor2.dumps(data)


def encode_envelope(header: bytes, payload: bytes, signature: bytes) -> bytes:
    """The tagged COSE_Sign1 of a header, a payload and a signature (RFC 9052 section 4.2).

    Raises:
        ValueError: the signature has not the size of r || s; keys of other makers often leave out leading zeros.
    """
    if len(signature) != _SIGNATURE_SIZE:
        found = f"the key's signature has {len(signature)} bytes, not {_SIGNATURE_SIZE}"
        raise ValueError(f"{found}: r and s are 32 bytes each, leading zeros included")
    return cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, [header, {}, payload, signature]))


_HEADER_START = 3
_HEADER_SIZES = {0x4D: 13, 0x51: 17}  # the heads of byte strings of 13 (ES256, ESP256) and 17 bytes (SM2)
_SHORTEST_PAYLOAD = 24  # below that the head of the byte string would be one byte; the shortest claims have 40


def cut_envelope(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut a token into its raw parts, by the only shape there is (step 2).

    Returns:
        The protected header's bytes; the payload with the CBOR head of its byte string (what is signed); the signature.

    Raises:
        EnvelopeError: any other shape.
    """
    # d2 84 | 4d or 51, header | a0 | 58 n, payload | 58 40, signature
    size = len(data)
    if size < 100 or data[:2] != b"\xd2\x84":
        raise EnvelopeError("envelope.shape")
    header_end = _HEADER_START + _HEADER_SIZES.get(data[2], size)
    if data[header_end : header_end + 2] != b"\xa0\x58":
        raise EnvelopeError("envelope.shape")
    payload_size = data[header_end + 2]
    payload_end = header_end + 3 + payload_size
    if (
        payload_size < _SHORTEST_PAYLOAD
        or data[payload_end : payload_end + 2] != b"\x58\x40"
        or size != payload_end + 2 + _SIGNATURE_SIZE
    ):
        raise EnvelopeError("envelope.shape")
    return data[_HEADER_START:header_end], data[header_end + 1 : payload_end], data[payload_end + 2 :]
