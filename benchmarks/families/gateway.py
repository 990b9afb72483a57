"""The example gateway against an empty endpoint of FastAPI, on the same server in one run: processor time a request.

Both serve in processes of their own, with uvicorn's fast parts (uvloop, httptools). The client is a few connections of
asyncio, each with one request under way. What counts is the server's own processor time, because client and store share
the machine's cores with it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.families.redis import _server as redis_server
from benchmarks.measure import AbsentError, Bench, Row
from benchmarks.samples import CITY, IDENTITY_REF

REQUESTS = 6000
PARTS = 6
LIFE = 300
CONNECTIONS, BESIDE_REDIS = 8, 64

EMPTY = "benchmarks.families.gateway:empty"


def empty() -> object:
    """An application with two endpoints that do nothing: one takes a scan as /redeem does, one reads no body."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Scan(BaseModel):
        text: str

    app = FastAPI(openapi_url=None)

    async def endpoint(scan: Scan) -> dict[str, str]:
        return {}

    async def bodiless() -> dict[str, str]:
        return {}

    endpoint.__annotations__["scan"] = Scan  # annotations are strings here, and the class is local
    app.post("/empty")(endpoint)
    app.post("/bodiless")(bodiless)
    return app


def run(bench: Bench) -> None:
    """Measure the family."""
    for module in ("fastapi", "uvicorn", "uvloop", "httptools", "ybtoken_native", "redis"):
        if importlib.util.find_spec(module) is None:
            raise AbsentError(f"no {module} here")
    if not Path("/proc/self/stat").exists():
        raise AbsentError("no /proc, which says how much processor time a server takes")
    from examples.gateway.load import free_port

    with redis_server() as url, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with _serving("empty", port, Path(folder), "") as pid:
            _compare(bench, (port, pid), Path(folder) / "memory", "", CONNECTIONS, ">= 0.75")
            _compare(bench, (port, pid), Path(folder) / "redis", url, BESIDE_REDIS, ">= 0.6")


def _compare(bench: Bench, empty: tuple[int, int], folder: Path, redis: str, connections: int, target: str) -> None:
    from examples.gateway.load import cpu_seconds, free_port, press, scans
    from examples.gateway.vault import Vault
    from ybtoken import Issuer

    issuer = Issuer(Vault.open(folder, "es256").signing, lifetime=LIFE)
    each = bench.rounds(REQUESTS) // PARTS
    spent: dict[str, list[float]] = {"empty": [], "bodiless": [], "redeem": []}
    with ExitStack() as stack:
        port = free_port()
        servers = {
            "empty": empty,
            "bodiless": empty,
            "redeem": (port, stack.enter_context(_serving("redeem", port, folder, redis))),
        }
        if redis:
            _prepare(redis)

        def part(name: str, count: int) -> float:
            port, pid = servers[name]
            texts: Iterator[str] = (token.text for token in issuer.issue_many([(IDENTITY_REF, CITY)] * count))
            requests = iter(list(itertools.islice(scans(f"/{name}", texts), count)))
            before = cpu_seconds(pid)
            asyncio.run(press(port, requests, 600, connections, codes=1 if name == "redeem" else 0))
            return (cpu_seconds(pid) - before) / count

        for name in spent:
            part(name, max(connections, each // 4))  # warm
        for _, (name, took) in itertools.product(range(PARTS), spent.items()):
            took.append(part(name, each))
    store = "Redis" if redis else "memory"
    name = "redis" if redis else "memory"
    mean = {kind: max(sum(took) / PARTS, 1e-9) for kind, took in spent.items()}
    ratios = [empty_one / max(redeem, 1e-9) for empty_one, redeem in zip(spent["empty"], spent["redeem"], strict=True)]
    noise = (max(ratios) - min(ratios)) / 2
    note = f"{store}, native engine, ES256, {connections} connections; uvicorn, uvloop, httptools"
    for kind, seconds in mean.items():
        bench.row(
            Row(f"gateway.{name}.{kind}_us", seconds * 1e6, "us", "lower", note=f"the server's processor time; {note}")
        )
    strict = max(mean["bodiless"] / mean["redeem"], 1e-9)
    bench.row(Row(f"gateway.{name}.redeem_vs_bodiless_endpoint", strict, "ratio", "higher", note=note))
    ratio = max(mean["empty"] / mean["redeem"], 1e-9)
    suffix = "" if not redis else "_redis"
    bench.row(
        Row(f"gateway.redeem_vs_empty_endpoint{suffix}", ratio, "ratio", "higher", noise, target=target, note=note)
    )


@contextmanager
def _serving(name: str, port: int, folder: Path, redis: str) -> Iterator[int]:
    from examples.gateway.load import running

    if name == "empty":
        command = [sys.executable, "-m", "uvicorn", EMPTY, "--factory", "--port", str(port), "--log-level", "warning"]
        command += ["--no-access-log"]
    else:
        command = [sys.executable, "-m", "examples.gateway", "--port", str(port)]
    environment = {
        "YBTOKEN_GATEWAY_FOLDER": str(folder),
        "YBTOKEN_GATEWAY_REDIS": redis,
        "YBTOKEN_GATEWAY_GUARD": "" if redis else "memory",
        "YBTOKEN_GATEWAY_ENGINE": "native",
        "YBTOKEN_GATEWAY_LIFETIME": str(LIFE),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with running(command, port, **environment) as pid:
        yield pid


def _prepare(url: str) -> None:
    from ybtoken.replay.redis import RedisReplayGuard

    guard = RedisReplayGuard.from_url(url)
    guard.prepare(first_use=True)
    guard.close()
