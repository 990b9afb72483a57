"""Fixtures of the whole suite, the settings of hypothesis, and the line about skipped tests."""

from __future__ import annotations

import gc
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Generator

import pytest
from hypothesis import settings

from tests.support import NOW, fake_issuer, fake_verifier
from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Scope, Verifier
from ybtoken.keys.p256 import P256SigningKey

# A shared machine stalls now and then: no deadline. The same examples in every run: a failure can be repeated.
settings.register_profile("suite", deadline=None, max_examples=150, derandomize=True, database=None)
settings.load_profile("suite")

# What brings back tests that were skipped, by a pattern of their reasons.
MISSING = {
    "redis-server": r"redis-server",
    "chromium": r"Chromium",
    "openssl": r"openssl",
    "go (Debian: golang-go)": r"\bgo\b|\bGo\b",
    "python3-botan": r"Botan",
    "a JDK (Debian: default-jdk-headless libbcpkix-java)": r"JDK",
    "npm": r"npm is not",
    "cargo (https://rustup.rs), for the native engine": r"native engine|ybtoken_native|ybtoken\[native\]",
    "npm, and then `make js`": r"JavaScript",
    "mypy (dependency group lint)": r"mypy",
    "the benchmarks' peers (dependency group bench)": r"No module named 'cwt'",
    "the test vectors of other makers (set YBTOKEN_VECTORS)": r"vectors",
}


def what_is_missing(reasons: list[str]) -> str:
    """One line that says what to install, and for how many of the skipped tests."""
    counted = Counter(
        next((what for what, pattern in MISSING.items() if re.search(pattern, reason)), reason) for reason in reasons
    )
    parts = [f"{count} for want of {what}" for what, count in counted.most_common()]
    return f"{len(reasons)} skipped: {'; '.join(parts)}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores, because tests also wait for browsers, servers and processes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Let the garbage collector leave alone what collecting thousands of tests makes, which lives to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()  # and no gc.freeze(): hypothesis asks the collector who refers to a random number generator


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Print it as the last line of the run, below pytest's own."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and not hasattr(session.config, "workerinput"):
        reporter.write_line(what_is_missing([report.longrepr[2].removeprefix("Skipped: ") for report in skipped]))


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
    """A random source whose seed is logged; YBTOKEN_SEED repeats a run."""

    def make() -> random.Random:
        seed = int(os.environ.get("YBTOKEN_SEED", "0")) or random.SystemRandom().getrandbits(32)
        print(f"YBTOKEN_SEED={seed}")
        return random.Random(seed)

    return make
