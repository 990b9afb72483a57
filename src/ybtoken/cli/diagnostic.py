"""Tokens in CBOR diagnostic notation (RFC 8949 section 8, RFC 8610 appendix G), for people to read.

Nothing is verified here. Only the shape of the format is spelled out; anything else is shown as a byte string.
"""

from __future__ import annotations

from ybtoken.algorithms import Curve
from ybtoken.errors import ClaimsError
from ybtoken.keys.protocols import kid_of_header
from ybtoken.voucher import OPTIONAL_CLAIMS, DeviceKey, Profile
from ybtoken.wire.claims import Claims
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.presentation import DEVICE_ALGORITHMS, cut_presentation

__all__ = ["diagnose"]

_HEAD = 2  # the size of the CBOR head of the payload


def diagnose(profile: int, data: bytes) -> str:
    """A text's bytes in diagnostic notation, several lines: a token, or what a phone signed with the pass in it.

    Raises:
        EnvelopeError: the bytes are not a token of this format, so no parts can be shown.
    """
    return _presentation(data) if profile == Profile.DEVICE_BOUND else _token(data)


def _token(data: bytes) -> str:
    header, payload, signature = cut_envelope(data)
    return _sign1(_header(header), _payload(payload), signature)


def _presentation(data: bytes) -> str:
    cut = cut_presentation(data)
    issued_at, nonce, answer = cut.presentation
    token = _token(cut.token).replace("\n", "\n    ")
    signed = "\n".join(
        (
            f"<< [ / pass / << {token} >>,",
            f"    / iat / {issued_at}, / nonce / {_bytes(nonce)}{f', / answer / {_bytes(answer)}' if answer else ''}",
            "  ] >>",
        )
    )
    return _sign1(f"<< {{ / alg / 1: {int(DEVICE_ALGORITHMS[Curve(cut.curve)])} }} >>", signed, cut.signature)


def _sign1(header: str, payload: str, signature: bytes) -> str:
    return "\n".join(
        (
            "18([",
            f"  / protected /   {header},",
            "  / unprotected / {},",
            f"  / payload /     {payload},",
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
            *_cnf(claims.device_key),
            f"    / voucher / -65537: [ / profile / {claims.profile}, / identity_ref / {_bytes(claims.identity_ref)},",
            f"      / city_code / {claims.city}{_optional(claims)} ]",
            "  } >>",
        )
    )


def _cnf(key: DeviceKey | None) -> list[str]:
    if key is None:
        return []
    y = "true" if key.y_is_odd else "false"
    return [
        "    / cnf /     8: { / COSE_Key / 1: {",
        f"      / kty / 1: 2, / crv / -1: {key.curve}, / x / -2: {_bytes(key.x)}, / y / -3: {y} }} }},",
    ]


def _optional(claims: Claims) -> str:
    stated = {row: getattr(claims.optional, row.name) for row in OPTIONAL_CLAIMS}
    shown = [
        f"/ {row.name} / {row.label}: {_bytes(value) if isinstance(value, bytes) else row.to_wire(value)}"
        for row, value in stated.items()
        if value is not None
    ]
    return f", {{ {', '.join(shown)} }}" if shown else ""
