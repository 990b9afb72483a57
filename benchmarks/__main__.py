"""`python -m benchmarks`: measure every family that can be measured here, print a table, write a JSON file."""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path

from benchmarks.families import FAMILIES
from benchmarks.measure import AbsentError, Bench, Row, machine, pin

PACKAGES = (
    "ybtoken", "ybtoken-native", "cryptography", "cbor2", "segno", "numpy", "pyarrow", "redis",
    "pyjwt", "joserfc", "cwt", "pycose", "pyseto", "python-jose",
    "easy-gmssl", "gmalg", "gmalglib", "gmssl", "gmssl-fast", "gmssl-pyx", "tongsuopy-crayon",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="family", help=f"of {', '.join(FAMILIES)}; all by default")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures are written")
    parser.add_argument("--scale", type=float, default=1.0, help="fewer or more rounds than the usual 1.0")
    arguments = parser.parse_args()
    if unknown := set(arguments.families) - set(FAMILIES):
        parser.error(f"no family {', '.join(sorted(unknown))}")
    core = pin()
    bench, skipped, start = Bench(arguments.scale), {}, time.monotonic()
    for family in arguments.families or FAMILIES:
        try:
            importlib.import_module(f"benchmarks.families.{family}").run(bench)
        except (AbsentError, ModuleNotFoundError) as reason:
            skipped[family] = str(reason)
    meta = machine(PACKAGES) | {"core": core, "seconds": round(time.monotonic() - start, 1), "skipped": skipped}
    _print(bench.rows, meta)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    document = {row.name: row.entry() for row in bench.rows} | {"_meta": meta}
    arguments.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {arguments.json}")


_LEFT = (0, 3, 4, 7)


def _print(rows: list[Row], meta: dict[str, object]) -> None:
    print(f"{meta['processor']}, core {meta['core']}, load {meta['load']}; {meta['python']}, {meta['versions']}\n")
    heads = ("figure", "value", "noise", "unit", "target", "bytes", "QR", "")
    lines = [heads, *map(_line, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        cells = (
            cell.ljust(width) if i in _LEFT else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
    for family, reason in dict(meta["skipped"]).items():  # type: ignore[call-overload]
        print(f"skipped: {family}: {reason}")
    print(f"\n{len(rows)} figures in {meta['seconds']} s")


def _line(row: Row) -> tuple[str, ...]:
    value = f"{row.value:,.0f}" if row.value >= 1000 else f"{row.value:.3f}"
    noise = "" if row.noise is None else f"±{row.noise:.3f}"
    sizes = (str(row.facts.get(name, "")) for name in ("token_bytes", "qr_version"))
    return row.name, value, noise, row.unit, row.target, *sizes, row.note


if __name__ == "__main__":
    main()
