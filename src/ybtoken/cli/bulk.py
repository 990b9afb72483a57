"""``ybtoken bulk``: verdicts on a Parquet file of recorded scans, and a summary of them (extra ``bulk``)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ybtoken.cli.keyfiles import Ring, load_ring
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command
from ybtoken.keys.keyset import dump_jwks

__all__ = ["bulk"]


@command
def bulk(
    scans: Annotated[Path, typer.Argument(help="A Parquet file of scans. / 扫码记录（Parquet）。")],
    ring: Ring,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the verdicts. / 结果目录。")],
    text: Annotated[str, typer.Option(help="The column of texts. / 码文列。")] = "text",
    scanned_at: Annotated[str, typer.Option(help="The column of times. / 扫码时间列。")] = "scanned_at",
    skew: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="Clocks may differ by this. / 时钟容差。")] = 10,
    max_lifetime: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="The longest life of a code. / 有效期上限。")
    ] = 300,
    native: Annotated[bool, typer.Option("--native", help="Use the native engine. / 使用原生引擎。")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Its cores. / 原生引擎的核数。")] = 1,
    plot: Annotated[Path | None, typer.Option(help="Draw the summary: SVG, PNG, PDF. / 汇总图文件。")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress. / 不显示进度。")] = False,
    lang: Lang = None,
) -> None:
    """Verify scans at the times they were recorded; start it again to go on after an interruption."""
    speaker = Speaker(lang)
    try:
        from ybtoken.bulk.parquet import verify_parquet
        from ybtoken.bulk.summary import summarize
        from ybtoken.bulk.table import BulkVerifier

        verifier = BulkVerifier(
            key_set=dump_jwks(load_ring(ring)),
            text=text,
            scanned_at=scanned_at,
            skew=skew,
            max_lifetime=max_lifetime,
            native=native,
            threads=threads,
        )
        if quiet or not sys.stderr.isatty():
            verified = verify_parquet(verifier, scans, out)
        else:
            with typer.progressbar(length=1, label=scans.name, file=sys.stderr) as bar:

                def show(done: int, total: int) -> None:
                    bar.length = total  # known only now
                    bar.update(done - bar.pos)

                verified = verify_parquet(verifier, scans, out, progress=show)
        summary = summarize(out, scanned_at=scanned_at)
        if plot is not None:
            summary.plot(plot)
    except ModuleNotFoundError as error:
        raise MisuseError(str(error), f"缺少可选组件：{error}") from None
    except ValueError as error:  # pyarrow's errors on files are of this family, too
        raise MisuseError(str(error), f"无法处理：{error}") from None
    if earlier := summary.total - verified:
        speaker.note(f"{earlier:,} rows had been verified by an earlier run.", f"其中 {earlier:,} 行由先前的运行完成。")
    typer.echo(summary.text(), nl=False)
