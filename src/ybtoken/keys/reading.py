"""The one reader of keys: P-256 and SM2, public and private, in the forms that partners' tools and devices write.

It reads PEM and DER of PKCS#8, SEC 1, SubjectPublicKeyInfo and X.509 certificates; the same in hexadecimal and base64;
bare private numbers and points in their various lengths; and PKCS#8 encrypted by OpenSSL, GmSSL 3 and BouncyCastle. It
says which form it read. If it refuses, it says what it was given instead. It never guesses between two meanings. Text
around a PEM block is no part of it (RFC 7468, section 2), and two blocks of the wanted kind are refused.

    >>> read_public_key("0x04" + "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    ...                 "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0").spelling.en
    'SM2 public key: 65 bytes with 04, in hexadecimal'
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ybtoken.algorithms import Curve
from ybtoken.keys._pem import check_passphrase, refuse_path
from ybtoken.keys._reading import sealed
from ybtoken.keys._reading.certificate import Certificate, leaf_of
from ybtoken.keys._reading.der import DerError
from ybtoken.keys._reading.found import CURVE_NAMES, PrivateKeyRead, PublicKeyRead
from ybtoken.keys._reading.numbers import check_number, number_of, point_of
from ybtoken.keys._reading.refused import UNKNOWN, KeyReadError, unknown
from ybtoken.keys._reading.structures import (
    Wanted,
    passphrase_unneeded,
    private_of_der,
    public_of_certificate,
    public_of_der,
)
from ybtoken.keys._reading.text import LONGEST, Block, Decoded, decoded, pem_blocks, text_of
from ybtoken.words import Words

__all__ = [
    "KeyReadError",
    "PrivateKeyRead",
    "PublicKeyRead",
    "read_certificates",
    "read_private_key",
    "read_public_key",
]


_T = TypeVar("_T")
_Read = TypeVar("_Read", PrivateKeyRead, PublicKeyRead)
_IN_PEM = Words(", in PEM", "，PEM")
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_PRIVATE = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY")  # OpenSSL writes the last
_PUBLIC = ("PUBLIC KEY", "EC PUBLIC KEY", "SM2 PUBLIC KEY")
_PARAMETERS = ("EC PARAMETERS", "SM2 PARAMETERS")
_NAMES = {
    "PUBLIC KEY": Words("public key", "公钥"),
    "CERTIFICATE REQUEST": Words("certificate request", "证书请求"),
    "NEW CERTIFICATE REQUEST": Words("certificate request", "证书请求"),
    "PKCS7": Words("PKCS#7 file", "PKCS#7 文件"),
    "CMS": Words("CMS message", "CMS 消息"),
    "OPENSSH PRIVATE KEY": Words("private key of OpenSSH", "OpenSSH 私钥"),
    "RSA PRIVATE KEY": Words("private key of RSA", "RSA 私钥"),
    "RSA PUBLIC KEY": Words("public key of RSA", "RSA 公钥"),
    "DSA PRIVATE KEY": Words("private key of DSA", "DSA 私钥"),
    "X509 CRL": Words("certificate revocation list", "证书吊销列表"),
    "PGP PUBLIC KEY BLOCK": Words("public key of PGP", "PGP 公钥"),
    "PGP PRIVATE KEY BLOCK": Words("private key of PGP", "PGP 私钥"),
}


def read_public_key(data: bytes | str, *, curve: Curve | None = None) -> PublicKeyRead:
    """Read a public key, or the key and the period of a certificate.

    The certificate's signature is not verified; `ybtoken.keys.certificates` does that.

    Args:
        data: a file's content, or what was pasted.
        curve: the key's curve, if it is known; a key on another curve is refused. A compressed point needs it.

    Raises:
        KeyReadError: it is not such a key; the message says what it is. A subclass of `ValueError`.
        TypeError: the data is neither bytes nor a string.
    """
    wanted = Wanted(curve)
    text = _checked_text(data)
    if text is not None and (blocks := pem_blocks(text)):
        if certificates := certificates_of(blocks):
            return _named(in_der(lambda: public_of_certificate(leaf_of(certificates), wanted)), _IN_PEM)
        block = _only(
            [block for block in blocks if block.label in _PUBLIC],
            blocks,
            Words("public key", "公钥"),
            "key.private" if any("PRIVATE" in block.label for block in blocks) else "key.kind",
        )
        return _named(in_der(lambda: public_of_der(block.data, wanted)), _IN_PEM)

    def interpret(found: Decoded) -> PublicKeyRead:
        try:
            return public_of_der(found.data, wanted)
        except DerError as error:
            with _damage(found.data, error):
                return PublicKeyRead(*point_of(found.data, curve))

    return _one_meaning(data, text, interpret)


def read_private_key(
    data: bytes | str, *, curve: Curve | None = None, passphrase: bytes | None = None
) -> PrivateKeyRead:
    """Read a private key.

    Args:
        data: a file's content, or what was pasted.
        curve: the key's curve, if it is known; a key on another curve is refused. A bare private number needs it.
        passphrase: the passphrase of an encrypted key.

    Raises:
        KeyReadError: it is not such a key, or the passphrase is missing, wrong or not needed; the message says which. A
            subclass of `ValueError`.
        TypeError: the data is neither bytes nor a string, or the passphrase is not bytes.
    """
    check_passphrase(passphrase)
    wanted = Wanted(curve, passphrase)
    text = _checked_text(data)
    if text is not None and (blocks := pem_blocks(text)):
        block = _only(
            [block for block in blocks if block.label in _PRIVATE],
            blocks,
            Words("private key", "私钥"),
            "key.public" if any(b.label in (*_PUBLIC, *_CERTIFICATES) for b in blocks) else "key.kind",
        )
        return _named(in_der(lambda: _private_of_block(block, wanted)), _IN_PEM)

    def interpret(found: Decoded) -> PrivateKeyRead:
        try:
            return private_of_der(found.data, wanted)
        except DerError as error:
            with _damage(found.data, error):
                number, words = number_of(found.data)
        if curve is None:
            raise KeyReadError(
                "key.curve",
                f"a private number of {words.en} does not say which curve it is on: state SM2 or P-256",
                f"{words.zh}的私钥不能表明所在曲线：请指定 SM2 或 P-256",
            )
        if passphrase is not None:
            raise passphrase_unneeded()
        return PrivateKeyRead(curve, check_number(curve, number), None, words)

    return _one_meaning(data, text, interpret)


def _private_of_block(block: Block, wanted: Wanted) -> PrivateKeyRead:
    if block.sealed is None:
        return private_of_der(block.data, wanted)

    def is_key(plain: bytes) -> bool:
        try:
            private_of_der(plain, Wanted(wanted.curve))
        except DerError:
            return False
        except KeyReadError:  # it is a key, although not the wanted one
            return True
        return True

    plain = sealed.decrypt_old_pem(block.sealed, block.data, wanted.passphrase, is_key)
    read = private_of_der(plain, Wanted(wanted.curve))
    return PrivateKeyRead(
        read.curve, read.number, read.point, Words(f"encrypted {read.spelling.en}", f"加密的 {read.spelling.zh}")
    )


def read_certificates(data: bytes | str) -> list[Certificate]:
    """Every certificate in a PEM file, or the one certificate in DER; an empty list if there is none."""
    text = _checked_text(data)
    if text is not None and (blocks := pem_blocks(text)):
        return certificates_of(blocks)
    for found in decoded(data, text):
        try:
            return [Certificate.read(found.data)]
        except DerError:
            continue
    return []


def certificates_of(blocks: list[Block]) -> list[Certificate]:
    """The certificates among PEM blocks; none if a private key is among them, because that is not a public file."""
    if any("PRIVATE KEY" in block.label for block in blocks):
        return []
    return [in_der(lambda b=block: Certificate.read(b.data)) for block in blocks if block.label in _CERTIFICATES]  # type: ignore[misc]


def _checked_text(data: bytes | str) -> str | None:
    if isinstance(data, os.PathLike):
        refuse_path("a key", data)
    if not isinstance(data, bytes | str):
        raise TypeError(f"a key is bytes or a string, not {type(data).__name__}")
    if len(data) > LONGEST:
        raise unknown()
    text = text_of(data)
    if text is not None and text.startswith("{") and '"kty"' in text:
        raise KeyReadError(
            "key.kind",
            "this is a JWK: read it with ybtoken.keys.keyset.load_jwks",
            "这是 JWK：请用 ybtoken.keys.keyset.load_jwks 读取",
        )
    return text


def _only(chosen: list[Block], blocks: list[Block], wanted: Words, code: str) -> Block:
    """The one block that holds the key that is wanted."""
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise KeyReadError(
            "key.ambiguous",
            f"there are {len(chosen)} {wanted.en}s in this file: give one",
            f"文件中有 {len(chosen)} 个{wanted.zh}：请只给一个",
        )
    label = next((b.label for b in blocks if b.label not in _PARAMETERS), "EC PARAMETERS")
    found = _NAMES.get(label) or (Words("set of curve parameters", "曲线参数") if label in _PARAMETERS else None)
    if found is None:
        found = Words(label.lower(), label)
        if "PRIVATE KEY" in label:
            found = Words("private key", "私钥")
        elif "CERTIFICATE" in label:
            found = Words("certificate", "证书")
    raise KeyReadError(
        code, f"this is a {found.en}, and a {wanted.en} is wanted", f"这是{found.zh}，此处需要{wanted.zh}"
    )


def in_der(read: Callable[[], _T]) -> _T:
    """Call `read` on the content of a PEM block, which must be DER."""
    try:
        return read()
    except DerError as error:
        raise KeyReadError(
            "key.damaged",
            f"the content is no DER of a key, or is damaged: {error}",
            f"内容不是密钥的 DER 编码，或已损坏：{error}",
        ) from None


@contextmanager
def _damage(data: bytes, error: DerError) -> Iterator[None]:
    """Refuse damaged DER by name: data that starts like DER and is not a bare number either."""
    try:
        yield
    except KeyReadError as refused:
        if refused.code == UNKNOWN and data[:1] == b"\x30" and len(data) > 32:
            raise KeyReadError(
                "key.damaged",
                f"this begins as the DER of a key does, but is cut off, has bytes behind it, or is damaged: {error}",
                f"内容以密钥的 DER 编码开头，但不完整、有多余字节或已损坏：{error}",
            ) from None
        raise


def _one_meaning(data: bytes | str, text: str | None, interpret: Callable[[Decoded], _Read]) -> _Read:
    """The key that the input means, if exactly one of its possible decodings is a key."""
    meant: dict[bytes, _Read] = {}
    refused: list[KeyReadError] = []
    for found in decoded(data, text):
        if b"-----BEGIN " in found.data:  # PEM encoded once more, as secret stores keep files
            text_inside = text_of(found.data)
            if text_inside is not None:
                raise KeyReadError(
                    "key.kind",
                    f"this is a PEM file{found.how.en}: decode it first",
                    f"这是 PEM 文件{found.how.zh}：请先解码",
                )
        try:
            read = interpret(found)
        except KeyReadError as error:
            refused.append(error)
        else:
            meant[_essence(read)] = _named(read, found.how)
    if len(meant) == 1:
        return meant.popitem()[1]
    if meant:
        raise KeyReadError("key.ambiguous", "this can be read as two different keys", "此内容可读作两个不同的密钥")
    refused.sort(key=lambda error: error.code == UNKNOWN)
    if not refused or refused[0].code == UNKNOWN:
        refuse_path("a key", data)
    raise refused[0] if refused else unknown()


def _essence(read: PrivateKeyRead | PublicKeyRead) -> bytes:
    return read.number if isinstance(read, PrivateKeyRead) else read.point


def _named(read: _Read, how: Words) -> _Read:
    """The same result, with its spelling as a whole sentence."""
    kind = Words("private key", "私钥") if isinstance(read, PrivateKeyRead) else Words("public key", "公钥")
    name = CURVE_NAMES[read.curve]
    words = Words(f"{name} {kind.en}: {read.spelling.en}{how.en}", f"{name} {kind.zh}：{read.spelling.zh}{how.zh}")
    if isinstance(read, PrivateKeyRead):
        return PrivateKeyRead(read.curve, read.number, read.point, words)
    return PublicKeyRead(read.curve, read.point, words, read.not_before, read.not_after, read.subject)
