"""The counts of a bulk run's verdicts, and the warnings that follow from them (extra ``bulk``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ybtoken.bulk.doubles import Double, Doubles
from ybtoken.bulk.schema import NOT_JUDGED
from ybtoken.places import PROVINCES
from ybtoken.words import Words

__all__ = ["CHINA", "HOUR", "Counts", "double_as_dict"]

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""Times are shown in this zone."""
HOUR = 3600
_DOUBLES_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of verdicts.

    Attributes:
        total: all scans.
        by_code: scans by verdict ("accepted", a refusal's code, or a key of `NOT_JUDGED`), the most frequent first.
        by_province: scans with a good signature by the first two digits of the insured place, the most frequent first.
        by_hour: how many scans were accepted in each hour and how many were not. The key is the start of the hour in
            China's time; scans without a time are left out.
        cleaned: scans that were accepted only because a scanner's additions were removed.
        cleanable: scans that were refused, and would be accepted without a scanner's additions.
        time_offset: set if more than half of the scans with a good signature were refused for their time. It is the
            median, over those refused, of scan time minus issue time, in seconds (whole minutes).
        journal: the verdicts on the rows of journals, by code.
        doubles: displays that were accepted more than once, journals included.
    """

    total: int
    by_code: dict[str, int]
    by_province: dict[str, int]
    by_hour: dict[datetime, tuple[int, int]]
    cleaned: int = 0
    cleanable: int = 0
    time_offset: int | None = None
    journal: dict[str, int]
    doubles: Doubles = field(default_factory=Doubles)

    @property
    def accepted(self) -> int:
        """How many scans were accepted."""
        return self.by_code.get("accepted", 0)

    def warnings(self) -> list[Words]:
        """Signs that the run or the source is at fault, and not the codes."""
        found = []
        if self.time_offset is not None:
            shown = _span(self.time_offset)
            found.append(
                Words(
                    f"More than half of the good signatures are refused for their time: the scans are {shown.en} the "
                    "issue of their codes (median). Is the zone of the times right, or the recorder's clock?",
                    f"签名有效的记录中，过半因时间被拒：扫码时间{shown.zh}（与签发时间之差的中位数）。"
                    "请核对时间列的时区和记录设备的时钟。",
                )
            )
        if self.cleanable:
            found.append(
                Words(
                    f"{self.cleanable:,} refused scans would be accepted without what scanners add: --scanned "
                    "(scanned=True).",
                    f"{self.cleanable:,} 条被拒记录在去除扫码枪附加字符后可通过：请加 --scanned（参数 scanned=True）。",
                )
            )
        if (unjudged := sum(self.by_code.get(code, 0) for code in NOT_JUDGED)) * 2 > self.total:
            found.append(
                Words(
                    f"{unjudged:,} of {self.total:,} rows hold no text or no time: are these the right columns?",
                    f"{self.total:,} 行中有 {unjudged:,} 行没有码文或时间：列选对了吗？",
                )
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """The summary as values that `json.dumps` accepts, with the first ten doubles."""
        return {
            "total": self.total,
            "accepted": self.accepted,
            "by_code": self.by_code,
            "by_province": [
                {"province": code, **_name(code)._asdict(), "scans": count} for code, count in self.by_province.items()
            ],
            "by_hour": [
                {"hour": hour.isoformat(), "accepted": good, "others": bad}
                for hour, (good, bad) in self.by_hour.items()
            ],
            "cleaned": self.cleaned,
            "cleanable": self.cleanable,
            "time_offset": self.time_offset,
            "journal": self.journal,
            "doubles": {
                "displays": self.doubles.displays,
                "by_journals": self.doubles.by_journals,
                "listed": [double_as_dict(double) for double in self.doubles.listed[:_DOUBLES_SHOWN]],
            },
            "warnings": [words._asdict() for words in self.warnings()],
        }


def double_as_dict(double: Double) -> dict[str, Any]:
    """A double as values that `json.dumps` accepts."""
    scans = [scan._asdict() | {"at": scan.at.astimezone(CHINA).isoformat()} for scan in double.scans]
    return {"display": double.display.hex(), "times": double.times, "scans": scans}


def _name(province: str) -> Words:
    return PROVINCES.get(province, Words(province, province))


def _span(seconds: int) -> Words:
    """How long after or before the issue of its code a scan was made, in words."""
    away = abs(seconds)
    days, rest = divmod(away, 86_400)
    hours, minutes = rest // HOUR, rest % HOUR // 60
    en = " ".join(f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n) or f"{away} s"
    zh = "".join(f"{n}{unit}" for n, unit in ((days, "天"), (hours, "小时"), (minutes, "分钟")) if n) or f"{away}秒"
    return Words(f"{en} {'after' if seconds >= 0 else 'before'}", f"{'晚' if seconds >= 0 else '早'}{zh}")
