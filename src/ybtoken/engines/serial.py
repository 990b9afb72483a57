"""The serial engine, which is the reference: plain Python, one text at a time (Spec 4, steps 1 to 5).

Other engines replace it whole, and give the same verdict for every input.
"""

from __future__ import annotations

from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.engines.protocols import Texts, texts_of
from ybtoken.errors import ClaimsError, EnvelopeError, SignatureError, TokenError, UnknownKeyError, error_for
from ybtoken.keys.device import check_presentation
from ybtoken.keys.protocols import kid_of_header
from ybtoken.keys.ring import KeyRing
from ybtoken.voucher import Profile
from ybtoken.wire.claims import parse_claims
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import decode_text, otp_of_text

__all__ = ["SerialEngine"]


_VOUCHER, _DEVICE_BOUND = int(Profile.VOUCHER), int(Profile.DEVICE_BOUND)  # a member is slow to reach on Python 3.11


class SerialEngine:
    """The reference engine: plain Python, one text at a time, signatures by the key's own backend."""

    name = "serial"

    def prepare(self, keys: KeyRing) -> SerialOpener:
        """See `Engine`. Nothing to make ready: keys were parsed when they were made."""
        return SerialOpener(keys)

    def __repr__(self) -> str:
        return "SerialEngine()"


class SerialOpener:
    """See `Opener`."""

    __slots__ = ("_by_header", "keys")

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self._by_header = dict(keys.by_header)

    def open(self, text: str) -> Opened:
        """Steps 1 to 5 for one text; raises `TokenError`."""
        # 1. text -> bytes
        profile, data = decode_text(text)
        # 2. envelope; of what a phone signed, its own first
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
            # 5. claims: nothing of them is looked at before this line
            claims = parse_claims(signed)
        except (SignatureError, ClaimsError) as error:
            raise error_for(error.code, kid=entry.kid.hex()) from None  # the same facts, whoever made the key
        if claims.profile != profile:
            raise ClaimsError("claims.profile", kid=entry.kid.hex())
        if profile == _VOUCHER:
            return Opened(entry, claims)
        if cut is None or claims.device_key is None:
            return Opened(entry, claims, otp_of_text(text))
        # 4. signature, of the phone: its key is known only now
        try:
            check_presentation(cut, claims.device_key)
        except (SignatureError, ClaimsError) as error:
            raise type(error)(error.code, kid=entry.kid.hex()) from None
        return Opened(entry, claims, cut.presentation)

    def open_many(self, texts: Texts) -> OpenedBatch:
        """Steps 1 to 5 for many texts, order kept; never raises for a bad token."""
        return OpenedBatch.collect(self.keys, map(self._outcome, texts_of(texts)))

    def _outcome(self, text: str) -> Opened | TokenError:
        try:
            return self.open(text)
        except TokenError as error:
            return error
