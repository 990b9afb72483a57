from __future__ import annotations

import pytest

from tests.support import NOW, PRESENTER, a_voucher
from ybtoken import Assurance, Profile, Scope
from ybtoken.errors import PolicyError
from ybtoken.identity import IdentitySealer
from ybtoken.policy import (
    AcceptedProfiles,
    AnyOf,
    Channel,
    FamilyAccount,
    HolderOnly,
    InsuredPlace,
    MaximumAge,
    MinimumAssurance,
    Policy,
    Purpose,
)


def refused(policy: Policy, now: int = NOW, **claims) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        policy.check(a_voucher(**claims), now)
    return caught.value


def accepted(policy: Policy, now: int = NOW, **claims) -> None:
    assert policy.check(a_voucher(**claims), now) is None


ALL = [
    InsuredPlace(Scope()),
    Purpose("01301"),
    Channel(7),
    MinimumAssurance(Assurance.FACE),
    MaximumAge(30),
    AnyOf([Channel(7)]),
    AcceptedProfiles(Profile.VOUCHER),
    HolderOnly(),
    FamilyAccount(IdentitySealer(bytes(16)), lambda presenter: ()),
]


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: type(policy).__name__)
def test_each_is_a_policy_that_cannot_grow(policy):
    assert isinstance(policy, Policy)
    with pytest.raises(AttributeError):
        policy.note = 1


def test_an_insured_place_is_in_the_scope_or_refused_with_both_places():
    policy = InsuredPlace(Scope(("33",), ("3302",)))
    accepted(policy, city_code="330106")
    error = refused(policy, city_code="330206")
    assert (error.code, error.facts) == ("policy.place", {"city_code": "330206", "accepted": "33-3302"})
    assert "330206" in error.what.zh
    assert "33-3302" in error.what.en


def test_a_purpose_is_one_of_those_named():
    policy = Purpose("01301", "01101")
    accepted(policy, purpose="01101")
    error = refused(policy, purpose="02121")
    assert (error.code, error.facts) == ("policy.purpose", {"found": "02121", "accepted": "01101/01301"})


def test_a_purpose_that_was_not_stated_is_refused_unless_it_may_be():
    assert refused(Purpose("01301")).found == "-"
    accepted(Purpose("01301", accept_unstated=True))
    assert refused(Purpose("01301", accept_unstated=True), purpose="02121").found == "02121"


def test_a_purpose_policy_takes_purposes():
    with pytest.raises(ValueError, match="five digits"):
        Purpose("1301")


def test_a_channel_is_one_of_those_named():
    accepted(Channel(7, 0), channel=0)
    error = refused(Channel(10, 9), channel=0)
    assert (error.code, error.facts) == ("policy.channel", {"found": 0, "accepted": "9/10"})


def test_a_channel_that_was_not_stated_is_refused_unless_it_may_be():
    assert refused(Channel(0)).found == "-"
    accepted(Channel(0, accept_unstated=True))
    assert refused(Channel(0, accept_unstated=True), channel=1).found == 1


@pytest.mark.parametrize("assurance", [2, 3, 255])
def test_an_assurance_may_be_stronger(assurance):
    accepted(MinimumAssurance(Assurance.FINGERPRINT), assurance=assurance)


@pytest.mark.parametrize(("assurance", "found"), [(None, "-"), (0, 0), (1, 1)])
def test_an_assurance_may_not_be_weaker_or_unstated(assurance, found):
    error = refused(MinimumAssurance(Assurance.FINGERPRINT), assurance=assurance)
    assert (error.code, error.facts) == ("policy.assurance", {"found": found, "accepted": 2})


def test_an_unstated_assurance_is_below_any_level():
    assert refused(MinimumAssurance(0)).found == "-"


@pytest.mark.parametrize("age", [-10, 0, 30])
def test_a_code_may_be_that_old(age):
    accepted(MaximumAge(30), NOW + age)


def test_a_code_may_not_be_older():
    error = refused(MaximumAge(30), NOW + 31)
    assert (error.code, error.facts) == ("policy.age", {"age": 31, "accepted": 30})


def test_a_profile_is_one_of_those_named():
    policy = AcceptedProfiles(Profile.ROTATING, Profile.DEVICE_BOUND)
    accepted(policy, profile=Profile.ROTATING)
    error = refused(policy)
    assert (error.code, error.facts) == ("policy.profile", {"found": "VOUCHER", "accepted": "ROTATING/DEVICE_BOUND"})
    with pytest.raises(ValueError, match="0 is not a valid Profile"):
        AcceptedProfiles(0)


def test_only_the_holder_may_show_a_code():
    accepted(HolderOnly())
    assert refused(HolderOnly(), presenter=PRESENTER).code == "policy.presenter"


class TestFamilyAccount:
    """Person 1 presents for 2 and 3."""

    SEALER = IdentitySealer({0: bytes(16), NOW: b"k" * 16})
    POLICY = FamilyAccount(SEALER, lambda presenter: {1: {2, 3}}.get(presenter, ()))

    def seal(self, person: int, at: int = NOW) -> bytes:
        return self.SEALER.seal(person, at=at)

    @pytest.mark.parametrize(("presenter", "holder"), [(1, 2), (1, 3)])
    def test_a_member_may_be_presented_for(self, presenter, holder):
        accepted(self.POLICY, identity_ref=self.seal(holder), presenter=self.seal(presenter))

    @pytest.mark.parametrize(("presenter", "holder"), [(1, 4), (2, 1), (4, 2), (2, 2)])
    def test_nobody_else_may(self, presenter, holder):
        error = refused(self.POLICY, identity_ref=self.seal(holder), presenter=self.seal(presenter))
        assert (error.code, error.facts) == ("policy.presenter", {})  # and whose it is stays sealed

    def test_a_holder_needs_no_family(self):
        accepted(self.POLICY, identity_ref=self.seal(9))

    def test_references_are_opened_with_the_key_of_their_time(self):
        earlier = {"issued_at": NOW - 1, "expires_at": NOW + 59}
        accepted(self.POLICY, identity_ref=self.seal(2, NOW - 1), presenter=self.seal(1, NOW - 1), **earlier)
        refused(self.POLICY, identity_ref=self.seal(2), presenter=self.seal(1), **earlier)


def test_one_of_several_is_enough():
    policy = AnyOf(iter([Purpose("01301"), Channel(7)]))
    accepted(policy, channel=7)
    accepted(policy, purpose="01301")
    assert refused(policy).code == "policy.channel"  # the last one's


def test_any_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="at least one policy"):
        AnyOf([])


def test_an_error_that_is_no_refusal_is_not_swallowed():
    class Broken:
        def check(self, voucher, now):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        AnyOf([Broken(), Channel(7)]).check(a_voucher(channel=7), NOW)
