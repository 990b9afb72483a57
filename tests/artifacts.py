"""Run by ``make wheels``: what was built into dist/ is what its files' names, licences and metadata say."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROCESSORS = {"x86_64": 62, "aarch64": 183}  # e_machine in the ELF header
LOCAL = re.compile("|".join(re.escape(str(path)) for path in (ROOT, Path.home() / ".cargo")).encode())
RELATIVE = re.compile(r"\]\((?![a-z]+:|#)")


def members(path: Path) -> dict[str, bytes]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(path) as archive:
        found = {entry.name: archive.extractfile(entry) for entry in archive.getmembers() if entry.isfile()}
        return {name.partition("/")[2]: file.read() for name, file in found.items() if file is not None}


def only(files: dict[str, bytes], pattern: str) -> bytes:
    (name,) = [name for name in files if re.search(pattern, name)]
    return files[name]


def check_metadata(raw: bytes) -> Message:
    metadata = message_from_bytes(raw)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Author"] or metadata["Author-email"]
    assert metadata.get_all("Project-URL")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Programming Language :: Python :: 3.14" in metadata.get_all("Classifier", [])
    page = metadata.get_payload(decode=True) or b""
    assert isinstance(page, bytes)
    assert not RELATIVE.search(page.decode()), "a relative link leads nowhere on the page of an index"
    return metadata


def check_pure(wheel: Path, sdist: Path) -> None:
    in_wheel, in_sdist = members(wheel), members(sdist)
    assert {name.partition("/")[0].partition("-")[0] for name in in_wheel} == {"ybtoken"}
    assert check_metadata(only(in_wheel, r"/METADATA$"))["Version"] == check_metadata(in_sdist["PKG-INFO"])["Version"]
    assert only(in_wheel, r"licenses/LICENSE$") == in_sdist["LICENSE"]
    assert not [name for name in in_sdist if name.endswith(".rs") or name.startswith(("native", "js", "build", "dist"))]
    assert {"tests/test_verifier.py", "tests/conftest.py", "vectors/manifest.json", "pyproject.toml"} <= set(in_sdist)


def check_native(wheel: Path) -> None:
    files = members(wheel)
    metadata = check_metadata(only(files, r"/METADATA$"))
    assert metadata.get_all("License-File") == ["LICENSE", "THIRD-PARTY-LICENSES.txt"]
    assert only(files, r"licenses/LICENSE$") == (ROOT / "LICENSE").read_bytes()
    notices = only(files, r"licenses/THIRD-PARTY-LICENSES\.txt$").decode()
    bill = json.loads(only(files, r"sboms/"))
    crates = {part["name"]: part["version"] for part in bill["components"] if not part["name"].startswith("ybtoken")}
    assert len(crates) > 30
    assert all(f"{name} {version}" in notices for name, version in crates.items())
    for name, content in files.items():
        assert (found := LOCAL.search(content)) is None, f"{name} names {found and found[0]!r}"
    module = only(files, r"\.(so|pyd)$")
    print(f"{wheel.name}: {len(crates)} crates, the module has {len(module) / 1e6:.1f} MB", end="")
    if module.startswith(b"\x7fELF"):
        (machine,) = [name for name in PROCESSORS if wheel.stem.endswith(name)]
        assert int.from_bytes(module[18:20], "little") == PROCESSORS[machine]
        assert b".symtab" not in module, "not stripped"
        if "manylinux" in wheel.name:
            stated = int(re.findall(r"manylinux_2_(\d+)_", wheel.name)[0])
            needed = max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", module))
            assert needed <= stated <= 28, f"glibc 2.{needed} is needed, 2.{stated} stated"
            print(f", glibc 2.{needed}", end="")
    print()


def check_native_sdist(sdist: Path) -> None:
    files = members(sdist)
    check_metadata(files["PKG-INFO"])
    assert any(name.endswith("Cargo.lock") for name in files)
    assert files["LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert not [name for name in files if "THIRD-PARTY" in name or "/target/" in name]


def main(dist: Path) -> None:
    (pure,), (sdist,) = dist.glob("ybtoken-*.whl"), dist.glob("ybtoken-[0-9]*.tar.gz")
    check_pure(pure, sdist)
    native = sorted(dist.glob("ybtoken_native-*.whl"))
    for wheel in native:
        check_native(wheel)
    for archive in dist.glob("ybtoken_native-*.tar.gz"):
        check_native_sdist(archive)
    print(f"{pure.name}, {sdist.name} and {len(native)} native wheels are as they should be")


main(Path(sys.argv[1]))
