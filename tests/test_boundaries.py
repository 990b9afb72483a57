"""What comes from outside raises the errors of its boundary and no others. `python -m fuzz` tries for longer."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("httpx")
pytest.importorskip("redis")

from fuzz.__main__ import changed, complaint, seeds_of
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_boundary_raises_is_its_own_error(name):
    target, seeds, chance = TARGETS[name], seeds_of(name), random.Random(1)
    for data in [b"", *seeds, *(changed(seeds, chance) for _ in range(8 if "file" in name else 40))]:
        assert not complaint(target, data), data


def test_a_foreign_error_is_found():
    def foreign(data: bytes) -> None:
        raise KeyError(data)

    assert "KeyError" in complaint(TARGETS["text"]._replace(run=foreign), b"x")
