"""What refusals cost, and whether anything grows: `python -m benchmarks.refusals [--calls 10000000] [--engine native]`.

The native engine takes the fastest way to verify signatures that the processor can run; `--path scalar` forces another.

Good and bad texts of every kind are verified one at a time, in batches and as lines, and redeemed, by one engine. In
each round the clock is a step of 30 s further and the displays are new, as in a day of service: only so do the guard
and the counts of one-time codes take up what is new and free what is past.

* **Growth.** After the first tenth of the calls, the resident memory may grow by 8 MiB, and the numbers of descriptors
  and threads may not change. The short form makes 200,000 calls. The codes of all verdicts are printed.
* **The tail.** Of each kind of refusal, the 99.9th percentile of 20,000 calls is compared with the median of a valid
  token of its profile: it should be at most 1.2. The time is that of the thread (CPU). It still means something only
  where nothing else runs on the core, as the line of the valid token shows: its own percentile is below 1.2 then.

The exit code is 1 if anything grows. A text that gets another verdict than it was made for ends the run.
"""

from __future__ import annotations

import argparse
import gc
import io
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.memory import resident
from ybtoken import Engine, Issuer, KeyEntry, KeyRing, MemoryReplayGuard, SerialEngine, TokenError, Verifier
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import STEP, RotatingCodes, RotatingPass
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.text import encode_text

NOW = 1_767_225_600
MOST_GROWTH = 8 << 20
TAIL = 20_000


class Displays:
    """Makes a text for each kind of verdict, new at each call, at the time of the clock."""

    def __init__(self, key: P256SigningKey | SM2SigningKey, codes: RotatingCodes, clock: list[int]) -> None:
        self._codes, self._clock, self._phone = codes, clock, P256SigningKey.generate()
        self._issuer = Issuer(key, clock=lambda: clock[0])
        self._late = Issuer(key, clock=lambda: clock[0] - 900)
        self._stranger = Issuer(P256SigningKey.generate(), clock=lambda: clock[0])
        self.kinds: dict[str, Callable[[], str]] = {
            "valid": lambda: self._text(self._issuer),
            "valid, profile 2": lambda: self._rotating().present(now=clock[0]),
            "valid, profile 3": self._bound,
            "text.length": lambda: "9" * 801,
            "text.prefix": lambda: "28" * 9,  # a pay code
            "text.beginning": lambda: "12" + self._text(self._issuer)[2:],
            "text.digits": lambda: self._text(self._issuer)[:-1] + "x",
            "text.check": lambda: _last_digit_changed(self._text(self._issuer)),
            "envelope.shape": lambda: encode_text(1, b"\0" * 137),
            "key.unknown": lambda: self._text(self._stranger),
            "signature.invalid": self._forged,
            "time.expired": lambda: self._text(self._late),
            "otp.wrong": lambda: encode_text(2, self._rotating().data, "00000000"),
        }

    def round(self) -> list[str]:
        """A text of each kind, a step later than the round before."""
        self._clock[0] += STEP
        return [make() for make in self.kinds.values()]

    def _text(self, issuer: Issuer) -> str:
        return issuer.issue(bytes(16), "330100").text

    def _rotating(self) -> RotatingPass:
        # A new pass each time: after some steps with wrong codes, a pass is refused whatever it shows.
        return self._codes.enrol(self._issuer.issue_rotating_pass(bytes(16), "330100"))

    def _bound(self) -> str:
        issued = self._issuer.issue_device_bound_pass(bytes(16), "330100", self._phone.verifying_key)
        return DeviceBoundPass(issued.data, self._phone).present(now=self._clock[0])

    def _forged(self) -> str:
        data = self._issuer.issue(bytes(16), "330100").data
        signature = cut_envelope(data)[2]
        return encode_text(1, data.replace(signature, signature[:-1] + bytes([signature[-1] ^ 1])))


def _last_digit_changed(text: str) -> str:
    return text[:-1] + str((int(text[-1]) + 1) % 10)


def engine_of(name: str, path: Literal["ifma", "avx2", "scalar"] | None = None) -> Engine:
    """An engine by its name; the native one by its path."""
    if name == "serial":
        return SerialEngine()
    from ybtoken.engines.native import NativeEngine

    return NativeEngine(path=path)


def verifier_of(
    engine: Engine, key: P256SigningKey | SM2SigningKey, codes: RotatingCodes, clock: list[int]
) -> Verifier:
    """A verifier whose guard frees what has ended."""
    guard = MemoryReplayGuard(clock=lambda: clock[0])
    keys = KeyRing([KeyEntry(key.verifying_key, "refusals")])
    return Verifier(keys, engine=engine, otp=codes, guard=guard, clock=lambda: clock[0])


def held() -> tuple[int, int]:
    """How many descriptors and threads this process has."""
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


def code_of(call: Callable[[str], object], text: str) -> str:
    """The code of one verdict."""
    try:
        call(text)
    except TokenError as error:
        return error.code
    return "accepted"


def check(kind: str, code: str) -> None:
    """Raise `AssertionError` if a text got another verdict than it was made for."""
    if code != ("accepted" if kind.startswith("valid") else kind):
        raise AssertionError(f"a text made for {kind!r} got the verdict {code}")


def growth(verifier: Verifier, displays: Displays, calls: int) -> tuple[int, Counter[str]]:
    """By how much memory grew, in bytes, and the codes of all verdicts; raises if descriptors or threads grew."""
    start, at_start, done = 0, (0, 0), 0
    codes: Counter[str] = Counter()
    while done < calls:
        texts = displays.round()
        for kind, text in zip(displays.kinds, texts, strict=True):
            for call in (verifier.verify, verifier.redeem):
                check(kind, code := code_of(call, text))
                codes[code] += 1
        lines = "\n".join(texts).encode()
        batches = [verifier.verify_many(texts), verifier.verify_many(lines), *verifier.verify_lines(io.BytesIO(lines))]
        for verdicts in batches:
            _ = [verdicts[i] for i in range(len(verdicts))]
            codes.update(verdicts.counts())
            codes["accepted"] += verdicts.accepted
        done += 5 * len(texts)
        if not start and done >= calls // 10:
            start, at_start = resident(), held()
    if held() != at_start:
        raise AssertionError(f"descriptors and threads: {at_start} became {held()}")
    return resident() - start, codes


def tail(verifier: Verifier, displays: Displays, clock: list[int]) -> None:
    """Print the 99.9th percentile of each kind beside the median of a valid token."""
    taken: dict[str, list[int]] = {}
    for kind, make in displays.kinds.items():
        times = taken[kind] = []
        for _ in range(TAIL):
            clock[0] += STEP
            text = make()
            begun = time.thread_time_ns()
            code = code_of(verifier.verify, text)
            times.append(time.thread_time_ns() - begun)
            check(kind, code)
    for kind, times in taken.items():
        times.sort()
        median = statistics.median(taken["valid, profile 2" if kind == "otp.wrong" else "valid"])
        print(f"  {kind:20} median {times[TAIL // 2] / median:6.3f}   p99.9 {times[-TAIL // 1000] / median:6.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--engine", choices=["serial", "native"], default="serial")
    parser.add_argument("--path", choices=["ifma", "avx2", "scalar"], help="of the native engine")
    options = parser.parse_args()
    engine = engine_of(options.engine, options.path)
    worst = 0
    for name, make in (("P-256", P256SigningKey.generate), ("SM2", SM2SigningKey.generate)):
        try:
            key = make()
        except LibcryptoError:
            print(f"{name}: left out, for want of a libcrypto that signs")
            continue
        clock = [NOW]
        codes = RotatingCodes(bytes(32), clock=partial(clock.__getitem__, 0))
        displays = Displays(key, codes, clock)
        verifier = verifier_of(engine, key, codes, clock)
        gc.collect()
        print(f"{engine!r}, {name}: a refusal by the median of a valid token")
        tail(verifier, displays, clock)
        grew, counted = growth(verifier, displays, options.calls // 2)
        worst = max(worst, grew)
        print("  " + ", ".join(f"{code} {count:,}" for code, count in counted.most_common()))
        print(f"  {options.calls // 2:,} calls: grew by {grew / 2**20:.2f} MiB")
    return 1 if worst > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
