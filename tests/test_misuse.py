from __future__ import annotations

import json
import pickle

import pytest

from tests.support import CITY, HOLDER, fake_issuer
from ybtoken import Algorithm, IssueError, Issuer, Scope
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.misuse import MISUSES
from ybtoken.passes.enrolment import Enrolment
from ybtoken.testing.keys import FakeKey
from ybtoken.words import Words


class Unpadded(FakeKey):
    def sign(self, message: bytes) -> bytes:
        return bytes(63)


class Erring(FakeKey):
    def sign(self, message: bytes) -> bytes:
        return bytes(64)

    def verify(self, message: bytes, signature: bytes) -> None:
        FakeKey("fake").verify(message, signature)


REFUSED = {
    "issue.claim": lambda: fake_issuer().issue(HOLDER, CITY, channel=65536),
    "issue.place": lambda: fake_issuer(scope=Scope(("33",))).issue(HOLDER, "340100"),
    "issue.device_key": lambda: fake_issuer().issue_device_bound_pass(
        HOLDER, CITY, P256SigningKey.generate(algorithm=Algorithm.ESP256).verifying_key
    ),
    "issue.possession": lambda: Enrolment(bytes(16)).check("a", b"", P256SigningKey.generate().verifying_key, b""),
    "issue.signature": lambda: Issuer(Unpadded()).issue(HOLDER, CITY),
    "issue.wrong_signature": lambda: Issuer(Erring()).issue(HOLDER, CITY),
}


def refusal(code: str) -> IssueError:
    with pytest.raises(IssueError) as caught:
        REFUSED[code]()
    return caught.value


def test_every_code_has_a_case():
    assert set(REFUSED) == set(MISUSES)


@pytest.mark.parametrize("code", REFUSED)
def test_what_an_issuer_refuses_has_a_code_and_words_in_both_languages(code):
    error = refusal(code)
    assert isinstance(error, ValueError)
    assert error.code == code
    for words in (error.what, error.remedy):
        assert words.en.isascii()
        assert not words.zh.isascii()
        assert "{" not in words.en + words.zh
    if isinstance(reason := error.facts.get("reason"), Words):
        assert reason.zh in error.what.zh
        assert reason.en not in error.what.zh
    shown = json.loads(json.dumps(error.to_dict()))
    assert shown == {
        "code": code, "what": error.what._asdict(), "remedy": error.remedy._asdict(),
        "facts": {name: fact._asdict() if isinstance(fact, Words) else fact for name, fact in error.facts.items()},
    }  # fmt: skip
    assert str(error) == f"[{code}] {error.what.en} {error.remedy.en} / {error.what.zh}{error.remedy.zh}"
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.facts) == (error.code, error.facts)


def test_the_facts_say_what_was_wrong():
    assert refusal("issue.place").facts == {"city_code": "340100", "scope": "33"}
    assert refusal("issue.claim").facts == {
        "reason": Words("channel is 0 to 65535, not 65536", "channel 应为 0 至 65535，实为 65536")
    }
    assert "ESP256" in refusal("issue.device_key").facts["reason"].en
    assert "63 bytes" in refusal("issue.signature").facts["reason"].en


def test_places_are_named_as_refusals_name_them():
    what = refusal("issue.place").what
    assert what.en == "The insured place Hefei, Anhui is outside this issuer's scope (Zhejiang)."
    assert what.zh == "参保地 安徽合肥 不在本签发机构的签发范围（浙江）内。"


def test_a_value_of_the_wrong_type_is_an_error_in_the_program():
    with pytest.raises(TypeError, match="channel is an integer"):
        fake_issuer().issue(HOLDER, CITY, channel="7")
    with pytest.raises(TypeError, match="the phone's public key"):
        fake_issuer().issue_device_bound_pass(HOLDER, CITY, b"key")


def test_a_code_is_one_of_the_table():
    with pytest.raises(ValueError, match=r"no code 'issue\.nothing'"):
        IssueError("issue.nothing")
