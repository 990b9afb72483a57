"""Finds by trial why a signature does not verify. It helps developers and partners, and never decides a verdict.

If a combination of deviations verifies, it is the explanation, because that does not happen by chance. If none does,
the signature is reported as unexplained. Nothing here makes a verifier accept anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from ybtoken.algorithms import Algorithm, Curve
from ybtoken.keys._der import der_from_raw
from ybtoken.keys._diagnosis.deviation import Deviation
from ybtoken.keys._diagnosis.digest import digests
from ybtoken.keys._diagnosis.message import alternatives
from ybtoken.keys._diagnosis.signature import spellings
from ybtoken.keys._sm2.curve import N
from ybtoken.keys._sm2.tables import signed_digest
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.words import Words

__all__ = ["Deviation", "Diagnosis", "diagnose_signature"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of diagnosing a signature or a text.

    Args:
        explained: whether some combination verifies. If not, the signature is over something else, made by another key,
            or damaged.
        deviations: everything in which the signer departed from the format; none if the signature is good.
    """

    explained: bool
    deviations: tuple[Deviation, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the signature verifies as it is."""
        return self.explained and not self.deviations

    @property
    def code(self) -> str:
        """``good``, ``unexplained``, or the deviations' codes joined by ``+``."""
        if not self.explained:
            return "unexplained"
        return "+".join(each.code for each in self.deviations) or "good"

    @property
    def what(self) -> Words:
        """What was found, in English and Chinese."""
        if not self.explained:
            return Words(
                "Nothing that was tried explains it: it is over another message, by another key, or damaged.",
                "所有尝试均无法解释：报文不同、密钥不同，或已损坏。",
            )
        if not self.deviations:
            return Words("The signature is good.", "签名有效。")
        return Words(" ".join(d.what.en for d in self.deviations), "".join(d.what.zh for d in self.deviations))

    @property
    def remedy(self) -> Words:
        """What to change, in English and Chinese."""
        if not self.explained:
            return Words(
                "Compare the messages byte by byte, and the public keys; give user ids and keys that may be meant.",
                "请逐字节比对报文并核对公钥；并提供可能使用的用户标识与密钥。",
            )
        remedies = dict.fromkeys(each.remedy for each in self.deviations)
        return Words(" ".join(each.en for each in remedies), "".join(each.zh for each in remedies))


_ANOTHER_KEY = Words(
    "State the kid of the key that signs, or sign with the key that is stated.",
    "请给出实际签名密钥的 kid，或改用所给 kid 的密钥。",
)


def diagnose_signature(
    key: VerifyingKey,
    message: bytes,
    signature: bytes | str,
    *,
    user_ids: Iterable[bytes] = (),
    others: Iterable[VerifyingKey] = (),
) -> Diagnosis:
    """Find out what is wrong with a signature, by trying the usual mistakes of signers.

    Args:
        key: the public key that should verify it.
        message: what should have been signed; for a token, the whole Sig_structure.
        signature: what was handed over, in any spelling.
        user_ids: SM2 user ids that may have been used, besides the usual ones.
        others: public keys that may have signed in its place.
    """
    given = signature.encode() if isinstance(signature, str) else signature
    for each, text in ((message, "a message"), (given, "a signature")):
        if not isinstance(each, bytes):
            raise TypeError(f"{text} is bytes, not {type(each).__name__}")
    ids = tuple(user_ids)
    raws: dict[bytes, tuple[Deviation, ...]] = {}
    for raw, wrong in spellings(given):
        raws.setdefault(raw, wrong)
    found = _explain(key, _digests(key, message, ids), raws)
    if found is not None:
        return Diagnosis(True, found)
    for other in others:
        ways = ((way(message), wrong) for way, wrong in digests(other, ids))
        if other.kid != key.kid and (found := _explain(other, ways, raws)) is not None:
            return Diagnosis(True, (_by(other), *found))
    return Diagnosis(False)


def _by(key: VerifyingKey) -> Deviation:
    kid = key.kid.hex()
    words = Words(f"Another key signed: {kid}.", f"由另一密钥签名：{kid}。")
    return Deviation("key.another", words, _ANOTHER_KEY)


def _explain(
    key: VerifyingKey,
    candidates: Iterable[tuple[bytes, tuple[Deviation, ...]]],
    raws: Mapping[bytes, tuple[Deviation, ...]],
) -> tuple[Deviation, ...] | None:
    tried: set[bytes] = set()
    for digest, of_message in candidates:
        if digest not in tried:
            tried.add(digest)
            for raw, of_signature in raws.items():
                if _verifies(key, digest, raw):
                    return (*of_signature, *of_message)
    return None


def _digests(
    key: VerifyingKey, message: bytes, ids: tuple[bytes, ...]
) -> Iterator[tuple[bytes, tuple[Deviation, ...]]]:
    ways = list(digests(key, ids))
    for way, wrong in ways:
        yield way(message), wrong
    for other, deviation in alternatives(message):
        if other != message:
            for way, wrong in ways:
                yield way(other), (deviation, *wrong)


def _verifies(key: VerifyingKey, digest: bytes, raw: bytes) -> bool:
    if Algorithm(key.algorithm).curve is Curve.SM2:
        return _sm2_digest(b"\x04" + b"".join(key.point), raw) == int.from_bytes(digest, "big") % N
    if len(raw) != 64:
        return False
    try:
        _p256(b"\x04" + b"".join(key.point)).verify(
            der_from_raw(raw), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        )
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _sm2_digest(point: bytes, raw: bytes) -> int | None:
    return signed_digest(point, raw)


@lru_cache(maxsize=64)
def _p256(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
