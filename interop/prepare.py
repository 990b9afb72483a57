"""Prepares the interoperability tests under `build/interop`: the environment of the Python peers, and the Go program.

A second call finds them ready, and calls at the same time wait for each other. `uv` is used if it is installed.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "interop"


def python_peers() -> list[str]:
    """The command that runs `peers.py` in its own environment.

    Raises:
        subprocess.CalledProcessError: the environment cannot be made, for example because there is no package index.
    """
    python, wanted = BUILD / "venv" / "bin" / "python", HERE / "requirements.txt"
    done = BUILD / "venv" / wanted.name  # written last, and compared: an old or incomplete one is replaced
    with _alone():
        if not done.exists() or done.read_bytes() != wanted.read_bytes():
            shutil.rmtree(BUILD / "venv", ignore_errors=True)
            if uv := shutil.which("uv"):
                _run(uv, "venv", "-q", "--python", sys.executable, str(BUILD / "venv"))
                _run(uv, "pip", "install", "-q", "--python", str(python), "-r", str(wanted))
            else:
                _run(sys.executable, "-m", "venv", str(BUILD / "venv"))
                _run(str(python), "-m", "pip", "install", "-q", "-r", str(wanted))
            shutil.copyfile(wanted, done)
    return [str(python), "-W", "ignore", str(HERE / "peers.py")]


def go_peer(folder: str = "go", name: str = "go-cose") -> list[str]:
    """The command that runs a Go program.

    Args:
        folder: where its source is.
        name: what it is called when it is built.

    Raises:
        FileNotFoundError: there is no ``go``.
        subprocess.CalledProcessError: it cannot be built.
    """
    go, program = shutil.which("go"), BUILD / name
    if go is None:
        raise FileNotFoundError("go is not installed")
    with _alone():
        _run(go, "build", "-o", str(program), ".", cwd=HERE / folder)  # go itself sees what is up to date
    return [str(program)]


def java_keys() -> list[str]:
    """The command that writes keys by BouncyCastle.

    Raises:
        FileNotFoundError: there is no JDK, or no BouncyCastle (Debian: default-jdk-headless libbcpkix-java).
    """
    jars = [Path("/usr/share/java") / f"bc{name}.jar" for name in ("prov", "pkix", "util")]
    if shutil.which("javac") is None or not all(jar.exists() for jar in jars):
        raise FileNotFoundError("no JDK with BouncyCastle here (Debian: default-jdk-headless libbcpkix-java)")
    return ["java", "-cp", ":".join(map(str, jars)), str(HERE / "KeySpellings.java")]


def node_keys() -> list[str]:
    """The command that writes keys by sm-crypto.

    Raises:
        FileNotFoundError: there is no npm.
        subprocess.CalledProcessError: sm-crypto cannot be installed.
    """
    npm, folder = shutil.which("npm"), BUILD / "node"
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    with _alone():
        if not (folder / "node_modules" / "sm-crypto").exists():
            folder.mkdir(exist_ok=True)
            _run(npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "sm-crypto@>=0.5.0")
        shutil.copyfile(HERE / "key_spellings.mjs", folder / "key_spellings.mjs")
    return ["node", str(folder / "key_spellings.mjs")]


@contextmanager
def _alone() -> Iterator[None]:
    """Let in one process at a time, because the tests run in several, and two must not make the same environment."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)


if __name__ == "__main__":
    print(*python_peers())
    print(*go_peer())
