"""Private keys encrypted with a passphrase: PKCS#8 of OpenSSL, GmSSL 3 and BouncyCastle, and OpenSSL's old PEM.

The error blames the passphrase only if it was tried. An encryption that cannot be read here is refused by its name.

PBKDF2 with HMAC-SM3 has two object identifiers: GmSSL 3 and gmsm write 1.2.156.10197.1.401.2; GM/T 0091 and OpenSSL
write 1.2.156.10197.1.401.3.1. If no pseudorandom function is stated, RFC 8018 means HMAC-SHA-1 and GM/T 0091 means
HMAC-SM3. With SM4 both are tried; the one that gives a key was meant.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ybtoken.keys._reading import der
from ybtoken.keys._reading.der import DerError, Reader
from ybtoken.keys._reading.names import name_of
from ybtoken.keys._reading.refused import KeyReadError
from ybtoken.words import BoundsError

__all__ = ["GMSSL_ROUNDS", "decrypt_old_pem", "decrypt_pkcs8", "encrypt_with_sm4"]

_PBES2 = ("1.2.840.113549.1.5.13", "1.2.156.10197.6.1.4.1.5.2")
_PBKDF2 = ("1.2.840.113549.1.5.12", "1.2.156.10197.6.1.4.1.5.1")
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
_PKCS12_3DES = "1.2.840.113549.1.12.1.3"
_HMAC_SM3 = "1.2.156.10197.1.401.2"
_SM4_CBC = "1.2.156.10197.1.104.2"
_PRFS: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "1.2.840.113549.2.7": hashes.SHA1,
    "1.2.840.113549.2.8": hashes.SHA224,
    "1.2.840.113549.2.9": hashes.SHA256,
    "1.2.840.113549.2.10": hashes.SHA384,
    "1.2.840.113549.2.11": hashes.SHA512,
    _HMAC_SM3: hashes.SM3,
    "1.2.156.10197.1.401.3.1": hashes.SM3,
    "1.2.156.10197.1.401.3": hashes.SM3,
    "1.2.156.10197.1.401": hashes.SM3,
}


def _triple_des(key: bytes) -> CipherAlgorithm:
    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:  # cryptography before 43
        from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
    made: CipherAlgorithm = TripleDES(key)
    return made


_CIPHERS: dict[str, tuple[Callable[[bytes], CipherAlgorithm], int]] = {
    "2.16.840.1.101.3.4.1.2": (algorithms.AES, 16),
    "2.16.840.1.101.3.4.1.22": (algorithms.AES, 24),
    "2.16.840.1.101.3.4.1.42": (algorithms.AES, 32),
    _SM4_CBC: (algorithms.SM4, 16),
    "1.2.840.113549.3.7": (_triple_des, 24),
}
_OLD_CIPHERS = {
    "AES-128-CBC": "2.16.840.1.101.3.4.1.2",
    "AES-192-CBC": "2.16.840.1.101.3.4.1.22",
    "AES-256-CBC": "2.16.840.1.101.3.4.1.42",
    "SM4-CBC": _SM4_CBC,
    "DES-EDE3-CBC": "1.2.840.113549.3.7",
}
# A file from outside states how much work it costs to try a passphrase. Each of these takes about a second.
_MOST_ROUNDS = 2_000_000  # of PBKDF2: three times what OWASP advises for HMAC-SHA-256
_MOST_PKCS12_ROUNDS = 200_000  # in Python, and three times each
_MOST_SCRYPT_BYTES = 1 << 26  # 128 n r p; OpenSSL writes at most half of it
GMSSL_ROUNDS = 65_536
"""What GmSSL 3 writes; it reads other numbers too."""


def decrypt_pkcs8(data: bytes, passphrase: bytes | None, is_key: Callable[[bytes], bool]) -> bytes:
    """The decrypted content of an EncryptedPrivateKeyInfo (RFC 5958).

    Args:
        data: its DER, a SEQUENCE of a SEQUENCE and an OCTET STRING.
        passphrase: bytes, or ``None`` if there is none.
        is_key: whether decrypted bytes are a private key; after a wrong passphrase they are not.
    """
    reader = der.sequence(data)
    algorithm, sealed = reader.inside(der.SEQUENCE), reader.take(der.OCTET_STRING)
    scheme = algorithm.oid()
    if scheme in _PBES2:
        ways = list(_pbes2(algorithm.inside(der.SEQUENCE)))
    elif scheme == _PKCS12_3DES:
        ways = [_pkcs12_3des(algorithm.inside(der.SEQUENCE))]
    else:
        raise _not_read(name_of(scheme))
    secret = _wanted(passphrase)
    return _first((way(secret, sealed) for way in ways), is_key)


_Way = Callable[[bytes, bytes], bytes | None]


def _pbes2(parameters: Reader) -> Iterator[_Way]:
    derivation = parameters.inside(der.SEQUENCE)
    encryption = parameters.inside(der.SEQUENCE)
    cipher = encryption.oid()
    if cipher not in _CIPHERS:
        raise _not_read(name_of(cipher))
    iv = encryption.take(der.OCTET_STRING)
    make, size = _CIPHERS[cipher]
    for derive in _derivations(derivation, size, cipher):
        yield lambda secret, sealed, derive=derive: _open(make(derive(secret)), iv, sealed)  # type: ignore[misc]


def _derivations(function: Reader, size: int, cipher: str) -> Iterator[Callable[[bytes], bytes]]:
    name = function.oid()
    if name not in (*_PBKDF2, _SCRYPT):
        raise _not_read(f"a key derived by {name_of(name)}")
    parameters = function.inside(der.SEQUENCE)
    salt = parameters.take(der.OCTET_STRING)
    if name == _SCRYPT:
        n, r, p = (_number(parameters) for _ in range(3))
        # RFC 7914 section 2: n is a power of 2 that is below 2 ** (16 r).
        is_allowed = n > 1 and r > 0 and p > 0 and n & (n - 1) == 0 and n.bit_length() <= 16 * r
        if not is_allowed or 128 * n * r * p > _MOST_SCRYPT_BYTES:
            raise _not_read(f"scrypt with n = {n}, r = {r}, p = {p}")
        _check_length(parameters, size)
        yield lambda secret: Scrypt(salt=salt, length=size, n=n, r=r, p=p).derive(secret)
        return
    rounds = _number(parameters)
    if not 1 <= rounds <= _MOST_ROUNDS:
        raise _not_read(f"PBKDF2 with {rounds} rounds")
    _check_length(parameters, size)
    if parameters:
        prf = parameters.inside(der.SEQUENCE).oid()
        if prf not in _PRFS:
            raise _not_read(f"PBKDF2 with the pseudorandom function {name_of(prf)}")
        prfs = [_PRFS[prf]]
    else:
        prfs = [hashes.SHA1, hashes.SM3] if cipher == _SM4_CBC else [hashes.SHA1]
    for each in prfs:
        yield lambda secret, each=each: PBKDF2HMAC(each(), size, salt, rounds).derive(secret)  # type: ignore[misc]


def _check_length(parameters: Reader, size: int) -> None:
    if parameters.tag == der.INTEGER and (stated := _number(parameters)) != size:
        raise _not_read(f"a derived key of {stated} bytes for a cipher that takes {size}")


def _number(parameters: Reader) -> int:
    number = parameters.integer()
    if not 0 <= number < 1 << 64:  # the message states it, and Python does not print some thousand digits
        raise _not_read("a number that is negative or has more than 64 bits")
    return number


def _pkcs12_3des(parameters: Reader) -> _Way:
    salt, rounds = parameters.take(der.OCTET_STRING), _number(parameters)
    if not 1 <= rounds <= _MOST_PKCS12_ROUNDS:
        raise _not_read(f"a key derived in {rounds} rounds")

    def way(secret: bytes, sealed: bytes) -> bytes | None:
        try:
            password = (secret.decode() + "\0").encode("utf-16-be")
        except UnicodeDecodeError:
            return None
        key = _pkcs12_key(1, password, salt, rounds, 24)
        return _open(_triple_des(key), _pkcs12_key(2, password, salt, rounds, 8), sealed)

    return way


def _pkcs12_key(purpose: int, password: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    """RFC 7292 appendix B.2, with SHA-1."""
    block = 64

    def filled(part: bytes) -> bytes:
        length = -(-len(part) // block) * block
        return (part * (length // len(part) + 1))[:length] if part else b""

    varied, made = filled(salt) + filled(password), b""
    while len(made) < size:
        digest = bytes((purpose,)) * block + varied
        for _ in range(rounds):
            digest = hashlib.sha1(digest, usedforsecurity=False).digest()
        made += digest
        plus = int.from_bytes((digest * 4)[:block], "big") + 1
        varied = b"".join(
            ((int.from_bytes(varied[i : i + block], "big") + plus) % (1 << 8 * block)).to_bytes(block, "big")
            for i in range(0, len(varied), block)
        )
    return made[:size]


def decrypt_old_pem(header: str, sealed: bytes, passphrase: bytes | None, is_key: Callable[[bytes], bool]) -> bytes:
    """The content of a PEM block with ``Proc-Type: 4,ENCRYPTED`` (RFC 1421), as ``openssl ec -aes256`` writes it.

    Args:
        header: the value of ``DEK-Info``: the cipher's name, a comma, the initialisation vector in hexadecimal.
        sealed: the encrypted bytes.
        passphrase: bytes, or ``None`` if there is none.
        is_key: whether decrypted bytes are a private key.
    """
    name, _, vector = (part.strip() for part in header.partition(","))
    if name.upper() not in _OLD_CIPHERS:
        raise _not_read(name or "no stated cipher")
    make, size = _CIPHERS[_OLD_CIPHERS[name.upper()]]
    try:
        iv = bytes.fromhex(vector)
    except ValueError:
        raise DerError("DEK-Info without an initialisation vector") from None
    secret, key, last = _wanted(passphrase), b"", b""
    while len(key) < size:  # OpenSSL's EVP_BytesToKey, one round of MD5
        last = hashlib.md5(last + secret + iv[:8], usedforsecurity=False).digest()
        key += last
    return _first([_open(make(key[:size]), iv, sealed)], is_key)


def encrypt_with_sm4(private_key_info: bytes, passphrase: bytes, rounds: int = GMSSL_ROUNDS) -> bytes:
    """Encrypt to an EncryptedPrivateKeyInfo with PBKDF2, HMAC-SM3 and SM4-CBC, which GmSSL 3 and OpenSSL 3 read.

    Args:
        private_key_info: the key, as PKCS#8 in DER.
        passphrase: at least one byte.
        rounds: the number of rounds of PBKDF2.
    """
    if not passphrase or b"\0" in passphrase:  # C programs would read it only up to the NUL
        raise BoundsError("a passphrase is not empty and has no NUL byte", "口令不能为空，且不能含 NUL 字节")
    salt, iv = os.urandom(8), os.urandom(16)  # GmSSL 3 needs a salt of 8 bytes
    cipher = Cipher(algorithms.SM4(PBKDF2HMAC(hashes.SM3(), 16, salt, rounds).derive(passphrase)), modes.CBC(iv))
    padding = 16 - len(private_key_info) % 16
    encryptor = cipher.encryptor()
    sealed = encryptor.update(private_key_info + bytes((padding,)) * padding) + encryptor.finalize()
    prf = der.encode(der.SEQUENCE, der.encode_oid(_HMAC_SM3))
    numbers = der.encode(
        der.SEQUENCE, der.encode(der.OCTET_STRING, salt), der.encode_uint(rounds), der.encode_uint(16), prf
    )
    derivation = der.encode(der.SEQUENCE, der.encode_oid(_PBKDF2[0]), numbers)
    encryption = der.encode(der.SEQUENCE, der.encode_oid(_SM4_CBC), der.encode(der.OCTET_STRING, iv))
    scheme = der.encode(der.SEQUENCE, der.encode_oid(_PBES2[0]), der.encode(der.SEQUENCE, derivation, encryption))
    return der.encode(der.SEQUENCE, scheme, der.encode(der.OCTET_STRING, sealed))


def _open(cipher: CipherAlgorithm, iv: bytes, sealed: bytes) -> bytes | None:
    """Decrypt CBC and remove the padding; ``None`` if the padding is wrong."""
    size: int = cipher.block_size // 8  # type: ignore[attr-defined]
    if len(iv) != size or not sealed or len(sealed) % size:
        raise DerError("encrypted bytes that are no whole number of blocks")
    decryptor = Cipher(cipher, modes.CBC(iv)).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= size or plain[-padding:] != bytes((padding,)) * padding:
        return None
    return plain[:-padding]


def _first(opened: Iterable[bytes | None], is_key: Callable[[bytes], bool]) -> bytes:
    for plain in opened:
        if plain is not None and is_key(plain):
            return plain
    raise KeyReadError("key.passphrase-wrong", "the passphrase is wrong", "口令错误")


def _wanted(passphrase: bytes | None) -> bytes:
    if passphrase is None:
        raise KeyReadError(
            "key.passphrase-missing", "the key is encrypted: a passphrase is needed", "私钥已加密：需要口令"
        )
    return passphrase


def _not_read(what: str) -> KeyReadError:
    return KeyReadError(
        "key.cipher",
        f"the key is encrypted with {what}, which is not read here; the passphrase was not tried. Have it written by "
        "PBKDF2 and AES or SM4 in CBC mode (openssl pkcs8 -topk8 -v2 aes-256-cbc)",
        f"私钥以 {what} 加密，此处不支持，尚未尝试口令。请改用 PBKDF2 与 CBC 模式的 AES 或 SM4"
        "（openssl pkcs8 -topk8 -v2 aes-256-cbc）",
    )
