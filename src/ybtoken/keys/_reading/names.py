"""Names of the object identifiers that may be found where a key is expected."""

from __future__ import annotations

from types import MappingProxyType

from ybtoken.algorithms import Curve

__all__ = ["CURVES", "EC", "OTHERS", "SM2_ITSELF", "name_of"]

EC = "1.2.840.10045.2.1"
CURVES = MappingProxyType({"1.2.840.10045.3.1.7": Curve.P256, "1.2.156.10197.1.301": Curve.SM2})
SM2_ITSELF = frozenset({"1.2.156.10197.1.301", "1.2.156.10197.1.301.1"})
"""Some Chinese tools write these as the algorithm of a key, instead of id-ecPublicKey with the curve."""

OTHERS = MappingProxyType(
    {
        "1.2.840.113549.1.1.1": "RSA",
        "1.2.840.113549.1.1.10": "RSA-PSS",
        "1.2.840.10040.4.1": "DSA",
        "1.2.840.10046.2.1": "Diffie-Hellman",
        "1.3.101.110": "X25519",
        "1.3.101.111": "X448",
        "1.3.101.112": "Ed25519",
        "1.3.101.113": "Ed448",
        "1.2.156.10197.1.302": "SM9",
        "1.2.840.10045.3.1.1": "P-192",
        "1.3.132.0.33": "P-224",
        "1.3.132.0.34": "P-384",
        "1.3.132.0.35": "P-521",
        "1.3.132.0.10": "secp256k1",
        "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1",
        "1.2.840.113549.1.5.3": "pbeWithMD5AndDES-CBC",
        "1.2.840.113549.1.5.10": "pbeWithSHA1AndDES-CBC",
        "1.2.840.113549.1.12.1.1": "pbeWithSHAAnd128BitRC4",
        "1.2.840.113549.1.12.1.4": "pbeWithSHAAnd2-KeyTripleDES-CBC",
        "1.2.840.113549.1.12.1.6": "pbeWithSHAAnd40BitRC2-CBC",
        "1.2.840.113549.3.2": "RC2-CBC",
        "1.3.14.3.2.7": "DES-CBC",
        "1.2.156.10197.1.104.1": "SM4-ECB",
        "1.2.156.10197.1.104.3": "SM4-OFB",
        "1.2.156.10197.1.104.4": "SM4-CFB",
        "1.2.156.10197.1.104.8": "SM4-GCM",
        "1.2.156.10197.1.102.2": "SM1-CBC",
        "1.3.6.1.5.5.7.3.1": "TLS server",
        "1.3.6.1.5.5.7.3.2": "TLS client",
        "1.3.6.1.5.5.7.3.3": "code signing",
        "1.3.6.1.5.5.7.3.4": "e-mail",
        "1.3.6.1.5.5.7.3.8": "time stamps",
        "1.3.6.1.5.5.7.3.9": "OCSP",
        "2.16.840.1.101.3.4.1.6": "AES-128-GCM",
        "2.16.840.1.101.3.4.1.46": "AES-256-GCM",
    }
)


def name_of(oid: str) -> str:
    """The name of an object identifier, with its numbers; the numbers alone if it is in no table."""
    name = OTHERS.get(oid)
    return f"{name} ({oid})" if name else oid
