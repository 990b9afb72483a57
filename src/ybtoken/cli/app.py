"""The application that has all commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from ybtoken.cli import repository as _  # noqa: F401 - adds its commands to `ring`
from ybtoken.cli.audit import audit
from ybtoken.cli.bench import bench
from ybtoken.cli.bulk import bulk
from ybtoken.cli.challenge import challenge
from ybtoken.cli.check import check
from ybtoken.cli.device import device
from ybtoken.cli.diagnose import diagnose
from ybtoken.cli.inspect import inspect
from ybtoken.cli.issue import issue
from ybtoken.cli.keygen import keygen
from ybtoken.cli.passes import passes
from ybtoken.cli.qr import qr
from ybtoken.cli.ring import ring
from ybtoken.cli.speech import Lang
from ybtoken.cli.status import status
from ybtoken.cli.store import store
from ybtoken.cli.values import without_options

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks would show local variables, and so keys
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Medical-insurance e-vouchers: issue, draw, verify, redeem. / 医保电子凭证：签发、出码、验证、核销。",
    epilog="Exit codes: 0 accepted or done, 1 refused, 2 misuse. / 退出码：0 通过或完成，1 有拒绝，2 用法有误。",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("ybtoken"))
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version. / 显示版本。")
    ] = False,
    lang: Lang = None,
) -> None:
    pass


app.command("keygen", help="Make a signing key and enter it in a key ring. / 生成签名密钥，并登记到密钥环。")(keygen)
app.command("issue", help="Issue vouchers; prints their texts. / 签发凭证，输出码文。")(issue)
app.add_typer(passes, name="pass")
app.command("challenge", help="Print what a terminal asks a phone. / 输出终端挑战的码文。")(challenge)
app.command("qr", help="Draw a text as a QR code. / 将码文绘成二维码。")(qr)
app.command("verify", help="Verify texts, any number of times. / 验证码文（可重复）。")(
    without_options(check, "store", "terminal")
)
app.command("redeem", help="Verify texts and use each up. / 验证并核销码文。")(check)
app.command("inspect", help="Show what a text holds, UNVERIFIED. / 查看码文内容（未经验证）。")(inspect)
app.command("diagnose", help="Say why a text or a signature does not verify. / 分析码文或签名不能通过的原因。")(
    diagnose
)
app.add_typer(device, name="device")
app.command("bulk", help="Verify files of recorded scans. / 批量复核扫码记录（Parquet、CSV、JSON Lines 或目录）。")(
    bulk
)
app.command("bench", help="Measure this machine. / 测量本机速度。")(bench)
app.add_typer(store, name="store")
app.add_typer(ring, name="ring")
app.add_typer(status, name="status")
app.add_typer(audit, name="audit")
