"""The voucher: its claims and their bounds. A `Voucher` that exists is valid.

This module owns the bounds (Spec 2.3); `ybtoken.wire.claims` owns how they become bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from ybtoken._checks import octets, uint
from ybtoken.algorithms import Curve
from ybtoken.places import check_city_code
from ybtoken.vocabulary import check_purpose
from ybtoken.words import BoundsError, Words

__all__ = [
    "OPTIONAL_CLAIMS",
    "STEP",
    "Assurance",
    "DeviceKey",
    "DevicePresentation",
    "Note",
    "OptionalClaim",
    "OptionalClaims",
    "Profile",
    "Voucher",
]

IDENTITY_REF_SIZE = 16
STEP = 30
"""For how many seconds a rotating pass shows a code. Time steps of this length are counted from 1970."""
NONCE_SIZES = range(8, 17)
MAX_UINT8 = 0xFF
MAX_UINT32 = 0xFFFF_FFFF
MAX_CHANNEL = 0xFFFF
MAX_PURPOSE = 99_999
CURVES = tuple(map(int, Curve))
"""The COSE numbers of the curves that a key may be on."""
_COORDINATE_SIZE = 32


class Profile(IntEnum):
    """How a display is made (Spec 3)."""

    VOUCHER = 1
    """The issuer signs every display."""
    ROTATING = 2
    """The issuer signs a pass; the phone adds a one-time code."""
    DEVICE_BOUND = 3
    """The issuer signs a pass; the phone signs each display."""


class Assurance(IntEnum):
    """How the holder was authenticated when the code was shown; larger is stronger."""

    PASSWORD = 1
    FINGERPRINT = 2
    FACE = 3


class DeviceKey(NamedTuple):
    """The public key of a phone in a device-bound pass, as a compressed point (RFC 9053 section 7.1.1)."""

    curve: int
    """The COSE number of its curve, one of `CURVES`."""
    x: bytes
    """The x coordinate, 32 bytes, big-endian."""
    y_is_odd: bool


class DevicePresentation(NamedTuple):
    """What a phone adds to a device-bound pass at each display, under its own signature (Spec 3.3)."""

    issued_at: int
    """When it was shown by the phone's clock, in seconds since 1970."""
    nonce: bytes
    """8 bytes."""
    challenge: bytes | None = None
    """The answer to the terminal's challenge; see `ybtoken.passes.challenge.Challenge.answer`."""


class Note(NamedTuple):
    """A condition under which a voucher was accepted, which its user should know."""

    code: str
    what: Words


_REF_SIZES = range(IDENTITY_REF_SIZE, IDENTITY_REF_SIZE + 1)
_COORDINATE_SIZES = range(_COORDINATE_SIZE, _COORDINATE_SIZE + 1)


class OptionalClaim(NamedTuple):
    """An optional claim: its bounds, its label and its names. A row of `OPTIONAL_CLAIMS`."""

    label: int
    """Its key in the map of optional claims (Spec 2.3)."""
    column: str
    """The name of its column in a batch."""
    maximum: int
    """The largest number; 0 for a claim of 16 bytes."""
    digits: int = 0
    """With how many digits the API writes the number as a string; 0 if it is an `int` in the API too."""
    help: Words = Words("", "")
    """What it is, for people."""
    levels: type[IntEnum] | None = None
    """The numbers that have a name, if some have."""
    name: str = ""
    """The attribute of a voucher, and the keyword of an issuer."""

    @property
    def kind(self) -> Literal["B", "H", "I", 16]:
        """The `array` type code of its column, or the width of its bytes."""
        if not self.maximum:
            return 16
        return "B" if self.maximum <= MAX_UINT8 else "H" if self.maximum <= MAX_CHANNEL else "I"

    def check(self, value: Any) -> None:
        """Raise `TypeError` or `ValueError` for a value that a voucher may not state."""
        if self.digits:
            check_purpose(value)
        elif self.maximum:
            uint(self.name, value, self.maximum)
        else:
            octets(self.name, value, _REF_SIZES)

    def to_wire(self, value: Any) -> Any:
        """The number or the bytes that the token contains."""
        return int(value) if self.digits else value

    def from_wire(self, value: Any) -> Any:
        """The value that the API shows."""
        return f"{value:0{self.digits}d}" if self.digits else value

    def from_text(self, value: Any) -> Any:
        """The value that an option or a JSON member states: 16 bytes are in hexadecimal, as in `to_dict`."""
        if self.kind == 16 and isinstance(value, str):
            return ref_from_hex(Words(self.name, f"{self.name} "), value)
        return value


def ref_from_hex(name: Words, value: Any) -> bytes:
    """The bytes of an identity reference in hexadecimal; another value is refused by its name in both languages."""
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError):
        digits = 2 * IDENTITY_REF_SIZE
        raise BoundsError(f"{name.en} is {digits} hexadecimal digits", f"{name.zh}应为 {digits} 位十六进制") from None


def _claim(*row: Any, **options: Any) -> Any:
    return field(default=None, metadata={"row": OptionalClaim(*row, **options)})


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalClaims:
    """The claims that an issuer may leave out. **The one table of them**: each line here is a row.

    The contents of tokens, of a batch's columns, of command-line options and of Arrow tables follow from these rows.
    """

    channel: int | None = _claim(1, "channels", MAX_CHANNEL, help=Words("Who shows it.", "渠道。"))
    purpose: str | None = _claim(
        2, "purposes", MAX_PURPOSE, digits=5, help=Words("Business type, five digits.", "用码业务类型，五位数字。")
    )
    presenter: bytes | None = _claim(
        3, "presenters", 0, help=Words("The family member who shows it.", "代为出示人（亲情账户）。")
    )
    assurance: int | None = _claim(
        4, "assurances", MAX_UINT8, levels=Assurance, help=Words("How the holder was authenticated.", "核验等级。")
    )
    status_index: int | None = _claim(
        5, "status_indexes", MAX_UINT32, help=Words("Place in the status list.", "状态列表序号。")
    )


OPTIONAL_CLAIMS: tuple[OptionalClaim, ...] = tuple(
    claim.metadata["row"]._replace(name=claim.name) for claim in fields(OptionalClaims)
)
"""The rows of `OptionalClaims`, by ascending label."""
NONE_STATED: Final = OptionalClaims()
"""The optional claims of a token that states none."""
values_of = attrgetter(*(claim.name for claim in OPTIONAL_CLAIMS))
"""The values of the optional claims in the order of `OPTIONAL_CLAIMS`; ``None`` for a claim that is not stated."""
NO_VALUES: Final[tuple[Any, ...]] = values_of(NONE_STATED)
_DEVICE_BOUND = Profile.DEVICE_BOUND  # the member of an enum is slow to reach on Python 3.11


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher(OptionalClaims):
    """What an issuer states in one token (Spec 2.3).

    Args:
        identity_ref: 16 opaque bytes that stand for the holder.
        city_code: the insured place (参保地), six digits.
        issued_at: seconds since 1970.
        expires_at: seconds since 1970, above ``issued_at``.
        nonce: 8 to 16 bytes, never used before under the same key.
        profile: how displays are made.
        channel: who showed it, 0 to 65535.
        purpose: business type (用码业务类型), five digits.
        presenter: 16 opaque bytes for the family member who shows it for the holder (亲情账户).
        assurance: how the holder was authenticated (see `Assurance`), 0 to 255.
        status_index: the pass's place in the issuer's status list, 0 to 2**32 - 1.
        device_key: the phone's public key; a device-bound pass has one, and nothing else.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of its bounds.
    """

    identity_ref: bytes
    city_code: str
    issued_at: int
    expires_at: int
    nonce: bytes
    profile: Profile = Profile.VOUCHER
    device_key: DeviceKey | None = None

    def __post_init__(self) -> None:
        octets("identity_ref", self.identity_ref, _REF_SIZES)
        check_city_code(self.city_code)
        uint("issued_at", self.issued_at, MAX_UINT32)
        uint("expires_at", self.expires_at, MAX_UINT32)
        if self.expires_at <= self.issued_at:
            raise BoundsError("expires_at is above issued_at", "expires_at 应晚于 issued_at")
        octets("nonce", self.nonce, NONCE_SIZES)
        if type(self.profile) is not Profile:
            object.__setattr__(self, "profile", Profile(self.profile))
        for row in OPTIONAL_CLAIMS:
            if (value := getattr(self, row.name)) is not None:
                row.check(value)
        if (self.device_key is not None) != (self.profile is _DEVICE_BOUND):
            raise ValueError("a device-bound pass has a device key, and nothing else has one")
        if self.device_key is not None:
            if self.device_key.curve not in CURVES:
                raise ValueError(f"a device key is on one of the curves {CURVES}")
            octets("the device key's x", self.device_key.x, _COORDINATE_SIZES)
