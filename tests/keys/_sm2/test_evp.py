"""SM2 keys on libcrypto: signing, PEM, threads, forks, and what is freed."""

from __future__ import annotations

import base64
import copy
import gc
import os
import pickle
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._pem import pem_from_der
from ybtoken.keys._sm2.curve import N, pkcs8_from_scalar
from ybtoken.keys._sm2.evp import EvpPrivateKey, EvpPublicKey, load
from ybtoken.keys._sm2.libcrypto import Libcrypto

MESSAGE = b"message"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command line here")


@pytest.fixture(scope="module")
def key() -> EvpPrivateKey:
    return EvpPrivateKey.generate(load(), DEFAULT_USER_ID)


def nonce_of(key: EvpPrivateKey, signature: bytes) -> int:
    """k of a signature, which whoever holds the private key can tell: ``k = s (1 + d) + r d mod n``."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    d = int.from_bytes(key.scalar(), "big")
    return (s * (1 + d) + r * d) % N


def test_signatures_verify_and_never_repeat_a_nonce(key: EvpPrivateKey) -> None:
    public = EvpPublicKey(load(), key.point, DEFAULT_USER_ID)
    signatures = [key.sign(MESSAGE) for _ in range(50)]
    assert all(public.verify(MESSAGE, signature) for signature in signatures)
    assert len({nonce_of(key, signature) for signature in signatures}) == 50


def test_short_integers_are_padded_to_32_bytes(key: EvpPrivateKey) -> None:
    public = EvpPublicKey(load(), key.point, DEFAULT_USER_ID)
    while True:  # 1 in 128 has a zero first byte in r or s
        signature = key.sign(MESSAGE)
        if 0 in (signature[0], signature[32]):
            break
    assert len(signature) == 64
    assert public.verify(MESSAGE, signature)


@pytest.mark.parametrize("passphrase", [None, "口令 passphrase".encode()])
def test_pem_round_trip(key: EvpPrivateKey, passphrase: bytes | None) -> None:
    pem = key.to_pem(passphrase)
    again = EvpPrivateKey.from_pem(load(), pem, passphrase, DEFAULT_USER_ID)
    assert (again.point, again.scalar()) == (key.point, key.scalar())
    assert (b"ENCRYPTED" in pem) is (passphrase is not None)


def test_a_scalar_makes_the_key_again(key: EvpPrivateKey) -> None:
    assert EvpPrivateKey.from_scalar(load(), key.scalar(), DEFAULT_USER_ID).point == key.point


@pytest.mark.parametrize("scalar", [bytes(32), (N - 1).to_bytes(32, "big"), N.to_bytes(32, "big"), b"\1", b"\1" * 33])
def test_scalars_out_of_range_are_refused(scalar: bytes) -> None:
    with pytest.raises(ValueError, match="SM2 private key"):
        EvpPrivateKey.from_scalar(load(), scalar, DEFAULT_USER_ID)
    if len(scalar) == 32:
        pem = pem_from_der("PRIVATE KEY", pkcs8_from_scalar(scalar))
        with pytest.raises(ValueError, match="private key"):
            EvpPrivateKey.from_pem(load(), pem, None, DEFAULT_USER_ID)


def test_the_largest_scalar_is_taken() -> None:
    EvpPrivateKey.from_scalar(load(), (N - 2).to_bytes(32, "big"), DEFAULT_USER_ID)


def test_a_wrong_or_missing_passphrase_is_refused(key: EvpPrivateKey) -> None:
    pem = key.to_pem(b"right")
    for passphrase in (b"wrong", b"", None):
        with pytest.raises(ValueError, match="passphrase"):
            EvpPrivateKey.from_pem(load(), pem, passphrase, DEFAULT_USER_ID)


def test_another_curve_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="SM2 curve"):
        EvpPrivateKey.from_pem(load(), pem, None, DEFAULT_USER_ID)


def test_a_public_point_of_another_key_is_refused(key: EvpPrivateKey) -> None:
    der = base64.b64decode(b"".join(key.to_pem(None).splitlines()[1:-1]))
    other = EvpPrivateKey.generate(load(), DEFAULT_USER_ID).point
    assert key.point in der
    spliced = pem_from_der("PRIVATE KEY", der.replace(key.point, other))
    with pytest.raises(ValueError, match="private key"):
        EvpPrivateKey.from_pem(load(), spliced, None, DEFAULT_USER_ID)


@pytest.mark.parametrize("pem", [b"", b"garbage", pem_from_der("PRIVATE KEY", b"garbage")])
def test_garbage_is_no_key(pem: bytes) -> None:
    with pytest.raises(ValueError, match="PEM"):
        EvpPrivateKey.from_pem(load(), pem, None, DEFAULT_USER_ID)


@needs_openssl
@pytest.mark.parametrize(
    ("form", "passphrase"),
    [
        (["ec"], None),
        (["ec", "-conv_form", "compressed"], None),
        (["ec", "-no_public"], None),
        (["ec", "-aes256", "-passout", "pass:secret"], b"secret"),
        (["pkcs8", "-topk8", "-nocrypt"], None),
        (["pkcs8", "-topk8", "-passout", "pass:secret"], b"secret"),
        (["pkcs8", "-topk8", "-v2", "sm4-cbc", "-passout", "pass:secret"], b"secret"),
    ],
    ids=str,
)
def test_keys_of_the_openssl_command_line(
    key: EvpPrivateKey, tmp_path: Path, form: Any, passphrase: bytes | None
) -> None:
    source, target = tmp_path / "key.pem", tmp_path / "form.pem"
    source.write_bytes(key.to_pem(None))
    run = ["openssl", form[0], "-in", str(source), *form[1:], "-out", str(target)]
    subprocess.run(run, check=True, capture_output=True)
    assert EvpPrivateKey.from_pem(load(), target.read_bytes(), passphrase, DEFAULT_USER_ID).point == key.point


def test_threads_share_a_key(key: EvpPrivateKey) -> None:
    public = EvpPublicKey(load(), key.point, DEFAULT_USER_ID)

    def work(number: int) -> bool:
        message = str(number).encode()
        signature = key.sign(message)
        return public.verify(message, signature) and not public.verify(b"other", signature)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_forked_child_signs_with_other_nonces(key: EvpPrivateKey) -> None:
    key.sign(MESSAGE)  # the generator is seeded before the fork
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, key.sign(MESSAGE))
        os._exit(0)
    mine = key.sign(MESSAGE)
    os.waitpid(child, 0)
    theirs = os.read(reader, 64)
    os.close(reader)
    os.close(writer)
    assert EvpPublicKey(load(), key.point, DEFAULT_USER_ID).verify(MESSAGE, theirs)
    assert nonce_of(key, mine) != nonce_of(key, theirs)


def test_a_refusal_leaves_no_error_behind(key: EvpPrivateKey) -> None:
    public = EvpPublicKey(load(), key.point, DEFAULT_USER_ID)
    for signature in (bytes(64), b"\xff" * 64, key.sign(b"other")):
        assert not public.verify(MESSAGE, signature)
        assert load().ERR_peek_last_error() == 0
    with pytest.raises(ValueError, match="PEM"):
        EvpPrivateKey.from_pem(load(), b"", None, DEFAULT_USER_ID)
    assert load().ERR_peek_last_error() == 0


def test_whatever_is_made_is_freed() -> None:
    lib, alive = Libcrypto(load().path), Counter[int]()

    def watch(name: str, *, makes: bool) -> None:
        function = getattr(lib, name)

        def watched(*arguments: Any) -> Any:
            result = function(*arguments)
            pointer = result if makes else arguments[0]
            if pointer:
                alive[pointer] += 1 if makes else -1
            return result

        setattr(lib, name, watched)

    for maker in ("EVP_PKEY_CTX_new_from_pkey", "d2i_PUBKEY", "EVP_PKEY_Q_keygen",
                  "PEM_read_bio_PrivateKey", "BIO_new_mem_buf", "EVP_PKEY2PKCS8", "PKCS8_encrypt"):  # fmt: skip
        watch(maker, makes=True)
    for freer in ("EVP_PKEY_CTX_free", "EVP_PKEY_free", "BIO_free", "PKCS8_PRIV_KEY_INFO_free",
                  "X509_SIG_free"):  # fmt: skip
        watch(freer, makes=False)

    def work() -> None:
        key = EvpPrivateKey.generate(lib, DEFAULT_USER_ID)
        public = EvpPublicKey(lib, key.point, DEFAULT_USER_ID)
        assert public.verify(MESSAGE, key.sign(MESSAGE))
        assert not public.verify(MESSAGE, bytes(64))
        EvpPrivateKey.from_pem(lib, key.to_pem(b"secret"), b"secret", DEFAULT_USER_ID)
        for pem, user_id in ((b"", DEFAULT_USER_ID), (key.to_pem(None), b"")):
            with pytest.raises(ValueError, match=r"PEM|user id"):
                EvpPrivateKey.from_pem(lib, pem, None, user_id)
        p256 = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValueError, match="SM2 curve"):
            EvpPrivateKey.from_pem(lib, p256, None, DEFAULT_USER_ID)

    work()
    gc.collect()
    assert alive
    assert not +alive, "something is still alive"
    assert not -alive, "something was freed twice"


def test_keys_are_not_pickled_copied_or_shown(key: EvpPrivateKey) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="SM2 key"):
            pickle.dumps(key, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="SM2 key"):
            duplicate(key)
    shown = repr(key) + str(key)
    assert key.scalar().hex() not in shown
    assert str(int.from_bytes(key.scalar(), "big")) not in shown
