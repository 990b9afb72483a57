"""One-time codes by pyotp (extra ``otp``): the secret of a rotating pass in the form that authenticator apps read."""

from __future__ import annotations

import base64
import hashlib

from ybtoken.passes.rotating import STEP, RotatingPass
from ybtoken.wire.text import OTP_DIGITS

try:
    from pyotp.totp import TOTP
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("otpauth URIs need pyotp: pip install 'ybtoken[otp]'", name="pyotp") from error

__all__ = ["authenticator", "provisioning_uri"]


def authenticator(secret: bytes) -> TOTP:
    """The secret of a rotating pass as pyotp's own object."""
    encoded = base64.b32encode(secret).rstrip(b"=").decode()
    return TOTP(encoded, digits=OTP_DIGITS, digest=hashlib.sha256, interval=STEP)


def provisioning_uri(issued: RotatingPass, account: str, *, issuer: str) -> str:
    """The secret of a rotating pass as an ``otpauth://totp/`` URI, which authenticator apps read.

    The URI is as secret as the pass's secret.

    Args:
        issued: from `ybtoken.passes.rotating.RotatingCodes.enrol`.
        account: the name that the app shows for the pass.
        issuer: the name that the app shows for the issuer.
    """
    return authenticator(issued.secret).provisioning_uri(name=account, issuer_name=issuer)
