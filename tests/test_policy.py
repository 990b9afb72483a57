from __future__ import annotations

import pytest

from tests.support import NOW, a_voucher
from ybtoken import Assurance, Scope
from ybtoken.errors import PolicyError
from ybtoken.policy import AnyOf, Channel, InsuredPlace, MaximumAge, MinimumAssurance, Policy, Purpose


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
