"""Step 9: a token is good for one use (Spec 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import (
    EXP,
    IAT,
    KEY_A,
    KEY_B,
    NOW,
    ORDER,
    Redeems,
    accepted,
    bstr,
    in_order,
    payload,
    raw_signature,
    refused,
    sig_structure,
    text,
    token,
    uint,
)

ABOUT = (
    "Step 9: `redeems` are redeemed in order by one verifier whose replay guard is empty at first; each has its own "
    "`text`, `now` and `expect`. The guard's clock is the verifier's, and shows `claimed_at` (`now` without it) when the claim is made. With `lost_at` the guard lost every claim before, and "
    "began to remember anew at that time by its clock."
)


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    good = text(token())
    r, s = KEY_A.sign(sig_structure(KEY_A.header(), payload()))
    alias = text(token(signature=b"\x58\x40" + raw_signature(r, ORDER - s)))
    tampered = text(token(signature=b"\x58\x40" + raw_signature(r, s ^ 1)))
    nonce_9 = bytes.fromhex("6e6f6e636530303100")
    once, again = accepted(), refused("redeem.replayed")
    yield _case("once", "one use", [(good, NOW, once)])
    yield _case("twice", "a second use in the same second", [(good, NOW, once), (good, NOW, again)])
    yield _case("twice-last-second", "a second use in the last second at which the token verifies",
                [(good, IAT - 10, once), (good, EXP + 9, again)])  # fmt: skip
    yield _case("twice-then-expired", "after that it is expired, and no longer a replay",
                [(good, NOW, once), (good, EXP + 10, refused("time.expired"))])  # fmt: skip
    yield _case("negated-s", "the same token with n - s is the same use", [(good, NOW, once), (alias, NOW, again)])
    yield _case("negated-s-first", "and the other way round", [(alias, NOW, once), (good, NOW, again)])
    yield _case("same-nonce-other-claims", "one nonce in two tokens of one key is one use",
                [(good, NOW, once), (text(token(payload(city=uint(330_200)))), NOW, again)])  # fmt: skip
    yield _case("same-nonce-other-key", "one nonce under two keys is two uses",
                [(good, NOW, once), (text(token(key=KEY_B)), NOW, accepted(KEY_B))])  # fmt: skip
    yield _case("longer-nonce", "a nonce that another one starts with is another nonce",
                [(good, NOW, once),
                 (text(token(payload(cti=b"\x07" + bstr(nonce_9)))), NOW, accepted(nonce=nonce_9.hex()))])  # fmt: skip
    yield _case("bad-signature-first", "a bad token burns no nonce",
                [(tampered, NOW, refused("signature.invalid")), (good, NOW, once)])  # fmt: skip
    yield _case("too-early-first", "a token that is not valid yet burns no nonce",
                [(good, IAT - 11, refused("time.future")), (good, IAT - 10, once)])  # fmt: skip
    yield _case("policy-first", "a token that a policy refuses burns no nonce",
                [(good, NOW + 1, refused("policy.age")), (good, NOW, once)],
                policies=[{"policy": "maximum_age", "seconds": NOW - IAT}])  # fmt: skip
    # Lost claims: refused if the code may have been redeemed before, by clocks that are each wrong by the skew.
    for begun, name, expect in ((IAT - 20, "possible", refused("redeem.restarted")), (IAT - 21, "impossible", once)):
        yield _case(f"lost-{name}", f"the guard lost its claims {IAT - begun} s before iat; the skew is 10 s",
                    [(good, NOW, expect)], lost_at=begun)  # fmt: skip
    yield _case("lost-no-skew", "with a skew of 0 s, a code of the second of the loss is refused",
                [(good, NOW, refused("redeem.restarted"))], lost_at=IAT, skew=0)  # fmt: skip
    yield _case("lost-then-twice", "what is accepted after a loss is good for one use",
                [(good, NOW, once), (good, NOW, again)], lost_at=IAT - 21)  # fmt: skip
    # The clock is read again for the claim: a batch, or a machine that was suspended, may claim long after it verified.
    late = refused("redeem.clock")
    yield _case("claimed-last-second", "verified in time, and claimed in the last second at which the token verifies",
                [(good, NOW, once, EXP + 9), (good, NOW, again, EXP + 9)])  # fmt: skip
    yield _case("claimed-late", "verified in time, and claimed when the token no longer verifies",
                [(good, NOW, late, EXP + 10)])  # fmt: skip
    yield _case("claimed-late-no-skew", "the same with a skew of 0 s",
                [(good, NOW, late, EXP)], skew=0)  # fmt: skip


def _case(name: str, why: str, redeems: Redeems, **more: Any) -> dict[str, Any]:
    return {
        "id": f"redeem/{name}",
        "why": why,
        "jwks": {"keys": [KEY_A.jwk(), KEY_B.jwk()]},
        "skew": 10,
        "max_lifetime": 300,
        **more,
        "redeems": in_order(redeems),
    }
