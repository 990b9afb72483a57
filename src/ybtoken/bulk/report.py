"""The summary as a text, in the language of its reader (extra ``bulk``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from ybtoken.bulk.counts import CHINA, Counts
from ybtoken.places import PROVINCES
from ybtoken.refusals import BY_CODE
from ybtoken.words import Words

__all__ = ["LABELS", "Language", "choose", "label", "render"]

Language: TypeAlias = Literal["en", "zh"]
"""The languages of summaries."""

LABELS = {
    "accepted": Words("accepted", "通过"),
    "scan.no_text": Words("no text in the row", "无码文"),
    "scan.not_text": Words("text is not UTF-8", "码文不是 UTF-8"),
    "scan.no_time": Words("no time in the row", "无扫码时间"),
    "text.length": Words("wrong length", "长度不符"),
    "text.digits": Words("other characters than digits", "含非数字字符"),
    "text.prefix": Words("another kind of code", "不是医保码"),
    "text.beginning": Words("beginning lost or misread", "开头缺失或误读"),
    "text.range": Words("damaged digits", "数字读取有误"),
    "text.check": Words("wrong check digits", "校验位不符"),
    "envelope.shape": Words("malformed token", "结构不符"),
    "key.unknown": Words("unknown issuer's key", "签发密钥未知"),
    "key.ring_expired": Words("issuers' keys out of date here", "本机密钥列表已过期"),
    "key.ring_unavailable": Words("no issuers' keys here", "本机无密钥列表"),
    "signature.invalid": Words("bad signature", "签名无效"),
    "device.signature": Words("bad phone's signature", "手机签名无效"),
    "claims.shape": Words("malformed claims", "内容格式不符"),
    "claims.profile": Words("another profile was signed", "类型与签名不一致"),
    "time.future": Words("issued in the future", "签发时间晚于扫码时间"),
    "time.expired": Words("expired", "已过期"),
    "time.lifetime": Words("lifetime above the limit", "有效期超过上限"),
    "presentation.future": Words("shown in the future", "出示时间晚于扫码时间"),
    "presentation.expired": Words("shown too long ago", "出示时间已超限"),
    "otp.wrong": Words("wrong one-time code", "动态码不符"),
    "otp.throttled": Words("too many wrong one-time codes", "错误动态码过多"),
    "otp.unavailable": Words("one-time code, not checked in bulk", "动态码无法在此校验"),
    "scope.period": Words("key not in force then", "密钥当时不在有效期"),
    "scope.withdrawn": Words("key withdrawn", "密钥已停用"),
    "scope.place": Words("place outside the issuer's scope", "参保地超出签发范围"),
}
"""Short names of the verdicts that a bulk run can give (steps 1 to 7)."""

_DOUBLES_SHOWN = 10
_HOURS_SHOWN = 48
_BAR = 30


def label(code: str) -> Words:
    """What a verdict is called in a summary; a refusal without a short name by its sentence, if that has no facts."""
    if code in LABELS:
        return LABELS[code]
    words = BY_CODE[code].what if code in BY_CODE else Words(code, code)
    return Words(code, code) if "{" in words.en else Words(words.en.rstrip("."), words.zh.rstrip("。"))


def choose(words: Words, language: Language) -> str:
    """The sentence in one language."""
    return words.zh if language == "zh" else words.en


def render(summary: Counts, language: Language) -> str:
    """The summary as lines of text, each ended by a line feed."""

    def say(en: str, zh: str) -> str:
        return choose(Words(en, zh), language)

    lines = [say(f"scans {summary.total:,}", f"扫码记录 {summary.total:,} 条")]
    lines += [
        _line(count, summary.total, f"{code:<20} {choose(label(code), language)}")
        for code, count in summary.by_code.items()
    ]
    if summary.cleaned:
        lines.append(
            say(
                f"{summary.cleaned:,} accepted without what a scanner had added",
                f"其中 {summary.cleaned:,} 条去除扫码枪附加字符后通过",
            )
        )
    if summary.by_province:
        lines += ["", say("by insured place (good signatures)", "按参保地（签名有效者）")]
        for province, count in summary.by_province.items():
            name = choose(PROVINCES.get(province, Words(province, province)), language)
            lines.append(_line(count, summary.total, name))
    if summary.by_hour:
        lines += ["", *_hours(summary, language)]
    if summary.journal:
        counts = say(", ", "，").join(f"{code} {count:,}" for code, count in summary.journal.items())
        total = sum(summary.journal.values())
        lines += ["", say(f"rows of journals {total:,}: {counts}", f"离线受理记录 {total:,} 条：{counts}")]
    lines += ["", *_doubles(summary, language)]
    lines += [f"{say('WARNING: ', '警告：')}{choose(words, language)}" for words in summary.warnings()]
    return "\n".join(lines) + "\n"


def _line(count: int, total: int, name: str) -> str:
    return f"{count:>12,}  {count / total:>7.2%}  {name}".rstrip()


def _hours(summary: Counts, language: Language) -> Iterator[str]:
    """A line for each hour, or for each day if the scans span more than two days."""
    hours = dict(summary.by_hour)
    form = "%Y-%m-%d %H:%M"
    title = Words("by hour, China time: accepted, others", "按小时（北京时间）：通过、其他")
    if len({(hour.date(), hour.hour) for hour in hours}) > _HOURS_SHOWN:
        days: dict[str, tuple[int, int]] = {}
        for hour, (good, bad) in hours.items():
            before = days.get(day := hour.strftime("%Y-%m-%d"), (0, 0))
            days[day] = before[0] + good, before[1] + bad
        shown, title = days, Words("by day, China time: accepted, others", "按日（北京时间）：通过、其他")
    else:
        shown = {hour.strftime(form): counts for hour, counts in hours.items()}
    yield choose(title, language)
    most = max(good + bad for good, bad in shown.values())
    for number, (name, (good, bad)) in enumerate(shown.items()):
        if number == 2 * _HOURS_SHOWN:
            yield f"  ... {len(shown) - number:,}"
            return
        yield f"  {name} {good:>12,} {bad:>12,}  {'#' * round(_BAR * (good + bad) / most)}".rstrip()


def _doubles(summary: Counts, language: Language) -> Iterator[str]:
    doubles = summary.doubles
    if not doubles.displays:
        yield choose(Words("no display was accepted more than once", "没有重复通过的码"), language)
        return
    yield choose(
        Words(
            f"displays accepted more than once {doubles.displays:,}, of them only by a journal "
            f"{doubles.by_journals:,}; all in _doubles.jsonl",
            f"重复通过的码 {doubles.displays:,} 个，其中仅因离线受理记录而重复 {doubles.by_journals:,} 个；"
            "明细见 _doubles.jsonl",
        ),
        language,
    )
    journal = choose(Words("journal, ", "离线受理记录，"), language)
    for double in doubles.listed[:_DOUBLES_SHOWN]:
        yield f"  {double.display.hex()}"
        for scan in double.scans[:4]:
            where = f"{journal if scan.journal else ''}{scan.source}:{scan.row:,}"
            yield f"    {scan.at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}  {scan.place or '-'}  ({where})"
        if double.times > 4:
            yield f"    ... {double.times - 4:,}"
    if doubles.displays > _DOUBLES_SHOWN:
        yield f"  ... {doubles.displays - _DOUBLES_SHOWN:,}"
