"""One tree of errors for tokens that are refused.

Whatever is wrong with a token, or with what is needed to judge it, is a `TokenError`: one ``except TokenError`` fails
closed. Misuse of the API by the program is a `TypeError` or `ValueError`, never a `TokenError`.

An error carries its facts as attributes, and no claim of a token whose signature was not good.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ybtoken.refusals import BY_CODE, Refusal
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
    "error_for",
]


class _Unstated(dict[str, object]):
    """Facts for the words of an error: one that was not stated reads as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


class TokenError(Exception):
    """A token is refused.

    Args:
        code: which refusal; a row of `ybtoken.refusals.REFUSALS`.
        facts: what is known about it; also attributes of the error.
    """

    codes: ClassVar[frozenset[str]] = frozenset()
    """The codes this class may carry."""

    def __init__(self, code: str, **facts: Any) -> None:
        if code not in self.codes:
            raise ValueError(f"{type(self).__name__} has no code {code!r}")
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not an ordinary attribute: the facts.
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
        return self.refusal.what.format(_Unstated(self.facts))

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
    """Step 1: the text was damaged in reading, or is no voucher. Never a sign of fraud."""

    codes = frozenset({"text.length", "text.digits", "text.prefix", "text.range", "text.check"})


class EnvelopeError(TokenError):
    """Step 2: the bytes are not a token of this format."""

    codes = frozenset({"envelope.shape"})


class UnknownKeyError(TokenError):
    """Step 3: the key ring has no such key. Fact: ``kid`` (hex)."""

    codes = frozenset({"key.unknown"})


class SignatureError(TokenError):
    """Step 4: the signature is not good: the issuer's (fact: ``kid``, hex), or that of the phone."""

    codes = frozenset({"signature.invalid", "device.signature"})


class ClaimsError(TokenError):
    """Step 5: what was signed is not what the format allows. Fact: ``kid`` (hex)."""

    codes = frozenset({"claims.shape", "claims.profile"})


class TimeError(TokenError):
    """Step 6: too early, too late, or valid for too long.

    Facts, in seconds: ``issued_at``, ``expired_at``, ``now``, ``skew``; ``presented_at`` of what a phone signed.
    """

    codes = frozenset({"time.future", "time.expired", "time.lifetime", "presentation.future", "presentation.expired"})


class OtpError(TokenError):
    """Step 6: the one-time code of a rotating pass is not that of this time, or too many were not."""

    codes = frozenset({"otp.wrong", "otp.throttled"})


class ScopeError(TokenError):
    """Step 7: the key may not sign this.

    Facts: ``kid``, ``issuer``, ``issued_at``, ``city_code``, ``scope``.
    """

    codes = frozenset({"scope.period", "scope.withdrawn", "scope.place"})


class PolicyError(TokenError):
    """Step 8: the verifier's own policy refuses. Facts: what was ``found`` and what is ``accepted``."""

    codes = frozenset(
        {
            "policy.place", "policy.purpose", "policy.channel", "policy.assurance", "policy.presenter", "policy.age",
            "policy.profile",
        }
    )  # fmt: skip


class ChallengeError(TokenError):
    """Step 8: the terminal's challenge was not answered, or another one was."""

    codes = frozenset({"challenge.missing", "challenge.wrong"})


class StatusError(TokenError):
    """Step 8: the voucher is frozen, revoked or unbound. Fact: ``status_index``."""

    codes = frozenset({"status.suspended", "status.invalid"})


class RedeemError(TokenError):
    """Step 9: the token was used already."""

    codes = frozenset({"redeem.replayed"})


class CannotCheckError(TokenError):
    """Steps 6, 8 and 9: what is needed to judge is not to be had. Whoever cannot check refuses."""

    codes = frozenset(
        {
            "otp.unavailable",
            "status.unavailable",
            "redeem.unavailable",
            "redeem.full",
            "redeem.clock",
            "redeem.timeout",
            "redeem.loading",
            "redeem.readonly",
            "redeem.memory",
            "redeem.unreplicated",
            "redeem.restarted",
        }
    )


_FAMILY: dict[str, type[TokenError]] = {code: family for family in TokenError.__subclasses__() for code in family.codes}


def error_for(code: str, **facts: Any) -> TokenError:
    """The error of the right class for a code of the table of refusals."""
    return _FAMILY[code](code, **facts)
