"""What ``ybtoken issue`` and ``ybtoken pass issue`` share: the options of an issuer, and its refusals as misuse."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ybtoken.algorithms import Algorithm
from ybtoken.cli.keyfiles import (
    KeyKind,
    load_ring,
    load_sealer,
    load_signing_key,
    passphrase_from,
)
from ybtoken.cli.speech import MisuseError, Speaker, misuse_of
from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.issuer import Issuer
from ybtoken.misuse import IssueError
from ybtoken.places import Scope
from ybtoken.voucher import IDENTITY_REF_SIZE, ref_from_hex
from ybtoken.words import BoundsError, Words

__all__ = [
    "Cipher",
    "IdentityRef",
    "IssuerKey",
    "IssuerKind",
    "IssuerRing",
    "Person",
    "SealingKey",
    "identity_ref_of",
    "issuer_and_sealer",
    "refusals_as_misuse",
]

IssuerKey = Annotated[Path, typer.Option("--key", "-k", help="The private key, PEM. / 私钥文件（PEM）。")]
IssuerRing = Annotated[
    Path | None,
    typer.Option("--ring", "-r", help="Take the key's scope and algorithm from this ring. / 从密钥环取范围和算法。"),
]
IssuerKind = Annotated[
    KeyKind | None, typer.Option("--alg", help="The key's algorithm, if no ring says. / 算法（未给密钥环时）。")
]
IdentityRef = Annotated[
    str | None,
    typer.Option("--ref", metavar="HEX", help="The identity reference; else random. / 身份引用，默认随机。"),
]
Person = Annotated[
    int | None, typer.Option(help="A person number to seal; needs --sealing-key. / 人员编号，须配 --sealing-key。")
]
SealingKey = Annotated[Path | None, typer.Option(help="The sealing key's file, hex. / 身份加密密钥文件。")]
Cipher = Annotated[
    BlockCipher | None,
    typer.Option(
        case_sensitive=False,
        help="What seals; SM4 by default with SM2 keys. / 身份加密算法；SM2 密钥默认 SM4。",
    ),
]


def issuer_and_sealer(
    key: Path,
    ring: Path | None,
    kind: KeyKind | None,
    sealing_key: Path | None,
    cipher: BlockCipher | None,
    *,
    passphrase_file: Path | None,
    passphrase_env: str | None,
    speaker: Speaker,
    lifetime: int,
) -> tuple[Issuer, IdentitySealer | None]:
    """The issuer that the options describe, and what seals its person numbers, if there is a sealing key.

    The lifetime is that of its vouchers and of its passes, because a command issues one of the two.
    """
    passphrase = passphrase_from(passphrase_file, passphrase_env, speaker)
    keys = None if ring is None else load_ring(ring)
    signing_key = load_signing_key(key, passphrase, kind=kind, ring=keys, speaker=speaker)
    if keys is not None and signing_key.kid not in keys:
        raise MisuseError(f"{ring} has no entry for {key}.", f"{ring} 中没有 {key} 的条目。")
    scope = Scope() if keys is None else keys[signing_key.kid].scope
    sm2_only = signing_key.algorithm is Algorithm.SM2 if keys is None else keys.sm2_only
    cipher = cipher or BlockCipher.default(sm2_only=sm2_only)
    sealer = None if sealing_key is None else load_sealer(sealing_key, cipher, speaker)
    return Issuer(signing_key, scope=scope, lifetime=lifetime, pass_lifetime=lifetime), sealer


def identity_ref_of(sealer: IdentitySealer | None, stated: str | None, person: Any, at: int) -> bytes:
    """The identity reference that is stated, or a sealed person number, or a random one; or `BoundsError`."""
    if stated is not None and person is not None:
        raise BoundsError(
            "an identity reference and a person number: one of them is enough", "身份引用与人员编号只能给一个"
        )
    if stated is not None:
        return ref_from_hex(Words("an identity reference", "身份引用"), stated)
    if person is None:
        return secrets.token_bytes(IDENTITY_REF_SIZE)
    if sealer is None:
        raise BoundsError("a person number needs --sealing-key", "给出人员编号时须配 --sealing-key")
    if isinstance(person, bool) or not isinstance(person, int) or not 0 <= person < 1 << 64:
        raise BoundsError("a person number is an integer of 64 bits", "人员编号应为 64 位以内的非负整数")
    return sealer.seal(person, at=at)


@contextmanager
def refusals_as_misuse(place: str = "") -> Iterator[None]:
    """Say what an issuer refuses as misuse of the command line, after the place of the record."""
    try:
        yield
    except IssueError as error:
        what, remedy = error.what, error.remedy
        raise MisuseError(
            f"{place}[{error.code}] {what.en} {remedy.en}", f"{place}[{error.code}] {what.zh}{remedy.zh}"
        ) from None
    except (ValueError, TypeError) as error:
        raise misuse_of(error, place, f"{place}无法签发：") from None
