from __future__ import annotations

import os

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import CITY, DEVICE, HOLDER, NOW, RING, fake_issuer, presented
from ybtoken import Algorithm, Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Profile, TokenError, Verifier
from ybtoken.algorithms import Curve
from ybtoken.errors import EnvelopeError
from ybtoken.keys.device import device_key_of
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey, SM2VerifyingKey
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.device import DeviceBoundPass, encode_presentation
from ybtoken.voucher import DevicePresentation
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import encode_text

ISSUED = fake_issuer().issue_device_bound_pass(HOLDER, CITY, DEVICE.verifying_key)


def phone(**options) -> DeviceBoundPass:
    return DeviceBoundPass(ISSUED.data, DEVICE, **{"clock": lambda: NOW} | options)


def verifier(**options) -> Verifier:
    return Verifier(RING, **{"clock": lambda: NOW} | options)


def refusal(act, *args, **options) -> str:
    with pytest.raises(TokenError) as caught:
        act(*args, **options)
    return caught.value.code


@pytest.fixture(scope="module")
def sm2_key() -> SM2SigningKey:
    try:
        return SM2SigningKey.generate()
    except LibcryptoError as reason:
        pytest.skip(str(reason))


def test_a_phone_shows_another_code_each_time_and_each_is_good():
    texts = {phone().present() for _ in range(5)}
    assert len(texts) == 5
    for text in texts:
        voucher = verifier().verify(text)
        assert voucher.profile is Profile.DEVICE_BOUND
        assert voucher.device_key == device_key_of(DEVICE.verifying_key)
        assert voucher.presentation.issued_at == NOW
        assert voucher.replay_key == voucher.kid + voucher.nonce + voucher.presentation.nonce


@pytest.mark.parametrize("backend", ["libcrypto", "tables"])
def test_an_sm2_phone_too(sm2_key, backend, monkeypatch):
    from ybtoken.keys import sm2

    issued = fake_issuer().issue_device_bound_pass(HOLDER, CITY, sm2_key.verifying_key)
    bound = DeviceBoundPass(issued.data, sm2_key, clock=lambda: NOW)

    def without_cache(x, y_is_odd):
        point = sm2.decompress(x, y_is_odd)
        return SM2VerifyingKey(point, backend=backend)

    monkeypatch.setattr(sm2, "_phone_key", without_cache)
    voucher = verifier().verify(bound.present())
    assert voucher.device_key.curve == Curve.SM2
    other = DeviceBoundPass(issued.data, SM2SigningKey.generate(), clock=lambda: NOW)
    assert refusal(verifier().verify, other.present()) == "device.signature"
    p256 = DeviceBoundPass(issued.data, DEVICE, clock=lambda: NOW)
    assert refusal(verifier().verify, p256.present()) == "device.signature"


def test_decompressing_gives_the_point_back(sm2_key):
    from ybtoken.keys.sm2 import decompress

    for _ in range(8):
        key = SM2SigningKey.generate().verifying_key
        compressed = device_key_of(key)
        assert decompress(compressed.x, compressed.y_is_odd) == b"\x04" + b"".join(key.point)
        assert decompress(compressed.x, not compressed.y_is_odd) != b"\x04" + b"".join(key.point)
    for bad in (b"\xff" * 32, bytes(31) + b"\2"):
        with pytest.raises(ValueError, match="not on the SM2 curve"):
            decompress(bad, True)


def test_a_display_is_redeemed_once():
    one = verifier(guard=MemoryReplayGuard(clock=lambda: NOW))
    text = phone().present()
    redeemed = one.redeem(text)
    assert (redeemed.display_expires_at, redeemed.redeem_until) == (NOW + 60, NOW + 240)
    assert refusal(one.redeem, text) == "redeem.replayed"
    assert one.redeem(phone().present())


def test_a_redemption_is_remembered_no_longer_than_the_pass():
    end = ISSUED.voucher.expires_at
    verified = verifier().verify(phone().present(now=end), now=end)
    assert (verified.display_expires_at, verified.redeem_until) == (end, end + 240)


@pytest.mark.parametrize(
    ("later", "code"),
    [(-11, "presentation.future"), (-10, None), (0, None), (69, None), (70, "presentation.expired")],
)
def test_a_display_is_accepted_for_its_time(later, code):
    shown = NOW + 3600
    text = phone().present(now=shown)
    if code is None:
        assert verifier().verify(text, now=shown + later)
        return
    with pytest.raises(TokenError) as caught:
        verifier().verify(text, now=shown + later)
    error = caught.value
    assert error.code == code
    assert (error.presented_at, error.now, error.skew) == (shown, shown + later, 10)
    assert error.what.en.startswith("The code was shown 1")


def test_how_long_is_a_setting():
    text = phone().present()
    assert refusal(verifier(max_display_age=5).verify, text, now=NOW + 15) == "presentation.expired"
    assert verifier(max_display_age=500).verify(text, now=NOW + 500)
    assert refusal(verifier(max_pass_lifetime=100).verify, text) == "time.lifetime"
    with pytest.raises(ValueError, match="at least 1"):
        verifier(max_display_age=0)


def test_another_phone_cannot_show_a_copied_pass():
    thief = DeviceBoundPass(ISSUED.data, P256SigningKey.generate(), clock=lambda: NOW)
    assert refusal(verifier().verify, thief.present()) == "device.signature"


@given(st.integers(0, 8 * len(presented(ISSUED.data)) - 1))
def test_any_flip_of_any_bit_is_refused(bit):
    data = bytearray(presented(ISSUED.data))
    data[bit // 8] ^= 1 << bit % 8
    assert refusal(verifier().verify, encode_text(3, bytes(data))) in {
        "envelope.shape", "key.unknown", "signature.invalid", "device.signature"
    }  # fmt: skip


@given(st.binary(max_size=40), st.integers(0, len(presented(ISSUED.data))))
def test_a_presentation_has_one_form(more, at):
    data = presented(ISSUED.data)
    for changed in (data[:at] + more + data[at:], data[:at], data[at:]):
        if changed == data:
            continue
        try:
            cut = cut_presentation(changed)
        except EnvelopeError:
            continue
        stated = [cut.token, *cut.presentation] if cut.presentation.challenge else [cut.token, *cut.presentation[:2]]
        assert cbor2.dumps(cbor2.dumps(stated)) == cut.signed


@given(st.binary(max_size=300))
def test_noise_is_no_presentation(noise):
    for data in (noise, b"\xd2\x84\x43\xa1\x01\x26\xa0\x58" + noise):
        with pytest.raises(EnvelopeError):
            cut_presentation(data)


def test_a_signature_that_reaches_back_into_the_header_is_refused():
    start, payload = b"\xd2\x84\x43\xa1\x01\x26\xa0", b"\x58\x25\x83\x58\x18" + bytes(25) + b"\x48" + bytes(8)
    assert cut_presentation(start + payload + b"\x58\x40" + bytes(64)).token == bytes(24)
    for size in range(64):
        with pytest.raises(EnvelopeError):
            cut_presentation(start + payload + b"\x58\x40" + bytes(size))


@given(
    st.binary(min_size=100, max_size=200),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=8, max_size=8),
    st.none() | st.binary(min_size=12, max_size=12),
)
def test_cutting_undoes_encoding(token, issued_at, nonce, answer):
    presentation = DevicePresentation(issued_at, nonce, answer)
    cut = cut_presentation(encode_presentation(token, presentation, DEVICE))
    assert (cut.token, cut.presentation, cut.curve) == (token, presentation, Curve.P256)


@pytest.mark.parametrize(
    "issued_at", [0, 23, 24, 0xFF, 0x100, 0xFFFF, 0x1_0000, 2**32 - 1], ids=lambda number: f"{number:x}"
)
def test_a_time_has_one_spelling(issued_at):
    spelling = cbor2.dumps(issued_at)

    def spelled(time):
        payload = b"\x83\x58\x64" + bytes(100) + time + b"\x48" + bytes(8)
        return b"\xd2\x84\x43\xa1\x01\x26\xa0\x58" + bytes([len(payload)]) + payload + b"\x58\x40" + bytes(64)

    assert cut_presentation(spelled(spelling)).presentation.issued_at == issued_at
    wide = [bytes([0x17 + size.bit_length()]) + issued_at.to_bytes(size, "big") for size in (1, 2, 4, 8)
            if issued_at >> 8 * size == 0]  # fmt: skip
    no_heads = [bytes([byte]) for byte in range(24, 256)]
    for other in ({*wide, *no_heads} - {spelling}) | {b"\x1b" + bytes(3) + b"\1", spelling + b"\0", spelling[:-1]}:
        with pytest.raises(EnvelopeError):
            cut_presentation(spelled(other))


def test_a_payload_has_at_most_255_bytes():
    longest = 255 - len(b"\x83\x58n\x1aTIME\x48") - 8
    data = encode_presentation(bytes(longest), DevicePresentation(NOW, bytes(8)), DEVICE)
    assert len(cut_presentation(data).token) == longest
    with pytest.raises(EnvelopeError):
        cut_presentation(encode_presentation(bytes(longest + 1), DevicePresentation(NOW, bytes(8)), DEVICE))
    payload = b"\x83\x58" + bytes([longest + 1]) + bytes(longest + 1) + b"\x1aTIME\x48" + bytes(8)
    for size in range(256):  # a head with one byte of length cannot state 256
        with pytest.raises(EnvelopeError):
            cut_presentation(b"\xd2\x84\x43\xa1\x01\x26\xa0\x58" + bytes([size]) + payload + data[-66:])


def test_the_answer_has_one_head():
    data = encode_presentation(bytes(100), DevicePresentation(NOW, bytes(8), bytes(12)), DEVICE)
    at = len(data) - (2 + 64) - (1 + 12)
    assert data[at] == 0x4C
    for head in {*range(256)} - {0x4C}:
        with pytest.raises(EnvelopeError):
            cut_presentation(data[:at] + bytes([head]) + data[at + 1 :])


@pytest.mark.parametrize("size", [0, 5, 22, 23])
def test_a_short_pass_with_a_wide_head_is_refused(size):
    payload = b"\x83\x58" + bytes([size]) + bytes(size) + b"\x00\x48" + bytes(8)
    for token in (payload, b"\x83" + cbor2.dumps(bytes(size)) + b"\x00\x48" + bytes(8)):
        with pytest.raises(EnvelopeError):
            cut_presentation(
                b"\xd2\x84\x43\xa1\x01\x26\xa0\x58" + bytes([len(token)]) + token + b"\x58\x40" + bytes(64)
            )


class TestChallenge:
    ASKED = Challenge("H33010600123", "02121", b"8 bytes.")

    def test_an_answer_is_accepted_where_it_was_asked_for(self):
        text = phone().present(challenge=self.ASKED)
        voucher = verifier().verify(text, challenge=self.ASKED)
        assert voucher.presentation.challenge == self.ASKED.answer
        for other in (
            Challenge("H33010600124", "02121", b"8 bytes."),
            Challenge("H33010600123", "01301", b"8 bytes."),
            Challenge("H33010600123", "02121", b"8 byte.s"),
        ):
            assert refusal(verifier().verify, text, challenge=other) == "challenge.wrong"

    def test_a_verifier_that_asks_refuses_codes_without_an_answer(self):
        assert refusal(verifier().verify, phone().present(), challenge=self.ASKED) == "challenge.missing"
        voucher = fake_issuer().issue(HOLDER, CITY).text
        assert refusal(verifier().verify, voucher, challenge=self.ASKED) == "challenge.missing"
        assert verifier().verify_many([voucher], challenge=self.ASKED).counts() == {"challenge.missing": 1}

    def test_a_verifier_that_did_not_ask_refuses_answers(self):
        assert refusal(verifier().verify, phone().present(challenge=self.ASKED)) == "challenge.wrong"

    def test_any_answer_and_none_is_accepted_by_who_verifies_again(self):
        texts = [phone().present(challenge=self.ASKED), phone().present(), fake_issuer().issue(HOLDER, CITY).text]
        assert verifier().verify_many(texts, recorded=True).accepted == 3
        assert verifier().verify_many(texts).counts() == {"challenge.wrong": 1}

    def test_redeeming_takes_the_challenge_and_a_wrong_one_burns_nothing(self):
        one = verifier(guard=MemoryReplayGuard(clock=lambda: NOW))
        text = phone().present(challenge=self.ASKED)
        assert refusal(one.redeem, text, challenge=Challenge.new("x", "02121")) == "challenge.wrong"
        assert one.redeem(text, challenge=self.ASKED)


@pytest.mark.parametrize(
    ("phone_key", "signer", "version"),
    [("p256", "p256", 12), ("sm2", "sm2", 13)],
)
def test_a_display_fits_its_symbol(phone_key, signer, version, request):
    """With a status index; with a P-256 key an answer takes it to version 13."""
    pytest.importorskip("segno")
    from ybtoken.qr import QrCode

    def key(name):
        return P256SigningKey.generate() if name == "p256" else request.getfixturevalue("sm2_key")

    device = key(phone_key)
    issued = Issuer(key(signer), clock=lambda: NOW).issue_device_bound_pass(
        HOLDER, CITY, device.verifying_key, status_index=2**32 - 1
    )
    bound = DeviceBoundPass(issued.data, device, clock=lambda: NOW)
    assert QrCode(bound.present()).version == version
    challenge = Challenge.new("H33010600123", "02121")
    assert QrCode(bound.present(challenge=challenge)).version == 13
    assert challenge.qr.version <= 3


def test_a_family_members_pass_of_an_sm2_platform_fits_version_13_with_an_answer(sm2_key):
    issued = Issuer(sm2_key, clock=lambda: NOW).issue_device_bound_pass(
        HOLDER, CITY, sm2_key.verifying_key, status_index=2**32 - 1, presenter=bytes(16)
    )
    text = DeviceBoundPass(issued.data, sm2_key).present(challenge=Challenge.new("x", "02121"))
    assert len(text) <= 796


def test_a_device_key_is_es256_or_sm2_with_the_usual_user_id(sm2_key):
    with pytest.raises(ValueError, match="ES256, not ESP256"):
        device_key_of(P256SigningKey.generate(algorithm=Algorithm.ESP256).verifying_key)
    own = SM2SigningKey.generate(user_id=b"another").verifying_key
    with pytest.raises(ValueError, match="default user id"):
        device_key_of(own)


@pytest.mark.parametrize("key", ["P-256", "SM2"])
def test_a_phone_that_is_seen_again_is_remembered(key, monkeypatch, request):
    from ybtoken.keys import p256, sm2

    loaded = []

    def counting(load):
        return lambda *point: loaded.append(point) or load(*point)

    monkeypatch.setattr(p256, "_key_of_point", counting(p256._key_of_point))
    monkeypatch.setattr(sm2, "decompress", counting(sm2.decompress))
    phone_key = P256SigningKey.generate() if key == "P-256" else request.getfixturevalue("sm2_key")
    issued = fake_issuer().issue_device_bound_pass(HOLDER, CITY, phone_key.verifying_key)
    text = DeviceBoundPass(issued.data, phone_key, clock=lambda: NOW).present()
    counts = []
    for _ in range(4):
        loaded.clear()
        assert verifier().verify(text).device_key == device_key_of(phone_key.verifying_key)
        counts.append(len(loaded))
    assert counts == [1, 0, 0, 0]


class TestRemembering:
    def test_the_two_points_of_an_x_are_two(self):
        from ybtoken.keys.p256 import _phone_key

        x = DEVICE.verifying_key.point[0]
        assert _phone_key(x, True) is _phone_key(x, True)
        assert _phone_key(x, True).public_numbers().y != _phone_key(x, False).public_numbers().y

    def test_a_thousand_phones_are_kept(self):
        from ybtoken.keys import p256, sm2

        assert p256._phone_key.cache_parameters()["maxsize"] == sm2._phone_key.cache_parameters()["maxsize"] == 1024

    def test_what_is_no_point_is_refused_each_time(self):
        from ybtoken.keys.p256 import verify_compressed

        for _ in range(3):
            with pytest.raises(ValueError):
                verify_compressed(b"\xff" * 32, True, b"message", bytes(64))

    @pytest.mark.parametrize("size", [0, 1, 31, 33])
    def test_an_x_of_another_size_is_no_point_of_either_curve(self, size, sm2_key):
        from ybtoken.keys import p256, sm2

        for backend in (p256, sm2):
            with pytest.raises(ValueError):
                backend.verify_compressed(b"\x01" * size, True, b"message", bytes(64))


def test_the_phone_signs_with_whatever_signs():
    class Enclave:
        algorithm, kid = DEVICE.algorithm, DEVICE.kid

        def sign(self, message: bytes) -> bytes:
            return DEVICE.sign(message)

    bound = DeviceBoundPass(ISSUED.data, Enclave(), random=os.urandom)
    assert verifier().verify(bound.present(now=NOW))
    assert "Enclave" in repr(bound)


def test_a_pass_of_a_device_bound_kind_is_no_voucher():
    with pytest.raises(ValueError, match="sign_pass"):
        fake_issuer().sign(ISSUED.voucher)
    with pytest.raises(ValueError, match="no pass"):
        fake_issuer().sign_pass(fake_issuer().issue(HOLDER, CITY).voucher)


def test_passes_and_vouchers_are_verified_in_one_batch():
    texts = [phone().present(), fake_issuer().issue(HOLDER, CITY).text, "", phone().present(now=NOW - 100)]
    verdicts = verifier().verify_many(texts)
    assert [getattr(v, "code", "accepted") for v in verdicts] == [
        "accepted", "accepted", "text.prefix", "presentation.expired"
    ]  # fmt: skip
    assert verdicts[0].presentation == verifier().verify(texts[0]).presentation
    ring = KeyRing([KeyEntry(DEVICE.verifying_key, "another")])
    assert Verifier(ring).verify_many(texts, now=NOW).counts() == {"key.unknown": 3, "text.prefix": 1}


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: DeviceBoundPass(ISSUED, DEVICE), "data is the bytes of a pass, not Pass"),
        (lambda: DeviceBoundPass(ISSUED.data, P256SigningKey.generate().verifying_key), "the phone's private key"),
        (lambda: phone(clock=NOW), "clock is a function"),
        (lambda: phone(random=bytes(8)), "random is a function"),
        (lambda: phone().present(challenge="9512345"), "challenge is a Challenge, not str"),
    ],
)
def test_it_says_what_it_wants(make, wanted):
    with pytest.raises(TypeError, match=wanted):
        make()
