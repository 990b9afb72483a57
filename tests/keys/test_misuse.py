"""Keys of both curves refuse values of the wrong kind alike, with a message that says what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey

SIGNING = (P256SigningKey, SM2SigningKey)
VERIFYING = (P256VerifyingKey, SM2VerifyingKey)
PAIRS = tuple(zip(SIGNING, VERIFYING, strict=True))
NUMBER = (12345).to_bytes(32, "big")


@pytest.mark.parametrize(("signing", "verifying"), PAIRS)
def test_both_curves_have_the_same_constructors(signing: Any, verifying: Any) -> None:
    key = signing(NUMBER)
    public = key.verifying_key
    x, y = public.point
    again = (
        verifying(b"\x04" + x + y),
        verifying.from_point(x, y),
        verifying.from_pem(public.to_pem()),
        signing.from_pem(key.to_pem(passphrase=None)).verifying_key,
    )
    for other in again:
        assert (other.kid, other.point) == (key.kid, public.point)
        other.verify(b"m", key.sign(b"m"))
    assert signing.generate().kid != key.kid


@pytest.mark.parametrize("kind", [*SIGNING, *VERIFYING])
def test_the_name_of_a_file_is_no_pem(kind: Any) -> None:
    for path in ("issuer.pem", "/etc/keys/issuer", b"issuer.pem", Path("issuer.pem"), Path("issuer")):
        with pytest.raises(ValueError, match=r"this looks like a path, not a key: pass the file's bytes"):
            kind.from_pem(path)
    for bad in (None, 7, bytearray(b"x")):
        with pytest.raises(TypeError, match=rf"^a key is bytes or a string, not {type(bad).__name__}$"):
            kind.from_pem(bad)
    with pytest.raises(ValueError, match="this is no spelling of a key that is known here"):
        kind.from_pem(b"garbage")
    with pytest.raises(ValueError, match="PEM that is cut off"):
        kind.from_pem("-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("kind", SIGNING)
def test_a_passphrase_is_bytes(kind: Any) -> None:
    key = kind(NUMBER)
    for call in (
        lambda: key.to_pem(passphrase="secret"),
        lambda: kind.from_pem(key.to_pem(passphrase=b"secret"), passphrase="secret"),
    ):
        with pytest.raises(TypeError, match="a passphrase is bytes or None, not str: encode it first"):
            call()


@pytest.mark.parametrize("kind", SIGNING)
def test_a_private_number_is_32_bytes_within_its_bounds(kind: Any) -> None:
    for bad in (12345, None):
        with pytest.raises(TypeError, match=rf"a key is bytes or a string, not {type(bad).__name__}"):
            kind(bad)
    for wrong, words in (
        (b"", "no spelling of a key"),
        (NUMBER[1:], "a private key has 32"),
        (b"\1" + NUMBER, "no spelling of a key"),
        (bytes(32), "the private number is not one of"),
        (b"\xff" * 32, "the private number is not one of"),
    ):
        with pytest.raises(ValueError, match=words):
            kind(wrong)


@pytest.mark.parametrize("kind", VERIFYING)
def test_a_point_is_65_bytes_on_the_curve(kind: Any) -> None:
    for bad in (None, 4):
        with pytest.raises(TypeError, match=rf"a key is bytes or a string, not {type(bad).__name__}"):
            kind(bad)
    for bad in ("04", None, 4):
        with pytest.raises(TypeError, match=rf"is bytes, not {type(bad).__name__}"):
            kind.from_point(bad, bytes(32))
    for form in (2, 3, 5, 6, 7, 0):
        with pytest.raises(ValueError):
            kind(bytes([form]) + bytes(64))
    for wrong in (b"", bytes(64), bytes(66), b"\x04" + bytes(64)):
        with pytest.raises(ValueError):
            kind(wrong)


@pytest.mark.parametrize("make", [SM2SigningKey.generate, lambda **options: SM2SigningKey(NUMBER, **options)])
def test_a_user_id_is_bytes(make: Any) -> None:
    with pytest.raises(TypeError, match="an SM2 user id is bytes, not str"):
        make(user_id="alice")
    with pytest.raises(TypeError, match="an SM2 user id is bytes, not str"):
        SM2VerifyingKey.from_point(*SM2SigningKey(NUMBER).verifying_key.point, user_id="alice", backend="tables")


@pytest.mark.parametrize("verifying", [P256SigningKey(NUMBER).verifying_key, SM2SigningKey(NUMBER).verifying_key,
    SM2VerifyingKey.from_point(*SM2SigningKey(NUMBER).verifying_key.point, backend="tables")], ids=repr)  # fmt: skip
def test_a_signature_is_bytes(verifying: Any) -> None:
    for bad in ("x" * 64, "", None, bytearray(64)):
        with pytest.raises(TypeError, match=f"a signature is bytes, not {type(bad).__name__}"):
            verifying.verify(b"m", bad)
    with pytest.raises(TypeError):
        verifying.verify("m", bytes(63) + b"\1")


@pytest.mark.parametrize("kind", [P256VerifyingKey, SM2VerifyingKey])
def test_coordinates_may_stand_in_fields_of_64_bytes_as_sdf_devices_write_them(kind):
    signing = P256SigningKey if kind is P256VerifyingKey else SM2SigningKey
    key = signing(NUMBER).verifying_key
    x, y = key.point
    assert kind.from_point(bytes(32) + x, bytes(32) + y).kid == key.kid
    with pytest.raises(ValueError, match="a coordinate y is 32 bytes, not 64"):
        kind.from_point(x, b"\1" + bytes(31) + y)
