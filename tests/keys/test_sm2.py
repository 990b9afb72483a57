"""SM2 keys of the library; tests/keys/_sm2 tests the arithmetic."""

from __future__ import annotations

import copy
import pickle
from typing import get_args

import pytest

from ybtoken.algorithms import DEFAULT_USER_ID, Algorithm, Curve
from ybtoken.errors import SignatureError
from ybtoken.keys import sm2
from ybtoken.keys._sm2 import evp as _evp_sm2
from ybtoken.keys._sm2.curve import N
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.protocols import kid_of_point
from ybtoken.keys.sm2 import LibcryptoError, SM2Backend, SM2SigningKey, SM2VerifyingKey
from ybtoken.testing.keys import check_key_pair

BACKENDS: tuple[SM2Backend, ...] = get_args(SM2Backend)
each_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture(scope="module")
def key() -> SM2SigningKey:
    return SM2SigningKey.generate()


def verifying(key: SM2SigningKey, backend: SM2Backend | None = None) -> SM2VerifyingKey:
    return SM2VerifyingKey.from_point(*key.verifying_key.point, backend=backend)


@each_backend
def test_conformance(key: SM2SigningKey, backend: SM2Backend) -> None:
    check_key_pair(key, verifying(key, backend), other=verifying(SM2SigningKey.generate(), backend))


def test_kid_is_the_thumbprint_of_the_point_on_its_curve(key: SM2SigningKey) -> None:
    point = key.verifying_key.point
    assert key.kid == kid_of_point(Curve.SM2, *point) != kid_of_point(Curve.P256, *point)


@each_backend
def test_what_verifies_is_visible_and_can_be_chosen(key: SM2SigningKey, backend: SM2Backend) -> None:
    chosen = verifying(key, backend)
    assert chosen.backend == backend
    assert backend in repr(chosen)


def test_an_unknown_backend_is_refused(key: SM2SigningKey) -> None:
    with pytest.raises(ValueError, match="backend"):
        verifying(key, "openssl")  # type: ignore[arg-type]


def test_libcrypto_verifies_where_there_is_one_and_tables_elsewhere(
    key: SM2SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verifying(key).backend == "libcrypto"
    monkeypatch.setattr(_evp_sm2, "candidates", lambda: iter(()))
    monkeypatch.setattr(sm2, "load", _evp_sm2.load.__wrapped__)
    assert verifying(key).backend == "tables"
    with pytest.raises(LibcryptoError):
        verifying(key, "libcrypto")


def test_without_a_libcrypto_nothing_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evp_sm2, "candidates", lambda: iter(()))
    monkeypatch.setattr(sm2, "load", _evp_sm2.load.__wrapped__)
    with pytest.raises(LibcryptoError) as refused:
        SM2SigningKey.generate()
    assert refused.value.code == "libcrypto.missing"


def test_a_library_named_by_its_path_is_used_or_refused(key: SM2SigningKey) -> None:
    point = key.verifying_key.point
    path = _evp_sm2.load().path
    assert SM2VerifyingKey.from_point(*point, libcrypto=path).backend == "libcrypto"
    assert SM2SigningKey.generate(libcrypto=path).verifying_key.backend == "libcrypto"
    with pytest.raises(LibcryptoError):
        SM2VerifyingKey.from_point(*point, libcrypto="/nonexistent")


@each_backend
def test_public_pem_round_trip(key: SM2SigningKey, backend: SM2Backend) -> None:
    pem = key.verifying_key.to_pem()
    again = SM2VerifyingKey.from_pem(pem, backend=backend)
    assert (again.kid, again.to_pem()) == (key.kid, pem)
    again.verify(b"message", key.sign(b"message"))


def test_other_public_keys_are_refused(key: SM2SigningKey) -> None:
    pem = key.verifying_key.to_pem()
    lines = pem.splitlines(keepends=True)
    for bad in (
        b"",
        b"garbage",
        P256SigningKey.generate().verifying_key.to_pem(),
        key.to_pem(passphrase=None),
        b"".join(lines[:-1]),
        lines[0] + b"*" + b"".join(lines[1:]),
        b"".join((lines[0], lines[1], lines[-1])),
        pem.replace(lines[2], lines[2].swapcase()),
    ):
        with pytest.raises(ValueError, match=r"PEM|SM2|DER|spelling|this is a private key"):
            SM2VerifyingKey.from_pem(bad)


def test_coordinates_of_other_lengths_or_curves_are_refused(key: SM2SigningKey) -> None:
    x, y = key.verifying_key.point
    for bad in ((x[1:], y), (x[1:], y[1:]), (x + b"\0", y[1:]), (y, x), P256SigningKey.generate().verifying_key.point):
        with pytest.raises(ValueError, match=r"32 bytes|SM2 curve"):
            SM2VerifyingKey.from_point(*bad)


@pytest.mark.parametrize("passphrase", [None, b"secret"])
def test_private_pem_round_trip(key: SM2SigningKey, passphrase: bytes | None) -> None:
    again = SM2SigningKey.from_pem(key.to_pem(passphrase=passphrase), passphrase=passphrase)
    assert again.kid == key.kid
    key.verifying_key.verify(b"message", again.sign(b"message"))


def test_passphrases_that_are_missing_or_not_needed_are_refused(key: SM2SigningKey) -> None:
    with pytest.raises(ValueError, match="passphrase"):
        SM2SigningKey.from_pem(key.to_pem(passphrase=b"secret"))
    with pytest.raises(ValueError, match="not encrypted"):
        SM2SigningKey.from_pem(key.to_pem(passphrase=None), passphrase=b"secret")
    for bad in (b"", b"a\0b"):
        with pytest.raises(ValueError, match="passphrase"):
            key.to_pem(passphrase=bad)


def test_a_scalar_is_a_key() -> None:
    # GM/T 0003.5-2012 annex A: the private key and its public point.
    scalar = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
    key = SM2SigningKey(scalar)
    assert key.verifying_key.point[0].hex() == "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    for bad in (b"", bytes(32), (N - 1).to_bytes(32, "big")):
        with pytest.raises(ValueError, match=r"spelling of a key|the private number is not one of SM2"):
            SM2SigningKey(bad)


@each_backend
def test_the_user_id_belongs_to_the_key(backend: SM2Backend) -> None:
    theirs = SM2SigningKey.generate(user_id=b"alice@example.com")
    point, signature = theirs.verifying_key.point, theirs.sign(b"message")
    SM2VerifyingKey.from_point(*point, user_id=b"alice@example.com", backend=backend).verify(b"message", signature)
    with pytest.raises(SignatureError):
        SM2VerifyingKey.from_point(*point, backend=backend).verify(b"message", signature)
    assert theirs.user_id == theirs.verifying_key.user_id == b"alice@example.com"
    assert SM2SigningKey.generate().user_id == DEFAULT_USER_ID
    again = SM2SigningKey.from_pem(theirs.to_pem(passphrase=None), user_id=b"alice@example.com")
    theirs.verifying_key.verify(b"message", again.sign(b"message"))


def test_an_sm2_key_has_no_other_algorithm(key: SM2SigningKey) -> None:
    assert key.algorithm is verifying(key).algorithm is Algorithm.SM2


def test_a_signing_key_is_not_pickled_or_copied(key: SM2SigningKey) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            attempt(key)
