from __future__ import annotations

import base64
import copy
import pickle

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ybtoken import Algorithm
from ybtoken.algorithms import Curve
from ybtoken.errors import SignatureError
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.keys.protocols import kid_of_point

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
OTHER_CURVES = [ec.SECP256K1(), ec.BrainpoolP256R1(), ec.SECP384R1(), ec.SECP224R1()]
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PEM = serialization.Encoding.PEM


def private_pem(key, form=serialization.PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(PEM, form, serialization.NoEncryption())


def pem_with(p256_key: P256SigningKey, old: str, new: str) -> bytes:
    """A public key's PEM with some bytes of its DER replaced."""
    der = base64.b64decode(b"".join(p256_key.verifying_key.to_pem().splitlines()[1:-1]))
    der = der.replace(bytes.fromhex(old), bytes.fromhex(new))
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


class TestVerifyingKey:
    def test_it_is_the_same_from_pem_and_from_its_point(self, p256_key):
        key = p256_key.verifying_key
        for other in (P256VerifyingKey.from_pem(key.to_pem()), P256VerifyingKey.from_point(*key.point)):
            assert (other.kid, other.point, other.algorithm) == (key.kid, key.point, Algorithm.ES256)
            other.verify(b"m", p256_key.sign(b"m"))

    def test_its_kid_is_its_thumbprint(self, p256_key):
        assert p256_key.kid == kid_of_point(Curve.P256, *p256_key.verifying_key.point)

    def test_it_may_be_made_for_the_fully_specified_algorithm(self, p256_key):
        key = P256VerifyingKey.from_pem(p256_key.verifying_key.to_pem(), algorithm=Algorithm.ESP256)
        assert key.algorithm is Algorithm.ESP256
        assert key.kid == p256_key.kid

    @pytest.mark.parametrize("algorithm", [Algorithm.SM2, -8, -65537])
    def test_it_has_no_algorithm_of_another_curve(self, p256_key, algorithm):
        with pytest.raises(ValueError):
            P256VerifyingKey.from_point(*p256_key.verifying_key.point, algorithm=algorithm)
        with pytest.raises(ValueError):
            P256SigningKey.generate(algorithm=algorithm)

    @pytest.mark.parametrize("curve", OTHER_CURVES, ids=lambda curve: curve.name)
    def test_keys_of_other_curves_are_refused_at_load(self, curve):
        key = ec.generate_private_key(curve)
        for load in (
            lambda: P256VerifyingKey.from_cryptography(key.public_key()),
            lambda: P256VerifyingKey.from_pem(key.public_key().public_bytes(PEM, SPKI)),
            lambda: P256SigningKey.from_cryptography(key),
            lambda: P256SigningKey.from_pem(private_pem(key)),
        ):
            with pytest.raises(ValueError, match="not a P-256"):
                load()

    @pytest.mark.parametrize(
        "make", [ed25519.Ed25519PrivateKey.generate, lambda: rsa.generate_private_key(65537, 2048)]
    )
    def test_keys_of_other_kinds_are_refused_at_load(self, make):
        key = make()
        for load in (
            lambda: P256VerifyingKey.from_cryptography(key.public_key()),
            lambda: P256VerifyingKey.from_pem(key.public_key().public_bytes(PEM, SPKI)),
            lambda: P256SigningKey.from_cryptography(key),
            lambda: P256SigningKey.from_pem(private_pem(key)),
        ):
            with pytest.raises(ValueError, match="not a P-256"):
                load()

    @pytest.mark.parametrize(
        ("old", "new"),
        [("2a8648ce3d030107", "2a8648ce3d030109"), ("2a8648ce3d0201", "2a8648ce3d0209")],
        ids=["unknown curve", "unknown kind"],
    )
    def test_what_openssl_does_not_know_is_a_value_error_too(self, p256_key, old, new):
        with pytest.raises(ValueError, match=r"but one of 1\.2\.840\.10045\."):
            P256VerifyingKey.from_pem(pem_with(p256_key, old, new))

    @pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
    def test_noise_is_refused_at_load(self, pem):
        with pytest.raises(ValueError):
            P256VerifyingKey.from_pem(pem)
        with pytest.raises(ValueError):
            P256SigningKey.from_pem(pem)

    def test_a_private_key_is_no_public_key(self, p256_key):
        with pytest.raises(ValueError):
            P256VerifyingKey.from_pem(p256_key.to_pem(passphrase=None))
        with pytest.raises(ValueError):
            P256SigningKey.from_pem(p256_key.verifying_key.to_pem())

    @pytest.mark.parametrize("sizes", [(31, 32), (32, 33), (0, 0), (33, 32)])
    def test_coordinates_have_32_bytes(self, sizes):
        with pytest.raises(ValueError, match=r"coordinate [xy] is 32 bytes"):
            P256VerifyingKey.from_point(*map(bytes, sizes))

    def test_a_point_off_the_curve_is_refused(self, p256_key):
        x, y = (int.from_bytes(coordinate, "big") for coordinate in p256_key.verifying_key.point)
        for bad in ((x, y ^ 1), (x ^ 1, y), (0, 0), (y, x), (x, 0), (P, 0), (x + P if x + P < 2**256 else P + 1, y)):
            with pytest.raises(ValueError):
                P256VerifyingKey.from_point(*(coordinate.to_bytes(32, "big") for coordinate in bad))

    def test_a_coordinate_has_one_encoding(self):
        # (0, sqrt(b)) is on the curve; with x written as p it must not be.
        y = bytes.fromhex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4")
        P256VerifyingKey.from_point(bytes(32), y)
        with pytest.raises(ValueError):
            P256VerifyingKey.from_point(P.to_bytes(32, "big"), y)

    def test_a_bad_signature_names_the_key(self, p256_key):
        for signature in (bytes(64), b"", bytes(63), p256_key.sign(b"other")):
            with pytest.raises(SignatureError) as caught:
                p256_key.verifying_key.verify(b"m", signature)
            assert caught.value.code == "signature.invalid"
            size = {} if len(signature) == 64 else {"size": len(signature), "form": "size"}
            assert caught.value.facts == {"kid": p256_key.kid.hex()} | size
            assert caught.value.__cause__ is None

    def test_numbers_out_of_range_are_no_signature(self, p256_key):
        signature = p256_key.sign(b"m")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        for bad in ((0, s), (r, 0), (N, s), (r, N), (2**256 - 1, s), (r, 2**256 - 1), (s, r)):
            with pytest.raises(SignatureError):
                p256_key.verifying_key.verify(b"m", b"".join(number.to_bytes(32, "big") for number in bad))
        p256_key.verifying_key.verify(b"m", signature[:32] + (N - s).to_bytes(32, "big"))

    def test_misuse_is_no_bad_signature(self, p256_key):
        with pytest.raises(TypeError):
            p256_key.verifying_key.verify("m", bytes(64))


class TestSigningKey:
    @pytest.mark.parametrize("passphrase", [None, "口令".encode()])
    def test_it_survives_pem(self, p256_key, passphrase):
        pem = p256_key.to_pem(passphrase=passphrase)
        assert (b"ENCRYPTED" in pem) is (passphrase is not None)
        key = P256SigningKey.from_pem(pem, passphrase=passphrase, algorithm=Algorithm.ESP256)
        assert key.kid == p256_key.kid
        assert key.algorithm is Algorithm.ESP256
        p256_key.verifying_key.verify(b"m", key.sign(b"m"))

    def test_the_older_pem_form_is_read(self):
        key = ec.generate_private_key(ec.SECP256R1())
        pem = private_pem(key, serialization.PrivateFormat.TraditionalOpenSSL)
        assert b"BEGIN EC PRIVATE KEY" in pem
        assert P256SigningKey.from_pem(pem).kid == P256SigningKey.from_cryptography(key).kid

    @pytest.mark.parametrize(("written", "read"), [(b"right", b"wrong"), (b"right", None), (None, b"needless")])
    def test_a_passphrase_that_does_not_fit_is_a_value_error(self, p256_key, written, read):
        with pytest.raises(ValueError):
            P256SigningKey.from_pem(p256_key.to_pem(passphrase=written), passphrase=read)

    def test_whether_to_encrypt_is_said_aloud(self, p256_key):
        with pytest.raises(TypeError):
            p256_key.to_pem()
        with pytest.raises(ValueError):
            p256_key.to_pem(passphrase=b"")

    def test_signatures_are_64_bytes_whatever_the_numbers(self, p256_key):
        # One in 128 has a leading zero byte in r or s.
        signatures = [p256_key.sign(b"m") for _ in range(3000)]
        assert {len(signature) for signature in signatures} == {64}
        assert any(0 in (signature[0], signature[32]) for signature in signatures)

    @pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_it_is_not_pickled_or_copied(self, p256_key, copied):
        with pytest.raises(TypeError, match="not pickled or copied"):
            copied(p256_key)
