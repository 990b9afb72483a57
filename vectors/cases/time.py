"""Step 6: time (Spec 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import EXP, IAT, accepted, case, payload, refused, text, token, uint

ABOUT = "Step 6: iat - skew <= now < exp + skew, and exp - iat <= max_lifetime; in this order."


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    good = text(token())
    for skew in (0, 1, 10, 300):
        for name, why, now, code in (
            ("first", "the first second", IAT - skew, None),
            ("too-early", "a second before the first", IAT - skew - 1, "time.future"),
            ("last", "the last second", EXP + skew - 1, None),
            ("too-late", "a second after the last", EXP + skew, "time.expired"),
        ):
            yield case(f"time/skew-{skew}-{name}", f"{why} at a skew of {skew}", good,
                       accepted() if code is None else refused(code), now=now, skew=skew)  # fmt: skip
    yield case("time/future-far", "the verifier's clock stands at 0", good, refused("time.future"), now=0)
    yield case("time/expired-far", "a year later", good, refused("time.expired"), now=EXP + 31_536_000)
    for limit, code in ((60, None), (59, "time.lifetime"), (61, None), (1, "time.lifetime")):
        yield case(f"time/lifetime-60-of-{limit}", f"valid for 60 s where {limit} are allowed", good,
                   accepted() if code is None else refused(code), max_lifetime=limit)  # fmt: skip
    for lifetime, code in ((1, None), (300, None), (301, "time.lifetime")):
        data = token(payload(exp=b"\x04" + uint(IAT + lifetime)))
        expect = accepted(expires_at=IAT + lifetime) if code is None else refused(code)
        yield case(
            f"time/lifetime-{lifetime}", f"valid for {lifetime} s where 300 are allowed", text(data), expect, now=IAT
        )
    forever = text(token(payload(exp=b"\x04" + uint(2**32 - 1), iat=b"\x06\x00")))
    yield case("time/lifetime-whole-range", "valid from 1970 to 2106", forever, refused("time.lifetime"))
    yield case("time/lifetime-whole-range-allowed", "the same where that is allowed", forever,
               accepted(issued_at=0, expires_at=2**32 - 1), max_lifetime=2**32 - 1)  # fmt: skip
    last = text(token(payload(exp=b"\x04" + uint(2**32 - 1), iat=b"\x06" + uint(2**32 - 2))))
    yield case("time/end-of-range-with-skew", "now + skew and exp + skew do not wrap at 2^32", last,
               accepted(issued_at=2**32 - 2, expires_at=2**32 - 1), now=2**32 + 8)  # fmt: skip
    yield case("time/end-of-range-expired", "now is above 2^32", last, refused("time.expired"), now=2**32 + 9)
    first = text(token(payload(exp=b"\x04\x01", iat=b"\x06\x00")))
    yield case("time/start-of-range-with-skew", "iat - skew does not wrap below 0", first,
               accepted(issued_at=0, expires_at=1), now=0)  # fmt: skip
