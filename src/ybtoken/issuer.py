"""The issuer: makes and signs tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypedDict, Unpack

from ybtoken.keys.device import device_key_of
from ybtoken.keys.protocols import SigningKey, VerifyingKey
from ybtoken.places import Scope
from ybtoken.tokens import Pass, Token
from ybtoken.voucher import DeviceKey, Profile, Voucher
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import encode_header, sign1
from ybtoken.wire.text import encode_text

__all__ = ["Extras", "Issuer"]


class Extras(TypedDict, total=False):
    """Optional claims; see `ybtoken.voucher.Voucher`."""

    channel: int | None
    purpose: str | None
    presenter: bytes | None
    assurance: int | None
    status_index: int | None


class Issuer:
    """Issues vouchers with one signing key; immutable, and safe to share between threads.

    Args:
        key: signs every token.
        scope: the insured places this issuer may state; as the verifiers' key ring has it.
        lifetime: for how many seconds a token is valid.
        pass_lifetime: for how many seconds a pass is valid, from which a phone makes codes offline.
        clock: seconds since 1970; read once a call, unless the call is given its own ``now``.
        random: gives that many unpredictable bytes; the nonce comes from it.
    """

    __slots__ = ("_clock", "_header", "_key", "_lifetime", "_pass_lifetime", "_random", "_scope")

    def __init__(
        self,
        key: SigningKey,
        *,
        scope: Scope = Scope(),
        lifetime: int = 60,
        pass_lifetime: int = 12 * 3600,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if min(lifetime, pass_lifetime) < 1:
            raise ValueError("a lifetime is at least 1 second")
        self._key = key
        self._scope = scope
        self._lifetime = lifetime
        self._pass_lifetime = pass_lifetime
        self._clock = clock
        self._random = random
        self._header = encode_header(key.algorithm, key.kid)

    def issue(self, identity_ref: bytes, city_code: str, *, now: int | None = None, **extras: Unpack[Extras]) -> Token:
        """Issue one voucher.

        Args:
            identity_ref: 16 bytes that stand for the holder, sealed anew for every display (`IdentitySealer`).
            city_code: the insured place (参保地), six digits.
            now: when it is issued, in seconds since 1970; the issuer's clock if it is not given.
            extras: channel, purpose, presenter, assurance, status_index.

        Raises:
            ValueError, TypeError: a claim is out of its bounds, the place out of the issuer's scope, or the key's
                signature not r || s.
        """
        return self.sign(self._voucher(identity_ref, city_code, Profile.VOUCHER, self._lifetime, now, extras))

    def issue_many(
        self, holders: Iterable[tuple[bytes, str]], *, now: int | None = None, **extras: Unpack[Extras]
    ) -> Iterator[Token]:
        """Issue one voucher for each identity reference and city code; the extras are common to all. Lazy."""
        for identity_ref, city_code in holders:
            yield self.issue(identity_ref, city_code, now=now, **extras)

    def issue_rotating_pass(
        self, identity_ref: bytes, city_code: str, *, now: int | None = None, **extras: Unpack[Extras]
    ) -> Pass:
        """Issue a rotating pass (profile 2); `RotatingCodes.enrol` makes it ready for the phone. Else as `issue`."""
        return self.sign_pass(
            self._voucher(identity_ref, city_code, Profile.ROTATING, self._pass_lifetime, now, extras)
        )

    def issue_device_bound_pass(
        self,
        identity_ref: bytes,
        city_code: str,
        device_key: VerifyingKey,
        *,
        now: int | None = None,
        **extras: Unpack[Extras],
    ) -> Pass:
        """Issue a device-bound pass (profile 3) for the phone with this public key. Else as `issue`.

        Have the phone prove that it holds the private key first, and that it is in a secure element, by the platform's
        own attestation: a pass says only which key it is bound to.
        """
        key = device_key_of(device_key)
        return self.sign_pass(
            self._voucher(identity_ref, city_code, Profile.DEVICE_BOUND, self._pass_lifetime, now, extras, key)
        )

    def sign(self, voucher: Voucher) -> Token:
        """Sign a voucher that was made elsewhere, nonce included: a nonce must never be used twice under a key."""
        if voucher.profile is not Profile.VOUCHER:
            raise ValueError("only profile 1 is a token by itself: sign a pass with sign_pass")
        data = self._sign(voucher)
        return Token(data, encode_text(voucher.profile, data), voucher)

    def sign_pass(self, voucher: Voucher) -> Pass:
        """The same for a pass, of profile 2 or 3."""
        if voucher.profile is Profile.VOUCHER:
            raise ValueError("profile 1 is a token by itself and no pass")
        return Pass(self._sign(voucher), voucher)

    def _voucher(
        self,
        identity_ref: bytes,
        city_code: str,
        profile: Profile,
        lifetime: int,
        now: int | None,
        extras: Extras,
        device_key: DeviceKey | None = None,
    ) -> Voucher:
        issued_at = int(self._clock()) if now is None else now
        return Voucher(
            identity_ref=identity_ref,
            city_code=city_code,
            issued_at=issued_at,
            expires_at=issued_at + lifetime,
            nonce=self._random(8),
            profile=profile,
            device_key=device_key,
            **extras,
        )

    def _sign(self, voucher: Voucher) -> bytes:
        if not self._scope.covers(voucher.city_code):
            raise ValueError(f"the insured place {voucher.city_code} is outside this issuer's scope {self._scope}")
        payload = encode_claims(voucher)
        return sign1(self._header, payload, self._key.sign)

    def __repr__(self) -> str:
        return f"Issuer({self._key!r}, scope={self._scope}, lifetime={self._lifetime})"
