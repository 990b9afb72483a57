"""Dynamic-QR vouchers in the manner of China's medical-insurance e-voucher (医保电子凭证).

An issuer signs short-lived tokens and shows them as QR codes. A verifier checks them offline and redeems each one once.

Importing this package loads none of its modules. A name is loaded with its module when it is first used, so a terminal
that only verifies never loads the issuer.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Type checkers read these lines and not the table below; a test compares the two.
    from ybtoken.algorithms import Algorithm as Algorithm
    from ybtoken.engines.protocols import Engine as Engine
    from ybtoken.engines.serial import SerialEngine as SerialEngine
    from ybtoken.errors import CannotCheckError as CannotCheckError
    from ybtoken.errors import TokenError as TokenError
    from ybtoken.issuer import Issuer as Issuer
    from ybtoken.judging.verdicts import Verdicts as Verdicts
    from ybtoken.keys.protocols import SigningKey as SigningKey
    from ybtoken.keys.protocols import VerifyingKey as VerifyingKey
    from ybtoken.keys.ring import KeyEntry as KeyEntry
    from ybtoken.keys.ring import KeyRing as KeyRing
    from ybtoken.misuse import IssueError as IssueError
    from ybtoken.places import Scope as Scope
    from ybtoken.replay.memory import MemoryReplayGuard as MemoryReplayGuard
    from ybtoken.replay.protocols import AsyncReplayGuard as AsyncReplayGuard
    from ybtoken.replay.protocols import ReplayGuard as ReplayGuard
    from ybtoken.tokens import Token as Token
    from ybtoken.verified import VerifiedVoucher as VerifiedVoucher
    from ybtoken.verifier import Verifier as Verifier
    from ybtoken.voucher import Assurance as Assurance
    from ybtoken.voucher import Profile as Profile
    from ybtoken.voucher import Voucher as Voucher
    from ybtoken.wire.text import normalize_scan as normalize_scan

__version__ = "0.1.0"

_HOMES = {
    "Algorithm": "algorithms",
    "Assurance": "voucher",
    "AsyncReplayGuard": "replay.protocols",
    "CannotCheckError": "errors",
    "Engine": "engines.protocols",
    "IssueError": "misuse",
    "Issuer": "issuer",
    "KeyEntry": "keys.ring",
    "KeyRing": "keys.ring",
    "MemoryReplayGuard": "replay.memory",
    "Profile": "voucher",
    "ReplayGuard": "replay.protocols",
    "Scope": "places",
    "SerialEngine": "engines.serial",
    "SigningKey": "keys.protocols",
    "Token": "tokens",
    "TokenError": "errors",
    "Verdicts": "judging.verdicts",
    "VerifiedVoucher": "verified",
    "Verifier": "verifier",
    "VerifyingKey": "keys.protocols",
    "Voucher": "voucher",
    "normalize_scan": "wire.text",
}
"""Every exported name, and the module that defines it."""

if not TYPE_CHECKING:
    __all__ = list(_HOMES)  # type checkers cannot read a computed list; they use the imports above


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found  # so that the next use finds it without this function
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
