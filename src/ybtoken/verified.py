"""What a verifier returns: a voucher that was found good.

A `VerifiedVoucher` is a view: it holds the claims as they were read, the key's entry and the results of the checks, and
shows them by the names that a `Voucher` has.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ybtoken.keys.ring import KeyEntry
from ybtoken.voucher import OPTIONAL_CLAIMS, STEP, DeviceKey, DevicePresentation, Note, OptionalClaims, Profile
from ybtoken.wire.claims import Claims

__all__ = ["CLAIM_KEPT", "VerifiedVoucher"]

CLAIM_KEPT = 240
"""For how many seconds a redemption is remembered after the end that is signed, whatever the numbers of the verifier.

A `ybtoken.verifier.Verifier` that would accept a display for longer gets no guard (ADR 0022).
"""

_PROFILES = {int(profile): profile for profile in Profile}


@lru_cache(maxsize=4096)  # more than there are city codes
def city_code_of(city: int) -> str:
    """The six digits of a city code that a token holds as a number."""
    return f"{city:06d}"


class Facts(NamedTuple):
    """The values behind a verified voucher."""

    claims: Claims
    entry: KeyEntry
    verified_at: int
    display_expires_at: int
    time_step: int | None
    presentation: DevicePresentation | None
    notes: tuple[Note, ...]


if TYPE_CHECKING:
    _Optional = OptionalClaims  # its attributes are found by __getattr__
else:
    _Optional = object


class VerifiedVoucher(_Optional):
    """A voucher whose signature, time, scope and policies were found good. Only a `Verifier` makes one.

    It has the claims of a `Voucher`, including the optional ones, and the results of the checks:

    Attributes:
        kid: the id of the issuer's key, 8 bytes.
        algorithm: the key's algorithm.
        issuer: the name that the key ring has for the issuer.
        verified_at: the time of verification, in seconds since 1970.
        display_expires_at: the end of this display, in seconds since 1970: the verifier that made this object accepts
            it for the skew longer.
        redeem_until: the time until which a redemption must be remembered, in seconds since 1970. From then on no
            verifier that redeems accepts this display any more, whatever its skew, if its clock is within it.
        time_step: the step of 30 s since 1970 whose one-time code was shown; ``None`` unless it is a rotating pass.
        presentation: what the phone signed; ``None`` unless it is a device-bound pass.
        notes: conditions under which it was accepted, such as an overdue status list.
    """

    __slots__ = ("_facts",)
    _facts: Facts

    def __init__(self) -> None:
        raise TypeError("a VerifiedVoucher comes only from Verifier.verify, verify_many or redeem")

    def __getattr__(self, name: str) -> Any:
        # Python calls this for attributes that it does not find, so for the optional claims.
        if name in _OPTIONAL_NAMES:
            return getattr(self._facts.claims.optional, name)
        raise AttributeError(f"a VerifiedVoucher has no attribute {name!r}")

    @property
    def identity_ref(self) -> bytes:
        """16 opaque bytes that stand for the holder."""
        return self._facts.claims.identity_ref

    @property
    def city_code(self) -> str:
        """The insured place (参保地), six digits."""
        return city_code_of(self._facts.claims.city)

    @property
    def issued_at(self) -> int:
        """Seconds since 1970."""
        return self._facts.claims.issued_at

    @property
    def expires_at(self) -> int:
        """Seconds since 1970."""
        return self._facts.claims.expires_at

    @property
    def nonce(self) -> bytes:
        """8 to 16 bytes."""
        return self._facts.claims.nonce

    @property
    def profile(self) -> Profile:
        """How the display was made."""
        return _PROFILES[self._facts.claims.profile]

    @property
    def device_key(self) -> DeviceKey | None:
        """The phone's public key; ``None`` unless it is a device-bound pass."""
        return self._facts.claims.device_key

    @property
    def kid(self) -> bytes:
        """The id of the issuer's key, 8 bytes."""
        return self._facts.entry.key.kid

    @property
    def algorithm(self) -> int:
        """The algorithm of the issuer's key."""
        return self._facts.entry.key.algorithm

    @property
    def issuer(self) -> str:
        """The name that the key ring has for the issuer."""
        return self._facts.entry.issuer

    @property
    def verified_at(self) -> int:
        """The time of verification, in seconds since 1970."""
        return self._facts.verified_at

    @property
    def redeem_until(self) -> int:
        """The time until which a redemption must be remembered, in seconds since 1970."""
        if self.time_step is not None:
            return self.time_step * STEP + CLAIM_KEPT
        if self.presentation is not None:
            return self.presentation.issued_at + CLAIM_KEPT
        return self.expires_at + CLAIM_KEPT

    @property
    def display_expires_at(self) -> int:
        """The end of this display for the verifier that made this object, in seconds since 1970."""
        return self._facts.display_expires_at

    @property
    def time_step(self) -> int | None:
        """The step of 30 s since 1970 whose one-time code was shown; ``None`` unless it is a rotating pass."""
        return self._facts.time_step

    @property
    def presentation(self) -> DevicePresentation | None:
        """What the phone signed; ``None`` unless it is a device-bound pass."""
        return self._facts.presentation

    @property
    def notes(self) -> tuple[Note, ...]:
        """Conditions under which it was accepted."""
        return self._facts.notes

    @property
    def replay_key(self) -> bytes:
        """The key that is claimed once when this display is redeemed.

        It consists of signed values, never of the token's bytes: the kid and the nonce; then the time step of a
        rotating pass (4 bytes), or the nonce that the phone signed.
        """
        if self.time_step is not None:
            return self.kid + self.nonce + self.time_step.to_bytes(4, "big")
        if self.presentation is not None:
            return self.kid + self.nonce + self.presentation.nonce
        return self.kid + self.nonce

    def to_dict(self) -> dict[str, Any]:
        """The voucher as JSON-ready values: bytes are hexadecimal, and what was not stated is ``None``."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in _SHOWN}
        shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in shown.items()}
        presentation = self.presentation
        return shown | {
            "profile": int(self.profile),
            "algorithm": self._facts.entry.key.algorithm.name,
            "presented_at": None if presentation is None else presentation.issued_at,
            "notes": [{"code": note.code, "what": note.what._asdict()} for note in self.notes],
        }

    def __eq__(self, other: object) -> bool:
        return self._facts == other._facts if isinstance(other, VerifiedVoucher) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.replay_key)

    def __repr__(self) -> str:
        return f"VerifiedVoucher({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a VerifiedVoucher cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a VerifiedVoucher cannot be changed: {name}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a VerifiedVoucher is not pickled: pass the token's text on and verify it there")


_OPTIONAL_NAMES = frozenset(row.name for row in OPTIONAL_CLAIMS)
_SHOWN = (
    "issuer", "kid", "algorithm", "profile", "city_code", "identity_ref", "nonce", "issued_at", "expires_at",
    *(row.name for row in OPTIONAL_CLAIMS), "verified_at", "time_step", "replay_key",
)  # fmt: skip
_new, _set_facts = object.__new__, VerifiedVoucher.__dict__["_facts"].__set__


def verified(facts: Facts) -> VerifiedVoucher:
    """Make a verified voucher without its constructor, which always refuses. Only `ybtoken.judging` may call this."""
    voucher = _new(VerifiedVoucher)
    _set_facts(voucher, facts)
    return voucher
