"""A private key in a PKCS#11 token, by `python-pkcs11` (extra ``pkcs11``).

P-256 keys sign with CKM_ECDSA over a digest that is computed here. The standard has no mechanism for SM2: give the
vendor's mechanism, with which the token signs e = SM3(ZA || message).

`python-pkcs11` initialises a library without locks for threads, so calls to a library are serialised here. Each process
logs in to the token once, a lost session is closed and replaced once, and a forked process initialises the library
again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from typing import Any, ClassVar, NoReturn

try:
    import pkcs11
    from pkcs11 import exceptions
except ModuleNotFoundError as error:
    words = "ybtoken.devices.pkcs11 needs the extra pkcs11: pip install 'ybtoken[pkcs11]'"
    raise ModuleNotFoundError(words, name="pkcs11") from error

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm
from ybtoken.devices.checked import DeviceError, checked
from ybtoken.keys.p256 import P256VerifyingKey
from ybtoken.keys.protocols import SAMPLE
from ybtoken.keys.reading import KeyReadError, read_public_key
from ybtoken.keys.signatures import sm2_digest
from ybtoken.keys.sm2 import SM2VerifyingKey

__all__ = ["Pkcs11SigningKey"]

_LOST = (
    exceptions.GeneralError,
    exceptions.SessionHandleInvalid,
    exceptions.SessionClosed,
    exceptions.UserNotLoggedIn,
    exceptions.ObjectHandleInvalid,
    exceptions.KeyHandleInvalid,
    exceptions.DeviceRemoved,
    exceptions.DeviceError,
    exceptions.TokenNotPresent,
)


class Pkcs11SigningKey:
    """A private key in a PKCS#11 token. The key never leaves the token.

    Args:
        library: the path of the vendor's PKCS#11 library.
        token: the token's label.
        pin: the user's PIN.
        label: the key's label. Give this, or the id, or both.
        key_id: the key's CKA_ID.
        algorithm: ES256, ESP256, or SM2.
        mechanism: for SM2, the number of the vendor's mechanism that signs a digest.
        user_id: for SM2, the user id.
        public_key: the public key in any form that `ybtoken.keys.reading` knows, if the token does not hold it.

    Raises:
        DeviceError: the library, the token or the key does not exist, or the PIN is wrong.
        ValueError: an argument is missing, or does not fit the others.
    """

    __slots__ = ("_digest", "_find", "_mechanism", "_open", "_pid", "_private", "algorithm", "kid", "verifying_key")
    verified_share: ClassVar[float] = SAMPLE

    def __init__(
        self,
        library: str,
        *,
        token: str,
        pin: str,
        label: str | None = None,
        key_id: bytes | None = None,
        algorithm: Algorithm = Algorithm.ES256,
        mechanism: int | None = None,
        user_id: bytes = DEFAULT_USER_ID,
        public_key: bytes | str | None = None,
    ) -> None:
        if label is None and key_id is None:
            raise ValueError("a key in a token is found by its label or its key_id")
        if (Algorithm(algorithm) is Algorithm.SM2) != (mechanism is not None):
            raise ValueError("mechanism is the number of the vendor's SM2 mechanism, for SM2 and nothing else")
        self.algorithm = Algorithm(algorithm)
        self._mechanism = pkcs11.Mechanism.ECDSA if mechanism is None else _vendors(mechanism)
        self._open: Callable[[], Any] = partial(_open, library, token, pin)
        self._find: dict[str, Any] = {"label": label, "id": key_id}
        self._find = {name: value for name, value in self._find.items() if value is not None}
        with _turn.lock:
            self._private: Any = self._connected()
            self._pid = os.getpid()
            with _closed_on_failure(self._private.session):
                point = self._point(self._private.session, public_key)
        if self.algorithm is Algorithm.SM2:
            sm2 = SM2VerifyingKey(point, user_id=user_id)
            self.verifying_key: P256VerifyingKey | SM2VerifyingKey = sm2
            self._digest: Callable[[bytes], bytes] = lambda message: sm2_digest(sm2, message)
        else:
            self.verifying_key = P256VerifyingKey(point, algorithm=self.algorithm)
            self._digest = lambda message: sha256(message).digest()
        self.kid = self.verifying_key.kid

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`. `DeviceError` if the token fails, or its signature is bad."""
        digest = self._digest(message)
        with _turn.lock:
            try:
                signature = self._sign(digest)
            except _LOST:
                if self._private is not None and self._pid == os.getpid():
                    _close(self._private.session)
                self._private = None
                try:
                    signature = self._sign(digest)
                except exceptions.PKCS11Error as error:
                    raise _failed(error) from error
            except exceptions.PKCS11Error as error:
                raise _failed(error) from error
        return checked(self.verifying_key, message, signature)

    def _sign(self, digest: bytes) -> bytes:
        if self._private is None or self._pid != os.getpid():
            self._private, self._pid = self._connected(), os.getpid()
        return bytes(self._private.sign(digest, mechanism=self._mechanism))

    def _connected(self) -> Any:
        session = self._open()
        with _closed_on_failure(session):
            private = _one(session, pkcs11.ObjectClass.PRIVATE_KEY, self._find, "private key")
        private.key_type = pkcs11.KeyType.EC  # python-pkcs11 fails on a vendor's type, and does not use it here
        return private

    def _point(self, session: Any, given: bytes | str | None) -> bytes:
        if given is None:
            found = _one(session, pkcs11.ObjectClass.PUBLIC_KEY, self._find, "public key")
            given = bytes(found[pkcs11.Attribute.EC_POINT])  # wrapped as an OCTET STRING, or bare
        try:
            return read_public_key(given, curve=self.algorithm.curve).point
        except KeyReadError as error:
            raise DeviceError(f"the token's public key: {error.words.en}", f"令牌中的公钥：{error.words.zh}") from None

    def __repr__(self) -> str:
        return f"Pkcs11SigningKey({self.algorithm.name}, kid={self.kid.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled or copied: load it where it is used")


def _vendors(number: int) -> Any:
    """A vendor's mechanism, made by hand: `python-pkcs11` accepts any `Mechanism`, but has only the standard's."""
    try:
        return pkcs11.Mechanism(number)
    except ValueError:
        mechanism = int.__new__(pkcs11.Mechanism, number)
        mechanism._name_, mechanism._value_ = f"VENDOR_{number:#x}", number
        return mechanism


_WAITS = (0.02, 0.05, 0.1, 0.2, 0.4)  # seconds


class _Turn:
    """A lock for calls to a library: one thread at a time may call. After a fork it is free."""

    def __init__(self) -> None:
        self.forked()
        self.process = os.getpid()  # that initialised the libraries

    def forked(self) -> None:
        self.lock = threading.RLock()
        self.logins: dict[str, Any] = {}  # by token, the session that logged in last


_turn = _Turn()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turn.forked)


def _open(library: str, token: str, pin: str) -> Any:
    try:
        return _opened(library, token, pin)
    except exceptions.NoSuchToken:
        raise DeviceError(f"there is no token {token!r}", f"没有名为 {token!r} 的令牌") from None
    except (exceptions.PinIncorrect, exceptions.PinLenRange, exceptions.PinInvalid):
        raise DeviceError("the PIN is wrong; several attempts lock the token", "PIN 错误；多次尝试会锁定令牌") from None
    except exceptions.PinLocked:
        raise DeviceError("the token is locked after wrong PINs", "令牌因 PIN 多次错误已锁定") from None
    except (exceptions.PKCS11Error, RuntimeError, OSError) as error:
        raise _failed(error) from error


def _opened(library: str, token: str, pin: str) -> Any:
    loaded = pkcs11.lib(library)
    if _turn.process == os.getpid():
        return _logged_in(loaded, token, pin)
    # A forked process has no session and no login. Processes that initialise a library at the same time may disturb
    # each other: with SoftHSM 2, in 4 of 25 trials a token was not found or a call failed.
    for wait in _WAITS:
        loaded.reinitialize()
        try:
            session = _logged_in(loaded, token, pin)
        except (exceptions.NoSuchToken, exceptions.GeneralError):
            time.sleep(wait)
        else:
            _turn.process = os.getpid()
            return session
    loaded.reinitialize()
    _turn.process = os.getpid()
    return _logged_in(loaded, token, pin)


def _logged_in(loaded: Any, token: str, pin: str) -> Any:
    found = loaded.get_token(token_label=token)
    try:
        session = found.open(user_pin=pin)
    except exceptions.UserAlreadyLoggedIn:  # a login is valid for all sessions of the process
        return found.open()
    _turn.logins[token] = session
    return session


def _close(session: Any) -> None:
    """Close a session that is used no more, unless that would end a login which another session made since.

    `python-pkcs11` ends the login of the whole process with a session that has logged in. The keys that use it log in
    again, so without this exception two of them would end each other's login at every signature.
    """
    if session.user_type == pkcs11.UserType.NOBODY or any(session is each for each in _turn.logins.values()):
        with suppress(exceptions.PKCS11Error):  # the token may have closed it itself
            session.close()


@contextmanager
def _closed_on_failure(session: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _close(session)
        raise


def _one(session: Any, kind: Any, find: dict[str, Any], what: str) -> Any:
    zh = {"private key": "私钥", "public key": "公钥"}[what]
    try:
        return session.get_key(object_class=kind, **find)
    except exceptions.NoSuchKey:
        refused = DeviceError(f"the token has no such {what}: {_words(find)}", f"令牌中没有该{zh}：{_words(find)}")
    except exceptions.MultipleObjectsReturned:
        refused = DeviceError(
            f"several {what}s of the token fit {_words(find)}: give label and key_id",
            f"令牌中有多个{zh}符合 {_words(find)}：请同时给出 label 与 key_id",
        )
    raise refused  # here, because the error of `python-pkcs11` keeps its search open, and the session is closed next


def _words(find: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value.hex() if isinstance(value, bytes) else value!r}" for name, value in find.items())


def _failed(error: Exception) -> DeviceError:
    said = f"{type(error).__name__} {error}".strip()
    return DeviceError(f"the token refused: {said}", f"令牌返回错误：{said}")
