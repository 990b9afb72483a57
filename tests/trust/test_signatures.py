from __future__ import annotations

import pytest

from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey

from .conftest import START, Place, Server

pytest.importorskip("tuf", reason="the extra tuf is not installed")

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature

from ybtoken.trust.signatures import MetadataSigner, metadata_key
from ybtoken.trust.tuf import TufRingSource


def sm2() -> SM2SigningKey:
    try:
        return SM2SigningKey.generate()
    except LibcryptoError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("make", [P256SigningKey.generate, sm2], ids=["p256", "sm2"])
def test_a_key_goes_through_metadata_and_verifies_what_it_signed(make):
    signer, other = MetadataSigner(make()), MetadataSigner(make())
    key = Key.from_dict(signer.public_key.keyid, signer.public_key.to_dict())
    assert key == signer.public_key
    signature = signer.sign(b"data")
    key.verify_signature(signature, b"data")
    for bad in (signature.signature[:-2], "", "zz", "00" * 64):
        with pytest.raises(UnverifiedSignatureError):
            key.verify_signature(Signature(key.keyid, bad), b"data")
    with pytest.raises(UnverifiedSignatureError):
        key.verify_signature(signature, b"other")
    with pytest.raises(UnverifiedSignatureError):
        key.verify_signature(other.sign(b"data"), b"data")


@pytest.mark.parametrize("public", ["", "zz", "04" + "00" * 64, "04" + "11" * 64])
def test_what_is_no_sm2_key_is_no_metadata_key(public):
    with pytest.raises((ValueError, KeyError)):
        Key.from_dict("a", {"keytype": "sm2", "scheme": "sm2-sm3", "keyval": {"public": public}})


def test_keys_that_metadata_cannot_hold_are_misuse():
    with pytest.raises(TypeError, match="a private key"):
        MetadataSigner(P256SigningKey.generate().verifying_key)
    with pytest.raises(TypeError, match="a public key"):
        metadata_key(b"key")
    with pytest.raises(ValueError, match="default user id"):
        metadata_key(SM2SigningKey.generate(user_id=b"other").verifying_key)


def test_an_sm2_repository_is_read_and_updated_and_an_older_one_refused(tmp_path, clock):
    place = Place(tmp_path / "sm2", clock, sm2)
    server = Server(place.folder)
    try:
        source = TufRingSource(server.address, place.root, state=tmp_path / "state")
        assert source.refresh(START), source.problem
        old = (place.folder / "metadata" / "timestamp.json").read_bytes()
        place.withdraw()
        assert source.refresh(START) is True
        (place.folder / "metadata" / "timestamp.json").write_bytes(old)
        assert source.refresh(START) is False
        assert "older" in source.problem.reason
        assert source.ring(START).entries[0].withdrawn_since == START - 60
    finally:
        server.close()
