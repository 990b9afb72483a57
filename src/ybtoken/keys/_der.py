"""Signatures between the raw ``r || s`` (64 bytes) of the format and the DER of OpenSSL (RFC 3279 section 2.2.3)."""

from __future__ import annotations

from ybtoken.errors import SignatureError

__all__ = ["der_from_raw", "raw_from_der", "refused"]

# The bytes before r and before s, by the top bits of r and s, for signatures in which neither starts with a zero byte
# (all but one in 128). A zero byte is put before a number whose top bit is set, because DER would read it as negative.
_HEADS = tuple(
    tuple((bytes((0x30, 68 + r + s, 0x02, 32 + r)) + bytes(r), bytes((0x02, 32 + s)) + bytes(s)) for s in (0, 1))
    for r in (0, 1)
)


def der_from_raw(signature: bytes) -> bytes:
    """The DER ``SEQUENCE { r, s }`` of 64 bytes ``r || s``, each integer in its shortest form."""
    if signature[0] and signature[32]:
        before_r, before_s = _HEADS[signature[0] >> 7][signature[32] >> 7]
        return before_r + signature[:32] + before_s + signature[32:]
    r, s = _integer(signature[:32]), _integer(signature[32:])
    return b"\x30%c%b%b" % (len(r) + len(s), r, s)


def raw_from_der(der: bytes) -> bytes:
    """The 64 bytes ``r || s`` from a DER ``SEQUENCE { r, s }``; `ValueError` unless it is the shortest encoding."""
    try:
        end_of_r = 4 + der[3]
    except IndexError:
        raise ValueError("not a DER signature") from None
    # What is cut off here, or is missing there, shows when the numbers are encoded again.
    raw = der[4:end_of_r][-32:] + der[end_of_r + 2 :][-32:]
    if len(raw) != 64:
        raw = der[4:end_of_r][-32:].rjust(32, b"\0") + der[end_of_r + 2 :][-32:].rjust(32, b"\0")
    if der_from_raw(raw) != der:
        raise ValueError("not a DER signature")
    return raw


def refused(kid: bytes, signature: bytes) -> SignatureError:
    """The error for a signature that is not good. If it is not 64 bytes, the hint says what it looks like.

    Only its size and first bytes are looked at; `ybtoken.keys.diagnosis` tries what it may mean.
    """
    size, zeros = len(signature), bytes(32)
    if size == 64:
        return SignatureError("signature.invalid", kid=kid.hex())
    form = "size"
    if 8 <= size <= 72 and signature[0] == 0x30 and signature[1] == size - 2:
        form = "der"
    elif 64 < size <= 160 and signature.isascii() and b"".join(signature.split()).decode().isprintable():
        form = "text"
    elif size == 128 and signature[:32] == zeros == signature[64:96]:
        form = "fields"
    return SignatureError("signature.invalid", kid=kid.hex(), size=size, form=form)


def _integer(number: bytes) -> bytes:
    """A number of 32 bytes, big-endian, as a DER INTEGER; a zero byte leads only to keep it positive."""
    # `cryptography`'s encode_dss_signature does the same, but converts to integers and takes twice as long.
    if not 0 < number[0] < 0x80:
        number = number.lstrip(b"\0")
        if not number or number[0] >= 0x80:
            number = b"\0" + number
    return b"\x02%c%b" % (len(number), number)
