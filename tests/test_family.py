"""The family account (亲情账户): sealed by the platform, shown by a family member, verified at a counter."""

from __future__ import annotations

import os

import pytest

from tests.support import CITY, NOW, RING, fake_issuer
from ybtoken import MemoryReplayGuard, TokenError, Verifier
from ybtoken.identity import IdentitySealer
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import FamilyAccount, HolderOnly

SEALER = IdentitySealer(bytes(range(16)), clock=lambda: NOW)
MOTHER, SON, STRANGER = 1001, 1002, 2**64 - 1
FAMILIES = {SON: {MOTHER}}
CODES = RotatingCodes(bytes(32))
DEVICE = P256SigningKey.generate()


def members(presenter: int) -> set[int]:
    return FAMILIES.get(presenter, set())


def shown(profile: int, holder: int, presenter: int | None) -> str:
    """What the presenter's phone shows, in each profile."""
    extras = {} if presenter is None else {"presenter": SEALER.seal(presenter)}
    issuer, identity_ref = fake_issuer(random=os.urandom), SEALER.seal(holder)
    if profile == 1:
        return issuer.issue(identity_ref, CITY, **extras).text
    if profile == 2:
        return CODES.enrol(issuer.issue_rotating_pass(identity_ref, CITY, **extras)).present(now=NOW)
    issued = issuer.issue_device_bound_pass(identity_ref, CITY, DEVICE.verifying_key, **extras)
    return DeviceBoundPass(issued.data, DEVICE, clock=lambda: NOW).present()


def counter(*policies) -> Verifier:
    return Verifier(RING, policies=policies, otp=CODES, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)


@pytest.mark.parametrize("profile", [1, 2, 3])
class TestFamily:
    def test_a_son_shows_his_mothers_code(self, profile):
        voucher = counter(FamilyAccount(SEALER, members)).redeem(shown(profile, MOTHER, SON))
        assert SEALER.open(voucher.identity_ref, at=voucher.issued_at) == MOTHER
        assert SEALER.open(voucher.presenter, at=voucher.issued_at) == SON

    def test_the_holder_needs_no_family(self, profile):
        assert counter(FamilyAccount(SEALER, members)).redeem(shown(profile, STRANGER, None)).presenter is None

    @pytest.mark.parametrize(("holder", "presenter"), [(MOTHER, STRANGER), (SON, MOTHER), (STRANGER, SON), (SON, SON)])
    def test_nobody_else_does(self, profile, holder, presenter):
        one, text = counter(FamilyAccount(SEALER, members)), shown(profile, holder, presenter)
        for act in (one.verify, one.redeem):
            with pytest.raises(TokenError) as caught:
                act(text)
            assert caught.value.code == "policy.presenter"
        assert one.verify_many([text]).counts() == {"policy.presenter": 1}

    def test_a_counter_may_serve_holders_only(self, profile):
        assert counter(HolderOnly()).verify(shown(profile, MOTHER, None))
        with pytest.raises(TokenError) as caught:
            counter(HolderOnly()).verify(shown(profile, MOTHER, SON))
        assert caught.value.code == "policy.presenter"

    def test_with_another_sealing_key_nobody_is_family(self, profile):
        other = IdentitySealer(bytes(16))
        with pytest.raises(TokenError) as caught:
            counter(FamilyAccount(other, members)).verify(shown(profile, MOTHER, SON))
        assert caught.value.code == "policy.presenter"

    def test_two_displays_of_a_family_cannot_be_linked(self, profile):
        one, two = (counter().verify(shown(profile, MOTHER, SON)) for _ in range(2))
        assert one.presenter != two.presenter
        assert one.identity_ref != two.identity_ref


def test_a_refusal_names_nobody():
    with pytest.raises(TokenError) as caught:
        counter(FamilyAccount(SEALER, members)).verify(shown(1, MOTHER, STRANGER))
    assert str(MOTHER) not in str(caught.value.to_dict())
    assert str(STRANGER) not in str(caught.value.to_dict())
