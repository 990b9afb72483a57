from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ybtoken import Issuer, KeyEntry, KeyRing, Scope
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

pytest.importorskip("typer", reason="the extra cli is not installed")

import typer.testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from ybtoken.cli.app import app

# The runner would build the tree of all commands anew for each call, which takes longer than most commands do.
typer.testing._get_command = functools.cache(get_command)

NOW = 1_780_000_000


@pytest.fixture(autouse=True)
def _plain_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    def run(*args: object, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)

    return run


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A disk that takes files of at most so many bytes: a write of more fails as it does on a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited(most: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture(scope="session")
def ybtoken() -> str:
    """The command line as a process of its own, for a shell."""
    return f"'{sys.executable}' -m ybtoken.cli"


@dataclass(frozen=True)
class Office:
    """An issuing office for Zhejiang (33), with its files."""

    key: Path
    ring: Path
    issuer: Issuer
    now: int = NOW

    def text(self, city_code: str = "330100", now: int = NOW, **extras: object) -> str:
        return self.issuer.issue(b"identity-ref-16b", city_code, now=now, **extras).text  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("office")
    key = P256SigningKey.generate()
    (folder / "key.pem").write_bytes(key.to_pem(passphrase=None))
    (folder / "key.pem").chmod(0o600)
    ring = KeyRing([KeyEntry(key.verifying_key, "浙江 office", Scope(("33",)))])
    (folder / "ring.jwks").write_text(dump_jwks(ring), encoding="utf-8")
    return Office(folder / "key.pem", folder / "ring.jwks", Issuer(key, clock=lambda: NOW))
