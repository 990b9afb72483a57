"""Certificate chains: signatures that lead from a holder's certificate to a trusted public key.

For each certificate (RFC 5280 section 6) the signature, the period and the names are checked, that its issuer is a CA
that may have as many CAs below it, that it is not for other purposes only (a critical extended key usage, such as TLS),
and that it has no critical extension that is unknown here. Revocation, name constraints and policies are not checked.
"""

from __future__ import annotations

from collections.abc import Iterable

from ybtoken.algorithms import Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys._der import raw_from_der
from ybtoken.keys._reading.certificate import Certificate, leaf_of
from ybtoken.keys._reading.names import name_of
from ybtoken.keys._reading.refused import KeyReadError
from ybtoken.keys.p256 import P256VerifyingKey
from ybtoken.keys.protocols import VerifyingKey
from ybtoken.keys.reading import PublicKeyRead, read_certificates, read_public_key
from ybtoken.keys.sm2 import SM2VerifyingKey

__all__ = ["read_certified_key"]

_ALGORITHMS = {"1.2.840.10045.4.3.2": Curve.P256, "1.2.156.10197.1.501": Curve.SM2}
_LONGEST_CHAIN = 8


def read_certified_key(
    data: bytes | str, *, anchors: Iterable[VerifyingKey], now: int, curve: Curve | None = None
) -> PublicKeyRead:
    """Read a certificate's key if a chain of certificates leads from it to a trusted public key.

    Args:
        data: the certificate and any between it and the anchor, in PEM in any order; or one certificate in DER.
        anchors: the trusted public keys, such as those of root certificates.
        now: the time at which every certificate must be valid, in seconds since 1970.
        curve: the key's curve, if it is known.

    Raises:
        KeyReadError: there is no certificate, or no chain leads to an anchor (``key.chain``); the message says where
            the chain ends.
    """
    certificates = read_certificates(data)
    if not certificates:
        raise _broken("there is no certificate, and nothing else can be confirmed", "没有证书，其他内容无从确认")
    read = read_public_key(data, curve=curve)
    trusted = tuple(anchors)
    current = leaf_of(certificates)
    below = (
        0  # CAs between the holder's certificate and the next; one that issued itself, with a new key, is no new one
    )
    for _ in range(_LONGEST_CHAIN):
        _check_itself(current, now)
        if any(_signed_by(current, key) for key in trusted):
            return read
        above = next((each for each in certificates if each is not current and _is_issued(current, each)), None)
        if above is None:
            raise _broken("no anchor, and no certificate in the file, signed it", "信任锚与文件中的证书均未签发它")
        if not above.may_sign_certificates:
            raise _broken("a certificate in the chain is signed by one that is no CA's", "链中有证书由非 CA 证书签发")
        if above.path_length is not None and below > above.path_length:
            raise _broken(
                f"a CA in the chain may have {above.path_length} CAs below it, and has {below}",
                f"链中某 CA 之下最多可有 {above.path_length} 级 CA，实际有 {below} 级",
            )
        below += above.issuer != above.subject
        current = above
    raise _broken(f"the chain is longer than {_LONGEST_CHAIN}", f"证书链超过 {_LONGEST_CHAIN} 级")


def _check_itself(certificate: Certificate, now: int) -> None:
    if not certificate.not_before <= now < certificate.not_after:
        raise _broken("a certificate is not yet valid, or has ended", "证书尚未生效或已过期")
    if certificate.purposes:
        names = ", ".join(map(name_of, certificate.purposes))
        raise _broken(f"a certificate is for other purposes only: {names}", f"证书仅可用于其他用途：{names}")
    if certificate.unknown:
        names = ", ".join(map(name_of, certificate.unknown))
        raise _broken(f"a critical extension is not understood: {names}", f"不支持的关键扩展：{names}")


def _is_issued(certificate: Certificate, issuer: Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    curve = _ALGORITHMS.get(certificate.algorithm)
    if curve is None:
        return False
    try:
        point = read_public_key(issuer.spki, curve=curve).point
    except KeyReadError:
        return False
    key = SM2VerifyingKey(point) if curve is Curve.SM2 else P256VerifyingKey(point)
    return _signed_by(certificate, key)


def _signed_by(certificate: Certificate, key: VerifyingKey) -> bool:
    curve = _ALGORITHMS.get(certificate.algorithm)
    if curve is None:
        algorithm = name_of(certificate.algorithm)
        raise _broken(f"a certificate is signed by {algorithm}", f"证书的签名算法为 {algorithm}")
    if Algorithm(key.algorithm).curve is not curve:
        return False
    try:
        key.verify(certificate.signed, raw_from_der(certificate.signature))
    except (SignatureError, ValueError):
        return False
    return True


def _broken(en: str, zh: str) -> KeyReadError:
    return KeyReadError("key.chain", f"the certificate is not confirmed: {en}", f"证书未获确认：{zh}")
