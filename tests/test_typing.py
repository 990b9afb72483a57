from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is in the dependency group lint")

TYPING = Path(__file__).parent / "typing"


@pytest.mark.parametrize("path", sorted(TYPING.glob("*.py")), ids=lambda path: path.stem)
def test_a_type_checker_agrees_and_complains_where_it_should(path):
    """Every `type: ignore` in the file must be needed, because an unused one is an error."""
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--follow-imports=silent", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TYPING.parent.parent)
    assert done.returncode == 0, done.stdout + done.stderr
