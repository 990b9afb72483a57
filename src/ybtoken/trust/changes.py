"""The differences between two rings, in words for a person who publishes or updates a ring."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ybtoken.keys.ring import FOREVER, KeyEntry, KeyRing
from ybtoken.words import Words

__all__ = ["RingChange", "changes_between", "time_words"]


class RingChange(NamedTuple):
    """One difference between two rings."""

    kid: bytes
    what: Words
    """Such as "Zhejiang 3f2a...: withdrawn since 2026-05-01 14:05:00+08:00"."""
    lifts_withdrawal: bool = False
    """Whether tokens that were refused because their key was withdrawn would be accepted again."""


def changes_between(old: KeyRing, new: KeyRing) -> list[RingChange]:
    """Every difference between two rings; those of keys that are in both come first."""
    found: list[RingChange] = []
    for kid in old:
        if kid in new:
            found += _changed(old[kid], new[kid])
        else:
            found.append(
                _change(old[kid], "removed: no code signed with it is accepted", "已移除：其签发的码一律不受理")
            )
    for kid in new:
        if kid not in old:
            entry = new[kid]
            period = _period(entry)
            withdrawn = _withdrawn(entry)
            found.append(
                _change(
                    entry,
                    f"added, {entry.key.algorithm.name}, scope {entry.scope}, {period.en}; {withdrawn.en}",
                    f"新增，{entry.key.algorithm.name}，范围 {entry.scope}，{period.zh}；{withdrawn.zh}",
                )
            )
    return found


def _changed(old: KeyEntry, new: KeyEntry) -> list[RingChange]:
    found = []
    if old.withdrawn_since != new.withdrawn_since:
        words = _withdrawn(new)
        lifts = old.withdrawn_since is not None and (
            new.withdrawn_since is None or new.withdrawn_since > old.withdrawn_since
        )
        before = "" if old.withdrawn_since is None else f" (before: since {time_words(old.withdrawn_since)})"
        earlier = "" if old.withdrawn_since is None else f"（原为 {time_words(old.withdrawn_since)}）"
        found.append(_change(new, words.en + before, words.zh + earlier, lifts=lifts))
    if (old.not_before, old.not_after) != (new.not_before, new.not_after):
        was, now = _period(old), _period(new)
        found.append(_change(new, f"{now.en} (before: {was.en})", f"{now.zh}（原为 {was.zh}）"))
    for en, zh, before, after in (
        ("scope", "范围", str(old.scope), str(new.scope)),
        ("issuer", "签发机构", old.issuer, new.issuer),
        ("algorithm", "算法", old.key.algorithm.name, new.key.algorithm.name),
        ("use", "用途", old.use.value, new.use.value),
        ("status list", "状态列表", old.status_uri or "none", new.status_uri or "none"),
        ("SM2 user id", "SM2 用户标识", _user_id(old), _user_id(new)),
    ):
        if before != after:
            found.append(_change(new, f"{en} {after} (before: {before})", f"{zh} {after}（原为 {before}）"))
    return found


def _change(entry: KeyEntry, en: str, zh: str, *, lifts: bool = False) -> RingChange:
    name = f"{entry.issuer} {entry.kid.hex()}"
    return RingChange(entry.kid, Words(f"{name}: {en}", f"{name}：{zh}"), lifts)


def _withdrawn(entry: KeyEntry) -> Words:
    if entry.withdrawn_since is None:
        return Words("not withdrawn", "未停用")
    at = time_words(entry.withdrawn_since)
    return Words(f"withdrawn since {at}", f"自 {at} 起停用")


def _period(entry: KeyEntry) -> Words:
    begin = time_words(entry.not_before) if entry.not_before else None
    end = time_words(entry.not_after) if entry.not_after != FOREVER else None
    if begin is None and end is None:
        return Words("without an end", "长期有效")
    return Words(
        " ".join(part for part in (f"from {begin}" if begin else "", f"until {end}" if end else "") if part),
        "".join(part for part in (f"自 {begin} " if begin else "", f"至 {end}" if end else "") if part),
    )


def _user_id(entry: KeyEntry) -> str:
    return getattr(entry.key, "user_id", b"").hex()


def time_words(seconds: int) -> str:
    """A time in this machine's zone, with its offset."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ")
