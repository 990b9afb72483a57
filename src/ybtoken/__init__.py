"""Dynamic-QR vouchers in the manner of China's medical-insurance e-voucher (医保电子凭证).

An issuer signs short-lived tokens and shows them as QR codes; a verifier checks them offline and redeems each once.
"""

from ybtoken.engine import Engine, SerialEngine
from ybtoken.errors import CannotCheckError, TokenError
from ybtoken.issuer import Issuer, Token
from ybtoken.keys import Algorithm, KeyEntry, KeyRing, SigningKey, VerifyingKey
from ybtoken.places import Scope
from ybtoken.replay import AsyncReplayGuard, ReplayGuard
from ybtoken.replay.memory import MemoryReplayGuard
from ybtoken.text import normalize_scan
from ybtoken.verdicts import Verdicts
from ybtoken.verifier import Verifier
from ybtoken.voucher import Assurance, Profile, VerifiedVoucher, Voucher

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
