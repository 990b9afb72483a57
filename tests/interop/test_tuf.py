"""go-tuf, an independent TUF client, reads the P-256 repository that our command made, and refuses an older one."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.test_peers import PREPARE
from tests.trust.conftest import Server
from ybtoken.keys.p256 import P256SigningKey

pytest.importorskip("tuf", reason="the extra tuf is not installed")
pytest.importorskip("typer", reason="the extra cli is not installed")

from typer.testing import CliRunner

from ybtoken.cli.app import app


@pytest.fixture(scope="module")
def client() -> str:
    spec = importlib.util.spec_from_file_location("prepare", PREPARE)
    assert spec is not None
    assert spec.loader is not None
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    try:
        program: str = prepare.go_peer("tuf", "go-tuf")[0]
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"go-tuf cannot be built: {error}")
    return program


def command(*arguments: object) -> None:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output


def fetched(client: str, root: Path, server: Server, state: Path) -> subprocess.CompletedProcess[bytes]:
    arguments = [client, str(root), server.address, "ring.jwks", str(state)]
    return subprocess.run(arguments, capture_output=True, timeout=60)


def test_go_tuf_reads_our_repository_follows_it_and_refuses_an_older_one(client: str, tmp_path: Path) -> None:
    public, ring, repository, keys = (tmp_path / name for name in ("key.pem", "ring.jwks", "repository", "keys"))
    public.write_bytes(P256SigningKey.generate().verifying_key.to_pem())
    command("ring", "add", public, "-r", ring, "--issuer", "Zhejiang", "--scope", "33")
    command("ring", "init", repository, "--keys", keys, "--in-clear", "--root-keys", "3", "--root-threshold", "2")
    signers = [part for role in ("targets", "snapshot", "timestamp") for part in ("-k", keys / f"{role}.pem")]
    command("ring", "publish", repository, "-r", ring, *signers)
    root = tmp_path / "root.json"
    shutil.copy(repository / "metadata" / "1.root.json", root)
    server = Server(repository)
    try:
        first = fetched(client, root, server, tmp_path / "state")
        assert (first.returncode, first.stdout) == (0, ring.read_bytes()), first.stderr
        shutil.copytree(repository, tmp_path / "old")
        roots = [part for number in (1, 2, 3) for part in ("-k", keys / f"root-{number}.pem")]
        command("ring", "rotate", repository, "timestamp", *roots, *signers, "--new", keys / "new.pem", "--in-clear")
        signers[-1] = keys / "new.pem"
        kid = ring.read_text(encoding="utf-8").split('"kid": "')[1][:16]
        command("ring", "withdraw", kid, "-r", ring, "--since", "1800000000")
        command("ring", "publish", repository, "-r", ring, *signers)
        second = fetched(client, root, server, tmp_path / "state")
        assert (second.returncode, second.stdout) == (0, ring.read_bytes()), second.stderr
        server.folder = tmp_path / "old"
        assert fetched(client, root, server, tmp_path / "state").returncode == 1
    finally:
        server.close()
