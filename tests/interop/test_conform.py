"""The runner of the conformance kit and the random comparison, with programs that are wrong, silent, or end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
CONFORM = ROOT / "vectors" / "conform.py"
COMPARE = ROOT / "interop" / "compare.py"

PROGRAM = """
import json, sys, time
sys.path.insert(0, {vectors!r})
from conform import cases
answers = {{case.question["id"]: case.expect for case in cases()}}
print(json.dumps({{"name": "a program", "capabilities": {capabilities}}}), flush=True)
for line in sys.stdin:
    id_ = json.loads(line)["id"]
    answer = {{"id": id_, "outcome": answers.get(id_, {{"text": ""}})}}
    {change}
    print(json.dumps(answer), flush=True)
"""


def program(folder: Path, change: str = "pass", capabilities: str = "['scan', 'challenge']") -> Path:
    """A program that knows all answers, except for a change."""
    file = folder / "program.py"
    file.write_text(PROGRAM.format(vectors=str(ROOT / "vectors"), change=change, capabilities=capabilities))
    return file


def conform(*arguments: object) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, str(CONFORM), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout


def outcomes(folder: Path, file: Path, *options: object) -> tuple[int, dict[str, Any], str]:
    report = folder / "report.json"
    code, said = conform("--family", "scan", "--report", report, *options, "--", sys.executable, file)
    return code, {case["id"]: case for case in json.loads(report.read_text())["cases"]}, said


def test_a_program_with_the_right_outcomes_is_good_and_is_asked_what_it_can(tmp_path: Path) -> None:
    code, said = conform("--", sys.executable, program(tmp_path))
    assert code == 0, said
    last = said.splitlines()[-1]
    good, asked = re.search(r": (\d+) of (\d+) cases", last).groups()
    assert good == asked
    assert 30 < int(asked) < 50
    assert "not asked for want of a capability" in last


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("if id_ == 'scan/spaces': sys.exit(3)", "ended with 3"),
        ("if id_ == 'scan/spaces': time.sleep(60)", "no answer within"),
        ("if id_ == 'scan/spaces': print('no JSON', flush=True)", "Expecting value"),
        ("if id_ == 'scan/spaces': answer['id'] = 'scan/other'", "it answered scan/other"),
        ("if id_ == 'scan/spaces': answer = {'id': id_, 'error': 'I cannot'}", "I cannot"),
        ("if id_ == 'scan/spaces': answer = {'id': id_, 'error': 5}", "5"),
        ("if id_ == 'scan/spaces': answer = {'id': id_}", "neither"),
        ("if id_ == 'scan/spaces': answer = [answer]", "it answered no object"),
        ("if id_ == 'scan/spaces': answer['outcome'] = json.loads('[' * 400 + ']' * 400)", "nested"),
        ("if id_ == 'scan/spaces': print('[' * 100_000, flush=True)", "nested"),
        ("if id_ == 'scan/spaces': sys.stdout.buffer.write(b'\\xff\\n'); sys.stdout.flush()", "Expecting value"),
        ("if id_ == 'scan/spaces': import os; os.close(1); time.sleep(60)", "closed its output"),
    ],
)
def test_after_a_failure_the_runner_goes_on(tmp_path: Path, change: str, why: str) -> None:
    code, found, said = outcomes(tmp_path, program(tmp_path, change), "--timeout", 2)
    assert code == 1
    bad = [id_ for id_, case in found.items() if not case["good"]]
    assert bad == ["scan/spaces"], said
    assert why in found["scan/spaces"]["error"]
    assert len(found) == 32


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        ("if answer['outcome'] is None: del answer['outcome']", "challenge/"),
        ("answer = json.loads(json.dumps(answer).replace('true', '1'))", "device/accept"),
        ("answer = json.loads(json.dumps(answer).replace(': 1800000000', ': 1800000000.0'))", "device/accept"),
    ],
)
def test_an_outcome_of_another_type_is_another_outcome(tmp_path: Path, change: str, bad: str) -> None:
    file = program(tmp_path, change, "['ES256', 'SM2', 'profile-3', 'challenge']")
    code, said = conform("--family", bad.partition("/")[0], "--", sys.executable, file)
    assert code == 1, said
    assert said.startswith(bad)


@pytest.mark.parametrize(
    ("options", "capabilities", "why"),
    [
        (("--family", "tokens"), "['scan']", "invalid choice: 'tokens'"),
        ((), "['es256']", "no capability of the manifest: es256"),
        ((), "[]", "it states no capability"),
        (("--family", "challenge"), "['scan']", "no case to ask"),
        ((), "5", "no line with its name and its capabilities"),
    ],
)
def test_a_run_that_asks_nothing_is_no_success(
    tmp_path: Path, options: tuple[str, ...], capabilities: str, why: str
) -> None:
    file = program(tmp_path, capabilities=capabilities)
    run = subprocess.run(
        [sys.executable, str(CONFORM), *options, "--", sys.executable, str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert why in run.stderr
    assert "Traceback" not in run.stderr


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(CONFORM), "--", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "none" in run.stderr
    assert "Traceback" not in run.stderr


def test_what_follows_a_program_that_does_not_start_again_has_failed(tmp_path: Path) -> None:
    started = str(tmp_path / "started")
    file = program(tmp_path, f"open({started!r}, 'w'); sys.exit(3)")
    file.write_text(f"import os, sys\nif os.path.exists({started!r}): sys.exit(4)\n" + file.read_text())
    code, found, _ = outcomes(tmp_path, file)
    assert code == 1
    assert len(found) == 32
    first, *rest = found.values()
    assert "ended with 3" in first["error"]
    assert {case["error"] for case in rest} == {"it does not start again: it said nothing, and it ended with 4"}


def test_another_outcome_is_named_with_its_family(tmp_path: Path) -> None:
    code, found, said = outcomes(tmp_path, program(tmp_path, "if id_ == 'scan/spaces': answer['outcome'] = None"))
    assert code == 1
    assert found["scan/spaces"]["outcome"] is None
    assert "scan                  31     32  <--" in said


def test_files_that_are_not_those_of_the_manifest_are_refused(tmp_path: Path) -> None:
    for file in (ROOT / "vectors").glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "conform.py").write_bytes(CONFORM.read_bytes())
    scan = tmp_path / "scan.json"
    scan.write_text(scan.read_text().replace("scan/spaces", "scan/space"))
    run = subprocess.run(
        [sys.executable, str(tmp_path / "conform.py"), "--", "true"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "scan.json" in run.stderr


def test_the_comparison_notices_one_program_that_differs_and_repeats_its_seed(tmp_path: Path) -> None:
    library = f"{sys.executable} {ROOT / 'interop' / 'library.py'}"
    broken = tmp_path / "broken.py"
    broken.write_text(
        f"import sys; sys.path[:0] = {[str(ROOT)]!r}\n"
        "from interop import library\n"
        "library.normalize_scan = lambda scanned: scanned.strip()\n"
        "library.main()\n"
    )

    def compare(other: str) -> tuple[int, str]:
        command = [sys.executable, str(COMPARE), "--count", "150", "--seed", "7", "--with", library, "--with", other]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return run.returncode, run.stdout

    code, said = compare(library)
    assert (code, "150 inputs, 0 differences" in said) == (0, True), said
    code, said = compare(f"{sys.executable} {broken}")
    assert code == 1
    differing = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert differing
    assert all("scanned" in case for case in differing)
    assert compare(f"{sys.executable} {broken}")[1].splitlines()[:3] == said.splitlines()[:3]


def test_what_is_broken_for_the_vectors_is_still_there() -> None:
    """`interop/mutants.py` takes long and runs on its own; a renamed function would make it fail."""
    run = subprocess.run([sys.executable, str(ROOT / "interop" / "mutants.py"), "--count", "0"], capture_output=True)
    assert run.returncode == 0, run.stdout
