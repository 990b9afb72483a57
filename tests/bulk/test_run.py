"""Runs over files: every kind of file, in parts, resumed, and never mixed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from tests.bulk.samples import NOON, codes_of, each_engine, good_texts, scans, verifier
from ybtoken.bulk import sources
from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.run import Progress, verify_files
from ybtoken.bulk.schema import VERDICT_SCHEMA


def write_parquet(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, row_group_size=60)


def write_csv(path: Path, table: pa.Table) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(table.column_names)
    writer.writerows([["" if cell is None else cell for cell in row.values()] for row in table.to_pylist()])
    path.write_bytes(_packed(path, stream.getvalue().encode()))


def write_lines(path: Path, table: pa.Table) -> None:
    path.write_bytes(_packed(path, "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()))


def _packed(path: Path, data: bytes) -> bytes:
    return gzip.compress(data) if path.suffix == ".gz" else data


FILES: dict[str, Callable[[Path, pa.Table], None]] = {
    "scans.parquet": write_parquet,
    "scans.csv": write_csv,
    "scans.csv.gz": write_csv,
    "scans.jsonl": write_lines,
    "scans.ndjson": write_lines,
    "scans.jsonl.gz": write_lines,
}
each_file = pytest.mark.parametrize("name", FILES)


def written(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(part) for part in sorted(folder.glob("part-*.parquet"))])


def verdicts(table: pa.Table) -> list[dict[str, Any]]:
    return list(table.select(VERDICT_SCHEMA.names).to_pylist())


@each_file
@each_engine
def test_every_kind_of_file_gives_the_verdicts_of_a_table(name: str, native: bool, tmp_path: Path) -> None:
    table = scans(150)
    empty = pa.array([text or None for text in table["text"].to_pylist()], pa.string())
    table = table.set_column(0, "text", empty)  # CSV does not tell an empty cell from none
    FILES[name](tmp_path / name, table)
    done = verify_files(verifier(native=native), tmp_path / name, tmp_path / "out")
    assert done == Progress(150, 150, 1.0)
    found = written(tmp_path / "out")
    assert verdicts(found) == verdicts(verifier()(table))
    assert found["office"].to_pylist() == table["office"].to_pylist()
    assert "text" not in found.column_names  # a text may still be good: it is copied nowhere
    assert dataset.dataset(tmp_path / "out").count_rows() == 150


def test_a_csv_keeps_every_digit_and_reads_what_a_spreadsheet_writes(tmp_path: Path) -> None:
    texts = good_texts(3)
    rows = [
        ["\u673a\u6784", "text", "scanned_at"],
        ["007", texts[0], "2027-01-15 12:00:05"],
        ["1e5", f"{texts[1]}\r\n", "2027-01-15 12:00"],
    ]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([*rows, ["", texts[2][:16], ""]])
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + stream.getvalue().encode())
    (tmp_path / "b.csv").write_bytes(stream.getvalue().encode("gb18030"))
    bulk = verifier(tz="Asia/Shanghai")
    for name, encoding in (("a.csv", "utf-8"), ("b.csv", "gb18030")):
        verify_files(bulk, tmp_path / name, tmp_path / f"{name}.out", encoding=encoding)
        found = written(tmp_path / f"{name}.out")
        assert found["\u673a\u6784"].to_pylist() == ["007", "1e5", None]
        assert codes_of(found)[1] == "text.digits"
        assert found["verdict_noise"].to_pylist() == [False, at_noon(found, 1), False]
    with pytest.raises(ScansError, match="nonsense"):
        verify_files(bulk, tmp_path / "b.csv", tmp_path / "c", encoding="nonsense")


def at_noon(found: pa.Table, row: int) -> bool:
    """Whether the sample's noon is the noon that the text file states."""
    return found["verdict_at"][row].as_py().timestamp() == NOON


def test_json_lines_keep_what_is_not_utf_8_and_spell_what_is_no_string(tmp_path: Path) -> None:
    text = good_texts(1)[0]
    lines = [
        json.dumps({"text": text, "scanned_at": NOON, "lane": 5, "more": {"a": [1]}}).encode(),
        b'{"text": "96\xff", "scanned_at": "%d"}' % NOON,
        b"",
        json.dumps({"text": None, "scanned_at": NOON + 0.5}).encode(),
        b'{"text": "\\ud800", "scanned_at": %d}' % NOON,
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    verify_files(verifier(), tmp_path / "a.jsonl", tmp_path / "out")
    found = written(tmp_path / "out")
    assert codes_of(found) == ["accepted", "scan.not_text", "scan.no_text", "scan.not_text"]
    assert found["lane"].to_pylist() == ["5", None, None, None]
    assert found["more"].to_pylist()[0] == '{"a": [1]}'


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"text,scanned_at\n961,1\n962,2,3\n", "a.csv, line 3: another number of fields"),
        ("a.csv", b"text,scanned_at\n961,1\n962\xff,2,3\n", "a.csv, line 3: another number of fields"),
        ("a.csv", b"", "a.csv cannot be read: .*[Ee]mpty"),
        ("a.csv", b"text;scanned_at\n1;2\n", "a.csv: there is no column 'text'; there is: text;scanned_at"),
        ("a.csv", b"text,scanned_at\n961,1\n962,1800000000000\n", "a.csv, row 2: .*milliseconds"),
        ("a.jsonl", b'{"text": "1", "scanned_at": 1}\n[1]\n', "a.jsonl, line 2: not a JSON object"),
        ("a.jsonl", b'{"text": "1", "scanned_at": 1}\n{"te', "a.jsonl, line 2: not a JSON object"),
        ("a.jsonl", b'{"text": 9.6e300, "scanned_at": 1800000000000}', "a.jsonl, row 1: .*milliseconds"),
        ("a.parquet", b"PAR1", "a.parquet cannot be read"),
        ("a.txt", b"96", "a.txt: what is it"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScansError, match=why) as caught:
        verify_files(verifier(), tmp_path / name, tmp_path / "out")
    assert "962" not in str(caught.value)  # no text is quoted, because it may still be good
    assert caught.value.words.zh != caught.value.words.en


LINE = b'{"text": "1", "scanned_at": 1}\n'
ROWS = b"text,scanned_at\n" + b"1,1\n" * 2000


def damaged_parquet() -> bytes:
    stream = io.BytesIO()
    table = pa.table({"text": ["1"] * 3000, "scanned_at": list(range(3000))})
    pq.write_table(table, stream, compression="snappy", use_dictionary=False)
    data = bytearray(stream.getvalue())
    data[8_000:8_400] = b"\xff" * 400
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "encoding", "why"),
    [
        ("a.csv", "机构,text\n".encode("gb18030"), "utf-8", "a.csv is not in the encoding utf-8: .*--encoding gb18030"),
        ("a.csv", "机构,text\n".encode(), "ascii", "a.csv is not in the encoding ascii: .*--encoding utf-8"),
        ("a.csv", b"text,scanned_at\n\xff\xff,2\n", "gb18030", "not in the encoding gb18030: .*--encoding utf-8"),
        *(
            ("a.csv", ROWS, wrong, "is no character encoding: name one such as utf-8 or gb18030")
            for wrong in ("rot13", "base64", "hex", "zlib", "punycode", "undefined", "nonsense", "", "a\0b", "\ud800")
        ),
        ("a.jsonl", LINE + b'{"\\ud800": 1}', "", r"line 2: the name of the member '\\ud800' is not UTF-8"),
        ("a.jsonl", LINE + b'{"\xff": 1}', "", r"line 2: the name of the member '\\udcff' is not UTF-8"),
        ("a.jsonl.gz", gzip.compress(LINE * 999)[:-9], "", "a.jsonl.gz cannot be read: Truncated"),
        ("a.jsonl.gz", LINE, "", "a.jsonl.gz cannot be read: zlib"),
        ("a.csv.gz", gzip.compress(ROWS)[:-9], "utf-8", "a.csv.gz cannot be read: Truncated"),
        ("a.csv.bz2", ROWS, "utf-8", "a.csv.bz2 cannot be read: bz2"),
        ("a.csv.zst", ROWS, "utf-8", "a.csv.zst cannot be read: ZSTD"),
        ("a.parquet", damaged_parquet(), "", "a.parquet cannot be read: Corrupt snappy"),
    ],
    ids=range(21),
)
def test_damaged_content_is_an_error_that_names_the_file(
    name: str, content: bytes, encoding: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScansError, match=why) as caught:
        verify_files(verifier(), tmp_path / name, tmp_path / "out", encoding=encoding)
    assert caught.value.words.zh != caught.value.words.en


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_that_cannot_be_read_is_an_error_of_the_system(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sources.open_source(tmp_path / name)
    assert caught.value.filename == str(tmp_path / name)


def test_a_member_that_comes_late_is_refused_rather_than_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_LOOKED_AT", 2)
    lines = ['{"text": "1", "scanned_at": 1}'] * 3 + ['{"text": "1", "scanned_at": 1, "lane": 2}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(ScansError, match=r"a.jsonl, line 4: none of the first 2 lines has the member 'lane'"):
        verify_files(verifier(), tmp_path / "a.jsonl", tmp_path / "out")


def test_long_json_lines_are_verified_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BYTES", 1000)
    lines = [{"text": "9" * length, "scanned_at": NOON} for length in [900] * 5 + [5] * 30 + [2000]]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    chunks = list(sources.open_source(tmp_path / "a.jsonl").chunks(lambda part: False))
    assert [chunk.rows for chunk in chunks][:3] == [2, 2, 3]
    assert max(chunk.batch.nbytes for chunk in chunks if chunk.batch is not None) < 4000
    assert [row for chunk in chunks if chunk.batch is not None for row in chunk.batch.to_pylist()] == [
        line | {"scanned_at": str(NOON)} for line in lines
    ]


def test_a_json_number_in_place_of_a_text_is_a_row_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": 9.6e300, "scanned_at": {NOON}}}')
    verify_files(verifier(), tmp_path / "a.jsonl", tmp_path / "out")
    assert codes_of(written(tmp_path / "out")) == ["text.prefix"]


def test_folders_and_several_files_are_one_run(tmp_path: Path) -> None:
    table, day = scans(90), tmp_path / "day"
    (day / "east").mkdir(parents=True)
    (day / ".hidden").mkdir()
    write_parquet(day / "a.parquet", table.slice(0, 30))
    write_csv(day / "east" / "b.csv", table.slice(30, 30))
    write_csv(day / ".hidden" / "c.csv", table)
    (day / "_note.csv").write_text("nothing")
    (day / "README.txt").write_text("nothing")
    write_lines(tmp_path / "c.jsonl", table.slice(60))
    done = verify_files(verifier(), [day, tmp_path / "c.jsonl"], tmp_path / "out")
    assert done.rows == 90
    codes = [code for part in sorted((tmp_path / "out").glob("part-*")) for code in codes_of(pq.read_table(part))]
    expected = codes_of(verifier()(table))
    assert sum(a != b for a, b in zip(codes, expected, strict=True)) <= expected.count("text.prefix")  # an empty cell
    for given, why in (
        ([day, day / "a.parquet"], "a.parquet: this file is named twice"),
        ([day / "gone.csv"], "No such file"),
        ([], "no files were given"),
    ):
        with pytest.raises((ScansError, OSError), match=why):
            verify_files(verifier(), given, tmp_path / "new")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScansError, match=r"no \*.parquet, \*.csv, \*.jsonl in this folder"):
        verify_files(verifier(), tmp_path / "empty", tmp_path / "new")


@each_file
def test_an_interrupted_run_goes_on_with_the_missing_parts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_ROWS", 25)
    monkeypatch.setattr(sources, "ROWS_OF_A_PART", 60)
    bulk, table = verifier(), scans(200)
    FILES[name](tmp_path / name, table)
    seen: list[Progress] = []
    assert verify_files(bulk, tmp_path / name, tmp_path / "whole", progress=seen.append) == (200, 200, 1.0)
    assert [at.rows for at in seen] == sorted(at.rows for at in seen)
    assert [at.share for at in seen] == sorted(at.share for at in seen)
    assert seen[0].rows <= 25
    assert len(list((tmp_path / "whole").glob("part-*.parquet"))) == 4

    def interrupt(progress: Progress) -> None:
        if progress.rows > 130:
            raise KeyboardInterrupt

    out = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        verify_files(bulk, tmp_path / name, out, progress=interrupt)
    assert len(list(out.glob("part-*.parquet"))) == 2
    assert dataset.dataset(out).count_rows() == 120  # readers see whole parts only
    assert verify_files(bulk, tmp_path / name, out)[:2] == (200, 80)
    assert verify_files(bulk, tmp_path / name, out)[:2] == (200, 0)
    assert verdicts(written(out)) == verdicts(written(tmp_path / "whole"))
    assert json.loads((out / "_manifest.json").read_text())["rows"] == 200


def test_a_part_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = set(), os.fsync

    def note(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_parquet(tmp_path / "scans.parquet", scans(100))
    verify_files(verifier(), tmp_path / "scans.parquet", tmp_path / "out")
    files = list((tmp_path / "out").iterdir())
    assert len(files) == 3
    assert {file.stat().st_ino for file in files} < synced


def test_verdicts_of_two_runs_are_never_mixed(tmp_path: Path) -> None:
    source, other, out = tmp_path / "scans.parquet", tmp_path / "other.parquet", tmp_path / "out"
    write_parquet(source, scans(20))
    write_parquet(other, scans(30))
    bulk = verifier()
    verify_files(bulk, source, out)
    with pytest.raises(ScansError, match=r"other.parquet is another file, or was changed"):
        verify_files(bulk, other, out)
    with pytest.raises(ScansError, match="1 files then, 2 now"):
        verify_files(bulk, [source, other], out)
    with pytest.raises(ScansError, match="other settings: scanned, skew"):
        verify_files(verifier(skew=0, scanned=True), source, out)
    with pytest.raises(ScansError, match="not empty"):
        verify_files(bulk, source, tmp_path)
    data = bytearray(source.read_bytes())
    data[len(data) // 2] ^= 1
    source.write_bytes(data)  # another file of the same name and size
    with pytest.raises(ScansError, match=r"scans.parquet is another file, or was changed") as caught:
        verify_files(bulk, source, out)
    assert "请另行指定目录" in caught.value.words.zh
    (out / "_manifest.json").write_text("{")
    with pytest.raises(ScansError, match="made by another version"):
        verify_files(bulk, source, out)


def test_a_journal_is_verified_beside_the_scans_and_is_not_one_of_them(tmp_path: Path) -> None:
    texts = good_texts(3)
    write_lines(tmp_path / "scans.jsonl", pa.table({"text": texts[:2], "scanned_at": [NOON] * 2}))
    write_lines(tmp_path / "journal.jsonl", pa.table({"text": texts[2:], "scanned_at": [NOON], "terminal": ["T7"]}))
    done = verify_files(verifier(), tmp_path / "scans.jsonl", tmp_path / "out", journals=[tmp_path / "journal.jsonl"])
    assert done.rows == 3
    assert dataset.dataset(tmp_path / "out").count_rows() == 2
    assert codes_of(written(tmp_path / "out" / "_journal")) == ["accepted"]
    with pytest.raises(ScansError, match="2 files then, 1 now"):
        verify_files(verifier(), tmp_path / "scans.jsonl", tmp_path / "out")
    with pytest.raises(ScansError, match="another file, or was changed"):  # a journal is no file of scans
        verify_files(verifier(), [tmp_path / "scans.jsonl", tmp_path / "journal.jsonl"], tmp_path / "out")


def test_a_row_group_is_not_read_into_memory_as_a_whole(tmp_path: Path) -> None:
    texts = [os.urandom(50).hex() for _ in range(300_000)]
    table = pa.table({"text": texts, "scanned_at": [NOON] * len(texts)})
    path = tmp_path / "scans.parquet"
    pq.write_table(table, path, row_group_size=len(texts), compression="none")
    before = pa.total_allocated_bytes()
    chunks = sources.open_source(path).chunks(lambda part: False)
    next(chunks)
    assert pa.total_allocated_bytes() - before < path.stat().st_size / 3
    chunks.close()
