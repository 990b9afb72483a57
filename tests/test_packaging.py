"""What the distributions say about themselves; ``tests/artifacts.py`` reads what is built."""

from __future__ import annotations

import re
import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def load(path: str) -> ModuleType:
    spec = spec_from_file_location(Path(path).stem, ROOT / path)
    if spec is None or spec.loader is None or not (ROOT / path).exists():
        pytest.skip(f"a checkout: an sdist has no {path}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("base", [None, "https://host.example/owner/name/blob/v1"])
def test_the_page_of_an_index_has_no_relative_link(base: str | None) -> None:
    pytest.importorskip("hatchling", reason="hatchling (dependency group test)")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = load("hatch_build.py").absolute(readme, base)
    relative = re.findall(r"\]\((?![a-z]+:)([^)]*)\)", readme)
    assert len(relative) > 20
    assert re.findall(r"\]\((?![a-z]+:)", page) == []
    assert page.count(f"]({base}/") == (len(relative) if base else 0)
    assert "threat model" in page


def test_a_bundle_pins_a_version_by_place_only_where_places_differ() -> None:
    both, old, new = ("both", "1"), ("some", "1"), ("some", "2")
    chosen = {("x86_64", "3.11"): [both, old], ("aarch64", "3.14"): [new, both]}
    digests = {both: {"b", "a"}, old: {"c"}, new: {"d"}}
    assert load("scripts/bundle.py").requirements(chosen, digests) == (
        "both==1 \\\n    --hash=sha256:a \\\n    --hash=sha256:b\n"
        'some==1 ; (platform_machine == "x86_64" and python_version == "3.11") \\\n    --hash=sha256:c\n'
        'some==2 ; (platform_machine == "aarch64" and python_version == "3.14") \\\n    --hash=sha256:d\n'
    )


def test_every_version_of_the_site_leads_to_the_others_and_the_address_to_the_newest(tmp_path: Path) -> None:
    for name in ("0.9.0", "0.10.0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").touch()
    assert load("docs/site.py").list_versions(tmp_path) == ["0.10.0", "0.9.0"]
    assert '["0.10.0", "0.9.0"]' in (tmp_path / "versions.js").read_text(encoding="utf-8")
    assert 'url=0.10.0/index.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_bill_of_materials_names_what_is_linked_and_no_folder() -> None:
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    notices = load("scripts/notices.py")
    packages = notices.linked("x86_64-unknown-linux-gnu")
    bill = notices.bill(packages, "x86_64-unknown-linux-gnu")
    names = {part["name"] for part in bill["components"]}
    assert {"ybtoken-engine", "ybtoken-curve", "pyo3", "sha2", "libc"} <= names
    assert names.isdisjoint({"proptest", "p256", "syn", "pyo3-macros"})  # of tests, and of macros
    assert all(part.get("hashes") or part["name"].startswith("ybtoken") for part in bill["components"])
    assert {edge["ref"] for edge in bill["dependencies"]} == {package_ref(part) for part in bill["components"]} | {
        package_ref(bill["metadata"]["component"])
    }
    assert str(ROOT) not in str(bill)
    assert "file://" not in str(bill)
    text = notices.notices(packages, {"around": ["its text"]})
    assert "subtle 2" in text
    assert "its text" in text


def package_ref(part: dict[str, str]) -> str:
    return part["bom-ref"]
