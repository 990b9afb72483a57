from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ybtoken import Algorithm, KeyEntry, KeyRing, Scope
from ybtoken.keys.keyset import dump_cose_keyset, dump_jwks, load_cose_keyset, load_jwks, load_key_set
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.words import BoundsError, words_of

# The same keys in every process: they stand in the names of tests, which several processes have to agree on.
*KEYS, ANOTHER = [P256SigningKey(secret.to_bytes(32, "big")).verifying_key for secret in (1, 2, 3)]
ESP = P256VerifyingKey.from_point(*ANOTHER.point, algorithm=Algorithm.ESP256)
RING = KeyRing(
    [
        KeyEntry(KEYS[0], "浙江省医疗保障局", Scope(("33",), ("3302",)), 100, 200, withdrawn_since=150),
        KeyEntry(KEYS[1], "Anhui", withdrawn_since=0),
        KeyEntry(ESP, "Jiangsu", Scope(("32", "3401"))),
    ]
)
JWK = json.loads(dump_jwks(RING))["keys"][0]
COSE_KEY = cbor2.loads(dump_cose_keyset(RING))[0]


def facts(ring: KeyRing) -> list[tuple[Any, ...]]:
    return [
        (e.kid, e.key.algorithm, e.key.point, e.issuer, e.scope, e.not_before, e.not_after, e.withdrawn_since)
        for e in ring.entries
    ]


def jwks(**changes: Any) -> str:
    return json.dumps({"keys": [{name: value for name, value in (JWK | changes).items() if value != "absent"}]})


def cose(changes: dict[Any, Any]) -> bytes:
    return cbor2.dumps([{label: value for label, value in (COSE_KEY | changes).items() if value != "absent"}])


def test_a_ring_survives_a_jwk_set():
    assert facts(load_jwks(dump_jwks(RING))) == facts(RING)
    assert dump_jwks(load_jwks(dump_jwks(RING).encode())) == dump_jwks(RING)


def test_a_ring_survives_a_cose_keyset():
    assert facts(load_cose_keyset(dump_cose_keyset(RING))) == facts(RING)
    assert dump_cose_keyset(load_cose_keyset(dump_cose_keyset(RING))) == dump_cose_keyset(RING)


def test_what_has_its_default_is_left_out():
    assert set(json.loads(dump_jwks(RING))["keys"][1]) == {
        "kty", "crv", "x", "y", "alg", "kid", "yb_issuer", "yb_withdrawn_since",
    }  # fmt: skip


def said_in_chinese(error: Exception) -> None:
    said = words_of(error).zh
    assert re.search("[\u4e00-\u9fff]", said)
    assert not re.search("[a-z]{2,} [a-z]{2,}", said), said


def test_names_are_written_as_they_read():
    assert "浙江省医疗保障局" in dump_jwks(RING)


def test_the_empty_set_is_a_ring():
    assert len(load_jwks('{"keys": []}')) == len(load_cose_keyset(b"\x80")) == 0


def test_what_may_be_left_out_may_be_left_out():
    ring = load_jwks(jwks(kid="absent", nbf="absent", exp="absent", yb_scope="absent", yb_except="absent"))
    assert ring.entries[0].kid == KEYS[0].kid
    assert ring.entries[0].scope == Scope()
    assert facts(load_cose_keyset(cose({2: "absent"})))[0] == facts(RING)[0]


def test_a_key_for_verifying_may_say_so():
    assert len(load_jwks(jwks(use="sig", key_ops=["verify"]))) == 1


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"d": "AAAA"}, "this is a private key"),
        ({"note": 1}, r"unknown members \['note'\]"),
        ({"kty": "OKP"}, '"kty": "EC"'),
        ({"kty": "absent"}, "'kty' is missing"),
        ({"use": "enc"}, "for verifying signatures"),
        ({"key_ops": ["sign", "verify"]}, "for verifying signatures"),
        ({"crv": "secp256k1"}, '"crv" is one of'),
        ({"crv": "P-384"}, '"crv" is one of'),
        ({"crv": ["P-256"]}, '"crv" is one of'),
        ({"alg": "none"}, '"alg" is one of'),
        ({"alg": "HS256"}, '"alg" is one of'),
        ({"alg": "absent"}, "'alg' is missing"),
        ({"kid": "0011223344556677"}, "the kid is"),
        ({"kid": "xyz"}, "16 of 0-9 a-f"),
        ({"kid": 5}, "16 of 0-9 a-f"),
        ({"x": JWK["y"]}, "key 0 of the set"),
        ({"x": JWK["x"] + "="}, "base64url"),
        ({"x": JWK["x"][:-1]}, "base64url|32 bytes"),
        ({"x": JWK["x"] + " "}, "base64url"),
        ({"x": "!" * 43}, "base64url"),
        ({"x": JWK["x"] + "é"}, "key 0 of the set"),
        ({"x": "AAAA"}, "32 bytes"),
        ({"x": 5}, "key 0 of the set"),
        ({"yb_issuer": "absent"}, "'yb_issuer' is missing"),
        ({"yb_issuer": 5}, "issuer's name is a string"),
        ({"yb_issuer": ""}, "printable name"),
        ({"yb_scope": "33"}, "arrays of prefixes"),
        ({"yb_scope": None}, "null is no value"),
        ({"yb_scope": [33]}, "2, 4 or 6 digits"),
        ({"yb_except": ["33"]}, "leave nothing"),
        ({"yb_except": "33"}, "arrays of prefixes"),
        ({"nbf": "100"}, "whole seconds"),
        ({"nbf": 100.0}, "without fraction"),
        ({"nbf": True}, "whole seconds"),
        ({"yb_withdrawn_since": None}, "null is no value"),
        ({"nbf": 300}, "not_before is below not_after"),
        ({"nbf": 2**32}, "is it in milliseconds"),
        ({"nbf": 2**53}, "at most 53 bits"),
        ({"ext": 1}, "true or false"),
        ({"yb_use": "other"}, "yb_use is one of"),
        ({"yb_user_id": "AAAA"}, "for SM2 keys"),
        ({"yb_status_uri": ""}, "address of a status list"),
        ({"yb_use": "status", "yb_status_uri": "https://a.example"}, "has no status list itself"),
    ],
    ids=str,
)
def test_a_jwk_that_is_not_right_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        load_jwks(jwks(**changes))
    said_in_chinese(caught.value)


@pytest.mark.parametrize(
    "document", ["", "nope", "[]", "5", "null", "{}", '{"keys": {}}', '{"keys": [5]}', b"\xff", "[" * 99_999]
)
def test_another_document_is_no_jwk_set(document):
    with pytest.raises(BoundsError) as caught:  # and no error of a codec or of the JSON reader
        load_jwks(document)
    said_in_chinese(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({-4: b"d"}, r"unknown labels \[-4\]"),
        ({"note": 1}, "unknown labels"),
        ({1: 1}, r"kty 2 \(EC2\)"),
        ({1: "absent"}, "1 is missing"),
        ({3: -8}, "alg is one of"),
        ({3: -65537}, "SM2 is not an algorithm of P256"),
        ({-1: 8}, "crv is one of"),
        ({-1: "P-256"}, "crv is one of"),
        ({2: bytes(8)}, "the kid is"),
        ({-2: COSE_KEY[-3]}, "key 0 of the set"),
        ({-2: "x"}, "coordinates are byte strings"),
        ({-3: True}, "a byte string"),  # a compressed point
        ({-2: bytes(31)}, "32 bytes"),
        ({-65537: b"Zhejiang"}, "issuer's name is a string"),
        ({-65538: "33"}, "arrays of prefixes"),
        ({-65540: "1"}, "whole seconds"),
    ],
    ids=str,
)
def test_a_cose_key_that_is_not_right_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        load_cose_keyset(cose(changes))
    said_in_chinese(caught.value)


@pytest.mark.parametrize("document", [b"", b"\xff", b"\x9f", b"\x81", cbor2.dumps({}), cbor2.dumps([5]), b"\x81" * 999])
def test_another_document_is_no_cose_keyset(document):
    with pytest.raises(ValueError) as caught:
        load_cose_keyset(document)
    said_in_chinese(caught.value)


@pytest.mark.parametrize("more", [b"\0", b"\xf6", b"\x58", dump_cose_keyset(RING)])
def test_nothing_follows_a_cose_keyset(more):
    with pytest.raises(ValueError, match="nothing follows it"):
        load_cose_keyset(dump_cose_keyset(RING) + more)


def test_a_label_is_stated_once():
    key = cbor2.dumps(COSE_KEY)
    assert key[0] == 0xAC
    twice = b"\x81\xad" + key[1:] + cbor2.dumps(-65537) + cbor2.dumps("Anhui")
    with pytest.raises(ValueError, match="each label once"):
        load_cose_keyset(twice)


@pytest.mark.parametrize("load", [load_jwks, load_cose_keyset])
def test_the_name_of_a_file_is_no_key_set(load):
    for path in (Path("keys.json"), "keys.json", "/etc/ybtoken/keys", b"./keys.cbor"):
        with pytest.raises(ValueError, match=r"looks like a path, not a .*: pass the file's bytes"):
            load(path)
    with pytest.raises(TypeError, match=r"is .*bytes, not dict"):
        load({})


@pytest.mark.parametrize("issuer", ["a.b", "a/b"])
def test_a_key_set_that_holds_dots_and_slashes_is_no_path(issuer):
    ring = KeyRing([KeyEntry(KEYS[1], issuer, status_uri="https://status.example/1.cwt")])
    assert facts(load_cose_keyset(dump_cose_keyset(ring))) == facts(load_jwks(dump_jwks(ring))) == facts(ring)
    assert facts(load_jwks(json.dumps(json.loads(dump_jwks(ring))))) == facts(ring)  # on one line


def test_a_cose_keyset_is_no_text():
    with pytest.raises(TypeError, match="a COSE_KeySet is bytes, not str"):
        load_cose_keyset("{}")


@pytest.mark.parametrize("member", ["nbf", "exp", "yb_withdrawn_since"])
@pytest.mark.parametrize("value", [-1, 2**32, 1_800_000_000_000, 2**53 - 1])
def test_a_time_that_no_token_can_state_is_refused(member, value):
    hint = "is it in milliseconds" if value > 0 else "not -1"
    with pytest.raises(ValueError, match=rf"{member} is 0 to .* seconds since 1970.*{hint}"):
        load_jwks(jwks(**{member: value}))
    label = {"nbf": -65540, "exp": -65541, "yb_withdrawn_since": -65542}[member]
    with pytest.raises(ValueError, match=member):
        load_cose_keyset(cose({label: value}))


def test_the_last_second_that_a_token_can_state_is_a_time():
    last = 2**32 - 1
    entry = load_jwks(jwks(nbf=last - 1, exp=last, yb_withdrawn_since=last)).entries[0]
    assert (entry.not_before, entry.not_after, entry.withdrawn_since) == (last - 1, last, last)


def test_what_can_be_entered_can_be_read_again():
    with pytest.raises(ValueError, match="never withdrawn has None"):
        KeyEntry(KEYS[0], "A", withdrawn_since=2**32)
    ring = KeyRing([KeyEntry(KEYS[0], "A", Scope(), 2**32 - 1, 2**32, 2**32 - 1)])
    assert facts(load_jwks(dump_jwks(ring))) == facts(load_cose_keyset(dump_cose_keyset(ring))) == facts(ring)


def test_a_changed_ring_is_the_next_version():
    ring = KeyRing([KeyEntry(KEYS[0], "A")])
    assert ring.version == 0
    assert "yb_version" not in dump_jwks(ring)
    withdrawn = ring.withdrawn(KEYS[0].kid, since=7)
    assert withdrawn.with_entries(KeyEntry(KEYS[1], "B")).version == 2
    assert load_jwks(dump_jwks(withdrawn)).version == withdrawn.version == 1


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, None, 2**53, [1]])
def test_a_version_is_an_integer_from_1_on(version):
    with pytest.raises(ValueError):
        load_jwks(json.dumps({"yb_version": version, "keys": [JWK]}))


def test_what_webcrypto_writes_of_each_key_means_nothing():
    assert facts(load_jwks(jwks(ext=True, key_ops=["verify"]))) == facts(load_jwks(jwks()))
    with pytest.raises(ValueError, match='"ext" is true or false'):
        load_jwks(jwks(ext="yes"))


def test_a_file_may_begin_with_a_byte_order_mark_and_a_jwk_set_may_not():
    document = dump_jwks(RING).encode()
    assert facts(load_key_set(b"\xef\xbb\xbf" + document)) == facts(load_key_set(document)) == facts(RING)
    assert facts(load_key_set(dump_cose_keyset(RING))) == facts(RING)
    for twice in (b"\xef\xbb\xbf" * 2 + document, b" \xef\xbb\xbf" + document):
        with pytest.raises(ValueError):
            load_key_set(twice)
    with pytest.raises(ValueError, match="BOM"):
        load_jwks(b"\xef\xbb\xbf" + document)


def test_a_file_may_name_a_province_that_is_unknown_here():
    assert str(load_jwks(jwks(yb_scope=["99"], yb_except=[])).entries[0].scope) == "99"


def test_two_keys_with_one_kid_are_refused():
    with pytest.raises(ValueError, match="two keys have the kid"):
        load_jwks(json.dumps({"keys": [JWK, JWK | {"yb_issuer": "Anhui"}]}))
    with pytest.raises(ValueError, match="two keys have the kid"):
        load_cose_keyset(cbor2.dumps([COSE_KEY, COSE_KEY | {3: -9}]))


def test_the_key_that_is_wrong_is_named():
    with pytest.raises(ValueError, match="key 1 of the set"):
        load_jwks(json.dumps({"keys": [JWK, {}]}))


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())


@given(st.sampled_from(sorted(JWK)), values)
def test_whatever_a_member_is_there_is_a_ring_or_a_value_error(member, value):
    with suppress(ValueError):
        load_jwks(json.dumps({"keys": [JWK | {member: value}]}))


@given(st.sampled_from(list(COSE_KEY)), values | st.binary())
def test_whatever_a_label_holds_there_is_a_ring_or_a_value_error(label, value):
    with suppress(ValueError):
        load_cose_keyset(cbor2.dumps([COSE_KEY | {label: value}]))


@pytest.mark.parametrize(
    ("load", "document"),
    [(load_jwks, json.dumps({"keys": [{}] * 65_536})), (load_cose_keyset, cbor2.dumps([{}] * 65_536))],
)
def test_too_many_keys_are_refused_before_one_is_read(load, document):
    with pytest.raises(ValueError, match="at most 65535 keys, not 65536"):
        load(document)


@pytest.mark.parametrize("label", [True, 1.0])
def test_a_label_that_only_equals_an_integer_is_refused(label):
    key = {label if each == 1 else each: value for each, value in COSE_KEY.items()}
    with pytest.raises(ValueError, match="a label is an integer"):
        load_cose_keyset(cbor2.dumps([key]))


def test_a_tag_is_refused_before_its_references_are_followed():
    value: Any = []
    for _ in range(40):  # 2 ** 40 items, if somebody walked them
        value = [value, value]
    itself = bytes.fromhex("d81c81d81d00")
    for document in (cbor2.dumps(value, value_sharing=True), itself, b"\x81" + itself):
        with pytest.raises(ValueError, match="with a tag"):
            load_cose_keyset(document)


def test_a_number_of_many_digits_is_refused_in_words_of_this_library():
    with pytest.raises(ValueError, match="at most 53 bits"):
        load_jwks('{"keys": [], "yb_version": ' + "9" * 5000 + "}")
