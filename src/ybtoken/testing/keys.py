"""A key without security, for tests, and the conformance suite of keys."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from ybtoken.algorithms import Algorithm
from ybtoken.errors import SignatureError
from ybtoken.keys.protocols import SigningKey, VerifyingKey
from ybtoken.testing._refused import refused

__all__ = ["FakeKey", "check_key_pair"]


class FakeKey:
    """A signing and verifying key with no security at all: its signature is a hash that anyone can make.

    With it, tests and benchmarks of other parts contain no cryptography.
    """

    def __init__(self, name: str = "fake", algorithm: Algorithm = Algorithm.ES256) -> None:
        self.algorithm = algorithm
        self._name = name.encode()
        digest = hashlib.sha512(self._name).digest()
        self.point = digest[:32], digest[32:]
        self.kid = hashlib.sha256(self._name).digest()[:8]

    def sign(self, message: bytes) -> bytes:
        """See `ybtoken.keys.protocols.SigningKey`."""
        return hashlib.sha512(self._name + message).digest()

    def verify(self, message: bytes, signature: bytes) -> None:
        """See `ybtoken.keys.protocols.VerifyingKey`."""
        if signature != self.sign(message):
            raise SignatureError("signature.invalid", kid=self.kid.hex())

    def __repr__(self) -> str:
        return f"FakeKey({self._name.decode()!r})"


# In one signature in 128, r or s starts with a zero byte; in one run in 3,000, none of these signatures has one. A
# device that makes one bad signature in 100 passes one run in 29,000.
_SIGNATURES = 1_024
_THREADS, _SIGNATURES_OF_A_THREAD = 8, 16


def check_key_pair(signing: SigningKey, verifying: VerifyingKey, *, other: VerifyingKey) -> None:
    """Check that a `SigningKey` and a `VerifyingKey` fit together, and that altered signatures are refused.

    Args:
        signing: a private key; several threads use it at once.
        verifying: its public key.
        other: another public key of the same algorithm.
    """
    assert isinstance(signing, SigningKey)
    assert isinstance(verifying, VerifyingKey)
    assert signing.algorithm is verifying.algorithm is other.algorithm
    assert signing.kid == verifying.kid != other.kid
    assert len(signing.kid) == 8
    assert [len(coordinate) for coordinate in verifying.point] == [32, 32]
    for size in (0, 1, 31, 32, 55, 56, 63, 64, 65, 119, 1000):
        message = bytes(range(256)) * 4
        message = message[:size]
        signature = signing.sign(message)
        assert isinstance(signature, bytes)
        assert len(signature) == 64
        verifying.verify(message, signature)
        for wrong in (message + b"\0", message[:-1] if message else b"\1"):
            refused(lambda wrong=wrong, s=signature: verifying.verify(wrong, s), SignatureError)  # type: ignore[misc]
        refused(lambda m=message, s=signature: other.verify(m, s), SignatureError)  # type: ignore[misc]
    for number in range(_SIGNATURES):
        message = number.to_bytes(2)
        signature = signing.sign(message)
        assert len(signature) == 64, "r and s are 32 bytes each, leading zeros included"
        verifying.verify(message, signature)
    _check_threads(signing, verifying)
    message = b"ybtoken"
    signature = signing.sign(message)
    for bit in range(512):
        flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
        refused(lambda s=flipped: verifying.verify(message, s), SignatureError)  # type: ignore[misc]
    halves = signature[:32], signature[32:]
    for bad in chain(
        (b"", signature[:-1], signature + b"\0", b"\0" + signature, signature * 2),
        (halves[1] + halves[0], bytes(32) + halves[1], halves[0] + bytes(32), bytes(64), b"\xff" * 64),
    ):
        refused(lambda s=bad: verifying.verify(message, s), SignatureError)  # type: ignore[misc]
    for key in (signing, verifying):
        assert "sign" not in repr(key).lower().replace("signingkey", "")


def _check_threads(signing: SigningKey, verifying: VerifyingKey) -> None:
    """Check that signatures made by several threads at once are each over the right message."""

    def sign(thread: int) -> None:
        for number in range(_SIGNATURES_OF_A_THREAD):
            message = bytes((thread, number)) * 40
            verifying.verify(message, signing.sign(message))

    with ThreadPoolExecutor(_THREADS) as threads:
        for done in [threads.submit(sign, thread) for thread in range(_THREADS)]:
            done.result()
