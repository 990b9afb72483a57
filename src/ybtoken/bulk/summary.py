"""The summary of a run's verdicts for a settlement officer, as a text or a picture (extra ``bulk``)."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ybtoken._arrow import pa, pc, pq
from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.counts import CHINA, HOUR, Counts, double_as_dict
from ybtoken.bulk.doubles import Doubles, VerdictFile, find_doubles, is_accepted
from ybtoken.bulk.plot import draw
from ybtoken.bulk.report import Language, render
from ybtoken.bulk.run import JOURNAL_FOLDER, MANIFEST
from ybtoken.bulk.schema import PREFIX

__all__ = ["PLACES", "Summary", "summarize"]

PLACES = ("place", "terminal")
"""The default names of the columns that say where a scan was made."""
DOUBLES_FILE = "_doubles.jsonl"


class Summary(Counts):
    """The counts, which can be shown as a text or a picture."""

    __slots__ = ()

    def text(self, language: Language = "en") -> str:
        """The summary for people, in one language."""
        return render(self, language)

    def plot(self, path: str | os.PathLike[str], language: Language = "en") -> None:
        """Draw it into an SVG, PNG or PDF file; see `ybtoken.bulk.plot.draw`."""
        draw(self, path, language)


def summarize(folder: str | os.PathLike[str], *, places: Sequence[str] = PLACES) -> Summary:
    """Count the verdicts that `ybtoken.bulk.run.verify_files` wrote.

    The displays that were accepted more than once are written to ``_doubles.jsonl`` in the folder, one JSON object a
    line.

    Args:
        folder: the folder of verdicts.
        places: the columns of the sources that say where a scan was made.

    Raises:
        ScansError: the folder holds no verdicts of a run, or not all of them.
    """
    folder = Path(folder)
    scans, journals = _files(folder)
    tally = _Tally()
    for file in scans:
        tally.add(file.path)
    journal: Counter[str] = Counter()
    for file in journals:
        for batch in pq.ParquetFile(file.path).iter_batches(columns=[PREFIX + "code"]):
            journal.update(_counts(batch[0]))
    doubles = find_doubles([*scans, *journals], places, folder)
    (folder / DOUBLES_FILE).write_text(
        "".join(json.dumps(double_as_dict(double), ensure_ascii=False) + "\n" for double in doubles.listed),
        encoding="utf-8",
    )
    return tally.summary(dict(journal.most_common()), doubles)


def _files(folder: Path) -> tuple[list[VerdictFile], list[VerdictFile]]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sources = [[str(source["name"]) for source in manifest[kind]] for kind in ("sources", "journals")]
        rows_in_all = manifest.get("rows")
    except (OSError, ValueError, KeyError, TypeError):
        raise ScansError(f"{folder} holds no verdicts of a bulk run", f"{folder} 中没有批量验证的结果") from None
    if rows_in_all is None:
        raise ScansError(
            f"the run into {folder} was interrupted: run it again to its end first",
            f"{folder} 中的批量验证曾中断：请先再次运行，直到完成",
        )
    found: tuple[list[VerdictFile], list[VerdictFile]] = [], []
    for journal, below in enumerate((folder, folder / JOURNAL_FOLDER)):
        before: tuple[int, int] = (-1, 0)
        for path in sorted(below.glob("part-*.parquet")):
            try:
                number = int(path.name.split("-")[1])
                source, rows = sources[journal][number], pq.read_metadata(path).num_rows
            except (ValueError, IndexError, pa.ArrowException):
                raise ScansError(f"{path} is no part of this run", f"{path} 不属于此次运行") from None
            first = before[1] if before[0] == number else 0
            found[journal].append(VerdictFile(path, source, first, rows, bool(journal)))
            before = number, first + rows
    if (rows := sum(file.rows for files in found for file in files)) != rows_in_all:
        raise ScansError(
            f"{folder} holds verdicts on {rows:,} rows, and its run was on {rows_in_all}: run it into a new folder",
            f"{folder} 中有 {rows:,} 行的结果，而该次运行共 {rows_in_all} 行：请另行指定目录重新运行",
        )
    return found


class _Tally:
    """The counts so far; verdicts are added a part at a time."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.provinces: Counter[str] = Counter()
        self.hours: Counter[tuple[int, bool]] = Counter()
        self.offsets: Counter[int] = Counter()  # in minutes, of good signatures that were refused for their time
        self.cleaned = self.cleanable = self.signed = 0

    def add(self, path: Path) -> None:
        """Count the verdicts of a part."""
        columns = [PREFIX + name for name in ("code", "noise", "city_code", "at", "issued_at")]
        with pq.ParquetFile(path, read_dictionary=[PREFIX + "code", PREFIX + "city_code"]) as file:
            for batch in file.iter_batches(columns=columns):
                self._add(*batch.columns)

    def _add(self, code: pa.Array, noise: pa.Array, city: pa.Array, at: pa.Array, issued: pa.Array) -> None:
        codes = _counts(code)
        self.codes.update(codes)
        for place, count in _counts(city.drop_null()).items():
            self.provinces[place[:2]] += count
            self.signed += count
        accepted = is_accepted(code)
        hour = pc.divide(pc.add(at.cast(pa.int64()), 8 * HOUR * 10**6), HOUR * 10**6)
        for number, count in _counts(pc.add(pc.multiply(hour, 2), accepted.cast(pa.int64())).drop_null()).items():
            self.hours[number // 2, bool(number % 2)] += count
        if pc.any(noise).as_py():
            good = pc.sum(pc.and_(noise, accepted)).as_py()
            self.cleaned += good
            self.cleanable += pc.sum(noise).as_py() - good
        if any(name.startswith("time.") for name in codes):
            late = pc.subtract(at.cast(pa.int64()), issued.cast(pa.int64()))
            late = late.filter(pc.starts_with(code.cast(pa.string()), "time.")).drop_null()
            self.offsets.update(_counts(pc.divide(late, 60 * 10**6)))

    def summary(self, journal: dict[str, int], doubles: Doubles) -> Summary:
        """The sums."""
        offset, refused = None, self.offsets.total()
        if refused * 2 > self.signed:
            passed = 0
            for minutes in sorted(self.offsets):
                passed += self.offsets[minutes]
                if passed * 2 >= refused:
                    offset = minutes * 60
                    break
        hours = sorted({hour for hour, _ in self.hours})
        return Summary(
            total=self.codes.total(),
            by_code=dict(self.codes.most_common()),
            by_province=dict(self.provinces.most_common()),
            by_hour={
                datetime.fromtimestamp(hour * HOUR - 8 * HOUR, UTC).astimezone(CHINA): (
                    self.hours[hour, True],
                    self.hours[hour, False],
                )
                for hour in hours
            },
            cleaned=self.cleaned,
            cleanable=self.cleanable,
            time_offset=offset,
            journal=journal,
            doubles=doubles,
        )


def _counts(array: pa.Array) -> dict[Any, int]:
    return {row["values"]: row["counts"] for row in pc.value_counts(array).to_pylist()}
