"""One token has one spelling: any other that a lenient reader would read as the same token is refused.

Each alias is first shown to be one: a lenient reader (`cbor2`, `int`) does read it as the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
from ybtoken import Issuer, KeyRing, MemoryReplayGuard, TokenError, Verifier
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import cut_envelope, encode_byte_string, encode_header, sign1_prefix

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OPENER = Opening(RING)
TOKEN = fake_issuer().issue(HOLDER, CITY)
CLAIMS = claims_map(**EXTRAS)
PAYLOAD = encode_claims(a_voucher(**EXTRAS))


def refused(text: str) -> str:
    with pytest.raises(TokenError) as caught:
        OPENER.open(text)
    return caught.value.code


# -- text ------------------------------------------------------------------------------------------------------------


def text_aliases() -> Iterator[tuple[str, str]]:
    text = TOKEN.text
    for name, digits in {
        "full-width": "０１２３４５６７８９",
        "arabic": "٠١٢٣٤٥٦٧٨٩",
        "devanagari": "०१२३४५६७८९",
    }.items():
        yield f"{name} digits", text.translate({ord("0") + i: digit for i, digit in enumerate(digits)})
        yield f"one {name} digit", text[:100] + digits[int(text[100])] + text[101:]
        yield f"a last {name} digit", text[:-1] + digits[int(text[-1])]
    for name, added in {"newline": "\n", "return": "\r\n", "space": " ", "tab": "\t", "no-break space": "\xa0"}.items():
        yield f"{name} behind", text + added
        yield f"{name} before", added + text
        yield f"{name} within", text[:19] + added + text[19:]
    yield "plus sign", "+" + text
    yield "underscores", text[:19] + "_" + text[19:]
    yield "underscore behind a prefix", "96_" + text[2:]
    yield "leading zero", "0" + text
    yield "bytes", repr(text.encode())


@pytest.mark.parametrize("alias", [alias for _, alias in text_aliases()], ids=[name for name, _ in text_aliases()])
def test_a_text_has_no_other_spelling(alias):
    if not alias.startswith("b'"):
        assert int("".join(alias.split())) == int(TOKEN.text)  # int() is that lenient
    assert refused(alias).startswith("text.")


def test_a_group_has_no_other_spelling():
    """A sign or a blank in place of a leading zero reads as the same number."""
    data = bytes(7) + TOKEN.data
    text = text_of(data)
    group = text[2:19]
    assert group == "0" * 17
    for alias in ("+" + group[1:], " " + group[1:], group[:-1] + " ", "0_" + group[2:-1] + "0", "-" + group[1:]):
        assert int(alias) == int(group)
        assert refused(text[:2] + alias + text[19:]) == "text.digits"


def test_a_group_has_no_carry():
    """256^7 + x in a group of seven bytes would read as x if the excess were dropped."""
    value = int.from_bytes(TOKEN.data[7:14], "little") + 256**7
    if value < 10**17:
        body = TOKEN.text[:19] + f"{value:017d}" + TOKEN.text[36:-2]
        assert refused(f"{body}{98 - int(body) * 100 % 97:02d}") == "text.range"
    last = int.from_bytes(TOKEN.data[-4:], "little")  # 137 bytes: 19 groups of seven and four bytes in ten digits
    carried = [last + 256**4 * k for k in (1, 2) if last + 256**4 * k < 10**10]
    assert carried
    for value in carried:
        body = TOKEN.text[:-12] + f"{value:010d}"
        assert refused(f"{body}{98 - int(body) * 100 % 97:02d}") == "text.range"


@pytest.mark.parametrize("wanted", [97, 98, 2])
def test_check_digits_congruent_to_the_right_ones_are_refused(wanted):
    for number in range(2000):
        text = fake_issuer(random=lambda size, n=number: n.to_bytes(size, "big")).issue(HOLDER, CITY).text
        if int(text[-2:]) == wanted:
            break
    else:
        pytest.fail("no such token")
    alias = f"{text[:-2]}{(wanted + 97) % 194 % 97 if wanted >= 97 else 99:02d}"
    assert alias != text
    assert int(alias) % 97 == int(text) % 97 == 1
    OPENER.open(text)
    assert refused(alias) == "text.check"


@pytest.mark.parametrize(("profile", "code"), [(2, "claims.profile"), (3, "envelope.shape")])
def test_another_prefix_is_another_claim(profile, code):
    assert refused(text_of(TOKEN.data, profile)) == code


# -- envelope --------------------------------------------------------------------------------------------------------


def head(major: int, number: int, width: int) -> bytes:
    """A CBOR head whose number takes 0, 1, 2, 4 or 8 bytes after the first."""
    if width == 0:
        return bytes([major << 5 | number])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + number.to_bytes(width, "big")


def chunks(data: bytes) -> bytes:
    """A byte string of indefinite length."""
    return b"\x5f" + cbor2.dumps(data[:5]) + cbor2.dumps(data[5:]) + b"\xff"


def envelope_aliases() -> Iterator[tuple[str, bytes]]:
    header, payload, signature = cut_envelope(signed_bytes(PAYLOAD))
    parts = [cbor2.dumps(header), b"\xa0", payload, cbor2.dumps(signature)]
    whole = b"".join(parts)
    for width in (1, 2, 4, 8):
        yield f"tag in {width}", head(6, 18, width) + b"\x84" + whole
        yield f"array length in {width}", b"\xd2" + head(4, 4, width) + whole
        yield f"map length in {width}", b"\xd2\x84" + parts[0] + head(5, 0, width) + parts[2] + parts[3]
        yield f"header length in {width}", b"\xd2\x84" + head(2, 13, width) + header + b"".join(parts[1:])
        if width > 1:
            yield (
                f"payload length in {width}",
                b"".join((b"\xd2\x84", parts[0], b"\xa0", head(2, len(PAYLOAD), width), PAYLOAD, parts[3])),
            )
            yield f"signature length in {width}", b"".join((b"\xd2\x84", *parts[:3], head(2, 64, width), signature))
    yield "no tag", b"\x84" + whole
    yield "tag twice", b"\xd2\xd2\x84" + whole
    yield "self-described", b"\xd9\xd9\xf7\xd2\x84" + whole
    yield "tagged as a CWT", b"\xd8\x3d\xd2\x84" + whole
    yield "tag of COSE_Mac0", b"\xd1\x84" + whole
    yield "tag of COSE_Sign", b"\xd8\x62\x84" + whole
    yield "indefinite array", b"\xd2\x9f" + whole + b"\xff"
    yield "indefinite map", b"\xd2\x84" + parts[0] + b"\xbf\xff" + parts[2] + parts[3]
    yield "indefinite header", b"\xd2\x84" + chunks(header) + b"".join(parts[1:])
    yield "indefinite payload", b"\xd2\x84" + parts[0] + b"\xa0" + chunks(PAYLOAD) + parts[3]
    yield "indefinite signature", b"\xd2\x84" + b"".join(parts[:3]) + chunks(signature)
    yield "fifth item", b"\xd2\x85" + whole + b"\xf6"
    yield "trailing null", b"\xd2\x84" + whole + b"\xf6"
    yield "trailing zero", b"\xd2\x84" + whole + b"\x00"
    yield "trailing break", b"\xd2\x84" + whole + b"\xff"
    yield "itself twice", TOKEN.data * 2
    for name, unprotected in {
        "algorithm": {1: -7}, "kid": {4: FAKE.kid}, "critical": {2: [1]}, "text label": {"alg": "none"}, "zero": {0: 0},
    }.items():  # fmt: skip
        yield f"unprotected {name}", b"\xd2\x84" + parts[0] + cbor2.dumps(unprotected) + parts[2] + parts[3]
    yield "unprotected array", b"\xd2\x84" + parts[0] + b"\x80" + parts[2] + parts[3]
    yield "unprotected null", b"\xd2\x84" + parts[0] + b"\xf6" + parts[2] + parts[3]
    yield "detached payload", b"\xd2\x84" + parts[0] + b"\xa0\xf6" + parts[3]
    yield "header unwrapped", b"\xd2\x84" + header + b"".join(parts[1:])
    yield "signature in DER", b"\xd2\x84" + b"".join(parts[:3]) + cbor2.dumps(b"\x30\x44" + bytes(68))
    yield "signature with a leading zero", b"\xd2\x84" + b"".join(parts[:3]) + cbor2.dumps(b"\0" + signature)


ENVELOPES = dict(envelope_aliases())


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_has_no_other_form(name):
    assert refused(text_of(ENVELOPES[name])) == "envelope.shape"


def test_a_lenient_reader_takes_many_of_them():
    """The cases above really are aliases."""
    wanted = cbor2.loads(signed_bytes(PAYLOAD)).value
    taken = 0
    for data in ENVELOPES.values():
        try:
            item: Any = cbor2.loads(data)
        except (cbor2.CBORError, ValueError, EOFError):
            continue
        while isinstance(item, cbor2.CBORTag):
            item = item.value
        taken += isinstance(item, (list, tuple)) and list(item) == list(wanted)
    assert taken >= 25


def header_aliases() -> Iterator[tuple[str, bytes]]:
    kid = b"\x48" + FAKE.kid
    yield "order", b"\xa2\x04" + kid + b"\x01\x26"
    yield "algorithm in 1", b"\xa2\x01\x38\x06\x04" + kid
    yield "algorithm in 2", b"\xa2\x01\x39\x00\x06\x04" + kid
    yield "label in 1", b"\xa2\x18\x01\x26\x04" + kid
    yield "kid length in 1", b"\xa2\x01\x26\x04\x58\x08" + FAKE.kid
    yield "map length in 1", b"\xb8\x02\x01\x26\x04" + kid
    yield "indefinite map", b"\xbf\x01\x26\x04" + kid + b"\xff"
    yield "duplicate algorithm", b"\xa3\x01\x26\x01\x26\x04" + kid
    yield "duplicate kid", b"\xa3\x01\x26\x04" + kid + b"\x04" + kid
    yield "trailing byte", b"\xa2\x01\x26\x04" + kid + b"\x00"
    yield "algorithm by name", b"\xa2\x01\x65ES256\x04" + kid
    yield "kid as text", b"\xa2\x01\x26\x04\x68" + b"abcdefgh"
    yield "content type", b"\xa3\x01\x26\x03\x00\x04" + kid
    yield "critical", b"\xa3\x01\x26\x02\x81\x01\x04" + kid
    yield "no kid", b"\xa1\x01\x26"
    yield "no algorithm", b"\xa1\x04" + kid
    yield "empty", b""


HEADERS = dict(header_aliases())


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_has_no_other_form_even_when_it_is_signed(name):
    assert refused(text_of(signed_bytes(PAYLOAD, FAKE, HEADERS[name]))) == "envelope.shape"
    # And at the sizes that the envelope accepts.
    for size in (13, 17):
        if len(HEADERS[name]) < size:
            padded = HEADERS[name].ljust(size, b"\0")
            assert refused(text_of(signed_bytes(PAYLOAD, FAKE, padded))) == "envelope.shape"


# -- claims ----------------------------------------------------------------------------------------------------------


def spelled(item: Any, **widths: int) -> bytes:
    return cbor2.dumps(item) if not widths else head(0, item, widths["width"])


def claims_aliases() -> Iterator[tuple[str, bytes]]:
    """The same claims in other encodings, which a general decoder reads as the same."""
    exp, iat, nonce, voucher = (CLAIMS[label] for label in (4, 6, 7, -65537))
    profile, ref, city, extras = voucher
    parts = {4: cbor2.dumps(exp), 6: cbor2.dumps(iat), 7: cbor2.dumps(nonce), -65537: cbor2.dumps(voucher)}

    def joined(changes: dict[int, bytes], start: bytes = b"\xa4", end: bytes = b"") -> bytes:
        return start + b"".join(cbor2.dumps(k) + v for k, v in (parts | changes).items()) + end

    def with_voucher(*items: bytes, start: bytes = b"\x84", end: bytes = b"") -> bytes:
        return joined({-65537: start + b"".join(items) + end})

    def with_extras(changes: dict[int, bytes], start: bytes = b"\xa5", end: bytes = b"") -> bytes:
        written = {label: cbor2.dumps(value) for label, value in extras.items()} | changes
        return with_voucher(*stem, start + b"".join(cbor2.dumps(k) + v for k, v in written.items()) + end)

    stem = (cbor2.dumps(profile), cbor2.dumps(ref), cbor2.dumps(city))
    assert joined({}) == with_voucher(*stem, cbor2.dumps(extras)) == with_extras({}) == PAYLOAD

    yield "exp in 8", joined({4: head(0, exp, 8)})
    yield "iat in 8", joined({6: head(0, iat, 8)})
    yield "exp as a float", joined({4: cbor2.dumps(float(exp))})
    yield "exp as a bignum", joined({4: b"\xc2\x44" + exp.to_bytes(4, "big")})
    yield "exp as a tagged time", joined({4: b"\xc1" + parts[4]})
    for width in (1, 2, 4, 8):
        yield f"map length in {width}", joined({}, start=head(5, 4, width))
        yield f"nonce length in {width}", joined({7: head(2, len(nonce), width) + nonce})
        yield f"array length in {width}", with_voucher(*stem, cbor2.dumps(extras), start=head(4, 4, width))
        yield f"profile in {width}", with_voucher(head(0, profile, width), *stem[1:], cbor2.dumps(extras))
        yield (
            f"reference length in {width}",
            with_voucher(stem[0], head(2, 16, width) + ref, stem[2], cbor2.dumps(extras)),
        )
        yield f"extras length in {width}", with_extras({}, start=head(5, 5, width))
        yield f"channel in {width}", with_extras({1: head(0, 7, width)})
        yield f"assurance in {width}", with_extras({4: head(0, 3, width)})
        yield f"presenter length in {width}", with_extras({3: head(2, 16, width) + extras[3]})
    yield "city in 8", with_voucher(*stem[:2], head(0, city, 8), cbor2.dumps(extras))
    for width in (4, 8):
        yield f"purpose in {width}", with_extras({2: head(0, 1301, width)})
    yield "status index in 8", with_extras({5: head(0, extras[5], 8)})
    for width in (1, 2, 4, 8):
        yield f"label of exp in {width}", b"\xa4" + head(0, 4, width) + PAYLOAD[2:]
    yield "label of the voucher in 8", PAYLOAD.replace(b"\x3a\x00\x01\x00\x00", head(1, 65536, 8))
    yield "indefinite map", joined({}, start=b"\xbf", end=b"\xff")
    yield "indefinite nonce", joined({7: chunks(nonce)})
    yield "indefinite array", with_voucher(*stem, cbor2.dumps(extras), start=b"\x9f", end=b"\xff")
    yield "indefinite reference", with_voucher(stem[0], chunks(ref), stem[2], cbor2.dumps(extras))
    yield "indefinite extras", with_extras({}, start=b"\xbf", end=b"\xff")
    yield "duplicate exp", joined({}, start=b"\xa5\x04" + parts[4])
    yield "duplicate voucher", joined({}, start=b"\xa5", end=cbor2.dumps(-65537) + parts[-65537])
    yield "duplicate channel", with_extras({}, start=b"\xa6\x01\x07")
    yield "another order", cbor2.dumps({6: iat, 4: exp, 7: nonce, -65537: voucher})
    yield "voucher first", cbor2.dumps({-65537: voucher, 4: exp, 6: iat, 7: nonce})
    yield "another order of extras", with_voucher(*stem, cbor2.dumps(dict(reversed(extras.items()))))
    yield "trailing null", PAYLOAD + b"\xf6"
    yield "trailing zero", PAYLOAD + b"\x00"
    yield "tagged", b"\xd9\xd9\xf7" + PAYLOAD
    yield "tagged as a CWT", b"\xd8\x3d" + PAYLOAD
    yield "tagged nonce", joined({7: b"\xd8\x40" + parts[7]})
    yield "nested in a byte string", cbor2.dumps(PAYLOAD)


PAYLOADS = dict(claims_aliases())


@pytest.mark.parametrize("name", PAYLOADS)
def test_claims_have_no_other_encoding_even_when_they_are_signed(name):
    assert PAYLOADS[name] != PAYLOAD
    assert refused(text_of(signed_bytes(PAYLOADS[name]))) == "claims.shape"


def test_a_lenient_reader_takes_most_of_them():
    wanted = cbor2.loads(PAYLOAD)
    taken = [name for name, payload in PAYLOADS.items() if _loaded(payload) == wanted]
    assert len(taken) >= 50, sorted(set(PAYLOADS) - set(taken))


def _loaded(payload: bytes) -> Any:
    try:
        return cbor2.loads(payload)
    except (cbor2.CBORError, ValueError, EOFError):
        return None


def test_an_absent_extra_is_not_an_empty_map():
    claims = claims_map()
    claims[-65537] = [*claims[-65537], {}]
    assert refused(text_of(signed_bytes(cbor2.dumps(claims)))) == "claims.shape"


# -- signatures ------------------------------------------------------------------------------------------------------


@pytest.fixture
def twins(p256_key):
    """A P-256 token, and the same with n - s in place of s: both are good signatures (FIPS 186-5)."""
    token = Issuer(p256_key, clock=lambda: NOW).issue(HOLDER, CITY)
    s = int.from_bytes(token.data[-32:], "big")
    return token.text, text_of(token.data[:-32] + (N - s).to_bytes(32, "big"))


def test_both_twins_of_an_ecdsa_signature_verify_and_have_one_replay_key(twins, p256_ring):
    verifier = Verifier(p256_ring, clock=lambda: NOW)
    assert twins[0] != twins[1]
    assert len({verifier.verify(text).replay_key for text in twins}) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_of_the_two_twins_one_is_redeemed(twins, p256_ring, order):
    verifier = Verifier(p256_ring, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)
    first, second = twins[::order]
    verifier.redeem(first)
    for text in (second, first):
        with pytest.raises(TokenError) as caught:
            verifier.redeem(text)
        assert caught.value.code == "redeem.replayed"


def test_a_token_signed_again_is_still_one_use(p256_key, p256_ring):
    """Another signature over the same claims is another string of bytes, and the same nonce."""
    issuer = Issuer(p256_key)
    texts = {issuer.sign(a_voucher()).text for _ in range(3)}
    assert len(texts) == 3
    verifier = Verifier(p256_ring, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)
    outcomes = []
    for text in texts:
        try:
            outcomes.append(verifier.redeem(text))
        except TokenError as error:
            assert error.code == "redeem.replayed"
    assert len(outcomes) == 1


def test_numbers_of_a_signature_are_not_reduced(p256_key, p256_ring):
    """r + n or s + n would be a second spelling if it fits into 32 bytes."""
    verifier = Verifier(p256_ring, clock=lambda: NOW)
    data = Issuer(p256_key).sign(a_voucher()).data
    header, signed, signature = cut_envelope(data)
    for low, high in ((0, 32), (32, 64)):
        number = int.from_bytes(signature[low:high], "big")
        changed = (number + N) % 2**256
        other = signature[:low] + changed.to_bytes(32, "big") + signature[high:]
        with pytest.raises(TokenError) as caught:
            verifier.verify(text_of(data[:-64] + other))
        assert caught.value.code == "signature.invalid"
    assert encode_header(p256_key.algorithm, p256_key.kid) == header
    p256_key.verifying_key.verify(sign1_prefix(header) + signed, signature)


def test_a_signature_is_good_for_one_algorithm_and_kid(p256_key, p256_ring):
    """The header is signed, so the same claims and signature under another header are not a token."""
    _, signed, signature = cut_envelope(Issuer(p256_key).sign(a_voucher()).data)
    other = encode_header(-9, p256_key.kid)
    data = b"\xd2\x84" + encode_byte_string(other) + b"\xa0" + signed + b"\x58\x40" + signature
    with pytest.raises(TokenError) as caught:
        Opening(p256_ring).open(text_of(data))
    assert caught.value.code == "key.unknown"
    from ybtoken import Algorithm, KeyEntry
    from ybtoken.keys.p256 import P256VerifyingKey

    esp = P256VerifyingKey.from_point(*p256_key.verifying_key.point, algorithm=Algorithm.ESP256)
    with pytest.raises(TokenError) as caught:
        Opening(KeyRing([KeyEntry(esp, "Zhejiang")])).open(text_of(data))
    assert caught.value.code == "signature.invalid"
