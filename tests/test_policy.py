from __future__ import annotations

import pytest

from tests.support import CITY, HOLDER, NOW, PRESENTER, a_voucher, fake_issuer, fake_verifier
from ybtoken import Assurance, Profile, Scope
from ybtoken.errors import CannotCheckError, PolicyError
from ybtoken.identity import IdentitySealer
from ybtoken.policy import (
    AcceptedProfiles,
    AllOf,
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
from ybtoken.vocabulary import PURPOSES
from ybtoken.voucher import Note
from ybtoken.words import Words


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
    AllOf([Channel(7)]),
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
    assert "浙江宁波（330206）" in error.what.zh
    assert "浙江（浙江宁波除外）" in error.what.zh
    assert "Zhejiang without Ningbo, Zhejiang" in error.what.en


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

    def test_a_code_from_before_the_first_key_cannot_be_checked(self):
        sealer = IdentitySealer({NOW + 1: bytes(16)})  # the key before it was put away
        policy = FamilyAccount(sealer, lambda presenter: {presenter})
        with pytest.raises(CannotCheckError, match=r"policy\.unavailable") as caught:
            policy.check(a_voucher(presenter=PRESENTER), NOW)
        assert "签发此码时没有可用的身份加密密钥。" in caught.value.hint.zh
        accepted(policy)
        issuer = fake_issuer()
        shown, own = (issuer.issue(HOLDER, CITY, presenter=by).text for by in (PRESENTER, None))
        verdicts = fake_verifier(policies=[policy]).verify_many([own, shown, own])
        assert (verdicts.accepted, verdicts.counts()) == (2, {"policy.unavailable": 1})


def test_one_of_several_is_enough():
    policy = AnyOf(iter([Purpose("01301"), Channel(7)]))
    accepted(policy, channel=7)
    accepted(policy, purpose="01301")
    assert refused(policy).code == "policy.channel"  # the last one's


def test_any_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="at least one policy"):
        AnyOf([])


def test_all_of_several_must_accept():
    policy = AllOf(iter([Purpose("01301"), Channel(7)]))
    accepted(policy, channel=7, purpose="01301")
    assert refused(policy, channel=7).code == "policy.purpose"
    assert refused(policy, purpose="01301").code == "policy.channel"
    assert refused(policy).code == "policy.purpose"  # the first one's


def test_all_of_several_passes_a_note_on():
    class Noting:
        def check(self, voucher, now):
            return Note("late", Words("late", "迟"))

    assert AllOf([HolderOnly(), Noting()]).check(a_voucher(), NOW).code == "late"


def test_all_of_is_an_alternative_in_any_of():
    policy = AnyOf([AllOf([Channel(7), Purpose("01301")]), MinimumAssurance(Assurance.FACE)])
    accepted(policy, channel=7, purpose="01301")
    accepted(policy, assurance=3)
    assert refused(policy, channel=7).code == "policy.assurance"


@pytest.mark.parametrize(
    ("make", "error", "wanted"),
    [
        (lambda: InsuredPlace("33"), TypeError, "scope is a Scope, not str"),
        (lambda: Purpose(), ValueError, "at least one business type"),
        (lambda: Purpose("99999"), ValueError, "99999 is no known business type"),
        (lambda: Purpose("9", known=None), ValueError, "five digits"),
        (lambda: Channel(), ValueError, "at least one channel"),
        (lambda: Channel(65536), ValueError, "a channel is 0 to 65535, not 65536"),
        (lambda: Channel("7"), TypeError, "a channel is an integer, not str"),
        (lambda: AcceptedProfiles(), ValueError, "at least one profile"),
        (lambda: MinimumAssurance("face"), TypeError, "level is an integer, not str"),
        (lambda: MinimumAssurance(256), ValueError, "level is 0 to 255, not 256"),
        (lambda: MaximumAge(1.5), TypeError, "seconds is a number of whole seconds"),
        (lambda: MaximumAge(-1), ValueError, "seconds is at least 0"),
        (lambda: FamilyAccount(b"key", lambda presenter: ()), TypeError, "sealer is an IdentitySealer, not bytes"),
        (lambda: FamilyAccount(IdentitySealer(bytes(16)), {1: {2}}), TypeError, "members is a function"),
        (lambda: AnyOf([Channel(7), "01301"]), TypeError, "a policy is an object with check"),
        (lambda: AnyOf([HolderOnly]), TypeError, "not the class HolderOnly itself"),
        (lambda: AnyOf(Channel(7)), TypeError, "AnyOf takes several policies in a list, not Channel"),
        (lambda: AllOf([object()]), TypeError, "a policy is an object with check"),
        (lambda: AllOf([]), ValueError, "AllOf takes at least one policy"),
    ],
)
def test_a_policy_says_what_it_wants(make, error, wanted):
    with pytest.raises(error, match=wanted):
        make()


def test_only_codes_that_state_nothing_may_be_accepted():
    accepted(Purpose(accept_unstated=True))
    assert refused(Purpose(accept_unstated=True), purpose="01301").code == "policy.purpose"
    accepted(Channel(accept_unstated=True))


def test_a_business_type_of_a_region_is_accepted_where_it_was_named():
    accepted(Purpose("99999", known=None), purpose="99999")
    accepted(Purpose("99999", known={*PURPOSES, "99999"}), purpose="99999")


def test_an_error_that_is_no_refusal_is_not_swallowed():
    class Broken:
        def check(self, voucher, now):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        AnyOf([Broken(), Channel(7)]).check(a_voucher(channel=7), NOW)
