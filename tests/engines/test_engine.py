from __future__ import annotations

from array import array

import cbor2
import pytest

from tests.support import (
    ANY_TIME,
    CITY,
    DEVICE_KEY,
    EXTRAS,
    FAKE,
    HOLDER,
    NOW,
    RING,
    Opening,
    a_voucher,
    fake_issuer,
    presented,
    signed_bytes,
    signed_text,
    text_of,
    with_check,
)
from ybtoken import Engine, KeyEntry, KeyRing, Profile, Scope, SerialEngine
from ybtoken.engines.columns import COLUMNS, NO_ENTRY, Opened, OpenedBatch
from ybtoken.engines.texts import texts_of
from ybtoken.engines.time_and_scope import Limits, number_of
from ybtoken.errors import ClaimsError, EnvelopeError, SignatureError, TextError, TokenError, UnknownKeyError
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.refusals import BY_NUMBER
from ybtoken.testing.keys import FakeKey
from ybtoken.voucher import DevicePresentation, OptionalClaims
from ybtoken.wire.claims import Claims, encode_claims
from ybtoken.wire.envelope import encode_header
from ybtoken.wire.text import PREFIXES, encode_text

STRANGER = FakeKey("stranger")
OPENER = Opening(RING)
CLAIMS = encode_claims(a_voucher(**EXTRAS))
GOOD = signed_bytes(CLAIMS)
TEXT = encode_text(1, GOOD)
BAD_SIGNATURE = GOOD[:-1] + bytes([GOOD[-1] ^ 1])

# One text for each refusal of steps 1 to 5, and its error.
REFUSED = {
    "text.length": ("96" + "0" * 900, {}),
    "text.digits": ("96x", {}),
    "text.prefix": ("", {}),
    "text.beginning": ("1" * 41, {}),
    "text.range": ("96" + "9" * 17 + "00", {}),
    "text.check": ("96" + "0" * 17 + "00", {}),
    "envelope.shape": (encode_text(1, b"noise"), {}),
    "key.unknown": (signed_text(CLAIMS, STRANGER), {"kid": STRANGER.kid.hex()}),
    "signature.invalid": (encode_text(1, BAD_SIGNATURE), {"kid": FAKE.kid.hex()}),
    "device.signature": (
        encode_text(3, presented(signed_bytes(encode_claims(a_voucher(profile=3))), P256SigningKey.generate())),
        {"kid": FAKE.kid.hex()},
    ),
    "claims.shape": (signed_text(cbor2.dumps({4: NOW, "note": "x" * 30})), {"kid": FAKE.kid.hex()}),
    "claims.profile": (signed_text(CLAIMS, profile=2), {"kid": FAKE.kid.hex()}),
}


def test_a_good_token_is_opened():
    opened = OPENER.open(encode_text(1, GOOD))
    assert opened.entry.key is FAKE
    assert opened.claims == Claims(NOW + 60, NOW, b"nonce008", 1, HOLDER, 330106, OptionalClaims(**EXTRAS))


@pytest.mark.parametrize("code", REFUSED)
def test_each_refusal_has_its_code_and_facts_alone_and_in_a_batch(code):
    text, facts = REFUSED[code]
    with pytest.raises(TokenError) as caught:
        OPENER.open(text)
    assert (caught.value.code, caught.value.facts) == (code, facts)
    batch = OPENER.open_many([text])
    assert BY_NUMBER[batch.codes[0]].code == code
    assert batch.error(0).to_dict() == caught.value.to_dict()


def test_every_refusal_of_steps_1_to_5_is_tried():
    of_engines = {refusal.code for refusal in BY_NUMBER.values() if refusal.step <= 5}
    assert set(REFUSED) == of_engines - {"key.ring_expired", "key.ring_unavailable"}  # a source of rings refuses so


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (encode_header(-7, STRANGER.kid), UnknownKeyError),
        (encode_header(-9, FAKE.kid), UnknownKeyError),  # the right kid, another algorithm
        (encode_header(-65537, FAKE.kid), UnknownKeyError),
        (encode_header(-8, FAKE.kid), EnvelopeError),  # an algorithm we do not have
        (cbor2.dumps({4: FAKE.kid, 1: -7}), EnvelopeError),  # another order
        (bytes(13), EnvelopeError),
    ],
)
def test_the_raw_header_selects_the_key(header, error):
    with pytest.raises(error):
        OPENER.open(encode_text(1, signed_bytes(CLAIMS, FAKE, header)))


@pytest.mark.parametrize("signed", [2, 3])
def test_a_pass_alone_is_never_a_token(signed):
    """A pass without its display is refused, and so is a pass in the text of another profile."""
    payload = encode_claims(a_voucher(profile=Profile(signed)))
    for prefix in {1, 2, 3} - {signed}:
        with pytest.raises(ClaimsError) as caught:
            OPENER.open(signed_text(payload, profile=prefix))
        assert caught.value.code == "claims.profile"
    with pytest.raises((TextError, EnvelopeError)):
        OPENER.open(with_check(PREFIXES[signed] + text_of(signed_bytes(payload))[2:-2]))


def test_a_pass_is_opened_with_what_the_phone_added():
    rotating = signed_text(encode_claims(a_voucher(profile=2)), profile=2)
    bound = signed_text(encode_claims(a_voucher(profile=3)), profile=3)
    assert OPENER.open(rotating).time_step == NOW // 30
    assert OPENER.open(bound).presentation == DevicePresentation(NOW, b"display1", None)
    assert OPENER.open(bound).claims.device_key == DEVICE_KEY
    texts = [rotating, TEXT, bound, "", rotating]
    batch = OPENER.open_many(texts)
    assert sorted(batch.passes) == [0, 2, 4]
    assert [batch.opened(i) for i in (0, 1, 2, 4)] == [OPENER.open(texts[i]) for i in (0, 1, 2, 4)]


def test_an_encoding_error_wins_over_a_wrong_prefix():
    with pytest.raises(ClaimsError) as caught:
        OPENER.open(signed_text(CLAIMS + b"\0", profile=2))
    assert caught.value.code == "claims.shape"


def test_the_first_step_that_fails_is_reported():
    """Everything is wrong with this token, and one fault after another is corrected."""
    payload = cbor2.dumps({4: NOW, "note": "x" * 30})
    unknown = signed_bytes(payload, STRANGER)
    unsigned = signed_bytes(payload)[:-1] + b"\0"
    unframed = encode_text(1, b"\0" + unknown)
    steps = [
        (unframed[:-1] + "x", TextError),
        (unframed, EnvelopeError),
        (encode_text(1, unknown), UnknownKeyError),
        (encode_text(1, unsigned), SignatureError),
        (encode_text(1, signed_bytes(payload)), ClaimsError),
    ]
    for text, error in steps:
        with pytest.raises(error):
            OPENER.open(text)


class Terse(FakeKey):
    """A key that gives no more information than its protocol requires."""

    def verify(self, message: bytes, signature: bytes) -> None:
        raise SignatureError("signature.invalid")


class Misleading(FakeKey):
    """A key whose error names another key."""

    def verify(self, message: bytes, signature: bytes) -> None:
        raise SignatureError("signature.invalid", kid=b"not hex")


@pytest.mark.parametrize("kind", [Terse, Misleading])
def test_whatever_a_key_says_the_refusal_names_the_key(kind):
    key = kind("issuer")
    opener = Opening(KeyRing([KeyEntry(key, "Zhejiang")]))
    with pytest.raises(SignatureError) as caught:
        opener.open(encode_text(1, GOOD))
    assert caught.value.facts == {"kid": key.kid.hex()}
    assert opener.open_many([encode_text(1, GOOD)]).error(0).facts == {"kid": key.kid.hex()}


def test_an_error_that_is_no_verdict_is_not_swallowed():
    class Broken(FakeKey):
        def verify(self, message: bytes, signature: bytes) -> None:
            raise ConnectionError("the HSM is away")

    opener = Opening(KeyRing([KeyEntry(Broken("issuer"), "Zhejiang")]))
    with pytest.raises(ConnectionError):
        opener.open(encode_text(1, GOOD))
    with pytest.raises(ConnectionError):
        opener.open_many([encode_text(1, GOOD)])


@pytest.mark.parametrize("misuse", [[96], [None], [["96"]], 96, None])
def test_what_is_no_text_is_misuse_in_a_batch_too(misuse):
    with pytest.raises(TypeError):
        OPENER.open_many(misuse)


class Scalar:
    """An item like those of an Arrow array."""

    def __init__(self, value: str | bytes) -> None:
        self.value = value

    def as_py(self) -> str | bytes:
        return self.value


@pytest.mark.parametrize(
    "texts",
    [
        [TEXT, "96", TEXT],
        [TEXT.encode(), b"96", TEXT.encode()],
        [Scalar(TEXT), Scalar("96"), Scalar(TEXT.encode())],
        iter((TEXT, b"96", TEXT)),
        f"{TEXT}\n96\n{TEXT}".encode(),
        f"{TEXT}\n96\n{TEXT}\n".encode(),
        bytearray(f"{TEXT}\n96\n{TEXT}\n".encode()),
        memoryview(f"{TEXT}\n96\n{TEXT}\n".encode()),
    ],
    ids=["strings", "bytes", "arrow", "any iterable", "lines", "ended lines", "bytearray", "memoryview"],
)
def test_texts_come_in_several_forms(texts):
    assert [BY_NUMBER[code].code if code else "" for code in OPENER.open_many(texts).codes] == ["", "text.length", ""]


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\n", ["a\r"]),
        (b"a\x0bb\x0cc\x1cd\x85e\rf", ["a\x0bb\x0cc\x1cd\x85e\rf"]),
        (b"\xe9\xff", ["\xe9\xff"]),
    ],
)
def test_a_line_ends_with_a_line_feed_and_nothing_else(lines, texts):
    assert list(texts_of(lines)) == texts


def test_bytes_beyond_ascii_are_no_digits():
    changed = TEXT[:100].encode() + b"\xb2" + TEXT[101:].encode()  # a superscript two in Latin-1
    full_width = ("96" + TEXT[2:].translate({ord("0") + i: 0xFF10 + i for i in range(10)})).encode()[:700]
    assert [BY_NUMBER[code].code for code in OPENER.open_many([changed, full_width]).codes] == ["text.digits"] * 2


class TestBatch:
    TEXTS = (TEXT, *(text for text, _ in REFUSED.values()), signed_text(encode_claims(a_voucher())))

    def test_it_has_a_code_for_each_text_in_order(self):
        batch = OPENER.open_many(iter(self.TEXTS))
        assert len(batch) == len(self.TEXTS)
        assert [BY_NUMBER[code].code for code in batch.codes[1:-1]] == list(REFUSED)
        assert batch.codes[0] == batch.codes[-1] == 0

    def test_it_gives_back_what_opening_gives(self):
        batch = OPENER.open_many(self.TEXTS)
        for i in (0, len(self.TEXTS) - 1):
            assert batch.opened(i) == OPENER.open(self.TEXTS[i])

    def test_every_column_has_its_width(self):
        batch = OPENER.open_many(self.TEXTS)
        for name, kind in COLUMNS.items():
            column = batch.column(name)
            assert len(column) == len(batch) * (1 if isinstance(kind, str) else kind)
            assert column.format == (kind if isinstance(kind, str) else "B")
        widths = [array(kind).itemsize if isinstance(kind, str) else kind for kind in COLUMNS.values()]
        assert sum(widths) == 77
        with pytest.raises(AttributeError):
            _ = batch.holders

    def test_nothing_of_an_unverified_claim_is_in_a_column(self):
        batch = OPENER.open_many(self.TEXTS)
        for i, code in enumerate(batch.codes):
            if code == 0:
                continue
            refusal = BY_NUMBER[code]
            row = {
                name: batch.column(name)[i]
                if isinstance(kind, str)
                else bytes(batch.column(name)[kind * i : kind * (i + 1)])
                for name, kind in COLUMNS.items()
            }
            expected = dict.fromkeys(row, 0) | dict.fromkeys(("nonces", "identity_refs", "presenters"), bytes(16))
            expected |= {"codes": code, "entries": 0 if refusal.step >= 4 else NO_ENTRY}
            if refusal.code == "key.unknown":
                expected |= {"nonce_sizes": 8, "nonces": STRANGER.kid + bytes(8)}
            assert row == expected

    def test_the_entry_is_the_index_in_the_ring(self):
        ring = KeyRing([KeyEntry(STRANGER, "Anhui"), *RING.entries])
        batch = Opening(ring).open_many([encode_text(1, GOOD), REFUSED["key.unknown"][0]])
        assert list(batch.entries) == [1, 0]
        assert batch.opened(0).entry.key is FAKE

    def test_a_known_kid_under_another_algorithm_has_no_entry(self):
        batch = OPENER.open_many([encode_text(1, signed_bytes(CLAIMS, FAKE, encode_header(-9, FAKE.kid)))])
        assert list(batch.entries) == [NO_ENTRY]
        assert bytes(batch.nonces[:8]) == FAKE.kid

    @pytest.mark.parametrize("name", EXTRAS)
    def test_an_absent_extra_is_not_a_zero(self, name):
        texts = [signed_text(encode_claims(a_voucher(**extras))) for extras in ({}, {name: EXTRAS[name]})]
        batch = OPENER.open_many(texts)
        assert list(batch.present) == [0, 1 << list(EXTRAS).index(name)]
        assert batch.opened(0).claims == OPENER.open(texts[0]).claims
        assert batch.opened(1).claims == OPENER.open(texts[1]).claims

    @pytest.mark.parametrize("size", range(8, 17))
    def test_nonces_keep_their_length(self, size):
        nonce = b"\0" * size
        batch = OPENER.open_many([signed_text(encode_claims(a_voucher(nonce=nonce)))])
        assert batch.opened(0).claims.nonce == nonce

    def test_no_texts_make_an_empty_batch(self):
        assert len(OPENER.open_many([])) == 0

    def test_columns_may_be_any_buffers_of_the_right_length(self):
        batch = OPENER.open_many(self.TEXTS)
        columns = {name: bytes(batch.column(name)) for name in COLUMNS}
        assert OpenedBatch(OPENER.keys, ANY_TIME, NOW, columns).opened(0) == batch.opened(0)
        for name in COLUMNS:
            wrong = OpenedBatch(OPENER.keys, ANY_TIME, NOW, columns | {name: columns[name] * 2})
            with pytest.raises(ValueError, match="has another length"):
                wrong.opened(0) if name != "codes" else wrong.column("entries")

    def test_judging_a_batch_is_judging_each(self):
        texts = [
            fake_issuer().issue(HOLDER, city, now=at).text for city in (CITY, "330201") for at in (0, NOW, NOW + 99)
        ]
        texts.append("96")
        opener = SerialEngine().prepare(RING)
        batch = opener.open_many(texts, Limits(), NOW)
        assert set(batch.codes) == {0, 17, 97, 98, 115}
        for i, text in enumerate(texts):
            if batch.codes[i]:
                with pytest.raises(TokenError) as caught:
                    opener.open(text, Limits(), NOW)
                assert caught.value.to_dict() == batch.error(i).to_dict()
            else:
                assert opener.open(text, Limits(), NOW) == batch.opened(i)

    def test_each_text_may_have_a_time_of_its_own(self):
        text = fake_issuer().issue(HOLDER, CITY).text
        opener = SerialEngine().prepare(RING)
        batch = opener.open_many([text] * 3, Limits(), [NOW - 99, NOW, NOW + 99])
        assert [code and BY_NUMBER[code].code for code in batch.codes] == ["time.future", 0, "time.expired"]
        assert (batch.error(0).now, batch.error(2).now) == (NOW - 99, NOW + 99)
        for times in ([NOW] * 2, [NOW] * 4, []):
            with pytest.raises(ValueError, match=f"{len(times)} times for 3 texts"):
                opener.open_many([text] * 3, Limits(), times)


class TestJudge:
    def judged(self, *, now: int = NOW, skew: int = 10, max_lifetime: int = 300, entry=None, **changes) -> str:
        claims = OPENER.open(signed_text(encode_claims(a_voucher(**changes)))).claims
        entry = entry or RING.entries[0]
        number = number_of(entry, claims.issued_at, claims.expires_at, claims.city, now, skew, max_lifetime)
        return BY_NUMBER[number].code if number else "accepted"

    @pytest.mark.parametrize(
        ("now", "code"),
        [
            (NOW - 11, "time.future"), (NOW - 10, "accepted"), (NOW, "accepted"), (NOW + 69, "accepted"),
            (NOW + 70, "time.expired"), (2**40, "time.expired"), (0, "time.future"),
        ],
    )  # fmt: skip
    def test_time_has_both_bounds_and_one_skew(self, now, code):
        assert self.judged(now=now) == code

    def test_without_skew_the_bounds_are_the_tokens_own(self):
        assert [self.judged(now=NOW + late, skew=0) for late in (-1, 0, 59, 60)] == [
            "time.future", "accepted", "accepted", "time.expired",
        ]  # fmt: skip

    @pytest.mark.parametrize(("lifetime", "code"), [(300, "accepted"), (301, "time.lifetime")])
    def test_a_token_lives_no_longer_than_is_allowed(self, lifetime, code):
        assert self.judged(expires_at=NOW + lifetime) == code

    @pytest.mark.parametrize(
        ("not_before", "not_after", "code"),
        [
            (NOW, NOW + 1, "accepted"), (NOW + 1, NOW + 2, "scope.period"), (NOW - 1, NOW, "scope.period"),
            (0, 2**32, "accepted"),
        ],
    )  # fmt: skip
    def test_a_key_signs_within_its_period(self, not_before, not_after, code):
        entry = KeyEntry(FAKE, "Zhejiang", not_before=not_before, not_after=not_after)
        assert self.judged(entry=entry) == code

    @pytest.mark.parametrize(
        ("since", "code"), [(NOW + 1, "accepted"), (NOW, "scope.withdrawn"), (0, "scope.withdrawn")]
    )
    def test_a_withdrawn_key_is_good_for_what_it_signed_before(self, since, code):
        assert self.judged(entry=KeyEntry(FAKE, "Zhejiang", withdrawn_since=since)) == code

    @pytest.mark.parametrize(
        ("city_code", "code"),
        [("330106", "accepted"), ("330200", "scope.place"), ("340000", "scope.place"), ("000000", "scope.place")],
    )
    def test_a_key_signs_for_its_places(self, city_code, code):
        assert self.judged(city_code=city_code) == code

    def test_the_first_rule_that_is_broken_is_reported(self):
        entry = KeyEntry(FAKE, "Zhejiang", Scope(("44",)), NOW + 5, withdrawn_since=0)
        bad = {"entry": entry, "expires_at": NOW + 999}
        assert self.judged(now=NOW - 99, **bad) == "time.future"
        assert self.judged(now=NOW + 9999, **bad) == "time.expired"
        assert self.judged(**bad) == "time.lifetime"
        assert self.judged(entry=entry) == "scope.period"
        assert self.judged(entry=KeyEntry(FAKE, "Zhejiang", Scope(("44",)), withdrawn_since=0)) == "scope.withdrawn"
        assert self.judged(entry=KeyEntry(FAKE, "Zhejiang", Scope(("44",)))) == "scope.place"


def test_the_serial_engine_is_an_engine():
    engine: Engine = SerialEngine()
    assert engine.name == "serial"
    assert repr(engine) == "SerialEngine()"
    assert engine.prepare(RING).keys is RING
    assert Opened(RING.entries[0], None).entry is RING.entries[0]  # type: ignore[arg-type]
