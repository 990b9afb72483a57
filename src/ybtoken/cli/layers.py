"""The outcome of each step for one text, so that the maker of a refused token sees which step refuses it."""

from __future__ import annotations

from collections.abc import Iterator

from ybtoken.errors import ClaimsError, TokenError
from ybtoken.keys.device import check_presentation
from ybtoken.keys.ring import KeyRing
from ybtoken.verifier import Verifier
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import decode_text
from ybtoken.words import Words

__all__ = ["layers"]

_NAMES = (
    Words("1 text", "1 码文"),
    Words("2 envelope", "2 结构"),
    Words("3 key", "3 密钥"),
    Words("4 signature", "4 签名"),
    Words("5 claims", "5 凭证要素"),
    Words("6 time", "6 时间"),
    Words("7 scope", "7 签发范围"),
)
_GOOD = Words("good", "通过")
_NOT_REACHED = Words("not looked at", "未检查")
_NO_RING = Words("not checked: no --ring was given", "未检查：未给出 --ring")
_READABLE = Words("well formed, under a signature that was not checked", "格式正确，但签名未经检查")
_DEVICE_SIGNATURE = "device.signature"


def layers(text: str, ring: KeyRing | None, now: int) -> Iterator[tuple[Words, Words]]:
    """Each of the steps 1 to 7 with its outcome for a text.

    Args:
        text: the one exact spelling.
        ring: the trusted keys; without them steps 3 and 4 are not checked.
        now: seconds since 1970.
    """
    refused = _refusal(text, ring or KeyRing(), now)
    if ring is None and (refused is None or refused.step > 2):
        yield from _without_keys(text)
        return
    # A bad signature of the phone belongs to step 4, but is found after step 5, because its key is in the claims.
    at = len(_NAMES) + 1 if refused is None else 5 if refused.code == _DEVICE_SIGNATURE else refused.step
    for number, name in enumerate(_NAMES, 1):
        if refused is not None and number == at:
            yield name, _refused(refused)
        else:
            yield name, _GOOD if number < at else _NOT_REACHED


def _refusal(text: str, ring: KeyRing, now: int) -> TokenError | None:
    try:
        Verifier(ring).verify(text, now=now, recorded=True)
    except TokenError as error:
        return error
    return None


def _refused(error: TokenError) -> Words:
    return Words(f"[{error.code}] {error.what.en}", f"[{error.code}] {error.what.zh}")


def _without_keys(text: str) -> Iterator[tuple[Words, Words]]:
    profile, data = decode_text(text)
    shown = cut_presentation(data) if profile == 3 else None
    said_of_claims = _READABLE
    try:
        claims = parse_claims(cut_envelope(shown.token if shown else data)[1])
        if claims.profile != profile:
            raise ClaimsError("claims.profile")
        if shown and claims.device_key:  # the key is in the pass, so no ring is needed
            check_presentation(shown, claims.device_key)
    except TokenError as error:
        said_of_claims = _refused(error)
    said = (_GOOD, _GOOD, _NO_RING, _NO_RING, said_of_claims, _NOT_REACHED, _NOT_REACHED)
    yield from zip(_NAMES, said, strict=True)
