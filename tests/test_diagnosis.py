"""Why texts are refused: faults of scanners, with the digit, and tokens that were not signed as required."""

from __future__ import annotations

import random

import cbor2
import pytest

from tests.support import CITY, HOLDER, with_check
from ybtoken import Issuer, KeyEntry, KeyRing
from ybtoken.diagnosis import diagnose_text
from ybtoken.keys._der import der_from_raw
from ybtoken.keys._diagnosis.message import alternatives
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import SM2SigningKey
from ybtoken.wire.envelope import cut_envelope, sign1_prefix
from ybtoken.wire.text import encode_text

SM2, P256 = SM2SigningKey.generate(), P256SigningKey.generate()
RING = KeyRing([KeyEntry(SM2.verifying_key, "a"), KeyEntry(P256.verifying_key, "b")])
TEXT = Issuer(P256).issue(HOLDER, CITY).text
RANDOM = random.Random(7)


def test_a_good_text_is_good() -> None:
    for key in (SM2, P256):
        assert diagnose_text(Issuer(key).issue(HOLDER, CITY).text, RING).code == "good"
    assert diagnose_text("\x02]Q1" + TEXT + "\0", RING).code == "scan.noise"


def test_one_wrong_digit_is_found_wherever_it_is() -> None:
    for at in RANDOM.sample(range(2, len(TEXT)), 12):
        wrong = str((int(TEXT[at]) + RANDOM.randrange(1, 10)) % 10)
        found = diagnose_text(TEXT[:at] + wrong + TEXT[at + 1 :], RING)
        assert found.code == "scan.digit"
        assert found.what.en == f"Digit {at + 1} is {wrong} and was {TEXT[at]}."


def test_a_digit_lost_or_doubled_or_two_exchanged_are_found() -> None:
    at = next(i for i in range(100, 200) if len({TEXT[i - 1], TEXT[i], TEXT[i + 1]}) == 3)
    for damaged, words in (
        (TEXT[:at] + TEXT[at + 1 :], f"A digit {TEXT[at]} is missing before digit {at + 1}."),
        (TEXT[:at] + TEXT[at] + TEXT[at:], f"Digit {at + 1} is one too many."),
        (TEXT[:at] + TEXT[at + 1] + TEXT[at] + TEXT[at + 2 :], f"Digits {at + 1} and {at + 2} have changed places."),
    ):
        found = diagnose_text(damaged, RING)
        assert (found.code, found.what.en) == ("scan.digit", words)


def test_a_text_that_is_cut_off_is_a_scanners_fault_at_every_length() -> None:
    codes = {diagnose_text(TEXT[count:], RING).code for count in range(2, 300, 13)}
    assert codes <= {"scan.cut", "scan.damaged"}
    assert {diagnose_text(TEXT[:-count], RING).code for count in range(2, 300, 17)} <= {"scan.cut", "scan.damaged"}
    assert diagnose_text(TEXT[:50] + "O" + TEXT[51:], RING).code == "scan.letters"


def test_a_text_that_is_cut_off_and_has_the_right_check_digits_by_chance_is_cut_off() -> None:
    for groups in range(1, 19):
        assert diagnose_text(with_check(TEXT[: 2 + 17 * groups]), RING).code == "scan.cut"
    noise = encode_text(1, bytes(range(1, 130)))
    assert diagnose_text(noise, RING).code == "unexplained"


@pytest.mark.parametrize("text", ["", "hello", "134567890123456789", "https://example.com/"])
def test_another_code_is_called_another(text: str) -> None:
    assert diagnose_text(text, RING).code == "text.other"


def remade(key: SM2SigningKey, header: bytes, signature: bytes | None = None) -> str:
    token = Issuer(key).issue(HOLDER, CITY)
    payload = cbor2.loads(cut_envelope(token.data)[1])
    made = key.sign(sign1_prefix(header) + cbor2.dumps(payload)) if signature is None else signature
    return encode_text(1, cbor2.dumps(cbor2.CBORTag(18, [header, {}, payload, made])))


def test_a_header_in_another_order_and_another_keys_kid_are_named() -> None:
    reordered = cbor2.dumps({4: SM2.kid, 1: -65537})
    assert diagnose_text(remade(SM2, reordered), RING).code == "header.label-order"
    foreign = cbor2.dumps({1: -65537, 4: bytes(8)})
    assert diagnose_text(remade(SM2, foreign), RING).code == "key.kid"
    stranger = SM2SigningKey.generate()
    assert diagnose_text(Issuer(stranger).issue(HOLDER, CITY).text, RING).code == "unexplained"


def test_a_signature_in_der_is_named() -> None:
    header = cbor2.dumps({1: -65537, 4: SM2.kid})
    token = Issuer(SM2).issue(HOLDER, CITY)
    _, payload, signature = cut_envelope(token.data)
    made = cbor2.dumps(cbor2.CBORTag(18, [header, {}, cbor2.loads(payload), der_from_raw(signature)]))
    assert diagnose_text(encode_text(1, made), RING).code == "signature.der"


def test_a_token_of_shared_references_is_refused_at_once() -> None:
    value: object = []
    for _ in range(14):  # 16,384 items; with 20 levels a diagnosis that followed them would take a minute
        value = [value, value]
    header = cbor2.dumps({1: value, 4: P256.kid}, value_sharing=True)
    assert b"\xd8\x1d" in header
    for parts in ([header, {}, b"p", bytes(64)], [b"\xa0", {}, header, bytes(64)]):
        diagnose_text(encode_text(1, cbor2.dumps(cbor2.CBORTag(18, parts))), RING)
    message = cbor2.dumps(["Signature1", header, b"", b"p"])
    assert [words.code for _, words in alternatives(message) if words.code == "message.label-order"] == []


@pytest.mark.parametrize("header", [{5: 1}, {0: 0xA0}, [0xA0], "a", 5, None], ids=repr)
def test_a_header_that_is_no_byte_string_has_no_other_order(header: object) -> None:
    message = cbor2.dumps(["Signature1", header, b"", b"p"])
    assert [words.code for _, words in alternatives(message) if words.code == "message.label-order"] == []


@pytest.mark.parametrize(
    "parts",
    [
        [cbor2.dumps({1: -7, 4: [1]}), {}, b"p", bytes(64)],
        [cbor2.dumps({1: -7, 4: {}}), {}, b"p", bytes(64)],
        [cbor2.dumps({1: -7, 4: P256.kid}), {}, b"p", 5],
        [cbor2.dumps({1: -7, 4: P256.kid}), {}, "p", bytes(64)],
        [cbor2.dumps({1: -7, 4: P256.kid, "x": 1}), {}, b"p", bytes(64)],
        [cbor2.dumps([0, 1, 2, 3, P256.kid]), {}, b"p", bytes(64)],
        [5, {}, b"p", bytes(64)],
        [1, 2, 3],
    ],
    ids=[
        "label-4-list",
        "label-4-map",
        "signature-int",
        "payload-text",
        "label-text",
        "header-list",
        "header-int",
        "three",
    ],
)
def test_a_token_whose_parts_are_of_other_types_is_not_explained_and_is_no_traceback(parts: list[object]) -> None:
    assert not diagnose_text(encode_text(1, cbor2.dumps(cbor2.CBORTag(18, parts))), RING).explained


def test_a_signed_header_with_a_label_that_is_text_is_explained() -> None:
    header = cbor2.dumps({1: -7, 4: P256.kid, "x": 1})
    signature = P256.sign(sign1_prefix(header) + cbor2.dumps(b"p"))
    data = cbor2.dumps(cbor2.CBORTag(18, [header, {}, b"p", signature]))
    assert diagnose_text(encode_text(1, data), RING).code == "header.label-order"
