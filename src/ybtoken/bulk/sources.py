"""Files of scans: Parquet, CSV and JSON lines, read a batch at a time (extra ``bulk``).

A source is cut into parts: the row groups of a Parquet file, and `ROWS_OF_A_PART` rows of any other file. A run that
was interrupted repeats only the part that it had not finished. Only Parquet has types. Every CSV field is read as the
string in the file, so that no digits and no leading zeros are lost, and so is every JSON member that is not a string.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ybtoken._arrow import pa, pa_csv, pq
from ybtoken.bulk.columns import ScansError

__all__ = ["Chunk", "Source", "find_sources", "open_source"]

ROWS_OF_A_PART = 1 << 20
_ROWS = 16_384  # some 6 MB: what is decoded is still in the caches when it is verified
_BYTES = 16 << 20  # or fewer rows, if their lines are long: a small compressed file may hold gigabytes of them
_LOOKED_AT = 65_536  # JSON lines, for the names of their members
_PARQUET, _CSV, _LINES = (".parquet", ".pq"), (".csv",), (".jsonl", ".ndjson")
_PACKED = (".gz", ".bz2", ".zst")
_LONGEST_JSON_LINE = 1 << 20


class Chunk(NamedTuple):
    """Some rows of a part.

    Args:
        part: the number of the part.
        first: the number of its first row in the source, counted from 0.
        rows: how many rows it has.
        batch: the rows; ``None`` if the part was finished by an earlier run.
        share: how much of the source has been read up to the end of this chunk, 0 to 1.
    """

    part: int
    first: int
    rows: int
    batch: pa.RecordBatch | None
    share: float


class Source(Protocol):
    """A file of scans."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        ...

    def chunks(self, done: Callable[[int], bool]) -> Generator[Chunk, None, None]:
        """Its rows in order. Chunks of a part that is ``done`` have no batch."""
        ...


def find_sources(paths: Iterable[Path]) -> list[Path]:
    """The files of scans among these paths, and in these folders and the folders below, sorted by name.

    Files and folders whose names begin with ``.`` or ``_`` are left out.

    Raises:
        ScansError: a file is of no kind that can be read, a folder has no file of scans, or a file is given twice.
        OSError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            path.stat()
            _kind(path)
            found.append(path)
            continue
        below = sorted(file for file in path.rglob("*") if file.is_file() and _is_visible(file.relative_to(path)))
        if not (files := [file for file in below if _kind_or_none(file)]):
            raise ScansError(f"{path}: no {_KINDS} in this folder", f"{path}：此目录中没有 {_KINDS} 文件")
        found += files
    for number, file in enumerate(found):
        if any(file.samefile(other) for other in found[:number]):
            raise ScansError(f"{file}: this file is named twice", f"{file}：该文件重复给出")
    if not found:
        raise ScansError("no files were given", "未给出文件")
    return found


_KINDS = "*.parquet, *.csv, *.jsonl"


def _is_visible(path: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in path.parts)


def _kind_or_none(path: Path) -> str | None:
    name = path.name.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    ending = Path(name).suffix
    return ending if ending in (*_PARQUET, *_CSV, *_LINES) else None


def _kind(path: Path) -> str:
    if kind := _kind_or_none(path):
        return kind
    raise ScansError(
        f"{path}: what is it? Files of scans are {_KINDS}, each also as .gz, .bz2 or .zst",
        f"{path}：无法识别。扫码记录文件应为 {_KINDS}，也可压缩为 .gz、.bz2 或 .zst",
    )


def open_source(path: Path, encoding: str = "utf-8") -> Source:
    """Open a file of scans by its ending.

    Args:
        path: the file.
        encoding: the character encoding of CSV files; spreadsheets in China often write gb18030.

    Raises:
        ScansError: the content is damaged, or of another kind or encoding than stated; or there is no such encoding.
        OSError: the file cannot be read.
    """
    kind = _kind(path)
    if kind in _PARQUET:
        return _Parquet(path)
    return _Csv(path, encoding) if kind in _CSV else _JsonLines(path)


class _File:
    """A source. What reading it raises becomes an error with its path."""

    schema: pa.Schema

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading():
            self.schema = self._read_schema()

    def _read_schema(self) -> pa.Schema:
        raise NotImplementedError

    def _chunks(self, done: Callable[[int], bool]) -> Iterator[Chunk]:
        raise NotImplementedError

    def chunks(self, done: Callable[[int], bool]) -> Generator[Chunk, None, None]:
        """See `Source`."""
        with self._reading():
            yield from self._chunks(done)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, UnicodeError) as error:
            raise self._unreadable(error) from None
        except OSError as error:
            if error.errno is None:  # pyarrow's for damaged content
                raise self._unreadable(error) from None
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _unreadable(self, error: Exception) -> ScansError:
        reason = str(error).partition("\n")[0][:200]
        return ScansError(f"{self.path} cannot be read: {reason}", f"无法读取 {self.path}：{reason}")


class _Parquet(_File):
    def _read_schema(self) -> pa.Schema:
        return pq.read_schema(self.path)

    def _chunks(self, done: Callable[[int], bool]) -> Iterator[Chunk]:
        # With a buffer, and only without `pre_buffer`, a row group is not read into memory as a whole.
        with pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False) as file:
            total, first = max(file.metadata.num_rows, 1), 0
            for part in range(file.num_row_groups):
                rows = file.metadata.row_group(part).num_rows
                if done(part):
                    yield Chunk(part, first, rows, None, (first + rows) / total)
                else:
                    at = first
                    for batch in file.iter_batches(batch_size=_ROWS, row_groups=[part]):
                        yield Chunk(part, at, len(batch), batch, (at + len(batch)) / total)
                        at += len(batch)
                first += rows


class _Stream:
    """A file that is read from beginning to end, and decompressed meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._size = max(path.stat().st_size, 1)
        codec = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(path.suffix.lower())
        self.stream: Any = self._file if codec is None else pa.CompressedInputStream(self._file, codec)
        self.lines: Any = self._file if codec is None else BufferedReader(self.stream, 1 << 20)

    @property
    def share(self) -> float:
        """How much of the file was read, 0 to 1."""
        return min(self._file.tell() / self._size, 1.0)

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in (self.lines, self.stream, self._file):
            opened.close()


_BAD_ROW = re.compile(r"^CSV parse error: Row #([0-9]+): Expected ")


class _Csv(_File):
    def __init__(self, path: Path, encoding: str) -> None:
        _check_encoding(encoding)
        self._encoding = encoding
        super().__init__(path)

    def _read_schema(self) -> pa.Schema:
        with _Stream(self.path) as stream, self._reader(stream, {}) as reader:
            return pa.schema([(name, pa.string()) for name in reader.schema.names])

    def _reader(self, stream: _Stream, types: dict[str, pa.DataType]) -> Any:
        return pa_csv.open_csv(
            stream.stream,
            read_options=pa_csv.ReadOptions(block_size=16 << 20, use_threads=False, encoding=self._encoding),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, strings_can_be_null=True, null_values=[""], check_utf8=False
            ),
        )

    def _unreadable(self, error: Exception) -> ScansError:
        if isinstance(error, UnicodeError):
            other = "gb18030" if codecs.lookup(self._encoding).name.startswith("utf-8") else "utf-8"
            return ScansError(
                f"{self.path} is not in the encoding {self._encoding}: name its own, such as --encoding {other} "
                "(encoding=)",
                f"{self.path} 的字符编码不是 {self._encoding}：请指明其编码，例如 --encoding {other}（参数 encoding=）",
            )
        if (bad := _BAD_ROW.search(str(error))) is None:
            return super()._unreadable(error)
        number = int(bad[1])
        return ScansError(  # pyarrow's own message quotes the line, and with it a text
            f"{self.path}, line {number:,}: another number of fields than in the first line",
            f"{self.path} 第 {number:,} 行：字段数与首行不符",
        )

    def _chunks(self, done: Callable[[int], bool]) -> Iterator[Chunk]:
        first = 0
        with (
            _Stream(self.path) as stream,
            self._reader(stream, dict.fromkeys(self.schema.names, pa.string())) as reader,
        ):
            for batch in reader:
                yield from _cut(batch, first, done, stream.share)
                first += len(batch)


def _check_encoding(encoding: str) -> None:
    """Refuse an encoding that pyarrow cannot read a file in; `ScansError`."""
    try:
        # A codec such as rot13 is none for text, and one such as punycode takes no buffer, which pyarrow gives it.
        codecs.getincrementaldecoder(encoding)().decode(pa.py_buffer("1".encode(encoding)))
    except (LookupError, ValueError, AttributeError):
        raise ScansError(
            f"{encoding!r} is no character encoding: name one such as utf-8 or gb18030",
            f"{encoding!r} 不是字符编码：请指明 utf-8、gb18030 等编码",
        ) from None


class _JsonLines(_File):
    def _read_schema(self) -> pa.Schema:
        names: dict[str, None] = {}
        with _Stream(self.path) as stream:
            for number, _, record in islice(self._records(stream), _LOOKED_AT):
                for name in record.keys() - names.keys():
                    self._check_name(number, name)
                names |= dict.fromkeys(record)
        return pa.schema([(name, pa.string()) for name in names])

    def _check_name(self, number: int, name: str) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:  # bytes that are not UTF-8, or half of a surrogate pair
            raise ScansError(
                f"{self.path}, line {number:,}: the name of the member {name!r} is not UTF-8",
                f"{self.path} 第 {number:,} 行：成员名 {name!r} 不是 UTF-8",
            ) from None

    def _late(self, number: int, name: str) -> ScansError:
        return ScansError(
            f"{self.path}, line {number:,}: none of the first {_LOOKED_AT:,} lines has the member {name!r}",
            f"{self.path} 第 {number:,} 行：前 {_LOOKED_AT:,} 行中均无成员 {name!r}",
        )

    def _records(self, stream: _Stream) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """The objects with the numbers and the lengths of their lines."""
        number = 0
        while line := stream.lines.readline(_LONGEST_JSON_LINE):
            number += 1
            if not line.strip():
                continue
            try:
                # Bytes that are not UTF-8 are kept: the row gets the verdict scan.not_text.
                record = json.loads(line.decode("utf-8-sig", "surrogateescape"))
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                raise ScansError(
                    f"{self.path}, line {number:,}: not a JSON object", f"{self.path} 第 {number:,} 行：不是 JSON 对象"
                )
            yield number, len(line), record

    def _chunks(self, done: Callable[[int], bool]) -> Iterator[Chunk]:
        first = 0
        with _Stream(self.path) as stream:
            for rows in self._blocks(stream):
                columns = [pa.array(cells, pa.binary()).view(pa.string()) for cells in zip(*rows, strict=True)]
                batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
                yield from _cut(batch, first, done, stream.share)
                first += len(batch)

    def _blocks(self, stream: _Stream) -> Iterator[list[list[bytes | None]]]:
        """The cells of some rows at a time."""
        names = self.schema.names
        known, size = set(names), 0
        rows: list[list[bytes | None]] = []
        for number, length, record in self._records(stream):
            if unknown := record.keys() - known:
                raise self._late(number, min(unknown))
            rows.append([_spelled(record.get(name)) for name in names])
            size += length
            if len(rows) == _ROWS or size >= _BYTES:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows


def _spelled(value: Any) -> bytes | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell and UTF-8 cannot
        return text.encode("utf-8", "surrogatepass")


def _cut(batch: pa.RecordBatch, first: int, done: Callable[[int], bool], share: float) -> Iterator[Chunk]:
    """A batch of a stream, cut where parts end."""
    at = 0
    while at < len(batch):
        part, inside = divmod(first + at, ROWS_OF_A_PART)
        rows = min(len(batch) - at, ROWS_OF_A_PART - inside, _ROWS)
        yield Chunk(part, first + at, rows, None if done(part) else batch.slice(at, rows), share)
        at += rows
