from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import cbor2
import pytest

from tests.support import FAKE
from ybtoken import Algorithm, KeyEntry, KeyRing, Scope, SigningKey, VerifyingKey
from ybtoken.algorithms import Curve
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.protocols import KID_SIZE, kid_of_header, kid_of_point
from ybtoken.keys.ring import FOREVER, MAX_KEYS, Use
from ybtoken.testing.keys import FakeKey

ENTRY = KeyEntry(FAKE, "Zhejiang")


def a_key(**changes: Any) -> FakeKey:
    key = FakeKey()
    vars(key).update(changes)
    return key


def test_algorithms_have_their_registered_numbers_and_one_curve():
    assert {algorithm.name: int(algorithm) for algorithm in Algorithm} == {"ES256": -7, "ESP256": -9, "SM2": -65537}
    assert [algorithm.curve for algorithm in Algorithm] == [Curve.P256, Curve.P256, Curve.SM2]


def test_a_kid_is_the_start_of_the_cose_key_thumbprint():
    # The key of RFC 9679 section 6, whose thumbprint is printed there.
    x = bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
    y = bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
    thumbprint = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert kid_of_point(Curve.P256, x, y).hex() == thumbprint[: 2 * KID_SIZE]
    required = bytes.fromhex("a40102200121") + b"\x58\x20" + x + b"\x22\x58\x20" + y
    assert hashlib.sha256(required).hexdigest() == thumbprint


def test_a_kid_depends_on_the_curve():
    assert kid_of_point(Curve.P256, bytes(32), bytes(32)) != kid_of_point(Curve.SM2, bytes(32), bytes(32))


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_kid_is_found_in_headers_of_the_one_shape(algorithm):
    entry = KeyEntry(FakeKey("a", algorithm), "Zhejiang")
    assert kid_of_header(entry.header) == entry.kid


@pytest.mark.parametrize(
    "header",
    [
        b"",
        bytes(13),
        bytes(17),
        cbor2.dumps({1: -8, 4: bytes(8)}),  # EdDSA
        cbor2.dumps({1: -35, 4: bytes(8)}),  # ES384
        cbor2.dumps({1: -7}),
        cbor2.dumps({4: bytes(8)}),
        cbor2.dumps({4: bytes(8), 1: -7}),
        cbor2.dumps({1: -7, 4: bytes(7)}),
        cbor2.dumps({1: -7, 4: bytes(9)}),
        cbor2.dumps({1: -7, 4: "01234567"}),
        cbor2.dumps({1: -7, 4: bytes(8), 3: 0}),
        cbor2.dumps([1, -7, 4, bytes(8)]),
        b"\xbf\x01\x26\x04\x48" + bytes(8) + b"\xff",
        b"\xa2\x01\x38\x06\x04\x48" + bytes(8),  # -7 in two bytes
        b"\xa2\x01\x26\x04\x58\x08" + bytes(8),  # the kid's length in two bytes
        b"\xa2\x01\x26\x18\x04\x48" + bytes(8),
    ],
    ids=bytes.hex,
)
def test_no_kid_is_found_in_any_other_header(header):
    assert kid_of_header(header) is None


class TestKeyEntry:
    def test_it_knows_the_bytes_that_tokens_of_its_key_begin_with(self):
        assert ENTRY.header == cbor2.dumps({1: -7, 4: FAKE.kid})
        assert ENTRY.prefix == cbor2.dumps(["Signature1", ENTRY.header, b""]).replace(b"\x83", b"\x84", 1)

    def test_by_default_it_is_without_bounds(self):
        assert (ENTRY.scope, ENTRY.not_before, ENTRY.not_after, ENTRY.withdrawn_since) == (Scope(), 0, FOREVER, None)

    @pytest.mark.parametrize("issuer", ["", "a\nb", "\0"])
    def test_an_issuer_has_a_printable_name(self, issuer):
        with pytest.raises(ValueError, match="printable"):
            KeyEntry(FAKE, issuer)

    @pytest.mark.parametrize("issuer", [5, None, b"Zhejiang"])
    def test_an_issuers_name_is_a_string(self, issuer):
        with pytest.raises(TypeError, match="an issuer's name is a string"):
            KeyEntry(FAKE, issuer)

    @pytest.mark.parametrize(("not_before", "not_after"), [(5, 5), (6, 5), (2**32, 2**32)])
    def test_a_key_is_in_force_for_some_time(self, not_before, not_after):
        with pytest.raises(ValueError, match="not_before is below not_after"):
            KeyEntry(FAKE, "Zhejiang", not_before=not_before, not_after=not_after)

    @pytest.mark.parametrize("size", [0, 7, 9])
    def test_a_kid_has_eight_bytes(self, size):
        with pytest.raises(ValueError, match="a kid is 8 bytes"):
            KeyEntry(a_key(kid=bytes(size)), "Zhejiang")

    def test_an_algorithm_is_one_of_ours(self):
        with pytest.raises(ValueError, match="-8 is not a valid Algorithm"):
            KeyEntry(a_key(algorithm=-8), "Zhejiang")

    @pytest.mark.parametrize("uri", [5, b"https://a", "a\nb"])
    def test_a_status_uri_is_an_address(self, uri):
        with pytest.raises(ValueError, match="the address of a status list"):
            KeyEntry(FAKE, "Zhejiang", status_uri=uri)

    def test_a_key_for_status_lists_has_no_status_list(self):
        assert KeyEntry(FAKE, "Zhejiang", status_uri="https://a").status_uri == "https://a"
        with pytest.raises(ValueError, match="has no status list itself"):
            KeyEntry(FAKE, "Zhejiang", use=Use.STATUS, status_uri="https://a")

    @pytest.mark.parametrize("field", ["not_before", "not_after", "withdrawn_since"])
    def test_a_time_is_whole_seconds(self, field):
        for bad in (datetime(2026, 1, 1), 1.0, True, "1"):
            with pytest.raises(TypeError, match=rf"^{field} is a time in whole seconds since 1970 \(an int\), not "):
                KeyEntry(FAKE, "Zhejiang", **{field: bad})
        with pytest.raises(ValueError, match=rf"^{field} .* not 1790000000000: is it in milliseconds\?$"):
            KeyEntry(FAKE, "Zhejiang", **{field: 1_790_000_000_000})
        with pytest.raises(ValueError, match=rf"^{field} .* not -1$"):
            KeyEntry(FAKE, "Zhejiang", **{field: -1})

    def test_a_private_key_is_no_entry(self, p256_key):
        for bad in (p256_key, P256SigningKey, FAKE.kid, None):
            with pytest.raises(TypeError, match=r"^key is a public key \(VerifyingKey; of a private key"):
                KeyEntry(bad, "Zhejiang")

    @pytest.mark.parametrize(("field", "bad"), [("scope", "33"), ("scope", Scope), ("use", "tokens")])
    def test_scope_and_use_are_objects(self, field, bad):
        with pytest.raises(TypeError, match=f"^{field} is a {field.capitalize()}, not "):
            KeyEntry(FAKE, "Zhejiang", **{field: bad})


class TestKeyRing:
    RING = KeyRing([ENTRY, KeyEntry(FakeKey("b"), "Anhui")])

    def test_it_is_a_mapping_by_kid(self):
        assert self.RING[FAKE.kid] is ENTRY
        assert list(self.RING) == [FAKE.kid, FakeKey("b").kid]
        assert len(self.RING) == 2
        assert FAKE.kid in self.RING
        assert bytes(8) not in self.RING
        assert repr(self.RING) == "KeyRing(2 keys)"

    def test_a_header_selects_algorithm_and_kid_together(self):
        assert self.RING.by_header[ENTRY.header] is ENTRY
        other = KeyEntry(FakeKey("issuer", Algorithm.ESP256), "Zhejiang")
        assert other.kid == ENTRY.kid
        assert other.header not in self.RING.by_header

    def test_it_cannot_be_changed(self):
        with pytest.raises(TypeError):
            self.RING.by_header[b""] = ENTRY  # type: ignore[index]
        with pytest.raises(TypeError):
            self.RING[b""] = ENTRY  # type: ignore[index]
        assert isinstance(self.RING.entries, tuple)

    @pytest.mark.parametrize("algorithm", Algorithm)
    def test_one_kid_has_one_entry(self, algorithm):
        with pytest.raises(ValueError, match=f"two keys have the kid {FAKE.kid.hex()}"):
            KeyRing([ENTRY, KeyEntry(FakeKey("issuer", algorithm), "Anhui")])

    def test_it_holds_keys_of_one_use(self):
        status = KeyEntry(FakeKey("status"), "Zhejiang", use=Use.STATUS)
        assert (self.RING.use, KeyRing([status]).use, KeyRing().use) == (Use.TOKENS, Use.STATUS, Use.TOKENS)
        with pytest.raises(ValueError, match="in rings of their own"):
            self.RING.with_entries(status)

    def test_it_holds_entries_and_no_raw_keys(self, p256_key):
        for bad in ([p256_key.verifying_key], [FAKE.kid], [KeyEntry]):
            with pytest.raises(TypeError, match=r"an entry of a key ring is a KeyEntry\(key, issuer\), not "):
                KeyRing(bad)
        with pytest.raises(TypeError, match="not one KeyEntry"):
            KeyRing(ENTRY)

    def test_withdrawn_since_is_a_time(self):
        with pytest.raises(ValueError, match="milliseconds"):
            self.RING.withdrawn(FAKE.kid, since=1_790_000_000_000)

    def test_it_may_be_empty(self):
        assert len(KeyRing()) == 0

    def test_more_keys_make_another_ring(self):
        grown = self.RING.with_entries(KeyEntry(FakeKey("c"), "Jiangsu"))
        assert (len(grown), len(self.RING)) == (3, 2)
        with pytest.raises(ValueError, match="two keys have the kid"):
            grown.with_entries(ENTRY)

    def test_withdrawing_a_key_makes_another_ring(self):
        ring = self.RING.withdrawn(FAKE.kid, since=7)
        assert [entry.withdrawn_since for entry in ring.entries] == [7, None]
        assert self.RING[FAKE.kid].withdrawn_since is None
        assert ring[FAKE.kid].header == ENTRY.header
        with pytest.raises(ValueError, match="no key 0000000000000000"):
            ring.withdrawn(bytes(8), since=7)

    def test_it_holds_no_more_keys_than_columns_can_number(self):
        entries = [ENTRY] * (MAX_KEYS + 1)
        with pytest.raises(ValueError, match="at most 65535 keys"):
            KeyRing(entries)


def test_keys_of_every_kind_are_keys_by_protocol(p256_key: P256SigningKey):
    for signing, verifying in ((FAKE, FAKE), (p256_key, p256_key.verifying_key)):
        assert isinstance(signing, SigningKey)
        assert isinstance(verifying, VerifyingKey)
    assert not isinstance(p256_key.verifying_key, SigningKey)
    assert not isinstance(p256_key, VerifyingKey)


def test_a_key_is_taken_out_by_its_kid():
    entry = KeyEntry(FakeKey("a"), "A")
    ring = KeyRing([entry], version=4)
    changed = ring.without(entry.kid)
    assert (len(changed), changed.version) == (0, 5)
    with pytest.raises(ValueError, match="no key"):
        changed.without(entry.kid)
