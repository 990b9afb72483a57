from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from tests.support import DEVICE_KEY, HOLDER, NOW, a_voucher
from ybtoken import Assurance, Profile, VerifiedVoucher, Voucher
from ybtoken.vocabulary import PURPOSES, check_purpose

BOUNDS = [
    ("issued_at", 0, NOW + 59),
    ("expires_at", NOW + 1, 2**32 - 1),
    ("channel", 0, 0xFFFF),
    ("assurance", 0, 0xFF),
    ("status_index", 0, 2**32 - 1),
]


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS)
def test_bounds_are_inclusive(name, low, high):
    for value in (low, high):
        assert getattr(a_voucher(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError):
            a_voucher(**{name: value})


@pytest.mark.parametrize("name", [name for name, _, _ in BOUNDS])
@pytest.mark.parametrize("value", [True, 1.0, "1", b"1"])
def test_numbers_are_integers(name, value):
    with pytest.raises(TypeError, match=f"{name} is an integer"):
        a_voucher(**{name: value})


@pytest.mark.parametrize("name", ["issued_at", "expires_at"])
def test_times_are_needed(name):
    with pytest.raises(TypeError):
        a_voucher(**{name: None})


@pytest.mark.parametrize("expires_at", [NOW, NOW - 1])
def test_a_voucher_expires_after_it_is_issued(expires_at):
    with pytest.raises(ValueError, match="expires_at is above issued_at"):
        a_voucher(expires_at=expires_at)


def test_times_fit_32_bits():
    with pytest.raises(ValueError, match="issued_at is 0 to 4294967295"):
        a_voucher(issued_at=2**32, expires_at=2**32 - 1)


@pytest.mark.parametrize("size", [8, 9, 15, 16])
def test_a_nonce_has_8_to_16_bytes(size):
    assert len(a_voucher(nonce=bytes(size)).nonce) == size


@pytest.mark.parametrize("size", [0, 7, 17])
def test_a_nonce_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="nonce is 8 to 16 bytes"):
        a_voucher(nonce=bytes(size))


@pytest.mark.parametrize("name", ["identity_ref", "presenter"])
@pytest.mark.parametrize("size", [0, 15, 17])
def test_references_have_16_bytes(name, size):
    with pytest.raises(ValueError, match=f"{name} is 16 bytes, not {size}"):
        a_voucher(**{name: bytes(size)})


@pytest.mark.parametrize("name", ["identity_ref", "presenter", "nonce"])
@pytest.mark.parametrize("value", ["x" * 16, bytearray(16), 16])
def test_references_and_nonces_are_bytes(name, value):
    with pytest.raises(TypeError, match=f"{name} is bytes"):
        a_voucher(**{name: value})


@pytest.mark.parametrize("purpose", ["", "1301", "013010", "0130a", "０１３０１", "+1301", 1301, b"01301"])
def test_a_purpose_is_five_digits(purpose):
    with pytest.raises(ValueError, match="five digits"):
        a_voucher(purpose=purpose)


def test_any_five_digits_are_a_purpose():
    assert check_purpose("99999") == a_voucher(purpose="99999").purpose
    assert all(check_purpose(purpose) and words.en and words.zh for purpose, words in PURPOSES.items())


def test_a_city_code_is_checked():
    with pytest.raises(ValueError, match="six digits"):
        a_voucher(city_code="33")


def test_a_profile_is_one_of_three():
    assert a_voucher(profile=3, device_key=DEVICE_KEY).profile is Profile.DEVICE_BOUND
    with pytest.raises(ValueError, match="0 is not a valid Profile"):
        a_voucher(profile=0)


@pytest.mark.parametrize(("profile", "key"), [(1, DEVICE_KEY), (2, DEVICE_KEY), (3, None)])
def test_a_device_bound_pass_and_nothing_else_has_a_device_key(profile, key):
    with pytest.raises(ValueError, match="device key"):
        Voucher(**{name: getattr(a_voucher(), name) for name in ("identity_ref", "city_code", "issued_at", "nonce")},
                expires_at=NOW + 60, profile=profile, device_key=key)  # fmt: skip


def test_a_device_key_is_checked():
    with pytest.raises(ValueError, match="curves"):
        a_voucher(profile=3, device_key=DEVICE_KEY._replace(curve=2))
    with pytest.raises(ValueError, match="32 bytes"):
        a_voucher(profile=3, device_key=DEVICE_KEY._replace(x=bytes(31)))


def test_a_voucher_cannot_be_changed():
    voucher = a_voucher()
    with pytest.raises(dataclasses.FrozenInstanceError):
        voucher.city_code = "330107"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        voucher.note = "slots"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="six digits"):
        dataclasses.replace(voucher, city_code="x")


def test_a_voucher_takes_names_only():
    with pytest.raises(TypeError):
        Voucher(HOLDER, "330106", NOW, NOW + 60, b"nonce008")  # type: ignore[misc]


def test_vouchers_are_values():
    assert a_voucher() == a_voucher()
    assert a_voucher() != a_voucher(channel=0)
    assert pickle.loads(pickle.dumps(a_voucher())) == copy.deepcopy(a_voucher()) == a_voucher()


def test_assurances_are_in_order():
    assert Assurance.PASSWORD < Assurance.FINGERPRINT < Assurance.FACE


class TestVerifiedVoucher:
    @pytest.fixture
    def verified(self, issuer, verifier):
        return verifier.verify(issuer.issue(HOLDER, "330106", now=NOW).text)

    def test_nobody_but_a_verifier_makes_one(self, verified):
        fields = {"city_code": verified.city_code, "nonce": verified.nonce}
        for arguments in ({}, fields):
            with pytest.raises(TypeError):
                VerifiedVoucher(**arguments)

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_it_is_not_copied_or_pickled(self, verified, copied):
        with pytest.raises(TypeError, match="pass the token's text on"):
            copied(verified)

    def test_it_cannot_be_changed(self, verified):
        with pytest.raises(AttributeError, match="cannot be changed"):
            verified.verified_at = 0
        with pytest.raises(AttributeError, match="cannot be changed"):
            del verified.verified_at
        with pytest.raises(AttributeError, match="has no attribute"):
            _ = verified.holder

    def test_it_is_a_voucher_and_more(self, verified):
        voucher = a_voucher(nonce=verified.nonce, city_code="330106")
        names = [field.name for field in dataclasses.fields(voucher)]
        assert [getattr(verified, name) for name in names] == [getattr(voucher, name) for name in names]
        assert len({verified, verified}) == 1
        assert verified != a_voucher(nonce=verified.nonce)
        assert verified.replay_key == verified.kid + verified.nonce
