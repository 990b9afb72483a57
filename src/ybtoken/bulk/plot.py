"""The summary as a picture: refusals, insured places and hours, in one language (extra ``bulk``)."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.counts import Counts
from ybtoken.bulk.report import Language, choose, label
from ybtoken.places import PROVINCES
from ybtoken.words import Words

__all__ = ["check_plot", "draw"]

_FORMATS = (".svg", ".png", ".pdf")
_GOOD, _BAD, _PLACE = "#2a8f5c", "#b3402a", "#2a5fb3"
_CODES_SHOWN = 10
_HOURS_BY_HOUR = 7 * 24
# Only these fonts are used, the first that is installed: another font with some Chinese characters may lack others.
_CHINESE = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Microsoft YaHei", "PingFang SC", "SimHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Serif CJK SC", "SimSun", "AR PL UMing CN", "Droid Sans Fallback",
)  # fmt: skip


def check_plot(path: str | os.PathLike[str], language: Language) -> None:
    """Raise before a long run what `draw` would raise after it.

    Raises:
        ScansError: the file name does not end in .svg, .png or .pdf, its folder does not exist, or no font with
            Chinese characters is installed.
        ModuleNotFoundError: matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ScansError(f"{path}: a plot is an .svg, .png or .pdf", f"{path}：汇总图应为 .svg、.png 或 .pdf")
    if not path.parent.is_dir():
        raise ScansError(f"{path.parent}: no such folder", f"{path.parent}：没有此目录")
    _matplotlib("matplotlib.figure")
    if language == "zh" and _font_with_chinese() is None:
        raise ScansError(
            "no font with Chinese characters is installed: install one, such as fonts-noto-cjk, or plot in English",
            "本机没有中文字体：请安装（如 fonts-noto-cjk），或改用英文绘图（--lang en）",
        )


def _matplotlib(module: str) -> Any:
    """A module of matplotlib, loaded when a plot is asked for; only some of its releases have types."""
    return import_module(module)


@lru_cache(maxsize=1)
def _font_with_chinese() -> str | None:
    font_manager = _matplotlib("matplotlib.font_manager")

    def found() -> str | None:
        known = {font.name for font in font_manager.fontManager.ttflist}
        return next((name for name in _CHINESE if name in known), None)

    if (name := found()) is not None:
        return name
    # matplotlib keeps a list of fonts on disk, which lacks a font that was installed later.
    for path in font_manager.findSystemFonts():
        try:
            if font_manager.get_font(path).family_name in _CHINESE:
                font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError):  # a file that FreeType does not read
            continue
    return found()


def draw(summary: Counts, path: str | os.PathLike[str], language: Language = "en") -> None:
    """Draw the summary into an SVG, PNG or PDF file; the end of the file name decides which.

    Args:
        summary: what to draw.
        path: the file.
        language: of all words in the picture; Chinese needs a font with Chinese characters.

    Raises:
        ScansError: as for `check_plot`.
    """
    check_plot(path, language)
    font = _font_with_chinese() if language == "zh" else None
    settings: dict[str, Any] = {"axes.unicode_minus": False, "axes.spines.top": False, "axes.spines.right": False}
    if font is not None:
        settings["font.family"] = [font, "DejaVu Sans"]
    with _matplotlib("matplotlib").rc_context(settings):
        _figure(summary, language).savefig(path, dpi=120)


def _figure(summary: Counts, language: Language) -> Any:
    def say(en: str, zh: str) -> str:
        return choose(Words(en, zh), language)

    figure = _matplotlib("matplotlib.figure").Figure(figsize=(11, 12), layout="constrained")
    codes, places, hours = figure.subplots(3, 1, height_ratios=(1.1, 1, 1))
    others = summary.total - summary.accepted
    figure.suptitle(
        say(
            f"{summary.total:,} scans{_dates(summary, ', ')}: {summary.accepted:,} accepted, {others:,} not",
            f"扫码记录 {summary.total:,} 条{_dates(summary, '，')}：通过 {summary.accepted:,} 条，未通过 {others:,} 条",
        )
    )
    _draw_codes(codes, summary, language)
    codes.set_title(say("Not accepted, by reason", "未通过记录（按原因）"))
    codes.set_xlabel(say("scans", "记录数"))
    names = [choose(PROVINCES.get(code, Words(code, code)), language) for code in summary.by_province]
    places.bar(range(len(names)), list(summary.by_province.values()), color=_PLACE)
    places.set_xticks(
        range(len(names)), names, rotation=60 if language == "en" else 45, ha="right", rotation_mode="anchor"
    )
    places.set_title(say("Good signatures, by insured place", "签名有效的记录（按参保地）"))
    places.set_ylabel(say("scans", "记录数"))
    _draw_hours(hours, summary, language)
    for axis in (codes.xaxis, places.yaxis, hours.yaxis):
        _separate_thousands(axis)
    return figure


def _separate_thousands(axis: Any) -> None:
    ticker = _matplotlib("matplotlib.ticker")
    axis.set_major_locator(ticker.MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))


def _dates(summary: Counts, before: str) -> str:
    if not summary.by_hour:
        return ""
    first, last = (f"{day:%Y-%m-%d}" for day in (min(summary.by_hour), max(summary.by_hour)))
    return f"{before}{first}" if first == last else f"{before}{first} – {last}"


def _draw_codes(axes: Any, summary: Counts, language: Language) -> None:
    refused = [(code, count) for code, count in summary.by_code.items() if code != "accepted"]
    shown, rest = refused[:_CODES_SHOWN], sum(count for _, count in refused[_CODES_SHOWN:])
    bars = [(choose(label(code), language), count) for code, count in shown]
    if rest:
        bars.append((choose(Words("all others", "其余"), language), rest))
    bars.reverse()
    drawn = axes.barh([name for name, _ in bars], [count for _, count in bars], color=_BAD)
    axes.bar_label(drawn, labels=[f"{count:,}" for _, count in bars], padding=4)
    axes.margins(x=0.1)
    axes.set_ylim(min(-0.6, len(bars) - 5.4), max(len(bars) - 0.4, 0.6))  # few bars are no thicker than many


def _draw_hours(axes: Any, summary: Counts, language: Language) -> None:
    def say(en: str, zh: str) -> str:
        return choose(Words(en, zh), language)

    by_hour = _span_of(summary) <= _HOURS_BY_HOUR
    counts: dict[Any, list[int]] = {}
    for hour, (good, bad) in summary.by_hour.items():
        start = hour.replace(tzinfo=None)  # in China's time already
        both = counts.setdefault(start if by_hour else start.replace(hour=0), [0, 0])
        both[0] += good
        both[1] += bad
    starts, width = list(counts), (1 / 24 if by_hour else 1.0) * 0.9
    accepted = [both[0] for both in counts.values()]
    axes.bar(starts, accepted, width, align="edge", color=_GOOD, label=say("accepted", "通过"))
    others = [both[1] for both in counts.values()]
    axes.bar(starts, others, width, align="edge", bottom=accepted, color=_BAD, label=say("not accepted", "未通过"))
    if starts:
        dates = _matplotlib("matplotlib.dates")
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=4, maxticks=14))
        axes.xaxis.set_major_formatter(dates.DateFormatter(_form_of_dates(_span_of(summary))))
    axes.set_title(
        say("By hour, China time", "按小时（北京时间）") if by_hour else say("By day, China time", "按日（北京时间）")
    )
    axes.set_ylabel(say("scans", "记录数"))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)  # above the bars


def _form_of_dates(hours: float) -> str:
    if hours < 24:
        return "%H:%M"  # the day stands in the title
    return "%m-%d %H:%M" if hours <= 72 else "%m-%d" if hours <= 24 * 300 else "%Y-%m-%d"


def _span_of(summary: Counts) -> float:
    """How many hours lie between the first and the last."""
    return (max(summary.by_hour) - min(summary.by_hour)).total_seconds() / 3600 if summary.by_hour else 0.0
