"""``ybtoken device check``: tests a signing device before vouchers depend on it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm
from ybtoken.cli.keyfiles import KeyKind, PassphraseEnv, PassphraseFile, passphrase_from
from ybtoken.cli.speech import REFUSED, Lang, MisuseError, Speaker, command, misuse_of, of_group
from ybtoken.devices.checked import DeviceError

if TYPE_CHECKING:
    from ybtoken.devices.pkcs11 import Pkcs11SigningKey
    from ybtoken.devices.sdf import SdfSigningKey

__all__ = ["device"]

device = typer.Typer(callback=of_group, no_args_is_help=True, help="Try a signing device. / 检测签名设备。")


@device.command("check", help="Sign and verify with a device's key. / 用设备密钥签名并验证。")
@command
def check_device(
    library: Annotated[Path, typer.Argument(help="The vendor's library (.so, .dll). / 厂商的动态库。")],
    index: Annotated[
        int | None, typer.Option("--index", help="SDF (GM/T 0018): the key's index. / SDF 密钥索引。")
    ] = None,
    token: Annotated[str | None, typer.Option("--token", help="PKCS#11: the token's label. / PKCS#11 令牌名。")] = None,
    label: Annotated[str | None, typer.Option("--label", help="PKCS#11: the key's label. / PKCS#11 密钥标签。")] = None,
    kind: Annotated[KeyKind, typer.Option("--alg", help="PKCS#11: the algorithm. / 算法。")] = KeyKind.ES256,
    mechanism: Annotated[
        int | None, typer.Option("--mechanism", help="PKCS#11: the vendor's number for SM2. / 厂商的 SM2 机制号。")
    ] = None,
    user_id: Annotated[str | None, typer.Option("--user-id", help="SM2's user id. / SM2 用户标识。")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many signatures. / 签名次数。")] = 300,
    threads: Annotated[int, typer.Option("--threads", min=1, help="At once. / 并发线程数。")] = 8,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    lang: Lang = None,
) -> None:
    """Open a device, sign, verify each signature, and say how fast it was or what failed."""
    speaker = Speaker(lang)
    if (index is None) == (token is None):
        raise MisuseError("Give --index (SDF) or --token (PKCS#11).", "请给出 --index（SDF）或 --token（PKCS#11）。")
    secret = passphrase_from(passphrase_file, passphrase_env, speaker)()
    name = DEFAULT_USER_ID if user_id is None else user_id.encode()
    try:
        key = _open(library, index, token, label, kind.algorithm, mechanism, name, secret)
        speaker.say(f"{key!r}", f"{key!r}")
        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda number: key.sign(number.to_bytes(4, "big") * 40), range(count)))
    except (DeviceError, ImportError) as error:
        speaker.say(
            f"FAILED: {error.en if isinstance(error, DeviceError) else error}",
            f"失败：{error.zh if isinstance(error, DeviceError) else error}",
        )
        raise typer.Exit(REFUSED) from None
    except ValueError as error:
        raise misuse_of(error) from None
    rate = count / (time.perf_counter() - started)
    speaker.say(
        f"{count} signatures of {threads} threads, each verified: good, {rate:.0f} a second",
        f"{threads} 线程共签名 {count} 次，逐一验证通过，每秒 {rate:.0f} 次",
    )


def _open(
    library: Path,
    index: int | None,
    token: str | None,
    label: str | None,
    algorithm: Algorithm,
    mechanism: int | None,
    user_id: bytes,
    secret: bytes,
) -> SdfSigningKey | Pkcs11SigningKey:
    if index is not None:
        from ybtoken.devices.sdf import SdfSigningKey

        return SdfSigningKey(str(library), index=index, password=secret, user_id=user_id)
    from ybtoken.devices.pkcs11 import Pkcs11SigningKey

    return Pkcs11SigningKey(
        str(library),
        token=token or "",
        pin=secret.decode(),
        label=label,
        algorithm=algorithm,
        mechanism=mechanism,
        user_id=user_id,
    )
