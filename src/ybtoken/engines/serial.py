"""The serial engine, which is the reference: plain Python, one text at a time.

Other engines replace it whole, and give the same verdict for every input.
"""

from __future__ import annotations

from collections.abc import Sequence

from ybtoken.engines.columns import Judged, Opened, OpenedBatch
from ybtoken.engines.texts import Texts, texts_of, times_of
from ybtoken.engines.time_and_scope import Limits, check_pass, number_of, refusal_of
from ybtoken.errors import ClaimsError, EnvelopeError, SignatureError, TokenError, UnknownKeyError, error_for
from ybtoken.keys.device import check_presentation
from ybtoken.keys.protocols import kid_of_header
from ybtoken.keys.ring import KeyEntry, KeyRing
from ybtoken.voucher import DevicePresentation, Profile
from ybtoken.wire.claims import Claims
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import decode_text, otp_of_text

__all__ = ["SerialEngine"]


_VOUCHER, _DEVICE_BOUND = int(Profile.VOUCHER), int(Profile.DEVICE_BOUND)  # enum members are slow on Python 3.11


class SerialEngine:
    """The reference engine: plain Python, one text at a time. Each key verifies its signatures with its own backend."""

    name = "serial"

    def prepare(self, keys: KeyRing) -> SerialOpener:
        """See `Engine`. There is nothing to prepare, because keys are parsed when they are made."""
        return SerialOpener(keys)

    def __repr__(self) -> str:
        return "SerialEngine()"


class SerialOpener:
    """See `Opener`."""

    __slots__ = ("_by_header", "keys")

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self._by_header = dict(keys.by_header)

    def open(self, text: str, limits: Limits, now: int) -> Opened:
        """See `Opener.open`."""
        entry, claims, presentation = self._signed(text)
        return self._valid(text, entry, claims, presentation, limits, now)

    def open_many(self, texts: Texts, limits: Limits, now: int | Sequence[int]) -> OpenedBatch:
        """See `Opener.open_many`."""
        judged = (self._judged(text, limits, at) for text, at in times_of(texts_of(texts), now))
        return OpenedBatch.collect(self.keys, limits, now, judged)

    def _judged(self, text: str, limits: Limits, now: int) -> Judged:
        entry = claims = None
        try:
            entry, claims, presentation = self._signed(text)
            return Judged(self._valid(text, entry, claims, presentation, limits, now), entry, claims)
        except TokenError as error:
            if entry is None and not isinstance(error, UnknownKeyError) and (kid := error.facts.get("kid")):
                entry = self.keys.get(bytes.fromhex(kid))  # step 4 or 5 refused what this key signed
            return Judged(error, entry, claims)

    def _valid(
        self,
        text: str,
        entry: KeyEntry,
        claims: Claims,
        presentation: DevicePresentation | None,
        limits: Limits,
        now: int,
    ) -> Opened:
        """Steps 6 and 7; raises `TokenError`."""
        if claims.profile != _VOUCHER:
            step = check_pass(entry, claims, otp_of_text(text), presentation, limits, now)
            return Opened(entry, claims, step, presentation)
        number = number_of(
            entry, claims.issued_at, claims.expires_at, claims.city, now, limits.skew, limits.max_lifetime
        )
        if number:
            raise refusal_of(number, entry, claims, now, limits.skew)
        return Opened(entry, claims)

    def _signed(self, text: str) -> tuple[KeyEntry, Claims, DevicePresentation | None]:
        """Steps 1 to 5; raises `TokenError`."""
        # 1. text -> bytes
        profile, data = decode_text(text)
        # 2. envelope; for a device-bound pass, first the envelope that the phone signed
        cut = None
        if profile == _DEVICE_BOUND:
            cut = cut_presentation(data)
            data = cut.token
        header, signed, signature = cut_envelope(data)
        # 3. key
        entry = self._by_header.get(header)
        if entry is None:
            kid = kid_of_header(header)
            raise EnvelopeError("envelope.shape") if kid is None else UnknownKeyError("key.unknown", kid=kid.hex())
        try:
            # 4. signature
            entry.key.verify(entry.prefix + signed, signature)
            # 5. claims, of which nothing is read before this line
            claims = parse_claims(signed)
        except (SignatureError, ClaimsError) as error:
            raise error_for(error.code, kid=entry.kid.hex()) from None  # the same facts for keys of any class
        if claims.profile != profile:
            raise ClaimsError("claims.profile", kid=entry.kid.hex())
        if cut is None or claims.device_key is None:
            return entry, claims, None
        # 4. the phone's signature: its key is known only now
        try:
            check_presentation(cut, claims.device_key)
        except (SignatureError, ClaimsError) as error:
            raise type(error)(error.code, kid=entry.kid.hex()) from None
        return entry, claims, cut.presentation
