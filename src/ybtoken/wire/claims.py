"""The claims: the one place that knows their labels, bounds and bytes (Spec 2.3).

Writing goes through `cbor2`. Reading accepts exactly one byte string for each set of claims, and so it does not decode
and compare: it walks the one shape that is allowed, and refuses whatever differs. No general decoder sees the bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, NoReturn

import cbor2

from ybtoken.errors import ClaimsError
from ybtoken.voucher import (
    CURVES,
    IDENTITY_REF_SIZE,
    MAX_CHANNEL,
    MAX_PURPOSE,
    MAX_UINT8,
    MAX_UINT32,
    NONCE_SIZES,
    DeviceKey,
    Profile,
    Voucher,
)

__all__ = ["Claims", "encode_claims", "parse_claims"]

_EXP, _IAT, _CTI, _CNF, _VOUCHER = 4, 6, 7, 8, -65537
_COSE_KEY, _KTY, _CRV, _X, _Y, _EC2 = 1, 1, -1, -2, -3, 2
_CHANNEL, _PURPOSE, _PRESENTER, _ASSURANCE, _STATUS = 1, 2, 3, 4, 5
_MAX_CITY = 999_999


def encode_claims(voucher: Voucher) -> bytes:
    """The payload of a voucher: its CWT claims (Spec 2.3)."""
    extras: dict[int, int | bytes | None] = {
        _CHANNEL: voucher.channel,
        _PURPOSE: None if voucher.purpose is None else int(voucher.purpose),
        _PRESENTER: voucher.presenter,
        _ASSURANCE: voucher.assurance,
        _STATUS: voucher.status_index,
    }
    stated = {label: value for label, value in extras.items() if value is not None}
    body: list[object] = [int(voucher.profile), voucher.identity_ref, int(voucher.city_code)]
    if stated:
        body.append(stated)
    claims: dict[int, object] = {_EXP: voucher.expires_at, _IAT: voucher.issued_at, _CTI: voucher.nonce}
    if (key := voucher.device_key) is not None:  # cnf (RFC 8747 section 3.2)
        claims[_CNF] = {_COSE_KEY: {_KTY: _EC2, _CRV: key.curve, _X: key.x, _Y: key.y_is_odd}}
    return cbor2.dumps(claims | {_VOUCHER: body})


class Claims(NamedTuple):
    """The claims as they stand in a token: integers and bytes, within their bounds."""

    expires_at: int
    issued_at: int
    nonce: bytes
    profile: int
    identity_ref: bytes
    city: int
    channel: int | None = None
    purpose: int | None = None
    presenter: bytes | None = None
    assurance: int | None = None
    status_index: int | None = None
    device_key: DeviceKey | None = None


named = tuple.__new__  # makes a named tuple in half the time that its own constructor takes


def _refuse() -> NoReturn:
    raise ClaimsError("claims.shape")


_WIDEST_HEAD = 0x1A  # a head followed by four bytes: no number here exceeds 32 bits
_LEAST = {0x18: 24, 0x19: 1 << 8, 0x1A: 1 << 16}  # the least number that needs a head of that width
_PROFILES = frozenset(int(profile) for profile in Profile)
_DEVICE_BOUND = int(Profile.DEVICE_BOUND)


def _walk_uint(payload: bytes, at: int, maximum: int) -> tuple[int, int]:
    """Read an unsigned integer in its shortest form (RFC 8949 section 4.2.1); returns it and where it ends.

    Raises:
        ClaimsError: another form, or above the maximum.
        IndexError: it lies behind the end.
    """
    head = payload[at]
    if head < 0x18:
        number, end = head, at + 1
    elif head <= _WIDEST_HEAD:
        end = at + 1 + (1 << (head - 0x18))
        number = int.from_bytes(payload[at + 1 : end], "big")
        if number < _LEAST[head]:
            _refuse()
    else:
        _refuse()
    if number > maximum:
        _refuse()
    return number, end


def parse_claims(signed: bytes) -> Claims:
    """Read the claims from a payload whose signature is good (step 5).

    Args:
        signed: the payload with the CBOR head of its byte string, as `cut_envelope` returns it.

    Raises:
        ClaimsError: anything but the one encoding of allowed claims.
    """
    try:
        return _read_usual(signed) or _walk(signed)
    except IndexError:  # the walk ran off the end
        raise ClaimsError("claims.shape") from None


# The layout of nearly every token: profile 1, no extras, a nonce of 8 bytes, numbers of four bytes.
_USUAL = Struct(">2x3sI2sI2s8s8s16sBI")
_USUAL_PROFILE = int(Profile.VOUCHER)
_USUAL_HEADS = b"\xa4\x04\x1a", b"\x06\x1a", b"\x07\x48", b"\x3a\x00\x01\x00\x00\x83\x01\x50", 0x1A
# And of a rotating pass: the same with a status index.
_USUAL_PASS = Struct(">2x3sI2sI2s8s8s16sBI3sI")
_USUAL_PASS_PROFILE = int(Profile.ROTATING)
_USUAL_PASS_HEADS = *_USUAL_HEADS[:3], b"\x3a\x00\x01\x00\x00\x84\x02\x50", 0x1A, b"\xa1\x05\x1a"


def _read_usual(payload: bytes) -> Claims | None:
    """What `_walk` would return, at once, if the claims are of the usual layout; ``None`` if it must walk."""
    if len(payload) == _USUAL_PASS.size:
        map_exp, expires_at, iat, issued_at, cti, nonce, voucher, identity_ref, city_head, city, extras, index = (
            _USUAL_PASS.unpack(payload)
        )
        if (
            (map_exp, iat, cti, voucher, city_head, extras) == _USUAL_PASS_HEADS
            and 0xFFFF < issued_at < expires_at
            and 0xFFFF < city <= _MAX_CITY
            and index > 0xFFFF
        ):
            return named(Claims, (
                expires_at, issued_at, nonce, _USUAL_PASS_PROFILE, identity_ref, city,
                None, None, None, None, index, None,
            ))  # fmt: skip
        return None
    if len(payload) != _USUAL.size:
        return _read_usual_bound(payload) if len(payload) == _USUAL_BOUND.size else None
    map_exp, expires_at, iat, issued_at, cti, nonce, voucher, identity_ref, city_head, city = _USUAL.unpack(payload)
    if (
        (map_exp, iat, cti, voucher, city_head) == _USUAL_HEADS
        and 0xFFFF < issued_at < expires_at
        and 0xFFFF < city <= _MAX_CITY
    ):
        return named(Claims, (
            expires_at, issued_at, nonce, _USUAL_PROFILE, identity_ref, city,
            None, None, None, None, None, None,
        ))  # fmt: skip
    return None


# 08 a1 01 a4 01 02 20 crv 21 58 20 x 22 f4 or f5: up to x there is one spelling for each curve
_CNF_STARTS = {
    cbor2.dumps({_CNF: {_COSE_KEY: {_KTY: _EC2, _CRV: curve, _X: bytes(32), _Y: False}}})[1:-34]: curve
    for curve in CURVES
}
_Y_IS_ODD = {b"\x22\xf4": False, b"\x22\xf5": True}
# And of a device-bound pass: the same with a status index and a key on P-256; by what stands between the values.
_CNF_START, _P256 = next(iter(_CNF_STARTS.items()))
_USUAL_BOUND = Struct(">2x3sI2sI2s8s11s32s10s16sBI3sI")
_USUAL_BOUND_HEADS = {
    (
        b"\xa5\x04\x1a",
        *_USUAL_HEADS[1:3],
        _CNF_START,
        y + b"\x3a\x00\x01\x00\x00\x84\x03\x50",
        *_USUAL_PASS_HEADS[4:],
    ): odd
    for y, odd in _Y_IS_ODD.items()
}


def _read_usual_bound(payload: bytes) -> Claims | None:
    fields = _USUAL_BOUND.unpack(payload)
    y_is_odd = _USUAL_BOUND_HEADS.get(fields[::2])
    expires_at, issued_at, nonce, x, identity_ref, city, index = fields[1::2]
    if y_is_odd is not None and 0xFFFF < issued_at < expires_at and 0xFFFF < city <= _MAX_CITY and index > 0xFFFF:
        return named(Claims, (
            expires_at, issued_at, nonce, _DEVICE_BOUND, identity_ref, city,
            None, None, None, None, index, named(DeviceKey, (_P256, x, y_is_odd)),
        ))  # fmt: skip
    return None


def _walk(payload: bytes) -> Claims:
    # 58 n | a4 or a5 | 04 exp | 06 iat | 07 4x nonce | [08 cnf] |
    # 3a00010000 8x profile 50 identity_ref city_code [extras]
    if payload[3] != _EXP:
        _refuse()
    expires_at, at = _walk_uint(payload, 4, MAX_UINT32)
    if payload[at] != _IAT:
        _refuse()
    issued_at, at = _walk_uint(payload, at + 1, MAX_UINT32)
    if payload[at] != _CTI or expires_at <= issued_at:
        _refuse()
    nonce_size = payload[at + 1] - 0x40
    end = at + 2 + nonce_size
    if nonce_size not in NONCE_SIZES:
        _refuse()
    nonce = payload[at + 2 : end]
    device_key = None
    if payload[2] == 0xA5:
        device_key, end = _walk_cnf(payload, end)
    elif payload[2] != 0xA4:
        _refuse()
    if payload[end : end + 5] != b"\x3a\x00\x01\x00\x00":
        _refuse()
    items, profile, at = payload[end + 5] - 0x80, payload[end + 6], end + 8
    if profile not in _PROFILES or payload[end + 7] != 0x50 or (device_key is None) is (profile == _DEVICE_BOUND):
        _refuse()
    identity_ref = payload[at : at + IDENTITY_REF_SIZE]
    city, at = _walk_uint(payload, at + IDENTITY_REF_SIZE, _MAX_CITY)
    if items == 3 and at == len(payload):
        extras: _Extras = (None, None, None, None, None)
    elif items == 4:
        extras = _walk_extras(payload, at)
    else:
        _refuse()
    return Claims(expires_at, issued_at, nonce, profile, identity_ref, city, *extras, device_key)


def _walk_cnf(payload: bytes, at: int) -> tuple[DeviceKey, int]:
    for start, curve in _CNF_STARTS.items():
        x_at = at + len(start)
        if payload[at:x_at] == start:
            y_at = x_at + 32
            y_is_odd = _Y_IS_ODD.get(payload[y_at : y_at + 2])
            if y_is_odd is not None:
                return DeviceKey(curve, payload[x_at:y_at], y_is_odd), y_at + 2
    _refuse()


_Extras = tuple[int | None, int | None, bytes | None, int | None, int | None]


def _walk_extras(payload: bytes, at: int) -> _Extras:
    count = payload[at] - 0xA0
    if not 1 <= count <= 5:
        _refuse()
    at += 1
    channel = purpose = presenter = assurance = status_index = None
    previous = 0
    for _ in range(count):
        label = payload[at]
        if label <= previous:
            _refuse()
        previous = label
        if label == _CHANNEL:
            channel, at = _walk_uint(payload, at + 1, MAX_CHANNEL)
        elif label == _PURPOSE:
            purpose, at = _walk_uint(payload, at + 1, MAX_PURPOSE)
        elif label == _PRESENTER:
            presenter = payload[at + 2 : at + 2 + IDENTITY_REF_SIZE]
            if payload[at + 1] != 0x50 or len(presenter) != IDENTITY_REF_SIZE:
                _refuse()
            at += 2 + IDENTITY_REF_SIZE
        elif label == _ASSURANCE:
            assurance, at = _walk_uint(payload, at + 1, MAX_UINT8)
        elif label == _STATUS:
            status_index, at = _walk_uint(payload, at + 1, MAX_UINT32)
        else:
            _refuse()
    if at != len(payload):
        _refuse()
    return channel, purpose, presenter, assurance, status_index
