from __future__ import annotations

from datetime import timedelta

import cbor2
import pytest

from tests.support import (
    CITY,
    DEVICE,
    DEVICE_KEY,
    EXTRAS,
    FAKE,
    HOLDER,
    NOW,
    a_voucher,
    fake_issuer,
    fake_verifier,
    text_of,
)
from ybtoken import IssueError, Issuer, Profile, Scope, Token
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.testing.keys import FakeKey
from ybtoken.voucher import PURPOSES
from ybtoken.wire.text import decode_text


def test_a_token_is_bytes_and_text_and_what_it_states(issuer):
    token = issuer.issue(HOLDER, CITY)
    assert isinstance(token, Token)
    assert token.voucher == a_voucher(nonce=token.voucher.nonce)
    assert token.text == text_of(token.data)
    assert decode_text(token.text) == (1, token.data)
    assert len(token.data) == 137
    assert len(token.text) == 337


def test_extras_are_signed(issuer):
    token = issuer.issue(HOLDER, CITY, **EXTRAS)
    verified = fake_verifier().verify(token.text)
    assert {name: getattr(verified, name) for name in EXTRAS} == EXTRAS


def test_channel_and_purpose_make_354_and_364_digits(issuer):
    sizes = [len(issuer.issue(HOLDER, CITY, channel=c, purpose=p).text) for c, p in ((7, None), (300, "01301"))]
    assert sizes[0] <= 354
    assert sizes[1] <= 364


def test_the_clock_is_read_once_a_token_and_whole_seconds_are_stated():
    times = iter([NOW + 0.999, NOW + 5])
    issuer = fake_issuer(clock=lambda: next(times), lifetime=30)
    first, second = issuer.issue(HOLDER, CITY).voucher, issuer.issue(HOLDER, CITY).voucher
    assert (first.issued_at, first.expires_at) == (NOW, NOW + 30)
    assert (second.issued_at, second.expires_at) == (NOW + 5, NOW + 35)


def test_a_call_may_bring_its_own_time():
    issuer = fake_issuer(clock=lambda: pytest.fail("the clock was read"))
    assert issuer.issue(HOLDER, CITY, now=7).voucher.issued_at == 7


def test_by_default_a_token_is_new_and_of_this_minute():
    issuer = Issuer(FAKE)
    tokens = [issuer.issue(HOLDER, CITY) for _ in range(100)]
    assert len({token.voucher.nonce for token in tokens}) == 100
    assert {len(token.voucher.nonce) for token in tokens} == {8}
    assert all(token.voucher.expires_at - token.voucher.issued_at == 60 for token in tokens)
    assert fake_verifier(clock=lambda: tokens[0].voucher.issued_at).verify_many(t.text for t in tokens).accepted == 100


def test_many_are_issued_one_at_a_time():
    issuer = fake_issuer()
    tokens = issuer.issue_many(((HOLDER, city) for city in ("330106", "330107")), channel=7, now=NOW - 1)
    assert next(tokens).voucher == a_voucher(nonce=bytes(7) + b"\1", channel=7, issued_at=NOW - 1, expires_at=NOW + 59)
    assert next(tokens).voucher.city_code == "330107"
    with pytest.raises(StopIteration):
        next(tokens)


def test_an_issuer_keeps_to_its_scope():
    issuer = fake_issuer(scope=Scope(("33",), ("3302",)))
    issuer.issue(HOLDER, "330106")
    for city_code in ("330206", "340100"):
        with pytest.raises(ValueError, match=rf"{city_code} is outside this issuer's scope 33-3302"):
            issuer.issue(HOLDER, city_code)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((HOLDER[:15], CITY), ValueError),
        (("x" * 16, CITY), TypeError),
        ((HOLDER, "33"), ValueError),
    ],
)
def test_a_claim_out_of_its_bounds_is_not_signed(issuer, arguments, error):
    with pytest.raises(error):
        issuer.issue(*arguments)


@pytest.mark.parametrize("extras", [{"channel": 65536}, {"purpose": "1"}, {"nonce": bytes(8)}, {"unknown": 1}])
def test_an_extra_out_of_its_bounds_is_not_signed(issuer, extras):
    with pytest.raises((ValueError, TypeError)):
        issuer.issue(HOLDER, CITY, **extras)


@pytest.mark.parametrize("now", [-1, 2**32 - 60, 2**32])
def test_a_time_that_does_not_fit_is_not_signed(issuer, now):
    with pytest.raises(ValueError):
        issuer.issue(HOLDER, CITY, now=now)


def test_too_little_randomness_is_not_signed():
    with pytest.raises(ValueError, match="nonce is 8 to 16 bytes"):
        fake_issuer(random=lambda size: b"").issue(HOLDER, CITY)


@pytest.mark.parametrize("lifetime", [0, -1])
def test_a_lifetime_is_a_second_at_least(lifetime):
    with pytest.raises(ValueError, match="lifetime is at least 1 second"):
        fake_issuer(lifetime=lifetime)


@pytest.mark.parametrize(
    ("arguments", "error", "wanted"),
    [
        ({"scope": "33"}, TypeError, "scope is a Scope, not str"),
        ({"scope": Scope}, TypeError, "scope is a Scope, not the class Scope itself"),
        ({"lifetime": 60.0}, TypeError, "lifetime is a number of whole seconds .* not float"),
        ({"lifetime": timedelta(minutes=1)}, TypeError, "lifetime is a number of whole seconds .* not timedelta"),
        ({"lifetime": True}, TypeError, "lifetime is a number of whole seconds .* not bool"),
        ({"pass_lifetime": 60.0}, TypeError, "pass_lifetime is a number of whole seconds"),
        ({"clock": 1_800_000_000}, TypeError, "clock is a function that gives seconds since 1970"),
        ({"random": b"12345678"}, TypeError, "random is a function that gives bytes"),
        ({"purposes": "01301"}, ValueError, "five digits"),
    ],
)
def test_an_issuer_says_what_it_wants(arguments, error, wanted):
    with pytest.raises(error, match=wanted):
        fake_issuer(**arguments)


@pytest.mark.parametrize("key", [P256SigningKey.generate().verifying_key, P256SigningKey, b"key", None])
def test_an_issuer_wants_a_key_that_signs(key):
    with pytest.raises(TypeError, match=r"key is a private key \(SigningKey\), not "):
        Issuer(key)


def test_a_business_type_that_nobody_knows_is_stated_only_where_it_was_allowed():
    with pytest.raises(IssueError, match="99999 is no known business type"):
        fake_issuer().issue(HOLDER, CITY, purpose="99999")
    with pytest.raises(IssueError, match="99999 is no known business type"):
        fake_issuer().issue_rotating_pass(HOLDER, CITY, purpose="99999")
    for purposes in ({*PURPOSES, "99999"}, None):
        assert fake_issuer(purposes=purposes).issue(HOLDER, CITY, purpose="99999").voucher.purpose == "99999"
    with pytest.raises(IssueError, match="five digits"):
        fake_issuer(purposes=None).issue(HOLDER, CITY, purpose="9")
    assert fake_issuer().sign(a_voucher(purpose="99999"))  # what was made elsewhere is signed as it is


@pytest.mark.parametrize("profile", [Profile.ROTATING, Profile.DEVICE_BOUND])
def test_a_pass_is_not_signed_as_a_token(issuer, profile):
    with pytest.raises(ValueError, match="only profile 1"):
        issuer.sign(a_voucher(profile=profile))


def test_a_voucher_made_elsewhere_is_signed_as_it_is(issuer):
    voucher = a_voucher(nonce=b"sixteen bytes...")
    assert issuer.sign(voucher).voucher is voucher
    claims = cbor2.loads(cbor2.loads(issuer.sign(voucher).data).value[2])
    assert claims[7] == b"sixteen bytes..."


def test_the_longest_token_fits_a_text(issuer):
    token = issuer.sign(a_voucher(nonce=bytes(16), issued_at=2**32 - 2, expires_at=2**32 - 1, **EXTRAS))
    assert len(token.text) < 500


def test_it_says_what_it_is(issuer):
    assert repr(issuer) == "Issuer(FakeKey('issuer'), scope=*, lifetime=60)"


def test_a_token_cannot_be_changed(issuer):
    token = issuer.issue(HOLDER, CITY)
    with pytest.raises(AttributeError):
        token.text = ""  # type: ignore[misc]


def test_a_key_that_leaves_out_leading_zeros_makes_no_token_that_nobody_can_read():
    class Unpadded(FakeKey):
        def sign(self, message: bytes) -> bytes:
            return bytes(63)

    with pytest.raises(ValueError, match="signature has 63 bytes"):
        Issuer(Unpadded()).issue(HOLDER, CITY)


class TestPasses:
    def test_a_rotating_pass_lives_for_hours_and_is_no_text(self, issuer):
        issued = issuer.issue_rotating_pass(HOLDER, CITY, status_index=70_000)
        assert issued.voucher == a_voucher(
            nonce=issued.voucher.nonce, profile=2, expires_at=NOW + 12 * 3600, status_index=70_000
        )
        assert not hasattr(issued, "text")

    def test_a_device_bound_pass_names_the_phones_key(self):
        issued = fake_issuer(pass_lifetime=60).issue_device_bound_pass(HOLDER, CITY, DEVICE.verifying_key, now=NOW + 1)
        assert issued.voucher.profile is Profile.DEVICE_BOUND
        assert issued.voucher.device_key == DEVICE_KEY
        assert (issued.voucher.issued_at, issued.voucher.expires_at) == (NOW + 1, NOW + 61)

    def test_a_voucher_is_not_signed_as_a_pass(self, issuer):
        with pytest.raises(ValueError, match="profile 1 is a token by itself"):
            issuer.sign_pass(a_voucher())

    @pytest.mark.parametrize("pass_lifetime", [0, -1])
    def test_a_pass_lives_a_second_at_least(self, pass_lifetime):
        with pytest.raises(ValueError, match="lifetime is at least 1 second"):
            fake_issuer(pass_lifetime=pass_lifetime)

    def test_an_issuer_keeps_to_its_scope_with_passes_too(self):
        with pytest.raises(ValueError, match="outside this issuer's scope"):
            fake_issuer(scope=Scope(("33",))).issue_rotating_pass(HOLDER, "340100")
