"""The checks of a change, one session for each: `scripts/nox --list`, `scripts/nox -s lint`.

Arguments after `--` go to the session's program: `scripts/nox -s tests -- -k chaos`. If a program is missing (cargo,
another Python), the checks that need it are left out, and the session says so.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "tests", "core", "lowest", "docs", "native", "wheels", "installed"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
EXTRAS = ".[qr,cli,redis,otel,otp,pkcs11,status-http,tuf,bulk]"
TESTS = ("--group", "test", "--group", "browser")
PYTEST = ("python", "-m", "pytest", "-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")
NATIVE = "native/python"
OTHER_PROCESSOR = "aarch64-unknown-linux-gnu"

# Modules of which the tests must cover every branch: the format, the keys, issuer and verifier, the guard in memory.
WHOLE = [
    "wire/*", "_checks", "voucher", "places", "keys/ring", "keys/protocols", "engines/columns",
    "engines/serial", "engines/time_and_scope", "judging/*", "verifier", "policy", "issuer", "tokens", "replay/memory",
    "passes/challenge", "passes/rotating", "passes/device", "status/list", "status/source", "status/policy",
    "status/registry",
]  # fmt: skip


def has_cargo() -> bool:
    """Whether the native engine can be built. If not, the script prints what is missing."""
    return subprocess.run(["scripts/cargo"], check=False).returncode == 0


def other_processor_is_known() -> bool:
    """Whether code can be checked for a processor without this one's vectors: `rustup target add` once, if it can."""
    added = shutil.which("rustup") and subprocess.run(["rustup", "target", "add", OTHER_PROCESSOR], check=False)
    return bool(added) and added.returncode == 0


def install_native(session: nox.Session) -> None:
    if has_cargo():  # with its symbols, which scripts/inlined reads
        session.install("--force-reinstall", "--no-deps", f"./{NATIVE}", env={"MATURIN_STRIP": "false"})


def install_if_possible(session: nox.Session, group: str, what: str) -> None:
    try:
        session.install("--group", group)
    except nox.command.CommandFailed:
        session.warn(f"{what} does not install here; it is left out")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Every test, on every Python that is present."""
    session.install("-e", EXTRAS, *TESTS)
    install_native(session)
    session.run(*PYTEST, *session.posargs)


@nox.session(python=PYTHONS)
def core(session: nox.Session) -> None:
    """The core without any extra: tests that need one are skipped, all others pass."""
    session.install("-e", ".", "pytest", "pytest-xdist", "hypothesis")
    session.run(*PYTEST, "-o", "addopts=-q", *(session.posargs or ["tests"]))


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Every test with the lowest version of each direct dependency that pyproject.toml allows."""
    if session.venv_backend != "uv":
        session.skip("uv is needed, which resolves to the lowest versions")
    session.install("--resolution", "lowest-direct", "-e", EXTRAS, *TESTS)
    install_native(session)
    # Old versions warn about features that newer versions of their dependencies have deprecated.
    warnings = ("-W", "ignore::DeprecationWarning", "-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    session.run(*PYTEST, *warnings, *session.posargs)


@nox.session
@nox.parametrize("version", ["==5.6.1", "<6"])
def cbor2(session: nox.Session, version: str) -> None:
    """Every test with the oldest cbor2 that is supported, and with the last before 6."""
    session.install("-e", EXTRAS, *TESTS, f"cbor2{version}")
    session.run(*PYTEST, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    session.install("-e", EXTRAS, "--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("mypy", "--warn-unused-ignores", "--follow-imports=silent", "tests/typing/api.py")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def coverage(session: nox.Session) -> None:
    """Bars for the coverage of a test run with `--cov=ybtoken --cov-branch --cov-report=`."""
    session.install("coverage")
    session.run("coverage", "report", "--skip-covered", "--show-missing", "--fail-under=90")
    whole = ",".join(f"*/ybtoken/{module}.py" for module in WHOLE)
    session.run("coverage", "report", f"--include={whole}", "--show-missing", "--fail-under=100")


@nox.session
def docs(session: nox.Session) -> None:
    """Whether the generated vectors and documents are up to date; `-- --write` writes them."""
    session.install("-e", ".", "--group", "test")
    arguments = [] if session.posargs == ["--write"] else [*session.posargs, "--check"]
    session.run("python", "vectors/generate.py", *arguments)
    session.run("python", "docs/generate.py", *arguments)


@nox.session
def site(session: nox.Session) -> None:
    """The documents as a website in build/site/VERSION; a link that leads nowhere is an error."""
    session.install("-e", ".", "--group", "site")
    session.run("python", "docs/site.py", "build/site")


@nox.session
def native(session: nox.Session) -> None:
    """The native engine's tests in Rust, with the bounds of every number asserted, and those of its Python module."""
    if not has_cargo():
        session.skip("the native engine cannot be built here")
    session.install("-e", ".[bulk]", "--group", "test")
    install_native(session)
    with session.chdir("native"):
        session.run("cargo", "fmt", "--check", external=True)
        lint = ("--quiet", "--all-targets", "--", "-D", "warnings")
        session.run("cargo", "clippy", "--workspace", *lint, external=True)
        if other_processor_is_known():  # what only vectors need must not be missed, or left over, elsewhere
            of_other = ("--target", OTHER_PROCESSOR, "-p", "ybtoken-curve", "-p", "ybtoken-engine", *lint)
            session.run("cargo", "clippy", *of_other, external=True)
        session.run("cargo", "test", "--quiet", "-p", "ybtoken-curve", "-p", "ybtoken-engine", external=True)
    suffix = sysconfig.get_config_var("SHLIB_SUFFIX")
    (module,) = Path(session.virtualenv.location).rglob(f"ybtoken_native/*{suffix}")
    session.run("scripts/inlined", str(module), external=True)
    session.run("python", "-m", "pytest", f"{NATIVE}/tests", *session.posargs)


@nox.session
def differential(session: nox.Session) -> None:
    """The native engine's verdicts against crypto_mb's or RustCrypto's; see scripts/differential."""
    if not has_cargo():
        session.skip("the native engine cannot be built here")
    install_if_possible(session, "bench-native", "crypto_mb")
    session.run("scripts/differential", external=True)


@nox.session
def aarch64(session: nox.Session) -> None:
    """The native engine's tests for aarch64 under qemu-user, with few random cases; `-- --whole` for all."""
    session.install("pip>=25")
    session.run("scripts/aarch64", *session.posargs, external=True)


@nox.session(venv_backend="none")
def miri(session: nox.Session) -> None:
    """The native engine's tests in Miri, which detects undefined behaviour; needs a nightly toolchain."""
    vectors = "avx2 avx512f avx512bw avx512dq avx512vl avx512ifma avx512vbmi2 bmi2 adx"
    environment = {  # Miri reports the features for which the code is compiled as those of the processor
        "MIRIFLAGS": "-Zmiri-disable-isolation",
        "RUSTFLAGS": "-Ctarget-feature=" + ",".join(f"+{name}" for name in vectors.split()),
        "PROPTEST_CASES": "2",
    }
    command = ["cargo", "+nightly", "miri", "test", "-p", "ybtoken-curve", "-p", "ybtoken-engine", "--tests"]
    with session.chdir("native"):
        session.run(*command, *session.posargs, env=environment)


@nox.session
def clusters(session: nox.Session) -> None:
    """Bulk verification on Dask, Spark and Ray, as the guide shows it; it takes minutes, and Spark needs a Java 17."""
    session.install("-e", EXTRAS, "--group", "test", "--group", "clusters")
    install_native(session)
    session.run("python", "-m", "pytest", "tests/bulk/test_clusters.py", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Tokens to and from other libraries, which are prepared first."""
    session.install("-e", EXTRAS, *TESTS)
    session.run("python", "interop/prepare.py")
    session.run("python", "-m", "pytest", "tests/interop", *session.posargs)


def install_javascript(session: nox.Session) -> None:
    with session.chdir("js"):
        session.run("npm", "ci", "--silent", "--no-audit", "--no-fund", external=True)


@nox.session(venv_backend="none")
def js(session: nox.Session) -> None:
    """The JavaScript verifier: its own tests, its types and its size."""
    install_javascript(session)
    with session.chdir("js"):
        for script in ("test", "types", "size"):
            session.run("npm", "run", "--silent", script)


@nox.session
def conform(session: nox.Session) -> None:
    """Every program of this repository through the conformance kit."""
    session.install("-e", EXTRAS)
    install_native(session)
    install_javascript(session)
    kit = ("python", "vectors/conform.py", "--")
    session.run(*kit, "python", "interop/library.py")
    if has_cargo():
        session.run(*kit, "python", "interop/library.py", "--engine", "native")
    session.run(*kit, "node", "interop/javascript.mjs")
    verifier = str(Path("build/interop/verifier").resolve())
    with session.chdir("interop/go/verifier"):
        session.run("go", "build", "-o", verifier, ".", external=True)
    session.run(*kit, verifier)


@nox.session
def compare(session: nox.Session) -> None:
    """Give 20,000 random inputs to three verifiers; `-- --count 1000000` for more, `-- --seed N` to repeat a run."""
    session.install("-e", EXTRAS)
    install_native(session)
    install_javascript(session)
    programs = ["python interop/library.py", "node interop/javascript.mjs"]
    if has_cargo():
        programs.insert(1, "python interop/library.py --engine native")
    asked = [part for program in programs for part in ("--with", program)]
    session.run("python", "interop/compare.py", *asked, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Changed input at every boundary for a minute; for an hour `-- --seconds 3600`, `-- --seed N` the same again."""
    session.install("-e", EXTRAS, *TESTS)
    session.run("python", "-m", "fuzz", *session.posargs)


@nox.session(venv_backend="none")
def fuzz_native(session: nox.Session) -> None:
    """Changed input for the native engine, an hour for each target: needs cargo-fuzz and a nightly toolchain."""
    with session.chdir("native/fuzz"):
        for target in sorted(Path("fuzz_targets").glob("*.rs")):
            command = ("cargo", "+nightly", "fuzz", "run", target.stem, "--")
            session.run(*command, *(session.posargs or ["-max_total_time=3600"]))


@nox.session
def mutants(session: nox.Session) -> None:
    """Break the library in a hundred ways, of which the vectors must notice 95."""
    session.install("-e", EXTRAS, *TESTS)
    session.run("python", "interop/mutants.py", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """The sdists and the wheels, in dist/; `-- TARGET...` builds the native engine for these, not for this machine."""
    shutil.rmtree("dist", ignore_errors=True)
    session.install("build", "hatchling>=1.24", "maturin[zig]>=1.12")
    session.run("python", "-m", "build", "--no-isolation", "--outdir", "dist", ".")
    if has_cargo():
        session.run("maturin", "sdist", "--manifest-path", f"{NATIVE}/Cargo.toml", "--out", "dist")
        for target in session.posargs or [""]:
            session.run("scripts/native-wheel", *target.split(), external=True)
    session.run("python", "tests/artifacts.py", "dist")


@nox.session(python=PYTHONS, reuse_venv=False)
def installed(session: nox.Session) -> None:
    """The wheels of dist/ in an environment with nothing else: the pure one alone, then the native one."""
    (pure,) = (str(path) for path in Path("dist").glob("ybtoken-*.whl"))
    session.install(pure)
    session.run("python", "-I", "tests/smoke.py")
    if any(Path("dist").glob("ybtoken_native-*.whl")):
        session.install("--no-index", "--find-links", "dist", "ybtoken-native")
        session.run("python", "-I", "tests/smoke.py")


@nox.session
def bundle(session: nox.Session) -> None:
    """The wheels of dist/ with all that they need, as an archive; `-- --extras qr,bulk` chooses."""
    session.install("pip>=25", "uv>=0.5")
    session.run("python", "scripts/bundle.py", "dist", *session.posargs)


@nox.session(python=PYTHONS, venv_backend="venv", reuse_venv=False)
def offline(session: nox.Session) -> None:
    """The bundle in an environment with nothing else, without an index, by pip's own commands."""
    (archive,) = (path.resolve() for path in Path("dist").glob("ybtoken-bundle-*.tar"))
    with session.chdir(session.create_tmp()):
        session.run("tar", "-xf", str(archive), "--strip-components=1", external=True)
        session.run("sha256sum", "--check", "--quiet", "SHA256SUMS", external=True)
        made_for = Path("README.txt").read_text(encoding="utf-8")
        if str(session.python) not in made_for or platform.machine() not in made_for:
            session.skip("the bundle was not made for this machine or Python")
        only = ("--no-index", "--find-links", "wheels", "--require-hashes")
        session.run("python", "-m", "pip", "install", "--quiet", *only, "-r", "requirements.txt")
        session.run("python", "-I", "smoke.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Rates and ratios beside other libraries, and build/bench.json."""
    session.install("-e", EXTRAS, "--group", "test", "--group", "bench")  # one of the peers holds cbor2 back
    install_if_possible(session, "bench-native", "crypto_mb")
    install_if_possible(session, "bench-sm2", "one of the SM2 peers")
    install_native(session)
    session.run("python", "-m", "benchmarks", *session.posargs)
