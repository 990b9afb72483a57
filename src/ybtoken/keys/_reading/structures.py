"""Reads the DER structures that hold keys: PKCS#8, SEC 1, SubjectPublicKeyInfo, X.509; names others that it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from ybtoken.algorithms import Curve
from ybtoken.keys._reading import der
from ybtoken.keys._reading.certificate import Certificate
from ybtoken.keys._reading.der import DerError, Reader
from ybtoken.keys._reading.found import CURVE_NAMES, PrivateKeyRead, PublicKeyRead
from ybtoken.keys._reading.names import CURVES, EC, SM2_ITSELF, name_of
from ybtoken.keys._reading.numbers import DOMAINS, check_number, point_of
from ybtoken.keys._reading.refused import KeyReadError
from ybtoken.keys._reading.sealed import decrypt_pkcs8
from ybtoken.words import Words

__all__ = ["Wanted", "private_of_der", "public_of_der"]

_CONTEXT = 0xA0
_POINT_IN_KEY = 0x81  # publicKey of RFC 5958, [1] IMPLICIT BIT STRING


@dataclass(frozen=True, slots=True)
class Wanted:
    """The key that the caller asked for.

    Args:
        curve: the key's curve, if it is known.
        passphrase: the passphrase of an encrypted key.
    """

    curve: Curve | None = None
    passphrase: bytes | None = None

    def check(self, curve: Curve, kind: Words) -> Curve:
        """Return the curve that was found, if it is the wanted one."""
        if self.curve is not None and curve is not self.curve:
            found, wanted = CURVE_NAMES[curve], CURVE_NAMES[self.curve]
            raise KeyReadError(
                "key.curve",
                f"this is a {kind.en} on {found}, and one on {wanted} is wanted",
                f"这是 {found} {kind.zh}，此处需要 {wanted} {kind.zh}",
            )
        return curve


_PUBLIC, _PRIVATE = Words("public key", "公钥"), Words("private key", "私钥")


def public_of_der(data: bytes, wanted: Wanted) -> PublicKeyRead:
    """The public key in one DER structure.

    Raises:
        DerError: the data is not DER, or its shape is unknown.
        KeyReadError: the data is another known structure, or not the wanted key.
    """
    tags = der.shape(data)
    if tags == [der.SEQUENCE, der.BIT_STRING]:
        curve, point = _spki(der.sequence(data), wanted)
        return PublicKeyRead(curve, point, Words("SubjectPublicKeyInfo", "SubjectPublicKeyInfo"))
    if tags == [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING] and _is_certificate(data):
        return public_of_certificate(Certificate.read(data), wanted)
    raise _name_other(data, tags, private=False)


def public_of_certificate(certificate: Certificate, wanted: Wanted) -> PublicKeyRead:
    """The key of a certificate that may sign, and the certificate's period."""
    if not certificate.may_sign:
        raise KeyReadError(
            "key.kind",
            "this is a certificate for encryption (its key usage has no digital signature): give the signing one",
            "这是加密证书（密钥用途不含数字签名）：请提供签名证书",
        )
    curve, point = _spki(der.sequence(certificate.spki), wanted)
    words = Words("X.509 certificate", "X.509 证书")
    return PublicKeyRead(curve, point, words, certificate.not_before, certificate.not_after, certificate.subject)


def private_of_der(data: bytes, wanted: Wanted) -> PrivateKeyRead:
    """The private key in one DER structure, decrypted if necessary. Errors are those of `public_of_der`."""
    tags = der.shape(data)
    if tags == [der.SEQUENCE, der.OCTET_STRING]:
        plain = decrypt_pkcs8(data, wanted.passphrase, _is_private_key_info)
        found = private_of_der(plain, Wanted(wanted.curve))
        words = Words(f"encrypted {found.spelling.en}", f"加密的 {found.spelling.zh}")
        return PrivateKeyRead(found.curve, found.number, found.point, words)
    if _is_pkcs8(tags):
        key = _pkcs8(der.sequence(data), wanted)
    elif tags[:2] == [der.INTEGER, der.OCTET_STRING] and set(tags[2:]) <= {_CONTEXT, _CONTEXT + 1}:
        key = _sec1(der.sequence(data), None, wanted)
    else:
        raise _name_other(data, tags, private=True)
    if wanted.passphrase is not None:
        raise passphrase_unneeded()
    return key


def passphrase_unneeded() -> KeyReadError:
    """The error for a passphrase that was given for an unencrypted key."""
    return KeyReadError(
        "key.passphrase-unneeded",
        "a passphrase was given, but the key is not encrypted",
        "密钥未加密，不需要口令",
    )


def _is_pkcs8(tags: list[int]) -> bool:
    head = [der.INTEGER, der.SEQUENCE, der.OCTET_STRING]
    return tags[:3] == head and set(tags[3:]) <= {_CONTEXT, _POINT_IN_KEY}


def _is_private_key_info(data: bytes) -> bool:
    try:
        tags = der.shape(data)
    except DerError:
        return False
    return _is_pkcs8(tags) or tags[:2] == [der.INTEGER, der.OCTET_STRING]


def _pkcs8(reader: Reader, wanted: Wanted) -> PrivateKeyRead:
    if reader.integer() not in (0, 1):
        raise DerError("PKCS#8 of another version")
    curve = _algorithm(reader.inside(der.SEQUENCE), _PRIVATE)
    found = _sec1(der.sequence(reader.take(der.OCTET_STRING)), curve, wanted)
    point = found.point
    while reader:
        if reader.tag != _POINT_IN_KEY:
            reader.take(_CONTEXT)  # attributes, such as the key usage that some tools write
            continue
        bits = reader.take(_POINT_IN_KEY)
        stated = point_of(bits[1:], found.curve)[1]
        if bits[:1] != b"\0" or point not in (None, stated):
            raise _bad_pair()
        point = stated
    return PrivateKeyRead(found.curve, found.number, point, Words("PKCS#8", "PKCS#8"))


def _sec1(reader: Reader, curve: Curve | None, wanted: Wanted) -> PrivateKeyRead:
    if reader.integer() != 1:
        raise DerError("an EC private key of another version")
    octets = reader.take(der.OCTET_STRING)
    if reader.tag == _CONTEXT:
        inner = _curve(reader.inside(_CONTEXT), _PRIVATE)
        if curve is not None and inner is not curve:
            raise KeyReadError("key.damaged", "the key states two curves", "密钥内声明了两条不同的曲线")
        curve = inner
    if curve is None and (curve := wanted.curve) is None:
        raise KeyReadError(
            "key.curve",
            "the private key does not say which curve it is on: state SM2 or P-256",
            "私钥未注明所在曲线：请指定 SM2 或 P-256",
        )
    wanted.check(curve, _PRIVATE)
    point = None
    if reader.tag == _CONTEXT + 1:
        inside = reader.inside(_CONTEXT + 1)
        point = point_of(inside.bits(), curve)[1]
        inside.end()
    reader.end()
    # The standard requires 32 bytes. Older tools drop leading zeros, or keep the zero byte before an integer.
    if not octets or len(octets.lstrip(b"\0")) > 32:
        raise DerError("a private number of another length")
    number = octets.lstrip(b"\0").rjust(32, b"\0")
    return PrivateKeyRead(curve, check_number(curve, number), point, Words("SEC 1", "SEC 1"))


def _bad_pair() -> KeyReadError:
    return KeyReadError(
        "key.pair", "the two public keys in the private key's file differ", "私钥文件中的两处公钥不一致"
    )


def _spki(reader: Reader, wanted: Wanted) -> tuple[Curve, bytes]:
    curve = wanted.check(_algorithm(reader.inside(der.SEQUENCE), _PUBLIC), _PUBLIC)
    return curve, point_of(reader.bits(), curve)[1]


def _algorithm(identifier: Reader, kind: Words) -> Curve:
    name = identifier.oid()
    if name in SM2_ITSELF:
        return Curve.SM2
    if name != EC:
        _refuse_algorithm(name, kind)
    return _curve(identifier, kind)


def _curve(parameters: Reader, kind: Words) -> Curve:
    """The curve in ECParameters, which name it or spell out its numbers."""
    if parameters.tag == der.SEQUENCE:
        curve = _explicit(parameters.inside(der.SEQUENCE))
    elif parameters.tag == der.OID:
        name = parameters.oid()
        if name not in CURVES:
            _refuse_algorithm(name, kind)
        curve = CURVES[name]
    else:
        raise KeyReadError("key.curve", f"the {kind.en} does not name its curve", f"{kind.zh}未注明所在曲线")
    parameters.end()
    return curve


def _refuse_algorithm(oid: str, kind: Words) -> NoReturn:
    raise KeyReadError(
        "key.curve",
        f"this is not a P-256 or SM2 {kind.en}, but one of {name_of(oid)}",
        f"这不是 P-256 或 SM2 {kind.zh}，而是 {name_of(oid)} {kind.zh}",
    )


def _explicit(parameters: Reader) -> Curve:
    parameters.integer()
    field = parameters.inside(der.SEQUENCE)
    if field.oid() == "1.2.840.10045.1.1":  # a prime field
        p = field.integer()
        coefficients = parameters.inside(der.SEQUENCE)
        a, b = (int.from_bytes(coefficients.take(der.OCTET_STRING), "big") for _ in range(2))
        base = parameters.take(der.OCTET_STRING)
        n = parameters.integer()
        for curve, domain in DOMAINS.items():
            x, y = (number.to_bytes(32, "big") for number in domain.g)
            bases = (b"\x04" + x + y, bytes((2 + y[-1] % 2,)) + x)
            if (p, a, b, n) == (domain.p, domain.p - 3, domain.b, domain.n) and base in bases:
                while parameters:
                    parameters.take(parameters.tag)
                return curve
    raise KeyReadError(
        "key.curve",
        "the key's curve is spelled out by its parameters, and they are those of neither P-256 nor SM2",
        "密钥以参数形式给出曲线，既非 P-256 也非 SM2",
    )


def _is_certificate(data: bytes) -> bool:
    tags = der.shape(der.sequence(data).raw(der.SEQUENCE))
    return tags[:1] == [_CONTEXT] or (tags[:3] == [der.INTEGER, der.SEQUENCE, der.SEQUENCE] and len(tags) >= 6)


def _name_other(data: bytes, tags: list[int], *, private: bool) -> ValueError:
    """The error for a structure that was not asked for; it names the structure if its shape is known."""
    wanted = _PRIVATE if private else _PUBLIC
    code, found = "key.kind", _known(data, tags)
    if found in (_PUBLIC, _PRIVATE):
        code = "key.public" if found is _PUBLIC else "key.private"
    if found is None:
        return DerError("DER, but no structure that holds a key")
    return KeyReadError(
        code, f"this is a {found.en}, and a {wanted.en} is wanted", f"这是{found.zh}，此处需要{wanted.zh}"
    )


def _known(data: bytes, tags: list[int]) -> Words | None:
    integer, octets, sequence, bits = der.INTEGER, der.OCTET_STRING, der.SEQUENCE, der.BIT_STRING
    if _is_pkcs8(tags) or tags[:2] == [integer, octets]:
        return _PRIVATE
    match tags:
        case [a, b] if a == sequence and b == bits:
            return _PUBLIC
        case [a, b] if a == sequence and b == octets:
            return Words("private key (encrypted)", "加密的私钥")
        case [a, b, c] if (a, b, c) == (sequence, sequence, bits):
            if _is_certificate(data):
                return Words("certificate", "证书")
            return Words("certificate request", "证书请求")
        case [a, b] if a == b == integer:
            reader = der.sequence(data)
            large = reader.integer() >> 264
            return Words("public key of RSA", "RSA 公钥") if large else Words("signature in DER", "DER 签名")
        case [a, b, c, d] if (a, b, c, d) == (integer, integer, octets, octets):
            return Words("ciphertext of SM2", "SM2 密文")
        case [a, b, c, d] if (a, b, c, d) == (sequence, sequence, bits, bits):
            return Words("private key of SM2 in an envelope (GM/T 0009)", "SM2 密钥对保护数据（GM/T 0009）")
        case [a, b] | [a, b, _] if (a, b) == (integer, sequence) and der.sequence(data).integer() == 3:
            return Words("PKCS#12 file (.pfx)", "PKCS#12 文件（.pfx）")
        case [a, b] if (a, b) == (der.OID, _CONTEXT):
            return Words("PKCS#7 file (.p7b)", "PKCS#7 文件（.p7b）")
        case [a, *rest] if len(rest) == 8 and set(tags) == {integer}:
            return Words("private key of RSA", "RSA 私钥")
        case [a, *_] if a == integer and sequence in tags:
            return Words("set of curve parameters", "曲线参数")
    return None
