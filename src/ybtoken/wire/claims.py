"""The claims: the one module that knows their labels and bytes (Spec 2.3).

There is exactly one byte string for each set of claims. So writing joins the parts of the one shape that is allowed,
and reading walks through it and refuses any other. No general encoder or decoder sees the bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple, NoReturn

import cbor2

from ybtoken.errors import ClaimsError
from ybtoken.voucher import (
    CURVES,
    IDENTITY_REF_SIZE,
    MAX_UINT32,
    NO_VALUES,
    NONCE_SIZES,
    NONE_STATED,
    OPTIONAL_CLAIMS,
    DeviceKey,
    OptionalClaims,
    Profile,
    Voucher,
    values_of,
)
from ybtoken.wire.envelope import encode_byte_string

__all__ = ["CNF_STARTS", "MAX_CITY", "Y_IS_ODD", "Claims", "encode_claims", "walk_claims"]

# The one shape of a payload, with the CBOR head of its byte string:
#
#     58 n | a4 or a5 | 04 exp | 06 iat | 07 4x nonce | [08 cnf] |
#     3a00010000 83 or 84, 8x profile 50 identity_ref city_code [optional claims]
#
# Labels stand in the ascending order of their encodings. For these labels the order of RFC 8949 and the older
# length-first order of RFC 7049 agree.
_EXP, _IAT, _CTI, _CNF = 4, 6, 7, 8
_COSE_KEY, _KTY, _CRV, _X, _Y, _EC2 = 1, 1, -1, -2, -3, 2
_VOUCHER = b"\x3a\x00\x01\x00\x00"
MAX_CITY = 999_999


class Claims(NamedTuple):
    """The claims as the token contains them: integers and bytes, within their bounds."""

    expires_at: int
    issued_at: int
    nonce: bytes
    profile: int
    identity_ref: bytes
    city: int
    optional: OptionalClaims = NONE_STATED
    device_key: DeviceKey | None = None


def encode_claims(voucher: Voucher) -> bytes:
    """The payload of a voucher: its CWT claims (Spec 2.3)."""
    key, values = voucher.device_key, values_of(voucher)
    optional = b"" if values == NO_VALUES else _encode_optional(values)
    parts = (
        b"\xa4\x04" if key is None else b"\xa5\x04",
        _encode_uint(voucher.expires_at),
        b"\x06",
        _encode_uint(voucher.issued_at),
        _CTI_HEADS[len(voucher.nonce)],
        voucher.nonce,
        b"" if key is None else _encode_cnf(key),
        _VOUCHER,
        bytes((0x84 if optional else 0x83, voucher.profile, 0x50)),
        voucher.identity_ref,
        _encode_uint(int(voucher.city_code)),
        optional,
    )
    return b"".join(parts)


_CTI_HEADS = {size: bytes((_CTI, 0x40 + size)) for size in NONCE_SIZES}
_TWO_BYTES, _FOUR_BYTES = Struct(">BH").pack, Struct(">BI").pack


def _encode_uint(number: int) -> bytes:
    """An unsigned integer of at most 32 bits in its shortest form (RFC 8949 section 4.2.1)."""
    if number > 0xFFFF:
        return _FOUR_BYTES(0x1A, number)
    if number > 0xFF:
        return _TWO_BYTES(0x19, number)
    return bytes((0x18, number)) if number >= 0x18 else bytes((number,))


def _encode_cnf(key: DeviceKey) -> bytes:
    start = next(start for start, curve in CNF_STARTS.items() if curve == key.curve)
    return start + key.x + (_Y_ODD if key.y_is_odd else _Y_EVEN)


def _encode_optional(values: tuple[Any, ...]) -> bytes:
    """The map of the optional claims."""
    stated = [(row, value) for row, value in zip(OPTIONAL_CLAIMS, values, strict=True) if value is not None]
    pairs = (
        bytes((row.label,)) + (_encode_uint(row.to_wire(value)) if row.maximum else encode_byte_string(value))
        for row, value in stated
    )
    return bytes((0xA0 + len(stated),)) + b"".join(pairs)


# cnf (RFC 8747 section 3.2) is 08 a1 01 a4 01 02 20 crv 21 58 20 x 22 f4 or f5. Up to x there is one spelling for each
# curve.
CNF_STARTS = {
    cbor2.dumps({_CNF: {_COSE_KEY: {_KTY: _EC2, _CRV: curve, _X: bytes(32), _Y: False}}})[1:-34]: curve
    for curve in CURVES
}
_Y_EVEN, _Y_ODD = b"\x22\xf4", b"\x22\xf5"
Y_IS_ODD = {_Y_EVEN: False, _Y_ODD: True}


def _refuse() -> NoReturn:
    raise ClaimsError("claims.shape")


_WIDEST_HEAD = 0x1A  # a head followed by four bytes: no number here exceeds 32 bits
_LEAST = {0x18: 24, 0x19: 1 << 8, 0x1A: 1 << 16}  # the least number that needs a head of that width
_PROFILES = frozenset(int(profile) for profile in Profile)
_DEVICE_BOUND = int(Profile.DEVICE_BOUND)


def _walk_uint(payload: bytes, at: int, maximum: int) -> tuple[int, int]:
    """Read an unsigned integer in its shortest form (RFC 8949 section 4.2.1); returns it and where it ends.

    Raises:
        ClaimsError: it has another form, or is above the maximum.
        IndexError: the payload ends before it.
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


def walk_claims(payload: bytes) -> Claims:
    """Read the claims by walking through the one allowed shape (step 5). `ybtoken.wire.parse.parse_claims` calls this.

    Args:
        payload: the payload with the CBOR head of its byte string.

    Raises:
        ClaimsError: the payload is not the one encoding of allowed claims.
        IndexError: the payload is cut off.
    """
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
    if payload[end : end + 5] != _VOUCHER:
        _refuse()
    items, profile, at = payload[end + 5] - 0x80, payload[end + 6], end + 8
    if profile not in _PROFILES or payload[end + 7] != 0x50 or (device_key is None) is (profile == _DEVICE_BOUND):
        _refuse()
    identity_ref = payload[at : at + IDENTITY_REF_SIZE]
    city, at = _walk_uint(payload, at + IDENTITY_REF_SIZE, MAX_CITY)
    if items == 3 and at == len(payload):
        optional = NONE_STATED
    elif items == 4:
        optional = _walk_optional(payload, at)
    else:
        _refuse()
    return Claims(expires_at, issued_at, nonce, profile, identity_ref, city, optional, device_key)


def _walk_cnf(payload: bytes, at: int) -> tuple[DeviceKey, int]:
    for start, curve in CNF_STARTS.items():
        x_at = at + len(start)
        if payload[at:x_at] == start:
            y_at = x_at + 32
            y_is_odd = Y_IS_ODD.get(payload[y_at : y_at + 2])
            if y_is_odd is not None:
                return DeviceKey(curve, payload[x_at:y_at], y_is_odd), y_at + 2
    _refuse()


_BY_LABEL = {row.label: row for row in OPTIONAL_CLAIMS}


def _walk_optional(payload: bytes, at: int) -> OptionalClaims:
    count = payload[at] - 0xA0
    if not 1 <= count <= len(_BY_LABEL):
        _refuse()
    at += 1
    stated: dict[str, Any] = {}
    previous = 0
    for _ in range(count):
        label = payload[at]
        row = _BY_LABEL.get(label)
        if row is None or label <= previous:
            _refuse()
        previous = label
        if row.maximum:
            number, at = _walk_uint(payload, at + 1, row.maximum)
            stated[row.name] = row.from_wire(number)
        else:
            value = payload[at + 2 : at + 2 + IDENTITY_REF_SIZE]
            if payload[at + 1] != 0x50 or len(value) != IDENTITY_REF_SIZE:
                _refuse()
            stated[row.name] = value
            at += 2 + IDENTITY_REF_SIZE
    if at != len(payload):
        _refuse()
    return OptionalClaims(**stated)
