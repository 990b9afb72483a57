"""Every family runs, with a few rounds. The form of the figures is checked, not their values."""

from __future__ import annotations

import gc
import importlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks.families import FAMILIES
from benchmarks.measure import AbsentError, Bench, Row, Times

# Sizes that do not follow the scale, because figures depend on them; here they would only take time.
SMALLER = {
    "native": {"BATCH": 256, "ISSUERS": 4},
    "bulk": {"PARTS": 2, "RUNS": 1},
    "scans": {"ISSUERS": 2},
    "gateway": {"PARTS": 1},
}


@pytest.fixture(autouse=True)
def _what_other_tests_left_is_not_collected() -> Iterator[None]:
    """A measurement collects garbage before each part, which takes long with the objects of a whole test run."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore")  # of peers
def test_a_family_reports_figures(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(scale=0.001)
    try:
        module = importlib.import_module(f"benchmarks.families.{family}")
        for name, size in SMALLER.get(family, {}).items():
            monkeypatch.setattr(module, name, size)
        module.run(bench)
    except (AbsentError, ModuleNotFoundError) as reason:
        pytest.skip(str(reason))
    assert bench.rows
    for row in bench.rows:
        assert math.isfinite(row.value), row
        assert row.value > 0, row


def test_the_runner_writes_a_flat_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.json"
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--scale", "0.001", "--json", str(path), "p256"])
    monkeypatch.setattr(runner, "pin", lambda: None)

    runner.main()

    document = json.loads(path.read_text())
    meta = document.pop("_meta")
    assert meta["versions"]["cryptography"]
    assert document["p256.serial.verify_vs_bare"]["token_bytes"] == 137
    assert all({"value", "unit", "better"} <= entry.keys() for entry in document.values())
    printed = capsys.readouterr().out
    assert all(name in printed for name in document)


def test_a_family_whose_extra_is_missing_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.json"
    monkeypatch.setattr(runner, "FAMILIES", ("nothing_of_this_name",))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--json", str(path)])
    monkeypatch.setattr(runner, "pin", lambda: None)

    runner.main()

    assert "nothing_of_this_name" in json.loads(path.read_text())["_meta"]["skipped"]
    assert "skipped: nothing_of_this_name" in capsys.readouterr().out


def test_a_ratio_is_of_what_was_disturbed_least() -> None:
    times = Times({"slow": [200, 200, 900] * 20, "quick": [100, 100, 700] * 20})
    ratio, noise = times.ratio("slow", "quick")
    assert ratio == 2
    assert noise == 0


def test_a_figure_is_reported_once() -> None:
    bench = Bench()
    bench.row(Row("a", 1.0, "1/s", "higher"))
    with pytest.raises(ValueError, match="twice"):
        bench.row(Row("a", 2.0, "1/s", "higher"))
