"""Step 5: the claims, their bounds and their one encoding (Spec 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import (
    CITY,
    EXP,
    IAT,
    IDENTITY,
    NONCE,
    PRESENTER,
    accepted,
    bstr,
    case,
    head,
    nint,
    payload,
    refused,
    text,
    token,
    tstr,
    uint,
)

ABOUT = (
    "Step 5: what was signed is one encoding of allowed claims. Every signature here is good, and the time is right."
)

_PRESENTER = b"\x03" + bstr(PRESENTER)
_VOUCHER = b"\x3a\x00\x01\x00\x00"


def _indefinite(major: int, inner: bytes) -> bytes:
    return bytes([major << 5 | 31]) + inner + b"\xff"


def _extras(*items: bytes) -> bytes:
    return payload(extras=head(5, len(items)) + b"".join(items))


def _accept() -> Iterator[tuple[str, str, bytes, dict[str, Any]]]:
    yield "base", "the claims of profile 1 and no extras", payload(), {}
    for size in (8, 16):
        nonce = bytes(range(size))
        yield f"nonce-{size}", f"a nonce of {size} bytes", payload(cti=b"\x07" + bstr(nonce)), {"nonce": nonce.hex()}
    for city in (0, 23, 24, 255, 256, 65_535, 65_536, 999_999):
        yield (
            f"city-{city:06d}", f"city code {city:06d}, at an end of its range or of a width",
            payload(city=uint(city)), {"city_code": f"{city:06d}"},
        )  # fmt: skip
    yield (
        "identity-zeros",
        "an identity reference is opaque: zeros",
        payload(identity=bstr(bytes(16))),
        {"identity_ref": "00" * 16},
    )
    yield (
        "identity-ones",
        "an identity reference is opaque: ones",
        payload(identity=bstr(b"\xff" * 16)),
        {"identity_ref": "ff" * 16},
    )
    for name, label, values in (
        ("channel", 1, (0, 23, 24, 255, 256, 65_535)),
        ("purpose", 2, (0, 23, 24, 255, 256, 1_301, 65_535, 65_536, 99_999)),
        ("assurance", 4, (0, 1, 3, 23, 24, 255)),
        ("status_index", 5, (0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1)),
    ):
        for value in values:
            stated = f"{value:05d}" if name == "purpose" else value
            yield f"{name}-{stated}", f"{name} {stated}", _extras(uint(label) + uint(value)), {name: stated}
    yield "presenter", "the family member who shows the code", _extras(_PRESENTER), {"presenter": PRESENTER.hex()}
    yield (
        "channel-and-purpose",
        "two extras",
        _extras(b"\x01\x02", b"\x02" + uint(1301)),
        {"channel": 2, "purpose": "01301"},
    )
    yield (
        "all-extras", "all five extras",
        _extras(b"\x01\x02", b"\x02" + uint(2121), _PRESENTER, b"\x04\x03", b"\x05" + uint(70_000)),
        {"channel": 2, "purpose": "02121", "presenter": PRESENTER.hex(), "assurance": 3, "status_index": 70_000},
    )  # fmt: skip
    most = _extras(
        b"\x01" + uint(65_535), b"\x02" + uint(99_999), b"\x03" + bstr(b"\xff" * 16), b"\x04" + uint(255), b"\x05" + uint(2**32 - 1)
    )  # fmt: skip
    yield (
        "longest", "the longest claims of profile 1: every extra at its highest, a nonce of 16 bytes",
        most.replace(b"\x07" + bstr(NONCE), b"\x07" + bstr(bytes(16))),
        {"nonce": "00" * 16, "channel": 65_535, "purpose": "99999", "presenter": "ff" * 16, "assurance": 255,
         "status_index": 2**32 - 1},
    )  # fmt: skip


def _times() -> Iterator[tuple[str, str, int, int]]:
    for iat, exp in ((0, 1), (22, 23), (23, 24), (24, 25), (254, 255), (255, 256), (65_534, 65_535), (65_535, 65_536),
                     (2**32 - 2, 2**32 - 1)):  # fmt: skip
        yield f"times-{iat}-{exp}", f"iat {iat} and exp {exp}, at an end of their range or of a width", iat, exp


def _refuse() -> Iterator[tuple[str, str, bytes]]:
    good = payload()
    # times
    yield "exp-equals-iat", "exp is iat: never valid", payload(exp=b"\x04" + uint(IAT))
    yield "exp-below-iat", "exp is below iat", payload(exp=b"\x04" + uint(IAT - 1))
    yield "exp-above-32-bits", "exp is 2^32", payload(exp=b"\x04" + uint(2**32))
    yield "exp-highest", "exp is 2^64 - 1", payload(exp=b"\x04" + uint(2**64 - 1))
    yield "exp-long", "exp in eight bytes where four do", payload(exp=b"\x04" + uint(EXP, 8))
    yield "exp-negative", "exp is negative", payload(exp=b"\x04" + nint(-EXP))
    yield "exp-float64", "exp is a 64-bit float", payload(exp=b"\x04\xfb\x41\xda\xd2\x74\x8f\x00\x00\x00")
    yield "exp-float32", "exp is a 32-bit float", payload(exp=b"\x04\xfa\x4e\xd6\x93\xa4")
    yield "exp-float16", "exp is a 16-bit float, infinity", payload(exp=b"\x04\xf9\x7c\x00")
    yield "exp-text", "exp is a text string", payload(exp=b"\x04" + tstr(str(EXP)))
    yield "exp-bytes", "exp is a byte string", payload(exp=b"\x04" + bstr(EXP.to_bytes(4, "big")))
    yield "exp-bignum", "exp is a bignum", payload(exp=b"\x04\xc2" + bstr(EXP.to_bytes(4, "big")))
    yield "exp-tag-1", "exp has the tag of a time", payload(exp=b"\x04\xc1" + uint(EXP))
    yield "exp-true", "exp is true", payload(exp=b"\x04\xf5")
    yield "exp-null", "exp is null", payload(exp=b"\x04\xf6")
    yield "exp-undefined", "exp is undefined", payload(exp=b"\x04\xf7")
    yield "exp-reserved-28", "exp has the reserved additional information 28", payload(exp=b"\x04\x1c")
    yield "iat-float64", "iat is a 64-bit float", payload(iat=b"\x06\xfb\x41\xda\xd2\x74\x80\x00\x00\x00")
    yield "iat-negative", "iat is negative", payload(iat=b"\x06\x20")
    yield "iat-long", "iat in eight bytes where four do", payload(iat=b"\x06" + uint(IAT, 8))
    for number, widths in ((0, (1, 2, 4)), (23, (1,)), (255, (2, 4)), (65_535, (4,))):
        for width in widths:
            yield (
                f"iat-{number}-in-{width}", f"iat {number} in {width} bytes more than its shortest form",
                payload(iat=b"\x06" + uint(number, width)),
            )  # fmt: skip
    yield "exp-23-long", "exp 23 in two bytes", payload(exp=b"\x04" + uint(23, 1), iat=b"\x06\x00")
    # nonce
    for size in (0, 7, 17, 24):
        nonce = bytes(range(size))
        yield f"nonce-{size}", f"a nonce of {size} bytes", payload(cti=b"\x07" + bstr(nonce))
    yield "nonce-long", "the nonce's length in two bytes", payload(cti=b"\x07" + bstr(NONCE, 1))
    yield "nonce-text", "the nonce is a text string", payload(cti=b"\x07" + tstr("nonce001"))
    yield "nonce-indefinite", "the nonce in chunks", payload(cti=b"\x07" + _indefinite(2, bstr(NONCE)))
    yield "nonce-uint", "the nonce is an integer", payload(cti=b"\x07" + uint(2**63, 8))
    # the map
    yield "map-long", "the map's length in two bytes", payload(map=head(5, 4, 1))
    yield "map-indefinite", "a map of indefinite length", payload(map=b"\xbf", end=b"\xff")
    yield "map-3-of-4", "the map says 3 pairs and holds 4", payload(map=b"\xa3")
    yield "map-5-of-4", "the map says 5 pairs and holds 4", payload(map=b"\xa5")
    yield "map-as-array", "an array of the same items", payload(map=b"\x88")
    yield "no-exp", "exp is missing", payload(map=b"\xa3", exp=b"")
    yield "no-iat", "iat is missing", payload(map=b"\xa3", iat=b"")
    yield "no-nonce", "the nonce is missing", payload(map=b"\xa3", cti=b"")
    long_nonce = payload(map=b"\xa3", cti=b"\x07" + bstr(bytes(16)))
    yield "no-voucher", "the voucher is missing", long_nonce[: long_nonce.index(_VOUCHER)]
    yield "duplicate-exp", "exp twice", payload(map=b"\xa5", exp=b"\x04" + uint(EXP) + b"\x04" + uint(EXP))
    yield "duplicate-iat", "iat twice, and no nonce", payload(cti=b"\x06" + uint(IAT))
    yield "duplicate-voucher", "the voucher twice", payload(map=b"\xa5", end=good[good.index(_VOUCHER) :])
    yield "order-iat-exp", "iat before exp", payload(exp=b"\x06" + uint(IAT), iat=b"\x04" + uint(EXP))
    yield "order-nonce-iat", "the nonce before iat", payload(iat=b"\x07" + bstr(NONCE), cti=b"\x06" + uint(IAT))
    at = good.index(_VOUCHER)
    yield "order-voucher-first", "the voucher first", good[:1] + good[at:] + good[1:at]
    for label, name, item in ((1, "iss", tstr("A")), (2, "sub", tstr("A")), (3, "aud", tstr("A"))):
        yield f"label-{name}", f"{name} besides", payload(map=b"\xa5", exp=uint(label) + item + b"\x04" + uint(EXP))
    yield "label-nbf", "nbf besides", payload(map=b"\xa5", exp=b"\x04" + uint(EXP) + b"\x05" + uint(IAT))
    yield "label-cnf", "cnf in profile 1", payload(map=b"\xa5", label=b"\x08\xa1\x02\x40" + _VOUCHER)
    yield "label-unknown", "an unknown label after the voucher", payload(map=b"\xa5", end=nint(-65538) + b"\x00")
    yield "label-exp-long", "label 4 in two bytes", payload(exp=b"\x18\x04" + uint(EXP))
    yield "label-iat-long", "label 6 in two bytes", payload(iat=b"\x18\x06" + uint(IAT))
    yield "label-text", "exp by name", payload(exp=tstr("exp") + uint(EXP))
    yield "voucher-label-long", "label -65537 in nine bytes", payload(label=nint(-65537, 8))
    yield "voucher-label-positive", "label 65536 for -65537", payload(label=uint(65_536))
    yield "voucher-label-minus-65536", "label -65536", payload(label=nint(-65536))
    yield "voucher-label-minus-65538", "label -65538", payload(label=nint(-65538))
    yield "tag-cwt", "the CWT tag 61 around the claims", payload(map=b"\xd8\x3d\xa4")
    yield "tag-self-described", "the self-described CBOR tag around the claims", payload(map=b"\xd9\xd9\xf7\xa4")
    yield "trailing-zero", "a zero byte after the claims", payload(end=b"\x00")
    yield "trailing-break", "a break after the claims", payload(end=b"\xff")
    yield "trailing-extras", "extras after an array of three", payload(end=b"\xa1\x01\x02")
    yield "truncated", "the last byte is missing", good[:-1]
    yield "truncated-identity", "the claims end inside the identity reference", good[: good.index(IDENTITY) + 8]
    yield "truncated-array", "the claims end at the voucher's array", good[: at + 6]
    yield "garbage-24", "24 zero bytes, the shortest payload that has a head of two bytes", bytes(24)
    yield "garbage-242", "a payload of 242 bytes, the longest that fits a text", good + bytes(242 - len(good))
    yield "json", "claims in JSON", b'{"exp":1800000060,"iat":1800000000}'
    # the voucher's array
    yield "array-long", "the array's length in two bytes", payload(array=head(4, 3, 1))
    yield "array-indefinite", "an array of indefinite length", payload(array=b"\x9f", end=b"\xff")
    yield "array-2", "no city code", payload(array=b"\x82", city=b"")
    yield "array-4-of-3", "the array says 4 items and holds 3", payload(array=b"\x84")
    yield "array-5", "five items", payload(array=b"\x85", extras=b"\xa1\x01\x02\x00")
    yield "array-as-map", "a map for the array", payload(array=b"\xa2", extras=b"\x00")
    for profile in (0, 4, 23):
        yield f"profile-{profile}", f"profile {profile} does not exist", payload(profile=uint(profile))
    yield "profile-long", "profile 1 in two bytes", payload(profile=uint(1, 1))
    yield "profile-negative", "profile -1", payload(profile=b"\x20")
    yield "profile-text", "the profile is a text string", payload(profile=b"\x61\x31")
    yield "profile-true", "the profile is true", payload(profile=b"\xf5")
    for size in (0, 15, 17, 32):
        yield f"identity-{size}", f"an identity reference of {size} bytes", payload(identity=bstr(bytes(size)))
    yield "identity-long", "the identity reference's length in two bytes", payload(identity=bstr(IDENTITY, 1))
    yield "identity-text", "the identity reference is a text string", payload(identity=tstr("0123456789abcdef"))
    yield "city-1000000", "city code 1000000 has seven digits", payload(city=uint(1_000_000))
    yield "city-highest", "city code 2^32 - 1", payload(city=uint(2**32 - 1))
    yield "city-64-bits", "city code 2^32", payload(city=uint(2**32))
    yield "city-negative", "a negative city code", payload(city=nint(-1))
    yield "city-text", "the city code is a text string", payload(city=tstr("330100"))
    yield "city-float", "the city code is a float", payload(city=b"\xfa\x48\xa1\x2e\x80")
    yield "city-long", "the city code in eight bytes", payload(city=uint(CITY, 8))
    for number, width in ((0, 1), (23, 1), (255, 2), (65_535, 4)):
        yield (
            f"city-{number}-in-{width}",
            f"city code {number} in {width} bytes more than its shortest form",
            payload(city=uint(number, width)),
        )
    # extras
    yield "extras-empty", "extras that are empty are left out", payload(extras=b"\xa0")
    yield "extras-null", "null for the extras", payload(extras=b"\xf6")
    yield "extras-array", "an array for the extras", payload(extras=b"\x82\x01\x02")
    yield "extras-long", "the extras' length in two bytes", payload(extras=b"\xb8\x01\x01\x02")
    yield "extras-indefinite", "extras of indefinite length", payload(extras=b"\xbf\x01\x02\xff")
    yield "extras-2-of-1", "the extras say 2 pairs and hold 1", payload(extras=b"\xa2\x01\x02")
    yield "extras-1-of-2", "the extras say 1 pair and hold 2", payload(extras=b"\xa1\x01\x02\x04\x03")
    yield "extras-6", "six extras", payload(extras=b"\xa6\x01\x02\x02\x02" + _PRESENTER + b"\x04\x03\x05\x01\x06\x00")
    yield "extras-order", "purpose before channel", _extras(b"\x02\x01", b"\x01\x02")
    yield "extras-duplicate", "channel twice", _extras(b"\x01\x02", b"\x01\x02")
    yield "extras-duplicate-other", "channel twice, with two values", _extras(b"\x01\x02", b"\x01\x03")
    yield "extras-label-0", "extra 0 does not exist", _extras(b"\x00\x02")
    yield "extras-label-6", "extra 6 does not exist", _extras(b"\x06\x02")
    yield "extras-label-24", "extra 24 does not exist", _extras(b"\x18\x18\x02")
    yield "extras-label-long", "label 1 in two bytes", _extras(b"\x18\x01\x02")
    yield "extras-label-negative", "label -1", _extras(b"\x20\x02")
    yield "extras-label-text", "channel by name", _extras(tstr("channel") + b"\x02")
    for name, label, above in (
        ("channel", 1, 65_536),
        ("purpose", 2, 100_000),
        ("assurance", 4, 256),
        ("status", 5, 2**32),
    ):
        yield f"{name}-above", f"{name} {above} is above its bound", _extras(uint(label) + uint(above))
        yield f"{name}-negative", f"{name} -1", _extras(uint(label) + b"\x20")
        yield f"{name}-long", f"{name} 1 in two bytes", _extras(uint(label) + uint(1, 1))
        yield f"{name}-text", f"{name} is a text string", _extras(uint(label) + tstr("1"))
        yield f"{name}-null", f"{name} is null: what is not stated is left out", _extras(uint(label) + b"\xf6")
    for size in (0, 15, 17):
        yield f"presenter-{size}", f"a presenter of {size} bytes", _extras(b"\x03" + bstr(bytes(size)))
    yield "presenter-long", "the presenter's length in two bytes", _extras(b"\x03" + bstr(PRESENTER, 1))
    yield "presenter-text", "the presenter is a text string", _extras(b"\x03" + tstr("0123456789abcdef"))
    yield "presenter-truncated", "the claims end inside the presenter", _extras(_PRESENTER)[:-4]
    yield "extras-trailing", "a byte after the extras", payload(extras=b"\xa1\x01\x02", end=b"\x00")


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    for name, why, claims, stated in _accept():
        data = token(claims)
        yield case(f"claims/accept-{name}", why, text(data), accepted(**stated), token=data.hex())
    for name, why, iat, exp in _times():
        data = token(payload(exp=b"\x04" + uint(exp), iat=b"\x06" + uint(iat)))
        yield case(f"claims/accept-{name}", why, text(data), accepted(issued_at=iat, expires_at=exp), now=iat)
    for name, why, claims in _refuse():
        yield case(f"claims/{name}", why, text(token(claims)), refused("claims.shape"))
    yield case("claims/prefix-96-profile-2", "profile 2 was signed, and the text says profile 1",
               text(token(payload(profile=b"\x02"))), refused("claims.profile"))  # fmt: skip
    yield case("claims/prefix-96-profile-2-extras", "the same with extras",
               text(token(payload(profile=b"\x02", extras=b"\xa1\x05\x07"))), refused("claims.profile"))  # fmt: skip
