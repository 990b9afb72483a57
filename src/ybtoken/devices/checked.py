"""Verifies every signature of a device before it is used, because devices and their drivers have faults."""

from __future__ import annotations

from ybtoken.errors import SignatureError
from ybtoken.keys.diagnosis import diagnose_signature
from ybtoken.keys.protocols import VerifyingKey

__all__ = ["DeviceError", "checked"]


class DeviceError(RuntimeError):
    """A device cannot be reached, or did not do what was asked. The message says what, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"{en} ({zh})")
        self.en, self.zh = en, zh


def checked(key: VerifyingKey, message: bytes, signature: bytes) -> bytes:
    """Return a signature that the public key verifies; `DeviceError` that says what is wrong with any other."""
    if len(signature) == 64:
        try:
            key.verify(message, signature)
        except SignatureError:
            pass
        else:
            return signature
    found = diagnose_signature(key, message, signature)
    raise DeviceError(
        f"the device's signature does not verify under its public key {key.kid.hex()} and is withheld: {found.what.en}",
        f"设备签名未通过公钥 {key.kid.hex()} 的验证，不予采用：{found.what.zh}",
    )
