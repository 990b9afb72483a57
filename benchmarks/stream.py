"""Tests whether a file of any length is verified in constant memory: `python -m benchmarks.stream [--lines 10000000]`.

It writes a temporary file of lines (3.4 GB for ten million), which repeats texts of 32 issuers, one in a hundred of
them bad. It verifies the file with `Verifier.verify_lines`, and with the native engine if that is installed. After the
first tenth, memory should not grow; if it has grown by more than 8 MB at the end, the exit code is 1.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from importlib.util import find_spec

from ybtoken import Engine, Issuer, KeyEntry, KeyRing, SerialEngine, Verifier
from ybtoken.keys.p256 import P256SigningKey

NOW = 1_767_225_600
BLOCK = 10_000
MOST_GROWTH = 8 << 20


def peak() -> int:
    """The largest resident memory that this process has had, in bytes."""
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kept if sys.platform == "darwin" else kept * 1024


def texts() -> tuple[KeyRing, bytes]:
    """A ring, and a block of lines."""
    keys = [P256SigningKey.generate() for _ in range(32)]
    issuers = [Issuer(key, clock=lambda: NOW) for key in keys]
    lines = [issuers[i % 32].issue(bytes(16), "330100").text for i in range(BLOCK)]
    lines[::100] = [text[:-1] for text in lines[::100]]
    return KeyRing([KeyEntry(key.verifying_key, "stream") for key in keys]), ("\n".join(lines) + "\n").encode()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=10_000_000)
    count = parser.parse_args().lines // BLOCK * BLOCK
    if not count:
        parser.error(f"at least {BLOCK} lines")
    engine: Engine = SerialEngine()
    if find_spec("ybtoken_native"):
        from ybtoken.engines.native import NativeEngine

        engine = NativeEngine()
    ring, block = texts()
    verifier = Verifier(ring, engine=engine)
    with tempfile.TemporaryFile() as file:
        for _ in range(count // BLOCK):
            file.write(block)
        file.seek(0)
        done, accepted, early, start = 0, 0, 0, time.perf_counter()
        for verdicts in verifier.verify_lines(file, now=NOW + 5):
            done += len(verdicts)
            accepted += verdicts.accepted
            if not early and done >= count // 10:
                early = peak()
        seconds = time.perf_counter() - start
    if (done, accepted) != (count, count * 99 // 100):
        raise AssertionError(f"{accepted} of {done} accepted, {count} lines")
    growth = peak() - early
    print(f"{engine.name}: {count:,} lines in {seconds:.1f} s, {count / seconds:,.0f} a second")
    print(f"most memory: {peak() / 2**20:.0f} MiB, {growth / 1024:+.0f} KiB after the first tenth")
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
