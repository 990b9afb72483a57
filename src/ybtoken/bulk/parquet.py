"""One Parquet file of scans into a folder of verdicts (extra ``bulk``), streamed.

Memory does not grow with the file, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ybtoken._arrow import pq
from ybtoken.bulk.table import BulkVerifier

__all__ = ["verify_parquet"]


_MANIFEST = "_manifest.json"
_ROWS = 65_536


def verify_parquet(
    bulk: BulkVerifier,
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    rows: int = _ROWS,
) -> int:
    """Verify the scans in a Parquet file into a folder of Parquet files, one for each row group.

    A part is written under another name and renamed when it is whole, so a run that was interrupted can be started
    again: it verifies only what is missing.

    Args:
        bulk: the verifier.
        source: the file of scans.
        destination: the folder; made if it is not there. It is a data set that any Parquet reader takes as one.
        progress: called with the rows done and the rows in all.
        rows: how many rows are in memory at once.

    Returns:
        How many rows were verified by this call.

    Raises:
        ValueError: the folder holds the verdicts on something else, or a column is missing.
    """
    file, folder = pq.ParquetFile(source), Path(destination)
    for name in (bulk.text, bulk.scanned_at):
        if name not in file.schema_arrow.names:
            raise ValueError(f"the file has no column {name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    _claim_folder(folder, bulk, file, Path(source))
    total, done, verified = file.metadata.num_rows, 0, 0
    for group in range(file.num_row_groups):
        part = folder / f"part-{group:05d}.parquet"
        group_rows = file.metadata.row_group(group).num_rows
        if not part.exists():
            unfinished, writer, before = part.with_suffix(".unfinished"), None, done
            try:
                for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                    table = bulk(batch)
                    writer = writer or pq.ParquetWriter(unfinished, table.schema)
                    writer.write_table(table)
                    progress(before := before + len(batch), total)
            finally:
                if writer is not None:
                    writer.close()
            if group_rows:
                unfinished.rename(part)
            verified += group_rows
        done += group_rows
        progress(done, total)
    return verified


def _claim_folder(folder: Path, bulk: BulkVerifier, file: pq.ParquetFile, source: Path) -> None:
    """Note what the folder's verdicts are on, or refuse to mix them with others."""
    note = {
        "source": source.name,
        "bytes": source.stat().st_size,
        "rows": file.metadata.num_rows,
        "row_groups": file.num_row_groups,
        "settings": {name: value for name, value in asdict(bulk).items() if name not in ("native", "threads")},
    }
    manifest = folder / _MANIFEST
    if manifest.exists():
        if json.loads(manifest.read_text(encoding="utf-8")) != note:
            raise ValueError(f"{folder} holds the verdicts on another file, or with other settings")
        return
    if any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty, and was not made by this")
    manifest.write_text(json.dumps(note, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
