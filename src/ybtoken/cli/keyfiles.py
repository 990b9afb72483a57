"""Keys in files: signing keys, key rings, sealing keys, and the passphrases for them. Nothing secret is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ybtoken._state import put_in_place
from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm, Curve
from ybtoken.cli.speech import MisuseError, Speaker, misuse_of
from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.keys.keyset import dump_jwks, load_key_set
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.keys.reading import KeyReadError, PrivateKeyRead, read_private_key, read_public_key
from ybtoken.keys.ring import KeyRing
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey, SM2VerifyingKey
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.words import Words

__all__ = [
    "KeyKind",
    "PassphraseEnv",
    "PassphraseFile",
    "Ring",
    "changing_ring",
    "generate_key",
    "load_codes",
    "load_public_key",
    "load_ring",
    "load_sealer",
    "load_signing_key",
    "new_private_files",
    "passphrase_from",
    "read_private",
    "write_private",
]

Ring = Annotated[Path, typer.Option("--ring", "-r", help="The key ring: a JWK Set, or a COSE_KeySet. / 密钥环文件。")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Its first line is the passphrase. / 首行为口令的文件。"),
]
PassphraseEnv = Annotated[
    str | None,
    typer.Option(
        "--passphrase-env", metavar="NAME", help="An environment variable that holds it. / 存有口令的环境变量名。"
    ),
]


class KeyKind(StrEnum):
    """The algorithms whose keys the command line makes and reads, by their names in its options."""

    ES256 = "es256"
    ESP256 = "esp256"
    SM2 = "sm2"

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of such a key."""
        return Algorithm[self.name]


_Made = TypeVar("_Made")

SoftwareKey = P256SigningKey | SM2SigningKey


def generate_key(kind: KeyKind, user_id: bytes = DEFAULT_USER_ID) -> SoftwareKey:
    """Make a new signing key. Only an SM2 key uses the user id."""
    if kind is not KeyKind.SM2:
        return P256SigningKey.generate(algorithm=kind.algorithm)
    try:
        return SM2SigningKey.generate(user_id=user_id)
    except LibcryptoError as error:
        raise MisuseError(error.en, error.zh) from None
    except ValueError as error:
        raise misuse_of(error) from None


def load_signing_key(
    file: Path, passphrase: Callable[[], bytes | None], *, kind: KeyKind | None, ring: KeyRing | None, speaker: Speaker
) -> SoftwareKey:
    """Read a private key. Its file states at most the curve, so algorithm and user id come from the ring's entry.

    Args:
        file: PKCS#8 or SEC 1 in PEM, or any other form that `ybtoken.keys.reading` knows.
        passphrase: returns the passphrase; called only if the key is encrypted.
        kind: the algorithm. If neither this nor the ring states it, it is ES256 or SM2, by the key's curve. A bare
            private number needs it.
        ring: the key ring that may hold the key's public half.
        speaker: warns of a file that others may read.
    """
    curve = None if kind is None else kind.algorithm.curve
    data = read_private(file, speaker)
    try:
        try:
            read = read_private_key(data, curve=curve)
        except KeyReadError as error:
            if error.code != "key.passphrase-missing":
                raise
            read = read_private_key(data, curve=curve, passphrase=passphrase())
        if read.curve is Curve.SM2:
            return _sm2_key(read, ring)
        key = P256SigningKey.from_read(read)
        if ring is not None and kind is None and key.kid in ring:
            kind = KeyKind[ring[key.kid].key.algorithm.name]
        return key if kind is None else P256SigningKey.from_read(read, algorithm=kind.algorithm)
    except LibcryptoError as error:
        raise MisuseError(f"{file}: {error.en}", f"{file}：{error.zh}") from None
    except ValueError as error:
        raise misuse_of(error, f"{file}: ", f"{file}：无法读取私钥：") from None


def read_private(file: Path, speaker: Speaker) -> bytes:
    """What is in a file that nobody else should read; if others may, standard error says so."""
    with file.open("rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if os.name == "posix" and mode & 0o077:
            speaker.note(
                f"Others may read {file}, which should be private: chmod 600 {file}",
                f"{file} 应仅限本人读取，其他用户也可读取：请执行 chmod 600 {file}",
            )
        return opened.read()


def _sm2_key(read: PrivateKeyRead, ring: KeyRing | None) -> SM2SigningKey:
    key = SM2SigningKey.from_read(read)
    if ring is None or key.kid not in ring:
        return key
    user_id: bytes = getattr(ring[key.kid].key, "user_id", DEFAULT_USER_ID)
    return SM2SigningKey.from_read(read, user_id=user_id)


def load_public_key(
    file: Path, *, kind: KeyKind | None = None, user_id: str | None = None, speaker: Speaker | None = None
) -> P256VerifyingKey | SM2VerifyingKey:
    """Read a public key in any form that `ybtoken.keys.reading` knows.

    Args:
        file: the key.
        kind: the algorithm. Without it, it is ES256 or SM2, by the key's curve.
        user_id: the user id of an SM2 key, if it is not the usual one.
        speaker: says in which form the key was written.
    """
    try:
        read = read_public_key(file.read_bytes(), curve=None if kind is None else kind.algorithm.curve)
    except KeyReadError as error:
        raise misuse_of(error, f"{file}: ", f"{file}：") from None
    if speaker is not None:
        speaker.note(f"{file}: {read.spelling.en}", f"{file}：{read.spelling.zh}")
    try:
        if read.curve is Curve.SM2:
            return SM2VerifyingKey(read.point, user_id=DEFAULT_USER_ID if user_id is None else user_id.encode())
        if user_id is not None:
            raise MisuseError("--user-id is for SM2 keys.", "--user-id 仅用于 SM2 密钥。")
        return P256VerifyingKey(read.point, algorithm=Algorithm.ES256 if kind is None else kind.algorithm)
    except ValueError as error:
        raise misuse_of(error, f"{file}: ", f"{file}：") from None


def load_ring(file: Path) -> KeyRing:
    """Read a key ring: a JWK Set if it is JSON, otherwise a COSE_KeySet."""
    document = file.read_bytes()
    try:
        return load_key_set(document)
    except (ValueError, RecursionError) as error:
        raise misuse_of(error, f"{file} is no key ring: ", f"{file} 不是密钥环：") from None


@contextmanager
def changing_ring(file: Path) -> Iterator[tuple[KeyRing, Callable[[KeyRing], None]]]:
    """Change a key ring's file, or make it: yields the present ring, and a function that replaces it.

    The file is replaced as a whole, so that no reader sees half of it. The new file is first written beside it; only
    one program can make that file, so no other program changes the ring meanwhile.
    """
    file = file.resolve()
    new = file.with_name(f"{file.name}.new")
    try:
        stream = new.open("xb")
    except FileExistsError:
        raise MisuseError(
            f"{new} exists: the ring is being changed, or a change was broken off. If so, delete it.",
            f"{new} 已存在：密钥环正在修改，或上次修改中断；若为后者请删除该文件。",
        ) from None
    is_in_place = False
    try:

        def replace(ring: KeyRing) -> None:
            nonlocal is_in_place
            with stream:
                stream.write(dump_jwks(ring).encode())
            put_in_place(new, file)
            is_in_place = True

        yield load_ring(file) if file.exists() else KeyRing(), replace
    finally:
        stream.close()
        if not is_in_place:  # otherwise a file of this name is another program's
            new.unlink(missing_ok=True)


def write_private(file: Path, data: bytes) -> None:
    """Write a new file that only its owner may read; an existing file is never overwritten."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MisuseError(
            f"{file} exists: a private file is never overwritten.", f"{file} 已存在：不会覆盖已有的密钥或凭证文件。"
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())  # before a ring on the disk names it
    except BaseException:  # such as a full disk: half a file would be in the way of the next attempt
        file.unlink()
        raise


@contextmanager
def new_private_files(files: Iterable[tuple[Path, bytes]], is_named: Callable[[], bool]) -> Iterator[None]:
    """Write private keys' files, and delete them again if one of them or the body fails.

    Args:
        files: each new file and its content.
        is_named: asked after a failure, whether what the body changed names the keys; they are kept then, because
            nothing could be signed without them.
    """
    made: list[Path] = []
    try:
        for file, data in files:
            write_private(file, data)
            made.append(file)
        yield
    except BaseException:
        if not is_named():
            for file in made:
                file.unlink(missing_ok=True)
        raise


def passphrase_from(
    file: Path | None, variable: str | None, speaker: Speaker, *, confirm: bool = False
) -> Callable[[], bytes]:
    """A function that gets the passphrase from a file, from the environment, or from the keyboard."""
    if file is not None and variable is not None:
        raise MisuseError(
            "Give --passphrase-file or --passphrase-env, not both.",
            "--passphrase-file 与 --passphrase-env 只能给一个。",
        )

    def get() -> bytes:
        if file is not None:
            secret = file.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
        elif variable is not None:
            secret = os.environ.get(variable, "").encode("utf-8", "surrogateescape")
        elif sys.stdin is not None and sys.stdin.isatty():
            question = speaker.choose(Words("Passphrase", "口令"))
            secret = typer.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True).encode()
        else:
            raise MisuseError(
                "A passphrase is needed: --passphrase-file FILE or --passphrase-env NAME.",
                "需要口令：--passphrase-file 文件 或 --passphrase-env 变量名。",
            )
        if not secret:
            raise MisuseError("The passphrase is empty.", "口令为空。")
        return secret

    return get


def load_sealer(file: Path, cipher: BlockCipher, speaker: Speaker) -> IdentitySealer:
    """Read a sealing key, in hexadecimal, and make the sealer."""
    wanted = Words(
        "is no sealing key: 32 hexadecimal digits (AES also 48 or 64), as from `openssl rand -hex 16`.",
        "不是身份加密密钥：应为 32 位十六进制（AES 亦可 48 或 64 位），可由 openssl rand -hex 16 生成。",
    )
    return _made_of_secret(file, lambda key: IdentitySealer(key, cipher=cipher), wanted, speaker)


def load_codes(file: Path, speaker: Speaker) -> RotatingCodes:
    """Read the master key of rotating passes, in hexadecimal, and make what enrols phones and checks their codes."""
    wanted = Words(
        "is no master key: at least 64 hexadecimal digits, as from `openssl rand -hex 32`.",
        "不是主密钥：应为至少 64 位十六进制，可由 openssl rand -hex 32 生成。",
    )
    return _made_of_secret(file, RotatingCodes, wanted, speaker)


def _made_of_secret(file: Path, make: Callable[[bytes], _Made], wanted: Words, speaker: Speaker) -> _Made:
    try:
        return make(bytes.fromhex(read_private(file, speaker).decode("ascii")))
    except ValueError:  # not chained, because its message might quote the file
        raise MisuseError(f"{file} {wanted.en}", f"{file} {wanted.zh}") from None
