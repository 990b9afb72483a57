"""``python scripts/notices.py TARGET FOLDER``: what is linked into the native module, as two files for its wheel.

``THIRD-PARTY-LICENSES.txt`` has the licences of the crates, of Rust's standard library and of what Zig links in, as
their makers ship them. ``ybtoken-native.cdx.json`` is a software bill of materials (CycloneDX 1.5). Neither names a
path of the machine that builds; both are the same bytes on every machine with the same lock file, compiler and Zig.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NATIVE = Path(__file__).resolve().parents[1] / "native"
_NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")


def _run(*command: str) -> str:
    return subprocess.run(command, cwd=NATIVE, capture_output=True, text=True, check=True).stdout


def linked(target: str) -> list[dict[str, Any]]:
    """The packages, as `cargo metadata` has them, whose code is in the module: no macros, tests or build scripts."""
    tree = _run(
        *("cargo", "tree", "--locked", "--package", "ybtoken-native", "--edges", "normal,no-proc-macro"),
        *("--target", target, "--prefix", "none", "--no-dedupe", "--format", "{p}"),
    )
    wanted = {tuple(line.split()[:2]) for line in tree.splitlines()}
    packages = json.loads(_run("cargo", "metadata", "--locked", "--format-version", "1"))["packages"]
    found = [package for package in packages if (package["name"], f"v{package['version']}") in wanted]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def ours(package: dict[str, Any]) -> bool:
    """Whether the package is of this repository."""
    return package["source"] is None


def _licence(package: dict[str, Any]) -> str:
    return str(package["license"]).replace("MIT/Apache-2.0", "MIT OR Apache-2.0")


def _texts(folder: Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(_NAMES))
    if not files:
        raise SystemExit(f"{folder.name} has no licence file, so its notice has to be found by hand")
    return [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]


def _around(target: str) -> dict[str, list[str]]:
    """Licence texts of what is linked in beside crates."""
    documents = Path(_run("rustc", "--print", "sysroot").strip()) / "share" / "doc" / "rust"
    if not (documents / "COPYRIGHT-library.html").exists():
        raise SystemExit("the notices of Rust's standard library are missing: a toolchain from rustup has them")
    page = (documents / "COPYRIGHT-library.html").read_text(encoding="utf-8")
    found = {f"Rust's standard library ({_run('rustc', '--version').strip()}), a page of HTML": [page.strip()]}
    zig = find_spec("ziglang")
    if "linux" in target and zig is not None and zig.origin is not None:
        folder = Path(zig.origin).parent
        found["Zig's compiler-rt"] = _texts(folder)
        found["LLVM's libunwind, from Zig"] = _texts(folder / "lib" / "libunwind")
    return found


def notices(packages: list[dict[str, Any]], around: dict[str, list[str]]) -> str:
    """Each text once, under the names of all that come with it."""
    holders: dict[str, list[str]] = defaultdict(list)
    texts: dict[str, str] = {}
    crates = [package for package in packages if not ours(package)]
    named = {f"{crate['name']} {crate['version']}": _texts(Path(crate["manifest_path"]).parent) for crate in crates}
    for name, its_texts in (named | around).items():
        for text in its_texts:
            same = " ".join(text.split())
            texts.setdefault(same, text)
            holders[same].append(name)
    rule = "=" * 100
    listed = "\n".join(f"{crate['name']} {crate['version']}  {_licence(crate)}" for crate in crates)
    head = f"Linked into the module ybtoken_native, beside ybtoken's own code:\n\n{listed}\n" + "\n".join(around)
    return (
        "\n\n".join([head, *(f"{rule}\n{', '.join(holders[same])}\n{rule}\n\n{texts[same]}" for same in texts)]) + "\n"
    )


def bill(packages: list[dict[str, Any]], target: str) -> dict[str, Any]:
    """The CycloneDX document."""
    lock = tomllib.loads((NATIVE / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock}

    def purl(package: dict[str, Any]) -> str:
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package: dict[str, Any]) -> dict[str, Any]:
        checksum = checksums[package["name"], package["version"]]
        return {
            "type": "library",
            "bom-ref": purl(package),
            "name": package["name"],
            "version": package["version"],
            "licenses": [{"expression": _licence(package)}],
            "purl": purl(package),
        } | ({"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {})

    by_name = {package["name"]: package for package in packages}
    dependencies = [
        {
            "ref": purl(package),
            "dependsOn": sorted(
                {
                    purl(by_name[dependency["name"]])
                    for dependency in package["dependencies"]
                    if dependency["kind"] is None and dependency["name"] in by_name
                }
            ),
        }
        for package in packages
    ]
    root = by_name["ybtoken-native"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": component(root),
            "properties": [
                {"name": "rust:target", "value": target},
                {"name": "rust:version", "value": _run("rustc", "--version").strip()},
            ],
        },
        "components": [component(package) for package in packages if package is not root],
        "dependencies": dependencies,
    }


def main(target: str, folder: Path) -> None:
    """Write both files."""
    packages = linked(target)
    folder.mkdir(parents=True, exist_ok=True)
    text = notices(packages, _around(target))
    (folder / "THIRD-PARTY-LICENSES.txt").write_text(text, encoding="utf-8")
    document = json.dumps(bill(packages, target), indent=1) + "\n"
    (folder / "ybtoken-native.cdx.json").write_text(document, encoding="utf-8")
    print(f"{sum(not ours(package) for package in packages)} crates are linked in on {target}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
