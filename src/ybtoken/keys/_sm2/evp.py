"""SM2 keys on libcrypto's EVP, and the self-test without which no libcrypto is used.

This module owns every call on a key: what is prepared (the key and EVP contexts) and when it is freed. A context serves
one call at a time and is then kept for the next call, so threads may share a key. OpenSSL reseeds its random generator
after a fork.

The message is hashed here, after ZA, and libcrypto signs the digest. So ZA is computed once for a key and not at every
call, and the user id cannot be lost on the way to OpenSSL, whose own default was empty before 4.0.
"""

from __future__ import annotations

import ctypes
import weakref
from ctypes import byref, c_char_p, c_size_t, c_void_p, create_string_buffer
from functools import cache
from typing import Any, Final, NoReturn

from cryptography.hazmat.primitives import hashes

from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._der import der_from_raw, raw_from_der
from ybtoken.keys._pem import pem_from_der
from ybtoken.keys._sm2.curve import N, check_point, message_hash, pkcs8_from_scalar, spki_from_point
from ybtoken.keys._sm2.libcrypto import Libcrypto, LibcryptoError, candidates
from ybtoken.words import BoundsError

PBKDF2_ROUNDS: Final = 600_000  # HMAC-SHA-256; a passphrase is tried at load only
_MAX_DER_SIGNATURE: Final = 72
_BAD_PAIR: Final = "the private key is out of range or not the public key's (私钥越界或与公钥不匹配)"


class _EvpKey:
    """An EVP_PKEY and the contexts prepared on it; all are freed when it is collected."""

    __slots__ = ("__weakref__", "_hash", "_idle", "_lib", "_pkey", "_prepare")

    _hash: hashes.Hash

    def __init__(self, lib: Libcrypto, pkey: int, prepare: Any) -> None:
        self._lib, self._pkey, self._prepare = lib, pkey, prepare
        self._idle: list[int] = []  # contexts that no call is using; pop and append are atomic
        weakref.finalize(self, _free, lib, pkey, self._idle)

    def _context(self) -> int:
        """A context of this call's own; the caller appends it to ``_idle`` afterwards."""
        try:
            return self._idle.pop()
        except IndexError:
            context: int | None = self._lib.EVP_PKEY_CTX_new_from_pkey(None, self._pkey, None)
            if context is None or self._prepare(context) != 1:
                self._lib.EVP_PKEY_CTX_free(context)
                raise _no_sm2(self._lib) from None
            return context

    def _digest(self, message: bytes) -> bytes:
        state = self._hash.copy()
        state.update(message)
        return state.finalize()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an SM2 key cannot be pickled or copied (SM2 密钥不可序列化或复制)")


class EvpPublicKey(_EvpKey):
    """A public key that verifies.

    Args:
        lib: the result of `load`.
        point: the uncompressed point, 65 bytes; checked.
        user_id: the SM2 user id in ZA.

    Raises:
        ValueError: the point is not on the curve, or the user id is empty or too long.
        LibcryptoError: ``libcrypto.no-sm2``.
    """

    __slots__ = ()

    def __init__(self, lib: Libcrypto, point: bytes, user_id: bytes) -> None:
        check_point(point)
        der = spki_from_point(point)
        pkey = lib.d2i_PUBKEY(None, byref(c_char_p(der)), len(der))
        if not pkey or lib.EVP_PKEY_is_a(pkey, b"SM2") != 1:
            lib.EVP_PKEY_free(pkey)
            raise _no_sm2(lib)
        super().__init__(lib, pkey, lib.EVP_PKEY_verify_init)
        self._hash = message_hash(point, user_id)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature`, 64 bytes ``r || s``, is this key's over `message`."""
        return self.verify_digest(self._digest(message), signature)

    def verify_digest(self, digest: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over the message whose digest ``e = SM3(ZA || message)`` is given."""
        if not isinstance(signature, bytes):
            raise TypeError(f"a signature is bytes, not {type(signature).__name__}")
        if len(signature) != 64:
            return False
        der = der_from_raw(signature)
        context = self._context()
        good: bool = self._lib.EVP_PKEY_verify(context, der, len(der), digest, len(digest)) == 1
        self._idle.append(context)
        if not good:
            self._lib.ERR_clear_error()
        return good


class EvpPrivateKey(_EvpKey):
    """A private key that signs. It lives in libcrypto's memory; only `scalar` and `to_pem` bring it out.

    Raises:
        LibcryptoError: the time of this version's signing leaks the key (``libcrypto.timing``).
    """

    __slots__ = ("point",)

    def __init__(self, lib: Libcrypto, pkey: int, user_id: bytes) -> None:
        super().__init__(lib, pkey, lib.EVP_PKEY_sign_init)
        if not lib.may_sign:
            raise LibcryptoError(
                "libcrypto.timing",
                f"{lib} signs SM2 in a time that gives the key away (CVE-2025-9231)",
                f"{lib} 的 SM2 签名耗时会泄露私钥（CVE-2025-9231）",
            )
        self.point = b"\x04" + self._number(b"qx") + self._number(b"qy")
        self._hash = message_hash(self.point, user_id)

    @classmethod
    def generate(cls, lib: Libcrypto, user_id: bytes) -> EvpPrivateKey:
        """A new key from libcrypto's random generator."""
        pkey = lib.EVP_PKEY_Q_keygen(None, None, b"SM2")
        if not pkey:
            raise _no_sm2(lib)
        return cls(lib, pkey, user_id)

    @classmethod
    def from_scalar(cls, lib: Libcrypto, scalar: bytes, user_id: bytes) -> EvpPrivateKey:
        """The key of a 32-byte private scalar.

        Raises:
            ValueError: not 32 bytes, or not 1 to n - 2.
        """
        if not isinstance(scalar, bytes):
            raise TypeError(f"an SM2 private key is bytes, not {type(scalar).__name__} (SM2 私钥应为 bytes)")
        if len(scalar) != 32 or not 1 <= int.from_bytes(scalar, "big") <= N - 2:
            raise ValueError("an SM2 private key is 32 bytes, 1 to n - 2 (SM2 私钥应为 32 字节)")
        return cls.from_pem(lib, pem_from_der("PRIVATE KEY", pkcs8_from_scalar(scalar)), None, user_id)

    @classmethod
    def from_pem(cls, lib: Libcrypto, pem: bytes, passphrase: bytes | None, user_id: bytes) -> EvpPrivateKey:
        """The key of a PKCS#8 or SEC1 PEM, encrypted or not, with its public point or without.

        Raises:
            ValueError: this is no such PEM, the passphrase is wrong or missing, the curve is another, or the public
                point belongs to another key.
        """
        if passphrase is not None:
            _check_passphrase(passphrase)
            if b"ENCRYPTED" not in pem:
                raise BoundsError("a passphrase was given, but the key is not encrypted", "密钥未加密，不需要口令")
        bio = lib.BIO_new_mem_buf(pem, len(pem))
        # The passphrase is empty and not NULL, because with NULL OpenSSL would ask for one on the terminal.
        pkey = lib.PEM_read_bio_PrivateKey(bio, None, None, passphrase or b"")
        lib.BIO_free(bio)
        if not pkey:
            said = lib.last_error()
            raise BoundsError(
                f"not a private key in PEM, or the passphrase is wrong or missing: {said}",
                f"不是 PEM 私钥，或口令缺失、错误：{said}",
            )
        lib.ERR_clear_error()  # OpenSSL tries several formats, and each that does not fit leaves an error
        if lib.EVP_PKEY_is_a(pkey, b"SM2") != 1:
            lib.EVP_PKEY_free(pkey)
            raise BoundsError("the key is not on the SM2 curve", "该密钥不在 SM2 曲线上")
        key = cls(lib, pkey, user_id)
        key._check()
        return key

    def sign(self, message: bytes) -> bytes:
        """64 bytes ``r || s`` over ``e = SM3(ZA || message)``, with a fresh random nonce."""
        lib, digest = self._lib, self._digest(message)
        der, length = create_string_buffer(_MAX_DER_SIGNATURE), c_size_t(_MAX_DER_SIGNATURE)
        context = self._context()
        good = lib.EVP_PKEY_sign(context, der, byref(length), digest, len(digest)) == 1
        self._idle.append(context)
        if not good:
            raise RuntimeError(f"libcrypto could not sign: {lib.last_error()}")
        return raw_from_der(der.raw[: length.value])

    def scalar(self) -> bytes:
        """The private scalar, 32 bytes: the secret itself."""
        return self._number(b"priv")

    def to_pem(self, passphrase: bytes | None) -> bytes:
        """PKCS#8 PEM, encrypted (PBES2: PBKDF2-HMAC-SHA-256, AES-256-CBC) when there is a passphrase."""
        lib = self._lib
        if passphrase is not None:
            _check_passphrase(passphrase)
        info = lib.EVP_PKEY2PKCS8(self._pkey)
        if passphrase is None:
            pem = pem_from_der("PRIVATE KEY", _der(lib.i2d_PKCS8_PRIV_KEY_INFO, info))
        else:
            cipher = lib.EVP_aes_256_cbc()
            sealed = lib.PKCS8_encrypt(-1, cipher, passphrase, len(passphrase), None, 16, PBKDF2_ROUNDS, info)
            pem = pem_from_der("ENCRYPTED PRIVATE KEY", _der(lib.i2d_X509_SIG, sealed))
            lib.X509_SIG_free(sealed)
        lib.PKCS8_PRIV_KEY_INFO_free(info)
        return pem

    def _check(self) -> None:
        """That the scalar is 1 to n - 2 and the public point is its own, on the curve."""
        check_point(self.point)
        checker = self._lib.EVP_PKEY_CTX_new_from_pkey(None, self._pkey, None)
        is_pair = self._lib.EVP_PKEY_pairwise_check(checker) == 1
        self._lib.EVP_PKEY_CTX_free(checker)
        self._lib.ERR_clear_error()
        if not is_pair or not 1 <= int.from_bytes(self.scalar(), "big") <= N - 2:
            raise ValueError(_BAD_PAIR)

    def _number(self, name: bytes) -> bytes:
        number, octets = c_void_p(), create_string_buffer(32)
        if self._lib.EVP_PKEY_get_bn_param(self._pkey, name, byref(number)) != 1:
            self._lib.ERR_clear_error()  # a scalar of 0 or n: its public point has no coordinates
            raise ValueError(_BAD_PAIR)
        self._lib.BN_bn2binpad(number, octets, 32)
        self._lib.BN_clear_free(number)
        return octets.raw


@cache
def load(path: str | None = None) -> Libcrypto:
    """A libcrypto that passed `self_test`: at `path`, or the first found, if possible one that may sign.

    Raises:
        LibcryptoError: none. The reason is that of the candidate that came furthest.
    """
    tried = [_attempt(candidate) for candidate in ((path,) if path is not None else candidates())]
    usable = [lib for lib in tried if isinstance(lib, Libcrypto)]
    if usable:
        return max(usable, key=lambda lib: lib.may_sign)
    order = ("libcrypto.missing", "libcrypto.version", "libcrypto.no-sm2", "libcrypto.self-test")
    reasons = [reason for reason in tried if isinstance(reason, LibcryptoError)]
    raise max(
        reasons,
        key=lambda reason: order.index(reason.code),
        default=LibcryptoError("libcrypto.missing", "no libcrypto was found", "未找到 libcrypto"),
    )


@cache
def _attempt(path: str) -> Libcrypto | LibcryptoError:
    try:
        lib = Libcrypto(path)
        self_test(lib)
    except LibcryptoError as error:
        return error
    return lib


# GM/T 0003.5-2012 annex A (GB/T 32918.5-2017): signature of "message digest" under the default user id.
_KNOWN_POINT: Final = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_KNOWN_MESSAGE: Final = b"message digest"
_KNOWN_SIGNATURE: Final = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def self_test(lib: Libcrypto) -> None:
    """The standard's signature is accepted, its neighbours are refused, a new key's signature verifies.

    Raises:
        LibcryptoError: ``libcrypto.no-sm2``, or ``libcrypto.self-test`` where an answer is wrong.
    """
    known = EvpPublicKey(lib, _KNOWN_POINT, DEFAULT_USER_ID)
    other_id = EvpPublicKey(lib, _KNOWN_POINT, b"another user id")
    answers = [
        known.verify(_KNOWN_MESSAGE, _KNOWN_SIGNATURE),
        not known.verify(_KNOWN_MESSAGE + b".", _KNOWN_SIGNATURE),
        not other_id.verify(_KNOWN_MESSAGE, _KNOWN_SIGNATURE),
    ]
    if lib.may_sign:
        key = EvpPrivateKey.generate(lib, DEFAULT_USER_ID)
        signature = key.sign(_KNOWN_MESSAGE)
        answers.append(EvpPublicKey(lib, key.point, DEFAULT_USER_ID).verify(_KNOWN_MESSAGE, signature))
    if not all(answers):
        raise LibcryptoError("libcrypto.self-test", f"{lib} failed the SM2 self-test", f"{lib} 未通过 SM2 自检")


def _no_sm2(lib: Libcrypto) -> LibcryptoError:
    return LibcryptoError(
        "libcrypto.no-sm2",
        f"{lib} has no SM2 (Fedora and RHEL leave it out, FIPS mode hides it): {lib.last_error()}",
        f"{lib} 未包含 SM2（Fedora、RHEL 编译时去除；FIPS 配置下不可用）",
    )


def _check_passphrase(passphrase: bytes) -> None:
    if not passphrase or b"\0" in passphrase:  # OpenSSL would read it up to the NUL only
        raise BoundsError("a passphrase is not empty and has no NUL byte", "口令不能为空，且不能含 NUL 字节")


def _der(encode: Any, structure: int | None) -> bytes:
    length = encode(structure, None) if structure else 0
    if length <= 0:
        raise RuntimeError("libcrypto could not encode the key")
    octets = create_string_buffer(length)
    encode(structure, byref(c_void_p(ctypes.addressof(octets))))
    return octets.raw


def _free(lib: Libcrypto, pkey: int, contexts: list[int]) -> None:
    for context in contexts:
        lib.EVP_PKEY_CTX_free(context)
    lib.EVP_PKEY_free(pkey)
