"""Every implementation of a plug point runs the suite of its protocol."""

from __future__ import annotations

import cbor2
import pytest

from tests.support import (
    CITY,
    EXTRAS,
    FAKE,
    HOLDER,
    NOW,
    RING,
    Opening,
    a_voucher,
    claims_map,
    fake_issuer,
    signed_bytes,
    text_of,
)
from ybtoken import Algorithm, Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Profile, SerialEngine
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.testing.engines import check_engine
from ybtoken.testing.guards import check_replay_guard
from ybtoken.testing.keys import FakeKey, check_key_pair
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import encode_envelope, encode_header
from ybtoken.wire.text import encode_text


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ESP256])
def test_p256_keys_are_keys(algorithm):
    key = P256SigningKey.generate(algorithm=algorithm)
    check_key_pair(key, key.verifying_key, other=P256SigningKey.generate(algorithm=algorithm).verifying_key)


def test_p256_keys_that_were_stored_are_keys(p256_key):
    signing = P256SigningKey.from_pem(p256_key.to_pem(passphrase=b"p"), passphrase=b"p")
    verifying = P256VerifyingKey.from_pem(p256_key.verifying_key.to_pem())
    check_key_pair(signing, verifying, other=P256SigningKey.generate().verifying_key)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_fake_keys_are_keys(algorithm):
    check_key_pair(FakeKey("a", algorithm), FakeKey("a", algorithm), other=FakeKey("b", algorithm))


def test_the_guard_in_memory_is_a_guard():
    check_replay_guard(lambda clock: MemoryReplayGuard(clock=clock))


def mix() -> tuple[KeyRing, list[str]]:
    """A ring of several keys, and texts that are good, or bad in each way that steps 1 to 5 detect."""
    real = P256SigningKey.generate()
    esp = P256SigningKey.generate(algorithm=Algorithm.ESP256)
    ring = KeyRing(
        [*RING.entries, KeyEntry(real.verifying_key, "Zhejiang"), KeyEntry(esp.verifying_key, "Anhui"),
         KeyEntry(FakeKey("sm2", Algorithm.SM2), "Jiangsu")]
    )  # fmt: skip
    issuers = [fake_issuer(), Issuer(real), Issuer(esp), Issuer(FakeKey("sm2", Algorithm.SM2))]
    texts = [issuer.issue(HOLDER, CITY, now=NOW, **extras).text for issuer in issuers for extras in ({}, EXTRAS)]
    texts += [fake_issuer().issue(HOLDER, CITY, now=0, **{name: value}).text for name, value in EXTRAS.items()]
    texts += [issuers[0].sign(a_voucher(nonce=bytes(size))).text for size in range(8, 17)]
    good = issuers[1].issue(HOLDER, CITY, now=NOW)
    for at in range(0, len(good.data), 5):
        texts.append(encode_text(1, good.data[:at] + bytes([good.data[at] ^ 4]) + good.data[at + 1 :]))
    for at in range(0, len(good.text), 31):
        texts += [good.text[:at], good.text[:at] + "x" + good.text[at + 1 :], good.text[:at] + "9" + good.text[at:]]
    texts += [text_of(good.data, 2), text_of(good.data, 3), text_of(good.data + b"\0"), text_of(good.data[:-1])]
    texts += ["", "9", "96", "9602", "x" * 900, "\ud800", "９６", "96" + "9" * 17 + "00"]
    texts += [fake_issuer().issue(HOLDER, CITY).text[:-2] + check for check in ("00", "01", "99")]
    texts.append(Issuer(FakeKey("stranger")).issue(HOLDER, CITY).text)
    for profile in (Profile.ROTATING, Profile.DEVICE_BOUND):
        payload = encode_claims(a_voucher(profile=profile))
        texts += [text_of(signed_bytes(payload), prefix) for prefix in (1, 2, 3)]
    for change in ({4: 0}, {7: b""}, {8: 0}, {-65537: []}, {-65537: [1, HOLDER, 10**6]}, {-65537: [1, HOLDER, 5, {}]}):
        texts.append(text_of(signed_bytes(cbor2.dumps(claims_map() | change))))
    for algorithm in (-8, -7, -9, -65537):
        texts.append(text_of(encode_envelope(encode_header(algorithm, FAKE.kid), bytes(56), bytes(64))))
    return ring, texts


def test_the_serial_engine_is_an_engine():
    ring, texts = mix()
    check_engine(SerialEngine(), ring, texts, now=NOW)
    codes = set(Opening(ring).open_many(texts).codes)
    assert codes == {0, 17, 18, 19, 20, 21, 22, 33, 49, 65, 81, 82}  # the mix has them all
