"""A verdict as an event, and the protocol of observers.

An event holds what the verdict itself shows: the voucher's claims if it was accepted, or the code and facts of the
refusal. It never holds a claim of a token that was not verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ybtoken.errors import TokenError
from ybtoken.verified import VerifiedVoucher

__all__ = ["Observer", "VerdictEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictEvent:
    """One verdict.

    Args:
        act: "verify" or "redeem".
        at: when the verdict was given, in seconds since 1970.
        seconds: how long it took.
        terminal: the name of the terminal that asked.
        place: the city code of the place where the terminal stands, or "" if it is not known.
        voucher: the voucher, if it was accepted.
        error: why not, if it was refused.
    """

    act: str
    at: float
    seconds: float
    terminal: str
    place: str
    voucher: VerifiedVoucher | None = None
    error: TokenError | None = None

    @property
    def code(self) -> str:
        """The refusal's code, or "accepted"."""
        return self.error.code if self.error else "accepted"

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON-ready values."""
        record: dict[str, Any] = {
            "act": self.act,
            "at": round(self.at, 3),
            "ms": round(self.seconds * 1000, 3),
            "terminal": self.terminal,
            "place": self.place,
            "code": self.code,
        }
        if self.error is not None:
            record |= {"step": self.error.step, "facts": dict(self.error.facts)}
        if self.voucher is not None:
            record["voucher"] = self.voucher.to_dict()
        return record


@runtime_checkable
class Observer(Protocol):
    """An object that is told of every verdict."""

    def observe(self, event: VerdictEvent) -> None:
        """Take note of a verdict, and return soon.

        It is called in the thread that gave the verdict. An exception is logged, and the verdict stands.
        """
        ...
