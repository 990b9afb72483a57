"""City codes and scopes: the one module that knows the form of an insured place (参保地).

A city code is six digits in the shape of GB/T 2260: province, city, county, two digits each. A token's code is checked
for this shape only, never against a list, because codes are retired while tokens live. A scope is a set of prefixes of
2, 4 or 6 digits, less some exclusions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from ybtoken.words import BoundsError, Words

__all__ = ["PROVINCES", "Scope", "describe_place", "describe_scope"]

_CITY_DIGITS = 6
_ALL_CITIES = 10**_CITY_DIGITS


def _is_digits(text: object) -> bool:
    # str.isdigit alone accepts other scripts' digits.
    return isinstance(text, str) and text.isascii() and text.isdigit()


def check_city_code(city_code: str) -> str:
    """Return a city code of six ASCII digits, or raise `ValueError`."""
    if not _is_digits(city_code) or len(city_code) != _CITY_DIGITS:
        raise BoundsError(
            f"a city code is a string of six digits, not {city_code!r}", f"参保地代码应为六位数字，实为 {city_code!r}"
        )
    return city_code


def _range_of(prefix: str) -> tuple[int, int]:
    if not _is_digits(prefix) or len(prefix) not in (2, 4, 6):
        raise BoundsError(
            f"a scope prefix is a string of 2, 4 or 6 digits, not {prefix!r}",
            f"范围前缀应为 2、4 或 6 位数字，实为 {prefix!r}",
        )
    width = 10 ** (_CITY_DIGITS - len(prefix))
    return int(prefix) * width, (int(prefix) + 1) * width


def _subtract(ranges: list[tuple[int, int]], hole: tuple[int, int]) -> list[tuple[int, int]]:
    kept = []
    for low, high in ranges:
        kept += [(low, min(high, hole[0])), (max(low, hole[1]), high)]
    return [(low, high) for low, high in kept if low < high]


@dataclass(frozen=True, slots=True)
class Scope:
    """The insured places for which a key may sign, or which a terminal accepts.

    The first two digits of each prefix must be those of a province (see `PROVINCES`), because a scope that covers no
    real place would refuse every holder and look like a fault of their codes. Cities and counties are not looked up. A
    key ring file is read by `from_prefixes`, which checks the shape only.

    Args:
        prefixes: provinces, cities or counties (2, 4 or 6 digits); none at all means the whole country.
        exclusions: prefixes of places that are excluded again.

    Raises:
        TypeError: one string is given instead of a sequence of strings.
        ValueError: a prefix has another form, a province does not exist, or the exclusions leave no place.
    """

    prefixes: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    ranges: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)
    """The same as sorted, disjoint, half-open ranges of city codes, as engines use them."""

    def __post_init__(self) -> None:
        self._work_out()
        for prefix in (*self.prefixes, *self.exclusions):
            if prefix[:2] not in PROVINCES:
                raise BoundsError(
                    f"a scope prefix begins with the two digits of a province: {prefix!r} does not",
                    f"范围前缀应以省级代码两位数字开头，{prefix!r} 不是",
                )

    @classmethod
    def from_prefixes(cls, prefixes: Iterable[str], exclusions: Iterable[str] = ()) -> Scope:
        """The scope that a key ring file states; a province that is unknown here is accepted.

        The file may come from newer software than this, and one unknown province must not cost the whole ring.
        """
        scope = object.__new__(cls)
        object.__setattr__(scope, "prefixes", prefixes)
        object.__setattr__(scope, "exclusions", exclusions)
        scope._work_out()
        return scope

    def _work_out(self) -> None:
        if isinstance(self.prefixes, str) or isinstance(self.exclusions, str):
            raise TypeError("a scope takes a sequence of prefixes, not one string")
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        object.__setattr__(self, "exclusions", tuple(self.exclusions))
        ranges = _merge(map(_range_of, self.prefixes)) if self.prefixes else [(0, _ALL_CITIES)]
        for prefix in self.exclusions:
            ranges = _subtract(ranges, _range_of(prefix))
        if not ranges:
            raise BoundsError("the exclusions leave nothing of the scope", "排除之后范围为空")
        object.__setattr__(self, "ranges", tuple(ranges))

    def covers(self, city_code: str) -> bool:
        """Whether a city code (six digits) is in the scope."""
        return self.covers_number(int(check_city_code(city_code)))

    def includes(self, other: Scope) -> bool:
        """Whether every city code of another scope is in this one."""
        return all(any(low >= a and high <= b for a, b in self.ranges) for low, high in other.ranges)

    def covers_number(self, city: int) -> bool:
        """Whether a city code, given as the number in the token, is in the scope."""
        for low, high in self.ranges:
            if city < high:
                return city >= low
        return False

    def __str__(self) -> str:
        text = "+".join(self.prefixes) or "*"
        return f"{text}-{'-'.join(self.exclusions)}" if self.exclusions else text


def _merge(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


PROVINCES: dict[str, Words] = {
    code: Words(en, zh)
    for code, en, zh in (
        ("11", "Beijing", "北京"), ("12", "Tianjin", "天津"), ("13", "Hebei", "河北"), ("14", "Shanxi", "山西"),
        ("15", "Inner Mongolia", "内蒙古"), ("21", "Liaoning", "辽宁"), ("22", "Jilin", "吉林"),
        ("23", "Heilongjiang", "黑龙江"), ("31", "Shanghai", "上海"), ("32", "Jiangsu", "江苏"),
        ("33", "Zhejiang", "浙江"), ("34", "Anhui", "安徽"), ("35", "Fujian", "福建"), ("36", "Jiangxi", "江西"),
        ("37", "Shandong", "山东"), ("41", "Henan", "河南"), ("42", "Hubei", "湖北"), ("43", "Hunan", "湖南"),
        ("44", "Guangdong", "广东"), ("45", "Guangxi", "广西"), ("46", "Hainan", "海南"), ("50", "Chongqing", "重庆"),
        ("51", "Sichuan", "四川"), ("52", "Guizhou", "贵州"), ("53", "Yunnan", "云南"), ("54", "Tibet", "西藏"),
        ("61", "Shaanxi", "陕西"), ("62", "Gansu", "甘肃"), ("63", "Qinghai", "青海"), ("64", "Ningxia", "宁夏"),
        ("65", "Xinjiang", "新疆"), ("66", "Xinjiang Corps", "新疆兵团"), ("71", "Taiwan", "台湾"),
        ("81", "Hong Kong", "香港"), ("82", "Macao", "澳门"),
    )
}  # fmt: skip
"""Names of the provinces by the first two digits of their city codes. Used in messages and by `Scope`; no token is
refused because of this table."""


_MUNICIPALITIES = frozenset({"11", "12", "31", "50"})  # their districts are below no prefecture


@cache
def _cities() -> dict[str, Words]:
    """Names of prefecture-level places, by the first four digits of their city codes."""
    table = files("ybtoken").joinpath("cities.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return {code: Words(en, zh) for code, zh, en in rows}


def describe_place(city_code: object) -> Words:
    """A city code as the name of the place, for people; the code beside it where the name says less than the code."""
    code = str(city_code)
    province, city = PROVINCES.get(code[:2]), _cities().get(code[:4])
    if province is None:
        return Words(code, code)
    name = Words(f"{city.en}, {province.en}", f"{province.zh}{city.zh}") if city else province
    if code.endswith("00" if city or code[:2] in _MUNICIPALITIES else "0000"):
        return name
    return Words(f"{name.en} ({code})", f"{name.zh}（{code}）")


def describe_scope(scope: object) -> Words:
    """A scope's text, such as "33+3401-3302", by the names of its places."""
    included, *excluded = str(scope).split("-")
    if included == "*":
        name = Words("the whole country", "全国")
    else:
        places = [describe_place(f"{prefix:0<6}") for prefix in included.split("+")]
        name = Words(", ".join(each.en for each in places), "、".join(each.zh for each in places))
    if not excluded:
        return name
    out = [describe_place(f"{prefix:0<6}") for prefix in excluded]
    english, chinese = ", ".join(each.en for each in out), "、".join(each.zh for each in out)
    return Words(f"{name.en} without {english}", f"{name.zh}（{chinese}除外）")
