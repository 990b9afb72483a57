"""Feed every boundary changed input for some time: `python -m fuzz --seconds 3600`, or one of them by its name.

With atheris (`pip install atheris`) and one target, the changes are guided by coverage. Without it they are made at
random from the seeds and from the inputs in `fuzz/corpus`, by a seed that is printed. An input that raises anything
else than its boundary may raise is written to `fuzz/found`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

from fuzz.target import Target
from fuzz.targets import TARGETS

HERE = Path(__file__).parent
FOUND = HERE / "found"
_INTERESTING = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\n",
    b"\xd2\x84",
    b"9" * 17,
    b"\xf9\x7e\0",
    b"\x9f",
    b"\xbf",
    b"null",
)


def seeds_of(name: str) -> list[bytes]:
    """Good input, and what was found before."""
    found = sorted((HERE / "corpus" / name.replace(" ", "-")).glob("*"))
    return [*TARGETS[name].seeds, *(path.read_bytes() for path in found)]


def changed(seeds: list[bytes], chance: random.Random) -> bytes:
    """A seed with some changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[at % len(data)] = chance.randrange(256)
            case 2:
                del data[at : at + chance.choice((1, 1, 4, 30))]
            case 3:
                data[at:at] = chance.randbytes(chance.choice((1, 1, 8, 40)))
            case 4:
                data[at:at] = chance.choice(_INTERESTING)
            case 5:
                other = chance.choice(seeds)
                data[at : at + 20] = other[chance.randrange(len(other) + 1) :][:20]
            case _:
                data[at:at] = data[at : at + chance.choice((1, 8, 400))] * chance.choice((1, 2, 50))
    return bytes(data[:100_000])


def complaint(target: Target, data: bytes) -> str:
    """What an input raised that it may not; nothing if all is well."""
    try:
        target.run(data)
    except Exception as error:
        return "" if target.expects(error) else traceback.format_exc()
    return ""


def _report(name: str, data: bytes, complained: str) -> None:
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    print(f"{name}: {path}\n{complained}", file=sys.stderr)


def _guided(name: str, seconds: int) -> None:
    import atheris

    target = TARGETS[name]

    def one(data: bytes) -> None:
        if complained := complaint(target, data):
            _report(name, data, complained)
            raise RuntimeError(name)

    folder = HERE / "corpus" / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:12]).write_bytes(seed)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", str(folder)], one)
    atheris.Fuzz()


def _part(text: str) -> tuple[int, int]:
    first, _, step = text.partition("/")
    if not 1 <= int(first) <= int(step):
        raise ValueError(text)
    return int(first), int(step)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--part", type=_part, default=(1, 1), help="2/5: every fifth target from the second on")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--guided", action="store_true", help="by coverage: needs a target, and atheris")
    options = parser.parse_args()
    if options.guided:
        _guided(options.target or parser.error("--guided needs a target"), options.seconds)
        return 0
    first, step = options.part
    names = [options.target] if options.target else list(TARGETS)[first - 1 :: step]
    chance, bad = random.Random(options.seed), 0
    print(f"{len(names)} targets, {options.seconds} s, seed {options.seed}")
    for name in names:
        target, seeds, tried = TARGETS[name], seeds_of(name), 0
        end = time.monotonic() + options.seconds / len(names)
        while time.monotonic() < end:
            data, tried = changed(seeds, chance), tried + 1
            if complained := complaint(target, data):
                _report(name, data, complained)
                bad += 1
                break
        print(f"{name}: {tried} inputs", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
