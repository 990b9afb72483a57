"""The Python module's inputs and outputs. The rules are tested in Rust."""

from __future__ import annotations

import copy
import hashlib
import mmap
import multiprocessing
import os
import pickle
import random
import re
import struct
import threading
from array import array
from pathlib import Path
from typing import Any

import pytest
import ybtoken_native as native
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ES256, SM2 = b"\xa2\x01\x26\x04\x48", b"\xa2\x01\x3a\x00\x01\x00\x00\x04\x48"
IAT, EXP, CITY = 1_780_000_000, 1_780_000_060, 330_100
WITHIN: dict[str, int] = {"now": IAT, "skew": 5, "max_lifetime": 300}
"""A time and limits that accept every token here."""
EVERYWHERE = [(0, 1_000_000)]


def spell(token: bytes, prefix: str = "96") -> str:
    digits = (0, 3, 5, 8, 10, 13, 15, 17)
    groups = (token[i : i + 7] for i in range(0, len(token), 7))
    body = prefix + "".join(f"{int.from_bytes(group, 'little'):0{digits[len(group)]}d}" for group in groups)
    return f"{body}{98 - int(body) * 100 % 97:02d}"


class P256Signer:
    def __init__(self, secret: int) -> None:
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        self.x, self.y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        self.header = ES256 + hashlib.sha256(self.x).digest()[:8]
        self.user_id = b""

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Sm2Signer:
    def __init__(self, secret: int, user_id: bytes = b"1234567812345678") -> None:
        self._key = native.Sm2Key(secret.to_bytes(32, "big"), user_id=user_id)
        self.x, self.y, self.sign, self.user_id = self._key.x, self._key.y, self._key.sign, user_id
        self.header = SM2 + hashlib.sha256(self.x).digest()[:8]


def claims(number: int, optional: bytes = b"") -> bytes:
    nonce = number.to_bytes(8, "big")
    head = b"\xa4\x04\x1a" + struct.pack(">I", EXP) + b"\x06\x1a" + struct.pack(">I", IAT) + b"\x07\x48" + nonce
    voucher = b"\x3a\x00\x01\x00\x00" + (b"\x84" if optional else b"\x83") + b"\x01\x50" + b"identity 16bytes"
    return head + voucher + b"\x1a" + struct.pack(">I", CITY) + optional


def sign(signer: P256Signer | Sm2Signer, payload: bytes) -> str:
    header = bytes([0x40 | len(signer.header)]) + signer.header
    tail = b"\x58" + bytes([len(payload)]) + payload
    signature = signer.sign(b"\x84\x6aSignature1" + header + b"\x40" + tail)
    return spell(b"\xd2\x84" + header + b"\xa0" + tail + b"\x58\x40" + signature)


SIGNERS = [P256Signer(1234567), Sm2Signer(7654321), Sm2Signer(99, b"\xff not UTF-8")]
KEYS: list[native.Key] = [
    (signer.header, signer.x, signer.y, signer.user_id, 8, 0, 2**40, None, EVERYWHERE) for signer in SIGNERS
]
OPTIONAL = bytes.fromhex("a5011901f4021905150350") + b"presenter of 16b" + bytes.fromhex("0403051a00011170")
GOOD = [sign(SIGNERS[number % 3], claims(number)) for number in range(12)]
FULL = sign(SIGNERS[0], claims(1, OPTIONAL))
FORGED = GOOD[0][:-20] + ("1" if GOOD[0][-20] != "1" else "2") + GOOD[0][-19:-2]
FORGED += f"{98 - int(FORGED) * 100 % 97:02d}"
STRANGER = sign(P256Signer(42), claims(1))
MIXED = [*GOOD, "", "医保码", FORGED, STRANGER, "97" + GOOD[0][2:], FULL, GOOD[0] + "\r", "\ud800" * 900]


@pytest.fixture(scope="module")
def ring() -> native.Ring:
    return native.Engine().prepare(KEYS)


def rows(columns: native.Columns) -> list[tuple[bytes, ...]]:
    cut = []
    for name, width in native.COLUMNS:
        column = getattr(columns, name)
        assert type(column) is bytes
        assert len(column) == width * len(columns)
        cut.append([column[i : i + width] for i in range(0, len(column), width)])
    return list(zip(*cut, strict=True))


def opened(ring: native.Ring, text: str) -> tuple[bytes, ...]:
    """A row of `open_one` in the form that the columns have."""
    code, entry, found = ring.open_one(text, **WITHIN)
    kid = found if isinstance(found, bytes) else b""
    claims = found if isinstance(found, tuple) else (0, 0, kid, 0, b"", 0, *[None] * (len(native.COLUMNS) - 9))
    expires_at, issued_at, nonce, profile, identity_ref, city, *optional, _ = claims
    present = sum(1 << i for i, value in enumerate(optional) if value is not None)
    fixed = code, entry, issued_at, expires_at, city, profile, len(nonce), nonce, identity_ref, present
    return tuple(
        value.ljust(16, b"\0") if isinstance(value, bytes) else (value or 0).to_bytes(width, "little")
        for (_, width), value in zip(native.COLUMNS, (*fixed, *optional), strict=True)
    )


def test_versions_are_told() -> None:
    assert native.ABI == 3
    assert native.VERSION.count(".") == 2


def test_columns_are_told() -> None:
    assert native.COLUMNS[:15] == (
        ("codes", 1), ("entries", 2), ("issued_at", 4), ("expires_at", 4), ("cities", 4), ("profiles", 1),
        ("nonce_sizes", 1), ("nonces", 16), ("identity_refs", 16), ("present", 1), ("channels", 2), ("purposes", 4),
        ("presenters", 16), ("assurances", 1), ("status_indexes", 4),
    )  # fmt: skip


def test_the_numbers_of_refusals_are_those_of_the_table() -> None:
    """Read from the source: a number is 16 x step + k there, and in the table of the library."""
    refusals = pytest.importorskip("ybtoken.refusals")
    source = (Path(__file__).parents[2] / "engine/src/code.rs").read_text()
    known = re.findall(r"^    (\w+) = rule\((\d), (\d)\),", source, re.MULTILINE)
    assert len(known) == 16
    for name, step, k in known:
        upper = re.sub(r"(?<!^)([A-Z])", r"_\1", name).upper()
        assert refusals.Code[upper] == 16 * int(step) + int(k)
    others = re.findall(r"^    (\w+) = (\d+),", source, re.MULTILINE)
    assert others == [("Accepted", str(refusals.ACCEPTED)), ("Undecided", str(refusals.UNDECIDED))]


def test_one_text_comes_to_its_claims(ring: native.Ring) -> None:
    nonce = (1).to_bytes(8, "big")
    plain = (EXP, IAT, nonce, 1, b"identity 16bytes", CITY)
    code, entry, found = ring.open_one(FULL, **WITHIN)
    assert (code, entry, found[:11]) == (0, 0, (*plain, 500, 1301, b"presenter of 16b", 3, 70_000))
    code, entry, found = ring.open_one(GOOD[1], **WITHIN)
    assert (code, entry, found[:11]) == (0, 1, (*plain, *[None] * 5))
    assert len(found) == len(native.COLUMNS) - 3
    assert found[-1] is None


def test_refusals_carry_nothing_but_their_code_entry_and_kid(ring: native.Ring) -> None:
    assert ring.open_one("", **WITHIN) == (19, 0xFFFF, None)
    assert ring.open_one("97" + GOOD[0][2:], **WITHIN) == (255, 0xFFFF, None)
    assert ring.open_one(FORGED, **WITHIN) == (65, 0, None)
    assert ring.open_one(STRANGER, **WITHIN) == (49, 0xFFFF, P256Signer(42).header[-8:])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", [None, "avx2", "scalar", "slow"])
def test_many_texts_come_to_what_each_comes_to_alone(threads: int, path: native.Path | None) -> None:
    try:
        ring = native.Engine(threads=threads, path=path).prepare(KEYS)
    except RuntimeError as error:
        pytest.skip(str(error))
    expected = [opened(ring, text) for text in MIXED]
    for count in (1, 5):
        assert rows(ring.open_many(MIXED * count, **WITHIN)) == expected * count


def test_texts_may_be_bytes_and_any_iterable(ring: native.Ring) -> None:
    expected = rows(ring.open_many(GOOD, **WITHIN))
    assert rows(ring.open_many([text.encode() for text in GOOD], **WITHIN)) == expected
    assert rows(ring.open_many(tuple(GOOD), **WITHIN)) == expected
    assert rows(ring.open_many((text for text in GOOD), **WITHIN)) == expected
    assert len(ring.open_many([], **WITHIN)) == 0
    assert ring.open_many([b"\xff" * 900, b"\xff"], **WITHIN).codes == bytes([17, 19])


@pytest.mark.parametrize("texts", ["9600000", b"9600000", 5, None, [None], [5], [GOOD[0], bytearray(b"96")]])
def test_what_is_no_texts_is_a_type_error(ring: native.Ring, texts: object) -> None:
    with pytest.raises(TypeError):
        ring.open_many(texts, **WITHIN)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b"9600000", None, 96, ["96"]])
def test_one_text_is_a_str(ring: native.Ring, text: object) -> None:
    with pytest.raises(TypeError):
        ring.open_one(text, **WITHIN)  # type: ignore[arg-type]


def test_lines_are_a_batch(ring: native.Ring) -> None:
    texts = [text for text in MIXED if "\ud800" not in text]
    buffer = "\n".join(texts).encode()
    expected = rows(ring.open_many(texts, **WITHIN))
    for source in (buffer, bytearray(buffer), memoryview(buffer)):
        columns, used = ring.open_lines(source, **WITHIN)
        assert rows(columns) == expected
        assert used == len(buffer)
    columns, used = ring.open_lines(buffer, last=False, **WITHIN)
    assert rows(columns) == expected[:-1]
    assert buffer[used:].decode() == texts[-1]
    assert ring.open_lines(b"", **WITHIN)[1] == 0
    with mmap.mmap(-1, len(buffer)) as pages:
        pages[:] = buffer
        assert rows(ring.open_lines(pages, **WITHIN)[0]) == expected
    with pytest.raises((TypeError, BufferError)):
        ring.open_lines("96", **WITHIN)  # type: ignore[arg-type]


def chunk(texts: list[bytes], width: int = 4, start: int = 0) -> native.Chunk:
    """An Arrow chunk of all texts except the first ``start``."""
    ends = [sum(map(len, texts[:i])) for i in range(len(texts) + 1)]
    return None, array("i" if width == 4 else "q", ends).tobytes(), b"".join(texts), width, start, len(texts) - start


class TestArrow:
    texts = [text.encode() for text in MIXED if "\ud800" not in text]

    @pytest.fixture
    def expected(self, ring: native.Ring) -> list[tuple[bytes, ...]]:
        return rows(ring.open_many(self.texts, **WITHIN))

    @pytest.mark.parametrize("width", [4, 8])
    def test_chunks_are_read(self, ring: native.Ring, expected: list[tuple[bytes, ...]], width: int) -> None:
        whole = chunk(self.texts, width)
        assert rows(ring.open_arrow([whole], **WITHIN)) == expected
        assert rows(ring.open_arrow([(*whole[:4], 3, 6)], **WITHIN)) == expected[3:9]
        parts = [chunk(self.texts[:5], width), chunk([], width), chunk(self.texts, width, start=5)]
        assert rows(ring.open_arrow(parts, **WITHIN)) == expected
        assert len(ring.open_arrow([], **WITHIN)) == 0
        assert len(ring.open_arrow([(None, None, None, width, 0, 0)], **WITHIN)) == 0

    def test_any_buffer_of_bytes_will_do(self, ring: native.Ring, expected: list[tuple[bytes, ...]]) -> None:
        _, offsets, data, *numbers = chunk(self.texts)
        assert offsets is not None
        assert data is not None
        for kind in (bytearray, memoryview, lambda buffer: memoryview(buffer).cast("b")):
            assert rows(ring.open_arrow([(None, kind(offsets), kind(data), *numbers)], **WITHIN)) == expected

    def test_buffers_of_pyarrow_are_read(self, ring: native.Ring, expected: list[tuple[bytes, ...]]) -> None:
        pa = pytest.importorskip("pyarrow")
        for kind, width in ((pa.string(), 4), (pa.large_binary(), 8)):
            whole = pa.array(self.texts, type=pa.binary()).cast(kind)
            found = pa.chunked_array([whole[:4], whole[4:4], whole[4:]])
            chunks = [(*part.buffers(), width, part.offset, len(part)) for part in found.chunks]
            assert rows(ring.open_arrow(chunks, **WITHIN)) == expected

    def test_a_null_is_named(self, ring: native.Ring) -> None:
        good = chunk([b"96", b"96", b"96"])
        holed = (b"\x05", *good[1:])
        with pytest.raises(ValueError, match="row 4 is null"):
            ring.open_arrow([good, holed], **WITHIN)
        assert ring.open_arrow([(*holed[:4], 2, 1)], **WITHIN).codes == b"\x11"
        assert ring.open_arrow([(b"\x07", *good[1:])], **WITHIN).codes == b"\x11" * 3

    @pytest.mark.parametrize("width", [4, 8])
    @pytest.mark.parametrize("offsets", [[0, -1], [5, 2], [-4, 2], [0, 2, 1, 2], [0, 17], [17, 17], [0, 2**31 - 1]])
    def test_offsets_that_do_not_ascend_within_the_data_are_refused(
        self, ring: native.Ring, offsets: list[int], width: int
    ) -> None:
        packed = array("i" if width == 4 else "q", offsets).tobytes()
        with pytest.raises(ValueError, match="chunk 0: the offsets"):
            ring.open_arrow([(None, packed, b"x" * 16, width, 0, len(offsets) - 1)], **WITHIN)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"width": 2}, "4 or 8 bytes"),
            ({"width": 0}, "4 or 8 bytes"),
            ({"length": 4}, "too few"),
            ({"start": 1}, "too few"),
            ({"start": 2**62}, "too few"),
            ({"start": 2**64 - 1}, "too few"),
            ({"length": 2**64 - 1}, "too few"),
            ({"offsets": None}, "too few"),
            ({"offsets": b""}, "too few"),
            ({"offsets": bytes(15)}, "too few"),
            ({"data": None}, "do not ascend"),
            ({"validity": b""}, "bitmap is too short"),
            ({"validity": b"\xff", "start": 6}, "bitmap is too short"),
            ({"validity": b"\xff", "start": 2**64 - 1}, "bitmap is too short"),
            ({"data": array("h", [0] * 8)}, "contiguous bytes"),
            ({"data": memoryview(bytes(32))[::2]}, "contiguous bytes"),
        ],
    )
    def test_chunks_that_make_no_sense_are_refused(
        self, ring: native.Ring, change: dict[str, object], words: str
    ) -> None:
        validity, offsets, data, width, start, length = chunk([b"x"] * 3)
        good: dict[str, object] = {"validity": validity, "offsets": offsets, "data": data}
        good |= {"width": width, "start": start, "length": length}
        assert ring.open_arrow([tuple(good.values())], **WITHIN).codes == b"\x13" * 3  # type: ignore[list-item]
        with pytest.raises(ValueError, match=words):
            ring.open_arrow([tuple((good | change).values())], **WITHIN)  # type: ignore[list-item]

    @pytest.mark.parametrize(
        "wrong", [None, 5, [5], [(None, None, None, 4, 0)], [("a", b"", b"", 4, 0, 0)], [(None, 5, None, 4, 0, 0)]]
    )
    def test_what_is_no_chunk_is_a_type_error(self, ring: native.Ring, wrong: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            ring.open_arrow(wrong, **WITHIN)

    @pytest.mark.parametrize("number", ["width", "start", "length"])
    def test_negative_numbers_are_refused(self, ring: native.Ring, number: str) -> None:
        numbers = {"width": 4, "start": 0, "length": 0} | {number: -1}
        with pytest.raises(OverflowError):
            ring.open_arrow([(None, None, None, *numbers.values())], **WITHIN)

    def test_an_array_is_no_sequence_of_texts(self, ring: native.Ring) -> None:
        pa = pytest.importorskip("pyarrow")
        with pytest.raises(TypeError, match="str or bytes"):
            ring.open_many(pa.array(["96"]), **WITHIN)

    def test_memory_is_given_back(self, ring: native.Ring) -> None:
        memory = bytearray(b"96")
        ring.open_arrow([(None, array("i", [0, 2]).tobytes(), memory, 4, 0, 1)], **WITHIN)
        memory.append(0)  # a BufferError while somebody holds it


def test_no_input_panics(ring: native.Ring) -> None:
    source = random.Random(20260)
    for _ in range(3000):
        text = list(source.choice(MIXED[:-1]))
        for _ in range(source.randrange(4)):
            start = source.randrange(len(text) + 1)
            text[start : start + source.randrange(3)] = source.choice(["", "0", "9", "٣", "\0"])
        joined = "".join(text)
        assert rows(ring.open_many([joined], **WITHIN)) == [opened(ring, joined)]


def test_a_batch_lets_other_threads_run(ring: native.Ring) -> None:
    ticks = []
    stop = threading.Event()
    # A thread that never gets the GIL ticks at most twice: before and after.
    ticker = threading.Thread(target=lambda: [ticks.append(1) for _ in iter(lambda: stop.wait(0.001), True)])
    ticker.start()
    ring.open_many(GOOD * 4000, **WITHIN)
    count = len(ticks)
    stop.set()
    ticker.join()
    assert count > 5


def test_a_ring_is_used_from_many_threads(ring: native.Ring) -> None:
    small = native.Engine(threads=2).prepare(KEYS, table_bytes=0)
    expected = rows(ring.open_many(MIXED, **WITHIN))
    wrong = []

    def work() -> None:
        wrong.extend(1 for _ in range(5) if rows(small.open_many(MIXED, **WITHIN)) != expected)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert small.table_stats()["evicted"] > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_has_threads_of_its_own(threads: int) -> None:
    """It opens texts with the ring that was prepared before the fork, and prepares its own."""
    engine = native.Engine(threads=threads)
    ring = engine.prepare(KEYS)
    expected = ring.open_many(GOOD * 20, **WITHIN).codes
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        sender.send(ring.open_many(GOOD * 20, **WITHIN).codes)
        sender.send(engine.prepare(KEYS).open_many(GOOD * 20, **WITHIN).codes)

    child = context.Process(target=work, daemon=True)
    child.start()
    for _ in range(2):
        assert receiver.poll(30), "the child hangs"
        assert receiver.recv() == expected
    child.join()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([(b"", *KEYS[0][1:])], "key 0: not a protected header"),
        ([KEYS[0], KEYS[0]], "key 1: an earlier key"),
        ([KEYS[1], (*KEYS[0][:2], bytes(32), *KEYS[0][3:])], "key 1"),
        ([(*KEYS[0][:4], 3, *KEYS[0][5:])], "window"),
        ([(*KEYS[1][:3], bytes(8192), *KEYS[1][4:])], "user id"),
        ([(KEYS[0][0], b"short", *KEYS[0][2:])], "length"),
        ([KEYS[1], (*KEYS[0][:8], [(2, 1)])], "key 1: places"),
    ],
)
def test_wrong_keys_are_refused(keys: list[native.Key], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        native.Engine().prepare(keys)


def test_engines_say_what_they_are() -> None:
    assert native.Engine().path in ("ifma", "avx2", "scalar")
    assert native.Engine(threads=2, path="slow").threads == 2
    for wrong in ({"threads": 0}, {"threads": 5000}, {"path": "fast"}):
        with pytest.raises(ValueError):
            native.Engine(**wrong)  # type: ignore[arg-type]


def test_tables_are_counted(ring: native.Ring) -> None:
    stats = native.Engine().prepare(KEYS).table_stats()
    assert stats["tables"] == stats["built"] == len(KEYS)
    assert stats["evicted"] == 0
    assert 250_000 < stats["bytes"] / len(KEYS) < 300_000
    assert len(ring) == len(KEYS)


class TestTimeAndScope:
    """Steps 6 and 7; their rules are tested in Rust."""

    texts = [*GOOD[:3], FORGED]
    scopes: list[tuple[int, int, int | None, native.Places]] = [
        (0, 2**40, None, EVERYWHERE),
        (0, 2**40, IAT, EVERYWHERE),
        (0, 2**40, None, [(0, CITY)]),
    ]

    @pytest.fixture(params=[1, 2])
    def ring(self, request: pytest.FixtureRequest) -> native.Ring:
        keys = [(*key[:5], *scope) for key, scope in zip(KEYS, self.scopes, strict=True)]
        return native.Engine(threads=request.param).prepare(keys)

    @pytest.mark.parametrize(("now", "codes"), [(0, (0, 114, 115)), (-6, (97, 97, 97)), (65, (98, 98, 98))])
    def test_they_are_part_of_opening(self, ring: native.Ring, now: int, codes: tuple[int, ...]) -> None:
        limits = {"now": IAT + now, "skew": 5, "max_lifetime": 300}
        expected = bytes([*codes, 65])
        lines = "\n".join(self.texts).encode()
        assert ring.open_many(self.texts, **limits).codes == expected
        assert ring.open_lines(lines, **limits)[0].codes == expected
        assert ring.open_arrow([chunk(lines.split(b"\n"))], **limits).codes == expected
        assert bytes(ring.open_one(text, **limits)[0] for text in self.texts) == expected

    def test_what_they_refuse_keeps_its_claims(self, ring: native.Ring) -> None:
        late = {"now": EXP + 5, "skew": 5, "max_lifetime": 300}
        code, entry, found = ring.open_one(FULL, **late)
        assert (code, entry, found[:2], found[6]) == (98, 0, (EXP, IAT), 500)
        code, entry, found = ring.open_one(GOOD[1], **WITHIN)
        assert (code, entry, found[5]) == (114, 1, CITY)
        assert ring.open_one(FORGED, **late) == (65, 0, None)
        columns = ring.open_many([FULL, GOOD[2], FORGED], **late)
        assert columns.codes == bytes([98, 98, 65])
        assert columns.profiles == bytes([1, 1, 0])
        assert array("I", columns.issued_at).tolist() == [IAT, IAT, 0]

    def test_each_text_may_have_its_time(self, ring: native.Ring) -> None:
        texts, lines = [GOOD[0]] * 4, "\n".join([GOOD[0]] * 4).encode()
        now = array("q", [IAT - 6, IAT - 5, EXP + 4, EXP + 5]).tobytes()
        limits = {"skew": 5, "max_lifetime": 300}
        expected = bytes([97, 0, 0, 98])
        assert ring.open_many(texts, now=now, **limits).codes == expected
        assert ring.open_lines(lines, now=now, **limits)[0].codes == expected
        assert ring.open_arrow([chunk(lines.split(b"\n"))], now=now, **limits).codes == expected

    def test_there_is_a_time_for_each_text(self, ring: native.Ring) -> None:
        for wrong in (b"", bytes(8), bytes(15), bytes(17), bytes(24)):
            with pytest.raises(ValueError, match="8 bytes for each text: 16 for 2 texts"):
                ring.open_many(GOOD[:2], now=wrong, skew=5, max_lifetime=300)
            with pytest.raises(ValueError, match="8 bytes for each text"):
                ring.open_lines(b"96\n96", now=wrong, skew=5, max_lifetime=300)

    @pytest.mark.parametrize("now", [None, 1.5, "1", [1], bytearray(8)])
    def test_what_is_no_time_is_a_type_error(self, ring: native.Ring, now: Any) -> None:
        with pytest.raises(TypeError, match="now is an int"):
            ring.open_many(GOOD[:1], now=now, skew=5, max_lifetime=300)
        with pytest.raises(TypeError):
            ring.open_one(GOOD[0], now=now, skew=5, max_lifetime=300)

    def test_times_are_numbers_of_64_bits(self, ring: native.Ring) -> None:
        with pytest.raises(ValueError, match="64 bits"):
            ring.open_many(GOOD[:1], now=2**63, skew=5, max_lifetime=300)
        far = {"skew": 2**63 - 1, "max_lifetime": 2**63 - 1}
        assert ring.open_many(GOOD[:1], now=2**63 - 1, **far).codes == b"\x62"


class TestSm2Key:
    secret = (0xA1B2C3D4E5F6).to_bytes(32, "big")
    order = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123

    def test_a_known_key_has_its_public_key(self) -> None:
        # GB/T 32918.5 Annex A.2.
        key = native.Sm2Key(bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"))
        assert key.x.hex() == "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        assert key.y.hex() == "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"

    def test_signatures_are_salted(self) -> None:
        key = native.Sm2Key(self.secret)
        signatures = {key.sign(b"message") for _ in range(10)}
        assert len(signatures) == 10
        assert {len(signature) for signature in signatures} == {64}

    def test_generated_keys_differ(self) -> None:
        assert len({native.Sm2Key.generate(user_id=b"id").x for _ in range(5)}) == 5

    @pytest.mark.parametrize(
        "secret",
        [bytes(32), (order - 1).to_bytes(32, "big"), order.to_bytes(32, "big"), b"\xff" * 32, b"\x01"],
    )
    def test_secrets_out_of_range_are_refused(self, secret: bytes) -> None:
        with pytest.raises(ValueError, match="secret"):
            native.Sm2Key(secret)

    def test_the_largest_secret_signs(self) -> None:
        assert len(native.Sm2Key((self.order - 2).to_bytes(32, "big")).sign(b"")) == 64

    def test_the_secret_is_not_shown(self) -> None:
        key = native.Sm2Key(self.secret)
        for shown in (repr(key), str(key), f"{dir(key)}"):
            assert "a1b2c3d4e5f6" not in shown.lower()
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not pickled"):
                act(key)
        with pytest.raises(AttributeError):
            key.secret = b""  # type: ignore[attr-defined]

    def test_a_long_user_id_is_refused(self) -> None:
        with pytest.raises(ValueError, match="user id"):
            native.Sm2Key(self.secret, user_id=bytes(8192))
