"""Dynamic-QR vouchers in the manner of China's medical-insurance e-voucher (医保电子凭证).

An issuer signs short-lived tokens and shows them as QR codes; a verifier checks them offline and redeems each once.

A name is loaded with its module when it is first asked for: a terminal that verifies never loads what issues.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ybtoken.algorithms import Algorithm
    from ybtoken.engines.protocols import Engine
    from ybtoken.engines.serial import SerialEngine
    from ybtoken.errors import CannotCheckError, TokenError
    from ybtoken.issuer import Issuer
    from ybtoken.judging.verdicts import Verdicts
    from ybtoken.keys.protocols import SigningKey, VerifyingKey
    from ybtoken.keys.ring import KeyEntry, KeyRing
    from ybtoken.places import Scope
    from ybtoken.replay.memory import MemoryReplayGuard
    from ybtoken.replay.protocols import AsyncReplayGuard, ReplayGuard
    from ybtoken.tokens import Token
    from ybtoken.verifier import Verifier
    from ybtoken.voucher import Assurance, Profile, VerifiedVoucher, Voucher
    from ybtoken.wire.text import normalize_scan

__all__ = [
    "Algorithm",
    "Assurance",
    "AsyncReplayGuard",
    "CannotCheckError",
    "Engine",
    "Issuer",
    "KeyEntry",
    "KeyRing",
    "MemoryReplayGuard",
    "Profile",
    "ReplayGuard",
    "Scope",
    "SerialEngine",
    "SigningKey",
    "Token",
    "TokenError",
    "Verdicts",
    "VerifiedVoucher",
    "Verifier",
    "VerifyingKey",
    "Voucher",
    "normalize_scan",
]

_HOMES = {
    "Algorithm": "ybtoken.algorithms",
    "Assurance": "ybtoken.voucher",
    "AsyncReplayGuard": "ybtoken.replay.protocols",
    "CannotCheckError": "ybtoken.errors",
    "Engine": "ybtoken.engines.protocols",
    "Issuer": "ybtoken.issuer",
    "KeyEntry": "ybtoken.keys.ring",
    "KeyRing": "ybtoken.keys.ring",
    "MemoryReplayGuard": "ybtoken.replay.memory",
    "Profile": "ybtoken.voucher",
    "ReplayGuard": "ybtoken.replay.protocols",
    "Scope": "ybtoken.places",
    "SerialEngine": "ybtoken.engines.serial",
    "SigningKey": "ybtoken.keys.protocols",
    "Token": "ybtoken.tokens",
    "TokenError": "ybtoken.errors",
    "Verdicts": "ybtoken.judging.verdicts",
    "VerifiedVoucher": "ybtoken.voucher",
    "Verifier": "ybtoken.verifier",
    "VerifyingKey": "ybtoken.keys.protocols",
    "Voucher": "ybtoken.voucher",
    "normalize_scan": "ybtoken.wire.text",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found  # the next time it is found without asking
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
