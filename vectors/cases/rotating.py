"""Profile 2: a pass with a one-time code (Spec 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import IAT, KEY_A, KEY_B, NONCE, bstr, framed, groups, payload, refused, token, uint
from cases.passes import (
    MASTER,
    NEXT_MASTER,
    NOW,
    PASS_EXP,
    STEP,
    pass_case,
    redeem_case,
    rotating_claims,
    rotating_pass,
    rotating_text,
    secret,
    totp,
)

ABOUT = (
    "Profile 2: `masters` are the verifier's master keys by the time from which each is in force. One step back is "
    "accepted and none ahead; five wrong codes of one pass are compared with the code of each step."
)
WRONG = refused("otp.wrong")


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    data = rotating_pass()
    now_text, good = rotating_text(data, totp(STEP)), rotating_claims()
    yield pass_case("rotating/accept", "a pass of 137 bytes with the code of this step: 345 digits", now_text, good,
                    token=data.hex(), otp=totp(STEP))  # fmt: skip
    listed = rotating_pass(extras=b"\xa1\x05" + uint(0x00123456))
    yield pass_case("rotating/accept-status-index", "a pass with a place in the status list",
                    rotating_text(listed, totp(STEP)), rotating_claims(status_index=0x123456), token=listed.hex(),
                    otp=totp(STEP))  # fmt: skip
    for name, why, step, now, expect in (
        ("step-first-second", "the first second of a step", STEP, STEP * 30, good),
        ("step-last-second", "its last second", STEP, STEP * 30 + 29, good),
        ("step-back", "the code of the step before", STEP - 1, NOW, rotating_claims(time_step=STEP - 1)),
        ("step-back-last-second", "and that until its step has been over for 30 s", STEP - 1, STEP * 30 + 29,
         rotating_claims(time_step=STEP - 1)),
        ("two-steps-back", "the code of two steps before", STEP - 2, NOW, WRONG),
        ("step-ahead", "the code of the next step: none ahead is accepted", STEP + 1, NOW, WRONG),
        ("step-ahead-last-second", "not even a second before it", STEP + 1, STEP * 30 + 29, WRONG),
        ("step-0", "the code of the step 0", 0, NOW, WRONG),
    ):  # fmt: skip
        yield pass_case(f"rotating/{name}", why, rotating_text(data, totp(step)), expect, now=now)

    other_nonce, other_identity = bytes(8), bytes(16)
    for name, why, key in (
        ("other-master", "the code under another master key", secret(NEXT_MASTER)),
        ("other-nonce", "the code of another pass of the same person", secret(nonce=other_nonce)),
        ("other-identity", "the code of another identity reference", secret(identity=other_identity)),
    ):
        yield pass_case(f"rotating/{name}", why, rotating_text(data, totp(STEP, key)), WRONG)
    for at in (0, 7):
        digits = totp(STEP)
        changed = digits[:at] + str((int(digits[at]) + 1) % 10) + digits[at + 1 :]
        yield pass_case(f"rotating/digit-{at}", f"digit {at} of the code is off by one", rotating_text(data, changed),
                        WRONG)  # fmt: skip
    yield pass_case("rotating/zeros", "eight zeros", rotating_text(data, "00000000"), WRONG)

    # Two steps of which both have the code 90219963; found by trying.
    nonce, later = b"samecod1", 63_836_290
    both = totp(later, secret(nonce=nonce))
    assert both == totp(later - 1, secret(nonce=nonce))
    iat, exp = later * 30 - 600, later * 30 + 600
    twice = rotating_pass(exp=b"\x04" + uint(exp), iat=b"\x06" + uint(iat), cti=b"\x07" + bstr(nonce))
    yield pass_case("rotating/equal-codes", "this step and the one before have the same code: the later one counts",
                    rotating_text(twice, both),
                    rotating_claims(issued_at=iat, expires_at=exp, nonce=nonce.hex(), time_step=later),
                    now=later * 30 + 1)  # fmt: skip

    first = rotating_pass(exp=b"\x04" + uint(600), iat=b"\x06" + uint(0))
    yield pass_case("rotating/first-step", "the step 0, the first there is", rotating_text(first, totp(0)),
                    rotating_claims(issued_at=0, expires_at=600, time_step=0), now=5)  # fmt: skip
    yield pass_case("rotating/first-step-back", "the step 0 in the step after it", rotating_text(first, totp(0)),
                    rotating_claims(issued_at=0, expires_at=600, time_step=0), now=30)  # fmt: skip

    rotated = {"0": MASTER.hex(), str(IAT + 1): NEXT_MASTER.hex()}
    yield pass_case("rotating/master-before", "a pass from before a new master key is checked with the old one", now_text,
                    good, masters=rotated)  # fmt: skip
    yield pass_case("rotating/master-at", "a pass issued in the second in which a key comes into force is checked with it",
                    rotating_text(data, totp(STEP, secret(NEXT_MASTER))), good,
                    masters={"0": MASTER.hex(), str(IAT): NEXT_MASTER.hex()})  # fmt: skip
    yield pass_case("rotating/master-none", "no master key was in force when the pass was issued", now_text,
                    refused("otp.unavailable"), masters={str(IAT + 1): MASTER.hex()})  # fmt: skip
    yield pass_case("rotating/master-missing", "a verifier without master keys accepts no rotating pass", now_text,
                    refused("otp.unavailable"), masters={})  # fmt: skip

    yield pass_case("rotating/nonce-16", "a nonce of 16 bytes is the whole salt",
                    rotating_text(rotating_pass(cti=b"\x07" + bstr(NONCE * 2)), totp(STEP, secret(nonce=NONCE * 2))),
                    rotating_claims(nonce=(NONCE * 2).hex()))  # fmt: skip
    for name, why, spelled, code in (
        ("no-code", "the pass without a code: its length is not in the table", framed("97" + groups(data)), "text.length"),
        ("code-7", "a code of 7 digits", rotating_text(data, totp(STEP)[1:]), "text.length"),
        ("code-9", "a code of 9 digits", rotating_text(data, "0" + totp(STEP)), "text.length"),
        ("code-first", "the code stands before the pass", framed("97" + totp(STEP) + groups(data)), "text.range"),
        ("code-letter", "a letter in the code", now_text[:-3] + "O" + now_text[-2:], "text.digits"),
        ("code-changed", "a digit of the code was misread", now_text[:-3] + str((int(now_text[-3]) + 1) % 10) + now_text[-2:],
         "text.check"),
        ("code-only", "a code, and no pass", framed("97" + totp(STEP)), "text.length"),
        ("empty", "a prefix and check digits", framed("97"), "text.length"),
    ):  # fmt: skip
        yield pass_case(f"rotating/{name}", why, spelled, refused(code))

    yield pass_case("rotating/tampered", "another city under the old signature, and a good code",
                    rotating_text(data.replace(uint(330_100), uint(110_100)), totp(STEP)),
                    refused("signature.invalid"))  # fmt: skip
    late = rotating_text(data, totp((PASS_EXP + 9) // 30))
    yield pass_case("rotating/last-second", "the last second of the pass, within the skew", late,
                    rotating_claims(time_step=(PASS_EXP + 9) // 30), now=PASS_EXP + 9)  # fmt: skip
    yield pass_case("rotating/expired", "a second later", late, refused("time.expired"), now=PASS_EXP + 10)
    yield pass_case("rotating/future", "a pass that was issued in the future", rotating_text(data, totp(IAT // 30 - 1)),
                    refused("time.future"), now=IAT - 11)  # fmt: skip
    yield pass_case("rotating/lifetime", "as long as passes may be valid", now_text, good, max_pass_lifetime=43_200)
    yield pass_case("rotating/lifetime-above", "a second longer", now_text, refused("time.lifetime"),
                    max_pass_lifetime=43_199)  # fmt: skip
    yield pass_case("rotating/lifetime-of-vouchers", "the bound for vouchers is not one for passes", now_text, good,
                    max_lifetime=1)  # fmt: skip
    elsewhere = [KEY_A.jwk(yb_scope=["11"])]
    yield pass_case("rotating/scope", "a good code, and out of the key's scope", now_text, refused("scope.place"),
                    keys=elsewhere)  # fmt: skip
    bad = rotating_text(data, "00000000")
    yield pass_case("rotating/order-time", "expired, and a wrong code", bad, refused("time.expired"), now=PASS_EXP + 10)
    yield pass_case("rotating/order-scope", "a wrong code, and out of scope: the code is of the earlier step", bad, WRONG,
                    keys=elsewhere)  # fmt: skip

    again = refused("redeem.replayed")
    of_b = token(payload(exp=b"\x04" + uint(PASS_EXP), profile=b"\x02"), key=KEY_B)
    before, after = rotating_text(data, totp(STEP - 1)), rotating_text(data, totp(STEP + 1))
    for name, why, redeems in (
        ("redeem-once", "one use for each step", [(now_text, NOW, good), (now_text, NOW, again), (now_text, NOW + 30, again)]),
        ("redeem-next-step", "the next code is another use",
         [(now_text, NOW, good), (after, NOW + 30, rotating_claims(time_step=STEP + 1))]),
        ("redeem-earlier-step", "after a step was used, the one before is not accepted",
         [(now_text, NOW, good), (before, NOW, again)]),
        ("redeem-in-order", "in the order of steps both are",
         [(before, NOW, rotating_claims(time_step=STEP - 1)), (now_text, NOW, good)]),
        ("claimed-last-second", "claimed in the last second at which some right clock accepts the step's code",
         [(now_text, NOW, good, STEP * 30 + 69)]),
        ("claimed-late", "verified in time, and claimed when no right clock accepts the step's code",
         [(now_text, NOW, refused("redeem.clock"), STEP * 30 + 70)]),
        ("redeem-wrong-first", "a wrong code burns no step", [(bad, NOW, WRONG), (now_text, NOW, good)]),
        ("throttled", "after five wrong codes even the right one is refused, until the step is over",
         [(bad, NOW, WRONG)] * 5 + [(now_text, NOW, refused("otp.throttled")), (bad, NOW, refused("otp.throttled")),
                                    (after, NOW + 30, rotating_claims(time_step=STEP + 1))]),
        ("throttled-by-step", "the step that was guessed at stays refused when the next one begins, whose own code is good",
         [(bad, NOW, WRONG)] * 5 + [(now_text, NOW + 30, WRONG), (after, NOW + 30, rotating_claims(time_step=STEP + 1))]),
        ("throttled-next", "wrong codes count for both steps that they are compared with",
         [(bad, NOW, WRONG)] * 3 + [(bad, NOW + 30, WRONG)] * 2 + [(now_text, NOW, WRONG), (before, NOW, rotating_claims(time_step=STEP - 1))]),
        ("throttled-to-and-fro", "the count of a step stays when the time goes away and comes back",
         [(bad, NOW, WRONG), (bad, NOW + 300, WRONG)] * 5 + [(now_text, NOW, refused("otp.throttled")),
                                                             (bad, NOW + 300, refused("otp.throttled"))]),
        ("throttled-ahead", "guesses at a step that is to come are known when it comes",
         [(bad, NOW + 300, WRONG)] * 5 + [(now_text, NOW, good), (bad, NOW + 300, refused("otp.throttled"))]),
        ("throttled-alone", "and no other pass is",
         [(bad, NOW, WRONG)] * 5 + [(rotating_text(rotating_pass(cti=b"\x07" + bstr(other_nonce)),
                                                   totp(STEP, secret(nonce=other_nonce))), NOW,
                                     rotating_claims(nonce=other_nonce.hex()))]),
        ("throttled-kid", "wrong codes of another key's pass with the same nonce do not count",
         [(rotating_text(of_b, "00000000"), NOW, WRONG)] * 5 + [(now_text, NOW, good)]),
        ("throttled-after-good", "a right code does not clear the count of the wrong ones",
         [(bad, NOW, WRONG)] * 4 + [(now_text, NOW, good), (bad, NOW, WRONG), (before, NOW, refused("otp.throttled"))]),
        ("throttled-good-uncounted", "a right code that was used already does not count as wrong",
         [(now_text, NOW, good)] + [(now_text, NOW, again)] * 5 + [(bad, NOW, WRONG)]),
        ("not-throttled", "four wrong codes, and the right one", [(bad, NOW, WRONG)] * 4 + [(now_text, NOW, good)]),
    ):  # fmt: skip
        keys = {"jwks": {"keys": [KEY_A.jwk(), KEY_B.jwk()]}} if name == "throttled-kid" else {}
        yield redeem_case(f"rotating/{name}", why, redeems, **keys)
