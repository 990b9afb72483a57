"""Bulk verification on a local Dask cluster: two worker processes against one; and the same work in plain processes,
which shows how much a second core of this machine can bring.

While the workers are measured they may run on other cores than this process, and they need two idle cores.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import distributed
import pyarrow as pa

from benchmarks.measure import AbsentError, Bench, Row
from benchmarks.samples import IDENTITY_REF, NOW
from ybtoken import Issuer, KeyEntry, KeyRing
from ybtoken.bulk.table import BulkVerifier
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

PARTS = 8
ROWS = 1000
RUNS = 5


def run(bench: Bench) -> None:
    """Measure the family."""
    rows = max(1, int(ROWS * bench.scale))
    key = P256SigningKey.generate()
    bulk = BulkVerifier(key_set=dump_jwks(KeyRing([KeyEntry(key.verifying_key, "bench")])))
    texts = [token.text for token in Issuer(key).issue_many([(IDENTITY_REF, "330100")] * rows, now=NOW)]
    scans = pa.table({"text": texts, "scanned_at": [NOW + 5] * rows})
    with _every_core(), ExitStack() as stack:
        client, pool = stack.enter_context(_cluster(2)), stack.enter_context(_pool(2))
        calls = {f"dask {n}": _on_dask(client, n, bulk, scans) for n in (1, 2)}
        calls |= {f"plain {n}": _in_processes(pool, n, bulk, scans) for n in (1, 2)}
        for call in calls.values():  # once untimed: each process makes its verifier
            call()
        taken = [{name: _seconds(call) for name, call in calls.items()} for _ in range(RUNS)]
    best = {name: min(times[name] for times in taken) for name in calls}  # the minimum of few, long runs
    note = "ES256, the serial engine"
    for workers, name in ((1, "bulk.dask_1_worker_per_s"), (2, "bulk.dask_2_workers_per_s")):
        bench.row(Row(name, PARTS * rows / best[f"dask {workers}"], "1/s", "higher", note=note))
    for name, kind, target, note in (
        ("bulk.dask_scaling", "dask", "2", "a second worker"),
        ("bulk.plain_scaling", "plain", "", "a second process without Dask: what this machine has to give"),
    ):
        ratios = [times[f"{kind} 1"] / times[f"{kind} 2"] for times in taken]
        noise, value = (max(ratios) - min(ratios)) / 2, best[f"{kind} 1"] / best[f"{kind} 2"]
        bench.row(Row(name, value, "ratio", "higher", noise, target, note))


def _seconds(call: Callable[[], int]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _accepted(scans: pa.Table, bulk: BulkVerifier, times: int = 1) -> int:
    return sum(bulk(scans)["verdict_code"].to_pylist().count("accepted") for _ in range(times))


def _on_dask(client: Any, count: int, bulk: BulkVerifier, scans: pa.Table) -> Callable[[], int]:
    workers = list(client.scheduler_info()["workers"])[:count]
    # The workers have the parts already, like those of a data set.
    parts = client.scatter([scans] * PARTS, broadcast=True, hash=False)

    def call() -> int:
        accepted = sum(client.gather(client.map(_accepted, parts, bulk=bulk, pure=False, workers=workers)))
        assert accepted == PARTS * len(scans)
        return accepted

    return call


def _in_processes(pool: ProcessPoolExecutor, workers: int, bulk: BulkVerifier, scans: pa.Table) -> Callable[[], int]:
    def call() -> int:
        tasks = [pool.submit(_accepted, scans, bulk, PARTS // workers) for _ in range(workers)]
        return sum(task.result() for task in tasks)

    return call


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", local_directory=folder
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(workers)
        yield client


@contextmanager
def _every_core() -> Iterator[None]:
    """Allow all cores for a while."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        if len(os.sched_getaffinity(0)) < 2:
            raise AbsentError("two cores are needed")
        yield
    finally:
        os.sched_setaffinity(0, before)
