"""Identity references: one block of AES or SM4 (Spec 2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ABOUT = (
    "Sealing: `expect.identity_ref` is one block of the cipher over the person number (8 bytes, big-endian) and `random` "
    "(8 bytes). Person numbers and keys are made up."
)


def cases() -> Iterator[dict[str, Any]]:
    """All cases of the family."""
    key_16, random = bytes(range(16)), bytes.fromhex("7261_6e64_6f6d_3031".replace("_", ""))
    for name, why, cipher, key, number, salt in (
        ("aes-128", "AES with a key of 16 bytes", "AES", key_16, 0x0123456789ABCDEF, random),
        ("aes-192", "AES with a key of 24 bytes", "AES", bytes(range(24)), 0x0123456789ABCDEF, random),
        ("aes-256", "AES with a key of 32 bytes", "AES", bytes(range(32)), 0x0123456789ABCDEF, random),
        ("sm4", "SM4", "SM4", key_16, 0x0123456789ABCDEF, random),
        ("sm4-other-random", "the same person at the next display", "SM4", key_16, 0x0123456789ABCDEF, bytes(8)),
        ("aes-lowest", "person number 0", "AES", key_16, 0, random),
        ("aes-highest", "person number 2^64 - 1", "AES", key_16, 2**64 - 1, random),
    ):
        yield {
            "id": f"identity/{name}",
            "why": why,
            "cipher": cipher,
            "key": key.hex(),
            "person_number": str(number),
            "random": salt.hex(),
            "expect": {"identity_ref": _block(cipher, key, number.to_bytes(8, "big") + salt).hex()},
        }


def _block(cipher: str, key: bytes, block: bytes) -> bytes:
    algorithm = algorithms.SM4(key) if cipher == "SM4" else algorithms.AES(key)
    encryptor = Cipher(algorithm, modes.ECB()).encryptor()  # one block: the cipher itself
    return encryptor.update(block) + encryptor.finalize()
