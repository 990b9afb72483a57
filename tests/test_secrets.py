"""Nothing secret is shown: no keys in reprs of objects, and no claims in errors before the signature is checked."""

from __future__ import annotations

import logging
import pickle

import pytest

from tests.support import FAKE, NOW, PRESENTER, RING, Opening, a_voucher, fake_verifier, signed_bytes, text_of
from ybtoken import Issuer, MemoryReplayGuard, TokenError
from ybtoken.identity import IdentitySealer, derive_person_number
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.testing.keys import FakeKey
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import encode_header

SEALING_KEY = bytes.fromhex("5ec2e75ec2e75ec2e75ec2e75ec2e75e")
SCALAR = 0x5EC2E75EC2E75EC2E75EC2E75EC2E75EC2E75EC2E75EC2E75EC2E75EC2E75EC2


def forms(secret: bytes) -> set[str]:
    """The forms in which a secret might be shown."""
    import base64

    number = int.from_bytes(secret, "big")
    return {secret.hex(), repr(secret)[2:-1], str(number), hex(number)[2:], base64.b64encode(secret).decode()[:-4]}


def shown(thing: object) -> str:
    """Everything that an object shows of itself in the usual ways."""
    record = logging.LogRecord("n", logging.INFO, "p", 1, "%s %r", (thing, thing), None)
    return "\n".join(
        (repr(thing), str(thing), format(thing), f"{thing!r}", "%s" % thing, ascii(thing), record.getMessage(),  # noqa: UP031
         repr(getattr(thing, "__dict__", {})))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("thing", "secret"),
    [
        (P256SigningKey(SCALAR.to_bytes(32, "big")), SCALAR.to_bytes(32, "big")),
        (Issuer(P256SigningKey(SCALAR.to_bytes(32, "big"))), SCALAR.to_bytes(32, "big")),
        (IdentitySealer(SEALING_KEY), SEALING_KEY),
        (IdentitySealer({0: SEALING_KEY, 5: SEALING_KEY}), SEALING_KEY),
    ],
    ids=["signing key", "issuer", "sealer", "sealer of several keys"],
)
def test_keys_do_not_show_themselves(thing, secret):
    text = shown(thing)
    assert not [form for form in forms(secret) if form in text]
    with pytest.raises(TypeError):
        pickle.dumps(thing)
    for name in dir(thing):
        if not name.startswith("_"):
            value = getattr(thing, name)
            assert not [form for form in forms(secret) if form in repr(value)]


def test_a_secret_that_is_shown_would_be_found():
    assert any(form in shown({"key": SEALING_KEY}) for form in forms(SEALING_KEY))


def test_errors_about_keys_do_not_repeat_them(p256_key):
    pem = p256_key.to_pem(passphrase=b"correct horse")
    attempts = [
        lambda: P256SigningKey.from_pem(pem, passphrase=b"another guess"),
        lambda: P256SigningKey.from_pem(pem[:-40], passphrase=b"correct horse"),
        lambda: IdentitySealer(SEALING_KEY[:-1]),
        lambda: IdentitySealer({9: SEALING_KEY}).seal(1, at=3),
        lambda: derive_person_number("11010519491231002X", key=SEALING_KEY[:15]),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError) as caught:
            attempt()
        text = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
        assert not [form for form in forms(SEALING_KEY[:15]) if form in text]
        assert "horse" not in text
        assert "guess" not in text


def test_a_guard_does_not_show_what_was_redeemed():
    guard = MemoryReplayGuard(clock=lambda: NOW)
    guard.claim(SEALING_KEY, since=NOW, by=NOW + 60, until=NOW + 60)
    assert not [form for form in forms(SEALING_KEY) if form in repr(guard)]


# Claims that are easy to recognise.
MARKED = a_voucher(
    identity_ref=b"IDENTITYIDENTITY",
    city_code="987651",
    nonce=b"NONCENON",
    issued_at=1_234_567_891,
    expires_at=1_234_567_951,
    channel=54_321,
    purpose="98769",
    presenter=b"PRESENTERPRESENT",
    status_index=3_456_789_123,
)
CLAIMED = {"987651", "1234567891", "1234567951", "54321", "98769", "3456789123"} | {
    form
    for claim in (MARKED.identity_ref, MARKED.nonce, MARKED.presenter or b"")
    for form in (claim.hex(), claim.decode())
}


def told(error: BaseException) -> str:
    """Everything that an error tells, including the errors chained to it."""
    parts = [str(error), repr(error), repr(error.args), repr(vars(error)), repr(pickle.dumps(error))]
    if isinstance(error, TokenError):
        parts += [str(error.what), str(error.hint), str(error.remedy), str(error.to_dict())]
    parts += [told(inner) for inner in (error.__cause__, error.__context__) if inner is not None]
    return "\n".join(parts)


def unverified() -> dict[str, str]:
    payload = encode_claims(MARKED)
    data = signed_bytes(payload)
    text = text_of(data)
    return {
        "text.length": text[:-3],
        "text.digits": text[:-1] + "x",
        "text.prefix": "95" + text[2:],
        "text.beginning": text[5:],
        "text.range": text[:2] + "9" * 17 + text[19:],
        "text.check": text[:-2] + "00",
        "envelope.shape": text_of(data + b"\0"),
        "envelope.shape (by its header)": text_of(signed_bytes(payload, FAKE, encode_header(-8, FAKE.kid))),
        "key.unknown": text_of(signed_bytes(payload, FakeKey("stranger"))),
        "signature.invalid": text_of(data[:-1] + bytes([data[-1] ^ 1])),
    }


@pytest.mark.parametrize("code", unverified())
def test_an_error_before_the_signature_tells_no_claim(code):
    text = unverified()[code]
    for act in (fake_verifier().verify, Opening(RING).open):
        with pytest.raises(TokenError) as caught:
            act(text)
        assert caught.value.code == code.split()[0]
        assert not [claim for claim in CLAIMED if claim in told(caught.value)]
        assert text not in told(caught.value)
    batch = Opening(RING).open_many([text])
    assert not [claim for claim in CLAIMED if claim in told(batch.error(0))]


def test_an_error_about_signed_claims_tells_none_either():
    for payload, prefix in ((encode_claims(MARKED) + b"\0", 1), (encode_claims(MARKED), 2)):
        with pytest.raises(TokenError) as caught:
            fake_verifier().verify(text_of(signed_bytes(payload), prefix))
        assert caught.value.step == 5
        assert not [claim for claim in CLAIMED if claim in told(caught.value)]


def test_a_claim_that_is_told_would_be_found():
    with pytest.raises(TokenError) as caught:
        fake_verifier().verify(text_of(signed_bytes(encode_claims(MARKED))), now=NOW)
    assert caught.value.code == "time.expired"
    assert "1234567951" in told(caught.value)  # verified by then, and a fact


def test_an_unknown_key_is_named_by_its_kid_alone():
    with pytest.raises(TokenError) as caught:
        fake_verifier().verify(unverified()["key.unknown"])
    assert caught.value.facts == {"kid": FakeKey("stranger").kid.hex()}
    assert encode_header(-7, FAKE.kid).hex() not in told(caught.value)
    assert PRESENTER.hex() not in told(caught.value)
