"""The demo's secrets, in one folder that only its owner reads.

A real platform keeps its signing key in an HSM (any object with ``algorithm``, ``kid`` and ``sign`` serves), its other
secrets in a vault, and gives a gateway at a hospital none of them: to verify takes the public key ring only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey

SigningKey = P256SigningKey | SM2SigningKey


@dataclass(frozen=True, slots=True)
class Vault:
    """Everything that is secret.

    Args:
        signing: signs tokens.
        status: signs status lists, and nothing else.
        sealing: seals identity references, 16 bytes.
        persons: derives person numbers, 32 bytes.
        master: derives the secrets of rotating passes, 32 bytes.
    """

    signing: SigningKey
    status: SigningKey
    sealing: bytes
    persons: bytes
    master: bytes

    @classmethod
    def open(cls, folder: Path, algorithm: str = "", first: Callable[[], None] = lambda: None) -> Vault:
        """Read the secrets in a folder; what is not there is made, once, also if several processes ask at once.

        Args:
            folder: is made if it is not there.
            algorithm: see `examples.gateway.settings.Settings`.
            first: called before a signing key is made.

        Raises:
            ValueError: others may look into the folder, or its key is of another algorithm than the one asked for.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            raise ValueError(
                f"others may read {folder}: chmod 700 {folder} / 目录对他人可读，请执行 chmod 700 {folder}"
            )

        def kept(name: str, make: Callable[[], bytes]) -> bytes:
            path = folder / name
            if not path.exists():
                content, draft = make(), folder / f".{name}.{secrets.token_hex(8)}"
                with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                    file.write(content)
                try:
                    os.link(draft, path)  # the first of them stays
                except FileExistsError:
                    pass
                finally:
                    draft.unlink()
            return path.read_bytes()

        def new_key() -> bytes:
            return _generate(algorithm).to_pem(passphrase=None)

        if not (folder / "signing.pem").exists():
            first()
        signing = _load(kept("signing.pem", new_key))
        if algorithm and (algorithm == "sm2") != isinstance(signing, SM2SigningKey):
            raise ValueError(
                f"the key in {folder} is {signing.algorithm.name}, and {algorithm} was asked for: use another folder / "
                f"目录中已有 {signing.algorithm.name} 密钥，与所设 {algorithm} 不符，请改用其他目录"
            )
        return cls(
            signing=signing,
            status=_load(kept("status.pem", new_key)),
            sealing=kept("sealing.key", lambda: secrets.token_bytes(16)),
            persons=kept("persons.key", lambda: secrets.token_bytes(32)),
            master=kept("master.key", lambda: secrets.token_bytes(32)),
        )


def _generate(algorithm: str) -> SigningKey:
    if algorithm not in ("", "sm2", "es256"):
        raise ValueError(f'the algorithm is "sm2" or "es256", not {algorithm!r}')
    if algorithm == "es256":
        return P256SigningKey.generate()
    try:
        return SM2SigningKey.generate()
    except LibcryptoError:
        if algorithm:
            raise
        return P256SigningKey.generate()


def _load(pem: bytes) -> SigningKey:
    try:
        return P256SigningKey.from_pem(pem)
    except ValueError:
        return SM2SigningKey.from_pem(pem)
