"""What a settlement officer reads of bulk verdicts: counts by refusal, province, hour, and a plot (extra ``bulk``)."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ybtoken._arrow import pa, pc, pq
from ybtoken.places import PROVINCES
from ybtoken.refusals import BY_CODE

__all__ = ["Summary", "summarize"]

_CHINA = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of verdicts.

    Attributes:
        total: all scans.
        by_code: scans by "accepted" or the refusal's code, the most frequent first.
        by_province: scans with a good signature, by the first two digits of the insured place.
        by_hour: for each hour of the day in China, accepted and refused scans.
    """

    total: int
    by_code: dict[str, int]
    by_province: dict[str, int]
    by_hour: dict[int, tuple[int, int]]

    def text(self) -> str:
        """The summary for people, in Chinese and English."""
        lines = [f"scans 扫码 {self.total:,}"]
        for code, count in self.by_code.items():
            what = "通过" if code == "accepted" else BY_CODE[code].what.zh.partition("{")[0] or code
            lines.append(f"{count:>12,}  {count / self.total:>8.3%}  {code:<22} {what}")
        lines.append("insured place 参保地")
        for province, count in self.by_province.items():
            names = PROVINCES.get(province)
            name = f"{names.zh} {names.en}" if names else ""
            lines.append(f"{count:>12,}  {count / self.total:>8.3%}  {province} {name}".rstrip())
        return "\n".join(lines) + "\n"

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw refusals by code, scans by province and by hour, into an SVG, PNG or PDF file by its ending."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 9), layout="constrained")
        codes, provinces, hours = figure.subplots(3, 1)
        refused = {code: count for code, count in self.by_code.items() if code != "accepted"}
        codes.barh(list(refused)[::-1], list(refused.values())[::-1], color="#b3402a")
        accepted = self.by_code.get("accepted", 0)
        codes.set_title(f"{self.total:,} scans, {accepted:,} accepted; the others by reason")
        names = [PROVINCES[code].en if code in PROVINCES else code for code in self.by_province]
        provinces.bar(names, list(self.by_province.values()), color="#2a5fb3")
        provinces.tick_params(axis="x", labelrotation=60)
        provinces.set_title("By insured place (good signatures)")
        day = range(24)
        good, bad = ([self.by_hour.get(hour, (0, 0))[i] for hour in day] for i in (0, 1))
        hours.bar(day, good, color="#2a8f5c", label="accepted")
        hours.bar(day, bad, bottom=good, color="#b3402a", label="refused")
        hours.set_title("By hour of the day in China")
        hours.set_xticks(list(day))
        hours.legend()
        figure.savefig(path)


def summarize(folder: str | os.PathLike[str], *, scanned_at: str = "scanned_at") -> Summary:
    """Count the verdicts that `ybtoken.bulk.parquet.verify_parquet` wrote; a part at a time.

    Args:
        folder: what it wrote.
        scanned_at: the column of the times of the scans.
    """
    codes: Counter[str] = Counter()
    provinces: Counter[str] = Counter()
    hours: Counter[tuple[int, bool]] = Counter()
    for part in sorted(Path(folder).glob("part-*.parquet")):
        for batch in pq.ParquetFile(part).iter_batches(columns=["code", "city_code", scanned_at]):
            code = batch["code"].cast(pa.string())
            codes.update(_counts(code))
            provinces.update(_counts(pc.utf8_slice_codeunits(batch["city_code"], 0, 2).drop_null()))
            accepted = pc.equal(code, "accepted")
            for flag in (True, False):
                times = batch[scanned_at].filter(pc.equal(accepted, flag))
                hours.update({(hour, flag): count for hour, count in _counts(_hours(times)).items()})
    return Summary(
        sum(codes.values()),
        dict(codes.most_common()),
        dict(provinces.most_common()),
        {hour: (hours[hour, True], hours[hour, False]) for hour in sorted({hour for hour, _ in hours})},
    )


def _hours(times: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(times.type):
        times = times.cast(pa.int64()).cast(pa.timestamp("s"))
    if times.type.tz is None:
        times = pc.assume_timezone(times, "UTC")
    return pc.hour(times.cast(pa.timestamp("s", tz=_CHINA), safe=False))


def _counts(array: pa.Array) -> dict[Any, int]:
    return {row["values"]: row["counts"] for row in pc.value_counts(array).to_pylist()}
