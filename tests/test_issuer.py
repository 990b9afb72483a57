from __future__ import annotations

import hashlib
from collections.abc import Callable
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
from ybtoken import IssueError, Issuer, KeyEntry, KeyRing, Profile, Scope, Token, Verifier
from ybtoken.issuer import ClaimArguments
from ybtoken.keys._der import der_from_raw
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.protocols import SAMPLE
from ybtoken.testing.keys import FakeKey
from ybtoken.vocabulary import PURPOSES
from ybtoken.voucher import OPTIONAL_CLAIMS
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
        with pytest.raises(
            IssueError, match=r"outside this issuer's scope \(Zhejiang without Ningbo, Zhejiang\)"
        ) as refused:
            issuer.issue(HOLDER, city_code)
        assert refused.value.facts == {"city_code": city_code, "scope": "33-3302"}


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


def test_the_optional_claims_of_the_table_are_its_keyword_arguments():
    assert tuple(ClaimArguments.__annotations__) == tuple(claim.name for claim in OPTIONAL_CLAIMS)


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


class ErringDevice:
    """A device that sometimes returns something other than a good signature."""

    def __init__(self, key: P256SigningKey, every: int, spoilt: Callable[[P256SigningKey, bytes], bytes]) -> None:
        self.algorithm, self.kid, self.verifying_key = key.algorithm, key.kid, key.verifying_key
        self._key, self._every, self._spoilt, self.calls = key, every, spoilt, 0

    def sign(self, message: bytes) -> bytes:
        self.calls += 1
        return self._spoilt(self._key, message) if self.calls % self._every == 0 else self._key.sign(message)


def _one_bit(key: P256SigningKey, message: bytes) -> bytes:
    signature = key.sign(message)
    return signature[:-1] + bytes([signature[-1] ^ 1])


SPOILT = {
    "one bit": _one_bit,
    "fields of 64 bytes": lambda key, m: bytes(32) + key.sign(m)[:32] + bytes(32) + key.sign(m)[32:],
    "DER": lambda key, m: der_from_raw(key.sign(m)),
    "digest twice": lambda key, m: key.sign(hashlib.sha256(m).digest()),
    "s before r": lambda key, m: key.sign(m)[32:] + key.sign(m)[:32],
    "the signature before": lambda key, m: key.sign(b"another message"),
    "zeros": lambda key, m: bytes(64),
    "nothing": lambda key, m: b"",
    "another type": lambda key, m: bytearray(key.sign(m)),
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("every", [2, 100])
def test_no_voucher_with_a_bad_signature_leaves_the_issuer(p256_key, spoilt, every):
    issuer = Issuer(ErringDevice(p256_key, every, SPOILT[spoilt]))
    verifier = Verifier(KeyRing([KeyEntry(p256_key.verifying_key, "x")]))
    refused = 0
    for _ in range(200):
        try:
            token = issuer.issue(HOLDER, CITY)
        except IssueError as error:
            assert error.code in ("issue.wrong_signature", "issue.signature")
            refused += 1
        else:
            verifier.verify(token.text)
    assert refused == 200 // every


class Turned(P256SigningKey):
    """A key that states the share of this library's keys, and signs with another key once it is told to."""

    verified_share = SAMPLE
    other: P256SigningKey | None = None

    def sign(self, message: bytes) -> bytes:
        return (self.other or super()).sign(message)


def test_of_a_key_that_states_a_share_the_first_and_a_sample_are_verified():
    stranger = P256SigningKey.generate()
    key = Turned.from_cryptography(stranger._private_key)
    key.other = P256SigningKey.generate()
    for _ in range(3):
        with pytest.raises(IssueError, match="its own public key"):
            Issuer(key).issue(HOLDER, CITY)  # the first of an issuer, always
    issuer = Issuer(key)
    key.other = None
    assert issuer.issue(HOLDER, CITY)
    key.other = P256SigningKey.generate()
    refused = 0
    for _ in range(3_000):
        try:
            issuer.issue(HOLDER, CITY)
        except IssueError:
            refused += 1
    assert 15 <= refused <= 100  # 47 are expected
    assert Issuer(key, verified_share=0.0).issue(HOLDER, CITY)


def test_what_another_class_states_does_not_vouch_for_the_sign_of_a_subclass_or_a_proxy():
    class Heir(Turned):
        pass

    class Proxy:
        def __init__(self, key):
            self.algorithm, self.kid, self.sign = key.algorithm, key.kid, key.sign
            self.verifying_key, self.verified_share = key.verifying_key, key.verified_share

    own = P256SigningKey.generate()
    heir = Heir.from_cryptography(own._private_key)
    for key in (heir, Proxy(heir)):
        issuer = Issuer(key)
        heir.other = None
        assert issuer.issue(HOLDER, CITY)  # the first is good
        heir.other = P256SigningKey.generate()
        for _ in range(70):
            with pytest.raises(IssueError, match="its own public key"):
                issuer.issue(HOLDER, CITY)


def test_a_share_of_the_signatures_is_verified(p256_key):
    device = ErringDevice(p256_key, 1, _one_bit)
    for share, least, most in ((0.0, 0, 0), (0.25, 120, 280), (1.0, 800, 800), (1, 800, 800)):
        issuer, refused = Issuer(device, verified_share=share), 0
        device.calls, device._every = 0, 2
        issuer.issue(HOLDER, CITY)  # the first is always verified, and this one is good
        device._every = 1
        for _ in range(800):
            try:
                issuer.issue(HOLDER, CITY)
            except IssueError:
                refused += 1
        assert least <= refused <= most
    for bad, error in (
        (1.1, ValueError),
        (-0.1, ValueError),
        (float("nan"), ValueError),
        (True, TypeError),
        ("all", TypeError),
    ):
        with pytest.raises(error, match="verified_share is"):
            Issuer(device, verified_share=bad)


def test_an_issuer_knows_its_keys_public_half_or_is_told(p256_key):
    class Bare:
        algorithm, kid = p256_key.algorithm, p256_key.kid
        sign = staticmethod(p256_key.sign)

    with pytest.raises(ValueError, match="give its public half as verifying_key="):
        Issuer(Bare())
    assert Issuer(Bare(), verified_share=0.0).issue(HOLDER, CITY)
    assert Issuer(Bare(), verifying_key=p256_key.verifying_key).issue(HOLDER, CITY)
    with pytest.raises(ValueError, match="is not the public half of key"):
        Issuer(Bare(), verifying_key=P256SigningKey.generate().verifying_key)
    with pytest.raises(TypeError, match="verifying_key is a public key"):
        Issuer(Bare(), verifying_key="key")


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
