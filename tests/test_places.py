from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import digits
from ybtoken import Scope
from ybtoken.places import PROVINCES, _cities, check_city_code, describe_place, describe_scope

prefixes = st.sampled_from([2, 4, 6]).flatmap(digits)


@pytest.mark.parametrize("city_code", ["000000", "330106", "999999"])
def test_six_digits_are_a_city_code(city_code):
    assert check_city_code(city_code) == city_code


@pytest.mark.parametrize(
    "city_code",
    ["", "33010", "3301060", "33010a", "+30106", "33_106", " 30106", "33010\n", "３３０１０６", "٣٣٠١٠٦", "33010²"],
)
def test_anything_else_is_no_city_code(city_code):
    with pytest.raises(ValueError, match="six digits"):
        check_city_code(city_code)


@pytest.mark.parametrize("city_code", [330106, b"330106", None])
def test_a_city_code_is_a_string(city_code):
    with pytest.raises(ValueError, match="six digits"):
        check_city_code(city_code)


@pytest.mark.parametrize("prefix", ["", "3", "330", "33010", "3301066", "3a", "３３", "-3", 33, None, b"33"])
def test_a_prefix_is_two_four_or_six_digits(prefix):
    with pytest.raises(ValueError, match="2, 4 or 6 digits"):
        Scope((prefix,))
    with pytest.raises(ValueError, match="2, 4 or 6 digits"):
        Scope(("33",), (prefix,))


@pytest.mark.parametrize("arguments", [("33",), (("33",), "3302")])
def test_one_string_is_not_a_sequence_of_prefixes(arguments):
    with pytest.raises(TypeError, match="not one string"):
        Scope(*arguments)


@pytest.mark.parametrize("prefix", ["99", "00", "3", "9901", "100000"])
def test_a_scope_names_provinces_that_exist(prefix):
    for arguments in (((prefix,),), (("33", prefix),), (("33",), (prefix,))):
        with pytest.raises(ValueError, match=r"two digits of a province|2, 4 or 6 digits"):
            Scope(*arguments)


def test_a_scope_from_elsewhere_is_checked_for_its_shape_only():
    scope = Scope.from_prefixes(["99", "33"], ["9901"])
    assert scope.covers("990201")
    assert not scope.covers("990101")
    assert str(scope) == "99+33-9901"
    assert Scope.from_prefixes(["33"], ["3302"]) == Scope(("33",), ("3302",))
    with pytest.raises(ValueError, match="2, 4 or 6 digits"):
        Scope.from_prefixes(["9"])
    with pytest.raises(TypeError, match="not one string"):
        Scope.from_prefixes("33")


def test_no_prefix_means_the_whole_country():
    assert Scope().ranges == ((0, 1_000_000),)
    assert Scope().covers("000000")
    assert Scope().covers("999999")


def test_the_whole_country_less_a_province():
    scope = Scope((), ("33",))
    assert scope.ranges == ((0, 330_000), (340_000, 1_000_000))
    assert not scope.covers("330106")
    assert scope.covers("320106")


def test_neighbours_are_merged_and_ranges_sorted():
    assert Scope(("34", "33", "3301", "31")).ranges == ((310_000, 320_000), (330_000, 350_000))


def test_a_hole_at_the_edge_leaves_no_empty_range():
    assert Scope(("33",), ("3300", "3399")).ranges == ((330_100, 339_900),)


def test_an_exclusion_may_lie_outside_or_across():
    assert Scope(("33",), ("44",)).ranges == ((330_000, 340_000),)
    assert Scope(("3301", "3303"), ("3301",)).ranges == ((330_300, 330_400),)


def test_a_scope_that_covers_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="leave nothing"):
        Scope(("3301",), ("33",))


@given(st.lists(prefixes, max_size=4), st.lists(prefixes, max_size=4), digits(6))
def test_ranges_say_what_prefixes_say(included, excluded, city_code):
    try:
        scope = Scope.from_prefixes(included, excluded)
    except ValueError:
        assert any(not included or prefix.startswith(tuple(excluded)) for prefix in included or [""])
        return
    wanted = (not included or city_code.startswith(tuple(included))) and not (
        excluded and city_code.startswith(tuple(excluded))
    )
    assert scope.covers(city_code) is scope.covers_number(int(city_code)) is wanted
    flat = [edge for low_high in scope.ranges for edge in low_high]
    assert flat == sorted(set(flat))  # sorted, disjoint, and none that touch


@pytest.mark.parametrize(
    ("city_code", "covered"),
    [
        ("329999", False), ("330000", True), ("330199", True), ("330200", False), ("330299", False),
        ("330300", True), ("339999", True), ("340000", False), ("000000", False), ("999999", False),
    ],
)  # fmt: skip
def test_the_edges_of_a_range_are_where_they_should_be(city_code, covered):
    assert Scope(("33",), ("3302",)).covers(city_code) is covered


def test_covers_takes_city_codes_only():
    with pytest.raises(ValueError, match="six digits"):
        Scope().covers("33")


def test_scopes_are_values():
    assert Scope(["33"], ["3302"]) == Scope(("33",), ("3302",))
    assert hash(Scope(["33"])) == hash(Scope(("33",)))
    assert Scope(("33",)) != Scope(("3300",))


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (Scope(), "*"),
        (Scope(("33", "3401")), "33+3401"),
        (Scope(("33",), ("3302", "330101")), "33-3302-330101"),
        (Scope((), ("33",)), "*-33"),
    ],
)
def test_a_scope_reads_as_its_prefixes(scope, text):
    assert str(scope) == text


@pytest.mark.parametrize(
    ("code", "en", "zh"),
    [
        ("330100", "Hangzhou, Zhejiang", "浙江杭州"),
        ("330106", "Hangzhou, Zhejiang (330106)", "浙江杭州（330106）"),  # a county: the code says more than the name
        ("330000", "Zhejiang", "浙江"),
        ("110100", "Beijing", "北京"),
        ("110105", "Beijing (110105)", "北京（110105）"),
        ("610100", "Xi'an, Shaanxi", "陕西西安"),
        ("540200", "Shigatse, Tibet", "西藏日喀则"),
        ("469001", "Hainan (469001)", "海南（469001）"),
        ("990106", "990106", "990106"),
    ],
)
def test_places_are_named(code, en, zh):
    assert describe_place(code) == (en, zh)


@pytest.mark.parametrize(
    ("scope", "en", "zh"),
    [
        (Scope(), "the whole country", "全国"),
        (Scope(("33", "3401")), "Zhejiang, Hefei, Anhui", "浙江、安徽合肥"),
        (Scope(("33",), ("3302",)), "Zhejiang without Ningbo, Zhejiang", "浙江（浙江宁波除外）"),
        (Scope((), ("33", "3401")), "the whole country without Zhejiang, Hefei, Anhui", "全国（浙江、安徽合肥除外）"),
    ],
)
def test_scopes_are_named(scope, en, zh):
    assert describe_scope(scope) == (en, zh)


def test_the_tables_of_names_are_sound():
    cities = _cities()
    assert len(cities) > 330
    assert all(len(code) == 4 and code.isdigit() and code[:2] in PROVINCES for code in cities)
    assert all(words.en.isascii() and words.en[0].isupper() and not words.zh.isascii() for words in cities.values())
    assert list(cities) == sorted(cities)
    assert all(len(code) == 2 and words.en and words.zh for code, words in PROVINCES.items())


def test_a_scope_includes_another_if_no_place_is_outside():
    country, province = Scope(), Scope(("33",), ("3302",))
    assert country.includes(province)
    assert province.includes(Scope(("3301", "330421")))
    assert province.includes(province)
    for other in (country, Scope(("33",)), Scope(("3302",)), Scope(("3301", "34"))):
        assert not province.includes(other)
