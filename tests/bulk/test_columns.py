"""Columns as people have them: one table of column type x engine x way in, and what each kind of cell becomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bulk.samples import NOON, codes_of, each_engine, good_texts, verifier
from ybtoken.bulk.columns import ScansError, plain_texts, seconds_of
from ybtoken.bulk.run import verify_files

GOOD = good_texts(2)
BAD = GOOD[0][:60] + str((int(GOOD[0][60]) + 1) % 10) + GOOD[0][61:]
NOISY = GOOD[0] + "\r\n"
TEXTS = [GOOD[0], BAD, None, GOOD[1], NOISY, ""]
VERDICTS = ["accepted", "text.check", "scan.no_text", "accepted", "text.digits", "text.prefix"]
CLEANED = [*VERDICTS[:4], "accepted", "text.prefix"]
LATIN = GOOD[0].encode()[:40] + b"\xe9"  # in the encoding of a database that is not UTF-8


def _bytes(texts: list[str | None]) -> list[bytes | None]:
    return [None if text is None else text.encode() for text in texts]


def _sliced(array: pa.Array) -> pa.Array:
    """The same as a part of a longer array, whose offset is not 0."""
    return pa.concat_arrays([array.slice(0, 3), array]).slice(3)


COLUMNS: dict[str, Callable[[], pa.Array]] = {
    "string": lambda: pa.array(TEXTS, pa.string()),
    "large_string": lambda: pa.array(TEXTS, pa.large_string()),
    "string_view": lambda: pa.array(TEXTS, pa.string_view()),
    "dictionary": lambda: pa.array(TEXTS, pa.string()).dictionary_encode(),
    "dictionary of large strings": lambda: pa.array(TEXTS, pa.large_string()).dictionary_encode(),
    "run ends": lambda: pc.run_end_encode(pa.array(TEXTS, pa.string())),
    "binary": lambda: pa.array(_bytes(TEXTS), pa.binary()),
    "large_binary": lambda: pa.array(_bytes(TEXTS), pa.large_binary()),
    "binary_view": lambda: pa.array(_bytes(TEXTS), pa.binary_view()),
    "chunked": lambda: pa.chunked_array([TEXTS[:1], TEXTS[1:2], [], TEXTS[2:]], pa.string()),
    "sliced string": lambda: _sliced(pa.array(TEXTS, pa.string())),
    "sliced dictionary": lambda: pa.array(TEXTS[:3] + TEXTS).dictionary_encode().slice(3),
    "sliced binary": lambda: _sliced(pa.array(_bytes(TEXTS), pa.binary())),
}


def by_table(table: pa.Table, folder: Path, **settings: Any) -> pa.Table:
    return verifier(**settings)(table)


def by_batches(table: pa.Table, folder: Path, **settings: Any) -> pa.Table:
    return pa.Table.from_batches(verifier(**settings).map_batches(table.to_batches()))


def by_parquet(table: pa.Table, folder: Path, **settings: Any) -> pa.Table:
    try:
        pq.write_table(table, folder / "scans.parquet")
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        pytest.skip("Parquet has no such type")
    return by_file(folder / "scans.parquet", **settings)


def by_file(path: Path, **settings: Any) -> pa.Table:
    verify_files(verifier(**settings), path, path.parent / "out")
    return pq.read_table(path.parent / "out")


each_way = pytest.mark.parametrize("way", [by_table, by_batches, by_parquet])


@each_way
@each_engine
@pytest.mark.parametrize("kind", COLUMNS)
def test_texts_may_be_of_any_type_of_strings_or_bytes(kind: str, native: bool, way: Any, tmp_path: Path) -> None:
    table = pa.table({"text": COLUMNS[kind](), "scanned_at": [NOON] * len(TEXTS)})
    assert codes_of(way(table, tmp_path, native=native)) == VERDICTS
    if way is not by_parquet:
        cleaned = way(table, tmp_path, native=native, scanned=True)
        assert codes_of(cleaned) == CLEANED
        assert cleaned["verdict_noise"].to_pylist() == [False] * 4 + [True, False]
        assert cleaned["verdict_display"][4].as_py() == cleaned["verdict_display"][0].as_py()


@each_engine
@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary()])
def test_a_long_text_of_many_rows_is_kept_once(kind: Any, native: bool) -> None:
    good = GOOD[0].encode()
    long: list[bytes | None] = [
        good, b"9" * 100_000, good.ljust(8192), good.ljust(8193), b"9" * 9000 + b"\xff",
        good + "\u3000".encode() * 4000, good + "\u3000".encode() * 9000, None, BAD.encode(),
    ]  # fmt: skip
    binary = pa.array(long, pa.large_binary() if kind == pa.large_binary() else pa.binary())
    rows = pa.array([row for number in range(9) for row in [number] * 40] * 2)
    plain = binary.view(kind).take(rows)
    encoded = [pa.DictionaryArray.from_arrays(rows, binary.view(kind)), pc.run_end_encode(plain)]

    def seen(texts: pa.Array) -> list[Any]:
        table = pa.table({"text": texts, "scanned_at": [NOON] * len(texts)})
        return list(verifier(native=native)(table).select(["verdict_code", "verdict_noise"]).to_pylist())

    expected = seen(plain)
    assert len({str(verdict) for verdict in expected}) == 6
    for texts in encoded:
        assert seen(texts) == expected
        assert seen(texts.slice(45, 500)) == expected[45:545]
        assert plain_texts(texts).nbytes < plain.nbytes / 2


@each_way
@each_engine
def test_bytes_of_a_fixed_size_are_padded(native: bool, way: Any, tmp_path: Path) -> None:
    width = max(map(len, GOOD)) + 3
    cells = [GOOD[0].encode().ljust(width, b"\0"), None, GOOD[1].encode().ljust(width)]
    table = pa.table({"text": pa.array(cells, pa.binary(width)), "scanned_at": [NOON] * 3})
    assert codes_of(way(table, tmp_path, native=native, scanned=True)) == ["accepted", "scan.no_text", "accepted"]
    exact = pa.table({"text": pa.array([GOOD[0].encode()], pa.binary(len(GOOD[0]))), "scanned_at": [NOON]})
    assert codes_of(by_table(exact, tmp_path, native=native)) == ["accepted"]


@each_way
@each_engine
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.string(), pa.large_string()])
def test_a_cell_that_is_not_utf_8_is_a_row_with_a_verdict(kind: Any, native: bool, way: Any, tmp_path: Path) -> None:
    cells = pa.array([LATIN, GOOD[0].encode(), b"\xff"], pa.large_binary() if "large" in str(kind) else pa.binary())
    texts = cells if "binary" in str(kind) else cells.view(kind)  # as from a file whose writer did not look
    table = pa.table({"text": texts, "scanned_at": [NOON] * 3})
    assert codes_of(way(table, tmp_path, native=native)) == ["scan.not_text", "accepted", "scan.not_text"]


@each_engine
def test_a_column_without_any_value_is_rows_without_texts(native: bool) -> None:
    table = pa.table({"text": pa.nulls(2), "scanned_at": [NOON] * 2})
    assert codes_of(verifier(native=native)(table)) == ["scan.no_text"] * 2
    table = pa.table({"text": [GOOD[0], BAD], "scanned_at": pa.nulls(2)})
    assert codes_of(verifier(native=native)(table)) == ["scan.no_time", "text.check"]


@each_way
@each_engine
@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([9.6e300]), "digits after the 16th are lost"),
        (pa.array([96], pa.int64()), "no number holds"),
        (pa.array([Decimal(96)]), "no number holds"),
        (pa.array([datetime(2026, 5, 1)], pa.date32()), "took the texts for dates"),
        (pa.array([datetime(2026, 5, 1)], pa.timestamp("us")), "took the texts for dates"),
        (pa.array([True]), "no number holds"),
        (pa.array([96.5]).dictionary_encode(), "digits after the 16th are lost"),
        (pa.array([["96"]]), "strings or bytes"),
    ],
    ids=str,
)
def test_numbers_and_dates_are_refused_as_texts_before_the_first_row(
    column: Any, why: str, native: bool, way: Any, tmp_path: Path
) -> None:
    table = pa.table({"text": column, "scanned_at": [NOON]})
    with pytest.raises(ScansError, match=f"the column 'text' holds .*{why}.*Export it again as text") as caught:
        way(table, tmp_path, native=native)
    assert "请将该列按文本重新导出" in caught.value.words.zh
    assert not list((tmp_path / "out").glob("*.parquet"))


# -- times -------------------------------------------------------------------------------------------------------------

CHINA = "Asia/Shanghai"
LOCAL = datetime.fromtimestamp(NOON, UTC) + timedelta(hours=8)
TIMES: dict[str, tuple[Callable[[], pa.Array], str | None]] = {
    **{
        f"{unit}, {zone}": (
            lambda unit=unit, zone=zone: (
                pa.array([NOON]).cast(pa.timestamp("s")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, tz=zone))
            ),
            None,
        )
        for unit in ("s", "ms", "us", "ns")
        for zone in ("UTC", CHINA)
    },
    **{
        f"{unit}, local": (lambda unit=unit: pa.array([LOCAL.replace(tzinfo=None)], pa.timestamp(unit)), CHINA)
        for unit in ("s", "ms", "us", "ns")
    },
    "local, by an offset": (lambda: pa.array([LOCAL.replace(tzinfo=None)], pa.timestamp("us")), "+08:00"),
    **{
        name: (lambda name=name: pa.array([NOON], getattr(pa, name)()), None)
        for name in ("int32", "uint32", "int64", "uint64")
    },
    "double, with a fraction": (lambda: pa.array([NOON + 0.9]), None),
    "decimal": (lambda: pa.array([Decimal(NOON)], pa.decimal128(38, 0)), None),
    "dictionary": (lambda: pa.array([NOON]).dictionary_encode(), None),
    "digits": (lambda: pa.array([str(NOON)]), None),
    "bytes of digits": (lambda: pa.array([str(NOON).encode()]), None),
    "ISO 8601": (lambda: pa.array([f"{LOCAL:%Y-%m-%dT%H:%M:%S}+08:00"]), None),
    "ISO 8601 in UTC": (lambda: pa.array([f"{LOCAL - timedelta(hours=8):%Y-%m-%d %H:%M:%S}Z"]), None),
    "local text": (lambda: pa.array([f" {LOCAL:%Y-%m-%d %H:%M:%S} "]), CHINA),
    "local text, short": (lambda: pa.array([f"{LOCAL:%Y-%m-%d %H:%M}", f"{LOCAL:%Y-%m-%dT%H:%M:%S}+08:00"]), CHINA),
}


@each_way
@pytest.mark.parametrize("kind", TIMES)
def test_times_may_be_timestamps_seconds_or_iso_8601(kind: str, way: Any, tmp_path: Path) -> None:
    column, tz = TIMES[kind]
    times = column()
    texts = good_texts(1)[0]
    found = way(pa.table({"text": [texts] * len(times), "scanned_at": times}), tmp_path, tz=tz)
    assert codes_of(found) == ["accepted"] * len(times)
    assert {at.timestamp() for at in found["verdict_at"].to_pylist()} == {NOON}


@each_way
@pytest.mark.parametrize(
    ("times", "tz", "why"),
    [
        (pa.array([LOCAL.replace(tzinfo=None)], pa.timestamp("us")), None, "no time zone.*--tz Asia/Shanghai"),
        (pa.array(["2026-05-01 08:00:00"]), None, "no time zone.*--tz Asia/Shanghai"),
        (pa.array([LOCAL], pa.date32()), None, "dates .*without a time of day"),
        (pa.array([LOCAL], pa.date64()), None, "dates .*without a time of day"),
        (pa.array([1.5e9], pa.float32()), None, "exact to two minutes at best"),
        (pa.array([5], pa.time32("s")), None, "a time is a timestamp"),
        (pa.array([[NOON]]), None, "a time is a timestamp"),
        (pa.array([NOON * 1000]), None, "row 1: .*milliseconds?"),
        (pa.array([NOON, NOON * 10**6]), None, "row 2: .*milliseconds?"),
        (pa.array([NOON, NOON * 1000], pa.uint64()), None, "row 2: .*milliseconds?"),
        (pa.array([NOON * 1000.0]), None, "row 1: .*milliseconds?"),
        (pa.array([str(NOON), str(NOON * 1000)]), None, "row 2: .*milliseconds?"),
        (pa.array([f"{NOON}", None, f"{NOON * 1000}", "today"]), None, "row 3: .*milliseconds?"),
        (pa.array([f"{NOON}", "2026-05-01 08:00:00"]), None, "row 2: .*no time zone"),
    ],
    ids=str,
)
def test_times_that_cannot_be_meant_so_are_refused(
    times: Any, tz: str | None, why: str, way: Any, tmp_path: Path
) -> None:
    table = pa.table({"text": GOOD[:1] * len(times), "scanned_at": times})
    with pytest.raises(ScansError, match=why) as caught:
        way(table, tmp_path, tz=tz)
    assert caught.value.words.zh != caught.value.words.en


OUTSIDE = ["0001-01-01 00:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
WRAPPED = (2**64 + NOON * 10**6) // 10**6  # in 64 bits of microseconds, this far year looks like noon
FAR = [WRAPPED, -(2**63) + 1, 2**63 - 1]


@pytest.mark.parametrize(
    ("times", "tz"),
    [
        (pa.array([None], pa.int64()), None),
        (pa.array([-5]), None),
        (pa.array([float("nan")]), None),
        (pa.array([-(10**12)], pa.timestamp("us", tz="UTC")), None),
        (pa.array([10**12], pa.timestamp("s", tz="UTC")), None),
        *((pa.array([time], pa.timestamp("s")), zone) for time in FAR for zone in (CHINA, "+08:00", "-05:00")),
        (pa.array([""]), None),
        (pa.array(["today"]), None),
        (pa.array(["2026-05-01"]), CHINA),  # no time of day
        *((pa.array([cell, "x"]), zone) for cell in OUTSIDE for zone in (CHINA, "+08:00", "-05:00")),
        (pa.array(["0x6B49D200"]), None),  # a number in Arrow's reading only
        (pa.array([datetime(2025, 11, 2, 1, 30)], pa.timestamp("us")), "America/New_York"),  # twice that day
        (pa.array(["2025-11-02 01:30:00"]), "America/New_York"),
        (pa.array(["2025-11-02 01:30:00", "x"]), "America/New_York"),
        (pa.array([datetime(2025, 3, 9, 2, 30)], pa.timestamp("us")), "America/New_York"),  # never that day
    ],
    ids=str,
)
def test_a_cell_without_a_time_is_a_row_with_a_verdict(times: Any, tz: str | None) -> None:
    table = pa.table({"text": GOOD[:1] * len(times), "scanned_at": times})
    found = verifier(tz=tz)(table)
    assert codes_of(found) == ["scan.no_time"] * len(times)
    assert found["verdict_at"].null_count == len(times)
    assert found["verdict_issuer"].to_pylist() == ["Zhejiang"] * len(times)  # the signature was checked all the same


@pytest.mark.parametrize("cell", ["0" * 26 + str(NOON), f"0{NOON}", "0" * 30, "00"])
def test_a_time_in_digits_does_not_depend_on_the_other_rows(cell: str) -> None:
    alone, beside = (seconds_of(pa.array([cell, *others]), "t", None)[0].as_py() for others in ([], ["today"]))
    assert alone == beside == int(cell)


@pytest.mark.parametrize("tz", [CHINA, "+08:00", "-05:00"])
@pytest.mark.parametrize("cell", OUTSIDE)
def test_a_cell_outside_the_calendar_leaves_the_other_rows_their_times(cell: str, tz: str) -> None:
    times = [cell, "today", f"{LOCAL:%Y-%m-%dT%H:%M:%S}+08:00"]
    assert codes_of(verifier(tz=tz)(pa.table({"text": GOOD[:1] * 3, "scanned_at": times}))) == [
        "scan.no_time", "scan.no_time", "accepted"
    ]  # fmt: skip


def test_missing_and_double_columns_are_named() -> None:
    with pytest.raises(ScansError, match="no column 'text'; there is: a, scanned_at"):
        verifier()(pa.table({"a": GOOD, "scanned_at": [NOON] * 2}))
    twice = pa.Table.from_arrays([pa.array(GOOD), pa.array(GOOD), pa.array([NOON] * 2)], ["text", "text", "scanned_at"])
    with pytest.raises(ScansError, match="several columns 'text'"):
        verifier()(twice)


def test_rows_are_counted_across_batches() -> None:
    batches = pa.table({"text": GOOD[:1] * 70_000, "scanned_at": [0] * 69_999 + [NOON * 1000]}).to_batches(50_000)
    with pytest.raises(ScansError, match=r"row 70,000: .*milliseconds"):
        for _ in verifier(text="text", native=False, max_lifetime=1).map_batches(_without_work(batches)):
            pass


def _without_work(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows with texts that are refused at once."""
    return [
        pa.RecordBatch.from_arrays([pa.array([""] * len(batch)), batch["scanned_at"]], ["text", "scanned_at"])
        for batch in batches
    ]
