"""Boundaries of Arrow arrays and of files of scans, which need pyarrow."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuzz.target import Target, may_raise
from tests.support import NOW
from ybtoken import KeyRing, Verifier
from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.run import verify_files
from ybtoken.bulk.sources import open_source
from ybtoken.bulk.summary import summarize
from ybtoken.bulk.table import BulkVerifier
from ybtoken.keys.keyset import dump_jwks

__all__ = ["targets_of_tables"]

_Cells = list[bytes | None]


def _valid(cells: _Cells) -> list[str | None]:
    """Views of strings can only be made of UTF-8."""
    return [None if cell is None else cell.decode("utf-8", "replace") for cell in cells]


_PLAIN: tuple[Callable[[_Cells], pa.Array], ...] = (
    lambda cells: pa.array(cells, pa.binary()).view(pa.string()),
    lambda cells: pa.array(cells, pa.large_binary()).view(pa.large_string()),
    lambda cells: pa.array(cells, pa.binary()),
    lambda cells: pa.array(cells, pa.large_binary()),
    lambda cells: pa.array(_valid(cells), pa.string_view()),
    lambda cells: pa.array(cells, pa.binary_view()),
    lambda cells: pa.array([None if cell is None else cell[:9].ljust(9) for cell in cells], pa.binary(9)),
)
_WRAPPED: tuple[Callable[[pa.Array], pa.Array], ...] = (
    lambda array: array,
    lambda array: pa.concat_arrays([array, array]).slice(len(array)),
    lambda array: array.dictionary_encode() if "view" not in str(array.type) else array,
    lambda array: pc.run_end_encode(array) if "view" not in str(array.type) else array,
    lambda array: pa.DictionaryArray.from_arrays(pa.array([*range(len(array)), None]), array).slice(0, len(array)),
)


def _numbers(cells: _Cells) -> list[int | None]:
    return [None if cell is None else int.from_bytes(cell[:8].rjust(8, b"\0"), "big", signed=True) for cell in cells]


_TIMES: tuple[Callable[[_Cells], pa.Array], ...] = (
    *_PLAIN,
    lambda cells: pa.array(_numbers(cells), pa.int64()),
    lambda cells: pa.array(_numbers(cells), pa.int64()).view(pa.uint64()),
    lambda cells: pa.array(_numbers(cells), pa.int64()).view(pa.float64()),
    *(
        lambda cells, unit=unit, tz=tz: pa.array(_numbers(cells), pa.int64()).view(pa.timestamp(unit, tz))
        for unit in ("s", "ms", "us", "ns")
        for tz in (None, "UTC", "Asia/Shanghai")
    ),
)


def _cells_of(data: bytes) -> tuple[tuple[int, int, int], _Cells]:
    """Three numbers that choose types, and cells."""
    first, second, third = data[:3].ljust(3, b"\0")
    return (first, second, third), [None if cell == b"-" else cell for cell in data[3:].split(b"\n")[:50]]


def targets_of_tables(keys: KeyRing, verifiers: list[Verifier], texts: tuple[str, ...]) -> dict[str, Target]:
    """The targets, with these texts as seeds."""
    folder = Path(tempfile.mkdtemp(prefix="ybtoken-fuzz-"))
    bulks = [
        BulkVerifier(key_set=dump_jwks(keys), tz=tz, scanned=scanned, native=native)
        for tz in ("Asia/Shanghai", "-09:30")
        for scanned in (False, True)
        for native in {False, len(verifiers) > 1}
    ]

    def arrow(data: bytes) -> None:
        """Every engine, every type: the verdicts are those of the same cells as a list."""
        (plain, wrapped, _), cells = _cells_of(data)
        array = _WRAPPED[wrapped % len(_WRAPPED)](_PLAIN[plain % len(_PLAIN)](cells))
        for verifier in verifiers:
            with may_raise(ValueError, TypeError):  # a null, and run ends
                found = verifier.verify_many(array)
                given = [cell if isinstance(cell, str) else bytes(cell) for cell in _values(array)]
                assert bytes(found.codes) == bytes(verifier.verify_many(given).codes)

    def table(data: bytes) -> None:
        (plain, wrapped, time), cells = _cells_of(data)
        text = _WRAPPED[wrapped % len(_WRAPPED)](_PLAIN[plain % len(_PLAIN)](cells))
        times = _WRAPPED[wrapped // 7 % 2](_TIMES[time % len(_TIMES)](cells[::-1]))
        with may_raise(ScansError):
            bulks[len(data) % len(bulks)](pa.table({"text": text, "scanned_at": times, "more": text}))

    def file(name: str, data: bytes, encoding: str = "utf-8") -> None:
        (folder / name).write_bytes(data)
        with may_raise(ScansError):
            source = open_source(folder / name, encoding)
            bulks[0].schema(source.schema)
            for chunk in source.chunks(lambda part: False):
                if chunk.batch is not None:
                    for _ in bulks[0].map_batches([chunk.batch]):
                        pass

    def csv(data: bytes) -> None:
        for encoding in ("utf-8", "gb18030"):
            file("scans.csv", data, encoding)

    def run(data: bytes) -> None:
        """The whole run: what Parquet can state can be written again."""
        at = Path(tempfile.mkdtemp(dir=folder))
        try:
            (at / "scans.parquet").write_bytes(data)
            with may_raise(ScansError):
                verify_files(bulks[0], at / "scans.parquet", at / "out")
                summarize(at / "out")
        finally:
            shutil.rmtree(at)

    lines = "".join(json.dumps({"text": text, "scanned_at": NOW, "place": "330100"}) + "\n" for text in texts).encode()
    rows = "".join(f'{text},{NOW},"杭州"\n' for text in texts)
    cells = b"\n".join([text.encode() for text in texts] + [b"-", b"", b"2027-01-15T08:00:00+08:00", str(NOW).encode()])
    return {
        "arrow": Target(arrow, (), tuple(bytes([kind, kind, kind]) + cells for kind in range(7))),
        "table": Target(table, (), tuple(bytes([kind, kind * 3, kind]) + cells for kind in range(len(_TIMES)))),
        "csv": Target(csv, (), tuple(("text,scanned_at,机构\n" + rows).encode(name) for name in ("utf-8", "gb18030"))),
        "json lines": Target(lambda data: file("a.jsonl", data), (), (lines, b'{"text": 1.5, "scanned_at": [{}]}\n')),
        "packed lines": Target(lambda data: file("a.jsonl.gz", data), (), (gzip.compress(lines),)),
        "parquet file": Target(run, (), tuple(map(_parquet, (False, True)))),
    }


def _values(array: pa.Array) -> list[bytes | str]:
    if pa.types.is_dictionary(array.type):
        values = _values(array.dictionary)
        return [values[at] for at in array.indices.to_pylist()]
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = array.view(pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary())
    return list(array.to_pylist())


def _parquet(dictionary: bool) -> bytes:
    stream = io.BytesIO()
    table = pa.table({"text": ["96", None, "x"] * 20, "scanned_at": pa.array(range(60), pa.timestamp("us", "UTC"))})
    pq.write_table(table, stream, use_dictionary=dictionary, compression="snappy" if dictionary else "none")
    return stream.getvalue()
