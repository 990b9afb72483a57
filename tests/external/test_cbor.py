"""CBOR that is not well-formed, not deterministic, or not of the format is refused as claims and as envelope.

As claims, each item is signed with a good key, so that only the claims parser can refuse it. As envelope, each is in a
text with the right spelling, so that only `cut_envelope` can refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.external import outside
from tests.support import FAKE, HOLDER, NOW, RING, Opening, a_voucher, signed_bytes, text_of
from ybtoken import Issuer, TokenError
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.wire.claims import encode_claims

SETS = {
    "cbor/qcbor_not_well_formed.json": 122,
    "cbor/deterministic_negatives.json": 38,
    "dcbor/dcbor_reject.json": 8,
}
OPENER = Opening(RING)
PAYLOAD = encode_claims(a_voucher(channel=7))
TOKEN = Issuer(FAKE).sign(a_voucher()).data


def items(name: str) -> list[bytes]:
    return [bytes.fromhex(test["hex"]) for test in outside.from_json(name)["tests"]]


def embedded(item: bytes) -> Iterator[bytes]:
    """An item alone, and in place of every value of good claims."""
    yield item
    yield item.ljust(60, b"\0")
    yield PAYLOAD + item
    yield item + PAYLOAD
    yield b"\xa4\x04" + item + PAYLOAD[7:]  # exp
    yield PAYLOAD[:8] + item + PAYLOAD[13:]  # iat
    yield PAYLOAD[:14] + item + PAYLOAD[23:]  # nonce
    yield PAYLOAD[:28] + item  # the voucher
    yield PAYLOAD[:29] + item + PAYLOAD[30:]  # profile
    yield PAYLOAD[:30] + item + PAYLOAD[47:]  # identity reference
    yield PAYLOAD[:47] + item + PAYLOAD[52:]  # city
    yield PAYLOAD[:52] + item  # extras
    yield PAYLOAD[:54] + item  # channel
    yield b"\xa5" + PAYLOAD[1:] + b"\x08" + item  # another claim


def test_the_places_are_where_values_stand():
    at = {7: b"\x06", 13: b"\x07", 14: b"\x48", 28: b"\x84", 29: b"\x01", 30: b"\x50", 47: b"\x1a", 52: b"\xa1"}
    assert {place: PAYLOAD[place : place + 1] for place in at} == at
    assert PAYLOAD[54:] == b"\x07"


def refusal(data: bytes) -> str:
    with pytest.raises(TokenError) as caught:
        OPENER.open(text_of(data))
    return caught.value.code


@pytest.mark.parametrize(("name", "count"), SETS.items())
def test_refused_as_claims(name, count):
    found = items(name)
    assert len(found) == count
    for item in found:
        for payload in embedded(item):
            if 24 <= len(payload) < 256:  # what an envelope can hold; shorter ones are below
                assert refusal(signed_bytes(payload)) == "claims.shape", payload.hex()
            else:
                assert refusal(signed_bytes(payload)) == "envelope.shape", payload.hex()


@pytest.mark.parametrize("name", SETS)
def test_refused_by_the_parser_at_any_length(name):
    from ybtoken.errors import ClaimsError
    from ybtoken.wire.envelope import encode_byte_string
    from ybtoken.wire.parse import parse_claims

    for item in items(name):
        for payload in embedded(item):
            with pytest.raises(ClaimsError):
                parse_claims(encode_byte_string(payload))
        with pytest.raises(ClaimsError):
            parse_claims(item)


@pytest.mark.parametrize("name", SETS)
def test_refused_as_envelope(name):
    for item in items(name):
        for data in (
            item,
            item.ljust(137, b"\0"),
            b"\xd2" + item,
            b"\xd2\x84" + item + TOKEN[2:],
            item + TOKEN,
            TOKEN + item,
            TOKEN[:2] + item + TOKEN[16:],  # the header
            TOKEN[:16] + item + TOKEN[17:],  # the unprotected map
            TOKEN[:17] + item + TOKEN[71:],  # the payload
            TOKEN[:71] + item,  # the signature
        ):
            assert refusal(data) in ("envelope.shape", "key.unknown"), data.hex()
            assert data != TOKEN


def test_the_key_may_be_a_real_one():
    key = P256SigningKey.generate()
    from ybtoken import KeyEntry, KeyRing

    opener = Opening(KeyRing([KeyEntry(key.verifying_key, "Zhejiang")]))
    for name in SETS:
        for item in items(name):
            with pytest.raises(TokenError) as caught:
                opener.open(text_of(signed_bytes(item.ljust(60, b"\0"), key)))
            assert caught.value.code == "claims.shape"
    assert opener.open(text_of(signed_bytes(PAYLOAD, key))).claims.identity_ref == HOLDER


def test_well_formed_items_that_are_no_claims_are_refused_too():
    tests = outside.from_json("cbor/appendix_a.json")
    assert len(tests) == 82
    for test in tests:
        item = bytes.fromhex(test["hex"])
        for payload in (item.ljust(60, b"\0"), b"\xa5" + PAYLOAD[1:] + b"\x08" + item):
            if 24 <= len(payload) < 256:
                assert refusal(signed_bytes(payload)) == "claims.shape"
    assert OPENER.open(text_of(signed_bytes(PAYLOAD))).claims.issued_at == NOW
