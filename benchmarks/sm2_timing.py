"""Tests whether the time of an SM2 signature depends on its nonce.

    python -m benchmarks.sm2_timing [--signatures 20000] [--signer libcrypto|native|leaky|PEER]

Method. With the private key d one can compute the nonce of a signature: ``k = s (1 + d) + r d mod n``. Random messages
are signed one by one, and the CPU time of each is measured. It is divided by the median of its block of 50, because
machines slow down and recover independently of k. The slowest tenth is left out, because those calls were interrupted.
The rest is correlated with two properties of k: its Hamming weight (which matters in double-and-add, and in windows
that skip zeros) and its length in bits (which matters in ladders that start at the first one). With Pearson's r over m
signatures, ``z = atanh(r) sqrt(m - 3)`` is about normally distributed if there is no correlation. ``|z| < 4`` passes;
by chance it fails once in 16,000 runs. The z of a leak grows with the square root of the number of signatures.

The signer ``native`` is that of the native distribution. ``leaky`` is the control: double-and-add in plain Python,
whose leak must be found. Any installed SM2 package of `sm2_peers` can be named too. The exit code is 1 if a correlation
is found.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

from benchmarks.sm2_peers import peers
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._sm2.curve import G, N, message_hash
from ybtoken.keys._sm2.tables import Point, _add, _double
from ybtoken.keys.sm2 import SM2SigningKey

THRESHOLD = 4.0
BLOCK = 50
Signer = Callable[[bytes], bytes]


def leaky(point: bytes, scalar: bytes) -> Signer:
    """A signer whose time depends on its nonce."""
    d, za = int.from_bytes(scalar, "big"), message_hash(point, DEFAULT_USER_ID)

    def sign(message: bytes) -> bytes:
        state = za.copy()
        state.update(message)
        k = secrets.randbelow(N - 1) + 1
        total: Point | None = None
        for bit in f"{k:b}":
            total = total and _double(total)
            if bit == "1":
                total = _add(total, G)
        r = (int.from_bytes(state.finalize(), "big") + (total[0] if total else 0)) % N
        s = pow(1 + d, -1, N) * (k - r * d) % N
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def samples(sign: Signer, scalar: bytes, count: int) -> tuple[list[int], list[int]]:
    """The time of each signature in nanoseconds, and its nonce."""
    d, times, nonces = int.from_bytes(scalar, "big"), [], []
    messages = [os.urandom(100) for _ in range(count)]
    gc.disable()
    for message in messages:
        start = time.thread_time_ns()
        signature = sign(message)
        times.append(time.thread_time_ns() - start)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        nonces.append((s * (1 + d) + r * d) % N)
    gc.enable()
    return times, nonces


def z_scores(times: list[int], nonces: list[int]) -> dict[str, float]:
    """z of the correlation of time with each property of the nonce; see the method above."""
    relative: list[float] = []
    for start in range(0, len(times), BLOCK):
        block = times[start : start + BLOCK]
        middle = statistics.median(block)
        relative += [time / middle for time in block]
    limit = sorted(relative)[len(relative) * 9 // 10]
    kept = [(time, nonce) for time, nonce in zip(relative, nonces, strict=True) if time <= limit]
    own = [time for time, _ in kept]
    properties = {"Hamming weight": int.bit_count, "length in bits": int.bit_length}
    return {
        name: math.atanh(statistics.correlation(own, [float(of(nonce)) for _, nonce in kept]))
        * math.sqrt(len(kept) - 3)
        for name, of in properties.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether the time of an SM2 signature tells something of its nonce.")
    parser.add_argument("--signatures", type=int, default=20_000)
    parser.add_argument("--signer", default="libcrypto")
    arguments = parser.parse_args()
    key = SM2SigningKey.generate()
    point, scalar = b"\x04" + b"".join(key.verifying_key.point), key._key.scalar()
    signers: dict[str, Signer] = {"libcrypto": key.sign, "leaky": leaky(point, scalar)}
    if find_spec("ybtoken_native"):
        from ybtoken.keys.sm2_native import NativeSM2SigningKey

        signers["native"] = NativeSM2SigningKey(scalar).sign
    present, _ = peers(point, scalar, b"message", key.sign(b"message"))
    signers |= {peer.name: peer.sign for peer in present if peer.sign}
    if arguments.signer not in signers:
        parser.error(f"the signers here are {', '.join(signers)}")
    sign = signers[arguments.signer]
    for _ in range(100):
        sign(b"warm up")
    times, nonces = samples(sign, scalar, arguments.signatures)
    scores = z_scores(times, nonces)
    print(f"{arguments.signer}: {len(times)} signatures, median {statistics.median(times) / 1000:.0f} us")
    for name, z in scores.items():
        print(f"  time with {name} of the nonce: z = {z:+.2f}  {'LEAKS' if abs(z) >= THRESHOLD else 'ok'}")
    return int(any(abs(z) >= THRESHOLD for z in scores.values()))


if __name__ == "__main__":
    sys.exit(main())
