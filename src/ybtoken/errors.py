"""One tree of errors for tokens that are refused.

A bad token raises a `TokenError`, and so does anything that prevents judging one, so that one ``except TokenError``
fails closed. Misuse of the API by the program raises a `TypeError` or `ValueError`, never a `TokenError`.

An error carries its facts as attributes. It never carries claims of a token whose signature is not good.
"""

from __future__ import annotations

from typing import Any

from ybtoken.refusals import BY_CODE, REFUSALS, Refusal
from ybtoken.words import Words

__all__ = [
    "CannotCheckError",
    "ChallengeError",
    "ClaimsError",
    "EnvelopeError",
    "OtpError",
    "PolicyError",
    "RedeemError",
    "ScopeError",
    "SignatureError",
    "StatusError",
    "TextError",
    "TimeError",
    "TokenError",
    "UnknownKeyError",
]


class _Unstated(dict[str, object]):
    """The facts for an error's words. A fact that was not stated is written as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


class TokenError(Exception):
    """A token is refused.

    Args:
        code: which refusal; a row of `ybtoken.refusals.REFUSALS`.
        facts: what is known about it; also attributes of the error.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        if type(self) is not (kind := _CLASSES.get(code)) and not (kind and isinstance(self, kind)):
            raise ValueError(f"{type(self).__name__} has no code {code!r}")
        self.args = (code,)
        self.code = code
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        # Python calls this only for names that are no ordinary attributes; they may be facts.
        try:
            return self.__dict__["facts"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} ({self.__dict__.get('code')}) has no fact {name!r}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code, self.facts)

    @property
    def refusal(self) -> Refusal:
        """The row of the table of refusals."""
        return BY_CODE[self.code]

    @property
    def number(self) -> int:
        """The refusal's number: the byte that stands for it in verdict columns."""
        return self.refusal.number

    @property
    def step(self) -> int:
        """The verification step (1-9, Spec 4) at which the token was refused."""
        return self.refusal.step

    @property
    def what(self) -> Words:
        """What happened, in English and Chinese."""
        facts, spoken = _Unstated(self.facts), self.refusal.spoken
        facts.update((name, spoken[name](fact)) for name, fact in self.facts.items() if name in spoken)
        return self.refusal.what.format(facts)

    @property
    def remedy(self) -> Words:
        """What the person at the counter does, in English and Chinese."""
        return self.refusal.remedy

    @property
    def hint(self) -> Words:
        """What the developer looks at, in English and Chinese."""
        return self.refusal.hint.format(_Unstated(self.facts))

    def __str__(self) -> str:
        what, remedy = self.what, self.remedy
        return f"[{self.code}] {what.en} {remedy.en} / {what.zh}{remedy.zh}"

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON-ready values: for logs, command lines and HTTP problem details."""
        return {
            "code": self.code,
            "step": self.step,
            "what": self.what._asdict(),
            "remedy": self.remedy._asdict(),
            "hint": self.hint._asdict(),
            "facts": dict(self.facts),
        }


def _rebuild(error: type[TokenError], code: str, facts: dict[str, Any]) -> TokenError:
    return error(code, **facts)


class TextError(TokenError):
    """Step 1: the text was damaged when it was read, or is no voucher. This is never a sign of fraud."""


class EnvelopeError(TokenError):
    """Step 2: the bytes are not a token of this format."""


class UnknownKeyError(TokenError):
    """Step 3: the key ring has no such key. Fact: ``kid`` (hex)."""


class SignatureError(TokenError):
    """Step 4: the signature of the issuer (fact: ``kid``, hex) or of the phone is not good.

    If a key was given a signature that is not 64 bytes long, which no token has, there are two more facts: ``size`` in
    bytes, and ``form``, which is ``der``, ``text``, ``fields``, or ``size`` for anything else.
    """

    @property
    def hint(self) -> Words:
        """What the developer looks at, in English and Chinese."""
        hint, form = super().hint, _FORMS.get(self.facts.get("form", ""))
        if form is None:
            return hint
        size = self.facts["size"]
        return Words(
            f"The signature that was given has {size} bytes{form.en}; here it is r || s, 64 bytes. {hint.en}",
            f"所给签名为 {size} 字节{form.zh}；此处签名为 r || s，共 64 字节。{hint.zh}",
        )


_FORMS = {
    "der": Words(" and looks like DER", "，似为 DER 编码"),
    "text": Words(" and looks like text, hexadecimal or base64", "，似为十六进制或 Base64 文本"),
    "fields": Words(" and looks like a device's fields of 64 bytes", "，似为设备的 64 字节字段"),
    "size": Words("", ""),
}


class ClaimsError(TokenError):
    """Step 5: the signed claims are not what the format allows. Fact: ``kid`` (hex)."""


class TimeError(TokenError):
    """Step 6: too early, too late, or valid for too long.

    Facts, in seconds: ``issued_at``, ``expired_at``, ``now``, ``skew``; for a phone's signature, ``presented_at``.
    """


class OtpError(TokenError):
    """Step 6: the one-time code of a rotating pass is wrong, or too many wrong codes of the pass were tried."""


class ScopeError(TokenError):
    """Step 7: the key may not sign this.

    Facts: ``kid``, ``issuer``, ``issued_at``, ``city_code``, ``scope``.
    """


class PolicyError(TokenError):
    """Step 8: a policy of the verifier refuses. Facts: the value ``found`` and the values ``accepted``."""


class ChallengeError(TokenError):
    """Step 8: the code does not answer the terminal's challenge, or answers another one."""


class StatusError(TokenError):
    """Step 8: the voucher is frozen, revoked or unbound. Fact: ``status_index``."""


class RedeemError(TokenError):
    """Step 9: the token was used already."""


class CannotCheckError(TokenError):
    """Steps 3, 6, 8 and 9: something needed to decide is missing. A verifier that cannot check refuses."""


_FAMILIES: dict[str, type[TokenError]] = {
    "text": TextError,
    "envelope": EnvelopeError,
    "key": UnknownKeyError,
    "signature": SignatureError,
    "device": SignatureError,
    "claims": ClaimsError,
    "time": TimeError,
    "presentation": TimeError,
    "otp": OtpError,
    "scope": ScopeError,
    "policy": PolicyError,
    "challenge": ChallengeError,
    "status": StatusError,
    "redeem": RedeemError,
}
_CLASSES = {row.code: CannotCheckError if row.cannot_check else _FAMILIES[row.family] for row in REFUSALS}


def error_for(code: str, **facts: Any) -> TokenError:
    """The error of the right class for a code of the table of refusals."""
    return _CLASSES[code](code, **facts)
