"""Profile 3: a pass that only its phone can show (Spec 3.3), and the terminal's challenge (Spec 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.challenge import CHALLENGE_TEXT, OTHER_TEXT, answer_of
from cases.kit import (
    EXP,
    IAT,
    KEY_A,
    NONCE,
    ORDER,
    SM2,
    STRANGER,
    bstr,
    framed,
    groups,
    head,
    payload,
    raw_signature,
    refused,
    sig_structure,
    text,
    token,
    uint,
)
from cases.kit_sm2 import KEY_S, KEY_T, A, B, P, Sm2Key
from cases.passes import (
    DISPLAY_NONCE,
    NOW,
    OTHER_PHONE,
    PASS_EXP,
    PHONE,
    SM2_PHONE,
    cnf,
    device_claims,
    device_pass,
    device_text,
    pass_case,
    presentation,
    redeem_case,
    shown,
)

ABOUT = (
    "Profile 3: `max_display_age` bounds how long ago the phone may have signed. `challenge` is the text of what the "
    'terminal asked; without it the terminal asked nothing, and "any" accepts every answer and none.'
)
SHAPE, CLAIMS, DEVICE = refused("envelope.shape"), refused("claims.shape"), refused("device.signature")


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    good, seen = device_text(), device_claims()
    answer = answer_of(CHALLENGE_TEXT)
    yield pass_case("device/accept", "a pass of 182 bytes in a presentation of 274: 670 digits", good, seen,
                    token=device_pass().hex(), presentation=presentation().hex())  # fmt: skip
    listed = device_pass(extras=b"\xa1\x05" + uint(0x00123456))
    yield pass_case("device/accept-status-index", "with a place in the status list: 687 digits",
                    device_text(presentation(shown(listed))), device_claims(status_index=0x123456), token=listed.hex(),
                    presentation=presentation(shown(listed)).hex())  # fmt: skip
    answered = presentation(shown(challenge=bstr(answer)))
    yield pass_case("device/accept-challenge", "with the answer to the terminal's challenge", device_text(answered),
                    device_claims(answer=answer), challenge=CHALLENGE_TEXT, token=device_pass().hex(),
                    presentation=answered.hex())  # fmt: skip
    full = b"\xa4\x01" + uint(65_535) + b"\x03" + bstr(bytes(16)) + b"\x04\x03\x05" + uint(2**32 - 1)
    yield from _long(full)

    for name, why, now, expect in (
        ("display-last-second", "the last second of a display, within the skew", NOW + 69, seen),
        ("display-expired", "a second later", NOW + 70, refused("presentation.expired")),
        ("display-first-second", "the phone's clock is ahead by the skew", NOW - 10, seen),
        ("display-future", "and by a second more", NOW - 11, refused("presentation.future")),
        ("pass-expired", "the pass is over", PASS_EXP + 10, refused("time.expired")),
    ):
        yield pass_case(f"device/{name}", why, good, expect, now=now)
    at_end = device_text(presentation(shown(iat=uint(PASS_EXP + 5))))
    yield pass_case("device/pass-last-second", "a display in the last second of the pass",
                    at_end, device_claims(presentation={"issued_at": PASS_EXP + 5, "nonce": DISPLAY_NONCE.hex()}),
                    now=PASS_EXP + 9)  # fmt: skip
    yield pass_case("device/display-age", "a shorter bound", good, refused("presentation.expired"), now=NOW + 11,
                    max_display_age=1)  # fmt: skip
    yield pass_case("device/lifetime", "a pass that is valid for too long", good, refused("time.lifetime"),
                    max_pass_lifetime=43_199)  # fmt: skip
    elsewhere = [KEY_A.jwk(yb_scope=["11"])]
    yield pass_case("device/scope", "out of the key's scope", good, refused("scope.place"), keys=elsewhere)
    yield pass_case("device/order-scope", "an old display, and out of scope: the display is of the earlier step", good,
                    refused("presentation.expired"), keys=elsewhere, now=NOW + 70)  # fmt: skip
    yield pass_case("device/order-lifetime", "a pass for too long, and an old display: the pass is judged first", good,
                    refused("time.lifetime"), max_pass_lifetime=1, now=NOW + 70)  # fmt: skip

    r, s = PHONE.sign(sig_structure(b"\xa1\x01\x26", shown()))
    yield pass_case("device/negated-s", "n - s is as good as s, as in tokens",
                    device_text(presentation(signature=b"\x58\x40" + raw_signature(r, ORDER - s))), seen)  # fmt: skip
    for name, why, data in (
        ("other-phone", "another phone shows a copied pass", presentation(key=OTHER_PHONE)),
        ("issuer-key", "the issuer's key is not the phone's", presentation(key=KEY_A)),
        ("iat-changed", "the time was changed after signing",
         presentation(payload=bstr(shown(iat=uint(NOW + 1))))),
        ("nonce-changed", "the nonce was changed after signing",
         presentation(payload=bstr(shown(nonce=bstr(bytes(8)))))),
        ("answer-added", "an answer was added after signing",
         presentation(payload=bstr(shown(challenge=bstr(answer))))),
        ("answer-removed", "the answer was removed after signing",
         presentation(shown(challenge=bstr(answer)), payload=bstr(shown()))),
        ("pass-exchanged", "the pass of another phone, in a display of this one",
         presentation(shown(device_pass(cnf=cnf(OTHER_PHONE))))),
        ("signature-zero", "a signature of zeros", presentation(signature=b"\x58\x40" + bytes(64))),
        ("other-algorithm", "the header names SM2, and the pass a key on P-256", presentation(header=SM2_HEADER)),
        ("header-exchanged", "the header was exchanged after signing, for SM2's", presentation(protected=bstr(SM2_HEADER))),
    ):  # fmt: skip
        yield pass_case(f"device/{name}", why, device_text(data), DEVICE, challenge="any")
    yield pass_case("device/pass-tampered", "the pass was altered: its own signature is checked first",
                    device_text(presentation(shown(device_pass()[:-1] + b"\0"), key=OTHER_PHONE)),
                    refused("signature.invalid"))  # fmt: skip
    stranger = token(payload(map=b"\xa5", cnf=cnf(), profile=b"\x03"), key=STRANGER)
    yield pass_case("device/pass-unknown-key", "the pass of an unknown issuer", device_text(presentation(shown(stranger))),
                    refused("key.unknown"))  # fmt: skip
    yield pass_case("device/order-claims", "no claims of this format, and another phone's signature",
                    device_text(presentation(shown(device_pass(end=b"\0")), key=OTHER_PHONE)), CLAIMS)  # fmt: skip

    off_curve = presentation(shown(device_pass(cnf=cnf().replace(PHONE.x, _OFF_CURVE))), header=SM2_HEADER)
    yield pass_case("device/order-header-point", "the other curve's algorithm, and an x that no point has: the header is "
                    "compared first", device_text(off_curve), DEVICE)  # fmt: skip
    unsigned = presentation(
        shown(device_pass(cnf=cnf().replace(PHONE.x, _OFF_CURVE))), signature=b"\x58\x40" + bytes(64)
    )
    yield pass_case("device/order-point-signature", "an x that no point has, and a signature of zeros: the point is looked "
                    "at first", device_text(unsigned), CLAIMS)  # fmt: skip
    for name, why, changed in (
        ("scope-period-display", "the key's period is that of the pass, not of the display", {"exp": IAT + 1}),
        ("scope-withdrawn-display", "the key was withdrawn after the pass and before the display",
         {"yb_withdrawn_since": IAT + 1}),
    ):  # fmt: skip
        yield pass_case(f"device/{name}", why, good, seen, keys=[KEY_A.jwk(**changed)])
    yield pass_case("device/scope-withdrawn", "the key was withdrawn when the pass was signed", good,
                    refused("scope.withdrawn"), keys=[KEY_A.jwk(yb_withdrawn_since=IAT)])  # fmt: skip
    before = device_text(presentation(shown(iat=uint(IAT - 5))))
    yield pass_case("device/display-before-pass", "a display dated before its pass, by a phone whose clock is behind",
                    before, device_claims(presentation={"issued_at": IAT - 5, "nonce": DISPLAY_NONCE.hex()}),
                    now=IAT)  # fmt: skip

    yield from _sm2(answer)
    yield from _shapes(answer)
    yield from _keys()

    other = answer_of(OTHER_TEXT)
    missing, wrong = refused("challenge.missing"), refused("challenge.wrong")
    right = device_text(presentation(shown(challenge=bstr(answer))))
    relayed = device_text(presentation(shown(challenge=bstr(other))))
    for name, why, spelled, asked, expect in (
        ("challenge-relayed", "the answer to another terminal's challenge", relayed, CHALLENGE_TEXT, wrong),
        ("challenge-missing", "no answer where one was asked for", good, CHALLENGE_TEXT, missing),
        ("challenge-unasked", "an answer where none was asked for: it was made for another terminal", right, None, wrong),
        ("challenge-any", "who verifies again what a terminal has accepted", right, "any", device_claims(answer=answer)),
        ("challenge-any-none", "the same without an answer", good, "any", seen),
        ("challenge-voucher", "a voucher answers no challenge", text(token()), CHALLENGE_TEXT, missing),
    ):  # fmt: skip
        more: dict[str, Any] = {} if asked is None else {"challenge": asked}
        if "voucher" in name:
            more["now"] = EXP - 1
        yield pass_case(f"device/{name}", why, spelled, expect, **more)
    yield pass_case("device/challenge-order", "an old display of another answer: time is the earlier step", relayed,
                    refused("presentation.expired"), challenge=CHALLENGE_TEXT, now=NOW + 70)  # fmt: skip

    place = {"policy": "insured_place", "prefixes": ["11"], "exclusions": []}
    for name, why, spelled, code in (
        (
            "challenge-policy",
            "another answer, and another place: the challenge is judged first",
            relayed,
            "challenge.wrong",
        ),
        ("challenge-missing-policy", "no answer, and another place", good, "challenge.missing"),
        ("challenge-good-policy", "the answer, and another place", right, "policy.place"),
    ):
        yield pass_case(f"device/{name}", why, spelled, refused(code), challenge=CHALLENGE_TEXT, policies=[place])
    yield pass_case("device/challenge-scope", "another answer, and out of the key's scope: the scope is the earlier step",
                    relayed, refused("scope.place"), challenge=CHALLENGE_TEXT, keys=elsewhere)  # fmt: skip

    second_nonce = bytes.fromhex("d15b1a7900000002")
    second = device_text(presentation(shown(nonce=bstr(second_nonce))))
    alias = device_text(presentation(signature=b"\x58\x40" + raw_signature(r, ORDER - s)))
    again = refused("redeem.replayed")
    second_seen = device_claims(presentation={"issued_at": NOW, "nonce": second_nonce.hex()})
    for name, why, redeems in (
        ("redeem-once", "one use for each display", [(good, NOW, seen), (good, NOW + 69, again)]),
        ("redeem-alias", "the same display with n - s is the same use", [(good, NOW, seen), (alias, NOW, again)]),
        ("redeem-second", "another display is another use", [(good, NOW, seen), (second, NOW, second_seen)]),
        ("redeem-two-passes", "one nonce in displays of two passes is two uses",
         [(good, NOW, seen), (device_text(presentation(shown(device_pass(cti=b"\x07" + bstr(bytes(8)))))), NOW,
                              device_claims(nonce=bytes(8).hex()))]),
        ("redeem-other-phone-first", "another phone's display burns nothing",
         [(device_text(presentation(key=OTHER_PHONE)), NOW, DEVICE), (good, NOW, seen)]),
        ("claimed-last-second", "claimed in the last second at which the display verifies", [(good, NOW, seen, NOW + 69)]),
        ("claimed-late", "verified in time, and claimed when the display no longer verifies",
         [(good, NOW, refused("redeem.clock"), NOW + 70)]),
    ):  # fmt: skip
        yield redeem_case(f"device/{name}", why, redeems)


def _long(extras: bytes) -> Iterator[dict[str, Any]]:
    """The longest presentation that the library's own names of claims allow in a text."""
    nonce = NONCE * 2
    data = device_pass(cti=b"\x07" + bstr(nonce), extras=extras)
    answer = answer_of(CHALLENGE_TEXT)
    content = shown(data, challenge=bstr(answer))
    stated = {"channel": 65_535, "presenter": bytes(16).hex(), "assurance": 3, "status_index": 2**32 - 1}
    yield pass_case("device/accept-long", "nearly every claim at its longest: 796 digits, all that a version 13-M symbol holds",
                    device_text(presentation(content)), device_claims(answer=answer, nonce=nonce.hex(), **stated),
                    challenge=CHALLENGE_TEXT, token=data.hex(), presentation=presentation(content).hex())  # fmt: skip


def _sm2(answer: bytes) -> Iterator[dict[str, Any]]:
    data = device_pass(cnf=cnf(SM2_PHONE))
    display = presentation(shown(data), key=SM2_PHONE, header=SM2_HEADER)
    yield pass_case("device/sm2-accept", "a phone with an SM2 key, on a pass that is signed with P-256",
                    device_text(display), device_claims(phone=SM2_PHONE), token=data.hex(),
                    presentation=display.hex())  # fmt: skip
    listed = token(
        payload(map=b"\xa5", exp=b"\x04" + uint(PASS_EXP), cnf=cnf(SM2_PHONE), profile=b"\x03",
                extras=b"\xa1\x05" + uint(0x00123456)), key=KEY_S)  # fmt: skip
    whole = presentation(shown(listed, challenge=bstr(answer)), key=SM2_PHONE, header=SM2_HEADER)
    claims = {"kid": KEY_S.kid.hex(), "algorithm": SM2, "status_index": 0x123456}
    yield pass_case("device/sm2-accept-challenge", "SM2 throughout, with a status index and an answer: 748 digits",
                    device_text(whole), device_claims(phone=SM2_PHONE, answer=answer, **claims), keys=[KEY_S.jwk()],
                    challenge=CHALLENGE_TEXT, token=listed.hex(), presentation=whole.hex())  # fmt: skip
    named = token(payload(map=b"\xa5", exp=b"\x04" + uint(PASS_EXP), cnf=cnf(SM2_PHONE), profile=b"\x03"), key=KEY_T)
    display_of_named = presentation(shown(named), key=SM2_PHONE, header=SM2_HEADER)
    yield pass_case("device/sm2-issuer-user-id", "the issuer's user id is not the phone's, which is the default one",
                    device_text(display_of_named),
                    device_claims(phone=SM2_PHONE, kid=KEY_T.kid.hex(), algorithm=SM2), keys=[KEY_T.jwk()])  # fmt: skip
    yield pass_case("device/sm2-issuer-user-id-of-phone", "a phone that signs under the issuer's user id",
                    device_text(presentation(shown(named), key=Sm2Key("SM2 phone", KEY_T.user_id), header=SM2_HEADER)),
                    DEVICE, keys=[KEY_T.jwk()])  # fmt: skip
    other_id = Sm2Key("SM2 phone", b"another user id")
    for name, why, bad, expect in (
        ("other-phone", "another SM2 key", presentation(shown(data), key=KEY_S, header=SM2_HEADER), DEVICE),
        ("p256-phone", "a P-256 phone shows the pass of an SM2 phone", presentation(shown(data)), DEVICE),
        ("p256-header", "the SM2 signature under an ES256 header",
         presentation(shown(data), key=SM2_PHONE, header=SM2_HEADER, protected=bstr(b"\xa1\x01\x26")), DEVICE),
        ("user-id", "another SM2 user id: a phone has the default one",
         presentation(shown(data), key=other_id, header=SM2_HEADER), DEVICE),
        ("key-x-minus-p", "an x that is p + an x of a point of the SM2 curve",
         presentation(shown(device_pass(cnf=cnf(SM2_PHONE).replace(SM2_PHONE.x, _SM2_ABOVE_P[0]))), key=SM2_PHONE,
                      header=SM2_HEADER), CLAIMS),
        ("key-off-curve", "an x that no point of the SM2 curve has",
         presentation(shown(device_pass(cnf=_SM2_OFF_CURVE)), key=SM2_PHONE, header=SM2_HEADER), CLAIMS),
    ):  # fmt: skip
        yield pass_case(f"device/sm2-{name}", why, device_text(bad), expect)


SM2_HEADER = b"\xa1\x01\x3a\x00\x01\x00\x00"
_SM2_OFF_CURVE = cnf(SM2_PHONE).replace(
    SM2_PHONE.x, next(x for x in range(1, 99) if pow(x**3 + A * x + B, P // 2, P) != 1).to_bytes(32, "big")
)


def _shapes(answer: bytes) -> Iterator[dict[str, Any]]:
    data = device_pass()
    for name, why, bad in (
        ("no-tag", "no tag", presentation(tag=b"")),
        ("array-3", "no signature in the array", presentation(array=b"\x83")),
        ("header-esp256", "alg -9: a P-256 phone is ES256", presentation(header=b"\xa1\x01\x28")),
        ("header-kid", "a kid in the phone's header", presentation(header=b"\xa2\x01\x26\x04" + bstr(PHONE.kid))),
        ("header-empty", "no algorithm", presentation(header=b"")),
        ("unprotected", "something in the unprotected header", presentation(unprotected=b"\xa1\x01\x26")),
        ("trailing", "a byte after the presentation", presentation(end=b"\0")),
        ("payload-length", "the payload's length in two bytes where one is enough",
         presentation(payload=b"\x59" + len(shown()).to_bytes(2, "big") + shown())),
        ("payload-short", "the payload ends before its array", presentation(shown()[:-1])),
        ("payload-trailing", "a byte after the array", presentation(shown(end=b"\0"))),
        ("items-2", "an array of two", presentation(shown(array=b"\x82"))),
        ("items-4", "an array of four with three items", presentation(shown(array=b"\x84"))),
        ("items-5", "an array of five", presentation(shown(array=b"\x85", challenge=bstr(answer) + b"\0"))),
        ("items-indefinite", "an array of indefinite length", presentation(shown(array=b"\x9f", end=b"\xff"))),
        ("pass-length", "the pass's length in two bytes", presentation(shown(**{"pass": head(2, len(data), 2) + data}))),
        ("pass-text", "the pass as a text string", presentation(shown(**{"pass": head(3, len(data)) + data}))),
        ("pass-cut", "the pass lacks its last byte", presentation(shown(data[:-1]))),
        ("pass-trailing", "a byte after the pass", presentation(shown(data + b"\0"))),
        ("pass-empty", "no pass", presentation(shown(b""))),
        ("iat-long", "the time in eight bytes", presentation(shown(iat=uint(NOW, 8)))),
        ("iat-negative", "a time before 1970", presentation(shown(iat=b"\x20"))),
        ("iat-above", "a time of 2^32", presentation(shown(iat=uint(2**32)))),
        ("nonce-7", "a nonce of 7 bytes", presentation(shown(nonce=bstr(bytes(7))))),
        ("nonce-9", "a nonce of 9 bytes", presentation(shown(nonce=bstr(bytes(9))))),
        ("answer-11", "an answer of 11 bytes", presentation(shown(challenge=bstr(answer[1:])))),
        ("answer-13", "an answer of 13 bytes", presentation(shown(challenge=bstr(answer + b"\0")))),
        ("answer-null", "no answer, said as null", presentation(shown(challenge=b"\xf6"))),
        ("signature-63", "a signature of 63 bytes", presentation(signature=b"\x58\x3f" + bytes(63))),
        ("signature-65", "a signature of 65 bytes", presentation(signature=b"\x58\x41" + bytes(65))),
    ):  # fmt: skip
        yield pass_case(f"device/{name}", why, device_text(bad), SHAPE)
    yield pass_case("device/nested", "a presentation in a presentation is longer than any text",
                    framed("98" + groups(presentation(shown(presentation())))), refused("text.length"))  # fmt: skip
    yield pass_case("device/iat-highest", "a time just below 2^32 is well formed, and far ahead",
                    device_text(presentation(shown(iat=uint(2**32 - 1)))), refused("presentation.future"))  # fmt: skip
    yield pass_case("device/iat-0", "a time of 0, in one byte, is well formed", device_text(presentation(shown(iat=b"\0"))),
                    refused("presentation.expired"))  # fmt: skip


_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_OFF_CURVE = next(x for x in range(1, 99) if pow(x**3 - 3 * x + _B, _P // 2, _P) != 1).to_bytes(32, "big")
"""The least x that no point of P-256 has, by Euler's criterion."""


def _point_above(p: int, a: int, b: int) -> tuple[bytes, bytes]:
    """The least x from p on that is p + the x of a point, and the y of that point."""
    for x in range(2**256 - p):
        square = (x**3 + a * x + b) % p
        y = pow(square, (p + 1) // 4, p)
        if y * y % p == square:
            return (p + x).to_bytes(32, "big"), y.to_bytes(32, "big")
    raise AssertionError


ABOVE_P = _point_above(_P, -3, _B)
_SM2_ABOVE_P = _point_above(P, A, B)


def _keys() -> Iterator[dict[str, Any]]:
    x, sign = bstr(PHONE.x), b"\x22" + (b"\xf5" if PHONE.y[31] & 1 else b"\xf4")
    start = b"\x08\xa1\x01\xa4\x01\x02\x20\x01\x21"
    for name, why, bad in (
        ("key-missing", "profile 3 without a key", b""),
        ("key-uncompressed", "y in full", start + x + b"\x22" + bstr(PHONE.y)),
        ("key-sign-number", "the sign of y as a number", start + x + b"\x22\x01"),
        ("key-no-y", "no y", b"\x08\xa1\x01\xa3\x01\x02\x20\x01\x21" + x),
        ("key-x-31", "an x of 31 bytes", start + bstr(PHONE.x[1:]) + sign),
        ("key-curve-p384", "the curve P-384", b"\x08\xa1\x01\xa4\x01\x02\x20\x02\x21" + x + sign),
        ("key-type-okp", "a key of type OKP", b"\x08\xa1\x01\xa4\x01\x01\x20\x01\x21" + x + sign),
        ("key-with-alg", "an algorithm in the key", b"\x08\xa1\x01\xa5\x01\x02\x03\x26\x20\x01\x21" + x + sign),
        ("key-order", "x before the curve", b"\x08\xa1\x01\xa4\x01\x02\x21" + x + b"\x20\x01" + sign),
        ("key-by-kid", "a kid in the place of the key", b"\x08\xa1\x03" + bstr(PHONE.kid)),
        ("key-off-curve", "an x that no point has", start + bstr(_OFF_CURVE) + sign),
        ("key-x-minus-p", "an x that is p + an x of a point", start + bstr(ABOVE_P[0]) + sign),
        ("key-above-p", "an x that is not below p", start + bstr(b"\xff" * 32) + sign),
    ):  # fmt: skip
        members = {"map": b"\xa4"} if not bad else {}
        data = device_pass(cnf=bad, **members)
        yield pass_case(f"device/{name}", why, device_text(presentation(shown(data))), CLAIMS)
    mirrored = cnf()[:-1] + (b"\xf4" if PHONE.y[31] & 1 else b"\xf5")
    yield pass_case("device/key-mirrored", "the point with the other y is another key",
                    device_text(presentation(shown(device_pass(cnf=mirrored)))), DEVICE)  # fmt: skip
    keyed = token(payload(map=b"\xa5", cnf=cnf()))
    yield pass_case("device/key-in-voucher", "a voucher with a phone's key", text(keyed), CLAIMS, now=IAT + 5)
