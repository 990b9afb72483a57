"""Finds out why a text is refused, beyond the code of the refusal. It helps operators and developers, never a verdict.

A text may be damaged in transit, cut off by a scanner, or not signed as the format requires. A wrong digit or a mistake
in signing is reported only if the corrected text verifies with a key of the ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ybtoken.errors import TextError, TokenError
from ybtoken.keys.diagnosis import Deviation, Diagnosis, diagnose_signature
from ybtoken.keys.ring import KeyRing
from ybtoken.wire.cbor import CutOffError, end_of_item, load_plain
from ybtoken.wire.envelope import ALG, KID, cut_envelope, encode_byte_string, sign1_prefix
from ybtoken.wire.text import MAX_TEXT, PREFIXES, decode_text, normalize_scan
from ybtoken.words import Words

__all__ = ["diagnose_text"]

_SHORTEST = 300  # digits; the shortest token has 337
_MOST_CUT = 40
_SCAN_AGAIN = Words(
    "Scan again; if it happens again, look at the scanner's settings and its buffer.",
    "请重新扫码；若再次出现，请检查扫码枪设置与缓冲区。",
)


def diagnose_text(text: str, ring: KeyRing, *, user_ids: Iterable[bytes] = ()) -> Diagnosis:
    """Find out what is wrong with the spelling or the signature of a text.

    Args:
        text: the text as it was scanned or sent.
        ring: the public keys that may have signed it.
        user_ids: SM2 user ids that may have been used, besides the usual ones.
    """
    plain = normalize_scan(text)
    noise = () if plain == text else (_scan("noise", "The scanner added characters.", "扫码枪附加了字符。"),)
    try:
        profile, data = decode_text(plain)
    except TextError:
        return Diagnosis(True, (*noise, *_damage(plain, ring)))
    if _ends_early(data):  # a text that is cut off has right check digits by chance, once in 97 times
        return Diagnosis(True, (*noise, _CUT))
    if profile == 3:
        return Diagnosis(False)  # it has two signatures, and the phone's key is in the claims
    found = _diagnose_token(data, ring, tuple(user_ids))
    return Diagnosis(found.explained, (*noise, *found.deviations))


def _scan(code: str, en: str, zh: str) -> Deviation:
    return Deviation(f"scan.{code}", Words(en, zh), _SCAN_AGAIN)


_CUT = _scan("cut", "The scan ends too early.", "扫码内容不完整，提前结束。")


def _ends_early(data: bytes) -> bool:
    """Whether the bytes are the start of a tagged COSE_Sign1 that is cut off."""
    if data[:2] != b"\xd2\x84":
        return False
    try:
        end_of_item(data, 1)
    except CutOffError:
        return True
    except ValueError:
        return False
    return False


def _diagnose_token(data: bytes, ring: KeyRing, user_ids: tuple[bytes, ...]) -> Diagnosis:
    """Diagnose a token whose envelope is read loosely, so that a header in another order is recognised."""
    keys = {entry.kid: entry.key for entry in ring.entries}
    try:
        header, _, payload, signature = load_plain(data.removeprefix(b"\xd2"))
        labels = load_plain(header)
        kid = labels[KID]
    except (ValueError, TypeError, KeyError, IndexError):
        return Diagnosis(False)
    if (
        not keys
        or not isinstance(signature, bytes | str)
        or not (isinstance(kid, bytes) and isinstance(payload, bytes))
    ):
        return Diagnosis(False)
    signed = sign1_prefix(header) + encode_byte_string(payload)
    first = keys.get(kid) or next(iter(keys.values()))
    found = diagnose_signature(
        first, signed, signature, user_ids=user_ids, others=[key for key in keys.values() if key is not first]
    )
    if not found.explained:
        return found
    extra: list[Deviation] = []
    if list(labels) != [ALG, KID]:
        extra.append(
            Deviation(
                "header.label-order",
                Words(
                    "The protected header's labels stand in another order, or are others.",
                    "保护头的标签顺序或内容不同。",
                ),
                Words(
                    "Write alg (1) before kid (4), and nothing else.",
                    "请按 alg（1）、kid（4）的顺序编码，且不含其他标签。",
                ),
            )
        )
    if kid not in keys:
        extra.append(
            Deviation(
                "key.kid",
                Words("The stated kid is of no key in the ring.", "所给的 kid 不在密钥环中。"),
                Words("State the kid that the key ring has.", "请给出密钥环中的 kid。"),
            )
        )
    return Diagnosis(True, (*found.deviations, *extra))


def _damage(text: str, ring: KeyRing) -> tuple[Deviation, ...]:
    digits = text.isascii() and text.isdigit()
    if digits and _SHORTEST - _MOST_CUT <= len(text) <= MAX_TEXT + 1:
        for words in _one_fault(text, ring):
            return (Deviation("scan.digit", words, _SCAN_AGAIN),)
        if text[:2] not in PREFIXES.values():
            return (_scan("cut", "The beginning of the scan is missing.", "扫码内容缺少开头。"),)
        return (_scan("damaged", "Several digits are wrong or missing.", "有多位数字错误或缺失。"),)
    if digits and text[:2] in PREFIXES.values():
        return (_CUT,)
    if digits and len(text) > 40:
        return (
            _scan("cut", "The beginning of the scan is missing, or it is another code.", "扫码缺少开头，或为其他码。"),
        )
    if not digits and sum(letter in "0123456789" for letter in text) > _SHORTEST // 2:
        at = next(i for i, letter in enumerate(text, 1) if letter not in "0123456789")
        en = f"Characters that are no digits, the first at position {at}: {text[at - 1]!r}."
        return (_scan("letters", en, f"含非数字字符，首个在第 {at} 位：{text[at - 1]!r}。"),)
    other = Words("This is no voucher's text: another code was scanned.", "这不是凭证码文：扫到了其他码。")
    return (Deviation("text.other", other, Words("Ask for the medical-insurance code.", "请出示医保码。")),)


def _one_fault(text: str, ring: KeyRing) -> Iterator[Words]:
    """Where a text that verifies differs: by one digit changed, inserted or removed, or by two digits exchanged."""
    for candidate, words in _candidates(text):
        if _verifies(candidate, ring):
            yield words


def _candidates(text: str) -> Iterator[tuple[str, Words]]:
    for at, digit in enumerate(text):
        for right in "0123456789":
            if right != digit:
                yield (
                    text[:at] + right + text[at + 1 :],
                    Words(
                        f"Digit {at + 1} is {digit} and was {right}.", f"第 {at + 1} 位应为 {right}，读成了 {digit}。"
                    ),
                )
    for at in range(len(text) - 1):
        if text[at] != text[at + 1]:
            yield (
                text[:at] + text[at + 1] + text[at] + text[at + 2 :],
                Words(f"Digits {at + 1} and {at + 2} have changed places.", f"第 {at + 1}、{at + 2} 位颠倒。"),
            )
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :], Words(f"Digit {at + 1} is one too many.", f"第 {at + 1} 位多余。")
    for at in range(len(text) + 1):
        for right in "0123456789":
            yield (
                text[:at] + right + text[at:],
                Words(f"A digit {right} is missing before digit {at + 1}.", f"第 {at + 1} 位之前缺少 {right}。"),
            )


def _verifies(text: str, ring: KeyRing) -> bool:
    try:
        profile, data = decode_text(text)
        if profile == 3:
            return False
        header, payload, signature = cut_envelope(data)
        entry = ring.by_header[header]
        entry.key.verify(entry.prefix + payload, signature)
    except (TokenError, KeyError):
        return False
    return True
