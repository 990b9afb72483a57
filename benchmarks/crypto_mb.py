"""Intel crypto_mb (``pip install ipp-crypto intel-cmplr-lib-rt``) through ctypes: eight signatures a call, any keys.

The arrays of pointers are made once, so that a call costs only what the library costs. All messages of a call have the
same length, because some versions crash if lengths below and above 32 bytes are mixed.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import AbsentError

LANES = 8


class Job(NamedTuple):
    """A good signature. The message is its digest for P-256, and the message itself for SM2."""

    message: bytes
    r: bytes
    s: bytes
    x: bytes
    y: bytes


def load() -> ctypes.CDLL:
    """The library, loaded after its own dependencies; raises `AbsentError`."""
    return find()[1]


def find() -> tuple[Path, ctypes.CDLL]:
    """The path of the library, and the library itself."""
    folders = [Path(sys.prefix) / "lib", Path(sys.prefix) / "Library" / "bin"]
    for folder in folders:
        try:
            for needed in ("libintlc.so.5", "libimf.so", "libirc.so", "libsvml.so", "libirng.so"):
                if (folder / needed).exists():
                    ctypes.CDLL(str(folder / needed), ctypes.RTLD_GLOBAL)
            path = next(iter(sorted(folder.glob("libcrypto_mb.so*"))))
            lib = ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        except (OSError, StopIteration):
            continue
        if lib.mbx_is_crypto_mb_applicable(0):
            return path, lib
        raise AbsentError("crypto_mb does not run on this processor")
    raise AbsentError("crypto_mb is not installed: pip install ipp-crypto intel-cmplr-lib-rt")


def p256(jobs: Sequence[Job]) -> Callable[[], None]:
    """A call that verifies the jobs, eight at a time."""
    verify = load().mbx_nistp256_ecdsa_verify_mb8
    return _caller(verify, [[_octets(job.r for job in eight), _octets(job.s for job in eight),
                             _octets(job.message for job in eight), *_points(eight), None, None]
                            for eight in _eights(jobs)])  # fmt: skip


def sm2(jobs: Sequence[Job], user_id: bytes) -> Callable[[], None]:
    """The same for SM2; it computes ZA and the SM3 hash itself."""
    verify = load().mbx_sm2_ecdsa_verify_mb8
    if len({len(job.message) for job in jobs}) != 1:
        raise ValueError("messages of one length")
    ids, id_sizes = _octets([user_id] * LANES), (ctypes.c_int * LANES)(*[len(user_id)] * LANES)
    sizes = (ctypes.c_int * LANES)(*[len(jobs[0].message)] * LANES)
    return _caller(verify, [[_octets(job.r for job in eight), _octets(job.s for job in eight), ids, id_sizes,
                             _octets(job.message for job in eight), sizes, *_points(eight), None, None]
                            for eight in _eights(jobs)])  # fmt: skip


def _caller(verify: Callable[..., int], calls: list[list[object]]) -> Callable[[], None]:
    def call() -> None:
        for arguments in calls:
            if verify(*arguments) != 0:
                raise AssertionError("crypto_mb refused a good signature")

    call()
    return call


def _eights(jobs: Sequence[Job]) -> list[Sequence[Job]]:
    return [jobs[i : i + LANES] for i in range(0, len(jobs) - LANES + 1, LANES)]


def _octets(items: object) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * LANES)(*items)  # type: ignore[misc]


def _points(eight: Sequence[Job]) -> list[object]:
    """The coordinates as little-endian words."""
    return [
        _octets(coordinate[::-1] for coordinate in column) for column in ([j.x for j in eight], [j.y for j in eight])
    ]


if __name__ == "__main__":  # where it lies, for `make differential`
    try:
        print(find()[0])
    except AbsentError as reason:
        sys.exit(str(reason))
