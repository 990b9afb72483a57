"""``ybtoken bulk``: verdicts on files of recorded scans, and a summary of them (extra ``bulk``)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ybtoken.cli.keyfiles import Ring, load_ring
from ybtoken.cli.speech import Lang, Language, Speaker, command, misuse_of
from ybtoken.cli.values import Scanned
from ybtoken.keys.keyset import dump_jwks

if TYPE_CHECKING:
    from ybtoken.bulk.run import Progress

__all__ = ["bulk"]


@command
def bulk(
    scans: Annotated[
        list[Path],
        typer.Argument(help="Files of scans (Parquet, CSV, JSON lines), or folders. / 扫码记录文件或目录。"),
    ],
    ring: Ring,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the verdicts. / 结果目录。")],
    text: Annotated[str, typer.Option(help="The column of texts. / 码文列。")] = "text",
    scanned_at: Annotated[str, typer.Option(help="The column of times. / 扫码时间列。")] = "scanned_at",
    tz: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="The zone of times without one: Asia/Shanghai, +08:00. / 无时区时间的时区。"),
    ] = None,
    scanned: Scanned = False,
    place: Annotated[
        list[str] | None,
        typer.Option(help="A column that says where; place and terminal by default. / 表示扫码地点的列。"),
    ] = None,
    journal: Annotated[
        list[Path] | None,
        typer.Option(help="A journal of an offline terminal, JSON lines. / 终端的离线受理记录（JSON Lines）。"),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of CSV files, such as gb18030. / CSV 的编码。")] = "utf-8",
    skew: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="Clocks may differ by this. / 时钟容差。")] = 10,
    max_lifetime: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="The longest life of a code. / 有效期上限。")
    ] = 300,
    native: Annotated[bool, typer.Option("--native", help="Use the native engine. / 使用原生引擎。")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Its threads. / 原生引擎的线程数。")] = 1,
    plot: Annotated[Path | None, typer.Option(help="Draw the summary: SVG, PNG, PDF. / 汇总图文件。")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as a JSON object. / 汇总以 JSON 输出。")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress. / 不显示进度。")] = False,
    lang: Lang = None,
) -> None:
    """Verify scans at the times they were recorded; start it again to go on after an interruption."""
    speaker = Speaker(lang)
    try:
        from ybtoken.bulk.columns import ScansError
        from ybtoken.bulk.plot import check_plot
        from ybtoken.bulk.run import verify_files
        from ybtoken.bulk.summary import PLACES, summarize
        from ybtoken.bulk.table import BulkVerifier
    except ModuleNotFoundError as error:
        raise misuse_of(error, zh="缺少可选组件：") from None
    one: Literal["en", "zh"] = "zh" if speaker.language is Language.ZH else "en"
    show = _Shown(speaker, quiet=quiet)
    try:
        if plot is not None:
            check_plot(plot, one)
        verifier = BulkVerifier(
            key_set=dump_jwks(load_ring(ring)),
            text=text,
            scanned_at=scanned_at,
            tz=tz,
            scanned=scanned,
            skew=skew,
            max_lifetime=max_lifetime,
            native=native,
            threads=threads,
        )
        done = verify_files(verifier, scans, out, journals=journal or (), encoding=encoding, progress=show)
        show.end()
        if earlier := done.rows - done.verified:
            speaker.note(
                f"{earlier:,} of {done.rows:,} rows were verified by an earlier run, {done.verified:,} by this one.",
                f"共 {done.rows:,} 行：先前的运行完成 {earlier:,} 行，本次完成 {done.verified:,} 行。",
            )
        summary = summarize(out, places=place or PLACES)
        if plot is not None:
            summary.plot(plot, one)
    except KeyboardInterrupt:
        show.end()
        speaker.note(
            f"Interrupted. The verdicts that are complete are in {out}; the same command goes on from there.",
            f"已中断。已完成的结果保存在 {out}；再次运行同一命令即可继续。",
        )
        raise
    except ModuleNotFoundError as error:
        raise misuse_of(error, zh="缺少可选组件：") from None
    except ScansError as error:
        show.end()
        raise misuse_of(error, zh="") from None
    except ValueError as error:
        raise misuse_of(error) from None
    if as_json:
        rows = {"rows_verified_now": done.verified, "rows_verified_before": earlier}
        typer.echo(json.dumps(summary.to_dict() | rows, ensure_ascii=True))
    elif speaker.language is Language.BOTH:
        typer.echo(f"{summary.text('en')}\n{summary.text('zh')}", nl=False)
    else:
        typer.echo(summary.text(one), nl=False)
    if as_json or quiet or not sys.stdout.isatty():  # the summary may have gone into a file
        for words in summary.warnings():
            speaker.note(f"WARNING: {words.en}", f"警告：{words.zh}")


class _Shown:
    """Progress on a terminal, once a second: rows, rate, and the time that is left."""

    def __init__(self, speaker: Speaker, *, quiet: bool) -> None:
        self._speaker = speaker
        self._shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._first: tuple[float, Progress] | None = None
        self._last = 0.0
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if not self._shown:
            return
        if self._first is None:
            if not self._last and progress.rows > progress.verified:
                self._line(f"resuming after {progress.rows:,} rows", f"从第 {progress.rows:,} 行之后继续")
            self._last = now
            if progress.verified:
                self._first = now, progress
            return
        if now - self._last < 1 and progress.share < 1:
            return
        self._last = now
        start, before = self._first
        seconds = max(now - start, 1e-9)
        rate = (progress.verified - before.verified) / seconds
        read = progress.share - before.share
        left = _clock(seconds * (1 - progress.share) / read) if read > 0 else "?"
        self._line(
            f"{progress.rows:,} rows, {progress.share:.0%}, {rate:,.0f}/s, {left} left",
            f"{progress.rows:,} 行，{progress.share:.0%}，每秒 {rate:,.0f} 行，剩余 {left}",
        )

    def _line(self, en: str, zh: str) -> None:
        line = zh if self._speaker.language is Language.ZH else en
        sys.stderr.write(f"\r{line:<{self._width}}")
        sys.stderr.flush()
        self._width = len(line)

    def end(self) -> None:
        """End the line, if there is one."""
        if self._width:
            sys.stderr.write("\n")
            self._width = 0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
