"""The Python module: what goes in and out. The rules are tested in Rust."""

from __future__ import annotations

import copy
import ctypes
import gc
import hashlib
import mmap
import multiprocessing
import os
import pickle
import random
import struct
import threading

import pytest
import ybtoken_native as native
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ES256, SM2 = b"\xa2\x01\x26\x04\x48", b"\xa2\x01\x3a\x00\x01\x00\x00\x04\x48"
IAT, EXP, CITY = 1_780_000_000, 1_780_000_060, 330_100
COLUMNS = {
    "code": 1, "entry": 2, "iat": 4, "exp": 4, "city": 4, "profile": 1, "nonce_len": 1, "nonce": 16,
    "identity": 16, "present": 1, "channel": 2, "purpose": 4, "presenter": 16,
    "assurance": 1, "status_index": 4,
}  # fmt: skip


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


def claims(number: int, extras: bytes = b"") -> bytes:
    nonce = number.to_bytes(8, "big")
    head = b"\xa4\x04\x1a" + struct.pack(">I", EXP) + b"\x06\x1a" + struct.pack(">I", IAT) + b"\x07\x48" + nonce
    voucher = b"\x3a\x00\x01\x00\x00" + (b"\x84" if extras else b"\x83") + b"\x01\x50" + b"identity 16bytes"
    return head + voucher + b"\x1a" + struct.pack(">I", CITY) + extras


def sign(signer: P256Signer | Sm2Signer, payload: bytes) -> str:
    header = bytes([0x40 | len(signer.header)]) + signer.header
    tail = b"\x58" + bytes([len(payload)]) + payload
    signature = signer.sign(b"\x84\x6aSignature1" + header + b"\x40" + tail)
    return spell(b"\xd2\x84" + header + b"\xa0" + tail + b"\x58\x40" + signature)


SIGNERS = [P256Signer(1234567), Sm2Signer(7654321), Sm2Signer(99, b"\xff not UTF-8")]
KEYS = [(signer.header, signer.x, signer.y, signer.user_id, 8) for signer in SIGNERS]
EXTRAS = bytes.fromhex("a5011901f4021905150350") + b"presenter of 16b" + bytes.fromhex("0403051a00011170")
GOOD = [sign(SIGNERS[number % 3], claims(number)) for number in range(12)]
FULL = sign(SIGNERS[0], claims(1, EXTRAS))
FORGED = GOOD[0][:-20] + ("1" if GOOD[0][-20] != "1" else "2") + GOOD[0][-19:-2]
FORGED += f"{98 - int(FORGED) * 100 % 97:02d}"
STRANGER = sign(P256Signer(42), claims(1))
MIXED = [*GOOD, "", "医保码", FORGED, STRANGER, "97" + GOOD[0][2:], FULL, GOOD[0] + "\r", "\ud800" * 900]


@pytest.fixture(scope="module")
def ring() -> native.Ring:
    return native.Engine().prepare(KEYS)


def rows(columns: native.Columns) -> list[tuple[bytes, ...]]:
    cut = []
    for name, width in COLUMNS.items():
        column = getattr(columns, name)
        assert type(column) is bytes
        assert len(column) == width * len(columns)
        cut.append([column[i : i + width] for i in range(0, len(column), width)])
    return list(zip(*cut, strict=True))


def flat(row: tuple[object, ...]) -> tuple[bytes, ...]:
    """A row of `open_one` as the columns have it."""
    code, entry, found = row
    kid = found if isinstance(found, bytes) else b""
    claims = found if isinstance(found, tuple) else (0, 0, kid, 0, b"", 0, *[None] * 6)
    exp, iat, nonce, profile, identity, city, channel, purpose, presenter, assurance, status, _ = claims
    present = sum(
        1 << i for i, value in enumerate([channel, purpose, presenter, assurance, status]) if value is not None
    )
    number = {
        "code": code,
        "entry": entry,
        "iat": iat,
        "exp": exp,
        "city": city,
        "profile": profile,
        "present": present,
    }
    number |= {
        "nonce_len": len(nonce),
        "channel": channel,
        "purpose": purpose,
        "assurance": assurance,
        "status_index": status,
    }
    other = {"nonce": nonce, "identity": identity, "presenter": presenter or b""}
    return tuple(
        other[name].ljust(16, b"\0") if name in other else (number[name] or 0).to_bytes(width, "little")
        for name, width in COLUMNS.items()
    )


def test_versions_are_told() -> None:
    assert native.ABI == 2
    assert native.VERSION.count(".") == 2


def test_one_text_comes_to_its_claims(ring: native.Ring) -> None:
    nonce = (1).to_bytes(8, "big")
    plain = (EXP, IAT, nonce, 1, b"identity 16bytes", CITY)
    assert ring.open_one(FULL) == (0, 0, (*plain, 500, 1301, b"presenter of 16b", 3, 70_000, None))
    assert ring.open_one(GOOD[1]) == (0, 1, (*plain, *[None] * 6))


def test_refusals_carry_nothing_but_their_code_entry_and_kid(ring: native.Ring) -> None:
    assert ring.open_one("") == (19, 0xFFFF, None)
    assert ring.open_one("97" + GOOD[0][2:]) == (255, 0xFFFF, None)
    assert ring.open_one(FORGED) == (65, 0, None)
    assert ring.open_one(STRANGER) == (49, 0xFFFF, P256Signer(42).header[-8:])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", [None, "scalar", "slow"])
def test_many_texts_come_to_what_each_comes_to_alone(threads: int, path: native.Path | None) -> None:
    ring = native.Engine(threads=threads, path=path, lanes=path is None).prepare(KEYS)
    expected = [flat(ring.open_one(text)) for text in MIXED]
    for count in (1, 5):
        assert rows(ring.open_many(MIXED * count)) == expected * count


def test_texts_may_be_bytes_and_any_iterable(ring: native.Ring) -> None:
    expected = rows(ring.open_many(GOOD))
    assert rows(ring.open_many([text.encode() for text in GOOD])) == expected
    assert rows(ring.open_many(tuple(GOOD))) == expected
    assert rows(ring.open_many(text for text in GOOD)) == expected
    assert len(ring.open_many([])) == 0
    assert ring.open_many([b"\xff" * 900, b"\xff"]).code == bytes([17, 19])


@pytest.mark.parametrize("texts", ["9600000", b"9600000", 5, None, [None], [5], [GOOD[0], bytearray(b"96")]])
def test_what_is_no_texts_is_a_type_error(ring: native.Ring, texts: object) -> None:
    with pytest.raises(TypeError):
        ring.open_many(texts)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b"9600000", None, 96, ["96"]])
def test_one_text_is_a_str(ring: native.Ring, text: object) -> None:
    with pytest.raises(TypeError):
        ring.open_one(text)  # type: ignore[arg-type]


def test_lines_are_a_batch(ring: native.Ring) -> None:
    texts = [text for text in MIXED if "\ud800" not in text]
    buffer = "\n".join(texts).encode()
    expected = rows(ring.open_many(texts))
    for source in (buffer, bytearray(buffer), memoryview(buffer)):
        columns, used = ring.open_lines(source)
        assert rows(columns) == expected
        assert used == len(buffer)
    columns, used = ring.open_lines(buffer, last=False)
    assert rows(columns) == expected[:-1]
    assert buffer[used:].decode() == texts[-1]
    assert ring.open_lines(b"")[1] == 0
    with mmap.mmap(-1, len(buffer)) as pages:
        pages[:] = buffer
        assert rows(ring.open_lines(pages)[0]) == expected
    with pytest.raises((TypeError, BufferError)):
        ring.open_lines("96")  # type: ignore[arg-type]


class Crafted:
    """An Arrow array made by hand, one string of ``x`` unless told otherwise: wrong in one way at a time."""

    _data = b"x" * 16

    def __init__(
        self,
        offsets: list[int] | None = None,
        views: tuple[int, ...] | None = None,
        buffers: list[bool] | None = None,
        shift: int = 0,
        released: bool = False,
        **numbers: int,
    ) -> None:
        offsets = offsets or [0, 8]
        data = ctypes.create_string_buffer(self._data)
        size = ctypes.create_string_buffer(struct.pack("<q", len(self._data)))
        if views is None:
            main = ctypes.create_string_buffer(struct.pack(f"<{len(offsets)}i", *offsets))
            parts, length = [None, main, data], len(offsets) - 1
        else:
            main = ctypes.create_string_buffer(struct.pack("<4i", *views))
            parts, length = [None, main, data, size], 1
        at = [ctypes.addressof(part) if part else None for part in parts]
        at[1] = (at[1] or 0) + shift
        kept = buffers or [True] * len(at)
        self._pointers = (ctypes.c_void_p * len(at))(
            *[there if keep else None for there, keep in zip(at, kept, strict=True)]
        )
        self._release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        release = ctypes.cast(self._release, ctypes.c_void_p).value or 0
        self._format = ctypes.create_string_buffer(b"u" if views is None else b"vu")
        pointers = ctypes.addressof(self._pointers)
        number = {"length": length, "null_count": 0, "offset": 0, "n_buffers": len(at)} | numbers
        self._schema = struct.pack("<9Q", ctypes.addressof(self._format), 0, 0, 0, 0, 0, 0, release, 0)
        self._array = struct.pack("<5q5Q", *number.values(), 0, pointers, 0, 0, 0 if released else release, 0)
        self._parts = parts

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(self._schema, b"arrow_schema", None), new(self._array, b"arrow_array", None)


class TestArrow:
    pa = pytest.importorskip("pyarrow")
    texts = [text for text in MIXED if "\ud800" not in text]

    @pytest.fixture
    def expected(self, ring: native.Ring) -> list[tuple[bytes, ...]]:
        return rows(ring.open_many(self.texts))

    @pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "binary", "large_binary", "binary_view"])
    def test_arrays_are_read(self, ring: native.Ring, expected: list[tuple[bytes, ...]], kind: str) -> None:
        values = self.texts if "string" in kind else [text.encode() for text in self.texts]
        array = self.pa.array(values, type=getattr(self.pa, kind)())
        assert rows(ring.open_many(array)) == expected
        assert rows(ring.open_many(array[3:9])) == expected[3:9]
        assert len(ring.open_many(array[:0])) == 0
        chunked = self.pa.chunked_array([array[:5], array[5:5], array[5:]])
        assert rows(ring.open_many(chunked)) == expected

    @pytest.mark.parametrize(
        "array",
        [
            pa.array([1, 2]),
            pa.array(["a"]).dictionary_encode(),
            pa.array([["a"]]),
            pa.table({"text": ["a"]}),
            pa.chunked_array([pa.array([1.5])]),
        ],
    )
    def test_other_types_are_refused(self, ring: native.Ring, array: object) -> None:
        with pytest.raises(TypeError, match="strings"):
            ring.open_many(array)  # type: ignore[arg-type]

    def test_nulls_are_refused(self, ring: native.Ring) -> None:
        array = self.pa.array(["96", None, "97"])
        with pytest.raises(ValueError, match="null"):
            ring.open_many(array)
        assert ring.open_many(array[2:]).code == b"\xff"

    @pytest.mark.parametrize(
        "change",
        [
            {"offsets": [0, -1]},
            {"offsets": [5, 2]},
            {"offsets": [-4, 2]},
            {"offsets": [0, 2, 1, 2]},
            {"length": -1},
            {"offset": -1},
            {"length": 2**62},
            {"offset": 2**63 - 1},
            {"n_buffers": 2},
            {"n_buffers": 4},
            {"n_buffers": -3},
            {"shift": 1},
            {"buffers": [False, False, True]},
            {"buffers": [False, True, False]},
            {"released": True},
        ],
    )
    def test_arrays_that_make_no_sense_are_refused(self, ring: native.Ring, change: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="Arrow"):
            ring.open_many(Crafted(**change))  # type: ignore[arg-type]

    @pytest.mark.parametrize("view", [(13, 0, 0, 4), (13, 0, 1, 0), (13, 0, -1, 0), (-1, 0, 0, 0), (13, 0, 0, -1)])
    def test_views_that_make_no_sense_are_refused(self, ring: native.Ring, view: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="make no sense"):
            ring.open_many(Crafted(views=view))

    def test_a_crafted_array_can_be_good(self, ring: native.Ring) -> None:
        assert ring.open_many(Crafted()).code == b"\x13"
        assert ring.open_many(Crafted(offsets=[0, 0, 8])).code == b"\x13\x13"
        assert ring.open_many(Crafted(views=(13, 0, 0, 3))).code == b"\x13"

    def test_capsules_of_another_name_are_refused(self, ring: native.Ring) -> None:
        class Odd:
            def __arrow_c_stream__(self, requested_schema: object = None) -> object:
                return TestArrow.pa.array(["96"]).__arrow_c_array__()[1]

        with pytest.raises(ValueError):
            ring.open_many(Odd())

    def test_memory_is_given_back(self, ring: native.Ring) -> None:
        before = self.pa.total_allocated_bytes()
        array = self.pa.array(GOOD * 100)
        ring.open_many(array)
        ring.open_many(self.pa.chunked_array([array, array]))
        del array
        gc.collect()
        assert self.pa.total_allocated_bytes() == before


def test_no_input_panics(ring: native.Ring) -> None:
    source = random.Random(20260)
    for _ in range(3000):
        text = list(source.choice(MIXED[:-1]))
        for _ in range(source.randrange(4)):
            start = source.randrange(len(text) + 1)
            text[start : start + source.randrange(3)] = source.choice(["", "0", "9", "٣", "\0"])
        joined = "".join(text)
        assert rows(ring.open_many([joined])) == [flat(ring.open_one(joined))]


def test_a_batch_lets_other_threads_run(ring: native.Ring) -> None:
    ticks = []
    stop = threading.Event()
    # A thread that never gets the GIL ticks at most twice: before and after.
    ticker = threading.Thread(target=lambda: [ticks.append(1) for _ in iter(lambda: stop.wait(0.001), True)])
    ticker.start()
    ring.open_many(GOOD * 4000)
    count = len(ticks)
    stop.set()
    ticker.join()
    assert count > 5


def test_a_ring_is_used_from_many_threads(ring: native.Ring) -> None:
    small = native.Engine(threads=2).prepare(KEYS, table_bytes=0)
    expected = rows(ring.open_many(MIXED))
    wrong = []

    def work() -> None:
        wrong.extend(1 for _ in range(5) if rows(small.open_many(MIXED)) != expected)

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
    """It opens texts by the ring that was prepared before, and prepares its own."""
    engine = native.Engine(threads=threads)
    ring = engine.prepare(KEYS)
    expected = ring.open_many(GOOD * 20).code
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        sender.send(ring.open_many(GOOD * 20).code)
        sender.send(engine.prepare(KEYS).open_many(GOOD * 20).code)

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
        ([KEYS[1], (*KEYS[0][:2], bytes(32), b"", 8)], "key 1"),
        ([(*KEYS[0][:4], 3)], "window"),
        ([(*KEYS[1][:3], bytes(8192), 8)], "user id"),
        ([(KEYS[0][0], b"short", *KEYS[0][2:])], "length"),
    ],
)
def test_wrong_keys_are_refused(keys: list[native.Key], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        native.Engine().prepare(keys)


def test_engines_say_what_they_are() -> None:
    assert native.Engine().path in ("ifma", "scalar")
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


def test_batches_are_judged(ring: native.Ring) -> None:
    everywhere = [(0, 1_000_000)]
    scopes = native.Scopes([(0, 2**40, None, everywhere), (0, 2**40, IAT, everywhere), (0, 2**40, None, [(0, CITY)])])
    engine, opened = native.Engine(threads=2), ring.open_many([*GOOD[:3], FORGED])

    def judge(now: int) -> bytes:
        columns = opened.code, opened.entry, opened.iat, opened.exp, opened.city
        return scopes.judge(engine, *columns, now=now, skew=5, max_lifetime=300)

    assert judge(IAT) == bytes([0, 114, 115, 65])
    assert judge(IAT - 6) == bytes([97, 97, 97, 65])
    assert judge(EXP + 5) == bytes([98, 98, 98, 65])
    assert opened.code == bytes([0, 0, 0, 65])
    with pytest.raises(ValueError):
        native.Scopes([(0, 1, None, [(2, 1)])])
    with pytest.raises(ValueError, match="scope"):
        native.Scopes([]).judge(
            engine,
            opened.code,
            opened.entry,
            opened.iat,
            opened.exp,
            opened.city,
            now=IAT,
            skew=5,
            max_lifetime=300,
        )
    with pytest.raises(ValueError):
        scopes.judge(engine, opened.code, b"\0", opened.iat, opened.exp, opened.city, now=IAT, skew=5, max_lifetime=300)


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
