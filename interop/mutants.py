"""Breaks the library in a hundred ways, and reports which of them the vectors notice: `python interop/mutants.py`.

Each change is one of these: a comparison that is off by one or reversed, a negated condition, `and` in place of `or`, a
number plus one, an omitted refusal. They are chosen at random, with a seed that is printed, from the functions that
decide a verdict. The facts of refusals and misuse (`TypeError`) are not changed, because no vector states them, nor are
the lines in `SAME`, whose change no input can show.

With `--tests` the changes are in whole packages, and the tests of the changed file are asked, those of its own name
first: 90 of a hundred have to be noticed. A hundred took 37 minutes on a busy machine. All of them take a day or more:
`python interop/mutants.py --tests --least 0.9 --count 100000` is for once a week.
"""

# ruff: noqa: E501 - lines of other files are quoted

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "ybtoken"

DECIDING = {
    "wire/text.py": ("decode_text", "otp_of_text", "normalize_scan", "_layout"),
    "wire/envelope.py": (
        "encode_header", "sign1_prefix", "encode_byte_string", "_head", "cut_envelope", "_has_long_head",
    ),
    "wire/presentation.py": ("_layout", "cut_presentation"),
    "wire/claims.py": ("_walk_uint", "walk_claims", "_walk_cnf", "_walk_optional"),
    "keys/device.py": ("check_presentation",),
    "keys/keyset.py": (
        "load_jwks", "load_cose_keyset", "_json", "_once", "_integer", "_check_items", "_entry_from_jwk",
        "_entry_from_cose_key", "_key", "_entry", "_kid_from_hex", "_from_base64url",
    ),
    "keys/ring.py": ("__post_init__", "__init__"),
    "places.py": ("_range_of", "_subtract", "_work_out", "covers_number", "_merge"),
    "engines/serial.py": ("_judged", "_valid", "_signed"),
    "engines/time_and_scope.py": ("number_of", "check_pass", "_check_display"),
    "judging/judge.py": ("voucher", "_check_challenge"),
    "judging/redemption.py": ("claims_of",),
    "keys/by_time.py": ("at",),
    "passes/rotating.py": ("_one_time_number", "earliest", "check", "_count", "_secret"),
    "passes/challenge.py": ("from_text", "answer"),
    "status/list.py": ("__getitem__", "read", "_decode", "_check", "_inflate"),
    "status/source.py": ("load", "status"),
    "status/policy.py": ("check",),
    "policy.py": ("check",),
}  # fmt: skip
"""The functions that decide a verdict; without names, all functions of the file."""

OTHERS = {"FileStatusSource", "FamilyAccount", "RecordedCodes"}
"""Classes whose verdict depends on something outside a case: a file, a platform's register, the clock of today."""

SAME = {
    'raise BoundsError("not a terminal\'s challenge", "不是终端挑战")': "the constructor that follows refuses the same values",
    "return StatusAnswer(status, overdue) if overdue >= 0 else _ANSWERS[status]": "it decides the note, not the verdict",
    "raise IndexError(index)": "an index in a token is never negative",
    'if (number := int.from_bytes(purpose, "big")) > MAX_PURPOSE or not terminal.isascii():': (
        "the constructor that follows refuses the same values"
    ),
    'found = "-" if voucher.assurance is None else voucher.assurance': "it is a fact of the refusal",
    "return next((note for note in notes if note is not None), None)": "it decides the note, not the verdict",
    "if cut is None or claims.device_key is None:": "profile 3 has both, and profile 2 has neither",
    "if answer_size is None or token_size < _SHORTEST_TOKEN:": "no token is so short, and both refusals are envelope.shape",
    "if merged and low <= merged[-1][1]:": "two ranges that touch cover what one range covers",
    "array = inflating.decompress(compressed, limit + 1)": "one byte too many is as much too long as two",
    "if header_size == 0x18 and data[3] >= 0x18:  # 58 n": "no header of the format has 24 bytes or more",
    'if entry is None and not isinstance(error, UnknownKeyError) and (kid := error.facts.get("kid")):': (
        "it decides whose key a refusal is counted for, not the verdict"
    ),
    "return None if overdue is None else _overdue(overdue)": "it decides the note, not the verdict",
    "if isinstance(self.prefixes, str) or isinstance(self.exclusions, str):": "it is misuse: a key set's are checked before",
    'raise BoundsError("this is a private key: a key ring holds public keys only", "这是私钥：密钥环只收公钥")': "the check that follows refuses d as unknown",
    'raise _unavailable("it is damaged") from error': "no known input reaches it: it is there for what nobody thought of",
    "raise _unavailable(str(error)) from error": "what follows fails, and is refused alike",
    'raise _unavailable("its content is not CBOR") from error': "what follows fails, and is refused alike",
    'raise _unavailable("its bit array (lst) is no byte string")': "what follows fails, and is refused alike",
    "self.entries: tuple[KeyEntry, ...] = tuple(islice(entries, MAX_KEYS + 1))": "one key too many is as much too many as two",
    'return KeyRing(entries, version=version if "yb_version" in jwks else 0)': (
        "it decides which ring replaces another, not the verdict"
    ),
    "is_full = self._steps.get(key, 0) >= self._most  # then only steps that have a count are compared": (
        "at how many steps a pass is counted is the implementation's own"
    ),
    "if voucher.time_step is not None and first_step is not None:": "a verifier that accepts rotating passes has both",
    "if self._state.path is not None:": "it decides whether a file is written, not the verdict",
    "if found < 0:": "only step 0 differs, which was in 1970",
    'found = "-" if voucher.channel is None else voucher.channel': "it is a fact of the refusal",
    "notes = tuple(note for policy in self.policies if (note := policy.check(voucher, now)) is not None)": (
        "it decides the note, not the verdict"
    ),
    "if not isinstance(x, bytes) or not isinstance(y, bytes):": "what follows fails, and is refused alike",
    'raise BoundsError("coordinates are byte strings", "坐标应为字节串")': "what follows fails, and is refused alike",
    'raise BoundsError("an issuer\'s name is a string", "签发机构名称应为字符串")': "what follows fails, and is refused alike",
    'raise BoundsError("a user id is a byte string", "用户标识应为字节串")': "what follows fails, and is refused alike",
    'raise BoundsError(en, f"不是 JWK Set：第 {error.lineno} 行第 {error.colno} 列不是 JSON") from error': "what follows fails, and is refused alike",
    'raise BoundsError(en, f"不是 JWK Set：第 {error.start + 1} 字节不是 UTF-8") from error': "what follows fails, and is refused alike",
    'raise BoundsError("not a JWK Set: nested too deeply", "不是 JWK Set：嵌套过深") from error': "what follows fails, and is refused alike",
    "if isinstance(value, bool) or not isinstance(value, int):": "what follows fails, and is refused alike",
    'raise BoundsError(f"{name} is a time in whole seconds since 1970", f"{name} 应为 1970 年起的整秒数")': "what follows fails, and is refused alike",
    "if type(bits) is not int or bits not in STATUS_BITS:": "what follows fails, and is refused alike",
    'raise _unavailable(f"a status has 1, 2, 4 or 8 bits, not {bits!r:.20}")': "what follows fails, and is refused alike",
    'raise _unavailable("its bit array (lst) is not compressed by zlib, or is damaged") from error': "what follows fails, and is refused alike",
    'raise BoundsError(en, "withdrawn_since 应早于 2**32：从未停用者为 None")': "a key set's times are checked before",
    'raise BoundsError(f"a kid is {KID_SIZE} bytes", f"kid 应为 {KID_SIZE} 字节")': "a key set's kids are checked before",
    "raise self.problem from error": "it depends on a file",
    'hint = Words("; is it in milliseconds?", "；是否为毫秒？") if value > MAX_UINT32 else Words("", "")': "it is a sentence",
    'raise BoundsError(f"a key ring holds at most {MAX_KEYS} keys", f"密钥环最多容纳 {MAX_KEYS} 个密钥")': "65,536 keys would be megabytes of vectors",
    "if len(self.entries) > MAX_KEYS:": "65,536 keys would be megabytes of vectors",
    "if groups_digits <= 0 or groups_digits % _GROUP_DIGITS not in _LAST_GROUP_BYTES:": "one digit makes no group either",
    'if data[:2] != b"\\xd2\\x84" or len(data) < _TAIL_SIZE:': "a tail without anything before it is refused by what follows",
    'version = jwks.get("yb_version", 1)': "a ring without a version has none, whatever this says",
    "elif type(item) not in (int, bytes, str) or (type(item) is int and abs(item) > _MAX_INTEGER):": "every integer of a COSE key is far smaller, or refused for itself",
    "min(max(not_before, 0), LAST_SECOND),": "no certificate of 1970 is in use",
    "min(max(not_after, 0), LAST_SECOND),": "no certificate of 1970 is in use",
    "if self._remembered is not None and self._remembered.versions == about:": "the end of other versions ends nothing",
    "config = UpdaterConfig(max_root_rotations=64, snapshot_max_length=1 << 20, targets_max_length=1 << 20)": (
        "the bounds of what is fetched before a length is signed are the implementation's own"
    ),
    "if len(keys) > MAX_KEYS:  # before the work, which is some 0.5 ms for a key": "65,535 good keys take half a minute",
    'raise NotImplementedError("make a MetadataSigner of a key")': "it is misuse",
    "while len(key) < size:  # OpenSSL's EVP_BytesToKey, one round of MD5": "bytes beyond the size are cut off",
    "self._thread.join(timeout=10)": "it decides how long closing may take",
    "return 0 if counts is None else counts.wrong.get(key, 0)": "one wrong code is below the limit either way",
}
"""Lines whose change no input can show, each with the reason."""

_SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


class Mutant(NamedTuple):
    """One change."""

    file: str
    line: int
    what: str
    source: str


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """A node's changes: a description of each, and the node that replaces it."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            swapped = _SWAPPED[type(operator)]
            changed = copy.deepcopy(node)
            changed.ops[number] = swapped()
            yield f"{type(operator).__name__} -> {swapped.__name__}", changed
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{type(node.op).__name__} -> {other.__name__}", ast.BoolOp(other(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "without not", node.operand
    elif isinstance(node, ast.If):
        changed = copy.deepcopy(node)
        changed.test = ast.UnaryOp(ast.Not(), changed.test)
        yield "condition negated", changed
    elif isinstance(node, ast.Raise):
        yield "raise left out", ast.Pass()
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield f"{node.value} -> {node.value + 1}", ast.Constant(node.value + 1)


def _deciding(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those below it, without the facts of refusals and without misuse."""
    if isinstance(node, ast.Raise):
        if not (isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") == "TypeError"):
            yield node
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _deciding(child)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().generic_visit(node)


def mutants(file: str, names: tuple[str, ...]) -> Iterator[Mutant]:
    """Every change of the functions of a file."""
    text = (PACKAGE / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    if missing := set(names) - {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}:
        raise SystemExit(f"{file} has no {sorted(missing)} any more: say in DECIDING what decides now")
    others = [
        method
        for owner in tree.body
        if isinstance(owner, ast.ClassDef) and owner.name in OTHERS
        for method in owner.body
    ]
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or (names and function.name not in names) or function in others:
            continue
        for statement in function.body:
            for node in _deciding(statement):
                for what, changed in _changes(node):
                    line = getattr(node, "lineno", function.lineno)
                    if lines[line - 1].strip() in SAME:
                        continue
                    broken = _Replace(node, changed).visit(tree)
                    yield Mutant(file, line, what, ast.unparse(ast.fix_missing_locations(broken)))
                    _Replace(changed, node).visit(tree)


_ENDLESS = "it does not end"
_CHECK = """
import sys
sys.path[:0] = [sys.argv[1] + "/src", sys.argv[2], sys.argv[2] + "/vectors"]
from conform import cases
from interop.library import Library, engine_named
library = Library(engine_named("serial"))
for case in cases():
    try:
        outcome = library.outcome(case.question)
    except Exception as error:
        outcome = error
    if outcome != case.expect:
        print(case.question["id"])
        raise SystemExit(1)
"""


def noticed(mutant: Mutant | None) -> str:
    """The id of the first case that notices a change; "" if none does."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PACKAGE, Path(folder) / "src" / "ybtoken", ignore=shutil.ignore_patterns("__pycache__"))
        if mutant:
            (Path(folder) / "src" / "ybtoken" / mutant.file).write_text(mutant.source, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", _CHECK, folder, str(ROOT)]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
        except subprocess.TimeoutExpired:
            return _ENDLESS
    return "" if run.returncode == 0 else run.stdout.strip() or run.stderr.strip().splitlines()[-1]


# The tests of a file: of the first beginning that fits. What a session cannot have everywhere (devices) is left out.
TESTS = {
    "wire/": ("tests/wire", "tests/engines/test_engine.py"),
    "judging/": ("tests/judging", "tests/test_verifier.py", "tests/passes"),
    "keys/_sm2/": ("tests/keys/_sm2",),
    "keys/_reading/": ("tests/keys/_reading", "tests/keys/test_reading.py", "tests/keys/test_certificates.py"),
    "keys/reading.py": ("tests/keys/test_reading.py", "tests/keys/test_certificates.py"),
    "keys/_diagnosis/": ("tests/keys/test_diagnosis.py",),
    "keys/": ("tests/keys", "tests/passes/test_device.py"),
    "replay/memory.py": ("tests/replay/test_memory.py",),
    "replay/sqlite.py": ("tests/replay/test_sqlite.py",),
    "replay/redis/": (
        "tests/replay/test_redis_rules.py", "tests/replay/test_redis.py", "tests/replay/test_model.py",
        "tests/replay/test_redis_misfortune.py",
    ),
    "passes/": ("tests/passes",),
    "status/": ("tests/status",),
    "trust/": ("tests/trust",),
}  # fmt: skip


def _tests_of(file: str) -> tuple[str, ...]:
    """The tests of a file, those of its own name first: most changes are noticed there, and pytest stops at the first."""
    path = ROOT / "tests" / file
    nearest = path.with_name(f"test_{path.name.lstrip('_')}")
    tests = next(tests for start, tests in TESTS.items() if file.startswith(start))
    own = (str(nearest.relative_to(ROOT)),) if nearest.exists() else ()
    return tuple(dict.fromkeys((*own, *tests)))  # once each


def failed(mutant: Mutant | None) -> str:
    """The name of the first test that fails because of a change, or without one; "" if none does."""
    tests = _tests_of(mutant.file) if mutant else sorted({test for tests in TESTS.values() for test in tests})
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(PACKAGE, source / "ybtoken", ignore=shutil.ignore_patterns("__pycache__"))
        if mutant:
            (source / "ybtoken" / mutant.file).write_text(mutant.source, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": f"{source}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        pytest = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--basetemp", f"{folder}/t")
        try:
            run = subprocess.run(
                [*pytest, *tests], capture_output=True, text=True, timeout=400, env=environment, check=False, cwd=ROOT
            )
        except subprocess.TimeoutExpired:
            return _ENDLESS
    lines = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return "" if run.returncode == 0 else (lines or [f"exit code {run.returncode}"])[0]


def _tested() -> list[Mutant]:
    files = (str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py")))
    return [mutant for file in files if file.startswith(tuple(TESTS)) for mutant in mutants(file, ())]


def main() -> int:
    """Break, and report; 1 if too few changes are noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--least", type=float, default=0.95, help="the share that has to be noticed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tests", action="store_true", help="ask the tests of the changed file instead of the vectors")
    options = parser.parse_args()
    ask = failed if options.tests else noticed
    if missed := ask(None):
        print(f"the library as it is fails at {missed}")
        return 1
    decide = [mutant for file, names in DECIDING.items() for mutant in mutants(file, names)]
    every = _tested() if options.tests else decide
    chosen = random.Random(options.seed).sample(every, min(options.count, len(every)))
    print(f"{len(chosen)} of {len(every)} changes, seed {options.seed}", flush=True)
    found = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, case in zip(chosen, pool.map(ask, chosen), strict=True):
            found.append(case)
            if not case:  # at once, because a run takes long
                line = (PACKAGE / mutant.file).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()
                print(f"not noticed: {mutant.file}:{mutant.line}: {mutant.what}: {line}", flush=True)
    good = sum(map(bool, found))
    endless = found.count(_ENDLESS)
    print(
        f"{good} of {len(chosen)} changes are noticed by the {'tests' if options.tests else 'vectors'}, "
        f"{endless} of them because nothing ended"
    )
    return 0 if good >= options.least * len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main())
