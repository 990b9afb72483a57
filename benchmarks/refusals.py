"""What refusals cost, and whether anything grows: `python -m benchmarks.refusals [--calls 10000000] [--engine native]`.

Good and bad texts of every kind are verified one at a time, in batches and as lines, and redeemed, by one engine.

* **Growth.** After the first tenth of the calls, the resident memory may grow by 8 MiB, and the numbers of descriptors
  and threads may not change. The short form makes 200,000 calls.
* **The tail.** Of each kind of refusal, the 99.9th percentile of 20,000 calls is compared with the median of a valid
  token of its profile: it should be at most 1.2. The time is that of the thread (CPU). It still means something only
  where nothing else runs on the core, as the line of the valid token shows: its own percentile is below 1.2 then.

The exit code is 1 if anything grows.
"""

from __future__ import annotations

import argparse
import gc
import io
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.memory import resident
from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, SerialEngine, TokenError, Verifier
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.text import encode_text

NOW = 1_767_225_600
MOST_GROWTH = 8 << 20
TAIL = 20_000


def texts_of(key: P256SigningKey | SM2SigningKey, codes: RotatingCodes) -> dict[str, str]:
    """A text for each kind of verdict."""
    issuer, phone = Issuer(key, clock=lambda: NOW), P256SigningKey.generate()
    token = issuer.issue(bytes(16), "330100")
    data, signature = token.data, cut_envelope(token.data)[2]
    stranger = Issuer(P256SigningKey.generate(), clock=lambda: NOW).issue(bytes(16), "330100").text
    rotating = codes.enrol(issuer.issue_rotating_pass(bytes(16), "330100"))
    bound = DeviceBoundPass(issuer.issue_device_bound_pass(bytes(16), "330100", phone.verifying_key).data, phone)
    return {
        "valid": token.text,
        "valid, profile 2": rotating.present(now=NOW),
        "valid, profile 3": bound.present(now=NOW),
        "text.length": "9" * 801,
        "text.prefix": "12" + token.text[2:],
        "text.digits": token.text[:-1] + "x",
        "text.check": token.text[:-1] + str((int(token.text[-1]) + 1) % 10),
        "envelope.shape": encode_text(1, b"\0" * 137),
        "key.unknown": stranger,
        "signature.invalid": encode_text(1, data.replace(signature, signature[:-1] + bytes([signature[-1] ^ 1]))),
        "time.expired": Issuer(key, clock=lambda: NOW - 900).issue(bytes(16), "330100").text,
        "otp.wrong": encode_text(2, rotating.data, "00000000"),
    }


def verifier_of(engine: str, key: P256SigningKey | SM2SigningKey, codes: RotatingCodes, clock: list[int]) -> Verifier:
    """A verifier whose guard frees what has ended."""
    if engine == "native":
        from ybtoken.engines.native import NativeEngine

        made: object = NativeEngine()
    else:
        made = SerialEngine()
    guard = MemoryReplayGuard(clock=lambda: clock[0])
    keys = KeyRing([KeyEntry(key.verifying_key, "refusals")])
    return Verifier(keys, engine=made, otp=codes, guard=guard, clock=lambda: clock[0])  # type: ignore[arg-type]


def held() -> tuple[int, int]:
    """How many descriptors and threads this process has."""
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


def _refused(call: Callable[[str], object], text: str) -> None:
    with suppress(TokenError):
        call(text)


def growth(verifier: Verifier, texts: list[str], calls: int) -> int:
    """By how much memory grew, in bytes; raises if descriptors or threads did."""
    lines = "\n".join(texts).encode()
    start, at_start, done = 0, (0, 0), 0
    while done < calls:
        for text in texts:
            _refused(verifier.verify, text)
            _refused(verifier.redeem, text)
        verifier.verify_many(texts)
        verifier.verify_many(lines)
        for verdicts in verifier.verify_lines(io.BytesIO(lines)):
            _ = [verdicts[i] for i in range(len(verdicts))]
        done += 5 * len(texts)
        if not start and done >= calls // 10:
            start, at_start = resident(), held()
    if held() != at_start:
        raise AssertionError(f"descriptors and threads: {at_start} became {held()}")
    return resident() - start


def tail(verifier: Verifier, texts: dict[str, str]) -> None:
    """Print the 99.9th percentile of each kind beside the median of a valid token."""
    taken: dict[str, list[int]] = {}
    for kind, text in texts.items():
        times = taken[kind] = []
        for _ in range(TAIL):
            begun = time.thread_time_ns()
            _refused(verifier.verify, text)
            times.append(time.thread_time_ns() - begun)
    for kind, times in taken.items():
        times.sort()
        median = statistics.median(taken["valid, profile 2" if kind == "otp.wrong" else "valid"])
        print(f"  {kind:20} median {times[TAIL // 2] / median:6.3f}   p99.9 {times[-TAIL // 1000] / median:6.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--engine", choices=["serial", "native"], default="serial")
    options = parser.parse_args()
    worst = 0
    for name, make in (("P-256", P256SigningKey.generate), ("SM2", SM2SigningKey.generate)):
        try:
            key = make()
        except LibcryptoError:
            print(f"{name}: left out, for want of a libcrypto that signs")
            continue
        codes = RotatingCodes(bytes(32), clock=lambda: NOW)
        texts, clock = texts_of(key, codes), [NOW]
        verifier = verifier_of(options.engine, key, codes, clock)
        gc.collect()
        print(f"{options.engine}, {name}: a refusal by the median of a valid token")
        tail(verifier, texts)
        grew = growth(verifier, list(texts.values()), options.calls // 2)
        worst = max(worst, grew)
        print(f"  {options.calls // 2:,} calls: grew by {grew / 2**20:.2f} MiB")
    return 1 if worst > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
