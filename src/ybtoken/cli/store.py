"""``ybtoken store``: the store of used codes that terminals share."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ybtoken.cli.guards import redis_guard
from ybtoken.cli.journal import begin_anew, handed_in, journal
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command, of_group
from ybtoken.errors import TokenError

__all__ = ["store"]

store = typer.Typer(
    callback=of_group,
    no_args_is_help=True,
    help="The store of used codes: shared (Redis), or a terminal's file. / 已用码存储：共用（Redis）或本机文件。",
)
store.command("journal", help="Write a terminal's journal as JSON lines. / 导出终端离线受理记录（JSON Lines）。")(
    journal
)
store.command("handed-in", help="Remove rows that were handed in. / 删除已上报的记录。")(handed_in)
store.command(
    "begin-anew", help="Let a file remember from now on, after a restored backup. / 恢复备份后，让文件从现在起记录。"
)(begin_anew)


@store.command("prepare", help="Let a new store remember from now on. / 让新存储从现在起记录。")
@command
def prepare(
    url: Annotated[str, typer.Argument(help="redis://, rediss:// or unix:// / 存储地址。", show_default=False)],
    first_use: Annotated[
        bool,
        typer.Option(
            "--first-use",
            help="No code was ever redeemed with it; never state this after a loss. "
            "/ 从未核销过任何码；丢失记录后切勿使用。",
        ),
    ] = False,
    cluster: Annotated[bool, typer.Option("--cluster", help="The address is a cluster's. / 地址为集群。")] = False,
    prefix: Annotated[str, typer.Option(help="What names of keys begin with. / 键名前缀。")] = "ybtoken",
    lang: Lang = None,
) -> None:
    """Prepare a store, so that its first start refuses no code."""
    speaker = Speaker(lang)
    guard = redis_guard(url, cluster=cluster, prefix=prefix)
    try:
        begun = guard.prepare(first_use=first_use)
    except ValueError:
        raise MisuseError(
            "The store holds claims already: leave out --first-use.", "存储中已有记录：请去掉 --first-use。"
        ) from None
    except TokenError as error:
        what, hint = error.what, error.hint
        raise MisuseError(f"[{error.code}] {what.en} {hint.en}", f"[{error.code}] {what.zh}{hint.zh}") from None
    finally:
        guard.close()
    if not begun:
        speaker.say(
            "The store is prepared: no code is refused for its age.", "存储已就绪：任何码都不会因签发时间被拒绝。"
        )
        return
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(begun))
    speaker.say(
        f"The store remembers used codes since {at}. Codes issued more than 2 x skew after that are accepted: with the "
        f"default skew, 21 s after it.",
        f"存储自 {at} 起有记录；此后再过 2 倍 skew（默认即 21 秒后）签发的码可正常受理。",
    )
