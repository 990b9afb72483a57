"""Step 8: the policies of a verifier (Spec 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import EXP, IAT, KEY_A, NOW, PRESENTER, accepted, bstr, case, payload, refused, text, token, uint
from cases.passes import device_claims, device_text, pass_case

ABOUT = (
    'Step 8: what a verifier insists on beyond the format. `policies` is a list of objects with a "policy" and its '
    "arguments; all must accept, and the first that does not is reported."
)


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    plain = text(token())
    full = text(token(payload(extras=b"\xa3\x01\x02\x02" + uint(1301) + b"\x04\x02")))
    stated: dict[str, Any] = {"channel": 2, "purpose": "01301", "assurance": 2}
    for name, why, policies, code in (
        ("place", "a place inside", [_place(["33"])], None),
        ("place-outside", "a place outside", [_place(["11", "44"])], "policy.place"),
        ("place-excluded", "a place that is excluded", [_place(["33"], ["3301"])], "policy.place"),
        ("purpose", "the business it was shown for", [_purpose("01301")], None),
        ("purpose-one-of", "one of several businesses", [_purpose("01101", "01301")], None),
        ("purpose-other", "another business", [_purpose("02121")], "policy.purpose"),
        ("purpose-none", "no business at all is accepted", [_purpose()], "policy.purpose"),
        ("purpose-none-stated", "only what states no business is accepted, and this states one", [_purpose(unstated=True)],
         "policy.purpose"),
        ("channel", "the channel", [_channel(2)], None),
        ("channel-none", "no channel at all is accepted", [_channel()], "policy.channel"),
        ("channel-none-stated", "only what states no channel is accepted, and this states one", [_channel(unstated=True)],
         "policy.channel"),
        ("channel-other", "another channel", [_channel(1, 3)], "policy.channel"),
        ("assurance-equal", "as strong as is asked for", [{"policy": "minimum_assurance", "level": 2}], None),
        ("assurance-stronger", "stronger than is asked for", [{"policy": "minimum_assurance", "level": 1}], None),
        ("assurance-weaker", "weaker than is asked for", [{"policy": "minimum_assurance", "level": 3}], "policy.assurance"),
        ("age-equal", "as old as is allowed", [{"policy": "maximum_age", "seconds": NOW - IAT}], None),
        ("age-above", "a second too old", [{"policy": "maximum_age", "seconds": NOW - IAT - 1}], "policy.age"),
        ("all", "three policies that all accept", [_place(["33"]), _purpose("01301"), _channel(2)], None),
        ("first-refusal", "two policies refuse: the first is reported", [_purpose("02121"), _channel(1)], "policy.purpose"),
        ("last-refusal", "the last of two policies refuses", [_purpose("01301"), _channel(1)], "policy.channel"),
        ("any-of", "one of two accepts", [{"policy": "any_of", "policies": [_place(["11"]), _purpose("01301")]}], None),
        ("any-of-none", "none of two accepts: the last is reported",
         [{"policy": "any_of", "policies": [_place(["11"]), _purpose("02121")]}], "policy.purpose"),
    ):  # fmt: skip
        expect = accepted(**stated) if code is None else refused(code)
        yield case(f"policy/{name}", why, full, expect, policies=policies)
    for name, why, policies, code in (
        ("purpose-unstated", "no business is stated", [_purpose("01301")], "policy.purpose"),
        ("purpose-unstated-accepted", "no business is stated, which is accepted", [_purpose("01301", unstated=True)], None),
        ("purpose-none-unstated-accepted", "only what states no business is accepted", [_purpose(unstated=True)], None),
        ("purpose-none-unstated", "no business at all is accepted, and this states none", [_purpose()], "policy.purpose"),
        ("channel-none-unstated-accepted", "only what states no channel is accepted", [_channel(unstated=True)], None),
        ("channel-none-unstated", "no channel at all is accepted, and this states none", [_channel()], "policy.channel"),
        ("channel-unstated", "no channel is stated", [_channel(2)], "policy.channel"),
        ("channel-unstated-accepted", "no channel is stated, which is accepted", [_channel(2, unstated=True)], None),
        ("assurance-unstated", "not stated is weaker than everything", [{"policy": "minimum_assurance", "level": 0}],
         "policy.assurance"),
    ):  # fmt: skip
        yield case(f"policy/{name}", why, plain, accepted() if code is None else refused(code), policies=policies)
    for name, why, accept, code in (
        ("profile", "the profile", [1], None),
        ("profile-one-of", "one of several profiles", [3, 1], None),
        ("profile-other", "another profile", [2, 3], "policy.profile"),
        ("profile-none", "no profile at all is accepted", [], "policy.profile"),
    ):
        yield case(f"policy/{name}", why, plain, accepted() if code is None else refused(code),
                   policies=[{"policy": "profiles", "accept": accept}])  # fmt: skip
    yield pass_case("policy/profile-3", "only device-bound passes", device_text(), device_claims(),
                    policies=[{"policy": "profiles", "accept": [3]}])  # fmt: skip
    family = text(token(payload(extras=b"\xa1\x03" + bstr(PRESENTER))))
    holder = [{"policy": "holder_only"}]
    yield case("policy/holder", "the holder shows it", plain, accepted(), policies=holder)
    yield case("policy/holder-presenter", "somebody shows it for the holder", family, refused("policy.presenter"),
               policies=holder)  # fmt: skip
    yield case(
        "policy/presenter", "which is accepted where nothing is said", family, accepted(presenter=PRESENTER.hex())
    )
    yield case("policy/any-of-order", "none of three accepts: the last is reported, whichever they are", plain,
               refused("policy.profile"), policies=[{"policy": "any_of", "policies": [
                   _purpose("01301"), _place(["11"]), {"policy": "profiles", "accept": [2]}]}])  # fmt: skip
    yield case("policy/any-of-then", "one of two accepts, and the next policy refuses", plain, refused("policy.channel"),
               policies=[{"policy": "any_of", "policies": [_place(["33"]), _purpose("01301")]}, _channel(1)])  # fmt: skip
    yield case("policy/place-county", "a county", plain, accepted(), policies=[_place(["330100"])])
    yield case("policy/place-all-but", "the country but for a province", plain, refused("policy.place"),
               policies=[_place([], ["33"])])  # fmt: skip
    channel_0 = text(token(payload(extras=b"\xa1\x01\x00")))
    yield case("policy/channel-0", "channel 0 is stated, and is not the same as none", channel_0,
               refused("policy.channel"), policies=[_channel(2, unstated=True)])  # fmt: skip
    yield case("policy/age-negative", "issued ahead of this clock, within the skew", plain, accepted(), now=IAT - 3,
               policies=[{"policy": "maximum_age", "seconds": 0}])  # fmt: skip
    yield case("policy/after-time", "expired, and another place: time is the earlier step", plain,
               refused("time.expired"), now=EXP + 10, policies=[_place(["11"])])  # fmt: skip
    yield case("policy/after-scope", "out of the key's scope, and another place: the scope is the earlier step", plain,
               refused("scope.place"), keys=[KEY_A.jwk(yb_scope=["11"])], policies=[_place(["44"])])  # fmt: skip


def _place(prefixes: list[str], exclusions: list[str] | None = None) -> dict[str, Any]:
    return {"policy": "insured_place", "prefixes": prefixes, "exclusions": exclusions or []}


def _purpose(*accept: str, unstated: bool = False) -> dict[str, Any]:
    return {"policy": "purpose", "accept": list(accept), "accept_unstated": unstated}


def _channel(*accept: int, unstated: bool = False) -> dict[str, Any]:
    return {"policy": "channel", "accept": list(accept), "accept_unstated": unstated}
