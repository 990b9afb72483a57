"""What the cases of passes are made with: one-time codes, phones' keys, presentations. Nothing comes from the library."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from cases.kit import (
    IAT,
    IDENTITY,
    KEY_A,
    NONCE,
    SM2,
    Key,
    Redeems,
    accepted,
    bstr,
    case,
    framed,
    groups,
    in_order,
    nint,
    payload,
    raw_signature,
    sig_structure,
    text,
    token,
    uint,
)
from cases.kit_sm2 import Sm2Key

PASS_EXP = IAT + 12 * 3600
NOW = IAT + 3605
"""In the first half of a step of 30 s: IAT is a multiple of 30."""
STEP = NOW // 30

# --- profile 2 -------------------------------------------------------------------------------------------------------

MASTER = hashlib.sha256(b"ybtoken test master key").digest()
NEXT_MASTER = hashlib.sha256(b"ybtoken next test master key").digest()


def secret(master: bytes = MASTER, nonce: bytes = NONCE, identity: bytes = IDENTITY) -> bytes:
    """HKDF-SHA256 (RFC 5869) of the master key, 32 bytes."""
    extracted = hmac.digest(nonce, master, "sha256")
    return hmac.digest(extracted, b"ybtoken otp" + identity + b"\x01", "sha256")


def totp(step: int, key: bytes | None = None) -> str:
    """TOTP with SHA-256 and 8 digits (RFC 6238)."""
    digest = hmac.digest(secret() if key is None else key, step.to_bytes(8, "big"), "sha256")
    at = digest[31] & 15
    return str((int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF) % 10**8).zfill(8)


def rotating_pass(**changed: bytes) -> bytes:
    """A rotating pass; what is changed of its claims is given as raw bytes."""
    return token(payload(**({"exp": b"\x04" + uint(PASS_EXP), "profile": b"\x02"} | changed)))


def rotating_text(data: bytes, otp: str, prefix: str = "97") -> str:
    """A pass with a one-time code."""
    return framed(prefix + groups(data) + otp)


def rotating_claims(**changed: Any) -> dict[str, Any]:
    """The expectation that a rotating pass is accepted."""
    return accepted(**({"profile": 2, "expires_at": PASS_EXP, "time_step": STEP} | changed))


# --- profile 3 -------------------------------------------------------------------------------------------------------

PHONE = Key("phone")
OTHER_PHONE = Key("other phone")
SM2_PHONE = Sm2Key("SM2 phone")
DISPLAY_NONCE = bytes.fromhex("d15b1a7900000001")


def cnf(key: Key = PHONE) -> bytes:
    """The claim that holds a phone's key (RFC 8747), with its label."""
    sign = b"\xf5" if key.y[31] & 1 else b"\xf4"
    curve = nint(SM2) if key.algorithm == SM2 else b"\x01"
    return b"\x08\xa1\x01\xa4\x01\x02\x20" + curve + b"\x21" + bstr(key.x) + b"\x22" + sign


def device_pass(**changed: bytes) -> bytes:
    """A device-bound pass; what is changed of its claims is given as raw bytes."""
    usual = {"map": b"\xa5", "exp": b"\x04" + uint(PASS_EXP), "cnf": cnf(), "profile": b"\x03"}
    return token(payload(**(usual | changed)))


def shown(data: bytes | None = None, **changed: bytes) -> bytes:
    """What a phone signs: the payload of a presentation."""
    parts = {
        "array": b"\x84" if "challenge" in changed else b"\x83",
        "pass": bstr(device_pass() if data is None else data),
        "iat": uint(NOW),
        "nonce": bstr(DISPLAY_NONCE),
        "challenge": b"",
        "end": b"",
    }
    assert changed.keys() <= parts.keys()
    return b"".join((parts | changed).values())


def presentation(
    content: bytes | None = None, *, key: Key = PHONE, header: bytes = b"\xa1\x01\x26", **changed: bytes
) -> bytes:
    """A presentation, signed by a phone; what is changed of its envelope is given as raw bytes."""
    content = shown() if content is None else content
    parts = {
        "tag": b"\xd2",
        "array": b"\x84",
        "protected": bstr(header),
        "unprotected": b"\xa0",
        "payload": bstr(content),
        "signature": b"\x58\x40" + raw_signature(*key.sign(sig_structure(header, content))),
        "end": b"",
    }
    assert changed.keys() <= parts.keys()
    return b"".join((parts | changed).values())


def device_text(data: bytes | None = None) -> str:
    """A presentation as text."""
    return text(presentation() if data is None else data, "98")


def device_claims(*, answer: bytes | None = None, phone: Key = PHONE, **changed: Any) -> dict[str, Any]:
    """The expectation that a device-bound pass is accepted."""
    display = {"issued_at": NOW, "nonce": DISPLAY_NONCE.hex()}
    if answer is not None:
        display["challenge"] = answer.hex()
    usual = {
        "profile": 3,
        "expires_at": PASS_EXP,
        "device_key": {
            "curve": SM2 if phone.algorithm == SM2 else 1,
            "x": phone.x.hex(),
            "y_is_odd": bool(phone.y[31] & 1),
        },
        "presentation": display,
    }
    return accepted(**(usual | changed))


# --- cases -----------------------------------------------------------------------------------------------------------


def pass_case(id_: str, why: str, text_: str, expect: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A case of verification of a pass; see the README for its members."""
    usual: dict[str, Any] = {
        "now": NOW,
        "max_pass_lifetime": 86_400,
        "max_display_age": 60,
        "masters": {"0": MASTER.hex()},
    }
    return case(id_, why, text_, expect, **(usual | more))


def redeem_case(id_: str, why: str, redeems: Redeems, **more: Any) -> dict[str, Any]:
    """Redeems in order by one verifier whose guard is empty at first."""
    return {
        "id": id_,
        "why": why,
        "jwks": {"keys": [KEY_A.jwk()]},
        "skew": 10,
        "max_lifetime": 300,
        "max_pass_lifetime": 86_400,
        "max_display_age": 60,
        "masters": {"0": MASTER.hex()},
        **more,
        "redeems": in_order(redeems),
    }
