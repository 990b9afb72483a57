"""Step 4: the signature (Spec 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import (
    KEY_A,
    KEY_B,
    ORDER,
    accepted,
    bstr,
    case,
    payload,
    raw_signature,
    refused,
    sig_structure,
    text,
    token,
    tstr,
    uint,
)

ABOUT = "Step 4: ECDSA on P-256 with SHA-256 over the Sig_structure, as r || s. Both s and n - s are good."


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    claims, header = payload(), KEY_A.header()
    message = sig_structure(header, claims)
    r, s = KEY_A.sign(message)

    def signed(r: int, s: int) -> str:
        return text(token(signature=b"\x58\x40" + raw_signature(r, s)))

    yield case("signature/accept-low-s" if s < ORDER // 2 else "signature/accept-high-s", "s as RFC 6979 gives it",
               signed(r, s), accepted())  # fmt: skip
    yield case("signature/accept-high-s" if s < ORDER // 2 else "signature/accept-low-s", "n - s is good too",
               signed(r, ORDER - s), accepted())  # fmt: skip

    top = 2**256 - 1
    for name, why, pair in (
        ("r-0", "r is 0", (0, s)),
        ("s-0", "s is 0", (r, 0)),
        ("both-0", "r and s are 0", (0, 0)),
        ("r-1", "r is 1", (1, s)),
        ("s-1", "s is 1", (r, 1)),
        ("both-1", "r and s are 1", (1, 1)),
        ("r-n", "r is the order n", (ORDER, s)),
        ("s-n", "s is the order n", (r, ORDER)),
        ("both-n", "r and s are n", (ORDER, ORDER)),
        ("r-n-minus-1", "r is n - 1", (ORDER - 1, s)),
        ("s-n-minus-1", "s is n - 1", (r, ORDER - 1)),
        ("r-n-plus-1", "r is n + 1", (ORDER + 1, s)),
        ("s-n-plus-1", "s is n + 1", (r, ORDER + 1)),
        ("r-highest", "r is 2^256 - 1", (top, s)),
        ("s-highest", "s is 2^256 - 1", (r, top)),
        ("both-highest", "r and s are 2^256 - 1", (top, top)),
        ("r-negated", "n - r is not r", (ORDER - r, s)),
        ("swapped", "r and s changed places", (s, r)),
        ("r-twice", "r in both places", (r, r)),
        ("r-bit", "the last bit of r was changed", (r ^ 1, s)),
        ("s-bit", "the last bit of s was changed", (r, s ^ 1)),
        ("r-top-bit", "the first bit of r was changed", (r ^ 1 << 255, s)),
        ("s-top-bit", "the first bit of s was changed", (r, s ^ 1 << 255)),
    ):
        yield case(f"signature/{name}", why, signed(*pair), refused("signature.invalid"))

    little = r.to_bytes(32, "little") + s.to_bytes(32, "little")
    yield case("signature/little-endian", "r and s are little-endian", text(token(signature=b"\x58\x40" + little)),
               refused("signature.invalid"))  # fmt: skip

    nonce_changed = payload(cti=b"\x07" + bstr(b"nonce002"))
    for name, why, data in (
        ("other-nonce", "the nonce was changed after signing", token(payload=bstr(nonce_changed))),
        ("other-exp", "exp was changed after signing", token(payload=bstr(payload(exp=b"\x04" + uint(1_800_000_061))))),
        ("other-city", "the city code was changed after signing", token(payload=bstr(payload(city=uint(330_200))))),
        ("other-claims-shape", "the payload was replaced by bytes that are no claims", token(payload=bstr(bytes(len(claims))))),
        ("other-key", "signed by another key of the ring", token(key=KEY_B, header=header)),
        ("other-header", "signed with another key's header in the Sig_structure",
         token(signature=_sign(sig_structure(KEY_B.header(), claims)))),
        ("no-sig-structure", "the payload alone was signed", token(signature=_sign(claims))),
        ("bare-payload", "the payload in the Sig_structure lacks its byte string's head",
         token(signature=_sign(message[: -len(bstr(claims))] + claims))),
        ("context-signature", "the context is that of COSE_Sign", token(
            signature=_sign(b"\x84" + tstr("Signature") + bstr(header) + b"\x40" + bstr(claims)))),
        ("external-aad", "external_aad is not empty", token(
            signature=_sign(b"\x84" + tstr("Signature1") + bstr(header) + b"\x41\x00" + bstr(claims)))),
        ("no-external-aad", "external_aad was left out", token(
            signature=_sign(b"\x83" + tstr("Signature1") + bstr(header) + bstr(claims)))),
        ("whole-token", "the envelope was signed, not the Sig_structure", token(
            signature=_sign(token()[:-66]))),
    ):  # fmt: skip
        yield case(f"signature/{name}", why, text(data), refused("signature.invalid"))


def _sign(message: bytes) -> bytes:
    return b"\x58\x40" + raw_signature(*KEY_A.sign(message))
