"""Laws that hold for every input: hypothesis searches for exceptions, and small sets of inputs are tried in full.

1. decode(encode(x)) == x
2. encode(decode(b)) == b for every b that is accepted: one token has one spelling
3. a token of which any bit is flipped is refused
4. any input gives a VerifiedVoucher or a TokenError, and never a third thing
5. redeem_many(texts) == [redeem(text) for text in texts], including what is remembered afterwards
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, replace

import cbor2
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from tests.support import (
    DEVICE,
    DEVICE_KEY,
    EXTRAS,
    FAKE,
    HOLDER,
    NOW,
    OTP,
    RING,
    Opening,
    digits,
    fake_issuer,
    fake_verifier,
    presented,
    signed_bytes,
    text_of,
    vouchers,
    with_check,
)
from ybtoken import (
    Issuer,
    KeyEntry,
    KeyRing,
    MemoryReplayGuard,
    Profile,
    TokenError,
    VerifiedVoucher,
    Verifier,
    Voucher,
    normalize_scan,
)
from ybtoken.errors import ClaimsError, EnvelopeError, SignatureError, TextError
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import Channel
from ybtoken.refusals import BY_NUMBER, REFUSALS
from ybtoken.wire.claims import Claims, encode_claims
from ybtoken.wire.envelope import cut_envelope, encode_byte_string, encode_envelope, encode_header
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.text import MAX_TEXT, decode_text, encode_text, otp_of_text

ALL_PROFILES = tuple(Profile)
TOKEN = fake_issuer().issue(HOLDER, "330106", **EXTRAS)
OPENER = Opening(RING)


def otp(text: str) -> str:
    """The one-time code in a text, if its profile has one."""
    return otp_of_text(text) if text.startswith("97") else ""


def voucher_of(claims: Claims) -> Voucher:
    return Voucher(
        identity_ref=claims.identity_ref,
        city_code=f"{claims.city:06d}",
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        nonce=claims.nonce,
        profile=Profile(claims.profile),
        device_key=claims.device_key,
        **asdict(claims.optional),
    )


class TestDecodingUndoesEncoding:
    @given(vouchers(ALL_PROFILES))
    def test_claims(self, voucher):
        assert voucher_of(parse_claims(encode_byte_string(encode_claims(voucher)))) == voucher

    @given(st.sampled_from([13, 17]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
           st.binary(min_size=24, max_size=255), st.binary(min_size=64, max_size=64))  # fmt: skip
    def test_envelope(self, header, payload, signature):
        parts = cut_envelope(encode_envelope(header, payload, signature))
        assert parts == (header, encode_byte_string(payload), signature)

    @given(st.sampled_from([1, 2, 3]), st.binary(min_size=1, max_size=327))
    def test_text(self, profile, data):
        assume(len(data) < 324 or profile != Profile.ROTATING)  # with a one-time code it would be too long
        assert decode_text(encode_text(profile, data, OTP if profile == Profile.ROTATING else "")) == (profile, data)

    @given(vouchers())
    def test_a_token(self, voucher):
        verifier = Verifier(KeyRing([KeyEntry(FAKE, "all")]), max_lifetime=2**32)
        verified = verifier.verify(Issuer(FAKE).sign(voucher).text, now=voucher.issued_at)
        assert all(getattr(verified, name) == getattr(voucher, name) for name in Voucher.__dataclass_fields__)

    @given(st.lists(vouchers(), max_size=8))
    def test_a_batch(self, some):
        ring = KeyRing([KeyEntry(FAKE, "all")])
        texts = [Issuer(FAKE).sign(voucher).text for voucher in some]
        opening = Opening(ring)
        opened = [opening.open(text) for text in texts]
        batch = opening.open_many(texts)
        assert [batch.opened(i) for i in range(len(batch))] == opened


EDITS = st.sampled_from([1, 1, 1, 2, 3])
KINDS = st.sampled_from(["exchange", "insert", "delete", "cut"])
BYTES, INSERTS, DELETED = st.integers(0, 255), st.binary(min_size=1, max_size=4), st.integers(1, 4)


@st.composite
def edited(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Good bytes of which some are changed, inserted or removed."""
    data = bytearray(draw(whole))
    for _ in range(draw(EDITS)):
        at = draw(st.integers(0, len(data)))
        kind = draw(KINDS)
        if kind == "exchange" and at < len(data):
            data[at] = draw(BYTES)
        elif kind == "insert":
            data[at:at] = draw(INSERTS)
        elif kind == "delete":
            del data[at : at + draw(DELETED)]
        elif at:
            del data[at:]
    return bytes(data)


class TestEncodingUndoesDecoding:
    @settings(max_examples=500)
    @given(edited(vouchers(ALL_PROFILES).map(encode_claims)))
    def test_claims(self, payload):
        try:
            claims = parse_claims(encode_byte_string(payload))
        except ClaimsError:
            event("refused")
            return
        event("accepted")
        assert encode_claims(voucher_of(claims)) == payload

    @given(edited(vouchers().map(lambda voucher: signed_bytes(encode_claims(voucher)))))
    def test_envelope(self, data):
        try:
            header, payload, signature = cut_envelope(data)
        except EnvelopeError:
            event("refused")
            return
        event("accepted")
        assert encode_envelope(header, cbor2.loads(payload), signature) == data

    @given(st.sampled_from(["96", "97", "98"]), st.binary(min_size=1, max_size=60), st.data())
    def test_text(self, prefix, data, draw):
        groups = text_of(data)[2:-2] + (OTP if prefix == "97" else "")
        at = draw.draw(st.integers(0, len(groups) - 1))
        text = with_check(prefix + groups[:at] + draw.draw(st.sampled_from("0123456789")) + groups[at + 1 :])
        try:
            decoded = decode_text(text)
        except TextError:
            event("refused")
            return
        event("accepted")
        assert encode_text(*decoded, otp(text)) == text

    @given(st.text("0123456789", min_size=4, max_size=60), st.sampled_from(["96", "97", "98"]))
    def test_text_of_any_digits(self, digits, prefix):
        body = prefix + digits
        for check in range(100):
            text = f"{body}{check:02d}"
            try:
                decoded = decode_text(text)
            except TextError:
                continue
            assert encode_text(*decoded, otp(text)) == text

    @given(vouchers())
    def test_a_scan_of_a_token_is_the_token(self, voucher):
        text = Issuer(FAKE).sign(voucher).text
        assert normalize_scan(text) == text


class TestAnyFlipIsRefused:
    """Every bit of one token is flipped, and every bit of every character of its text."""

    @pytest.fixture(params=["fake", "p256"])
    def token_and_opener(self, request, p256_key, p256_ring):
        if request.param == "fake":
            return TOKEN, OPENER
        return Issuer(p256_key).issue(HOLDER, "330106"), Opening(p256_ring)

    def test_of_the_bytes(self, token_and_opener):
        token, opener = token_and_opener
        number = int.from_bytes(token.data, "big")
        steps = set()
        for bit in range(8 * len(token.data)):
            flipped = (number ^ 1 << bit).to_bytes(len(token.data), "big")
            with pytest.raises(TokenError) as caught:
                opener.open(encode_text(1, flipped))
            steps.add(caught.value.step)
        assert steps == {2, 3, 4}  # the spelling is right, and no claim is read

    def test_of_the_digits(self):
        for at, character in enumerate(TOKEN.text):
            others = {chr(ord(character) ^ 1 << bit) for bit in range(16)} | set("0123456789")
            for other in others - {character}:
                with pytest.raises(TextError):
                    OPENER.open(TOKEN.text[:at] + other + TOKEN.text[at + 1 :])

    def test_of_two_digits_that_change_places(self):
        for at in range(len(TOKEN.text) - 1):
            first, second = TOKEN.text[at : at + 2]
            if first != second:
                with pytest.raises(TextError):
                    OPENER.open(TOKEN.text[:at] + second + first + TOKEN.text[at + 2 :])

    def test_of_a_digit_that_is_lost_or_doubled(self):
        for at in range(len(TOKEN.text)):
            for text in (TOKEN.text[:at] + TOKEN.text[at + 1 :], TOKEN.text[:at] + TOKEN.text[at] + TOKEN.text[at:]):
                with pytest.raises(TextError):
                    OPENER.open(text)

    @given(vouchers(), st.data())
    def test_of_any_token(self, voucher, data):
        whole = signed_bytes(encode_claims(voucher))
        bit = data.draw(st.integers(0, 8 * len(whole) - 1))
        flipped = (int.from_bytes(whole, "big") ^ 1 << bit).to_bytes(len(whole), "big")
        with pytest.raises(TokenError):
            OPENER.open(encode_text(1, flipped))

    @given(st.integers(0, 8 * 64 - 1), st.binary(max_size=200))
    def test_of_any_signature(self, bit, message):
        signature = FAKE.sign(message)
        with pytest.raises(SignatureError):
            FAKE.verify(message, (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big"))


# Texts of all kinds: noise, digits, good frames around noise, good envelopes, good signatures, good tokens.
noise = st.text(max_size=MAX_TEXT + 20) | st.text(st.characters(codec=None), max_size=50)
prefixed = st.builds(
    lambda prefix, groups, check: prefix + groups + check,
    st.sampled_from(["96", "97", "98"]),
    st.sampled_from([3, 5, 17, 20]).flatmap(digits),
    digits(2),
)
digit_strings = (
    st.text("0123456789", max_size=MAX_TEXT + 20) | prefixed | prefixed.map(lambda text: with_check(text[:-2]))
)
framed = st.builds(text_of, st.binary(min_size=1, max_size=300), st.sampled_from([1, 2, 3]))
headers = st.sampled_from([encode_header(algorithm, FAKE.kid) for algorithm in (-7, -9, -65537, -8)])
enveloped = st.builds(
    lambda header, payload, signature: text_of(encode_envelope(header, payload, signature)),
    headers | st.binary(min_size=13, max_size=13),
    st.binary(min_size=24, max_size=200),
    st.binary(min_size=64, max_size=64),
)
current = st.builds(
    lambda voucher, city: replace(voucher, issued_at=NOW, expires_at=NOW + 60, city_code=f"33{city}"),
    vouchers(ALL_PROFILES),
    digits(4),
)
signed = st.builds(
    lambda payload, profile: text_of(signed_bytes(payload), profile),
    st.binary(max_size=200) | edited(current.map(encode_claims)) | current.map(encode_claims),
    st.sampled_from([1, 1, 1, 2, 3]),
)
# Presentations: by the phone that the pass names, by another phone, and of data that is not a device-bound pass.
own_phone = vouchers((Profile.DEVICE_BOUND,)).map(
    lambda voucher: replace(voucher, issued_at=NOW, expires_at=NOW + 60, city_code="330106", device_key=DEVICE_KEY)
)
bound = (own_phone | current).map(lambda voucher: presented(signed_bytes(encode_claims(voucher))))
shown = st.builds(text_of, bound | edited(bound), st.just(3))


@st.composite
def misread(draw: st.DrawFn) -> str:
    """A good text of which one character was read as another."""
    text, at = TOKEN.text, draw(st.integers(0, len(TOKEN.text) - 1))
    return text[:at] + draw(st.sampled_from("0123456789OoIl٣３²-+_ ")) + text[at + 1 :]


texts = st.one_of(noise, digit_strings, framed, enveloped, signed, signed, shown, misread())
times = st.sampled_from([NOW, NOW, 0, NOW + 65, 2**32 - 1]) | st.integers(0, 2**32 - 1)


class TestThereIsNoThirdThing:
    @settings(max_examples=300)
    @given(texts, times)
    def test_in_verify_and_redeem(self, text, now):
        verifier = fake_verifier(guard=MemoryReplayGuard(clock=lambda: now), max_lifetime=2**32)
        for act in (verifier.verify, verifier.redeem):
            try:
                voucher = act(text, now=now)
            except TokenError as error:
                event(error.code)
                assert str(error)
                assert error.to_dict()
            else:
                event("accepted")
                assert isinstance(voucher, VerifiedVoucher)

    @given(st.lists(texts, max_size=6), times)
    def test_in_verify_many_and_it_says_what_verify_says(self, some, now):
        verifier = fake_verifier(max_lifetime=2**32)
        for text, verdict in zip(some, verifier.verify_many(some, now=now), strict=True):
            try:
                assert verifier.verify(text, now=now) == verdict
            except TokenError as error:
                assert isinstance(verdict, TokenError)
                assert verdict.to_dict() == error.to_dict()

    @given(st.binary(max_size=300) | edited(st.just(TOKEN.data)))
    def test_in_bytes(self, data):
        for read, error in ((cut_envelope, EnvelopeError), (parse_claims, ClaimsError)):
            with suppress(error):
                read(data)

    @given(noise | digit_strings)
    def test_in_scans(self, scanned):
        text = normalize_scan(scanned)
        assert len(text) <= len(scanned)
        with suppress(TextError):
            decode_text(text)

    @given(st.none() | st.integers() | st.binary() | st.lists(st.text()) | st.booleans() | st.floats())
    def test_but_misuse_is_a_type_error(self, misuse):
        with pytest.raises(TypeError):
            fake_verifier().verify(misuse)


ISSUER = fake_issuer()
ROTATING = ISSUER.issue_rotating_pass(HOLDER, "330106")
BOUND = ISSUER.issue_device_bound_pass(HOLDER, "330106", DEVICE.verifying_key).data
PHONE = RotatingCodes(bytes(32), steps_back=2).enrol(ROTATING)
SCANS = [
    *(ISSUER.issue(HOLDER, "330106", now=NOW - late).text for late in (0, 1, 2, 1000)),
    *(PHONE.present(now=NOW - 30 * back) for back in range(4)),
    encode_text(2, ROTATING.data, OTP),
    *(text_of(presented(BOUND, nonce=nonce), 3) for nonce in (b"display1", b"display2")),
    TOKEN.text,
    "96",
]


class TestRedeemingManyIsRedeemingEach:
    def verifier(self, guard: MemoryReplayGuard, policies: list[Channel]) -> Verifier:
        return fake_verifier(guard=guard, otp=RotatingCodes(bytes(32), steps_back=2), policies=policies)

    @settings(max_examples=300)
    @given(
        st.lists(st.sampled_from(SCANS), max_size=20),
        st.lists(texts, max_size=2),
        st.integers(1, 12),
        st.sampled_from([[], [Channel(7)]]),
        st.booleans(),
    )
    def test_in_order(self, some, odd, capacity, policies, asynchronous):
        some[1:1] = odd
        guards = [MemoryReplayGuard(capacity=capacity, clock=lambda: NOW) for _ in range(2)]
        each, many = (self.verifier(guard, policies) for guard in guards)
        verdicts = asyncio.run(many.redeem_many_async(some)) if asynchronous else many.redeem_many(some)
        for i, text in enumerate(some):
            try:
                one = each.redeem(text)
            except TokenError as error:
                event(error.code)
                assert verdicts[i].to_dict() == error.to_dict()
                assert verdicts.codes[i] == error.number
            else:
                event("accepted")
                assert verdicts[i] == one
                assert verdicts.codes[i] == 0
        assert len(verdicts) == len(some)
        assert guards[0]._by_expiry == guards[1]._by_expiry


def test_the_search_reaches_every_step():
    """The strategies above would be of little use if step 1 refused all that they make."""
    found = Counter[str]()

    @settings(max_examples=800)
    @given(texts, times)
    def search(text: str, now: int) -> None:
        code = fake_verifier(max_lifetime=2**31).verify_many([text], now=now).codes[0]
        found[BY_NUMBER[code].code if code else "accepted"] += 1

    search()
    of_a_source_of_rings = {"key.ring_expired", "key.ring_unavailable"}
    wanted = {refusal.code for refusal in REFUSALS if refusal.step <= 5} - of_a_source_of_rings
    assert not wanted - set(found), found
    assert found.keys() & {"time.future", "time.expired"}
    assert found.keys() & {"scope.place", "accepted"}
