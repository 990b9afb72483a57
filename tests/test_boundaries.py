"""What comes from outside raises the errors of its boundary and no others. `python -m fuzz` tries for longer."""

from __future__ import annotations

import json
import random

import pytest

pytest.importorskip("httpx")
pytest.importorskip("redis")

from fuzz.__main__ import changed, complaint, seeds_of
from fuzz.targets import TARGETS
from tests.support import fake_verifier


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_boundary_raises_is_its_own_error(name):
    target, seeds, chance = TARGETS[name], seeds_of(name), random.Random(1)
    for data in [b"", *seeds, *(changed(seeds, chance) for _ in range(8 if "file" in name else 40))]:
        assert not complaint(target, data), data


def test_a_foreign_error_is_found():
    def foreign(data: bytes) -> None:
        raise KeyError(data)

    assert "KeyError" in complaint(TARGETS["text"]._replace(run=foreign), b"x")


def test_a_foreign_error_is_found_below_an_error_that_is_allowed():
    target = TARGETS["ring"]
    assert target.raises == (ValueError,)
    for run in (bytes.decode, json.loads):
        assert "DecodeError" in complaint(target._replace(run=run), b"\xff" if run is bytes.decode else b"{")
    assert not complaint(target._replace(run=int), b"x")
    assert not complaint(TARGETS["signature"]._replace(run=fake_verifier().verify), "96")
