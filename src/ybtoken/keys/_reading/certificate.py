"""Reads X.509 certificates (RFC 5280): the key, the period, the names and the key's usage. Verifies nothing.

`cryptography` is not used, because it cannot read the key of an SM2 certificate, and warns about negative serial
numbers, which certificates of partners have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ybtoken._checks import LAST_SECOND
from ybtoken.keys._reading import der
from ybtoken.keys._reading.der import DerError, Reader
from ybtoken.keys._reading.refused import KeyReadError

__all__ = ["Certificate", "leaf_of"]

_VERSION, _EXTENSIONS = 0xA0, 0xA3
_KEY_USAGE, _BASIC_CONSTRAINTS, _PURPOSES, _ANY_PURPOSE = "2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.37.0"
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_MOST_EXTENSIONS = 64  # usual are ten
_SIGNS, _SIGNS_CERTIFICATES = 0b1100_0000, 0b0000_0100  # digitalSignature and nonRepudiation; keyCertSign
_UNDERSTOOD = frozenset({_KEY_USAGE, _BASIC_CONSTRAINTS, _PURPOSES, "2.5.29.17", "2.5.29.14", "2.5.29.35"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """The parts of a certificate.

    Args:
        signed: the bytes that the issuer signed.
        algorithm: the signature's object identifier.
        signature: the bytes of the signature, which are DER for ECDSA and SM2.
        issuer: the issuer's name in DER.
        subject: the subject's name in DER.
        spki: the key as SubjectPublicKeyInfo in DER.
        not_before: when the period begins, in seconds since 1970.
        not_after: the first second after the period, at most 2**32.
        usage: the first byte of the key usage; None if the certificate states none.
        is_ca: whether it may sign other certificates by its basic constraints.
        path_length: how many CAs may stand between it and a holder's certificate; None if that is not bounded.
        purposes: the only purposes for which it is, by a critical extension; empty if it is for any.
        unknown: critical extensions that are unknown here.
    """

    signed: bytes
    algorithm: str
    signature: bytes
    issuer: bytes
    subject: bytes
    spki: bytes
    not_before: int
    not_after: int
    usage: int | None
    is_ca: bool
    path_length: int | None
    purposes: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def may_sign(self) -> bool:
        """Whether the key may sign data or certificates, so that it is not for encryption only."""
        return self.usage is None or bool(self.usage & (_SIGNS | _SIGNS_CERTIFICATES))

    @property
    def may_sign_certificates(self) -> bool:
        """Whether it is the certificate of a CA."""
        return self.is_ca and (self.usage is None or bool(self.usage & _SIGNS_CERTIFICATES))

    @classmethod
    def read(cls, data: bytes) -> Certificate:
        """Read a certificate in DER; `DerError` if it is not one."""
        outer = der.sequence(data)
        signed = outer.raw(der.SEQUENCE)
        algorithm_bytes = outer.raw(der.SEQUENCE)
        signature = outer.bits()
        outer.end()
        body = der.sequence(signed)
        if body.tag == _VERSION:
            body.take(_VERSION)
        body.take(der.INTEGER)  # the serial number; some are negative
        if body.raw(der.SEQUENCE) != algorithm_bytes:
            raise DerError("a certificate that states two signature algorithms")
        issuer = body.raw(der.SEQUENCE)
        period = body.inside(der.SEQUENCE)
        not_before, not_after = _time(period), _time(period) + 1
        period.end()
        subject, spki = body.raw(der.SEQUENCE), body.raw(der.SEQUENCE)
        while body.tag in (0x81, 0x82):
            body.take(body.tag)
        usage, is_ca, unknown, count = None, False, [], 0
        path_length: int | None = None
        purposes: tuple[str, ...] = ()
        if body:
            extensions = body.inside(_EXTENSIONS).inside(der.SEQUENCE)
            while extensions:
                if (count := count + 1) > _MOST_EXTENSIONS:
                    raise DerError(f"a certificate of more than {_MOST_EXTENSIONS} extensions")
                extension = extensions.inside(der.SEQUENCE)
                name = extension.oid()
                critical = extension.tag == der.BOOLEAN and extension.take(der.BOOLEAN) != b"\0"
                content = extension.take(der.OCTET_STRING)
                if name == _KEY_USAGE:
                    usage = (Reader(content).take(der.BIT_STRING)[1:] or b"\0")[0]
                elif name == _BASIC_CONSTRAINTS:
                    constraints = der.sequence(content)
                    is_ca = constraints.tag == der.BOOLEAN and constraints.take(der.BOOLEAN) != b"\0"
                    path_length = constraints.integer() if constraints.tag == der.INTEGER else None
                elif name == _PURPOSES and critical:
                    purposes = _only_purposes(content)
                if critical and name not in _UNDERSTOOD:
                    unknown.append(name)
        algorithm = der.sequence(algorithm_bytes).oid()
        return cls(
            signed,
            algorithm,
            signature,
            issuer,
            subject,
            spki,
            min(max(not_before, 0), LAST_SECOND),
            min(max(not_after, 0), LAST_SECOND),
            usage,
            is_ca,
            path_length,
            purposes,
            tuple(unknown),
        )


def _only_purposes(content: bytes) -> tuple[str, ...]:
    listed, found = der.sequence(content), []
    while listed:
        found.append(listed.oid())
    if not found or len(found) > _MOST_EXTENSIONS:
        raise DerError(f"a certificate for no purpose, or for more than {_MOST_EXTENSIONS}")
    return () if _ANY_PURPOSE in found else tuple(found)


def _time(reader: Reader) -> int:
    tag = reader.tag
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise DerError("a period without a time")
    text = reader.take(tag).decode("ascii", "replace")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise DerError("a period with a time that is none") from None
    return int(moment.timestamp())


def leaf_of(certificates: list[Certificate]) -> Certificate:
    """The holder's own certificate: the only one that did not issue any of the others."""
    issuers = {each.issuer for each in certificates if each.issuer != each.subject}
    leaves = [each for each in certificates if each.subject not in issuers]
    if len(leaves) > 1:
        leaves = [each for each in leaves if each.may_sign]  # not the one for encryption, if there is a pair
    if len({each.spki for each in leaves}) != 1:
        raise KeyReadError(
            "key.ambiguous",
            f"there are {len(certificates)} certificates in this file, and none stands below all others: give one",
            f"文件中有 {len(certificates)} 张证书，无法确定持有者的证书：请只给一张",
        )
    return leaves[0]
