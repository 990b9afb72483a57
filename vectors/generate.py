"""Writes the vectors: `python vectors/generate.py`; `--check` compares them with what is committed.

Everything is fixed (keys, nonces, times, the k of each signature), so the files are always equal byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
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
    "status",
    "redeem",
    "rotating",
    "device",
    "downgrade",
    "challenge",
    "statuslist",
    "scan",
    "identity",
    "ring",
    "keyset",
)
"""The modules of `cases`, each of which makes one file."""


VERSION = "1.3"
"""The version of the cases: the first number is the format's, the second goes up when cases are added."""

CAPABILITIES = {
    "ES256": "keys and phones on P-256",
    "SM2": "keys and phones on the SM2 curve",
    "profile-2": "one-time codes, with the master key",
    "profile-3": "what a phone signs",
    "policy": "policies beyond the format",
    "status": "status lists",
    "ring": "JWK Sets that are taken or refused",
    "keyset": "COSE_KeySets",
    "redeem": "one use",
    "loss": "a replay guard that lost its claims",
    "late": "a claim that is made after the verification, by the clock of that time",
    "challenge": "a terminal's challenge",
    "scan": "normalising what a scanner gives",
    "identity": "sealing identity references",
}
"""Features that an implementation may lack; each case names those that it needs."""


def documents() -> Iterator[tuple[Path, str]]:
    """Each file of the vectors with its content; the manifest comes last."""
    files: dict[str, dict[str, Any]] = {}
    needs: dict[str, list[str]] = {}
    for path, content in (*_families(), (HERE / "schema.json", (HERE / "schema.json").read_text(encoding="ascii"))):
        files[path.name] = {"sha256": hashlib.sha256(content.encode()).hexdigest()}
        if stated := json.loads(content).get("cases"):
            files[path.name]["cases"] = len(stated)
            needs |= {case["id"]: _needs(path.stem, case) for case in stated}
        yield path, content
    count = len(needs)
    lines = [f" {json.dumps(id_)}: {json.dumps(tags)}" for id_, tags in needs.items()]
    head = {
        "format": "ybtoken vectors 1",
        "version": VERSION,
        "count": count,
        "capabilities": CAPABILITIES,
        "files": files,
    }
    text = json.dumps(head, indent=1).removesuffix("\n}") + ',\n "needs": {\n' + ",\n".join(lines) + "\n }\n}\n"
    yield HERE / "manifest.json", text


def _needs(family: str, case: dict[str, Any]) -> list[str]:
    """The capabilities that an implementation needs to give the outcome of a case."""
    shown = json.dumps(case)
    texts = [each["text"] for each in case.get("redeems", [case]) if "text" in each]
    policies = {each["policy"] for each in case.get("policies", [])}
    expect = case.get("expect") or {}
    code = expect.get("code", "")
    tags = {
        "ES256": '"P-256"' in shown or "keyset" in case,
        "SM2": '"SM2"' in shown or "sm2" in case["id"] or family == "sm2",
        "profile-2": any(text[:2] == "97" for text in texts)
        and ("redeems" in case or bool(case.get("masters")))
        and ("claims" in expect or "redeems" in case or expect["step"] > 5)
        and not code.startswith("time."),
        "profile-3": any(text[:2] == "98" for text in texts),
        "policy": bool(policies - {"status"}),
        "status": family == "statuslist" or "status" in policies,
        "ring": family == "ring",
        "keyset": "keyset" in case,
        "redeem": "redeems" in case,
        "loss": "lost_at" in case,
        "late": any("claimed_at" in each for each in case.get("redeems", [])),
        "challenge": family == "challenge" or case.get("challenge", "any") != "any",
        "scan": family == "scan",
        "identity": family == "identity",
    }
    assert tags.keys() == CAPABILITIES.keys()
    return [name for name, needed in tags.items() if needed]


def _families() -> Iterator[tuple[Path, str]]:
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
    """JSON with each member on its own line, so that a changed case changes a few lines."""
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
