"""The reader of keys reads every spelling of a key, and refuses anything else by its name."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from ybtoken.algorithms import Curve
from ybtoken.keys._reading import der
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.keys.reading import KeyReadError, read_private_key, read_public_key
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey

NUMBER = bytes.fromhex("c93a" + "3a" * 30)
KEYS: dict[Curve, Any] = {Curve.SM2: SM2SigningKey(NUMBER), Curve.P256: P256SigningKey(NUMBER)}
VERIFYING: dict[Curve, Any] = {Curve.SM2: SM2VerifyingKey, Curve.P256: P256VerifyingKey}
both = pytest.mark.parametrize("curve", list(KEYS), ids=lambda curve: curve.name)
BITS = bytes.fromhex("00010000")


def body(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(line for line in pem.splitlines() if b"---" not in line))


def pem(label: str, data: bytes, width: int = 64) -> bytes:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[i : i + width] for i in range(0, len(text), width))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def sec1(curve: Curve, *, number: bytes = NUMBER, named: bool = True, public: bool = True) -> bytes:
    oid = {Curve.SM2: "1.2.156.10197.1.301", Curve.P256: "1.2.840.10045.3.1.7"}[curve]
    x, y = KEYS[curve].verifying_key.point
    parts = [der.encode_uint(1), der.encode(der.OCTET_STRING, number)]
    if named:
        parts.append(der.encode(0xA0, der.encode_oid(oid)))
    if public:
        parts.append(der.encode(0xA1, der.encode(der.BIT_STRING, b"\0\4" + x + y)))
    return der.encode(der.SEQUENCE, *parts)


def pkcs8(curve: Curve, inner: bytes, *extra: bytes) -> bytes:
    oid = {Curve.SM2: "1.2.156.10197.1.301", Curve.P256: "1.2.840.10045.3.1.7"}[curve]
    algorithm = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.10045.2.1"), der.encode_oid(oid))
    return der.encode(der.SEQUENCE, der.encode_uint(0), algorithm, der.encode(der.OCTET_STRING, inner), *extra)


def spellings_of_bytes(data: bytes, *, stated: bool = True) -> dict[str, bytes | str]:
    """The forms in which people pass bytes on."""
    text, encoded = data.hex(), base64.b64encode(data).decode()
    return {
        "bytes": data,
        "hex": text,
        "HEX": text.upper(),
        "hex in bytes": text.encode(),
        "0x": "0x" + text,
        "hex with colons": ":".join(text[i : i + 2] for i in range(0, len(text), 2)),
        "hex with spaces": " ".join(text[i : i + 2].upper() for i in range(0, len(text), 2)),
        "hex with line breaks": "\r\n".join(text[i : i + 32] for i in range(0, len(text), 32)) + "\r\n",
        "C array": "{" + ", ".join(f"0x{octet:02X}" for octet in data) + "};",
        "hex with a BOM": b"\xef\xbb\xbf" + text.encode() + b"\r\n",
        "hex in UTF-16": text.encode("utf-16"),
        "base64": encoded,
        "base64 without padding": encoded.rstrip("="),
        "base64url": encoded.rstrip("=").replace("+", "-").replace("/", "_"),
        "base64 in lines": base64.encodebytes(data),
        "quoted": f'"{encoded}"\n',
    }


def spellings_of_pem(text: bytes) -> dict[str, bytes | str]:
    lines = text.decode().strip().split("\n")
    return {
        "PEM": text,
        "PEM as str": text.decode(),
        "PEM with a BOM": b"\xef\xbb\xbf" + text,
        "PEM in UTF-16": text.decode().encode("utf-16"),
        "PEM with CRLF": text.replace(b"\n", b"\r\n"),
        "PEM without the last line end": text.rstrip(),
        "PEM with spaces in place of line ends": text.decode().replace("\n", " ").replace(" KEY", " KEY"),
        "PEM in one line": lines[0] + "".join(lines[1:-1]) + lines[-1],
        "PEM with \\n": text.decode().replace("\n", "\\n"),
        "PEM in JSON quotes": '"' + text.decode().replace("\n", "\\n") + '"',
        "PEM behind words": "Bag Attributes\n    friendlyName: 密钥\n".encode() + text,
        "PEM with indented lines": "\n".join("   " + line for line in lines),
    }


def public_forms(curve: Curve) -> dict[str, bytes]:
    x, y = KEYS[curve].verifying_key.point
    pad = bytes(32)
    return {
        "65 bytes with 04": b"\x04" + x + y,
        "64 bytes without 04": x + y,
        "33 bytes, compressed": bytes((2 + (y[-1] & 1),)) + x,
        "65 bytes of the hybrid form": bytes((6 + (y[-1] & 1),)) + x + y,
        "66 bytes, the content of a BIT STRING": b"\0\4" + x + y,
        "an OCTET STRING in DER, as PKCS#11 has it": b"\x04\x41\x04" + x + y,
        "a BIT STRING in DER": b"\x03\x42\x00\x04" + x + y,
        "fields of 64 bytes": pad + x + pad + y,
        "an SDF structure with fields of 64 bytes": BITS + pad + x + pad + y,
        "an SDF structure with fields of 32 bytes": BITS + x + y,
        "SubjectPublicKeyInfo": body(KEYS[curve].verifying_key.to_pem()),
    }


@both
def test_every_spelling_of_a_public_key_gives_the_key(curve: Curve) -> None:
    for words, data in public_forms(curve).items():
        for name, spelling in spellings_of_bytes(data).items():
            read = read_public_key(spelling, curve=curve)
            assert (read.curve, read.point) == (curve, b"\x04" + b"".join(KEYS[curve].verifying_key.point)), name
            assert words in read.spelling.en
            assert ("hexadecimal" in read.spelling.en) == (name[:3].lower() in ("hex", "0x", "c a")), (words, name)
            assert VERIFYING[curve](spelling).kid == KEYS[curve].kid
    for name, spelling in spellings_of_pem(KEYS[curve].verifying_key.to_pem()).items():
        assert read_public_key(spelling).point == read.point, name
        assert VERIFYING[curve].from_pem(spelling).kid == KEYS[curve].kid


def private_forms(curve: Curve) -> dict[str, bytes]:
    full, x, y = sec1(curve), *KEYS[curve].verifying_key.point
    return {
        "32 bytes": NUMBER,
        "33 bytes with 00 in front": b"\0" + NUMBER,
        "a field of 64 bytes": bytes(32) + NUMBER,
        "an SDF structure with a field of 64 bytes": BITS + bytes(32) + NUMBER,
        "an SDF structure with a field of 32 bytes": BITS + NUMBER,
        "PKCS#8": body(KEYS[curve].to_pem(passphrase=None)),
        "PKCS#8 ": pkcs8(curve, sec1(curve, named=False)),
        "PKCS#8  ": pkcs8(curve, sec1(curve, public=False), der.encode(0xA0, b"")),
        "PKCS#8   ": pkcs8(curve, sec1(curve, named=False, public=False), der.encode(0x81, b"\0\4" + x + y)),
        "SEC 1": full,
        "SEC 1 ": sec1(curve, public=False),
        "SEC 1  ": sec1(curve, named=False),
        "SEC 1   ": sec1(curve, number=b"\0" + NUMBER),
    }


@both
def test_every_spelling_of_a_private_key_gives_the_key(curve: Curve) -> None:
    kind = type(KEYS[curve])
    for words, data in private_forms(curve).items():
        for name, spelling in spellings_of_bytes(data).items():
            read = read_private_key(spelling, curve=curve)
            assert (read.curve, read.number) == (curve, NUMBER), (words, name)
            assert words.strip() in read.spelling.en
            assert kind(spelling).kid == KEYS[curve].kid
    for label, data in (("EC PRIVATE KEY", sec1(curve)), ("PRIVATE KEY", pkcs8(curve, sec1(curve)))):
        for name, spelling in spellings_of_pem(pem(label, data)).items():
            assert read_private_key(spelling).number == NUMBER, name
            assert kind.from_pem(spelling).kid == KEYS[curve].kid


@both
def test_a_block_of_parameters_before_the_key_is_passed_over(curve: Curve) -> None:
    oid = {Curve.SM2: "1.2.156.10197.1.301", Curve.P256: "1.2.840.10045.3.1.7"}[curve]
    text = pem("EC PARAMETERS", der.encode_oid(oid)) + pem("EC PRIVATE KEY", sec1(curve))
    assert read_private_key(text).number == NUMBER
    with pytest.raises(KeyReadError, match="set of curve parameters"):
        read_private_key(pem("EC PARAMETERS", der.encode_oid(oid)))


@both
def test_a_curve_that_is_spelled_out_is_recognised(curve: Curve) -> None:
    names = {Curve.SM2: "SM2", Curve.P256: "prime256v1"}
    command = ["openssl", "ecparam", "-name", names[curve], "-param_enc", "explicit", "-genkey"]
    try:
        made = subprocess.run(command, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl command line here")
    if made.returncode:
        pytest.skip("this openssl does not write explicit parameters")
    assert read_private_key(made.stdout).curve is curve


def test_two_meanings_are_never_chosen_from() -> None:
    with pytest.raises(KeyReadError) as refused:
        read_private_key(NUMBER)
    assert refused.value.code == "key.curve"
    compressed = public_forms(Curve.P256)["33 bytes, compressed"]
    with pytest.raises(KeyReadError) as refused:
        read_public_key(compressed)
    assert refused.value.code == "key.curve"
    twice = KEYS[Curve.SM2].to_pem(passphrase=None) + KEYS[Curve.P256].to_pem(passphrase=None)
    with pytest.raises(KeyReadError) as refused:
        read_private_key(twice)
    assert refused.value.code == "key.ambiguous"


def test_an_uncompressed_point_states_its_curve() -> None:
    for curve in KEYS:
        for words, data in public_forms(curve).items():
            if "compressed" not in words:
                assert read_public_key(data).curve is curve


@both
def test_a_key_on_the_other_curve_is_refused_by_its_name(curve: Curve) -> None:
    other = Curve.P256 if curve is Curve.SM2 else Curve.SM2
    for words, data in public_forms(curve).items():
        if "compressed" in words:
            continue
        with pytest.raises(KeyReadError) as refused:
            read_public_key(data, curve=other)
        assert refused.value.code == "key.curve"
    for data in (sec1(curve), KEYS[curve].to_pem(passphrase=None)):
        with pytest.raises(KeyReadError) as refused:
            read_private_key(data, curve=other)
        assert refused.value.code == "key.curve"


@cache
def other_things() -> dict[str, tuple[bytes | str, str, str]]:
    """Things sent instead of a public key: their bytes, and the code and part of the message of the refusal."""
    encoding, pkcs8_form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    none = serialization.NoEncryption()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    x, y = KEYS[Curve.SM2].verifying_key.point
    good = KEYS[Curve.SM2].verifying_key.to_pem()
    two = der.encode(der.SEQUENCE, der.encode_uint(5), der.encode_uint(7))
    return {
        "private PEM": (KEYS[Curve.SM2].to_pem(passphrase=None), "key.private", "this is a private key"),
        "private DER": (sec1(Curve.SM2), "key.private", "this is a private key"),
        "private encrypted": (KEYS[Curve.SM2].to_pem(passphrase=b"x"), "key.private", "private key"),
        "a private number": (NUMBER.hex(), "key.private", "32 bytes: this is a private key"),
        "RSA": (rsa.generate_private_key(65537, 2048).public_key().public_bytes(encoding, spki), "key.curve", "RSA"),
        "Ed25519": (
            ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(encoding, spki),
            "key.curve",
            "Ed25519",
        ),
        "P-384": (
            ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(encoding, spki),
            "key.curve",
            "P-384",
        ),
        "RSA private": (
            rsa.generate_private_key(65537, 2048).private_bytes(
                encoding, serialization.PrivateFormat.TraditionalOpenSSL, none
            ),
            "key.private",
            "private key of RSA",
        ),
        "RSA private as PKCS#8": (
            rsa.generate_private_key(65537, 2048).private_bytes(encoding, pkcs8_form, none),
            "key.private",
            "private key",
        ),
        "signature in DER": (two, "key.kind", "signature in DER"),
        "JWK": ('{"kty": "EC", "crv": "P-256"}', "key.kind", "JWK"),
        "session": (pem("SSL SESSION PARAMETERS", b"x"), "key.kind", "this is a ssl session parameters,"),
        "attributes": (pem("ATTRIBUTE CERTIFICATE", b"x"), "key.kind", "this is a certificate,"),
        "request": (pem("CERTIFICATE REQUEST", b"x"), "key.kind", "certificate request"),
        "coordinates turned round": (x[::-1] + y[::-1], "key.point", "little-endian"),
        "y before x": (y + x, "key.point", "changed places"),
        "off the curve": (x + y[:-1] + bytes((y[-1] ^ 1,)), "key.point", "not a point"),
        "hybrid of the other parity": (bytes((7 - (y[-1] & 1),)) + x + y, "key.point", "parity"),
        "PEM cut off": (good[:-10], "key.damaged", "cut off"),
        "PEM with another end": (good.replace(b"END PUBLIC", b"END PRIVATE"), "key.damaged", "ends as"),
        "PEM with a wrong letter": (good.replace(b"MFkw", b"MF*w"), "key.damaged", "not base64"),
        "PEM of noise": (pem("PUBLIC KEY", b"noise"), "key.damaged", "no DER"),
        "DER cut off": (body(good)[:-1], "key.damaged", "cut off"),
        "DER with a byte behind": (body(good) + b"\0", "key.damaged", "bytes behind"),
        "a digit lost": ((x + y).hex()[1:], "key.damaged", "odd number"),
        "PEM in base64": (base64.b64encode(good), "key.kind", "decode it first"),
        "nothing": ("", "key.unknown", "no spelling"),
        "words": ("hello", "key.unknown", "no spelling"),
        "too long": ("00" * (1 << 20), "key.unknown", "no spelling"),
    }


@pytest.mark.parametrize("name", list(other_things()))
def test_what_is_no_public_key_is_refused_by_its_name(name: str) -> None:
    data, code, words = other_things()[name]
    with pytest.raises(KeyReadError, match=words) as refused:
        read_public_key(data)
    assert refused.value.code == code
    assert refused.value.words.zh


def test_what_is_no_private_key_is_refused_by_its_name() -> None:
    x, y = KEYS[Curve.SM2].verifying_key.point
    good = KEYS[Curve.SM2].to_pem(passphrase=None)
    for data, code, words in (
        (KEYS[Curve.SM2].verifying_key.to_pem(), "key.public", "this is a public key"),
        (body(KEYS[Curve.SM2].verifying_key.to_pem()).hex(), "key.public", "this is a public key"),
        (x + y, "key.public", "this is a public key"),
        (NUMBER + x + y, "key.kind", "one after the other"),
        (NUMBER[:16], "key.kind", "SM4 key"),
        (NUMBER[:31], "key.damaged", "a private key has 32"),
        (NUMBER.hex()[1:], "key.damaged", "odd number"),
        (bytes(32), "key.number", "not one of SM2"),
        (b"\xff" * 32, "key.number", "not one of SM2"),
        (good[:-30], "key.damaged", "cut off"),
        (sec1(Curve.SM2)[:-3], "key.damaged", "cut off"),
        (sec1(Curve.SM2).replace(b"\2\1\1", b"\2\1\2", 1), "key.damaged", "an EC private key of another version"),
        (pem("OPENSSH PRIVATE KEY", b"x"), "key.kind", "OpenSSH"),
    ):
        with pytest.raises(KeyReadError, match=words) as refused:
            read_private_key(data, curve=Curve.SM2)
        assert refused.value.code == code


@both
def test_somebody_elses_public_key_beside_the_private_one_is_refused(curve: Curve) -> None:
    data = sec1(curve, number=(12345).to_bytes(32, "big"))
    with pytest.raises(KeyReadError, match="another's") as refused:
        type(KEYS[curve]).from_pem(data)
    assert refused.value.code == "key.pair"


def sealed(prf: str | None, digest: Callable[[], hashes.HashAlgorithm], *, length: bool, cipher: str = "sm4") -> bytes:
    """A key on the SM2 curve encrypted with ``demo1234``, in the form of GmSSL 3, gmsm, OpenSSL, or GM/T 0091."""
    make = algorithms.SM4 if cipher == "sm4" else algorithms.AES
    oid = "1.2.156.10197.1.104.2" if cipher == "sm4" else "2.16.840.1.101.3.4.1.2"
    salt, iv, info = b"saltsalt", b"iviviviviviviviv", pkcs8(Curve.SM2, sec1(Curve.SM2))
    encryptor = Cipher(make(PBKDF2HMAC(digest(), 16, salt, 1000).derive(b"demo1234")), modes.CBC(iv)).encryptor()
    padding = 16 - len(info) % 16
    content = encryptor.update(info + bytes((padding,)) * padding) + encryptor.finalize()
    parameters = [der.encode(der.OCTET_STRING, salt), der.encode_uint(1000)]
    if length:
        parameters.append(der.encode_uint(16))
    if prf:
        parameters.append(der.encode(der.SEQUENCE, der.encode_oid(prf)))
    kdf = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.113549.1.5.12"), der.encode(der.SEQUENCE, *parameters))
    enc = der.encode(der.SEQUENCE, der.encode_oid(oid), der.encode(der.OCTET_STRING, iv))
    scheme = der.encode(der.SEQUENCE, der.encode_oid("1.2.840.113549.1.5.13"), der.encode(der.SEQUENCE, kdf, enc))
    return pem("ENCRYPTED PRIVATE KEY", der.encode(der.SEQUENCE, scheme, der.encode(der.OCTET_STRING, content)))


@pytest.mark.parametrize("length", [True, False], ids=["keyLength", "no keyLength"])
@pytest.mark.parametrize(
    ("prf", "digest"),
    [
        ("1.2.156.10197.1.401.2", hashes.SM3),
        ("1.2.156.10197.1.401.3.1", hashes.SM3),
        (None, hashes.SM3),
        (None, hashes.SHA1),
        ("1.2.840.113549.2.9", hashes.SHA256),
    ],
)
def test_a_key_that_is_encrypted_with_sm4_is_read(prf: str | None, digest: Any, length: bool) -> None:
    text = sealed(prf, digest, length=length)
    read = read_private_key(text, passphrase=b"demo1234")
    assert (read.number, read.spelling.en) == (NUMBER, "SM2 private key: encrypted PKCS#8, in PEM")
    assert SM2SigningKey.from_pem(text, passphrase=b"demo1234").kid == KEYS[Curve.SM2].kid
    for passphrase, code in ((None, "missing"), (b"demo123", "wrong"), (b"", "wrong"), ("口令".encode(), "wrong")):
        with pytest.raises(KeyReadError) as refused:
            read_private_key(text, passphrase=passphrase)
        assert refused.value.code == f"key.passphrase-{code}"


def test_a_passphrase_is_blamed_only_if_it_was_tried() -> None:
    unknown = sealed("1.2.840.113549.2.99", hashes.SHA1, length=False)
    with pytest.raises(KeyReadError, match=r"function 1\.2\.840\.113549\.2\.99, which") as refused:
        read_private_key(unknown, passphrase=b"demo1234")
    assert refused.value.code == "key.cipher"
    with pytest.raises(KeyReadError) as refused:
        read_private_key(KEYS[Curve.SM2].to_pem(passphrase=None), passphrase=b"demo1234")
    assert refused.value.code == "key.passphrase-unneeded"
    with pytest.raises(KeyReadError) as refused:
        read_private_key(NUMBER, curve=Curve.SM2, passphrase=b"demo1234")
    assert refused.value.code == "key.passphrase-unneeded"
    for rounds in (0, 1 << 40):
        changed = body(sealed("1.2.156.10197.1.401.2", hashes.SM3, length=False))
        changed = changed.replace(der.encode_uint(1000), der.encode_uint(rounds)[:1] + b"\x02\xff\xff")
        with pytest.raises(KeyReadError) as refused:
            read_private_key(changed, passphrase=b"demo1234")
        assert refused.value.code in ("key.cipher", "key.damaged")


def derived(oid: str, *parameters: bytes, scheme: str = "1.2.840.113549.1.5.13") -> bytes:
    """An encrypted key whose key derivation has these parameters; its content is no key."""
    salted = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, bytes(8)), *parameters)
    kdf = der.encode(der.SEQUENCE, der.encode_oid(oid), salted)
    iv = der.encode(der.OCTET_STRING, bytes(16))
    cipher = der.encode(der.SEQUENCE, der.encode_oid("2.16.840.1.101.3.4.1.42"), iv)
    inner = salted if oid == scheme else der.encode(der.SEQUENCE, kdf, cipher)
    algorithm = der.encode(der.SEQUENCE, der.encode_oid(scheme), inner)
    return der.encode(der.SEQUENCE, algorithm, der.encode(der.OCTET_STRING, bytes(48)))


SCRYPT, PBKDF2, PKCS12 = "1.3.6.1.4.1.11591.4.11", "1.2.840.113549.1.5.12", "1.2.840.113549.1.12.1.3"
LARGE = 1 << 15_000  # more than 4,300 digits, which Python does not print


@pytest.mark.parametrize(
    ("oid", "numbers"),
    [
        (SCRYPT, (LARGE, 8, 1)),
        (SCRYPT, (16, LARGE, 1)),
        (SCRYPT, (16, 8, LARGE)),
        (SCRYPT, (1 << 17, 8, 1)),
        (SCRYPT, (2, 1 << 20, 1)),
        (SCRYPT, (2, 1, 1 << 20)),
        (SCRYPT, (1 << 16, 1, 1)),  # RFC 7914: below 2 ** 16
        (SCRYPT, (1000, 8, 1)),  # no power of 2
        (SCRYPT, (1, 8, 1)),
        (SCRYPT, (16, 0, 1)),
        (SCRYPT, (16, 8, 0)),
        (SCRYPT, (16, 8, 1, LARGE)),
        (PBKDF2, (LARGE,)),
        (PBKDF2, (2_000_001,)),
        (PBKDF2, (0,)),
        (PBKDF2, (1, LARGE)),
        (PKCS12, (LARGE,)),
        (PKCS12, (200_001,)),
    ],
    ids=map(str, range(18)),
)
def test_a_file_that_asks_for_much_work_is_refused_before_it_is_done(oid: str, numbers: tuple[int, ...]) -> None:
    scheme = PKCS12 if oid == PKCS12 else "1.2.840.113549.1.5.13"
    with pytest.raises(KeyReadError) as refused:
        read_private_key(derived(oid, *map(der.encode_uint, numbers), scheme=scheme), passphrase=b"demo1234")
    assert refused.value.code == "key.cipher"


@pytest.mark.parametrize(
    ("oid", "numbers"), [
        (SCRYPT, (1 << 14, 8, 1)), (SCRYPT, (1 << 15, 1, 1)), (SCRYPT, (2, 1, 1)),
        (PBKDF2, (600_000,)), (PKCS12, (2048,)),
    ],
)  # fmt: skip
def test_a_file_that_asks_for_usual_work_is_tried(oid: str, numbers: tuple[int, ...]) -> None:
    scheme = PKCS12 if oid == PKCS12 else "1.2.840.113549.1.5.13"
    with pytest.raises(KeyReadError) as refused:
        read_private_key(derived(oid, *map(der.encode_uint, numbers), scheme=scheme), passphrase=b"demo1234")
    assert refused.value.code == "key.passphrase-wrong"


def element(tag: int, content: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.encode(tag, content)), der.encode(3, bytes(66)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (element(der.OID, b"\x2a" + b"\xff" * 500_000 + b"\1"), "object identifier of more than 64 bytes"),
        (element(der.OID, b"\x2a" + b"\1" * 64), "object identifier of more than 64 bytes"),
        (der.encode(der.SEQUENCE, der.encode(2, b"\1" * 2050), der.encode(2, b"\1")), "more than 16,384 bits"),
        (der.encode(der.SEQUENCE, *[der.encode_uint(1)] * 33), "more than 32 elements"),
        (b"-----BEGIN PUBLIC KEY-----" * 40_000, "more than 64 blocks"),
        (b"-----BEGIN A" * 80_000, "more than 64 blocks"),
        (b"-----BEGIN PUBLIC KEY-----\n" + b"-----END A\n" * 90_000, "missing or changed"),
        (b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY", "missing or changed"),
        (b"-----BEGIN PUBLIC KEY-----\n" * 2 + b"AAAA\n-----END PUBLIC KEY-----\n", "missing or changed"),
        (b"-----BEGIN PUBLIC KEY-----\n\xe9\n-----END PUBLIC KEY-----\n", "not base64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_key_has_is_refused_before_it_is_read(data: bytes, words: str) -> None:
    with pytest.raises(KeyReadError, match=words) as refused:
        read_public_key(data)
    assert refused.value.code == "key.damaged"


def test_lines_that_state_a_cipher_many_times_are_read_once() -> None:
    for header in ("DEK-Info:" * 100_000, "DEK-Info:\n" * 100_000, "DEK-Info: " + "A" * 1_000_000):
        with pytest.raises(KeyReadError) as refused:
            read_private_key(f"-----BEGIN EC PRIVATE KEY-----\n{header}\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
        assert refused.value.code == "key.cipher"
        assert len(str(refused.value)) < 1000


@both
def test_the_older_encrypted_pem_is_read(curve: Curve) -> None:
    iv, info = bytes(range(16)), sec1(curve)
    key = hashlib.md5(b"demo1234" + iv[:8]).digest()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padding = 16 - len(info) % 16
    content = base64.b64encode(encryptor.update(info + bytes((padding,)) * padding) + encryptor.finalize()).decode()
    head = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{iv.hex().upper()}\n\n"
    text = f"-----BEGIN EC PRIVATE KEY-----\n{head}{content}\n-----END EC PRIVATE KEY-----\n"
    assert read_private_key(text, passphrase=b"demo1234").number == NUMBER
    for passphrase, code in ((None, "key.passphrase-missing"), (b"wrong", "key.passphrase-wrong")):
        with pytest.raises(KeyReadError) as refused:
            read_private_key(text, passphrase=passphrase)
        assert refused.value.code == code
    with pytest.raises(KeyReadError, match="RC4, which is not read"):
        read_private_key(text.replace("AES-128-CBC", "RC4"), passphrase=b"demo1234")


@both
def test_what_is_written_with_sm4_is_read_again_and_by_openssl(curve: Curve, tmp_path: Path) -> None:
    text = KEYS[curve].to_pem(passphrase=b"demo1234", cipher="sm4")
    assert type(KEYS[curve]).from_pem(text, passphrase=b"demo1234").kid == KEYS[curve].kid
    assert bytes.fromhex("2a811ccf5501680 2".replace(" ", "")) in body(text)  # sm4-cbc
    for wrong in ({"cipher": "des"}, {"cipher": "sm4", "passphrase": None}, {"cipher": "sm4", "passphrase": b""}):
        with pytest.raises(ValueError):
            KEYS[curve].to_pem(**{"passphrase": b"demo1234"} | wrong)


def test_a_private_key_that_was_read_is_not_shown() -> None:
    read = read_private_key(NUMBER, curve=Curve.SM2)
    assert NUMBER.hex()[:8] not in repr(read)
    assert "c93a" not in str(read)


@pytest.mark.parametrize("kind", [P256SigningKey, SM2SigningKey])
def test_text_around_a_block_is_no_part_of_it_and_two_blocks_are_refused_on_both_curves(kind: Any) -> None:
    private = kind.generate()
    public = private.verifying_key
    for pem, read in (
        (private.to_pem(passphrase=None), lambda pem: kind.from_pem(pem).verifying_key.point),
        (public.to_pem(), lambda pem: type(public).from_pem(pem).point),
    ):
        assert read(b"Certificate:\n    Data: 1\n" + pem + b"from the colleague in Hangzhou\n") == public.point
        with pytest.raises(KeyReadError, match="there are 2"):
            read(pem + pem)
