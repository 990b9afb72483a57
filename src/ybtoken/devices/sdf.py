"""An SM2 key in a cryptographic machine (密码机), by the C interface of GM/T 0018 (SDF).

The sequence of calls: `SDF_OpenDevice`, `SDF_OpenSession`, `SDF_GetPrivateKeyAccessRight` with the key's index and
password, `SDF_ExportSignPublicKey_ECC`; then for each signature `SDF_InternalSign_ECC` on e = SM3(ZA || message), 32
bytes. Numbers are in fields of 64 bytes, of which the first 32 are zero. A session serves one call at a time. A session
that the device has lost is closed and replaced once; any other failure is an error at once.

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
_BASE = 0x0100_0000  # of the standard's codes; a vendor's own begin at another, such as 0x01010000
_MEANINGS = {  # GM/T 0018 annex A, above the base
    0x01: ("an unknown error", "未知错误"),
    0x02: ("not supported", "不支持的接口"),
    0x03: ("no communication with the device", "与设备通信失败"),
    0x04: ("the module does not answer", "运算模块无响应"),
    0x05: ("the device did not open", "打开设备失败"),
    0x06: ("the session did not open", "创建会话失败"),
    0x07: ("no right to use the private key: is the password right?", "无私钥使用权限：口令是否正确"),
    0x08: ("there is no such key", "不存在的密钥"),
    0x09: ("the algorithm is not supported", "不支持的算法调用"),
    0x0C: ("the private key failed", "私钥运算失败"),
    0x0D: ("signing failed", "签名运算失败"),
    0x15: ("the key is faulty", "密钥错误"),
}
# A device that was restarted knows the session no more, or not its right to the key.
_LOST = frozenset(range(0x03, 0x08))


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
        self._lock, self._pid = threading.Lock(), -1
        _keys.add(self)
        self._connect()
        try:
            self.verifying_key = SM2VerifyingKey(self._point(), user_id=user_id)
        except BaseException:
            self.close()
            raise
        self.algorithm, self.kid, self.user_id = Algorithm.SM2, self.verifying_key.kid, user_id

    def _point(self) -> bytes:
        found = _PublicKey()
        self._call("SDF_ExportSignPublicKey_ECC", self._session, self._index, byref(found))
        try:
            return read_public_key(bytes(found.x) + bytes(found.y)).point
        except KeyReadError as error:
            raise DeviceError(f"the device's public key: {error.words.en}", f"设备公钥：{error.words.zh}") from None

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`. `DeviceError` if the device fails, or its signature is bad."""
        digest, signed = sm2_digest(self.verifying_key, message), _Signature()
        with self._lock:
            if self._pid != os.getpid():
                self._connect()
            code = self._sign(digest, signed)
            if code - _BASE in _LOST:
                self._connect()
                code = self._sign(digest, signed)
            if code:
                raise _refused("SDF_InternalSign_ECC", code)
        try:
            raw = raw_from_fields(bytes(signed.r) + bytes(signed.s))
        except ValueError:
            raw = bytes(signed.r) + bytes(signed.s)
        return checked(self.verifying_key, message, raw)

    def _sign(self, digest: bytes, signed: _Signature) -> int:
        return self._code("SDF_InternalSign_ECC", self._session, self._index, digest, len(digest), byref(signed))

    def _connect(self) -> None:
        """Open the device and a session, after closing those that this process had."""
        self._disconnect()
        self._device, self._session = c_void_p(), c_void_p()
        self._call("SDF_OpenDevice", byref(self._device))
        self._pid = os.getpid()
        try:
            self._call("SDF_OpenSession", self._device, byref(self._session))
            if (secret := self._password) is not None:
                self._call("SDF_GetPrivateKeyAccessRight", self._session, self._index, secret, len(secret))
        except DeviceError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        """Close the session and the device, unless they are the parent's of a forked process."""
        if self._pid != os.getpid():
            return
        self._pid = -1
        if self._session:
            if self._password is not None:
                self._code("SDF_ReleasePrivateKeyAccessRight", self._session, self._index)
            self._code("SDF_CloseSession", self._session)
        self._code("SDF_CloseDevice", self._device)

    def close(self) -> None:
        """Close the session and the device; a later signature opens them again."""
        with self._lock:
            self._disconnect()

    def _code(self, name: str, *arguments: object) -> int:
        code: int = getattr(self._library, name)(*arguments)
        return code & 0xFFFFFFFF

    def _call(self, name: str, *arguments: object) -> None:
        if code := self._code(name, *arguments):
            raise _refused(name, code)

    def __repr__(self) -> str:
        return f"SdfSigningKey(kid={self.kid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled or copied: load it where it is used")


def _refused(name: str, code: int) -> DeviceError:
    en, zh = _MEANINGS.get(code - _BASE, ("see the vendor's manual", "见厂商手册"))
    return DeviceError(f"{name} returned {code:#010x}: {en}", f"{name} 返回 {code:#010x}：{zh}")


_keys: WeakSet[SdfSigningKey] = WeakSet()


def _free_locks() -> None:
    """Replace the locks in a forked process, which has no thread that could release a lock held at the fork."""
    for key in _keys:
        key._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_locks)
