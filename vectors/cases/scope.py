"""Step 7: what the issuer's key may sign (Spec 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cases.kit import IAT, KEY_A, KEY_B, accepted, case, payload, refused, text, token, uint

ABOUT = "Step 7: period, withdrawal and place of the key's entry; in this order."


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    good = text(token())
    for name, why, members, code in (
        ("period-from", "the key is in force from iat on", {"nbf": IAT}, None),
        ("period-before", "the key is in force a second after iat", {"nbf": IAT + 1}, "scope.period"),
        ("period-until", "the key ends a second after iat", {"exp": IAT + 1}, None),
        ("period-after", "the key ended at iat", {"exp": IAT}, "scope.period"),
        ("period-both", "the key is in force for one second", {"nbf": IAT, "exp": IAT + 1}, None),
        ("period-by-iat", "the period is that of iat, not of now", {"exp": IAT + 2}, None),
        ("withdrawn-after", "withdrawn since a second after iat", {"yb_withdrawn_since": IAT + 1}, None),
        ("withdrawn-at", "withdrawn since iat", {"yb_withdrawn_since": IAT}, "scope.withdrawn"),
        ("withdrawn-before", "withdrawn since a second before iat", {"yb_withdrawn_since": IAT - 1}, "scope.withdrawn"),
        ("withdrawn-wholly", "withdrawn since 1970", {"yb_withdrawn_since": 0}, "scope.withdrawn"),
        ("order-period-withdrawn", "not in force, and withdrawn: the period comes first",
         {"exp": IAT, "yb_withdrawn_since": IAT}, "scope.period"),
        ("order-withdrawn-place", "withdrawn, and out of place: the withdrawal comes first",
         {"yb_withdrawn_since": IAT, "yb_scope": ["11"]}, "scope.withdrawn"),
        ("order-period-place", "not in force, and out of place: the period comes first",
         {"nbf": IAT + 1, "yb_scope": ["11"]}, "scope.period"),
    ):  # fmt: skip
        yield case(
            f"scope/{name}", why, good, accepted() if code is None else refused(code), keys=[KEY_A.jwk(**members)]
        )

    for name, why, city, prefixes, exclusions, inside in (
        ("whole-country", "no prefixes: the whole country", 330_100, [], [], True),
        ("province", "the province", 330_100, ["33"], [], True),
        ("province-first", "the province's first code", 330_000, ["33"], [], True),
        ("province-last", "the province's last code", 339_999, ["33"], [], True),
        ("province-below", "the code before the province", 329_999, ["33"], [], False),
        ("province-above", "the code after the province", 340_000, ["33"], [], False),
        ("city-first", "the city's first code", 330_100, ["3301"], [], True),
        ("city-last", "the city's last code", 330_199, ["3301"], [], True),
        ("city-below", "the code before the city", 330_099, ["3301"], [], False),
        ("city-above", "the code after the city", 330_200, ["3301"], [], False),
        ("county", "the county", 330_106, ["330106"], [], True),
        ("county-below", "the code before the county", 330_105, ["330106"], [], False),
        ("county-above", "the code after the county", 330_107, ["330106"], [], False),
        ("second-prefix", "the second of two prefixes", 330_100, ["11", "33"], [], True),
        ("between-prefixes", "between two prefixes", 220_000, ["11", "33"], [], False),
        ("below-prefixes", "below two prefixes", 100_000, ["11", "33"], [], False),
        ("above-prefixes", "above two prefixes", 440_000, ["11", "33"], [], False),
        ("unordered-prefixes", "prefixes in any order", 330_100, ["44", "33", "11"], [], True),
        ("nested-prefixes", "one prefix inside another", 339_999, ["33", "3301"], [], True),
        ("neighbouring-prefixes", "two neighbouring prefixes", 340_000, ["33", "34"], [], True),
        ("excluded", "an excluded city", 330_200, ["33"], ["3302"], False),
        ("excluded-below", "the code before an excluded city", 330_199, ["33"], ["3302"], True),
        ("excluded-above", "the code after an excluded city", 330_300, ["33"], ["3302"], True),
        ("excluded-first", "the first code of the province is excluded", 330_000, ["33"], ["330000"], False),
        ("excluded-last", "the last code of the province is excluded", 339_999, ["33"], ["339999"], False),
        ("excluded-of-country", "an excluded province of the whole country", 330_100, [], ["33"], False),
        ("excluded-elsewhere", "an exclusion outside the prefixes changes nothing", 330_100, ["33"], ["44"], True),
        (
            "excluded-above-does-not-widen",
            "nor does an exclusion above them widen them",
            350_000,
            ["33"],
            ["44"],
            False,
        ),
        ("excluded-below-does-not-widen", "nor does an exclusion below them", 320_000, ["33"], ["11"], False),
        (
            "excluded-over-prefix",
            "an exclusion wins over a prefix inside it",
            330_106,
            ["33", "330106"],
            ["3301"],
            False,
        ),
        ("leading-zero", "a prefix with a leading zero", 10_000, ["01"], [], True),
        ("leading-zero-below", "the code before it", 9_999, ["01"], [], False),
        ("lowest", "code 000000", 0, ["00"], [], True),
        ("highest", "code 999999", 999_999, ["99"], [], True),
        ("shorter-number", "a prefix is compared with six digits, not with the number's own", 33, ["33"], [], False),
    ):
        data = token(payload(city=uint(city)))
        entry = KEY_A.jwk(yb_scope=prefixes, **({"yb_except": exclusions} if exclusions else {}))
        yield case(f"scope/place-{name}", why, text(data),
                   accepted(city_code=f"{city:06d}") if inside else refused("scope.place"),
                   keys=[entry])  # fmt: skip
    yield case("scope/other-entry", "another key's scope does not help", good, refused("scope.place"),
               keys=[KEY_A.jwk(yb_scope=["11"]), KEY_B.jwk(yb_scope=["33"])])  # fmt: skip
    yield case("scope/own-entry", "another key's withdrawal does not matter", good, accepted(),
               keys=[KEY_B.jwk(yb_withdrawn_since=0), KEY_A.jwk()])  # fmt: skip
