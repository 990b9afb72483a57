"""``python scripts/bundle.py dist --extras qr,cli``: an archive from which machines without an index install.

It has a wheel of everything that the extras need, for each processor and each Python asked for, and
``requirements.txt`` with the version and the SHA-256 digests of each, so that pip takes these files and no others. The
wheels of ybtoken and ybtoken-native are in the folder `dist` already. uv and pip are in the environment.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

# The oldest glibc that is served (of RHEL 8, Kylin V10, openEuler 20.03 and Debian 10), and the tags of wheels for it.
_GLIBC = 28
_TAGS = [f"manylinux_2_{minor}" for minor in range(_GLIBC, 4, -1)] + ["manylinux2014", "manylinux2010", "manylinux1"]
_README = """ybtoken {version}: an offline bundle / 离线安装包

Python {pythons} on Linux, {machines}, glibc 2.{glibc} or later. Extras / 可选组件: {extras}

    sha256sum --check SHA256SUMS
    python3 -m venv /opt/ybtoken/.venv
    /opt/ybtoken/.venv/bin/pip install --no-index --find-links wheels --require-hashes -r requirements.txt
    /opt/ybtoken/.venv/bin/python -I smoke.py

Compare the digest of this archive with the one that its maker told you by another way.
请通过其他途径核对本安装包的摘要。
"""

Cell = tuple[str, str]  # a processor and a Python
Pin = tuple[str, str]  # a normalized name and a version


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def normal(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lines: str) -> list[Pin]:
    """What `uv pip compile` chose."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lines, re.MULTILINE)
    return [(normal(name), version) for name, version in found]


def own_wheels(dist: Path, machine: str, extras: list[str]) -> dict[Pin, Path]:
    """Find this project's wheels for a processor in `dist`; none comes from an index, where anybody may upload."""
    patterns = ["ybtoken-*.whl", *([f"ybtoken_native-*-abi3-manylinux*_{machine}.whl"] if "native" in extras else [])]
    found = [path for pattern in patterns for path in dist.resolve().glob(pattern)]
    if len(found) != len(patterns):
        raise SystemExit(
            f"{dist} has to have one wheel each of {' and '.join(patterns)}: scripts/nox -s wheels -- TARGET..."
        )
    return {pin_of(path): path for path in found}


def pin_of(wheel: Path) -> Pin:
    """What a wheel's name says."""
    name, version = wheel.name.split("-")[:2]
    return normal(name), version


def resolve(cell: Cell, asked: str) -> list[Pin]:
    """The versions from the index for a processor and a Python; `asked` is the text of a requirements file."""
    machine, python = cell
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "asked.in"
        source.write_text(asked, encoding="utf-8")
        target = ("--python-platform", f"{machine}-manylinux_2_{_GLIBC}", "--python-version", python)
        return pinned(
            _run("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-build", *target, source)
        )


def download(cell: Cell, pins: Iterable[Pin], wheels: Path) -> None:
    """Fetch the wheels of one processor and one Python."""
    machine, python = cell
    platforms = [word for tag in _TAGS for word in ("--platform", f"{tag}_{machine}")]
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *("--implementation", "cp", "--python-version", python, *platforms, "--dest", wheels),
        *(f"{name}=={version}" for name, version in pins),
    )


def requirements(chosen: Mapping[Cell, Iterable[Pin]], digests: Mapping[Pin, Iterable[str]]) -> str:
    """The file for `pip install --require-hashes`: a marker stands where versions differ between the cells."""
    cells: dict[Pin, list[Cell]] = defaultdict(list)
    for cell, pins in chosen.items():
        for pin in pins:
            cells[pin].append(cell)
    lines = []
    for pin in sorted(cells):
        marker = ""
        if len(cells[pin]) < len(chosen):
            places = (f'(platform_machine == "{cell[0]}" and python_version == "{cell[1]}")' for cell in cells[pin])
            marker = " ; " + " or ".join(places)
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(digests[pin]))
        lines.append(f"{pin[0]}=={pin[1]}{marker}{hashes}\n")
    return "".join(lines)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _extras(name: str, extras: list[str]) -> str:
    return f"[{','.join(extras)}]" if name == "ybtoken" else ""


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def make(dist: Path, cells: list[Cell], extras: list[str], files: list[Path]) -> Path:
    """Write the archive into `dist`, its digest beside it, and return its path."""
    also = "\n".join(file.read_text(encoding="utf-8") for file in files)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bundle"
        wheels = root / "wheels"
        wheels.mkdir(parents=True)
        chosen: dict[Cell, list[Pin]] = {}
        for cell in cells:
            own = own_wheels(dist, cell[0], extras)
            asked = [f"{name}{_extras(name, extras)} @ {path.as_uri()}" for (name, _), path in own.items()]
            pins = resolve(cell, "\n".join([*asked, also]))
            download(cell, pins, wheels)
            for path in own.values():
                shutil.copy(path, wheels)
            chosen[cell] = [*own, *pins]
        digests: dict[Pin, set[str]] = defaultdict(set)
        for wheel in wheels.glob("*.whl"):
            digests[pin_of(wheel)].add(_digest(wheel))
        version = next(its_version for name, its_version in digests if name == "ybtoken")
        name = f"ybtoken-bundle-{version}"
        (root / "requirements.txt").write_text(requirements(chosen, digests), encoding="utf-8")
        shutil.copy(Path(__file__).parents[1] / "tests" / "smoke.py", root)
        readme = _README.format(
            version=version,
            pythons=", ".join(sorted({python for _, python in cells})),
            machines=", ".join(sorted({machine for machine, _ in cells})),
            glibc=_GLIBC,
            extras=", ".join(extras),
        )
        (root / "README.txt").write_text(readme, encoding="utf-8")
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        sums = "".join(f"{_digest(path)}  {path.relative_to(root)}\n" for path in paths)
        (root / "SHA256SUMS").write_text(sums, encoding="utf-8")
        archive = dist / f"{name}.tar"
        with tarfile.open(archive, "w") as tar:  # wheels are compressed
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    tar.add(path, f"{name}/{path.relative_to(root)}", filter=_plain)
    archive.with_suffix(".tar.sha256").write_text(f"{_digest(archive)}  {archive.name}\n", encoding="utf-8")
    return archive


def main() -> None:
    """Make the bundle."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dist", type=Path)
    parser.add_argument("--extras", default="qr,cli,redis,native")
    parser.add_argument("--pythons", default="3.11,3.12,3.13,3.14")
    parser.add_argument("--machines", default="x86_64,aarch64")
    parser.add_argument(
        "--requirements", type=Path, action="append", default=[], help="a file of what else to take along"
    )
    given = parser.parse_args()
    cells = list(product(given.machines.split(","), given.pythons.split(",")))
    archive = make(given.dist, cells, given.extras.split(","), given.requirements)
    print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB, sha256 {_digest(archive)}")


if __name__ == "__main__":
    main()
