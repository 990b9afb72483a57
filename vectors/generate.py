"""Write the vectors: `python vectors/generate.py`, or compare them with what is committed: `--check`.

Everything is fixed (keys, nonces, times, the k of each signature), so the same files come out byte for byte.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

FAMILIES = (
    "text",
    "envelope",
    "key",
    "signature",
    "sm2",
    "claims",
    "time",
    "scope",
    "order",
    "policy",
    "redeem",
    "rotating",
    "device",
    "downgrade",
    "challenge",
    "statuslist",
    "scan",
    "identity",
    "ring",
)
"""The modules of `cases`, each of which makes one file."""


def documents() -> Iterator[tuple[Path, str]]:
    """Each file of the vectors, and what belongs in it."""
    for family in FAMILIES:
        module = importlib.import_module(f"cases.{family}")
        yield HERE / f"{family}.json", _document(family, module.ABOUT, list(module.cases()))
    from cases.kit import KEY_A, KEY_B, KEY_E, STRANGER
    from cases.kit_sm2 import KEY_S, KEY_T
    from cases.passes import OTHER_PHONE, PHONE, SM2_PHONE
    from cases.statuslist import LIST_KEY

    named = (KEY_A, KEY_B, KEY_E, STRANGER, KEY_S, KEY_T, PHONE, OTHER_PHONE, SM2_PHONE, LIST_KEY)
    keys = [{"name": key.name, "d": f"{key.secret:064x}", "jwk": key.jwk()} for key in named]
    warning = (
        "Private keys of the tests, published on purpose: never trust them, never sign anything of value with them."
    )
    yield HERE / "keys.json", _document("keys", warning, keys, items="keys")


def _document(family: str, about: str, cases: list[dict[str, Any]], *, items: str = "cases") -> str:
    """JSON with one line a member, so that a change of a case is a change of a few lines."""
    if items == "cases" and len({case["id"] for case in cases}) != len(cases):
        raise ValueError(f"two cases of {family} have one id")
    lines = [f'{{\n"format": "ybtoken vectors 1",\n"family": "{family}",\n"about": {json.dumps(about)},\n"{items}": [']
    for number, case in enumerate(cases):
        members = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in case.items())
        lines.append(f"{{\n{members}\n}}{',' if number + 1 < len(cases) else ''}")
    return "\n".join([*lines, "]\n}\n"])


def main() -> int:
    """Write or compare; 1 if a file differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is committed; write nothing")
    check = parser.parse_args().check
    differing = []
    for path, content in documents():
        if check:
            if not path.exists() or path.read_text(encoding="ascii") != content:
                differing.append(path.name)
        else:
            path.write_text(content, encoding="ascii", newline="\n")
    if differing:
        print(f"not as generated: {', '.join(differing)}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
