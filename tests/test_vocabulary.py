"""What a cashier reads: names, and not the codes that a token holds."""

from __future__ import annotations

import re

from tests.support import check_each
from ybtoken.errors import error_for
from ybtoken.refusals import BY_CODE
from ybtoken.vocabulary import describe_assurance, describe_profiles, describe_purposes

# Words of the protocol, of programs and of files: none of them helps at a counter.
PROTOCOL = re.compile(
    r"分组|格式 1|应答|挑战|前缀|声明|DEVICE_BOUND|ROTATING|VOUCHER|\b0\d{4}\b|iat|exp\b|skew|cnf|Redis|防重放"
)
FACTS = {
    "policy.purpose": {"found": "01301", "accepted": "02121/02122"},
    "policy.profile": {"found": "DEVICE_BOUND", "accepted": "VOUCHER/ROTATING"},
    "policy.assurance": {"found": 1, "accepted": 3},
    "policy.place": {"city_code": "330100", "accepted": "34"},
    "scope.place": {"city_code": "330100", "issuer": "Anhui", "scope": "34"},
}


def test_no_word_of_the_protocol_reaches_the_counter():
    def check(row):
        error = error_for(row.code, **FACTS.get(row.code, {}))
        for words in (error.what, error.remedy):
            assert not PROTOCOL.search(words.zh), words.zh
            assert not PROTOCOL.search(words.en), words.en

    check_each(BY_CODE, check)


def test_codes_are_named():
    said = {code: error_for(code, **facts).what for code, facts in FACTS.items()}
    assert said["policy.purpose"] == (
        "The code was shown for another business (settlement, here pharmacy purchase, outside prescription).",
        "此码用于其他业务（结算，本机为 药店购药、下载外购处方）。",
    )
    assert "设备绑定凭证" in said["policy.profile"].zh
    assert "口令，至少需要人脸" in said["policy.assurance"].zh
    assert said["policy.place"].zh == "参保地 浙江杭州 不在本机受理范围（安徽）。"
    assert said["scope.place"].en.startswith(
        "The insured place Hangzhou, Zhejiang is not one that issuer Anhui (Anhui)"
    )


def test_facts_stay_codes_for_programs():
    error = error_for("policy.purpose", **FACTS["policy.purpose"])
    assert error.facts == FACTS["policy.purpose"]
    assert error.to_dict()["facts"] == FACTS["policy.purpose"]


def test_what_has_no_name_is_written_as_it_is():
    assert describe_purposes("09001") == ("09001", "09001")
    assert describe_purposes("-") == ("not stated", "未注明")
    assert describe_assurance(77) == ("77", "77")
    assert describe_profiles("VOUCHER/DEVICE_BOUND").zh == "平台实时码、设备绑定凭证"
