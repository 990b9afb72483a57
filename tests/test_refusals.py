from __future__ import annotations

import string

import pytest

from tests.support import check_each
from ybtoken.refusals import ACCEPTED, BY_CODE, BY_NUMBER, REFUSALS, UNDECIDED, Code
from ybtoken.words import Words

# The contract: rows may be added, never renamed or renumbered.
NUMBERS = {
    "text.length": 17, "text.digits": 18, "text.prefix": 19, "text.range": 20, "text.check": 21, "text.beginning": 22,
    "envelope.shape": 33, "key.unknown": 49, "key.ring_expired": 50, "key.ring_unavailable": 51,
    "signature.invalid": 65, "device.signature": 66,
    "claims.shape": 81, "claims.profile": 82,
    "time.future": 97, "time.expired": 98, "time.lifetime": 99, "presentation.future": 100,
    "presentation.expired": 101, "otp.wrong": 102, "otp.throttled": 103, "otp.unavailable": 104,
    "scope.period": 113, "scope.withdrawn": 114, "scope.place": 115,
    "policy.place": 129, "policy.purpose": 130, "policy.channel": 131, "policy.assurance": 132,
    "policy.presenter": 133, "policy.age": 134,
    "status.suspended": 135, "status.invalid": 136, "status.unavailable": 137,
    "challenge.missing": 138, "challenge.wrong": 139, "policy.profile": 140, "policy.unavailable": 141,
    "redeem.replayed": 145, "redeem.unavailable": 146, "redeem.full": 147, "redeem.clock": 148,
    "redeem.timeout": 150, "redeem.loading": 151, "redeem.readonly": 152, "redeem.memory": 153,
    "redeem.unreplicated": 154, "redeem.restarted": 155, "redeem.evicting": 156, "redeem.persistence": 157,
    "redeem.unchecked": 158,
    "redeem.busy": 159,
}  # fmt: skip


def test_codes_and_numbers_stay_as_they_are():
    assert {code: refusal.number for code, refusal in BY_CODE.items()} == NUMBERS


def test_codes_and_numbers_are_unique_and_fit_a_byte():
    assert len(BY_CODE) == len(BY_NUMBER) == len(REFUSALS)
    assert all(ACCEPTED < refusal.number < UNDECIDED for refusal in REFUSALS)


def test_every_number_has_its_row():
    assert [refusal.number for refusal in REFUSALS] == list(Code)
    assert all(refusal.step == refusal.number.step == refusal.number // 16 for refusal in REFUSALS)


def test_rows_are_in_the_order_of_their_numbers():
    assert [refusal.number for refusal in REFUSALS] == sorted(BY_NUMBER)


def test_both_languages_name_the_same_facts():
    def check(refusal):
        for words in (refusal.what, refusal.remedy, refusal.hint):
            named = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in words]
            assert named[0] == named[1]
            assert words.en[-1] in ".}"
            assert words.en[0].isupper() or words.en.startswith(("iat", "exp", "now", "{"))

    check_each(BY_CODE, check)


def test_what_to_do_holds_no_placeholders():
    def check(refusal):
        assert "{" not in refusal.remedy.en + refusal.remedy.zh

    check_each(BY_CODE, check)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_the_words_of_steps_before_the_key_name_no_facts(step):
    for refusal in REFUSALS:
        if refusal.step == step:
            assert "{" not in "".join((*refusal.what, *refusal.hint))


def test_words_are_filled_in_both_languages():
    assert Words("{n} s", "{n} 秒").format({"n": 3}) == ("3 s", "3 秒")
