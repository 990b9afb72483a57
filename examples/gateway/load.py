"""A load run: ``python -m examples.gateway.load`` starts gateways and prints codes a second and latencies.

The client is asyncio over plain sockets, a few connections that each wait for one answer at a time, and it takes a good
part of a core itself: on a small machine the figures are below what the gateway can do. Two workers with the guard in
memory are left out for redeem: each would remember only its own redemptions, and a code would be good once in each.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import itertools
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Verifier
from ybtoken.replay.protocols import Claim
from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard

from .vault import SigningKey, Vault

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[int]:
    """A server in a process of its own, once it takes connections; gives its process id."""
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid: int) -> float:
    """The processor time of a process and its children; 0 where there is no /proc."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = stat.parent.name, stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if str(pid) in (name, fields[1]):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def request(path: str, body: bytes) -> bytes:
    lines = f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json", f"content-length: {len(body)}"
    return "\r\n".join((*lines, "", "")).encode() + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
    return int(head[9:12]), await reader.readexactly(length)


async def press(
    port: int, requests: Iterator[bytes], seconds: float, connections: int, codes: int = 1
) -> tuple[float, list[float]]:
    """Send requests for so long, each of so many codes; returns answers a second, and how long each took, sorted.

    All codes must be accepted.
    """
    took: list[float] = []
    opened = []
    for _ in range(connections):  # with a pause: of several workers the first to wake takes all that are waiting
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        await asyncio.sleep(0.01)
    end = time.perf_counter() + seconds

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (begun := time.perf_counter()) < end and (wanted := next(requests, None)) is not None:
            writer.write(wanted)
            status, body = await answer_of(reader)
            if status != 200 or body.count(b'"code":"accepted"') != codes:
                raise RuntimeError(f"{status}: {body.decode()[:300]}")
            took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    try:
        await asyncio.gather(*(one(*ends) for ends in opened))
    finally:
        for _, writer in opened:
            writer.close()
    return len(took) / (time.perf_counter() - begun), sorted(took)


def scans(path: str, texts: Iterator[str]) -> Iterator[bytes]:
    return (request(path, json.dumps({"text": text}).encode()) for text in texts)


def batches(texts: Iterator[str], size: int) -> Iterator[bytes]:
    while len(part := list(itertools.islice(texts, size))) == size:
        yield request("/redeem-batch", json.dumps({"texts": part}).encode())


async def show(
    name: str, pid: int, port: int, requests: Iterator[bytes], seconds: float, connections: int, codes: int = 1
) -> None:
    before, own = cpu_seconds(pid), time.process_time()
    rate, took = await press(port, requests, seconds, connections, codes)
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    spent = cpu_seconds(pid) - before, time.process_time() - own
    each, own = (seconds / len(took) / codes for seconds in spent)
    figures = (f"{value * 1000:.{digits}f}" for value, digits in ((p50, 1), (p99, 1), (each, 2), (own, 2)))
    print("|", name, "|", f"{rate * codes:.0f}", "|", " | ".join(figures), "|", flush=True)


def measure(algorithm: str, workers: int, redis: str, seconds: float, connections: int, batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        key = Vault.open(Path(folder), algorithm).signing
        port = free_port()
        if workers > 1 and not redis:
            return  # a code would be good once in each
        command = [sys.executable, "-m", "examples.gateway", "--port", str(port), "--workers", str(workers)]
        environment = {"YBTOKEN_GATEWAY_FOLDER": folder, "YBTOKEN_GATEWAY_REDIS": redis}
        environment["YBTOKEN_GATEWAY_GUARD"] = "" if redis else "memory"
        with running(command, port, **environment) as pid:
            asyncio.run(rounds(pid, port, key, workers, redis, seconds, connections, batch))


async def rounds(
    pid: int, port: int, key: SigningKey, workers: int, redis: str, seconds: float, connections: int, batch: int
) -> None:
    issuer = Issuer(key, lifetime=300)
    name = f"{key.algorithm.name}, {workers} worker{'s' * (workers > 1)}"
    one = issuer.issue(bytes(16), "330100").text
    await press(port, scans("/verify", itertools.repeat(one)), 1, connections)  # warm
    if not redis or workers > 1:
        await show(f"verify, {name}", pid, port, scans("/verify", itertools.repeat(one)), seconds, connections)
    store = "Redis" if redis else "memory"

    def texts(a_second: int) -> Iterator[str]:  # signed beforehand: the client must not be what is measured
        return iter([token.text for token in issuer.issue_many([(bytes(16), "330100")] * int(a_second * seconds))])

    requests = scans("/redeem", texts(1500))
    await show(f"redeem, {name}, {store}", pid, port, requests, seconds, connections)
    requests = batches(texts(8000), batch)
    await show(f"redeem {batch} a request, {name}, {store}", pid, port, requests, seconds, connections, batch)


def measure_store(url: str) -> None:
    """What a claim takes in Redis, and how many are made a second, without HTTP around them."""
    import redis

    client = redis.Redis.from_url(url)
    guard = RedisReplayGuard.from_url(url)
    now = int(time.time())
    numbers = itertools.count()

    def claims(size: int) -> list[Claim]:
        return [Claim(b"load" + next(numbers).to_bytes(12, "big"), now, now + 3600, now + 3600) for _ in range(size)]

    for size in (1, 16, 256):
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < 2:
            assert guard.claim_many(claims(size)) == [None] * size
            count += size
        print(f"| claims a second, one connection, {size} a round trip | {count / (time.perf_counter() - begun):.0f} |")
    name = next(name for name in client.scan_iter(count=1000) if not name.endswith(b"epoch"))
    before, keys = client.info("memory")["used_memory"], client.dbsize()
    print(f"| `MEMORY USAGE` of a claim, bytes | {client.memory_usage(name)} |")
    for _ in range(400):
        guard.claim_many(claims(500))
    each = (client.info("memory")["used_memory"] - before) / (client.dbsize() - keys)
    print(f"| `used_memory` a claim, bytes, over 200,000 more | {each:.0f} |", flush=True)


def measure_lag(algorithm: str, redis: str) -> None:
    """How long the event loop stands still while a batch is verified or redeemed, on the loop and off it.

    Texts are redeemed again and again: to refuse one as used takes the same work as to accept it.
    """
    with tempfile.TemporaryDirectory() as folder:
        key = Vault.open(Path(folder), algorithm).signing
    keys, name = KeyRing([KeyEntry(key.verifying_key, "load")]), key.algorithm.name
    texts = [token.text for token in Issuer(key, lifetime=300).issue_many([(bytes(16), "330100")] * 1024)]

    async def beat(work: Callable[[list[str]], object], size: int) -> float:
        lags: list[float] = []

        async def heart() -> None:
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.001)
                lags.append(time.perf_counter() - begun - 0.001)

        task = asyncio.create_task(heart())
        await asyncio.sleep(0.01)
        for _ in range(max(2, min(20, 1000 // size))):
            done = work(texts[:size])
            if inspect.isawaitable(done):
                await done
            await asyncio.sleep(0.002)
        task.cancel()
        return max(lags) * 1000

    async def compare(what: str, here: Callable[..., object], there: Callable[..., object], sizes: list[int]) -> None:
        for size in sizes:
            worst = [statistics.median([await beat(work, size) for _ in range(3)]) for work in (here, there)]
            print(f"| {what}, {name}, {size} | {worst[0]:.1f} | {worst[1]:.1f} |", flush=True)

    async def run() -> None:
        verifier = Verifier(keys, guard=MemoryReplayGuard())
        verify = verifier.verify_many
        await compare("verify", verify, lambda part: asyncio.to_thread(verify, part), [1, 8, 64])
        await compare("redeem, memory", verifier.redeem_many, verifier.redeem_many_async, [8, 64, 1024])
        if redis:
            guard, waiting = RedisReplayGuard.from_url(redis), AsyncRedisReplayGuard.from_url(redis)
            blocking = Verifier(keys, guard=guard).redeem_many
            await compare("redeem, Redis", blocking, Verifier(keys, guard=waiting).redeem_many_async, [8, 64, 1024])
            guard.close()
            await waiting.aclose()

    asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.gateway.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64, help="so many codes in a request to /redeem-batch")
    parser.add_argument("--algorithms", nargs="+", default=["es256", "sm2"])
    parser.add_argument("--only", choices=["lag", "gateway", "store"], help="a part of it")
    options = parser.parse_args()
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url, port = "", free_port()
        if server is None:
            print("no redis-server here: nothing with Redis is measured", file=sys.stderr)
        else:
            command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
            stack.enter_context(running(command, port))
            url = f"redis://127.0.0.1:{port}/0"
            RedisReplayGuard.from_url(url).prepare(first_use=True)
        if options.only in (None, "lag"):
            print("| texts | longest wait of the loop, ms: on the loop | off it |\n|---|---|---|")
            for algorithm in options.algorithms:
                measure_lag(algorithm, url)
        if options.only in (None, "gateway"):
            print("\n| what | codes a second | p50, ms | p99, ms | CPU, ms a code | the client's |")
            print("|---|---|---|---|---|---|")
            for algorithm, redis, workers in itertools.product(options.algorithms, dict.fromkeys(["", url]), (1, 2)):
                measure(algorithm, workers, redis, options.seconds, options.connections, options.batch)
        if url and options.only in (None, "store"):
            print("\n| the store alone | |\n|---|---|")
            measure_store(url)


if __name__ == "__main__":
    main()
