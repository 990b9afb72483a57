"""The issuer: makes and signs tokens and passes."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypedDict, Unpack

from ybtoken._checks import callback, duration, instance
from ybtoken.errors import SignatureError
from ybtoken.keys.device import device_key_of
from ybtoken.keys.protocols import SigningKey, VerifyingKey
from ybtoken.misuse import IssueError
from ybtoken.places import Scope
from ybtoken.tokens import Pass, Token
from ybtoken.vocabulary import PURPOSES, check_known_purpose, check_purpose
from ybtoken.voucher import DeviceKey, Profile, Voucher
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import SIGNATURE_SIZE, encode_header, sign1
from ybtoken.wire.text import encode_text
from ybtoken.words import BoundsError, words_of

__all__ = ["ClaimArguments", "Issuer"]

_VOUCHER = Profile.VOUCHER  # the member of an enum is slow to reach on Python 3.11


class ClaimArguments(TypedDict, total=False):
    """The optional claims, as keyword arguments of an issuer; see `ybtoken.voucher.Voucher`."""

    channel: int | None
    purpose: str | None
    presenter: bytes | None
    assurance: int | None
    status_index: int | None


class Issuer:
    """Issues vouchers with one signing key. It is immutable and may be shared between threads.

    Args:
        key: signs every token.
        scope: the insured places that this issuer may state, the same as in the verifiers' key ring.
        lifetime: how long a token is valid, in seconds.
        pass_lifetime: how long a pass is valid, in seconds; within that time a phone makes codes from it offline.
        purposes: the business types (用码业务类型) that it states. Any five digits are valid in a token, but a type
            that is not in `ybtoken.vocabulary.PURPOSES` is probably a slip. Where others are in use, give
            ``{*PURPOSES, "09001"}``, or ``None`` to allow any five digits.
        verified_share: the share of signatures that are verified before a token is returned, 0.0 (none) to 1.0 (all). A
            signing device that makes bad signatures is then found here, and not by terminals that say "forged".
            Verifying takes about 80 microseconds with a P-256 key and 300 with an SM2 key. By default one in 64 of this
            library's own keys' signatures, and all of any other key's or subclass's. Unless it is 0.0, the first is
            always verified.
        verifying_key: the key's public half. By default it is ``key.verifying_key``, or the key itself if it verifies.
        clock: returns seconds since 1970. A call reads it once, unless it was given its own ``now``.
        random: returns as many unpredictable bytes as it is asked for; the nonce comes from it.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds.
    """

    __slots__ = (
        "_clock",
        "_header",
        "_key",
        "_lifetime",
        "_pass_lifetime",
        "_public",
        "_purposes",
        "_random",
        "_scope",
        "_seen_good",
        "_share",
    )

    def __init__(
        self,
        key: SigningKey,
        *,
        scope: Scope = Scope(),
        lifetime: int = 60,
        pass_lifetime: int = 12 * 3600,
        purposes: Iterable[str] | None = PURPOSES,
        verified_share: float | None = None,
        verifying_key: VerifyingKey | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._key = instance("key", key, SigningKey, "a private key (SigningKey)")
        self._scope = instance("scope", scope, Scope, "a Scope")
        self._lifetime = duration("lifetime", lifetime, minimum=1)
        self._pass_lifetime = duration("pass_lifetime", pass_lifetime, minimum=1)
        self._purposes = None if purposes is None else frozenset(map(check_purpose, purposes))
        self._clock = callback("clock", clock, "seconds since 1970")
        self._random = callback("random", random, "bytes")
        self._header = encode_header(key.algorithm, key.kid)
        self._share = _checked_share(_stated_share(key) if verified_share is None else verified_share)
        self._seen_good = False
        self._public = _public_half(key, verifying_key) if self._share else None

    def issue(
        self, identity_ref: bytes, city_code: str, *, now: int | None = None, **optional: Unpack[ClaimArguments]
    ) -> Token:
        """Issue one voucher.

        Args:
            identity_ref: 16 bytes that stand for the holder, sealed anew for every display (`IdentitySealer`).
            city_code: the insured place (参保地), six digits.
            now: when it is issued, in seconds since 1970. Without it the issuer reads its clock.
            optional: channel, purpose, presenter, assurance, status_index.

        Raises:
            IssueError: a claim is out of its bounds, the place is outside the issuer's scope, or the key's signature is
                not r || s or does not verify. It is a `ValueError`.
            TypeError: a claim has a value of the wrong type.
        """
        return self.sign(self._voucher(identity_ref, city_code, _VOUCHER, self._lifetime, now, optional))

    def issue_many(
        self, holders: Iterable[tuple[bytes, str]], *, now: int | None = None, **optional: Unpack[ClaimArguments]
    ) -> Iterator[Token]:
        """Issue one voucher for each identity reference and city code, one at a time as the caller asks for them.

        The optional claims are the same in all of them.
        """
        for identity_ref, city_code in holders:
            yield self.issue(identity_ref, city_code, now=now, **optional)

    def issue_rotating_pass(
        self, identity_ref: bytes, city_code: str, *, now: int | None = None, **optional: Unpack[ClaimArguments]
    ) -> Pass:
        """Issue a rotating pass (profile 2). Arguments and errors are those of `issue`.

        `RotatingCodes.enrol` then adds the secret that the phone needs.
        """
        return self.sign_pass(
            self._voucher(identity_ref, city_code, Profile.ROTATING, self._pass_lifetime, now, optional)
        )

    def issue_device_bound_pass(
        self,
        identity_ref: bytes,
        city_code: str,
        device_key: VerifyingKey,
        *,
        now: int | None = None,
        **optional: Unpack[ClaimArguments],
    ) -> Pass:
        """Issue a device-bound pass (profile 3) for the phone with this public key. Otherwise the same as `issue`.

        A pass says only which key it is bound to. Before issuing it, have the phone prove that it holds the private
        key, and check by the platform's own attestation that this key is in a secure element.
        """
        instance("device_key", device_key, VerifyingKey, "the phone's public key (VerifyingKey)")
        try:
            key = device_key_of(device_key)
        except ValueError as error:
            raise IssueError("issue.device_key", reason=words_of(error)) from None
        return self.sign_pass(
            self._voucher(identity_ref, city_code, Profile.DEVICE_BOUND, self._pass_lifetime, now, optional, key)
        )

    def sign(self, voucher: Voucher) -> Token:
        """Sign a voucher that was made elsewhere, as it is: its nonce must never be used twice under one key.

        Raises:
            IssueError: the place is outside the issuer's scope, or the key's signature is not r || s.
            ValueError: the voucher is a pass.
        """
        if voucher.profile is not _VOUCHER:
            raise ValueError("only profile 1 is a token by itself: sign a pass with sign_pass")
        data = self._sign(voucher)
        return Token(data, encode_text(voucher.profile, data), voucher)

    def sign_pass(self, voucher: Voucher) -> Pass:
        """Sign a pass of profile 2 or 3 that was made elsewhere, under the same conditions as `sign`."""
        if voucher.profile is _VOUCHER:
            raise ValueError("profile 1 is a token by itself and no pass: sign it with sign")
        return Pass(self._sign(voucher), voucher)

    def _voucher(
        self,
        identity_ref: bytes,
        city_code: str,
        profile: Profile,
        lifetime: int,
        now: int | None,
        optional: ClaimArguments,
        device_key: DeviceKey | None = None,
    ) -> Voucher:
        issued_at = int(self._clock()) if now is None else now
        try:
            if (purpose := optional.get("purpose")) is not None:
                check_known_purpose(purpose, self._purposes)
            return Voucher(
                identity_ref=identity_ref,
                city_code=city_code,
                issued_at=issued_at,
                expires_at=issued_at + lifetime,
                nonce=self._random(8),
                profile=profile,
                device_key=device_key,
                **optional,
            )
        except ValueError as error:
            raise IssueError("issue.claim", reason=words_of(error)) from None

    def _sign(self, voucher: Voucher) -> bytes:
        if not self._scope.covers_number(int(voucher.city_code)):
            raise IssueError("issue.place", city_code=voucher.city_code, scope=str(self._scope))
        payload = encode_claims(voucher)
        # The nonce is random, so its checksum selects the share evenly, and repeatably for the same token.
        verifies = zlib.crc32(voucher.nonce) < self._share * 2**32 or (self._share and not self._seen_good)
        try:
            return sign1(self._header, payload, self._sign_and_verify if verifies else self._key.sign)
        except SignatureError:
            raise IssueError("issue.wrong_signature", kid=self._key.kid.hex()) from None
        except ValueError as error:
            raise IssueError("issue.signature", reason=words_of(error)) from error

    def _sign_and_verify(self, message: bytes) -> bytes:
        signature = self._key.sign(message)
        if not isinstance(signature, bytes):
            found = type(signature).__name__
            raise BoundsError(f"the key's signature is {found}, not bytes", f"密钥返回的签名为 {found}，应为 bytes")
        if self._public is not None and len(signature) == SIGNATURE_SIZE:  # encode_envelope refuses another length
            self._public.verify(message, signature)
            self._seen_good = True
        return signature

    def __repr__(self) -> str:
        return f"Issuer({self._key!r}, scope={self._scope}, lifetime={self._lifetime})"


def _stated_share(key: SigningKey) -> float:
    """The share that the key's own class states. A subclass may have another `sign`, so that it inherits none."""
    share: float = getattr(key, "verified_share", 1.0) if "verified_share" in vars(type(key)) else 1.0
    return share


def _checked_share(share: float) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(f"verified_share is a number, 0.0 (none) to 1.0 (all), not {type(share).__name__}")
    if not 0 <= share <= 1:
        raise ValueError(f"verified_share is 0.0 (none) to 1.0 (all), not {share}")
    return share


def _public_half(key: SigningKey, given: VerifyingKey | None) -> VerifyingKey:
    """The key that verifies the signatures: the given public key, the key's own public key, or the key itself."""
    own = getattr(key, "verifying_key", key if isinstance(key, VerifyingKey) else None)
    public: VerifyingKey | None = own if given is None else given
    if public is None:
        raise ValueError("this key has no verifying_key: give its public half as verifying_key=, or verified_share=0.0")
    instance("verifying_key", public, VerifyingKey, "a public key (VerifyingKey)")
    if (public.algorithm, public.kid) != (key.algorithm, key.kid):
        raise ValueError(f"verifying_key is not the public half of key {key.kid.hex()}")
    return public
