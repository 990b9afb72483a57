"""Runs the cases through a program in any language: `python conform.py [options] -- PROGRAM ARGUMENT...`.

The program first writes one line, `{"name": ..., "capabilities": [...]}`. Then it reads one case from each line and
writes one answer on a line, in order: `{"id": ..., "outcome": ...}`, or `{"id": ..., "error": "why"}` if it failed. The
README beside this file says what a case and an outcome are. This script needs only Python 3.10.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
MANIFEST = json.loads((HERE / "manifest.json").read_text(encoding="ascii"))
LAYERS = {
    1: "1 text", 2: "2 envelope", 3: "3 key", 4: "4 signature", 5: "5 claims", 6: "6 time", 7: "7 scope",
    8: "8 policy", 9: "9 redeem",
}  # fmt: skip
FAMILIES = [name.removesuffix(".json") for name, about in MANIFEST["files"].items() if about.get("cases")]
_SHOWN = 160


class Case(NamedTuple):
    """A case, and the expected outcome."""

    question: dict[str, Any]
    expect: Any
    why: str

    @property
    def layer(self) -> str:
        """The step that decides: the one that refuses, or the last of an acceptance."""
        question, expect = self.question, self.expect
        if "redeems" in question:
            return LAYERS[9]
        if "text" not in question or question["family"] == "challenge":
            return "beside the steps"
        return LAYERS[expect["step"]] if "step" in expect else "accepted"


def cases(families: list[str] | None = None) -> Iterator[Case]:
    """The cases of some families, or of all, in the form in which a program gets them."""
    for name in families or FAMILIES:
        document = json.loads((HERE / f"{name}.json").read_text(encoding="ascii"))
        for stated in document["cases"]:
            question = {"family": document["family"]} | stated
            expect, why = question.pop("expect", None), question.pop("why")
            if "redeems" in question:
                expect = [redeem["expect"] for redeem in question["redeems"]]
                question["redeems"] = [{k: v for k, v in r.items() if k != "expect"} for r in question["redeems"]]
            if "list" in question:
                question["indexes"] = list(expect or ())
            # Other members of an accepted case would reveal the answer, so they are removed.
            for given_away in ("token", "presentation", "otp"):
                question.pop(given_away, None)
            yield Case(question, expect, why)


def damaged() -> list[str]:
    """The files whose content differs from the manifest."""
    return [
        name
        for name, about in MANIFEST["files"].items()
        if not (HERE / name).is_file() or hashlib.sha256((HERE / name).read_bytes()).hexdigest() != about["sha256"]
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two outcomes are the same JSON: in Python ``1 == True == 1.0``."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _shallow(value: Any, most: int = 16) -> bool:
    """Whether what was read is nested so little that it can also be compared and written."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most > 0 and all(_shallow(item, most - 1) for item in items)


class Program:
    """A program that answers cases. It is started again if it ends or does not answer.

    Args:
        command: the program and its arguments.
        timeout: how many seconds to wait for an answer.

    Raises:
        ProgramError: it does not start, or does not say what it is.
    """

    def __init__(self, command: list[str], timeout: float = 30) -> None:
        self._command = command
        self._timeout = timeout
        self._start()

    def _start(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
            )
        except OSError as error:
            raise ProgramError(str(error)) from None
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(self._process.stdout, self._lines), daemon=True).start()
        try:
            match self._next("it said nothing"):
                case {"name": str(name), "capabilities": [*stated]} if all(isinstance(each, str) for each in stated):
                    self.name = name
                    self.capabilities = frozenset(stated)
                case _:
                    raise ProgramError("it wrote no line with its name and its capabilities")
        except ProgramError:
            self.close()
            raise

    @staticmethod
    def _read(lines: Any, into: queue.Queue[str]) -> None:
        for line in lines:
            into.put(line)
        into.put("")

    def _next(self, missing: str) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self._timeout)
        except queue.Empty:
            raise ProgramError(f"no answer within {self._timeout} s") from None
        if not line:
            try:
                raise ProgramError(f"{missing}, and it ended with {self._process.wait(self._timeout)}")
            except subprocess.TimeoutExpired:
                raise ProgramError(f"{missing}, and it closed its output") from None
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise ProgramError(f"it wrote no JSON: {error}") from None
        except RecursionError:
            answer = None
        if answer is None or not _shallow(answer):
            raise ProgramError("what it wrote is nested too deeply")
        if not isinstance(answer, dict):
            raise ProgramError("it answered no object")
        return answer

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to a case: with an `outcome`, or an `error`."""
        return self.ask_many([question])[0]

    def ask_many(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to some cases, in order; after a failure the program goes on with the next case.

        If it does not start again, every case that is left has failed.
        """
        answers: list[dict[str, Any]] = []
        while len(answers) < len(questions):
            rest = questions[len(answers) :]
            threading.Thread(target=self._write, args=(self._process.stdin, rest), daemon=True).start()
            for question in rest:
                try:
                    answers.append(self._answer(question["id"]))
                except ProgramError as error:
                    answers.append({"id": question["id"], "error": str(error)})
                    self.close()
                    break
            else:
                break
            try:
                self._start()
            except ProgramError as error:
                why = f"it does not start again: {error}"
                answers += [{"id": question["id"], "error": why} for question in questions[len(answers) :]]
        return answers

    def _answer(self, id_: str) -> dict[str, Any]:
        answer = self._next("it did not answer")
        if answer.get("id") != id_:
            raise ProgramError(f"it answered {answer.get('id')}")
        if "outcome" in answer and "error" not in answer:
            return {"id": id_, "outcome": answer["outcome"]}
        return {"id": id_, "error": str(answer.get("error", "it stated neither an outcome nor an error"))}

    @staticmethod
    def _write(into: Any, questions: list[dict[str, Any]]) -> None:
        try:
            for question in questions:
                into.write(json.dumps(question) + "\n")
            into.flush()
        except (OSError, ValueError):
            pass  # the program has ended, which the reader of its answers notices

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait()


class ProgramError(Exception):
    """A program ended, did not answer, or answered something else."""


def main() -> int:
    """Run, compare, report; 1 if an outcome differs, 2 if nothing can be asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument(
        "--family",
        action="append",
        choices=FAMILIES,
        metavar="FAMILY",
        help="only this family; may be said several times",
    )
    parser.add_argument("--timeout", type=float, default=30, help="seconds to wait for an answer")
    parser.add_argument("--report", type=Path, help="write the outcome of every case to this file, as JSON")
    parser.add_argument("program", nargs="+", help="the program and its arguments, after --")
    options = parser.parse_args()
    if wrong := damaged():
        print(f"not as the manifest says: {', '.join(wrong)}", file=sys.stderr)
        return 1
    try:
        program = Program(options.program, options.timeout)
    except ProgramError as error:
        parser.error(f"{options.program[0]}: {error}")
    every = list(cases(options.family))
    wanted = [case for case in every if program.capabilities.issuperset(MANIFEST["needs"][case.question["id"]])]
    if problem := _nothing_to_ask(program.capabilities, wanted):
        program.close()
        parser.error(f"{program.name}: {problem}")
    answers = program.ask_many([case.question for case in wanted])
    program.close()
    return _report(program, every, wanted, answers, options.report)


def _nothing_to_ask(capabilities: frozenset[str], wanted: list[Case]) -> str:
    known = MANIFEST["capabilities"]
    if unknown := capabilities - known.keys():
        return f"no capability of the manifest: {', '.join(sorted(unknown))}; there are {', '.join(known)}"
    if not capabilities:
        return "it states no capability"
    return "" if wanted else "there is no case to ask with its capabilities"


def _report(
    program: Program, every: list[Case], wanted: list[Case], answers: list[dict[str, Any]], file: Path | None
) -> int:
    good: dict[str, Counter[str]] = {"family": Counter(), "layer": Counter()}
    asked: dict[str, Counter[str]] = {"family": Counter(), "layer": Counter()}
    rows, failures = [], 0
    for case, answer in zip(wanted, answers, strict=True):
        right = "error" not in answer and same(answer["outcome"], case.expect)
        for by, group in (("family", case.question["family"]), ("layer", case.layer)):
            asked[by][group] += 1
            good[by][group] += right
        rows.append({**answer, "good": right})
        if not right:
            failures += 1
            found = answer["error"] if "error" in answer else json.dumps(answer["outcome"])
            print(
                f"{case.question['id']}: {case.why}\n  expected {json.dumps(case.expect)[:_SHOWN]}\n  found    {found[:_SHOWN]}"
            )
    for by in ("family", "layer"):
        print(f"\n{by + ':':<18}{'good':>6}{'cases':>7}")
        for group, number in sorted(asked[by].items()):
            print(f"{group:<18}{good[by][group]:>6}{number:>7}{'' if good[by][group] == number else '  <--'}")
    skipped = len(every) - len(wanted)
    print(f"\n{program.name}, vectors {MANIFEST['version']}: {len(wanted) - failures} of {len(wanted)} cases", end="")
    print(f", {skipped} not asked for want of a capability" if skipped else "")
    if file:
        summary = {
            "program": program.name,
            "version": MANIFEST["version"],
            "capabilities": sorted(program.capabilities),
        }
        file.write_text(json.dumps({**summary, "not_asked": skipped, "cases": rows}, indent=1) + "\n", encoding="ascii")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
