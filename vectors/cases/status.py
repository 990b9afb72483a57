"""Step 8: what a status list decides (Spec 3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import KEY_A, NOW, accepted, case, payload, refused, text, token, tstr, uint
from cases.passes import NOW as PASS_NOW
from cases.passes import (
    STEP,
    device_claims,
    device_pass,
    device_text,
    pass_case,
    presentation,
    rotating_claims,
    rotating_pass,
    rotating_text,
    shown,
    totp,
)
from cases.statuslist import IAT, LIST_KEY, URI, compressed, content, list_of, status_list

ABOUT = (
    'Step 8: the policy "status" asks a list. `lists` are passed in one after another, each at its time `at`; one that is '
    "refused, or not newer, leaves what was held. `grace` is for how many seconds behind its end a list is still asked."
)
_UNAVAILABLE = refused("status.unavailable")


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    # The list of two bits: 1 2 0 3 0 1 0 1 1 2 3 3.
    held = [(status_list(), NOW)]
    for name, why, index, expect in (
        ("valid", "the status valid", 2, None),
        ("suspended", "the status suspended", 1, refused("status.suspended")),
        ("invalid", "the status revoked", 0, refused("status.invalid")),
        ("other-value", "a value without a meaning is refused as revoked", 3, refused("status.invalid")),
        ("last", "the last index", 11, refused("status.invalid")),
        ("behind-end", "an index behind the end", 12, _UNAVAILABLE),
        ("far-behind-end", "the largest index", 2**32 - 1, _UNAVAILABLE),
    ):
        yield _case(name, why, index, expect or accepted(status_index=index), held)
    eight = status_list(content(list=list_of(8, compressed(bytes([0, 1, 2, 255, 0])))))
    yield _case("eight-bits", "a value of eight bits without a meaning", 3, refused("status.invalid"), [(eight, NOW)])

    yield _case("no-list", "no list yet", 2, _UNAVAILABLE, [])
    bad = status_list(signature=b"\x58\x40" + bytes(64))
    yield _case("refused-list", "a list that is refused is no list", 2, _UNAVAILABLE, [(bad, NOW)])
    yield _case(
        "refused-list-kept", "and leaves the one that was held", 2, accepted(status_index=2), [*held, (bad, NOW)]
    )
    newer = status_list(content(iat=b"\x06" + uint(IAT + 1), list=list_of(2, compressed(bytes([0x22, 0, 0])))))
    older = status_list(content(iat=b"\x06" + uint(IAT - 1), list=list_of(2, compressed(bytes([0x22, 0, 0])))))
    same = status_list(content(list=list_of(2, compressed(bytes([0x22, 0, 0])))))
    suspended = refused("status.suspended")
    yield _case("newer", "a newer list replaces an older one", 2, suspended, [*held, (newer, NOW)])
    yield _case(
        "older", "an older one does not replace a newer one", 2, accepted(status_index=2), [*held, (older, NOW)]
    )
    yield _case("same-time", "nor does one of the same time", 2, accepted(status_index=2), [*held, (same, NOW)])

    soon = status_list(content(exp=b"\x04" + uint(NOW)))
    ending = [(soon, NOW - 1)]
    yield _case("last-second", "the last second of a list", 2, accepted(status_index=2), ending, now=NOW - 1)
    yield _case("expired", "a list at its end says nothing: there is no skew", 2, _UNAVAILABLE, ending)
    yield _case(
        "expired-read", "a list behind its end may be read, and says nothing", 2, _UNAVAILABLE, [(soon, NOW + 5)]
    )
    yield _case("grace", "within the grace it is still asked", 2, accepted(status_index=2), ending, grace=1)
    yield _case("grace-over", "and not a second longer", 2, _UNAVAILABLE, ending, grace=1, now=NOW + 1)
    yield _case("grace-suspended", "within the grace it still refuses", 1, suspended, ending, grace=1)

    plain = text(token())
    yield case("status/voucher-unlisted", "a voucher without an index is not looked up", plain, accepted(),
               policies=[_policy([])])  # fmt: skip
    unlisted = rotating_text(rotating_pass(), totp(STEP))
    pass_list = [(status_list(content(exp=b"\x04" + uint(PASS_NOW + 600))), PASS_NOW)]
    yield pass_case("status/pass-unlisted", "a pass without an index is refused", unlisted, _UNAVAILABLE,
                    policies=[_policy(pass_list)])  # fmt: skip
    yield pass_case("status/pass-unlisted-accepted", "unless the verifier says otherwise", unlisted, rotating_claims(),
                    policies=[_policy(pass_list, accept_unlisted=True)])  # fmt: skip
    yield pass_case("status/device-unlisted", "the same for a phone's display", device_text(), _UNAVAILABLE,
                    policies=[_policy(pass_list)])  # fmt: skip
    for name, why, index, expect in (
        ("device-valid", "a device-bound pass that is valid", 4, device_claims(status_index=4)),
        ("device-suspended", "a device-bound pass that is suspended", 1, suspended),
    ):
        listed = device_text(presentation(shown(device_pass(extras=b"\xa1\x05" + uint(index)))))
        yield pass_case(f"status/{name}", why, listed, expect, policies=[_policy(pass_list)])
    yield case("status/after-scope", "suspended, and out of the key's scope: the scope is the earlier step", _listed(1),
               refused("scope.place"), keys=[KEY_A.jwk(yb_scope=["11"])], policies=[_policy(held)])  # fmt: skip
    yield case("status/order-first", "suspended, and another place: the first policy is reported", _listed(1), suspended,
               policies=[_policy(held), _PLACE])  # fmt: skip
    yield case("status/order-last", "the same the other way round", _listed(1), refused("policy.place"),
               policies=[_PLACE, _policy(held)])  # fmt: skip
    yield _case("key-withdrawn", "a list of a key that was withdrawn", 2, _UNAVAILABLE, held,
                key=LIST_KEY.jwk(yb_use="status", yb_withdrawn_since=IAT))  # fmt: skip
    other = status_list(content(sub=b"\x02" + tstr(URI + "/")))
    yield _case("other-address", "a list of another address", 2, _UNAVAILABLE, [(other, NOW)])


_PLACE = {"policy": "insured_place", "prefixes": ["11"], "exclusions": []}


def _listed(index: int) -> str:
    return text(token(payload(extras=b"\xa1\x05" + uint(index))))


def _policy(lists: list[tuple[bytes, int]], *, grace: int = 0, accept_unlisted: bool = False,
            key: dict[str, Any] | None = None) -> dict[str, Any]:  # fmt: skip
    return {
        "policy": "status",
        "jwks": {"keys": [LIST_KEY.jwk(yb_use="status") if key is None else key]},
        "uri": URI,
        "lists": [{"list": data.hex(), "at": at} for data, at in lists],
        "grace": grace,
        "accept_unlisted": accept_unlisted,
    }


def _case(name: str, why: str, index: int, expect: dict[str, Any], lists: list[tuple[bytes, int]], *, grace: int = 0,
          now: int = NOW, key: dict[str, Any] | None = None) -> dict[str, Any]:  # fmt: skip
    policies = [_policy(lists, grace=grace, key=key)]
    return case(f"status/{name}", why, _listed(index), expect, now=now, policies=policies)
