"""The output of ``verify`` and ``redeem``: a line for each verdict, progress of long work, and a summary."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import typer

from ybtoken.cli.lines import Line
from ybtoken.cli.speech import Speaker
from ybtoken.errors import TokenError
from ybtoken.places import describe_place
from ybtoken.verified import VerifiedVoucher
from ybtoken.vocabulary import describe_purposes
from ybtoken.words import Words

__all__ = ["Report"]

_LONG_WORK = 2.0
"""Work that takes more seconds than this shows its progress once a second."""


class Report:
    """Prints verdicts as they come: results to standard output, everything else to standard error.

    Args:
        speaker: speaks the language of the output.
        as_json: whether to print JSON lines, which have both languages.
        quiet: whether to print verdicts only.
        redeemed: whether the tokens were used up, and not only verified.

    Attributes:
        refused: how many were refused, by code.
    """

    def __init__(self, speaker: Speaker, *, as_json: bool, quiet: bool, redeemed: bool) -> None:
        self.refused: Counter[str] = Counter()
        self._accepted = 0
        self._speaker = speaker
        self._render = self._as_json if as_json else self._as_words
        self._quiet = quiet
        self._good = Words("redeemed", "已核销") if redeemed else Words("good", "有效")
        self._started = self._shown = time.monotonic()
        self._on_terminal = sys.stderr is not None and sys.stderr.isatty()

    def add(self, lines: Iterable[Line], verdicts: Iterable[VerifiedVoucher | TokenError]) -> None:
        """Print the verdicts on some lines."""
        rows = []
        for line, verdict in zip(lines, verdicts, strict=True):
            if isinstance(verdict, TokenError):
                self.refused[verdict.code] += 1
            else:
                self._accepted += 1
            rows.append(self._render(line, verdict))
        typer.echo("\n".join(rows))
        self._progress()

    def finish(self) -> None:
        """Print the summary of more than one verdict."""
        total = self._accepted + self.refused.total()
        if self._quiet or total < 2:
            return
        seconds = max(time.monotonic() - self._started, 1e-9)
        codes = ", ".join(f"{code} {count:,}" for code, count in self.refused.most_common())
        self._speaker.note(
            f"{total:,} codes in {seconds:.1f} s: {self._accepted:,} {self._good.en}, "
            f"{self.refused.total():,} refused{f' ({codes})' if codes else ''}",
            f"{total:,} 个码，用时 {seconds:.1f} 秒：{self._accepted:,} 个{self._good.zh}，"
            f"{self.refused.total():,} 个被拒{f'（{codes}）' if codes else ''}",
        )

    def _progress(self) -> None:
        now = time.monotonic()
        if self._quiet or not self._on_terminal or now - self._shown < 1 or now - self._started < _LONG_WORK:
            return
        self._shown = now
        total = self._accepted + self.refused.total()
        rate = total / (now - self._started)
        self._speaker.note(f"... {total:,} codes, {rate:,.0f}/s", f"…… {total:,} 个码，每秒 {rate:,.0f} 个")

    def _as_words(self, line: Line, verdict: VerifiedVoucher | TokenError) -> str:
        if isinstance(verdict, TokenError):
            what, remedy = verdict.what, verdict.remedy
            words = Words(f"{what.en} {remedy.en}", f"{what.zh}{remedy.zh}")
            mark = typer.style(self._speaker.choose(Words("REFUSED", "拒绝")), fg="red", bold=True)
            return f"{line.place}: {mark} [{verdict.code}] {self._speaker.choose(words)}"
        mark = typer.style(self._speaker.choose(self._good), fg="green", bold=True)
        return f"{line.place}: {mark}  {self._speaker.choose(_describe(verdict))}"

    def _as_json(self, line: Line, verdict: VerifiedVoucher | TokenError) -> str:
        # ASCII only, so that no terminal or pipe can damage it. The text is left out, because it may still be valid.
        row: dict[str, Any] = {"source": line.source, "line": line.number}
        if isinstance(verdict, TokenError):
            row |= {"accepted": False, "error": verdict.to_dict()}
        else:
            row |= {"accepted": True, "voucher": verdict.to_dict()}
        return json.dumps(row)


def _describe(voucher: VerifiedVoucher) -> Words:
    place, left = describe_place(voucher.city_code), voucher.expires_at - voucher.verified_at
    purpose = voucher.purpose
    business = Words("", "")
    if purpose is not None:
        names = describe_purposes(purpose)
        business = Words(f"; for {names.en}", f"；业务 {names.zh}")
    return Words(
        f"insured in {place.en}; issued by {voucher.issuer}{business.en}; {left} s left",
        f"参保地 {place.zh}；签发机构 {voucher.issuer}{business.zh}；剩余 {left} 秒",
    )
