"""Bulk verification on Dask, Spark and Ray: real clusters of two workers on this machine.

Dask is part of the plain test run. Spark and Ray are there in `make clusters`.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bulk.samples import NOON, codes_of, each_engine, scans, verifier
from tests.bulk.test_columns import CLEANED, COLUMNS, TEXTS, VERDICTS
from ybtoken.bulk.schema import VERDICT_SCHEMA
from ybtoken.bulk.table import BulkVerifier

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, of each other's versions

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "bulk.md"
BLOCK = re.compile(r"^```python ?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _needs(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"dask": "distributed", "spark": "pyspark", "ray": "ray"}[kind]
    pytest.importorskip(module, reason=f"{module} is in the group clusters: make clusters")
    if kind == "spark":
        if shutil.which("java") is None:
            pytest.skip("java is not installed")
        monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
        monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")


@pytest.mark.parametrize("kind", ["dask", "spark", "ray"])
def test_the_code_of_the_guide_runs_as_written(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _needs(kind, monkeypatch)
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    namespace: dict[str, object] = {"__name__": "guide"}
    assert [name for name, _ in blocks].count(kind) == 1
    try:
        for name, code in blocks:
            if name in ("", kind):
                exec(compile(code, str(GUIDE), "exec"), namespace)
    finally:
        if kind == "ray":
            import ray

            ray.shutdown()


Way = Callable[[BulkVerifier, pa.Table], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def dask_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path_factory.mktemp("dask")),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def dask(dask_client: Any) -> Way:
    def way(bulk: BulkVerifier, table: pa.Table) -> list[dict[str, Any]]:
        parts = [table.slice(at, 3) for at in range(0, len(table), 3)]
        futures = dask_client.map(bulk, parts, pure=False)
        return list(pa.concat_tables(dask_client.gather(futures)).to_pylist())

    return way


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    ray = pytest.importorskip("ray", reason="ray is in the group clusters: make clusters")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        yield lambda bulk, table: list(
            ray.data.from_arrow(table).map_batches(bulk, batch_format="pyarrow", batch_size=None).take_all()
        )
    finally:
        ray.shutdown()


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    patch = pytest.MonkeyPatch()
    _needs("spark", patch)
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.types import StructType

    settings = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC"}
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    number = iter(range(1000))

    def way(bulk: BulkVerifier, table: pa.Table) -> list[dict[str, Any]]:
        path = tmp_path_factory.mktemp("spark") / f"{next(number)}.parquet"
        try:
            pq.write_table(table, path, store_schema=False)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            pytest.skip("Parquet has no such type")
        frame = session.read.parquet(str(path))
        schema = StructType([*frame.schema.fields, *from_arrow_schema(VERDICT_SCHEMA).fields])
        return list(frame.mapInArrow(bulk.map_batches, schema).toArrow().to_pylist())

    yield way
    session.stop()
    patch.undo()


@pytest.mark.parametrize("cluster", ["dask", "ray", "spark"])
@each_engine
def test_a_cluster_gives_the_same_verdicts(cluster: str, native: bool, request: pytest.FixtureRequest) -> None:
    way, bulk, table = request.getfixturevalue(cluster), verifier(native=native), scans(60)
    found = sorted(way(bulk, table), key=_identity)
    expected = sorted(bulk(table).to_pylist(), key=_identity)
    assert [_plain(row) for row in found] == [_plain(row) for row in expected]


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["text"], row["scanned_at"], row["office"]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with times as seconds: each tool has its own objects for them."""
    return {name: value.timestamp() if hasattr(value, "timestamp") else value for name, value in row.items()}


@pytest.mark.parametrize("cluster", ["dask", "ray", "spark"])
@each_engine
@pytest.mark.parametrize("kind", COLUMNS)
def test_texts_of_any_type_are_read_by_a_cluster(
    cluster: str, kind: str, native: bool, request: pytest.FixtureRequest
) -> None:
    if cluster == "ray" and kind in ("run ends", "string_view", "binary_view"):
        pytest.skip("Ray's blocks do not hold this type")
    way = request.getfixturevalue(cluster)
    table = pa.table({"text": COLUMNS[kind](), "scanned_at": [NOON] * len(TEXTS)})
    for scanned, expected in ((False, VERDICTS), (True, CLEANED)):
        rows = way(verifier(native=native, scanned=scanned), table)
        assert sorted(row["verdict_code"] for row in rows) == sorted(expected)


def test_two_workers_share_the_work(dask_client: Any) -> None:
    bulk, table = verifier(), scans(120)
    parts = [table.slice(at, 30) for at in range(0, 120, 30)]
    futures = dask_client.map(bulk, parts, pure=False)
    found = pa.concat_tables(dask_client.gather(futures))
    workers = {worker for who in dask_client.who_has(futures).values() for worker in who}
    assert codes_of(found) == codes_of(bulk(table))
    assert len(workers) == 2
