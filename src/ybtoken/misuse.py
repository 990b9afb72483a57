"""What an issuer refuses to sign: the one kind of misuse that a service reports to its callers.

A service passes its callers' values on to the issuer, so it has to tell its callers which value was wrong.
`IssueError` does that with a stable code and words in two languages, in the form of `ybtoken.errors.TokenError`. Other
misuse, such as an argument of the wrong type, is an error in the program: a plain `TypeError` or `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ybtoken.places import describe_place, describe_scope
from ybtoken.words import Words

__all__ = ["MISUSES", "IssueError", "Misuse"]


class Misuse(NamedTuple):
    """One reason not to sign: what happened, and what to do about it."""

    what: Words
    remedy: Words
    spoken: Mapping[str, Callable[[object], Words]] = MappingProxyType({})
    """How facts that are codes are named in `what`, as in `ybtoken.refusals.Refusal`."""


MISUSES = MappingProxyType(
    {
        "issue.claim": Misuse(
            Words("A claim is not valid: {reason}.", "凭证要素无效：{reason}。"),
            Words("Correct this claim and issue again.", "请更正该要素后重新签发。"),
        ),
        "issue.place": Misuse(
            Words(
                "The insured place {city_code} is outside this issuer's scope ({scope}).",
                "参保地 {city_code} 不在本签发机构的签发范围（{scope}）内。",
            ),
            Words(
                "Have the issuer of that place sign, or correct the city code.",
                "请由该参保地的签发机构签发，或更正参保地代码。",
            ),
            spoken={"city_code": describe_place, "scope": describe_scope},
        ),
        "issue.device_key": Misuse(
            Words(
                "The phone's key does not fit a device-bound pass: {reason}.",
                "手机密钥不能用于设备绑定凭证：{reason}。",
            ),
            Words(
                "Have the phone make a key on P-256 (ES256), or on SM2 with the default user id.",
                "请让手机生成 P-256（ES256）密钥，或采用默认用户标识的 SM2 密钥。",
            ),
        ),
        "issue.possession": Misuse(
            Words("The phone did not prove that it holds the key: {reason}.", "手机未能证明其持有该密钥：{reason}。"),
            Words("Ask for a new challenge, and let the phone sign it anew.", "请重新获取挑战值，由手机重新签名。"),
        ),
        "issue.signature": Misuse(
            Words("The issuer's key gave no usable signature: {reason}.", "签发密钥未给出可用的签名：{reason}。"),
            Words(
                "Look at the signing device and its adapter, which returns r || s, 32 bytes each.",
                "请检查签名设备及其适配程序：应返回 r || s，各 32 字节。",
            ),
        ),
        "issue.wrong_signature": Misuse(
            Words(
                "The issuer's key gave a signature that its own public key {kid} refuses; nothing was issued.",
                "签发密钥给出的签名未通过自身公钥 {kid} 的验证，未签发任何凭证。",
            ),
            Words(
                "If it happens again, stop issuing with this device. `ybtoken device check` tries the device, and "
                "`ybtoken diagnose` says what is wrong with a signature.",
                "若再次出现，请停用该签名设备。可用 ybtoken device check 检测设备，用 ybtoken diagnose 分析签名。",
            ),
        ),
    }
)
"""Every code of `IssueError`, with its words."""


class IssueError(ValueError):
    """An issuer refused to sign; nothing was issued.

    Args:
        code: a key of `MISUSES`.
        facts: what is known about it: ``city_code`` and ``scope`` of ``issue.place``, ``kid`` of
            ``issue.wrong_signature``, otherwise the ``reason``: `Words` that name the claim or the key and what it has
            to be.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        if code not in MISUSES:
            raise ValueError(f"there is no code {code!r}")
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.code, self.facts)

    @property
    def what(self) -> Words:
        """What happened, in English and Chinese."""
        misuse = MISUSES[self.code]
        spoken = {name: misuse.spoken[name](fact) for name, fact in self.facts.items() if name in misuse.spoken}
        return misuse.what.format(self.facts | spoken)

    @property
    def remedy(self) -> Words:
        """What to do about it, in English and Chinese."""
        return MISUSES[self.code].remedy

    def __str__(self) -> str:
        what, remedy = self.what, self.remedy
        return f"[{self.code}] {what.en} {remedy.en} / {what.zh}{remedy.zh}"

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON-ready values: for logs, command lines and HTTP problem details."""
        return {
            "code": self.code,
            "what": self.what._asdict(),
            "remedy": self.remedy._asdict(),
            "facts": {name: fact._asdict() if isinstance(fact, Words) else fact for name, fact in self.facts.items()},
        }


def _rebuild(code: str, facts: dict[str, Any]) -> IssueError:
    return IssueError(code, **facts)
