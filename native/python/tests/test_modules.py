"""The modules of each crate, and its folders, import one another without circles. The test reads the sources."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2]
CRATES = ("curve", "engine", "python")

# Left out: comments, strings, and modules written inside a file (tests, or stand-ins for another processor).
_NO_CODE = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|^mod \w+ \{.*?^\}', re.DOTALL | re.MULTILINE)
_USE = re.compile(r"\buse ([^;]+);")


def modules(source: Path) -> dict[str, Path]:
    """Each module by its path within the crate; the root is the empty name."""
    found = {}
    for file in source.rglob("*.rs"):
        parts = file.relative_to(source).with_suffix("").parts
        if parts[0] == "tests":
            continue
        if parts[-1] in ("mod", "lib"):
            parts = parts[:-1]
        found["::".join(parts)] = file
    return found


def expand(tree: str) -> list[str]:
    """``a::{b, c::{d, e}}`` as ``a::b``, ``a::c::d`` and ``a::c::e``."""
    if "{" not in tree:
        return [tree.split(" as ")[0].strip()]
    head, _, rest = tree.partition("{")
    items, depth, start = [], 0, 0
    body = rest[: rest.rindex("}")]
    for at, character in enumerate(body):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            items.append(body[start:at])
            start = at + 1
    items.append(body[start:])
    return [path for item in items if item.strip() for path in expand(head.strip() + item.strip())]


def paths(code: str) -> list[str]:
    uses = [path for use in _USE.findall(code) for path in expand(use)]
    return uses + re.findall(r"\b(?:crate|super)(?:::\w+)+", _USE.sub("", code))


def imports(source: Path) -> dict[str, set[str]]:
    """The modules that each module imports."""
    known = modules(source)
    edges: dict[str, set[str]] = {}
    for name, file in known.items():
        code = _NO_CODE.sub("", file.read_text())
        here = name.split("::") if name else []
        edges[name] = set()
        for path in paths(code):
            first, *parts = path.split("::")
            at = here
            if first == "crate":
                at = []
            elif first == "super":
                at = here[:-1]
                while parts and parts[0] == "super":
                    at, parts = at[:-1], parts[1:]
            elif first == "self":
                pass
            elif "::".join([*here, first]) in known:  # a child, by its bare name
                parts = [first, *parts]
            else:
                continue  # of another crate
            target = at
            for part in parts:
                if "::".join([*target, part]) not in known:
                    break
                target = [*target, part]
            edges[name].add("::".join(target))
        edges[name].discard(name)
    return edges


def circle(edges: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def of_folders(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    folders: dict[str, set[str]] = {}
    for name, targets in edges.items():
        folder = name.partition("::")[0]
        folders.setdefault(folder, set()).update(target.partition("::")[0] for target in targets)
    return {folder: targets - {folder} for folder, targets in folders.items()}


@pytest.mark.parametrize("crate", CRATES)
def test_no_circle_of_modules_or_folders(crate: str) -> None:
    edges = imports(NATIVE / crate / "src")
    assert circle(edges) == []
    assert circle(of_folders(edges)) == []


@pytest.mark.parametrize("crate", CRATES)
def test_the_root_is_imported_by_nobody(crate: str) -> None:
    assert [name for name, targets in imports(NATIVE / crate / "src").items() if "" in targets] == []


def test_imports_are_seen(tmp_path: Path) -> None:
    """The reader of this file sees each way to name a module."""
    files = {
        "lib.rs": "mod a; mod b; pub use a::Face;",
        "a/mod.rs": "mod inner; use crate::b::{self, deep::{One, Two}};",
        "a/inner.rs": "use super::Face; // use crate::c::Not;\nfn f() { crate::b::call() }",
        "b.rs": '#[cfg(test)]\nmod tests {\n    use crate::a::X;\n}\nconst C: &str = "crate::a";',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    edges = imports(tmp_path)
    assert edges == {"": {"a"}, "a": {"b"}, "a::inner": {"a", "b"}, "b": set()}
    assert circle({"a": {"b"}, "b": {"a"}}) != []


def test_lines_of_comments_end_at_column_100() -> None:
    files = [file for file in NATIVE.rglob("*.rs") if "target" not in file.relative_to(NATIVE).parts]
    lines = [(file, line) for file in files for line in file.read_text().splitlines()]
    assert [line for line in lines if len(line[1]) > 100 and line[1].lstrip().startswith("//")] == []
