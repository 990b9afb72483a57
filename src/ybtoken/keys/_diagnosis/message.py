"""What a signer may have signed instead of the message: another encoding of it, a digest, another COSE structure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress

import cbor2
from cryptography.hazmat.primitives import hashes

from ybtoken.keys._diagnosis.deviation import Deviation
from ybtoken.wire.cbor import load_plain
from ybtoken.words import Words

__all__ = ["alternatives", "sha256", "sm3"]

_BYTES = Words(
    "Sign the message's bytes as they are: open the file in binary mode, and convert nothing.",
    "请对报文的原始字节签名：以二进制方式读取，不做任何转换。",
)
_ONCE = Words(
    "Give the message itself to the function that signs: it hashes by itself.",
    "请将报文本身交给签名函数，由其自行计算摘要。",
)
_COSE = Words(
    "Sign the Sig_structure of RFC 9052 section 4.4, with the protected header byte for byte as the token has it: "
    "alg (1) before kid (4).",
    "请对 RFC 9052 第 4.4 节的 Sig_structure 签名；保护头与凭证中逐字节一致：alg（1）在 kid（4）之前。",
)


def sm3(data: bytes) -> bytes:
    """SM3 of the data."""
    state = hashes.Hash(hashes.SM3())
    state.update(data)
    return state.finalize()


def sha256(data: bytes) -> bytes:
    """SHA-256 of the data."""
    return hashlib.sha256(data).digest()


def _deviation(code: str, en: str, zh: str, remedy: Words) -> Deviation:
    return Deviation(f"message.{code}", Words(en, zh), remedy)


def alternatives(message: bytes) -> Iterator[tuple[bytes, Deviation]]:
    """What may have been signed instead of the message, the likely mistakes first."""
    yield from _hashed(message)
    yield from _texts(message)
    yield from _structures(message)


def _hashed(message: bytes) -> Iterator[tuple[bytes, Deviation]]:
    for name, digest in (("SM3", sm3(message)), ("SHA-256", sha256(message))):
        code = name.lower().replace("-", "")
        yield (
            digest,
            _deviation(
                f"hashed-{code}",
                f"The message was hashed with {name} beforehand.",
                f"报文事先做过 {name} 摘要。",
                _ONCE,
            ),
        )
        for text in (digest.hex(), digest.hex().upper()):
            yield (
                text.encode(),
                _deviation(
                    f"hashed-{code}-hex",
                    f"What was signed is the message's {name} as hexadecimal text.",
                    f"所签内容为报文 {name} 摘要的十六进制文本。",
                    _ONCE,
                ),
            )
        yield (
            base64.b64encode(digest),
            _deviation(
                f"hashed-{code}-base64",
                f"What was signed is the message's {name} as base64 text.",
                f"所签内容为报文 {name} 摘要的 Base64 文本。",
                _ONCE,
            ),
        )
    for text in (message.hex(), message.hex().upper()):
        yield (
            text.encode(),
            _deviation(
                "hex", "What was signed is the message as hexadecimal text.", "所签内容为报文的十六进制文本。", _BYTES
            ),
        )
    for text in {
        base64.b64encode(message).decode(),
        base64.urlsafe_b64encode(message).decode(),
        base64.urlsafe_b64encode(message).decode().rstrip("="),
    }:
        yield (
            text.encode(),
            _deviation(
                "base64", "What was signed is the message as base64 text.", "所签内容为报文的 Base64 文本。", _BYTES
            ),
        )


def _texts(message: bytes) -> Iterator[tuple[bytes, Deviation]]:
    def ends(en: str, zh: str) -> Deviation:
        return _deviation("line-ends", en, zh, _BYTES)

    added = ends("A line end or a zero byte was added to the message.", "报文末尾多了换行或零字节。")
    for end in (b"\n", b"\r\n", b"\r", b"\0", b" "):
        yield message + end, added
    yield (
        message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        ends("The message's line ends were made CRLF.", "报文换行被改为 CRLF。"),
    )
    yield message.replace(b"\r\n", b"\n"), ends("The message's line ends were made LF.", "报文换行被改为 LF。")
    removed = ends("White space around the message was removed.", "报文首尾空白被去除。")
    for stripped in (message.strip(), message.rstrip(), message.rstrip(b"\r\n"), message.rstrip(b"\0")):
        yield stripped, removed
    mark = _deviation("bom", "A byte order mark stands before the message.", "报文前有 BOM。", _BYTES)
    yield b"\xef\xbb\xbf" + message, mark
    yield (
        message.removeprefix(b"\xef\xbb\xbf"),
        _deviation("bom", "The byte order mark was removed.", "BOM 被去除。", _BYTES),
    )
    for source, targets in (("utf-8", ("gb18030", "utf-16-le", "utf-16-be", "utf-16")), ("gb18030", ("utf-8",))):
        try:
            text = message.decode(source)
        except UnicodeDecodeError:
            continue
        for target in targets:
            name = "GBK" if target.startswith("gb") else target.upper()
            try:
                changed = text.encode(target)
            except UnicodeEncodeError:
                continue
            yield changed, _deviation("charset", f"The message was encoded in {name}.", f"报文以 {name} 编码。", _BYTES)
    # The bytes passed through a string in another program, which replaced what the string cannot hold.
    through = _deviation(
        "charset",
        "The message's bytes went through a string, which changed them.",
        "报文字节被当作字符串处理，内容已改变。",
        _BYTES,
    )
    for read in ("latin-1", "utf-8", "gbk", "ascii"):
        text = message.decode(read, "replace")
        for written in ("utf-8", "gbk", "latin-1", "ascii", "utf-16-le"):
            yield text.encode(written, "replace"), through


def _structures(message: bytes) -> Iterator[tuple[bytes, Deviation]]:
    """For a Sig_structure (RFC 9052 section 4.4): single parts of it, and the header in another order."""
    try:
        context, header, aad, payload = load_plain(message)
        if not (isinstance(header, bytes) and isinstance(payload, bytes)):
            return
        stated = dict(load_plain(header))
    except (ValueError, TypeError):
        return
    if not any(all(isinstance(label, kind) for label in stated) for kind in (int, str)):
        return  # they have no order

    def cose(code: str, en: str, zh: str) -> Deviation:
        return _deviation(code, en, zh, _COSE)

    order = cose("label-order", "The header's labels stand in another order.", "保护头中标签的顺序不同。")
    for other in (
        dict(reversed(list(stated.items()))),
        dict(sorted(stated.items())),
        dict(sorted(stated.items(), reverse=True)),
    ):
        yield cbor2.dumps([context, cbor2.dumps(other), aad, payload]), order
    yield (
        payload,
        cose(
            "payload-only",
            "Only the payload was signed, without the Sig_structure.",
            "只签了载荷，未签 Sig_structure。",
        ),
    )
    yield (
        cbor2.dumps(payload),
        cose("payload-only", "Only the payload was signed, as a byte string.", "只签了载荷字节串。"),
    )
    alone = cose("header", "The protected header that was signed is another one.", "所签的保护头不同。")
    for label in stated:
        rest = {each: value for each, value in stated.items() if each != label}
        yield cbor2.dumps([context, cbor2.dumps(rest), aad, payload]), alone
    for value in (b"", None):
        yield cbor2.dumps([context, b"" if value is None else cbor2.dumps({}), aad, payload]), alone
    if isinstance(stated.get(4), bytes):
        yield cbor2.dumps([context, cbor2.dumps(stated | {4: stated[4].hex()}), aad, payload]), alone
    structure = cose(
        "structure", "The structure that was signed is not the Sig_structure.", "所签结构不是 Sig_structure。"
    )
    yield cbor2.dumps([header, {}, payload]), structure
    yield cbor2.dumps([context, header, payload]), structure
    yield header + payload, structure
    yield cbor2.dumps(["Signature", header, b"", aad, payload]), structure
    yield cbor2.dumps([context, stated, aad, payload]), structure
    yield cbor2.dumps([context, header, None, payload]), structure
    with suppress(ValueError):
        yield cbor2.dumps([context, header, aad, load_plain(payload)]), structure
