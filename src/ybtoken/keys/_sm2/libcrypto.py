"""Finds OpenSSL's libcrypto on this machine and checks its version. `ybtoken.keys._sm2.evp` has the SM2 keys on it.

Why libcrypto: no public function of `cryptography` accepts the SM2 curve, and the SM2 packages of PyPI leak the nonce
by timing, accept malformed input or have no wheels. OpenSSL 3 is maintained, its signing time does not depend on the
nonce, and it is in the process already, because `hashlib` and `ssl` are linked with it.

Why ctypes and not cffi: some thirty functions are needed, all of plain pointers and integers, without structs or
callbacks. cffi's API mode needs a compiler and headers wherever a wheel is built; its ABI mode declares the same
prototypes and adds a dependency. A call through ctypes costs under a microsecond, little against a verification, and
`CDLL` releases the GIL during the call.

Why the system's copy: a private copy would need security updates of its own. The copy found is used only after it
passes the self-test in `evp`. A version whose SM2 signing leaks the nonce by timing verifies, but never signs.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_long, c_size_t, c_uint, c_ulong, c_void_p
from pathlib import Path
from typing import Any, Final

_REMEDY_EN: Final = (
    "install OpenSSL 3 or later with SM2, pass the path of its libcrypto, or install ybtoken-native; "
    "verification needs neither (backend 'tables')"
)
_REMEDY_ZH: Final = (
    "请安装带 SM2 的 OpenSSL 3 或更高版本，或指定其 libcrypto 路径，或安装 ybtoken-native；"
    "仅验签则均不需要（后端 'tables'）"
)

# name: (result, arguments). Pointers to OpenSSL's objects are void pointers, because their structs are never accessed.
_PROTOTYPES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "OPENSSL_version_major": (c_uint, ()),
    "OPENSSL_version_minor": (c_uint, ()),
    "OPENSSL_version_patch": (c_uint, ()),
    "OpenSSL_version": (c_char_p, (c_int,)),
    "ERR_clear_error": (None, ()),
    "ERR_peek_last_error": (c_ulong, ()),
    "ERR_error_string_n": (None, (c_ulong, c_char_p, c_size_t)),
    "BIO_new_mem_buf": (c_void_p, (c_char_p, c_int)),
    "BIO_free": (c_int, (c_void_p,)),
    "PEM_read_bio_PrivateKey": (c_void_p, (c_void_p, c_void_p, c_void_p, c_char_p)),
    "d2i_PUBKEY": (c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    "EVP_PKEY2PKCS8": (c_void_p, (c_void_p,)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (c_void_p,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (c_int, (c_void_p, POINTER(c_void_p))),
    "PKCS8_encrypt": (c_void_p, (c_int, c_void_p, c_char_p, c_int, c_char_p, c_int, c_int, c_void_p)),
    "X509_SIG_free": (None, (c_void_p,)),
    "i2d_X509_SIG": (c_int, (c_void_p, POINTER(c_void_p))),
    "EVP_aes_256_cbc": (c_void_p, ()),
    "EVP_PKEY_Q_keygen": (c_void_p, (c_void_p, c_void_p, c_char_p)),
    "EVP_PKEY_free": (None, (c_void_p,)),
    "EVP_PKEY_is_a": (c_int, (c_void_p, c_char_p)),
    "EVP_PKEY_get_bn_param": (c_int, (c_void_p, c_char_p, POINTER(c_void_p))),
    "BN_bn2binpad": (c_int, (c_void_p, c_char_p, c_int)),
    "BN_clear_free": (None, (c_void_p,)),
    "EVP_PKEY_CTX_new_from_pkey": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "EVP_PKEY_CTX_free": (None, (c_void_p,)),
    "EVP_PKEY_pairwise_check": (c_int, (c_void_p,)),
    "EVP_PKEY_sign_init": (c_int, (c_void_p,)),
    "EVP_PKEY_sign": (c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    "EVP_PKEY_verify_init": (c_int, (c_void_p,)),
    "EVP_PKEY_verify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
}


class LibcryptoError(RuntimeError):
    """No libcrypto on this machine can do what was asked; `en` and `zh` say what is wrong and what to do.

    The stable `code` is ``libcrypto.missing``, ``libcrypto.version``, ``libcrypto.no-sm2``,
    ``libcrypto.self-test`` or ``libcrypto.timing``.
    """

    def __init__(self, code: str, en: str, zh: str) -> None:
        self.code = code
        self.en = f"{en}; {_REMEDY_EN}"
        self.zh = f"{zh}；{_REMEDY_ZH}"
        super().__init__(f"{self.en} ({self.zh})")


class Libcrypto:
    """The functions of one libcrypto of version 3 or later, as attributes by their C names.

    Args:
        path: a libcrypto, or (except on Windows) a shared library that is linked with one.

    Raises:
        LibcryptoError: the library does not load (``libcrypto.missing``), or is older than OpenSSL 3
            (``libcrypto.version``).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            raise LibcryptoError("libcrypto.missing", f"no libcrypto at {path}: {error}", f"{path} 无法加载") from error
        try:
            for name, (result, arguments) in _PROTOTYPES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except AttributeError as error:  # OpenSSL 1.1.1, LibreSSL, BoringSSL
            raise LibcryptoError(
                "libcrypto.version",
                f"{path} is not OpenSSL 3 or later: {error}",
                f"{path} 不是 OpenSSL 3 或更高版本",
            ) from error
        self.version: tuple[int, int, int] = (
            library.OPENSSL_version_major(),
            library.OPENSSL_version_minor(),
            library.OPENSSL_version_patch(),
        )

    def __getattr__(self, name: str) -> Any:  # for type checkers: every C function is an attribute set above
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"<Libcrypto {'.'.join(map(str, self.version))} at {self.path}>"

    @property
    def may_sign(self) -> bool:
        """Whether, as far as is known, this version takes the same time to sign with SM2 for every nonce."""
        return not leaks_by_timing(self.version, platform.machine())

    def last_error(self) -> str:
        """OpenSSL's message for the last failure in this thread; clears the thread's error queue."""
        text = ctypes.create_string_buffer(256)
        self.ERR_error_string_n(self.ERR_peek_last_error(), text, len(text))
        self.ERR_clear_error()
        return text.value.decode("ascii", "replace")


def leaks_by_timing(version: tuple[int, int, int], machine: str) -> bool:
    """Whether CVE-2025-9231 affects a version: on 64-bit ARM, the time of SM2 signing since 3.2 depends on the nonce.

    Versions that a distribution has fixed under an old number are counted as affected, because only the number is
    known.
    """
    fixed = {(3, 2): 6, (3, 3): 5, (3, 4): 3, (3, 5): 4}.get(version[:2], 0)
    return machine.lower() in ("aarch64", "arm64") and version[2] < fixed


def candidates() -> Iterator[str]:
    """Where a libcrypto may be found, best first: the one that this Python is linked with, then those of the system.

    On macOS all are full paths, because the system ends a process that loads a bare ``libcrypto``.
    """
    if sys.platform == "win32":
        for folder in ("DLLs", "Library/bin", "."):  # python.org, conda, embedded
            yield from map(str, sorted(Path(sys.base_prefix, folder).glob("libcrypto-[3-9]*.dll"), reverse=True))
        return
    linked = importlib.util.find_spec("_hashlib")
    if linked and linked.has_location and linked.origin:  # otherwise Python has no OpenSSL, or has it built in
        yield linked.origin
    if sys.platform == "darwin":
        for prefix in (
            "/opt/homebrew/opt/openssl@3",
            "/usr/local/opt/openssl@3",
            "/opt/local/libexec/openssl3",
        ):
            yield f"{prefix}/lib/libcrypto.3.dylib"
    else:
        yield from ("libcrypto.so.4", "libcrypto.so.3")
