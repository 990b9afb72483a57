from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest


@pytest.fixture
def seeded() -> Callable[[], random.Random]:
    """A source of chance whose seed is logged; YBTOKEN_SEED repeats a run."""

    def make() -> random.Random:
        seed = int(os.environ.get("YBTOKEN_SEED", "0")) or random.SystemRandom().getrandbits(32)
        print(f"YBTOKEN_SEED={seed}")
        return random.Random(seed)

    return make
