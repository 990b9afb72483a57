"""An SM2 key in a cryptographic machine (密码机), by the C interface of GM/T 0018 (SDF).

The sequence of calls: `SDF_OpenDevice`, `SDF_OpenSession`, `SDF_GetPrivateKeyAccessRight` with the key's index and
password, `SDF_ExportSignPublicKey_ECC`; then for each signature `SDF_InternalSign_ECC` on e = SM3(ZA || message), 32
bytes. Numbers are in fields of 64 bytes, of which the first 32 are zero. A session serves one call at a time.

This was only tested with a library that imitates a device in software. Run ``ybtoken device check`` with yours first.
"""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_ubyte, c_uint, c_void_p
from typing import ClassVar, NoReturn
from weakref import WeakSet

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm
from ybtoken.devices.checked import DeviceError, checked
from ybtoken.keys.protocols import SAMPLE
from ybtoken.keys.reading import KeyReadError, read_public_key
from ybtoken.keys.signatures import raw_from_fields, sm2_digest
from ybtoken.keys.sm2 import SM2VerifyingKey

__all__ = ["SdfSigningKey"]

_FIELD = 64


class _PublicKey(Structure):
    """``ECCrefPublicKey``."""

    _fields_ = (("bits", c_uint), ("x", c_ubyte * _FIELD), ("y", c_ubyte * _FIELD))


class _Signature(Structure):
    """``ECCSignature``."""

    _fields_ = (("r", c_ubyte * _FIELD), ("s", c_ubyte * _FIELD))


_PROTOTYPES = {
    "SDF_OpenDevice": (POINTER(c_void_p),),
    "SDF_CloseDevice": (c_void_p,),
    "SDF_OpenSession": (c_void_p, POINTER(c_void_p)),
    "SDF_CloseSession": (c_void_p,),
    "SDF_GetPrivateKeyAccessRight": (c_void_p, c_uint, c_char_p, c_uint),
    "SDF_ReleasePrivateKeyAccessRight": (c_void_p, c_uint),
    "SDF_ExportSignPublicKey_ECC": (c_void_p, c_uint, POINTER(_PublicKey)),
    "SDF_InternalSign_ECC": (c_void_p, c_uint, c_char_p, c_uint, POINTER(_Signature)),
}
_MEANINGS = {  # GM/T 0018 annex A, above 0x01000000
    0x01: ("an unknown error", "未知错误"),
    0x02: ("not supported", "不支持的接口"),
    0x03: ("no communication with the device", "与设备通信失败"),
    0x04: ("the module does not answer", "运算模块无响应"),
    0x05: ("the device did not open", "打开设备失败"),
    0x06: ("the session did not open", "创建会话失败"),
    0x07: ("no right to use the private key: is the password right?", "无私钥使用权限：口令是否正确"),
    0x08: ("there is no such key", "不存在的密钥"),
    0x0D: ("the private key failed", "私钥运算失败"),
    0x0E: ("signing failed", "签名运算失败"),
}


class SdfSigningKey:
    """An SM2 private key in a cryptographic machine. The key never leaves it.

    Args:
        library: the path of the vendor's SDF library.
        index: the key's index.
        password: the password of the key's access right; ``None`` if the device does not ask for one.
        user_id: the SM2 user id.

    Raises:
        DeviceError: the library or the key does not exist, or the device refuses; the message names the call.
    """

    __slots__ = (
        "__weakref__", "_device", "_index", "_library", "_lock", "_password", "_path", "_pid", "_session",
        "algorithm", "kid", "user_id", "verifying_key",
    )  # fmt: skip
    verified_share: ClassVar[float] = SAMPLE

    def __init__(self, library: str, *, index: int, password: bytes | None, user_id: bytes = DEFAULT_USER_ID) -> None:
        self._index, self._password, self._path = index, password, library
        try:
            self._library = ctypes.CDLL(library)
            for name, arguments in _PROTOTYPES.items():
                function = getattr(self._library, name)
                function.argtypes, function.restype = arguments, c_int
        except (OSError, AttributeError) as error:
            raise DeviceError(f"{library} is no SDF library: {error}", f"{library} 不是 SDF 库：{error}") from None
        self._lock = threading.Lock()
        _keys.add(self)
        self._connect()
        found = _PublicKey()
        self._call("SDF_ExportSignPublicKey_ECC", self._session, index, byref(found))
        try:
            point = read_public_key(bytes(found.x) + bytes(found.y)).point
        except KeyReadError as error:
            raise DeviceError(f"the device's public key: {error.words.en}", f"设备公钥：{error.words.zh}") from None
        self.verifying_key = SM2VerifyingKey(point, user_id=user_id)
        self.algorithm, self.kid, self.user_id = Algorithm.SM2, self.verifying_key.kid, user_id

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`. `DeviceError` if the device fails, or its signature is bad."""
        digest, signed = sm2_digest(self.verifying_key, message), _Signature()
        with self._lock:
            if self._pid != os.getpid():
                self._connect()
            try:
                self._sign(digest, signed)
            except DeviceError:  # a lost session is replaced once
                self._connect()
                self._sign(digest, signed)
        try:
            raw = raw_from_fields(bytes(signed.r) + bytes(signed.s))
        except ValueError:
            raw = bytes(signed.r) + bytes(signed.s)
        return checked(self.verifying_key, message, raw)

    def _sign(self, digest: bytes, signed: _Signature) -> None:
        self._call("SDF_InternalSign_ECC", self._session, self._index, digest, len(digest), byref(signed))

    def _connect(self) -> None:
        self._pid = os.getpid()
        self._device, self._session = c_void_p(), c_void_p()
        self._call("SDF_OpenDevice", byref(self._device))
        self._call("SDF_OpenSession", self._device, byref(self._session))
        if self._password is not None:
            self._call("SDF_GetPrivateKeyAccessRight", self._session, self._index, self._password, len(self._password))

    def close(self) -> None:
        """Close the session and the device."""
        with self._lock:
            if self._password is not None:
                self._library.SDF_ReleasePrivateKeyAccessRight(self._session, self._index)
            self._library.SDF_CloseSession(self._session)
            self._library.SDF_CloseDevice(self._device)
            self._pid = -1

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(*arguments) & 0xFFFFFFFF
        if code:
            unknown = "see the vendor's manual", "见厂商手册"
            en, zh = _MEANINGS.get(code & 0xFFFF, unknown) if code >> 24 == 1 else unknown
            raise DeviceError(f"{name} returned {code:#010x}: {en}", f"{name} 返回 {code:#010x}：{zh}")

    def __repr__(self) -> str:
        return f"SdfSigningKey(kid={self.kid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled or copied: load it where it is used")


_keys: WeakSet[SdfSigningKey] = WeakSet()


def _free_locks() -> None:
    """Replace the locks in a forked process, which has no thread that could release a lock held at the fork."""
    for key in _keys:
        key._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_locks)
