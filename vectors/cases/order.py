"""The order of the steps: of two faults, the one of the earlier step is reported (Spec 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import EXP, IAT, KEY_A, STRANGER, case, framed, payload, refused, text, token

ABOUT = "Two faults in one token: the earlier step is reported. In step 1: limit, prefix, digits, table, ranges, check digits."


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    good = text(token())
    no_token = framed("96" + "0" * 17)
    bad_check = no_token[:-2] + f"{int(no_token[-2:]) % 97 + 1:02d}"
    bad_signature = token()[:-1] + bytes([token()[-1] ^ 1])
    long_lived = payload(exp=b"\x04\x1a\xff\xff\xff\xff")
    elsewhere = [KEY_A.jwk(yb_scope=["11"])]
    for name, why, spelled, code, more in (
        ("limit-prefix", "over the limit, and another prefix", "95" + "0" * 799, "text.length", {}),
        ("limit-astral", "801 characters outside the BMP: a character counts as one", "\U00020bb7" * 801, "text.length", {}),
        ("prefix-astral", "800 of them are not too long, and have another prefix", "\U00020bb7" * 800, "text.prefix", {}),
        ("digits-astral", "798 of them behind a prefix", "96" + "\U00020bb7" * 798, "text.digits", {}),
        ("limit-digits", "over the limit, and letters", "96" + "a" * 799, "text.length", {}),
        ("limit-check", "over the limit, and wrong check digits", "96" + "0" * 799, "text.length", {}),
        ("limit-envelope", "over the limit and well formed, and no token", text(bytes(331)), "text.length", {}),
        ("prefix-digits", "another prefix, and letters", "95" + good[2:-1] + "a", "text.prefix", {}),
        ("prefix-length", "another prefix, and a length that is not in the table", "95" + good[2:-1], "text.prefix", {}),
        ("digits-length", "a letter, and a length that is not in the table", good[:-2] + "a", "text.digits", {}),
        ("length-check", "a length that is not in the table, and wrong check digits", good[:-1], "text.length", {}),
        ("range-check", "a group out of range, and wrong check digits", "96" + "9" * 17 + "00", "text.range", {}),
        ("check-envelope", "wrong check digits, and no token", bad_check, "text.check", {}),
        ("envelope-key", "no shape, and an unknown key", text(token(key=STRANGER, end=b"\0")), "envelope.shape", {}),
        ("key-signature", "an unknown key, and a bad signature",
         text(token(key=STRANGER, signature=b"\x58\x40" + bytes(64))), "key.unknown", {}),
        ("signature-claims", "a bad signature over what are no claims",
         text(token(bytes(40), signature=b"\x58\x40" + b"\1" * 64)), "signature.invalid", {}),
        ("signature-time", "a bad signature, and expired", text(bad_signature), "signature.invalid", {"now": EXP + 10}),
        ("shape-profile", "an encoding error, and another profile than the prefix says",
         text(token(payload(profile=b"\x02", end=b"\0"))), "claims.shape", {}),
        ("claims-time", "no claims of this format, and not yet valid",
         text(token(payload(end=b"\0"))), "claims.shape", {"now": 0}),
        ("future-lifetime", "not yet valid, and for too long",
         text(token(long_lived)), "time.future", {"now": IAT - 11}),
        ("expired-lifetime", "expired, and valid for too long", good, "time.expired", {"now": EXP + 10, "max_lifetime": 59}),
        ("expired-scope", "expired, and out of place", good, "time.expired", {"now": EXP + 10, "keys": elsewhere}),
        ("lifetime-scope", "valid for too long, and out of place", good, "time.lifetime",
         {"max_lifetime": 59, "keys": elsewhere}),
    ):  # fmt: skip
        yield case(f"order/{name}", why, spelled, refused(code), **more)
