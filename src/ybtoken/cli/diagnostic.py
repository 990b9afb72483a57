"""Tokens in CBOR diagnostic notation (RFC 8949 section 8, RFC 8610 appendix G), for people to read.

Nothing is verified here. Only the shape of the format is spelled out; anything else is shown as a byte string.
"""

from __future__ import annotations

from ybtoken.errors import ClaimsError
from ybtoken.keys.protocols import kid_of_header
from ybtoken.voucher import OPTIONAL_CLAIMS
from ybtoken.wire.claims import Claims
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims

__all__ = ["diagnose"]

_HEAD = 2  # the size of the CBOR head of the payload


def diagnose(data: bytes) -> str:
    """A token's bytes in diagnostic notation, several lines.

    Raises:
        EnvelopeError: the bytes are not a token of this format, so no parts can be shown.
    """
    header, payload, signature = cut_envelope(data)
    return "\n".join(
        (
            "18([",
            f"  / protected /   {_header(header)},",
            "  / unprotected / {},",
            f"  / payload /     {_payload(payload)},",
            f"  / signature /   {_bytes(signature)}",
            "])",
        )
    )


def _bytes(data: bytes) -> str:
    return f"h'{data.hex()}'"


def _header(header: bytes) -> str:
    kid = kid_of_header(header)
    if kid is None:
        return _bytes(header)
    # a2 01 alg 04 48 kid, with alg a negative integer of one byte or of five
    head, argument = header[2] - 0x20, header[3:-10]
    algorithm = -1 - (int.from_bytes(argument, "big") if argument else head)
    return f"<< {{ / alg / 1: {algorithm}, / kid / 4: {_bytes(kid)} }} >>"


def _payload(payload: bytes) -> str:
    try:
        claims = parse_claims(payload)
    except ClaimsError:
        return _bytes(payload[_HEAD:])
    return "\n".join(
        (
            "<< {",
            f"    / exp /     4: {claims.expires_at},",
            f"    / iat /     6: {claims.issued_at},",
            f"    / cti /     7: {_bytes(claims.nonce)},",
            f"    / voucher / -65537: [ / profile / {claims.profile}, / identity_ref / {_bytes(claims.identity_ref)},",
            f"      / city_code / {claims.city}{_optional(claims)} ]",
            "  } >>",
        )
    )


def _optional(claims: Claims) -> str:
    stated = {row: getattr(claims.optional, row.name) for row in OPTIONAL_CLAIMS}
    shown = [
        f"/ {row.name} / {row.label}: {_bytes(value) if isinstance(value, bytes) else row.to_wire(value)}"
        for row, value in stated.items()
        if value is not None
    ]
    return f", {{ {', '.join(shown)} }}" if shown else ""
