"""``ybtoken diagnose``: finds out why a text or a partner's signature does not verify; it gives no verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ybtoken.cli.keyfiles import load_public_key, load_ring
from ybtoken.cli.lines import read_lines
from ybtoken.cli.speech import REFUSED, Lang, MisuseError, Speaker, command
from ybtoken.cli.values import Files, Texts
from ybtoken.diagnosis import diagnose_text
from ybtoken.keys.diagnosis import Diagnosis, diagnose_signature
from ybtoken.keys.ring import KeyRing

__all__ = ["diagnose"]


@command
def diagnose(
    texts: Texts = None,
    files: Files = None,
    ring: Annotated[
        Path | None, typer.Option("--ring", "-r", help="Keys that may have signed. / 可能的签名密钥环。")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", "-k", help="The signer's public key, however spelled. / 签名方公钥文件。")
    ] = None,
    message: Annotated[
        Path | None, typer.Option("--message", "-m", help="What should have been signed. / 应签的报文文件。")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option("--signature", "-s", help="The signature, however spelled. / 签名文件。")
    ] = None,
    user_id: Annotated[
        list[str] | None, typer.Option("--user-id", help="An SM2 user id to try; repeatable. / 可能的 SM2 用户标识。")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line. / 逐行 JSON。")] = False,
    lang: Lang = None,
) -> None:
    """Say why texts, or a signature over a message, do not verify."""
    speaker = Speaker(lang)
    keys = KeyRing() if ring is None else load_ring(ring)
    ids = [each.encode() for each in user_id or ()]
    wrong = False
    if signature is not None or message is not None:
        if signature is None or message is None or (key is None and not len(keys)):
            raise MisuseError(
                "A signature needs --signature, --message, and --key or --ring.",
                "分析签名需要 --signature、--message，以及 --key 或 --ring。",
            )
        candidates = [entry.key for entry in keys.entries]
        if key is not None:
            candidates.insert(0, load_public_key(key, speaker=speaker))
        found = diagnose_signature(
            candidates[0], message.read_bytes(), signature.read_bytes(), user_ids=ids, others=candidates[1:]
        )
        wrong = _say(found, str(signature), speaker, as_json)
    else:
        if ring is None:
            raise MisuseError("Texts need --ring.", "分析码文需要 --ring。")
        for batch in read_lines(texts, files, speaker):
            for line in batch:
                wrong |= _say(diagnose_text(line.text, keys, user_ids=ids), line.place, speaker, as_json)
    if wrong:
        raise typer.Exit(REFUSED)


def _say(found: Diagnosis, place: str, speaker: Speaker, as_json: bool) -> bool:
    if as_json:
        fields = {"code": found.code, "what": found.what._asdict(), "remedy": found.remedy._asdict()}
        typer.echo(json.dumps({"place": place} | fields, ensure_ascii=False))
    elif found.good:
        speaker.say(f"{place}: good", f"{place}：正确")
    else:
        speaker.say(
            f"{place}: [{found.code}] {found.what.en} {found.remedy.en}",
            f"{place}：[{found.code}] {found.what.zh}{found.remedy.zh}",
        )
    return not found.good
