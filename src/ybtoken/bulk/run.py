"""Files of scans into a folder of verdicts (extra ``bulk``), streamed.

Memory does not grow with the files, and an interrupted run goes on where it stopped: each part of a source is a file
that gets its name when it is whole. A manifest in the folder says which sources, by a hash of their content, and which
settings the verdicts are of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from ybtoken._arrow import pa, pq
from ybtoken._state import put_in_place, replace_file
from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.sources import Source, find_sources, open_source
from ybtoken.bulk.table import BulkVerifier
from ybtoken.words import Words

__all__ = ["JOURNAL_FOLDER", "MANIFEST", "Progress", "verify_files"]

MANIFEST = "_manifest.json"
JOURNAL_FOLDER = "_journal"
"""Where the verdicts on journals are, below those on scans; readers of data sets leave out what begins with ``_``."""
_VERSION = 1
_ROWS_OF_A_GROUP = 1 << 17


class Progress(NamedTuple):
    """How far a run has come.

    Args:
        rows: how many rows have a verdict, from this run or an interrupted one before.
        verified: how many of them this run verified.
        share: how much of all sources has been read, 0 to 1.
    """

    rows: int
    verified: int
    share: float


_Path = str | os.PathLike[str]


def verify_files(
    bulk: BulkVerifier,
    sources: _Path | Iterable[_Path],
    destination: _Path,
    *,
    journals: Iterable[_Path] = (),
    encoding: str = "utf-8",
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Verify files of scans into a folder of Parquet files.

    Args:
        bulk: the verifier. The verdicts have all columns of the sources but the texts, which might still be redeemed.
            The rows are in the order of the source.
        sources: files (Parquet, CSV, JSON lines), or folders of them.
        destination: the folder, which is made if it does not exist. Any reader of Parquet reads it as one data set. If
            an earlier run left verdicts on the same sources here, this run adds the missing ones.
        journals: what terminals accepted without a network, as files of `ybtoken.replay.sqlite.Redemption.to_dict`, one
            JSON object a line. Their verdicts are in the folder ``_journal``, and are not counted as scans.
        encoding: the character encoding of CSV files.
        progress: called after every batch.

    Returns:
        The progress at the end.

    Raises:
        ScansError: the folder holds verdicts on other sources or with other settings, a source cannot be read, or a
            column cannot hold texts or times. The verdicts that were written before stay.
        OSError: a file cannot be read or written.
    """
    folder = Path(destination)
    scans = [open_source(file, encoding) for file in find_sources(_paths(sources))]
    terminals = [open_source(file) for file in find_sources(listed)] if (listed := _paths(journals)) else []
    every = [*scans, *terminals]
    for source in every:  # before the first row
        try:
            bulk.schema(source.schema)
        except ScansError as error:
            raise error.within(str(source.path)) from None
    note = _note(bulk, scans, terminals, encoding)
    _claim_folder(folder, note)
    sizes = [max(source.path.stat().st_size, 1) for source in every]
    rows = verified = 0
    for place, source in enumerate(every):
        below, number = (folder, place) if place < len(scans) else (folder / JOURNAL_FOLDER, place - len(scans))
        below.mkdir(exist_ok=True)
        with _Writer(below, f"part-{number:05d}") as writer, closing(source.chunks(writer.is_done)) as chunks:
            for chunk in chunks:
                if chunk.batch is not None:
                    found = bulk.map_batches([chunk.batch], source=str(source.path), rows_before=chunk.first)
                    for batch in found:
                        writer.write(chunk.part, batch.drop_columns([bulk.text]))
                    verified += chunk.rows
                rows += chunk.rows
                share = (sum(sizes[:place]) + sizes[place] * chunk.share) / sum(sizes)
                progress(Progress(rows, verified, share))
    _write_manifest(folder, note | {"rows": rows})
    return Progress(rows, verified, 1.0)


def _paths(paths: _Path | Iterable[_Path]) -> list[Path]:
    return [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(path) for path in paths]


class _Writer:
    """Writes the parts of one source, each under another name until it is whole."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._part = -1
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []

    def _path(self, part: int) -> Path:
        return self._folder / f"{self._name}-{part:05d}.parquet"

    def _unfinished(self, part: int) -> Path:
        return self._folder / f"_{self._name}-{part:05d}.unfinished"

    def is_done(self, part: int) -> bool:
        """Whether a part is there, from this run or an earlier one."""
        return self._path(part).exists()

    def write(self, part: int, batch: pa.RecordBatch) -> None:
        """Write rows; those of another part finish the one before."""
        if part != self._part:
            self._finish()
            self._part = part
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._unfinished(part), batch.schema, **_options(batch.schema))
        self._waiting.append(batch)
        if sum(map(len, self._waiting)) >= _ROWS_OF_A_GROUP:
            self._flush(self._writer)

    def _flush(self, writer: pq.ParquetWriter) -> None:
        if self._waiting:
            writer.write_table(pa.Table.from_batches(self._waiting))
            self._waiting = []

    def _finish(self) -> None:
        if self._writer is not None:
            self._flush(self._writer)
            self._writer.close()
            self._writer = None
            put_in_place(self._unfinished(self._part), self._path(self._part))

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._finish()
        elif self._writer is not None:
            self._writer.close()


def _options(schema: pa.Schema) -> dict[str, Any]:
    """Dictionaries, statistics and compression where they help: displays, nonces and references are random bytes."""
    random = {field.name for field in schema if pa.types.is_binary(field.type)}
    words = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)]
    return {
        "use_dictionary": words,
        "write_statistics": [name for name in schema.names if name not in {*random, *words}],
        "compression": {name: "none" if name in random else "snappy" for name in schema.names},
    }


def _note(bulk: BulkVerifier, scans: Sequence[Source], journals: Sequence[Source], encoding: str) -> dict[str, Any]:
    settings = {name: value for name, value in asdict(bulk).items() if name not in ("native", "threads")}
    return {
        "version": _VERSION,
        "sources": [_about(source.path) for source in scans],
        "journals": [_about(source.path) for source in journals],
        "settings": settings | {"encoding": encoding},
    }


def _about(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"name": path.name, "bytes": path.stat().st_size, "sha256": file_digest(stream, "sha256").hexdigest()}


def _claim_folder(folder: Path, note: dict[str, Any]) -> None:
    """Write into the folder what its verdicts are on; raise `ScansError` if it holds verdicts on something else."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    if not manifest.exists():
        if any(folder.iterdir()):
            raise ScansError(
                f"{folder} is not empty, and was not made by this: name a new folder",
                f"{folder} 不是空目录，也不是由本命令生成的：请另行指定目录",
            )
        _write_manifest(folder, note)
        return
    try:
        earlier = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        earlier = {}
    if difference := _difference(earlier, note):
        raise ScansError(
            f"{folder} holds the verdicts of another run ({difference.en}): name a new folder, or delete this one",
            f"{folder} 中是另一次运行的结果（{difference.zh}）：请另行指定目录，或删除该目录",
        )


def _difference(earlier: dict[str, Any], note: dict[str, Any]) -> Words | None:
    if earlier.get("version") != note["version"]:
        return Words("made by another version", "由其他版本生成")
    if earlier.get("settings") != note["settings"]:
        old = earlier.get("settings", {})
        names = ", ".join(sorted(name for name, value in note["settings"].items() if old.get(name, ...) != value))
        return Words(f"other settings: {names}", f"设置不同：{names}")
    before, now = ([*told.get("sources", []), *told.get("journals", [])] for told in (earlier, note))
    if (before, len(earlier.get("journals", []))) == (now, len(note["journals"])):
        return None
    if len(before) != len(now):
        return Words(f"{len(before)} files then, {len(now)} now", f"当时 {len(before)} 个文件，现为 {len(now)} 个")
    name = next((new["name"] for old, new in zip(before, now, strict=True) if old != new), now[-1]["name"])
    return Words(f"{name} is another file, or was changed", f"{name} 是另一个文件，或内容已改")


def _write_manifest(folder: Path, note: dict[str, Any]) -> None:
    replace_file(folder / MANIFEST, (json.dumps(note, ensure_ascii=False, indent=2) + "\n").encode())
