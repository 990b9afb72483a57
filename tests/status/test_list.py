from __future__ import annotations

import re
import sys
import zlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.external import outside
from tests.support import NOW
from ybtoken import KeyEntry, KeyRing, Verifier
from ybtoken.errors import CannotCheckError
from ybtoken.keys.keyset import dump_cose_keyset, dump_jwks, load_cose_keyset, load_jwks
from ybtoken.keys.ring import Use
from ybtoken.status.list import MAX_ENTRIES, Status, StatusList, StatusListReader, _inflate, sign_status_list
from ybtoken.testing.keys import FakeKey

URI = "https://status.example/1"
KEY = FakeKey("statuses")
RING = KeyRing([KeyEntry(KEY, "registry", use=Use.STATUS)])
READER = StatusListReader(RING, URI)


def a_list(array: bytes = b"\xc9\x44\xf9", bits: int = 2, **changes) -> StatusList:
    return StatusList(URI, bits, array, **{"issued_at": NOW, "expires_at": NOW + 600, "ttl": 60} | changes)


def refuse(data: bytes, reader: StatusListReader = READER, now: int = NOW) -> str:
    with pytest.raises(CannotCheckError) as caught:
        reader.read(data, now=now)
    assert caught.value.code == "status.unavailable"
    return caught.value.reason


def hex_of(name: str) -> bytes:
    """The hexadecimal dump in one of the draft's files."""
    dump = outside.path(f"status-list/{name}.md").read_text().rpartition("encoded:")[2]
    return bytes.fromhex("".join(dump.split()))


@pytest.mark.parametrize("name", ["status_list_encoding_cbor", "status_list_encoding2_cbor"])
def test_the_drafts_short_lists_are_read_and_written(name):
    stated = cbor2.loads(hex_of(name))
    array = {1: b"\xb9\xa3", 2: b"\xc9\x44\xf9"}[stated["bits"]]
    assert _inflate(stated["lst"], 100) == array
    expected = {1: [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1], 2: [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]}
    statuses = a_list(array, stated["bits"])
    assert [statuses[i] for i in range(len(statuses))] == expected[stated["bits"]]


@pytest.mark.parametrize(
    ("bits", "name"),
    [(1, "status_list_encoding1_long_cbor"), (2, "status_list_encoding2_long_cbor"), (4, "status_list_encoding4_cbor"),
     (8, "status_list_encoding8_cbor")],
)  # fmt: skip
def test_the_drafts_lists_of_a_million_say_what_the_draft_says(bits, name):
    section = outside.path("status-list/draft_test_vectors_section.md").read_text()
    part = section.split(f"## {bits}-bit Status List")[1].split("\n## ")[0]
    stated = {int(i): int(value, 2) for i, value in re.findall(r"status\[(\d+)\] ?= 0b([01]+)", part)}
    assert len(stated) >= 11
    encoded = cbor2.loads(hex_of(name))
    assert encoded["bits"] == bits
    statuses = a_list(_inflate(encoded["lst"], 1 << 20), bits)
    assert len(statuses) == 1 << 20
    assert {i: statuses[i] for i in stated} == stated
    if bits == 8:  # the draft gives each value once
        assert sorted(filter(None, statuses.array)) == list(range(1, 256))
    else:
        assert sum(map(bool, statuses.array)) <= len(stated)
    assert READER.read(sign_status_list(statuses, KEY), now=NOW).array == statuses.array


@given(st.sampled_from([1, 2, 4, 8]), st.binary(min_size=1, max_size=50))
def test_a_list_is_read_back_as_it_was_signed(bits, array):
    read = READER.read(sign_status_list(a_list(array, bits), KEY), now=NOW)
    assert (read.bits, read.array, read.uri) == (bits, array, URI)
    assert (read.issued_at, read.expires_at, read.ttl) == (NOW, NOW + 600, 60)
    number = int.from_bytes(array, "little")  # the lowest bits come first
    assert [read[i] for i in range(len(read))] == [number >> i * bits & (1 << bits) - 1 for i in range(len(read))]


@given(st.integers(0, 8 * len(sign_status_list(a_list(), KEY)) - 1))
def test_any_flip_of_any_bit_is_refused(bit):
    data = bytearray(sign_status_list(a_list(), KEY))
    data[bit // 8] ^= 1 << bit % 8
    refuse(bytes(data))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    refuse(noise)
    refuse(sign_status_list(a_list(), KEY)[:40] + noise)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64) | st.binary(max_size=9) | st.text(max_size=9) | st.floats(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from([2, 4, 6, 65533, 65534, "lst", "bits"]), inner, max_size=6),
))  # fmt: skip
def test_whatever_is_signed_is_a_list_or_refused(claims):
    from ybtoken.wire.envelope import encode_header, sign1

    header, payload = encode_header(-7, KEY.kid, typ="application/statuslist+cwt"), cbor2.dumps(claims)
    refuse(sign1(header, payload, KEY.sign))


def test_inflating_stops_at_the_bound():
    bomb = zlib.compress(bytes(50 << 20), 9)
    reader = StatusListReader(RING, URI, max_entries=1 << 12)
    signed = sign_status_list(a_list(bytes(50 << 20)), KEY)
    assert len(signed) < 100_000
    assert "max_entries" in refuse(signed, reader)
    with pytest.raises(CannotCheckError):
        _inflate(bomb, 1024)
    assert _inflate(zlib.compress(bytes(1024)), 1024) == bytes(1024)


def test_an_index_behind_the_end_has_no_status():
    statuses = a_list()
    assert statuses[11] == 3
    for index in (12, -1, 10**9):
        with pytest.raises(IndexError):
            statuses[index]


def test_a_list_takes_no_more_memory_than_its_bits():
    statuses = a_list(bytes(2_500_000))
    assert len(statuses) == 10_000_000
    assert sys.getsizeof(statuses.array) < 2_500_100
    assert sys.getsizeof(statuses) < 500
    assert not hasattr(statuses, "__dict__")


class TestKeys:
    def test_a_ring_for_tokens_reads_no_lists(self):
        with pytest.raises(ValueError, match=r"use=Use\.STATUS"):
            StatusListReader(KeyRing([KeyEntry(KEY, "issuer")]), URI)
        with pytest.raises(ValueError, match=r"use=Use\.STATUS"):
            StatusListReader(KeyRing(), URI)

    def test_a_ring_for_lists_verifies_no_tokens(self):
        with pytest.raises(ValueError, match="sign no tokens"):
            Verifier(RING)

    def test_a_ring_has_keys_of_one_use(self):
        with pytest.raises(ValueError, match="rings of their own"):
            KeyRing([*RING.entries, KeyEntry(FakeKey("issuer"), "issuer")])
        with pytest.raises(ValueError, match="no status list itself"):
            KeyEntry(KEY, "registry", use=Use.STATUS, status_uri=URI)
        for bad in ("a\nb", 5):
            with pytest.raises(ValueError, match="address"):
                KeyEntry(KEY, "issuer", status_uri=bad)

    def test_use_and_address_are_kept_in_key_sets(self, p256_key):
        for entry in (
            KeyEntry(p256_key.verifying_key, "registry", use=Use.STATUS),
            KeyEntry(p256_key.verifying_key, "issuer", status_uri=URI),
        ):
            ring = KeyRing([entry])
            for read in (load_jwks(dump_jwks(ring)), load_cose_keyset(dump_cose_keyset(ring))):
                assert read.use is entry.use
                assert read.entries[0].status_uri == entry.status_uri
        with pytest.raises(ValueError, match="yb_use is one of"):
            load_jwks(dump_jwks(KeyRing([KeyEntry(p256_key.verifying_key, "registry", use=Use.STATUS)])).replace(
                '"status"', '"everything"'))  # fmt: skip

    def test_other_signers_and_addresses_are_refused(self):
        assert "key" in refuse(sign_status_list(a_list(), FakeKey("stranger")))
        elsewhere = StatusListReader(RING, URI + "0")
        assert "another address" in refuse(sign_status_list(a_list(), KEY), elsewhere)

    def test_a_key_signs_within_its_period_and_until_it_is_withdrawn(self):
        signed = sign_status_list(a_list(), KEY)
        for good in ({"not_before": NOW}, {"not_after": NOW + 1}, {"withdrawn_since": NOW + 1}):
            assert StatusListReader(KeyRing([KeyEntry(KEY, "r", use=Use.STATUS, **good)]), URI).read(signed, now=NOW)
        for bad in ({"not_before": NOW + 1}, {"not_after": NOW}, {"withdrawn_since": NOW}):
            assert "its key was" in refuse(
                signed, StatusListReader(KeyRing([KeyEntry(KEY, "r", use=Use.STATUS, **bad)]), URI)
            )

    def test_a_list_from_the_future_is_refused(self):
        signed = sign_status_list(a_list(), KEY)
        assert READER.read(signed, now=NOW - 10)
        assert "future" in refuse(signed, now=NOW - 11)


@pytest.mark.parametrize(
    "bad",
    [{"bits": 3}, {"array": b""}, {"issued_at": -1}, {"expires_at": NOW}, {"expires_at": 2**32}, {"ttl": 0},
     {"ttl": 2**32}],
)  # fmt: skip
def test_a_list_that_exists_is_valid(bad):
    with pytest.raises(ValueError, match="status"):
        a_list(**bad)
    with pytest.raises(ValueError, match="address"):
        StatusList("", 2, b"\0", issued_at=0, expires_at=1, ttl=1)


@pytest.mark.parametrize("bad", [{"max_entries": 0}, {"max_entries": MAX_ENTRIES + 1}, {"skew": -1}])
def test_settings_of_a_reader_are_checked(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"^{name} is "):
        StatusListReader(RING, URI, **bad)


@pytest.mark.parametrize("bad", [{"uri": b"x"}, {"array": bytearray(1)}, {"bits": 2.0}, {"bits": True}, {"ttl": 1.5},
    {"issued_at": "0"}, {"expires_at": None}])  # fmt: skip
def test_a_list_of_other_kinds_is_a_type_error(bad):
    given = {"uri": URI, "bits": 2, "array": b"\0", "issued_at": 0, "expires_at": 1, "ttl": 1} | bad
    with pytest.raises(TypeError, match="of a status list"):
        StatusList(given.pop("uri"), given.pop("bits"), given.pop("array"), **given)


def test_a_reader_of_other_kinds_is_a_type_error():
    for keys in (KEY, [KEY], KeyRing):
        with pytest.raises(TypeError, match=r"^keys is a KeyRing, not "):
            StatusListReader(keys, URI)
    for bad, complaint in (
        ({"uri": b"x"}, "uri is a string"), ({"uri": ""}, "uri is a printable string"),
        ({"skew": 1.5}, "skew is a number of whole seconds"), ({"max_entries": True}, "max_entries is an integer"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=complaint):
            StatusListReader(RING, **({"uri": URI} | bad))


def test_statuses_are_the_drafts():
    assert {status.name: status.value for status in Status} == {"VALID": 0, "INVALID": 1, "SUSPENDED": 2}
    assert "12 entries of 2 bits" in repr(a_list())


def test_a_long_list_has_a_longer_head():
    import os

    for size in (10, 100, 300, 70_000):
        array = os.urandom(size)
        assert READER.read(sign_status_list(a_list(array, 8), KEY), now=NOW).array == array


def test_each_fault_of_a_list_has_its_reason():
    def said(content: object) -> str:
        from ybtoken.wire.envelope import encode_header, sign1

        data = content if isinstance(content, bytes) else cbor2.dumps(content, canonical=True)
        header = encode_header(KEY.algorithm, KEY.kid, typ="application/statuslist+cwt")
        return refuse(sign1(header, data.ljust(24, b"\0") if data in (b"\x1c", b"\xff") else data, KEY.sign))

    listed = {"bits": 2, "lst": zlib.compress(b"\0" * 4)}
    good = {2: URI, 4: NOW + 600, 6: NOW, 65533: listed, 65534: 60}
    assert said(b"\x1c") == "its content is not CBOR"
    assert said(b"\xff") in ("its content is not CBOR", "it is no map")  # an old cbor2 reads a lone break as a value
    assert said([0] * 40) == "it is no map"
    assert "deterministically" in said(cbor2.dumps(dict(reversed(good.items()))))
    assert "does not state ttl (65534)" in said({k: v for k, v in good.items() if k != 65534})
    assert "not known here: 7" in said(good | {7: 1})
    assert said(good | {65533: 5}) == "its status_list is no map"
    assert "not known here: 'aggregation_uri'" in said(good | {65533: listed | {"aggregation_uri": "x"}})
    assert "2, 4 or 8 bits, not 3" in said(good | {65533: listed | {"bits": 3}})
    assert "no byte string" in said(good | {65533: listed | {"lst": "x"}})
    assert "not compressed by zlib" in said(good | {65533: listed | {"lst": b"no zlib"}})
    assert "cut short" in said(good | {65533: listed | {"lst": listed["lst"] + b"x"}})
    assert "an end after its issue" in said(good | {4: NOW})
    assert "whole numbers" in said(good | {65534: "60"})


def test_whatever_else_a_list_brings_about_is_damage():
    class Odd(FakeKey):
        def verify(self, message, signature):
            raise IndexError("as a backend may")

    reader = StatusListReader(KeyRing([KeyEntry(Odd("statuses"), "registry", use=Use.STATUS)]), URI)
    assert refuse(sign_status_list(a_list(), KEY), reader) == "it is damaged"
    with pytest.raises(TypeError, match="is bytes, not str"):
        READER.read("x", now=NOW)
