"""The field's codes and their names: business types, levels of assurance, kinds of display.

Messages name what a code stands for, because the person at a counter knows 结算 and not 01301. A code without a name is
valid all the same, and is written as it is.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType

from ybtoken.words import BoundsError, Words

__all__ = ["PURPOSES", "describe_assurance", "describe_profiles", "describe_purposes"]

PURPOSES: Mapping[str, Words] = MappingProxyType(
    {
        "01101": Words("registration", "挂号"),
        "01102": Words("in-patient file", "住院建档"),
        "01103": Words("admission", "入院登记"),
        "01104": Words("deposit", "缴纳预缴金"),
        "01201": Words("consultation", "问诊"),
        "01202": Words("booking an examination", "预约检查"),
        "01203": Words("examination", "检查"),
        "01204": Words("treatment", "治疗"),
        "01301": Words("settlement", "结算"),
        "01302": Words("collecting medicine", "取药"),
        "01303": Words("collecting reports", "取报告"),
        "01304": Words("printing bills", "打印票据"),
        "01305": Words("copying records", "病历复印"),
        "02121": Words("pharmacy purchase", "药店购药"),
        "02122": Words("outside prescription", "下载外购处方"),
        "03131": Words("identity in a medical app", "医疗类App身份认证"),
    }
)
"""The known business types (用码业务类型) and their names. In a token any five digits are valid (ADR 0003)."""

_ASSURANCES = MappingProxyType(
    {"1": Words("password", "口令"), "2": Words("fingerprint", "指纹"), "3": Words("face", "人脸")}
)
_PROFILES = MappingProxyType(
    {
        "VOUCHER": Words("a code of the platform", "平台实时码"),
        "ROTATING": Words("a rotating pass", "动态码凭证"),
        "DEVICE_BOUND": Words("a device-bound pass", "设备绑定凭证"),
    }
)
_UNSTATED = Words("not stated", "未注明")


def check_purpose(purpose: str) -> str:
    """Return a business type of five ASCII digits, or raise `ValueError`."""
    if not (isinstance(purpose, str) and len(purpose) == 5 and purpose.isascii() and purpose.isdigit()):
        raise BoundsError(
            f"a purpose is a string of five digits, not {purpose!r}", f"用码业务类型应为五位数字，实为 {purpose!r}"
        )
    return purpose


def check_known_purpose(purpose: str, known: Container[str] | None) -> str:
    """Return a business type that is one of the known ones, or raise `ValueError`. ``None`` allows any five digits."""
    if check_purpose(purpose) and known is not None and purpose not in known:
        raise BoundsError(
            f"{purpose} is no known business type (PURPOSES), and no other was allowed here",
            f"{purpose} 不是已知的用码业务类型（PURPOSES），此处也未另行允许",
        )
    return purpose


def describe_purposes(codes: object) -> Words:
    """Business types by name: one code, several with "/" between them, or "-" where none is stated."""
    return _named(codes, PURPOSES)


def describe_assurance(level: object) -> Words:
    """A level of assurance by name; "-" where none is stated."""
    return _named(level, _ASSURANCES)


def describe_profiles(names: object) -> Words:
    """Kinds of display as the person who shows them knows them: one name of a profile, or several with "/"."""
    return _named(names, _PROFILES)


def _named(codes: object, names: Mapping[str, Words]) -> Words:
    words = [_UNSTATED if code == "-" else names.get(code, Words(code, code)) for code in str(codes).split("/")]
    return Words(", ".join(each.en for each in words), "、".join(each.zh for each in words))
