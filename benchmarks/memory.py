"""Whether memory grows: `python -m benchmarks.memory [--operations 1000000]`.

SM2 on libcrypto is tried, where memory is managed by hand, with the calls of a service: good and bad tokens are
verified, tokens are issued, keys are made and dropped. After the first tenth, the resident set should not grow. Its
growth until the end is printed, and more than 2 MB makes the exit code 1. A leak of one context in each operation would
be hundreds.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from ybtoken import Issuer, KeyEntry, KeyRing, TokenError, Verifier
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey
from ybtoken.wire.envelope import cut_envelope, encode_envelope
from ybtoken.wire.text import encode_text

NOW = 1_767_225_600
MOST_GROWTH = 2 << 20
PAGE = resource.getpagesize()


def resident() -> int:
    """The resident memory of this process, in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def operations() -> list[Callable[[], object]]:
    """The operations, which take turns."""
    key = SM2SigningKey.generate()
    issuer = Issuer(key, clock=lambda: NOW)
    verifier = Verifier(KeyRing([KeyEntry(key.verifying_key, "memory")]), clock=lambda: NOW)
    token = issuer.issue(bytes(16), "330100")
    header, payload, signature = cut_envelope(token.data)
    bad = [
        encode_text(1, token.data[:-1] + bytes([token.data[-1] ^ 1])),  # a signature that is wrong
        encode_text(1, token.data[:-64] + bytes(64)),  # and one that libcrypto does not look into
        encode_text(1, encode_envelope(header, payload[2:], signature[32:] + signature[:32])),
    ]

    def refused(text: str) -> None:
        try:
            verifier.verify(text)
        except TokenError:
            return
        raise AssertionError("accepted")

    pem = key.to_pem(passphrase=None)
    often: list[Callable[[], object]] = [
        lambda: verifier.verify(token.text),
        lambda: issuer.issue(bytes(16), "330100"),
        *(lambda text=text: refused(text) for text in bad),
    ]
    return often * 20 + [
        SM2SigningKey.generate,
        lambda: SM2SigningKey.from_pem(pem),
        lambda: SM2VerifyingKey.from_pem(key.verifying_key.to_pem()),
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--operations", type=int, default=1_000_000)
    count = parser.parse_args().operations
    following = itertools.cycle(operations()).__next__
    for _ in range(count // 10):
        following()()
    before = resident()
    for _ in range(count - count // 10):
        following()()
    growth = resident() - before
    print(f"{count:,} operations: {growth / 1024:+.0f} KiB of {before >> 20} MiB")
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
