from __future__ import annotations

import copy
import json
import pickle

import pytest

from tests.support import check_each
from ybtoken import errors
from ybtoken.errors import CannotCheckError, TextError, TimeError, TokenError, error_for
from ybtoken.refusals import BY_CODE, REFUSALS

FACTS = {"issued_at": 5, "expired_at": 65, "now": 100, "skew": 10, "late": 35}


def families() -> list[type[TokenError]]:
    return [getattr(errors, name) for name in errors.__all__ if name not in ("TokenError", "error_for")]


def takes(family: type[TokenError], code: str) -> bool:
    try:
        family(code)
    except ValueError:
        return False
    return True


def test_every_code_belongs_to_exactly_one_class():
    for refusal in REFUSALS:
        takers = [family for family in (TokenError, *families()) if takes(family, refusal.code)]
        assert takers == [type(error_for(refusal.code))]


def test_an_error_carries_its_row_of_the_table():
    def check(refusal):
        error = error_for(refusal.code)
        assert isinstance(error, TokenError)
        assert (error.code, error.number, error.step) == (refusal.code, refusal.number, refusal.step)
        assert error.refusal is refusal
        assert f"[{refusal.code}]" in str(error)

    check_each(BY_CODE, check)


def test_every_error_says_what_and_what_to_do_in_both_languages():
    def check(refusal):
        error = error_for(refusal.code)
        for words in (error.what, error.remedy, error.hint):
            assert words.en.isascii() or "异" in words.en or "亲" in words.en  # Chinese terms are quoted in English
            assert any("一" <= character <= "鿿" for character in words.zh), words.zh
            assert "{" not in words.en + words.zh
        assert error.what.en in str(error)
        assert error.what.zh in str(error)
        assert error.remedy.en in str(error)
        assert error.remedy.zh in str(error)

    check_each(BY_CODE, check)


def test_the_numbers_of_steps_are_in_the_numbers_of_codes():
    def check(refusal):
        assert refusal.number >> 4 == refusal.step

    check_each(BY_CODE, check)


def test_the_class_of_an_error_fits_the_step():
    steps: dict[str, set[int]] = {}
    for refusal in REFUSALS:
        steps.setdefault(type(error_for(refusal.code)).__name__, set()).add(refusal.step)
    assert steps == {
        "TextError": {1}, "EnvelopeError": {2}, "UnknownKeyError": {3}, "SignatureError": {4}, "ClaimsError": {5},
        "TimeError": {6}, "ScopeError": {7}, "PolicyError": {8}, "StatusError": {8}, "RedeemError": {9},
        "CannotCheckError": {3, 6, 8, 9}, "OtpError": {6}, "ChallengeError": {8},
    }  # fmt: skip


def test_facts_are_attributes_and_fill_the_words():
    error = TimeError("time.expired", **FACTS)
    assert error.expired_at == 65
    assert "35 s ago" in error.what.en
    assert "35" in error.what.zh
    with pytest.raises(AttributeError, match="no fact 'kid'"):
        _ = error.kid


def test_a_fact_that_was_not_stated_reads_as_a_question_mark():
    assert "? s ago" in TimeError("time.expired").what.en


def test_braces_in_a_fact_are_not_placeholders():
    assert "{now}" in error_for("scope.place", issuer="{now}", city_code="1", scope="*", now=9).what.en


def test_a_class_takes_no_code_of_another():
    with pytest.raises(ValueError, match=r"TextError has no code 'time\.expired'"):
        TextError("time.expired")
    with pytest.raises(ValueError, match="TokenError has no code"):
        TokenError("text.check")


@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_survives_pickling_and_copying(copied):
    def check(refusal):
        error = error_for(refusal.code, kid="00", now=7)
        other = copied(error)
        assert type(other) is type(error)
        assert (other.code, other.facts, str(other), other.args) == (error.code, error.facts, str(error), error.args)

    check_each(BY_CODE, check)


def test_an_error_half_built_has_no_facts_rather_than_no_end():
    blank = TimeError.__new__(TimeError)
    with pytest.raises(AttributeError):
        _ = blank.expired_at


def test_an_error_becomes_json():
    as_dict = TimeError("time.expired", **FACTS).to_dict()
    assert json.loads(json.dumps(as_dict)) == as_dict
    assert as_dict["code"] == "time.expired"
    assert as_dict["step"] == 6
    assert as_dict["facts"] == FACTS
    assert set(as_dict["what"]) == set(as_dict["remedy"]) == set(as_dict["hint"]) == {"en", "zh"}


def test_the_facts_of_a_dictionary_are_a_copy():
    error = TimeError("time.expired", **FACTS)
    error.to_dict()["facts"].clear()
    assert error.facts == FACTS


def test_one_except_clause_fails_closed():
    assert all(issubclass(family, TokenError) for family in families())
    assert not issubclass(TokenError, (ValueError, TypeError))
    assert issubclass(CannotCheckError, TokenError)
