from __future__ import annotations

import cbor2
import pytest
from hypothesis import given

from tests.support import (
    EXTRAS,
    FAKE,
    HOLDER,
    NOW,
    PRESENTER,
    a_voucher,
    check_each,
    claims_map,
    signed_bytes,
    vouchers,
)
from ybtoken import Algorithm
from ybtoken.errors import ClaimsError, EnvelopeError
from ybtoken.voucher import OPTIONAL_CLAIMS, DeviceKey, OptionalClaims, Profile
from ybtoken.wire.claims import Claims, encode_claims, walk_claims
from ybtoken.wire.envelope import cut_envelope, encode_byte_string, encode_envelope, encode_header, sign1, sign1_prefix
from ybtoken.wire.parse import _BY_SIZE, parse_claims

KID = bytes(range(8))
# One token written out by hand from the specification.
CLAIMS = bytes.fromhex(
    "a4"
    "04 1a6b49d23c"  # exp: NOW + 60
    "06 1a6b49d200"  # iat: NOW
    "07 48 6e6f6e6365303038"  # cti
    "3a00010000 83 01 50 505152535455565758595a5b5c5d5e5f 1a0005097a"  # voucher
)
EXTRA_CLAIMS = (
    CLAIMS.replace(b"\x83\x01\x50", b"\x84\x01\x50")
    + bytes.fromhex("a5 01 07 02 190515 03 50")
    + PRESENTER
    + bytes.fromhex("04 03 05 1a00011170")
)


def parse(payload: bytes) -> Claims:
    return parse_claims(encode_byte_string(payload))


def refuse(payload: bytes) -> None:
    with pytest.raises(ClaimsError) as caught:
        parse(payload)
    assert caught.value.code == "claims.shape"


class TestClaims:
    def test_they_are_written_as_the_specification_says(self):
        assert encode_claims(a_voucher()) == CLAIMS
        assert encode_claims(a_voucher(**EXTRAS)) == EXTRA_CLAIMS

    def test_they_are_read_as_they_are_written(self):
        assert parse(CLAIMS) == Claims(NOW + 60, NOW, b"nonce008", 1, HOLDER, 330106)
        assert parse(EXTRA_CLAIMS) == Claims(NOW + 60, NOW, b"nonce008", 1, HOLDER, 330106, OptionalClaims(**EXTRAS))

    @given(voucher=vouchers(tuple(Profile)))
    def test_they_are_what_a_general_encoder_writes(self, voucher):
        stated = {row.label: getattr(voucher, row.name) for row in OPTIONAL_CLAIMS}
        stated = {label: int(value) if label == 2 else value for label, value in stated.items() if value is not None}
        claims = {
            4: voucher.expires_at, 6: voucher.issued_at, 7: voucher.nonce,
            -65537: [int(voucher.profile), voucher.identity_ref, int(voucher.city_code), *([stated] if stated else [])],
        }  # fmt: skip
        if (key := voucher.device_key) is not None:
            claims[8] = {1: {1: 2, -1: key.curve, -2: key.x, -3: key.y_is_odd}}
        assert encode_claims(voucher) == cbor2.dumps(claims, canonical=True)

    def test_any_cbor_library_reads_them(self):
        assert cbor2.loads(EXTRA_CLAIMS) == {
            4: NOW + 60, 6: NOW, 7: b"nonce008",
            -65537: [1, HOLDER, 330106, {1: 7, 2: 1301, 3: PRESENTER, 4: 3, 5: 70_000}],
        }  # fmt: skip

    @pytest.mark.parametrize("name", EXTRAS)
    def test_each_extra_stands_alone(self, name):
        claims = parse(encode_claims(a_voucher(**{name: EXTRAS[name]})))
        assert claims.optional == OptionalClaims(**{name: EXTRAS[name]})

    @pytest.mark.parametrize("name", ["channel", "assurance", "status_index"])
    def test_a_stated_zero_is_not_an_absent_extra(self, name):
        assert getattr(parse(encode_claims(a_voucher(**{name: 0}))).optional, name) == 0

    @pytest.mark.parametrize("number", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1])
    def test_integers_of_every_width_are_read(self, number):
        assert parse(encode_claims(a_voucher(status_index=number))).optional.status_index == number

    @pytest.mark.parametrize("whole", [CLAIMS, EXTRA_CLAIMS])
    def test_no_part_of_them_is_them(self, whole):
        for size in range(len(whole)):
            refuse(whole[:size])

    @pytest.mark.parametrize("whole", [CLAIMS, EXTRA_CLAIMS])
    @pytest.mark.parametrize("more", [b"\x00", b"\xf6", b"\xa0", b"\xff", b"\xa1\x01\x07"])
    def test_nothing_follows_them(self, whole, more):
        refuse(whole + more)

    def test_the_empty_payload_is_refused(self):
        refuse(b"")
        with pytest.raises(ClaimsError):
            parse_claims(b"")

    @pytest.mark.parametrize("whole", [CLAIMS, EXTRA_CLAIMS])
    def test_no_other_byte_stands_at_the_place_of_a_head(self, whole):
        """Every byte is replaced by every other: the result is accepted only in a value, and then read as written."""

        def check(at):
            for byte in range(256):
                changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
                try:
                    claims = parse(changed)
                except ClaimsError:
                    continue
                exp, iat, nonce, profile, ref, city, optional, device_key = claims
                assert device_key is None
                values = {row: getattr(optional, row.name) for row in OPTIONAL_CLAIMS}
                stated = {row.label: row.to_wire(value) for row, value in values.items() if value is not None}
                voucher = [profile, ref, city, stated] if stated else [profile, ref, city]
                assert cbor2.dumps({4: exp, 6: iat, 7: nonce, -65537: voucher}) == changed

        check_each(range(len(whole)), check)

    @pytest.mark.parametrize("number", [0, 23, 24, 255, 256, 65_535, 65_536])
    def test_numbers_of_four_bytes_are_numbers_that_need_four(self, number):
        """In the layout of nearly every token, in which each number takes four bytes."""
        wide = b"\x1a" + number.to_bytes(4, "big")
        early = CLAIMS[:8] + wide + CLAIMS[13:]
        near = CLAIMS[:-5] + wide
        if number > 65_535:
            assert (parse(early).issued_at, parse(near).city) == (number, number)
        else:
            refuse(early)
            refuse(near)
            refuse(CLAIMS[:3] + (number + 1).to_bytes(4, "big") + CLAIMS[7:8] + wide + CLAIMS[13:])

    @pytest.mark.parametrize("city", [999_999, 1_000_000, 2**32 - 1])
    def test_a_city_has_six_digits(self, city):
        payload = CLAIMS[:-4] + city.to_bytes(4, "big")
        if city > 999_999:
            refuse(payload)
        else:
            assert parse(payload).city == city

    @pytest.mark.parametrize("later", [-1, 0, 1])
    def test_times_of_the_usual_layout_are_in_order(self, later):
        payload = CLAIMS[:3] + (NOW + later).to_bytes(4, "big") + CLAIMS[7:]
        if later > 0:
            assert parse(payload).expires_at == NOW + later
        else:
            refuse(payload)

    @pytest.mark.parametrize("profile", [1, 2, 3])
    def test_the_usual_layouts_are_read_as_they_are_walked(self, profile):
        key = DeviceKey(1, bytes(range(32)), y_is_odd=True) if profile == 3 else None
        index = None if profile == 1 else 7_654_321
        usual = a_voucher(profile=profile, status_index=index, device_key=key, nonce=bytes(8))
        signed = encode_byte_string(encode_claims(usual))
        read_usual = _BY_SIZE[len(signed)]
        assert read_usual(signed) == walk_claims(signed)
        for at in range(2, len(signed)):
            for changed in {bytes([*signed[:at], byte, *signed[at + 1 :]]) for byte in range(256)}:
                assert (read := read_usual(changed)) is None or read == walk_claims(changed)

    @pytest.mark.parametrize(
        "bad",
        [
            {4: NOW},  # not above iat
            {4: NOW - 1},
            {4: 2**32},
            {4: -1},
            {4: float(NOW + 60)},
            {4: str(NOW + 60)},
            {4: None},
            {4: cbor2.CBORTag(1, NOW + 60)},
            {6: -NOW},
            {6: True},
            {6: [NOW]},
            {7: b"7bytes."},
            {7: b"17 bytes are more"},
            {7: "nonce008"},
            {7: 8},
            {-65537: b"voucher"},
            {-65537: {1: 1}},
        ],
        ids=repr,
    )
    def test_claims_of_another_type_or_size_are_refused(self, bad):
        refuse(cbor2.dumps(claims_map() | bad))

    @pytest.mark.parametrize(
        "voucher",
        [
            [],
            [1],
            [1, HOLDER],
            [0, HOLDER, 330106],
            [4, HOLDER, 330106],
            [-1, HOLDER, 330106],
            [1, HOLDER[:15], 330106],
            [1, HOLDER + b"\0", 330106],
            [1, "0123456789abcdef", 330106],
            [1, HOLDER, 1_000_000],
            [1, HOLDER, -1],
            [1, HOLDER, "330106"],
            [1, HOLDER, 2**40],
            [1, HOLDER, 330106, {}],
            [1, HOLDER, 330106, []],
            [1, HOLDER, 330106, None],
            [1, HOLDER, 330106, 0],
            [1, HOLDER, 330106, {1: 7}, {2: 1301}],
            [1, HOLDER, 330106, {0: 7}],
            [1, HOLDER, 330106, {6: 7}],
            [1, HOLDER, 330106, {-1: 7}],
            [1, HOLDER, 330106, {"1": 7}],
            [1, HOLDER, 330106, {2: 1301, 1: 7}],
            [1, HOLDER, 330106, {1: 7, 6: 0}],
            [1, HOLDER, 330106, {1: 65536}],
            [1, HOLDER, 330106, {1: -1}],
            [1, HOLDER, 330106, {1: None}],
            [1, HOLDER, 330106, {1: b"7"}],
            [1, HOLDER, 330106, {2: 100_000}],
            [1, HOLDER, 330106, {2: "01301"}],
            [1, HOLDER, 330106, {3: PRESENTER[:15]}],
            [1, HOLDER, 330106, {3: PRESENTER + b"\0"}],
            [1, HOLDER, 330106, {3: "0123456789abcdef"}],
            [1, HOLDER, 330106, {3: 16}],
            [1, HOLDER, 330106, {4: 256}],
            [1, HOLDER, 330106, {5: 2**32}],
            [1, HOLDER, 330106, {1: 1, 2: 2, 3: PRESENTER, 4: 4, 5: 5, 6: 6}],
        ],
        ids=repr,
    )
    def test_a_voucher_out_of_its_bounds_is_refused(self, voucher):
        refuse(cbor2.dumps(claims_map() | {-65537: voucher}))

    @pytest.mark.parametrize("label", [4, 6, 7, -65537])
    def test_every_claim_is_needed(self, label):
        claims = claims_map()
        del claims[label]
        refuse(cbor2.dumps(claims))
        refuse(cbor2.dumps(claims | {label + 1: 0}))  # as many, but another

    @pytest.mark.parametrize("label", [1, 2, 3, 5, 8, 256, "iss"])
    def test_no_claim_is_added(self, label):
        refuse(cbor2.dumps(claims_map() | {label: 0}))
        refuse(cbor2.dumps({label: 0} | claims_map()))

    @pytest.mark.parametrize("value", [[], {}, [claims_map()], NOW, "claims", b"claims", None, True, 1.5], ids=repr)
    def test_another_type_is_no_claims(self, value):
        refuse(cbor2.dumps(value))
        refuse(cbor2.dumps(value).ljust(64, b"\0"))


class TestHeader:
    @pytest.mark.parametrize(
        ("algorithm", "start"),
        [(Algorithm.ES256, "a2012604"), (Algorithm.ESP256, "a2012804"), (Algorithm.SM2, "a2013a0001000004")],
    )
    def test_it_is_the_algorithm_and_the_kid(self, algorithm, start):
        assert encode_header(algorithm, KID) == bytes.fromhex(start) + b"\x48" + KID

    def test_what_is_signed_is_the_sig_structure(self):
        header = encode_header(Algorithm.ES256, KID)
        assert sign1_prefix(header) + encode_byte_string(CLAIMS) == cbor2.dumps(["Signature1", header, b"", CLAIMS])


class TestEnvelope:
    HEADER = encode_header(Algorithm.ES256, KID)
    LONG_HEADER = encode_header(Algorithm.SM2, KID)
    SIGNATURE = bytes(range(64))

    def envelope(self, header: bytes = HEADER, payload: bytes = CLAIMS, signature: bytes = SIGNATURE) -> bytes:
        return encode_envelope(header, payload, signature)

    @staticmethod
    def refuse(data: bytes) -> None:
        with pytest.raises(EnvelopeError) as caught:
            cut_envelope(data)
        assert caught.value.code == "envelope.shape"

    def test_it_is_a_tagged_cose_sign1(self):
        token = cbor2.loads(self.envelope())
        assert token.tag == 18
        assert list(token.value) == [self.HEADER, {}, CLAIMS, self.SIGNATURE]

    @pytest.mark.parametrize("header", [HEADER, LONG_HEADER])
    @pytest.mark.parametrize("size", [24, 40, 56, 100, 255])
    def test_it_is_cut_where_it_was_joined(self, header, size):
        payload = bytes(size)
        assert cut_envelope(self.envelope(header, payload)) == (header, encode_byte_string(payload), self.SIGNATURE)

    @pytest.mark.parametrize("size", [0, 1, 23, 256, 300])
    def test_a_payload_of_another_size_class_is_refused(self, size):
        self.refuse(self.envelope(payload=bytes(size)))

    @pytest.mark.parametrize("size", [0, 20, 22, 23])
    def test_a_short_payload_is_refused_with_a_wide_head_too(self, size):
        start = b"\xd2\x84\x51" + self.LONG_HEADER + b"\xa0"
        data = start + bytes([0x58, size]) + bytes(size) + b"\x58\x40" + self.SIGNATURE
        assert cbor2.loads(data).value[2] == bytes(size)
        self.refuse(data)

    @pytest.mark.parametrize("size", [0, 12, 14, 16, 18, 24])
    def test_a_header_of_another_size_is_refused(self, size):
        self.refuse(self.envelope(header=bytes(size)))

    @pytest.mark.parametrize("size", [0, 23, 63, 65, 96])
    def test_a_signature_of_another_size_is_refused(self, size):
        self.refuse(cbor2.dumps(cbor2.CBORTag(18, [self.HEADER, {}, CLAIMS, bytes(size)])))

    @pytest.mark.parametrize("size", [0, 63, 65])
    def test_a_signature_of_another_size_is_not_joined(self, size):
        with pytest.raises(ValueError, match=f"signature has {size} bytes, not 64"):
            self.envelope(signature=bytes(size))

    def test_what_is_signed_is_the_sig_structure(self):
        data = sign1(self.HEADER, CLAIMS, FAKE.sign)
        header, signed, signature = cut_envelope(data)
        assert (header, signed) == (self.HEADER, encode_byte_string(CLAIMS))
        FAKE.verify(cbor2.dumps(["Signature1", self.HEADER, b"", CLAIMS]), signature)
        with pytest.raises(ValueError, match="signature has 63 bytes, not 64"):
            sign1(self.HEADER, CLAIMS, lambda message: FAKE.sign(message)[1:])

    @pytest.mark.parametrize("size", [24, 255, 256, 65_535, 65_536])
    @pytest.mark.parametrize("header_size", [0, 23, 24, 255])
    def test_longer_headers_and_payloads_are_cut_where_they_are_allowed(self, size, header_size):
        header, payload = bytes(header_size), bytes(size)
        data = self.envelope(header, payload)
        expected = header, encode_byte_string(payload), self.SIGNATURE
        assert cut_envelope(data, {header_size}, longest=size) == expected
        for sizes, longest in (({header_size + 1}, size), ({header_size}, max(size, 256) - 1)):
            if sizes == {header_size} and size < 256:
                continue
            with pytest.raises(EnvelopeError):
                cut_envelope(data, sizes, longest=longest)

    @pytest.mark.parametrize(
        ("header", "payload"),
        [
            (b"\x58\x0d" + bytes(13), b"\x58\x18" + bytes(24)),
            (b"\x59\x00\x18" + bytes(24), b"\x58\x18" + bytes(24)),
            (b"\x4d" + bytes(13), b"\x59\x00\xff" + bytes(255)),
            (b"\x4d" + bytes(13), b"\x5a\x00\x00\xff\xff" + bytes(65_535)),
            (b"\x4d" + bytes(13), b"\x5b" + (65_536).to_bytes(8) + bytes(65_536)),
        ],
        ids=["header 58", "header 59", "payload 59", "payload 5a", "payload 5b"],
    )
    def test_a_longer_head_than_is_needed_is_refused(self, header, payload):
        data = b"\xd2\x84" + header + b"\xa0" + payload + b"\x58\x40" + self.SIGNATURE
        assert cbor2.loads(data).value[3] == self.SIGNATURE
        with pytest.raises(EnvelopeError):
            cut_envelope(data, {13, 24}, longest=1 << 20)

    def test_no_part_of_it_is_it(self):
        whole = self.envelope()
        for size in range(len(whole)):
            self.refuse(whole[:size])

    @pytest.mark.parametrize("more", [b"\0", b"\xf6", bytes(64)])
    def test_nothing_follows_it_or_precedes_it(self, more):
        self.refuse(self.envelope() + more)
        self.refuse(more + self.envelope())

    def test_no_other_byte_stands_at_the_place_of_a_head(self):
        whole = self.envelope()
        heads = {0, 1, 2, 16, 17, 18, 19 + len(CLAIMS), 20 + len(CLAIMS)}
        for at in heads:
            for byte in range(256):
                if byte != whole[at]:
                    self.refuse(whole[:at] + bytes([byte]) + whole[at + 1 :])
        for at in set(range(len(whole))) - heads:  # the rest is opaque here
            cut_envelope(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    @pytest.mark.parametrize("noise", [b"", b"\0" * 100, b"\xd2\x84" + b"\xff" * 200, b"\xff" * 400, b"\xd2\x84\x4d"])
    def test_noise_is_refused(self, noise):
        self.refuse(noise)

    def test_a_token_has_the_size_the_specification_states(self):
        assert len(signed_bytes(CLAIMS, FAKE)) == 137
        assert len(encode_envelope(self.LONG_HEADER, CLAIMS, self.SIGNATURE)) == 141
