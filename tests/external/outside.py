"""Finds test vectors of other projects in `$YBTOKEN_VECTORS`, or in `../shared/vectors` beside this project.

They are not part of this project. If they are absent, the tests are skipped and say so; with ``CI=true`` their absence
is a failure, so that the continuous integration runs them all.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("YBTOKEN_VECTORS") or PROJECT.parent / "shared" / "vectors")


def path(name: str) -> Path:
    """A file of the vectors; the test is skipped if there is none."""
    found = FOLDER / name
    if not found.is_file():
        reason = f"no test vectors {found} (set YBTOKEN_VECTORS)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def from_json(name: str) -> Any:
    return json.loads(path(name).read_text(encoding="utf-8"))


def wycheproof(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each test of a Wycheproof file with its group."""
    for group in from_json(f"wycheproof/{name}_test.json")["testGroups"]:
        for test in group["tests"]:
            yield group, test


def rsp(name: str, section: str) -> Iterator[dict[str, str]]:
    """The records of one section of a NIST response file."""
    inside, record = False, dict[str, str]()
    for line in [*path(name).read_text().splitlines(), ""]:
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and " = " in line:
            key, value = line.split(" = ", 1)
            record[key.strip()] = value.strip()
        elif inside and not line.strip() and record:
            yield record
            record = {}


def stanzas(name: str, *, head: str = "", keep: str = "") -> Iterator[dict[str, str]]:
    """Records of ``key = value`` lines, separated by blank lines; values of the key ``head`` apply to later records."""
    common = ""
    for block in re.split(r"\n\s*\n", path(name).read_text()):
        record = dict[str, str]()
        for line in block.splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                record[key.strip()] = value.strip().removeprefix("0x")
        common = record.pop(head, common) if head else common
        if record and common == keep:
            yield record


def fixed(number: str, size: int = 32) -> bytes:
    """A hexadecimal number as ``size`` bytes; `OverflowError` if it needs more."""
    return int(number, 16).to_bytes(size, "big")
