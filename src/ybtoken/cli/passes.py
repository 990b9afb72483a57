"""``ybtoken pass``: issues passes, and shows what a phone would show of them.

A pass's file is what a phone keeps of it, in JSON: ``pass``, the bytes of the pass in hexadecimal, and for a rotating
pass ``secret``, its secret in hexadecimal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ybtoken.cli.challenge import ChallengeText, challenge_of
from ybtoken.cli.issuing import (
    Cipher,
    IdentityRef,
    IssuerKey,
    IssuerKind,
    IssuerRing,
    Person,
    SealingKey,
    identity_ref_of,
    issuer_and_sealer,
    refusals_as_misuse,
)
from ybtoken.cli.keyfiles import (
    PassphraseEnv,
    PassphraseFile,
    load_codes,
    load_public_key,
    load_signing_key,
    passphrase_from,
    read_private,
    write_private,
)
from ybtoken.cli.ring import AsJson, say_json
from ybtoken.cli.speech import Lang, MisuseError, Speaker, command, of_group
from ybtoken.cli.values import Now, with_claim_options
from ybtoken.errors import TokenError
from ybtoken.keys.device import device_key_of
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingPass
from ybtoken.trust.changes import time_words
from ybtoken.voucher import OPTIONAL_CLAIMS, DeviceKey, Profile
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims

__all__ = ["passes"]

passes = typer.Typer(
    callback=of_group,
    no_args_is_help=True,
    help="Passes, from which a phone makes codes offline: issue, show. / 通行凭证：签发、出示。",
)


@passes.command("issue", help="Issue a pass into a file, as a phone keeps it. / 签发通行凭证，写入文件。")
@command
@with_claim_options
def issue_pass(
    city_code: Annotated[
        str, typer.Argument(metavar="CITY_CODE", help="The insured place, six digits. / 参保地，六位数字。")
    ],
    *,
    key: IssuerKey,
    out: Annotated[Path, typer.Option("--out", "-o", help="The pass's new file. / 通行凭证新文件。")],
    master_key: Annotated[
        Path | None,
        typer.Option(
            "--master-key", help="A rotating pass: the master key's file, hex. / 动态码凭证：主密钥文件（十六进制）。"
        ),
    ] = None,
    device_key: Annotated[
        Path | None,
        typer.Option(
            "--device-key", help="A device-bound pass: the phone's public key. / 设备绑定凭证：手机公钥文件。"
        ),
    ] = None,
    ring: IssuerRing = None,
    kind: IssuerKind = None,
    identity_ref: IdentityRef = None,
    person: Person = None,
    sealing_key: SealingKey = None,
    cipher: Cipher = None,
    lifetime: Annotated[int, typer.Option("--lifetime", min=1, help="Seconds the pass is valid. / 有效秒数。")] = 12
    * 3600,
    now: Now = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    as_json: AsJson = False,
    lang: Lang = None,
    **claims: Any,
) -> None:
    """Issue a rotating or a device-bound pass, and write what the phone keeps of it."""
    speaker = Speaker(lang)
    if (master_key is None) == (device_key is None):
        raise MisuseError(
            "Give --master-key for a rotating pass, or --device-key for a device-bound pass.",
            "动态码凭证请给出 --master-key，设备绑定凭证请给出 --device-key，二者择一。",
        )
    codes = None if master_key is None else load_codes(master_key, speaker)
    phone = None if device_key is None else load_public_key(device_key)
    issuer, sealer = issuer_and_sealer(
        key,
        ring,
        kind,
        sealing_key,
        cipher,
        passphrase_file=passphrase_file,
        passphrase_env=passphrase_env,
        speaker=speaker,
        lifetime=lifetime,
    )
    at = int(time.time()) if now is None else now
    secret = None
    with refusals_as_misuse():
        holder = identity_ref_of(sealer, identity_ref, person, at)
        optional = {claim.name: claim.from_text(claims[claim.name]) for claim in OPTIONAL_CLAIMS}
        if phone is not None:
            issued = issuer.issue_device_bound_pass(holder, city_code, phone, now=at, **optional)
        else:
            issued = issuer.issue_rotating_pass(holder, city_code, now=at, **optional)
        if codes is not None:
            secret = codes.enrol(issued).secret
    kept = {"pass": issued.data.hex()} | ({} if secret is None else {"secret": secret.hex()})
    write_private(out, json.dumps(kept).encode() + b"\n")
    voucher = issued.voucher
    if as_json:
        fields = {"profile": voucher.profile.value, "issued_at": at, "expires_at": voucher.expires_at}
        say_json({"file": str(out)} | fields | {"status_index": voucher.status_index})
        return
    end = time_words(voucher.expires_at)
    name = (
        ("device-bound pass", "设备绑定凭证")
        if secret is None
        else ("rotating pass, with its secret", "动态码凭证（含密钥）")
    )
    speaker.say(f"{out}: {name[0]}, until {end}", f"{out}：{name[1]}，有效至 {end}")


@passes.command("show", help="Print the text that the phone would show now. / 输出手机此刻出示的码文。")
@command
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The pass's file. / 通行凭证文件。")],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", "-k", help="A device-bound pass: the phone's private key. / 设备绑定凭证：手机私钥文件。"
        ),
    ] = None,
    challenge: ChallengeText = None,
    now: Now = None,
    passphrase_file: PassphraseFile = None,
    passphrase_env: PassphraseEnv = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Show a pass as its phone does: with the one-time code of now, or signed with the phone's key."""
    speaker = Speaker(lang)
    asked = challenge_of(challenge)
    data, secret, bound_to = _load(file, speaker)
    at = int(time.time()) if now is None else now
    if bound_to is None:
        if key is not None or asked is not None:
            raise MisuseError(
                f"{file} is a rotating pass: it takes no --key, and cannot answer a --challenge.",
                f"{file} 是动态码凭证：不需要 --key，也不能应答 --challenge。",
            )
        text = RotatingPass(data, secret).present(now=at)
    else:
        if key is None:
            raise MisuseError(
                f"{file} is a device-bound pass: give the phone's private key with --key.",
                f"{file} 是设备绑定凭证：请用 --key 给出手机私钥。",
            )
        passphrase = passphrase_from(passphrase_file, passphrase_env, speaker)
        text = _signed(data, bound_to, key, passphrase, asked, at, speaker)
    if as_json:
        profile = Profile.ROTATING if bound_to is None else Profile.DEVICE_BOUND
        say_json({"text": text, "profile": profile.value, "shown_at": at})
    else:
        typer.echo(text)


def _signed(
    data: bytes,
    bound_to: DeviceKey,
    key: Path,
    passphrase: Callable[[], bytes],
    asked: Challenge | None,
    at: int,
    speaker: Speaker,
) -> str:
    signing_key = load_signing_key(key, passphrase, kind=None, ring=None, speaker=speaker)
    if device_key_of(signing_key.verifying_key) != bound_to:
        raise MisuseError(f"The pass is bound to another key than {key}.", f"该通行凭证绑定的密钥不是 {key}。")
    return DeviceBoundPass(data, signing_key).present(challenge=asked, now=at)


def _load(file: Path, speaker: Speaker) -> tuple[bytes, bytes, DeviceKey | None]:
    """The bytes of a pass, its secret, and the key to which it is bound; a rotating pass has only the secret."""
    try:
        kept = json.loads(read_private(file, speaker))
        data, secret = bytes.fromhex(kept.pop("pass")), bytes.fromhex(kept.pop("secret", ""))
        claims = parse_claims(cut_envelope(data)[1])
        sizes = {Profile.ROTATING: 32, Profile.DEVICE_BOUND: 0}
        if kept or sizes.get(Profile(claims.profile)) != len(secret):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, TokenError):
        # Not chained, because its message might quote the file.
        raise MisuseError(
            f"{file} is no pass's file, as `ybtoken pass issue` writes it.",
            f"{file} 不是 ybtoken pass issue 写出的通行凭证文件。",
        ) from None
    return data, secret, claims.device_key
