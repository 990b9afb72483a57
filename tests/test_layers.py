"""Imports go down only: read from the source, so that an import that nothing has executed yet counts too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ybtoken

SOURCE = Path(ybtoken.__file__).parent

# From the ground up; a name stands for a module, or for a package with all that is in it. A module imports from the
# rows above its own only, or from its own package.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("refusals",),
    ("errors", "places"),
    ("voucher",),
    ("cose", "text"),
    ("keys",),
    ("challenge", "status"),
    ("device", "replay", "statussource", "registry"),
    ("backends", "engine", "identity"),
    ("keyset", "verdicts", "native", "crosscheck", "policy", "statushttp"),
    ("issuer", "rotating", "judging"),
    ("verifier",),
    ("signals", "bulk", "otpauth", "summary"),
    ("qr", "audit", "telemetry", "velocity"),
    ("testing", "__init__"),
    ("cli",),
)
RANKS = {name: rank for rank, row in enumerate(LAYERS) for name in row}

# Imports within a function, which go up: what they need is an extra that the core must not ask for.
DEFERRED = {
    ("challenge", "qr"),
    ("device", "backends"),
    ("issuer", "qr"),
    ("policy", "identity"),
    ("rotating", "issuer"),
    ("rotating", "otpauth"),
    ("judging", "rotating"),
}

THIRD_PARTY = {
    "cbor2": {"cose", "device", "keys", "keyset", "status"},
    "cryptography": {"backends", "identity"},
    "segno": {"qr"},
    "httpx": {"statushttp"},
    "pyarrow": {"bulk", "summary"},
    "pyotp": {"otpauth"},
    "redis": {"replay"},
    "opentelemetry": {"telemetry"},
    "ybtoken_native": {"native"},
}


def modules() -> list[str]:
    return sorted(
        str(path.relative_to(SOURCE).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for path in SOURCE.rglob("*.py")
    )


def unit(module: str) -> str:
    """The module's name in the table."""
    return module.split(".")[0]


def imported(module: str) -> Iterator[tuple[str, bool]]:
    """What a module imports, and whether it does so within a function."""
    path = SOURCE / (module.replace(".", "/") + ".py")
    tree = ast.parse((path if path.exists() else SOURCE / module.replace(".", "/") / "__init__.py").read_text())
    deferred = {
        inner
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for inner in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in deferred
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide where they go"
            assert node.module
            if node.module == "ybtoken":
                for alias in node.names:
                    yield f"ybtoken.{alias.name}", node in deferred
            else:
                yield node.module, node in deferred


def only_for_types(module: str) -> set[str]:
    path = SOURCE / (module.replace(".", "/") + ".py")
    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {inner.module or "" for node in guarded for inner in ast.walk(node) if isinstance(inner, ast.ImportFrom)}


@pytest.mark.parametrize("module", modules())
def test_every_module_has_its_layer(module):
    assert unit(module) in RANKS, "a new module is put into the table, as low as it goes"


@pytest.mark.parametrize("module", modules())
def test_imports_go_down_only(module):
    for name, is_deferred in imported(module):
        top, _, rest = name.partition(".")
        if top != "ybtoken":
            continue
        target = unit(rest)
        if target == unit(module) or (RANKS[target] < RANKS[unit(module)]):
            continue
        assert (unit(module), target) in DEFERRED, f"{module} imports {name}, which stands above it"
        assert is_deferred or name in only_for_types(module), f"{module} imports {name} where it is loaded"


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_each_dependency_is_used_where_it_is_needed(package):
    users = {unit(module) for module in modules() for name, _ in imported(module) if name.split(".")[0] == package}
    assert THIRD_PARTY[package] <= users
    core = {name for row in LAYERS[: RANKS["testing"] + 1] for name in row}
    assert users & core <= THIRD_PARTY[package]


def test_the_test_itself_sees_imports():
    assert ("ybtoken.qr", True) in imported("issuer")
    assert ("ybtoken.wire.envelope", False) in imported("engine")
    assert {"ybtoken.qr"} == only_for_types("issuer")
