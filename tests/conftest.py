"""Fixtures of the whole suite, and bounds on what hypothesis tries."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.support import NOW, fake_issuer, fake_verifier
from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Scope, Verifier
from ybtoken.keys.p256 import P256SigningKey

# A shared machine stalls now and then: no deadline. The same examples in every run: a failure can be repeated.
settings.register_profile("suite", deadline=None, max_examples=150, derandomize=True, database=None)
settings.load_profile("suite")


@pytest.fixture
def issuer() -> Issuer:
    return fake_issuer()


@pytest.fixture
def verifier() -> Verifier:
    return fake_verifier(guard=MemoryReplayGuard(clock=lambda: NOW))


@pytest.fixture(scope="session")
def p256_key() -> P256SigningKey:
    return P256SigningKey.generate()


@pytest.fixture(scope="session")
def p256_ring(p256_key: P256SigningKey) -> KeyRing:
    return KeyRing([KeyEntry(p256_key.verifying_key, "Zhejiang", Scope(("33",)))])


@pytest.fixture
def seeded() -> Callable[[], random.Random]:
    """A source of chance whose seed is logged; YBTOKEN_SEED repeats a run."""

    def make() -> random.Random:
        seed = int(os.environ.get("YBTOKEN_SEED", "0")) or random.SystemRandom().getrandbits(32)
        print(f"YBTOKEN_SEED={seed}")
        return random.Random(seed)

    return make
