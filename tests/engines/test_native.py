"""The native engine: the verdicts of the serial engine for every input, in every form, on every path; and its keys.

test_vectors.py runs the vectors through it; this file has mixtures, forms, paths and misuse.
"""

from __future__ import annotations

import copy
import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interop.library import ring_of
from tests import test_aliases
from tests.support import (
    DEVICE,
    EXTRAS,
    FAKE,
    HOLDER,
    NOW,
    Opening,
    a_voucher,
    counted_nonces,
    presented,
    text_of,
    vouchers,
    with_check,
)
from tests.test_vectors import VERIFYING
from ybtoken import Algorithm, Issuer, KeyEntry, KeyRing, Profile, Scope, TokenError, Verifier
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.engines.columns import COLUMNS, OpenedBatch
from ybtoken.engines.serial import SerialEngine
from ybtoken.engines.texts import held
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey, SM2VerifyingKey
from ybtoken.policy import Channel, Purpose
from ybtoken.refusals import BY_NUMBER
from ybtoken.testing.engines import check_engine
from ybtoken.testing.keys import FakeKey, check_key_pair
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import cut_envelope, encode_byte_string, encode_envelope, encode_header, sign1_prefix
from ybtoken.wire.text import MAX_TEXT, encode_text

pytest.importorskip("ybtoken_native", reason="the native engine is not installed")

from ybtoken.engines.native import NativeEngine
from ybtoken.keys.sm2_native import NativeSM2SigningKey

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SM2_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


def _p256(secret: int, algorithm: Algorithm = Algorithm.ES256) -> P256SigningKey:
    return P256SigningKey(secret.to_bytes(32, "big"), algorithm=algorithm)


def _sm2(secret: int, user_id: bytes = DEFAULT_USER_ID) -> NativeSM2SigningKey:
    return NativeSM2SigningKey(secret.to_bytes(32, "big"), user_id=user_id)


class Renamed:
    """A P-256 key with the kid of other tests' keys, so that their texts reach step 4 with it."""

    algorithm, kid = Algorithm.ES256, FAKE.kid
    _key = _p256(9).verifying_key
    point = _key.point

    def verify(self, message: bytes, signature: bytes) -> None:
        self._key.verify(message, signature)


KEYS = (_p256(1234567), _p256(7654321, Algorithm.ESP256), _sm2(1234567), _sm2(99, b"\xff not UTF-8"), _sm2(3, b"A"))
PHONE = _p256(77)
SCOPE = Scope(("33",), ("3302",))
RING = KeyRing(
    [KeyEntry(key.verifying_key, f"issuer {i}", SCOPE if i % 2 else Scope()) for i, key in enumerate(KEYS)]
    + [KeyEntry(Renamed(), "renamed")]
)


def _runs(path: Any) -> bool:
    try:
        NativeEngine(path=path)
    except RuntimeError:  # the processor does not
        return False
    return True


PATHS = [
    pytest.param(path, marks=pytest.mark.skipif(not _runs(path), reason=f"this processor cannot run {path}"))
    for path in ("ifma", "avx2", "scalar", "slow")
]


def signed_bytes(payload: bytes, key: Any = KEYS[0], change: Callable[[bytes], bytes] = bytes) -> bytes:
    header = encode_header(key.algorithm, key.kid)
    return encode_envelope(header, payload, change(key.sign(sign1_prefix(header) + encode_byte_string(payload))))


def signed(payload: bytes, key: Any = KEYS[0], profile: int = 1, change: Callable[[bytes], bytes] = bytes) -> str:
    data = signed_bytes(payload, key, change)
    return encode_text(profile, data, "01234567" if profile == Profile.ROTATING else "")


def issued(count: int, **options: Any) -> list[str]:
    issuers = [Issuer(key, random=counted_nonces(), clock=lambda: NOW) for key in KEYS]
    return [issuers[i % len(KEYS)].issue(HOLDER, "330106", **options).text for i in range(count)]


def _signatures(key: Any) -> Iterator[Callable[[bytes], bytes]]:
    """Changes of a signature, each wrong in another way."""
    order = SM2_N if key.algorithm is Algorithm.SM2 else N
    for r, s in (
        (0, 1), (1, 0), (1, 1), (order, 1), (1, order), (order - 1, 1), (1, order - 1), (2**256 - 1, 2**256 - 1),
        (order + 1, order + 1), (2**255, order - 2**255),
    ):  # fmt: skip
        yield lambda _, r=r, s=s: r.to_bytes(32, "big") + s.to_bytes(32, "big")  # type: ignore[misc]
    for bit in (0, 7, 255, 256, 300, 511):
        yield lambda good, bit=bit: (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(64, "big")  # type: ignore[misc]
    yield lambda good: good[32:] + good[:32]
    yield lambda good: good[:32] + (order - int.from_bytes(good[32:], "big")).to_bytes(32, "big")  # good for ECDSA


def mixture() -> list[str]:
    """Good and bad texts of every kind, for the ring above."""
    full, plain = encode_claims(a_voucher(**EXTRAS)), encode_claims(a_voucher())
    texts = issued(23) + issued(7, **{**EXTRAS, "presenter": bytes(16)})
    for key in KEYS:
        texts += [signed(plain, key, change=change) for change in _signatures(key)]
        texts += [signed(payload, key) for payload in (full + b"\0", full[:-1], plain[:-1], bytes(30), bytes(238))]
        texts += [signed(full, key, profile=profile) for profile in (2, 3)]
        passes = [encode_claims(a_voucher(profile=Profile(number))) for number in (2, 3)]
        texts += [signed(payload, key, profile=profile) for payload in passes for profile in (1, 2, 3)]
        shown = [presented(signed_bytes(passes[1], key), phone) for phone in (DEVICE, PHONE)]
        texts += [encode_text(profile, data) for data in shown for profile in (1, 3)]
        texts += [signed(plain, key)[:-2] + "00", signed(plain, key) + "\n"]
        texts += [encode_text(1, signed_bytes(plain, key) + b"\0"), encode_text(1, signed_bytes(plain, key)[1:])]
        for algorithm in (-7, -9, -65537, -48, -8):  # the kid under another algorithm
            _, payload, signature = cut_envelope(signed_bytes(plain, key))
            texts.append(text_of(encode_envelope(encode_header(algorithm, key.kid), payload[2:], signature)))
    texts += [signed(payload) for _, payload in test_aliases.claims_aliases()]
    texts += [text_of(data) for _, data in test_aliases.envelope_aliases()]
    texts += [text for _, text in test_aliases.text_aliases()]
    texts += [case["text"] for id_, case in VERIFYING.items() if id_.startswith(("device/", "rotating/"))]
    texts += [signed(plain, FakeKey("stranger")), signed(plain, FAKE), signed(plain, DEVICE)]
    texts += ["", "9", "96", "医保码", "\ud800" * 900, "9" * MAX_TEXT, "9" * (MAX_TEXT + 1), "96" + "٣" * 300, "\0" * 9]
    texts += [with_check("96" + "0" * 17 * n) for n in (1, 2, 40)] + ["96" + "9" * 17 * n + "00" for n in (1, 8)]
    return texts


MIXTURE = mixture()
OPENERS = [Opening(RING), Opening(RING, NativeEngine())]
VERIFIERS = [Verifier(RING, engine=engine, clock=lambda: NOW) for engine in (SerialEngine(), NativeEngine())]


def columns_of(batch: OpenedBatch) -> dict[str, bytes]:
    return {name: bytes(batch.column(name)) for name in COLUMNS}


@pytest.fixture(scope="module")
def expected() -> OpenedBatch:
    return Opening(RING).open_many(MIXTURE)


def test_the_mixture_has_everything_that_steps_1_to_5_refuse(expected: OpenedBatch) -> None:
    assert len(MIXTURE) > 300
    met = {BY_NUMBER[code].code for code in set(expected.codes) - {0}}
    of_engines = {refusal.code for refusal in BY_NUMBER.values() if refusal.step <= 5}
    assert met == of_engines - {"key.ring_expired", "key.ring_unavailable"}  # a source of rings refuses so
    accepted = {expected.entries[i] for i, code in enumerate(expected.codes) if code == 0}
    assert accepted == set(range(len(KEYS)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", PATHS)
def test_every_path_gives_the_verdicts_of_the_serial_engine(path: Any, threads: int) -> None:
    engine = NativeEngine(path=path, threads=threads)
    assert engine.path == path
    check_engine(engine, RING, MIXTURE, now=NOW)


@pytest.mark.parametrize(("less", "kilobytes"), [(0, 786), (1, 262)])
def test_tables_are_wide_where_the_whole_ring_has_room_for_them(less: int, kilobytes: int) -> None:
    count = len(RING.entries)
    engine = NativeEngine(table_bytes=count * (832 << 10) - less)
    stats = engine.prepare(RING)._ring.table_stats()
    assert (stats["tables"], stats["bytes"] // count // 1000, stats["evicted"]) == (count, kilobytes, 0)
    check_engine(engine, RING, MIXTURE[::3], now=NOW)


@pytest.mark.parametrize("table_bytes", [0, 262_144, 3 * 262_144])
def test_tables_over_the_cap_change_no_verdict(table_bytes: int, expected: OpenedBatch) -> None:
    opener = Opening(RING, NativeEngine(table_bytes=table_bytes, threads=2))
    for _ in range(2):
        assert columns_of(opener.open_many(MIXTURE)) == columns_of(expected)
    assert opener._opener._ring.table_stats()["evicted"] > 0


def test_every_vector_gets_the_same_columns() -> None:
    rings: dict[str, tuple[KeyRing, list[str]]] = {}
    for case in VERIFYING.values():
        document = json.dumps([case.get(name) for name in ("jwks", "keyset", "document")])
        rings.setdefault(document, (ring_of(case), []))[1].append(case["text"])
    assert sum(len(texts) for _, texts in rings.values()) > 400
    engine = NativeEngine()
    for ring, texts in rings.values():
        check_engine(engine, ring, texts, now=NOW)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 15, 16, 17, 63, 255, 256, 257, 2049])
def test_a_bad_token_disturbs_no_other_wherever_it_stands(count: int) -> None:
    good = issued(20)
    codes = Opening(RING).open_many(MIXTURE).codes
    bad = [text for text, code in zip(MIXTURE, codes, strict=True) if code == 65]
    opener = Opening(RING, NativeEngine())
    for at in {0, count // 2, count - 1}:
        texts = [good[i % 20] for i in range(count)]
        texts[at] = bad[count % len(bad)]
        assert [i for i, code in enumerate(opener.open_many(texts).codes) if code] == [at]


def test_all_forms_of_texts_give_the_same_columns(expected: OpenedBatch) -> None:
    opener = Opening(RING, NativeEngine())
    one_line = [text for text in MIXTURE if "\n" not in text and "\ud800" not in text and text]
    reference = columns_of(Opening(RING).open_many(one_line))
    lines = "\n".join(one_line).encode()
    assert columns_of(opener.open_many(iter(MIXTURE))) == columns_of(expected)
    forms: list[Any] = [one_line, tuple(one_line), iter(one_line), [text.encode() for text in one_line]]
    forms += [lines, lines + b"\n", bytearray(lines), memoryview(lines)]
    for form in forms:
        assert columns_of(opener.open_many(form)) == reference
    assert columns_of(opener.open_many(b"")) == columns_of(opener.open_many([]))


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "binary"])
def test_arrow_arrays_give_the_same_columns(kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    texts = [text for text in MIXTURE if "\ud800" not in text]
    opener = Opening(RING, NativeEngine())
    reference = columns_of(Opening(RING).open_many(texts))
    array = pa.array([text.encode() for text in texts] if kind == "binary" else texts, type=getattr(pa, kind)())
    assert columns_of(opener.open_many(array)) == reference
    assert columns_of(opener.open_many(pa.chunked_array([array[:99], array[99:]]))) == reference


class Liar(str):
    """A `str` whose methods return another text than it holds."""

    def encode(self, *_: object) -> bytes:
        return MIXTURE[0].encode()

    def __str__(self) -> str:
        return MIXTURE[0]

    def __getitem__(self, at: Any) -> str:
        return MIXTURE[0][at]

    def __len__(self) -> int:
        return len(MIXTURE[0])


FORMS = [
    "str", "liars", "bytes", "mixed", "iterator", "lines", "bytearray", "memoryview", "string", "large_string",
    "binary", "large_binary", "string_view", "binary_view", "dictionary", "dictionary of views",
    "fixed_size_binary", "chunked", "scalars", "capsule", "null", "nulls", "int64", "numbers", "nested", "none",
]  # fmt: skip
ENCODED = [text.encode("utf-8", "surrogatepass") for text in MIXTURE[::7]]


def _cast_if_possible(array: Any, kind: Any) -> Any:
    """The array as a view type, or as it is with a pyarrow that casts nothing to views."""
    pa = pytest.importorskip("pyarrow")
    try:
        return array.cast(kind)
    except pa.ArrowNotImplementedError:
        return array


def in_form(form: str, texts: list[bytes]) -> Any:
    """Byte strings, which need not be UTF-8, in a form in which an application may hold them."""
    pa = pytest.importorskip("pyarrow")
    decoded = [text.decode("utf-8", "surrogateescape") for text in texts]
    binary = pa.array(texts, pa.large_binary())
    match form:
        case "str":
            return decoded
        case "liars":
            return [Liar(text) for text in decoded]
        case "bytes" | "iterator":
            return texts if form == "bytes" else iter(texts)
        case "mixed":
            return [each[i % 2] for i, each in enumerate(zip(texts, decoded, strict=True))]
        case "lines" | "bytearray" | "memoryview":
            lines = b"\n".join(texts)
            return lines if form == "lines" else {"bytearray": bytearray, "memoryview": memoryview}[form](lines)
        case "string" | "large_string" | "binary" | "large_binary" | "string_view" | "binary_view":
            # Not checked for UTF-8, like arrays that are read from a file.
            plain = binary.cast(pa.binary())
            if form in ("string", "large_string", "string_view"):
                wide = form == "large_string"
                source = binary if wide else plain
                kind = pa.large_string() if wide else pa.string()
                array = pa.Array.from_buffers(kind, len(source), source.buffers(), offset=source.offset)
                return array if form != "string_view" else _cast_if_possible(array, pa.string_view())
            return _cast_if_possible(binary, getattr(pa, form)())
        case "dictionary" | "chunked" | "scalars":
            if form == "dictionary":
                return plain_dictionary(binary)
            return list(binary) if form == "scalars" else pa.chunked_array([binary[:1], binary[1:]])
        case "dictionary of views":
            return pa.DictionaryArray.from_arrays(
                pa.array(range(len(texts))), _cast_if_possible(binary, pa.binary_view())
            )
        case "fixed_size_binary":
            return pa.array([text.ljust(8, b"0")[:8] for text in texts], pa.binary(8))
        case "capsule":
            return type(
                "Foreign", (), {"__arrow_c_array__": lambda self, schema=None: binary.__arrow_c_array__(schema)}
            )()
        case "null":
            return pa.array([*texts, None], pa.binary())
        case "nulls":
            return pa.nulls(len(texts))
        case "int64" | "numbers":
            numbers = pa.array(range(len(texts)), pa.int64())
            return numbers if form == "int64" else numbers.dictionary_encode()
        case "nested":
            return [[text] for text in decoded] or [[""]]
        case _:
            return [*decoded, None]


def plain_dictionary(binary: Any) -> Any:
    return binary.dictionary_encode()


@pytest.mark.parametrize("cell", ["1" * 1_000_000, "\U00020bb7" * 300_000, b"\xff" * 1_000_000])
@pytest.mark.parametrize("wide", [False, True])
def test_one_long_cell_of_a_dictionary_is_not_the_memory_of_every_row(cell: str | bytes, wide: bool) -> None:
    pa = pytest.importorskip("pyarrow")
    kind = {(str, False): pa.string(), (str, True): pa.large_string(), (bytes, False): pa.binary()}
    values = pa.array([cell, cell[:5]], kind.get((type(cell), wide), pa.large_binary()))
    rows = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 500 + [0], pa.int16()), values)
    assert held(rows).nbytes < 2_000_000
    for engine in (SerialEngine(), NativeEngine()):
        verdicts = Verifier(KeyRing(), engine=engine).verify_many(rows, now=NOW)
        assert [error.code for error in verdicts][:2] == ["text.length", "text.prefix"]
        assert set(verdicts.codes[::2]) == {verdicts.codes[0]}


@pytest.mark.parametrize("kind", ["string", "binary", "large_string", "large_binary"])
def test_a_dictionary_is_decoded_with_offsets_that_no_number_of_rows_overflows(kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    values = pa.array([b"1" * 3204, None], pa.large_binary()).cast(getattr(pa, kind)())  # 671,250 rows are 2 GiB
    plain = held(pa.DictionaryArray.from_arrays(pa.array([0] * 1000), values))
    assert plain.type == pa.large_binary()
    assert plain.nbytes < 1000 * 820


@pytest.mark.parametrize("wrap", [None, "dictionary", "chunked"])
def test_views_of_strings_need_not_be_utf_8(wrap: str | None) -> None:
    pa = pytest.importorskip("pyarrow")
    text = b"\xff" + b"1" * 11  # so short that it stands in the view itself
    view = pa.py_buffer(len(text).to_bytes(4, "little") + text)
    views = pa.Array.from_buffers(pa.string_view(), 1, [None, view])
    if wrap == "dictionary":
        views = pa.DictionaryArray.from_arrays(pa.array([0]), views)
    elif wrap == "chunked":
        views = pa.chunked_array([views])
    for engine in (SerialEngine(), NativeEngine()):
        verdicts = Verifier(KeyRing(), engine=engine).verify_many(views, now=NOW)
        assert [error.code for error in verdicts] == ["text.prefix"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(st.sampled_from(ENCODED) | st.binary(max_size=12), max_size=5),
    st.sampled_from([NOW, [NOW] * 3, "1800000000", 2**70, [2**70], [NOW, "x"], [True], None, 1.5, -1]),
)  # fmt: skip
def test_whatever_form_texts_and_times_have_engines_say_the_same(form: str, texts: list[bytes], now: Any) -> None:
    said = []
    for verifier in VERIFIERS:
        try:
            verdicts = verifier.verify_many(in_form(form, texts), now=now)
            said.append((bytes(verdicts.codes), *(bytes(verdicts.batch.column(name)) for name in COLUMNS)))
        except (TypeError, ValueError) as error:
            said.append((type(error), str(error)))
    assert said[0] == said[1]


def test_a_text_that_lies_is_taken_for_what_it_is() -> None:
    for verifier in VERIFIERS:
        with pytest.raises(TokenError):
            verifier.verify(Liar("96"))
        assert verifier.verify_many([Liar("96")]).accepted == 0
    assert verifier.verify(MIXTURE[0])


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=20),
    st.sampled_from([0, 1, 266, 267, 399, 400, 401, 799, 800, 801]),
    st.sampled_from(["é", "０"]),
)
def test_bytes_that_are_no_text_are_refused_alike(noise: bytes, count: int, filler: str) -> None:
    texts = [b"96" + filler.encode() * count + noise, b"96" + noise * (count // 20), noise]
    assert columns_of(OPENERS[1].open_many(texts)) == columns_of(OPENERS[0].open_many(texts))


@pytest.mark.parametrize("misuse", [[96], [None], [["96"]], 96, None])
def test_what_is_no_text_is_misuse(misuse: Any) -> None:
    with pytest.raises(TypeError):
        Opening(RING, NativeEngine()).open_many(misuse)


# -- judging ---------------------------------------------------------------------------------------------------------


def _timed() -> tuple[KeyRing, list[str]]:
    """Keys with periods and scopes, and tokens that are outside them in every way."""
    limits: list[dict[str, int]] = [
        {}, {"not_before": NOW + 5}, {"not_after": NOW}, {"withdrawn_since": NOW - 3}, {"withdrawn_since": NOW + 1},
    ]  # fmt: skip
    entries = [KeyEntry(key.verifying_key, "limited", SCOPE, **more) for key, more in zip(KEYS, limits, strict=True)]
    texts = [
        signed(encode_claims(a_voucher(issued_at=NOW + at, expires_at=NOW + at + lives, city_code=city)), key)
        for key in KEYS
        for at in (-400, -60, -4, 0, 6, 10, 11)
        for lives in (1, 60, 300, 301)
        for city in ("330106", "330201", "320100")
    ]
    return KeyRing(entries), [*texts, *MIXTURE[::9]]


TIMED, TIMED_TEXTS = _timed()


@pytest.mark.parametrize("now", [NOW - 10_000, NOW - 11, NOW - 10, NOW, NOW + 69, NOW + 70, NOW + 10_000, 0, 2**32 - 1])
def test_time_and_scope_are_judged_alike(now: int) -> None:
    serial, native = Verifier(TIMED), Verifier(TIMED, engine=NativeEngine())
    theirs, ours = serial.verify_many(TIMED_TEXTS, now=now), native.verify_many(TIMED_TEXTS, now=now)
    assert ours.codes == theirs.codes
    for mine, other in zip(ours, theirs, strict=True):
        assert _told(mine) == _told(other)


def test_a_time_for_each_is_judged_alike() -> None:
    times = [NOW + (i * 37) % 500 - 200 for i in range(len(TIMED_TEXTS))]
    serial, native = Verifier(TIMED), Verifier(TIMED, engine=NativeEngine(threads=2))
    codes = native.verify_many(TIMED_TEXTS, now=times).codes
    assert codes == serial.verify_many(TIMED_TEXTS, now=times).codes
    assert {BY_NUMBER[code].step for code in set(codes) - {0}} >= {6, 7}
    with pytest.raises(ValueError, match="times for"):
        native.verify_many(TIMED_TEXTS, now=times[1:])


def test_policies_are_judged_alike() -> None:
    policies = [Channel(7, accept_unstated=True), Purpose("01301", accept_unstated=False)]
    verdicts = [
        Verifier(RING, policies=policies, engine=engine).verify_many(MIXTURE, now=NOW)
        for engine in (SerialEngine(), NativeEngine())
    ]
    assert verdicts[0].codes == verdicts[1].codes
    assert {"policy.purpose"} <= set(verdicts[0].counts())
    assert [_told(verdict) for verdict in verdicts[0]] == [_told(verdict) for verdict in verdicts[1]]


def _told(verdict: Any) -> Any:
    return verdict.to_dict() if isinstance(verdict, TokenError) else verdict


def test_one_text_is_verified_as_by_the_serial_engine() -> None:
    serial, native = Verifier(RING), Verifier(RING, engine=NativeEngine())
    for text in MIXTURE[::5]:
        told = []
        for verifier in (serial, native):
            try:
                told.append(verifier.verify(text, now=NOW))
            except TokenError as error:
                told.append(error.to_dict())
        assert told[0] == told[1]


# -- anything ----------------------------------------------------------------------------------------------------------


def _same(text: str) -> int:
    serial, native = (opener.open_many([text]) for opener in OPENERS)
    assert columns_of(native) == columns_of(serial)
    alone = OPENERS[1]
    try:
        assert alone.open(text) == serial.opened(0)
    except TokenError as error:
        assert error.to_dict() == serial.error(0).to_dict()
    return serial.codes[0]


@settings(max_examples=60, deadline=None)
@given(vouchers(tuple(Profile)), st.sampled_from(KEYS), st.sampled_from([1, 2, 3]))
def test_any_voucher_is_opened_alike(voucher: Any, key: Any, profile: int) -> None:
    code = _same(signed(encode_claims(voucher), key, profile))
    assert (code == 0) == (voucher.profile == profile != 3)  # what is device-bound needs a phone's signature besides


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MIXTURE), st.data())
def test_any_change_of_a_text_is_opened_alike(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 20))
    _same(text[:at] + data.draw(st.text("0123456789", max_size=20) | st.text(max_size=3)) + text[at + cut :])


@settings(max_examples=60, deadline=None)
@given(st.text() | st.text("0123456789", max_size=MAX_TEXT + 1) | st.binary(min_size=1, max_size=320).map(text_of))
def test_any_text_is_opened_alike(text: str) -> None:
    _same(text)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.dictionaries(st.integers(), st.integers() | st.binary()).map(cbor2.dumps))
def test_any_payload_with_a_good_signature_is_opened_alike(payload: bytes) -> None:
    if 24 <= len(payload) < 239:
        _same(signed(payload, KEYS[2]))
    one_byte = data_with(payload)
    _same(signed(one_byte))


def data_with(noise: bytes) -> bytes:
    """Good claims of which some bytes are changed."""
    claims = bytearray(encode_claims(a_voucher(**EXTRAS)))
    for at, byte in zip(noise[::2], noise[1:3:2], strict=False):
        claims[at % len(claims)] = byte
    return bytes(claims)


# -- misuse ------------------------------------------------------------------------------------------------------------


def _imported_with(native: ModuleType | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ybtoken_native", native)
    monkeypatch.delitem(sys.modules, "ybtoken._native")
    importlib.import_module("ybtoken._native")


def test_a_missing_module_says_what_to_install() -> None:
    code = "import sys; sys.modules['ybtoken_native'] = None; import ybtoken; import ybtoken.engines.native"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "pip install 'ybtoken[native]'" in result.stderr
    assert "请安装" in result.stderr


def test_a_module_of_another_abi_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("ybtoken_native")
    other.ABI, other.VERSION = 99, "9.0.0"  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match=r"9\.0\.0 \(ABI 99\) does not fit .* 请安装相互匹配的版本"):
        _imported_with(other, monkeypatch)


@pytest.mark.parametrize("options", [{"threads": 0}, {"threads": -1}, {"threads": 10**6}, {"path": "quick"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        NativeEngine(**options)


def test_an_engine_says_what_it_is() -> None:
    engine = NativeEngine(path="scalar", threads=2)
    assert repr(engine) == "NativeEngine(threads=2, path='scalar')"
    assert engine.name == "native"


def test_a_key_off_its_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="key 0"):
        NativeEngine().prepare(KeyRing([KeyEntry(FAKE, "fake")]))


def test_an_sm2_key_that_does_not_say_its_user_id_is_refused() -> None:
    class Silent:
        algorithm, kid, point = Algorithm.SM2, KEYS[2].kid, KEYS[2].verifying_key.point

        def verify(self, message: bytes, signature: bytes) -> None: ...

    with pytest.raises(ValueError, match="user_id"):
        NativeEngine().prepare(KeyRing([KeyEntry(Silent(), "silent")]))


def test_an_empty_ring_knows_no_key() -> None:
    batch = Opening(KeyRing(), NativeEngine()).open_many(issued(3))
    assert {BY_NUMBER[code].code for code in batch.codes} == {"key.unknown"}


def test_a_key_that_was_withdrawn_stays_so() -> None:
    """Only the entries of the prepared ring are used."""
    ring = RING.withdrawn(KEYS[0].kid, since=0)
    verdicts = Verifier(ring, engine=NativeEngine()).verify_many(issued(5), now=NOW)
    assert verdicts.counts() == {"scope.withdrawn": 1}
    assert replace(ring.entries[0], withdrawn_since=None) == RING.entries[0]


# -- signing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["libcrypto", "tables"])
@pytest.mark.parametrize("user_id", [DEFAULT_USER_ID, b"Alice"])
def test_the_signing_key_conforms(backend: Any, user_id: bytes) -> None:
    key = NativeSM2SigningKey.generate(user_id=user_id)
    other = NativeSM2SigningKey.generate(user_id=user_id).verifying_key
    try:
        verifying, another = (
            SM2VerifyingKey.from_point(*public.point, user_id=user_id, backend=backend)
            for public in (key.verifying_key, other)
        )
    except LibcryptoError as error:
        pytest.skip(error.en)
    check_key_pair(key, verifying, other=another)


def test_a_native_key_is_the_same_key_as_libcryptos() -> None:
    scalar = (20_260_101).to_bytes(32, "big")
    try:
        theirs = SM2SigningKey(scalar)
    except LibcryptoError as error:
        pytest.skip(error.en)
    for passphrase in (None, b"a passphrase"):
        ours = NativeSM2SigningKey.from_pem(theirs.to_pem(passphrase=passphrase), passphrase=passphrase)
        assert (ours.kid, ours.verifying_key.point) == (theirs.kid, theirs.verifying_key.point)
        theirs.verifying_key.verify(b"message", ours.sign(b"message"))
        ours.verifying_key.verify(b"message", theirs.sign(b"message"))
    assert ours.kid == NativeSM2SigningKey(scalar).kid
    with pytest.raises(ValueError):
        NativeSM2SigningKey.from_pem(_p256(5).to_pem(passphrase=None))


@pytest.mark.parametrize(
    "scalar", [bytes(32), b"\xff" * 32, (SM2_N - 1).to_bytes(32, "big"), SM2_N.to_bytes(32, "big"), b"\1", bytes(33)]
)
def test_a_scalar_out_of_range_is_refused(scalar: bytes) -> None:
    with pytest.raises(ValueError, match=r"private (key|number)|no spelling of a key"):
        NativeSM2SigningKey(scalar)


def test_a_user_id_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="user id"):
        NativeSM2SigningKey.generate(user_id=bytes(8192))


def test_a_signing_key_shows_no_secret_and_is_not_copied() -> None:
    secret = bytes.fromhex("5ec2e7") * 10 + b"\1\2"
    key = NativeSM2SigningKey(secret)
    shown = "".join(map(repr, (key, key._key, *(getattr(key, name) for name in dir(key) if name[:2] != "__"))))
    shown += "".join(repr(getattr(key._key, name)) for name in dir(key._key) if name[:2] != "__")
    assert "5ec2e7" not in shown
    assert str(int.from_bytes(secret, "big")) not in shown
    assert repr(secret)[2:-1] not in shown
    for thing in (key, key._key):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                take(thing)


def test_no_two_signatures_have_one_nonce() -> None:
    key = KEYS[2]
    assert len({key.sign(b"the same message")[:32] for _ in range(50)}) == 50
