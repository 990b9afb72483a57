"""Enrolment: the phone proves that it holds a key before a device-bound pass names that key.

Without the proof, a mistake shows only when codes are refused at a counter: of keys that are handed over compressed,
with y in the place of x, about half are points of the curve as well. The phone signs a challenge of the platform
together with its own public point. The platform keeps no state, because the challenge carries its end, and a MAC that
binds it to the holder. Until that end, a proof that is sent again proves the same key for the same holder again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from ybtoken._checks import callback, duration, instance, octets
from ybtoken.errors import SignatureError
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.misuse import IssueError
from ybtoken.words import Words

__all__ = ["CHALLENGE_SIZE", "Enrolment", "enrolment_message"]

_LABEL = b"ybtoken enrolment 1"
_END_SIZE, _NONCE_SIZE, _MAC_SIZE = 5, 11, 16
CHALLENGE_SIZE = _END_SIZE + _NONCE_SIZE + _MAC_SIZE
"""The size of a challenge in bytes."""


def enrolment_message(challenge: bytes, point: tuple[bytes, bytes]) -> bytes:
    """What the phone signs: a label, the challenge, and the coordinates x and y of its public key.

    Args:
        challenge: what the platform sent.
        point: x and y, 32 bytes each, big-endian.
    """
    octets("challenge", challenge, range(CHALLENGE_SIZE, CHALLENGE_SIZE + 1))
    return _LABEL + challenge + point[0] + point[1]


class Enrolment:
    """The platform's side of enrolment. Immutable, and safe to share between threads and processes.

    Args:
        key: a secret for the MACs, at least 16 bytes, the same in every process of the platform.
        lifetime: for how many seconds a challenge can be answered.
        clock: gives the seconds since 1970.

    Raises:
        TypeError, ValueError: an argument of another kind, or out of its bounds.
    """

    __slots__ = ("_clock", "_key", "_lifetime")

    def __init__(self, key: bytes, *, lifetime: int = 120, clock: Callable[[], float] = time.time) -> None:
        self._key = octets("key", key, range(16, 1025))
        self._lifetime = duration("lifetime", lifetime, minimum=1)
        self._clock = callback("clock", clock, "the seconds since 1970")

    def challenge(self, holder: str) -> bytes:
        """Make a challenge for a holder whom the platform has authenticated.

        Args:
            holder: what names the holder's session or account at the platform.
        """
        end = (int(self._clock()) + self._lifetime).to_bytes(_END_SIZE, "big")
        body = end + secrets.token_bytes(_NONCE_SIZE)
        return body + self._mac(holder, body)

    def check(self, holder: str, challenge: bytes, device_key: VerifyingKey, signature: bytes) -> None:
        """Accept the phone's proof; afterwards a pass may name the key.

        Args:
            holder: as for `challenge`.
            challenge: what the phone answers.
            device_key: the public key that the phone handed over.
            signature: the phone's signature ``r || s`` over `enrolment_message`.

        Raises:
            IssueError: ``issue.possession``: the challenge is not this holder's or is past its end, or the signature is
                not by this key.
        """
        instance("device_key", device_key, VerifyingKey, "the phone's public key (VerifyingKey)")
        if not isinstance(challenge, bytes) or not isinstance(signature, bytes):
            raise TypeError("the challenge and the signature are bytes")
        body, mac = challenge[:-_MAC_SIZE], challenge[-_MAC_SIZE:]
        if len(challenge) != CHALLENGE_SIZE or not hmac.compare_digest(mac, self._mac(holder, body)):
            raise _refused("the challenge was not made for this holder", "该挑战值不是为此参保人生成的")
        if int(self._clock()) >= int.from_bytes(body[:_END_SIZE], "big"):
            raise _refused("the challenge is past its end", "该挑战值已过期")
        try:
            device_key.verify(enrolment_message(challenge, device_key.point), signature)
        except SignatureError:
            raise _refused(
                "the signature is not by this key; is y in the place of x, or is the signature in DER?",
                "签名与该公钥不符；请检查 x、y 是否颠倒，签名是否为 DER 格式",
            ) from None

    def _mac(self, holder: str, body: bytes) -> bytes:
        instance("holder", holder, str, "a string")
        return hmac.digest(self._key, _LABEL + body + holder.encode(), hashlib.sha256)[:_MAC_SIZE]

    def __repr__(self) -> str:
        return f"Enrolment(lifetime={self._lifetime})"


def _refused(en: str, zh: str) -> IssueError:
    return IssueError("issue.possession", reason=Words(en, zh))
