from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import ybtoken

NAMES = [
    "Algorithm", "Assurance", "AsyncReplayGuard", "CannotCheckError", "Engine", "IssueError", "Issuer", "KeyEntry",
    "KeyRing", "MemoryReplayGuard", "Profile", "ReplayGuard", "Scope", "SerialEngine", "SigningKey", "Token",
    "TokenError", "Verdicts", "VerifiedVoucher", "Verifier", "VerifyingKey", "Voucher", "normalize_scan",
]  # fmt: skip

IMPORTED = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded_by(statement: str) -> set[str]:
    """The modules a statement loads in a fresh interpreter."""
    command = [sys.executable, "-I", "-c", IMPORTED.format(statement=statement)]
    source = str(next(iter(ybtoken.__path__))).removesuffix("/ybtoken")
    command[-1] = f"import sys; sys.path.insert(0, {source!r})\n" + command[-1]
    return set(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def tops(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def test_the_public_names_are_these():
    assert ybtoken.__all__ == NAMES
    assert sorted(ybtoken.__all__) == ybtoken.__all__
    assert len(ybtoken.__all__) <= 24


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_says_what_it_is(name):
    assert inspect.getdoc(getattr(ybtoken, name))


def test_a_name_is_loaded_when_it_is_asked_for():
    assert {name for name in loaded_by("import ybtoken") if name.startswith("ybtoken")} == {"ybtoken"}
    assert "ybtoken.issuer" not in loaded_by("from ybtoken import Verifier")
    assert set(NAMES) <= set(dir(ybtoken))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ybtoken.nothing  # noqa: B018


def test_type_checkers_read_the_same_names_from_the_same_modules():
    tree = ast.parse(Path(ybtoken.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    stated = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, "a type checker takes a name for exported only if it is named twice"
            stated[alias.name] = node.module
    assert stated == {name: f"ybtoken.{home}" for name, home in ybtoken._HOMES.items()}


def test_there_is_one_version():
    assert ybtoken.__version__ == version("ybtoken")
    manifest = Path(__file__).parents[1] / "native" / "Cargo.toml"
    if not manifest.exists():
        pytest.skip("a checkout: an sdist has no Rust")
    assert tomllib.loads(manifest.read_text(encoding="utf-8"))["workspace"]["package"]["version"] == ybtoken.__version__


def submodules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(ybtoken.__path__, "ybtoken.")]
    return [name for name in found if not name.endswith("__main__")]


@pytest.mark.parametrize("module", submodules())
def test_every_module_lists_its_public_names(module):
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        pytest.skip(f"needs the extra of {error.name}")
    assert inspect.getdoc(loaded)
    for name in getattr(loaded, "__all__", ()):
        assert hasattr(loaded, name), f"{module}.{name}"


def test_importing_the_core_loads_nothing_heavier_than_its_dependencies():
    alone = loaded_by("import cbor2, cryptography.hazmat.primitives.asymmetric.ec, cryptography.exceptions")
    core = loaded_by("from ybtoken import *")
    ours = tops(core) - tops(alone)
    assert ours - set(sys.stdlib_module_names) == {"ybtoken"}
    assert not {"asyncio", "logging", "ssl", "socket", "http", "unittest", "multiprocessing"} & ours
    assert not {"numpy", "segno", "typer", "redis", "typing_extensions", "hypothesis"} & tops(core)


def test_importing_the_core_loads_no_optional_part():
    core = loaded_by("from ybtoken import *")
    optional = ("qr", "cli", "testing", "identity", "observers", "bulk", "_native", "replay.redis", "keys.keyset")
    backends = ("keys.p256", "keys.sm2", "keys.sm2_native", "keys._sm2", "engines.native")
    loaded = {f"ybtoken.{name}" for name in optional + backends} & core
    assert not loaded


def test_the_core_is_typed():
    from importlib.resources import files

    assert files("ybtoken").joinpath("py.typed").is_file()
