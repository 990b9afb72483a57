"""Imports go down only: type-only and deferred imports count, and so does an import that nothing has executed yet."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ybtoken
from tests.support import check_each

SOURCE = Path(ybtoken.__file__).parent

# The floors from the ground up. A name is a module, or a package with all of its modules. A module imports from lower
# floors and from its own package. `ybtoken/__init__.py` names modules of every floor, and no module imports it.
FLOORS = (
    ("words", "algorithms", "_arrow", "_forks", "_native"),
    ("_checks", "_state", "places", "vocabulary"),
    ("refusals", "misuse", "qr"),
    ("voucher", "errors"),
    ("wire", "tokens", "replay"),
    ("keys",),
    ("verified",),
    ("devices", "diagnosis", "identity", "issuer", "passes", "engines", "status", "trust"),
    ("policy",),
    ("judging",),
    ("verifier",),
    ("batcher",),
    ("observers", "bulk", "testing"),
    ("cli",),
)

# The optional packages, and the modules that import each of them.
THIRD_PARTY = {
    "cbor2": {
        "wire.envelope",
        "wire.claims",
        "wire.presentation",
        "keys.protocols",
        "wire.cbor",
        "keys._diagnosis.message",
        "keys.keyset",
        "status.list",
    },
    "httpx": {"status.http"},
    "opentelemetry": {"observers.telemetry"},
    "pkcs11": {"devices.pkcs11"},
    "pyarrow": {"_arrow"},
    "pyotp": {"passes.otpauth"},
    "redis": {f"replay.redis{module}" for module in ("", ".checks", ".connections", ".groups", ".guards", ".rules")},
    "securesystemslib": {"trust.signatures", "trust._metadata"},
    "segno": {"qr"},
    "tuf": {"trust.fetch", "trust._metadata", "trust.repository", "trust.tuf"},
    "urllib3": {"trust.fetch"},
    "ybtoken_native": {"_native"},
}


@cache
def modules() -> dict[str, Path]:
    """Every module except ``ybtoken/__init__.py``, by its name below ``ybtoken``."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            found[name] = path
    return found


@cache
def imported(module: str) -> frozenset[str]:
    """Every module that the source of a module imports, at any place in it."""
    return frozenset(_imported(module))


def _imported(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides where it goes"
            assert node.module
            below = node.module.removeprefix("ybtoken.")
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name.removeprefix("ybtoken.") in modules() else node.module for name in names)
            assert below  # `from ybtoken import name` reads the face, which stands above everything


def floor(module: str) -> int:
    top = module.split(".")[0]
    return next(number for number, names in enumerate(FLOORS, 1) if top in names)


def ours(module: str) -> Iterator[str]:
    return (name.removeprefix("ybtoken.") for name in imported(module) if name.split(".")[0] == "ybtoken")


def test_imports_go_down_only():
    def check(module):
        for target in ours(module):
            assert target != "ybtoken", f"{module} imports the face"
            same_package = target.split(".")[0] == module.split(".")[0]
            assert same_package or floor(target) < floor(module), f"{module} imports {target}, which is no lower"

    check_each(sorted(modules()), check)


def test_every_floor_exists_and_every_module_has_one():
    tops = {module.split(".")[0] for module in modules()}
    assert tops == {name for names in FLOORS for name in names}


def test_there_is_no_circle_of_modules():
    TopologicalSorter({module: set(ours(module)) for module in modules()}).prepare()


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_each_dependency_is_imported_in_its_places_only(package):
    users = {module for module in modules() if any(name.split(".")[0] == package for name in imported(module))}
    assert {user for user in users if not user.startswith("cli.")} == THIRD_PARTY[package]


def test_contributing_shows_these_floors():
    text = (SOURCE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.split("<!-- floors -->")[1]
    rows = [line.split() for line in block.splitlines() if line[4:6].strip().isdigit()]
    shown = {int(number): {name.rstrip("/,") for name in names} for number, *names in rows}
    assert shown == {number: set(names) for number, names in enumerate(FLOORS, 1)}


def test_the_test_sees_deferred_and_type_only_imports():
    assert "ybtoken.qr" in imported("tokens")  # deferred and type-only
    assert "ybtoken.wire.text" in imported("engines.serial")
