"""Runs every case of `vectors/` through the library; all engines must give the same verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest

from interop.library import Library, asked, engine_named, stated
from tests.support import check_each
from ybtoken import Verifier, Voucher
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.sm2 import SM2Backend
from ybtoken.refusals import BY_CODE, REFUSALS
from ybtoken.voucher import DeviceKey
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import cut_envelope, encode_envelope
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import decode_text, encode_text

VECTORS = Path(__file__).parent.parent / "vectors"
DOCUMENTS = {path.stem: json.loads(path.read_text(encoding="ascii")) for path in sorted(VECTORS.glob("*.json"))}
CASES = {case["id"]: case for document in DOCUMENTS.values() for case in document.get("cases", [])}
VERIFYING = {id_: case for id_, case in CASES.items() if "text" in case and "now" in case}
REDEEMING = {id_: case for id_, case in CASES.items() if "redeems" in case}
LIBRARIES = [Library(engine_named(name)) for name in ("serial", *(["native"] if find_spec("ybtoken_native") else []))]

libraries = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.engine.name)


def _families(cases: dict[str, Any]) -> pytest.MarkDecorator:
    """A test for each family of these cases and not for each case, because pytest takes longer than a case does."""
    return pytest.mark.parametrize("family", sorted({id_.partition("/")[0] for id_ in cases}))


def _of(family: str, cases: dict[str, Any]) -> dict[str, Any]:
    return {id_: case for id_, case in cases.items() if id_.startswith(f"{family}/")}


@libraries
@_families(CASES)
def test_a_case_has_the_stated_outcome(library: Library, family: str) -> None:
    def check(case: dict[str, Any]) -> None:
        question = case | {"family": family}
        if "list" in case:
            question["indexes"] = list(case["expect"] or ())
        expect = [redeem["expect"] for redeem in case["redeems"]] if "redeems" in case else case["expect"]
        assert library.outcome(question) == expect, case["why"]

    check_each(_of(family, CASES), check)


@libraries
@_families(VERIFYING)
def test_a_text_gets_the_stated_verdict_in_a_batch_of_its_own(library: Library, family: str) -> None:
    def check(case: dict[str, Any]) -> None:
        verifier = library.verifier(case, [case["now"]])
        assert stated(verifier.verify_many([case["text"]], **asked(case))[0]) == case["expect"], case["why"]

    check_each(_of(family, VERIFYING), check)


@pytest.mark.parametrize("backend", get_args(SM2Backend))
def test_sm2_gets_the_stated_verdict_from_each_backend(backend: SM2Backend) -> None:
    def check(case: dict[str, Any]) -> None:
        keys = load_jwks(json.dumps(case["jwks"]), sm2_backend=backend)
        verifier = Verifier(keys, skew=case["skew"], max_lifetime=case["max_lifetime"])
        verdict = verifier.verify_many([case["text"]], now=case["now"])[0]
        assert stated(verdict) == case["expect"], case["why"]

    check_each(_of("sm2", VERIFYING), check)


@libraries
def test_texts_get_the_same_verdicts_in_one_batch(library: Library) -> None:
    usual = [
        case
        for case in VERIFYING.values()
        if "policies" not in case and case.get("jwks") == CASES["text/accept"]["jwks"] and case["max_lifetime"] == 300
        and case["now"] == CASES["text/accept"]["now"] and case["skew"] == 10
    ]  # fmt: skip
    assert len(usual) > 300
    verdicts = library.verifier(usual[0], [usual[0]["now"]]).verify_many(case["text"] for case in usual)
    assert [stated(verdict) for verdict in verdicts] == [case["expect"] for case in usual]


def test_the_library_writes_the_same_bytes_and_text() -> None:
    def check(case: dict[str, Any]) -> None:
        claims = dict(case["expect"]["claims"])
        for verdict in ("kid", "algorithm", "time_step", "presentation"):
            claims.pop(verdict, None)
        claims |= {name: bytes.fromhex(claims[name]) for name in claims.keys() & {"nonce", "identity_ref", "presenter"}}
        if key := claims.get("device_key"):
            claims["device_key"] = DeviceKey(**key | {"x": bytes.fromhex(key["x"])})
        token = bytes.fromhex(case["token"])
        header, _, signature = cut_envelope(token)
        assert encode_envelope(header, encode_claims(Voucher(**claims)), signature) == token
        shown = bytes.fromhex(case.get("presentation", case["token"]))
        assert encode_text(claims["profile"], shown, case.get("otp", "")) == case["text"]
        assert decode_text(case["text"]) == (claims["profile"], shown)
        if "presentation" in case:
            assert cut_presentation(shown).token == token

    check_each({id_: case for id_, case in VERIFYING.items() if "token" in case}, check)


def test_every_case_has_its_own_id_and_a_sentence() -> None:
    cases = [(family, case) for family, document in DOCUMENTS.items() for case in document.get("cases", [])]
    assert len(cases) == len(CASES)
    for family, case in cases:
        assert case["id"].startswith(f"{family}/")
        assert case["why"].strip()


def _expectations() -> list[dict[str, Any]]:
    single = [case["expect"] for case in VERIFYING.values()]
    return single + [redeem["expect"] for case in REDEEMING.values() for redeem in case["redeems"]]


def test_every_code_of_steps_1_to_7_is_met_several_ways() -> None:
    met = Counter(expect["code"] for expect in _expectations() if "code" in expect)
    # A case gives a ring, so that there is none, or that it has ended, is no case.
    codes = [row.code for row in REFUSALS if row.step <= 7 and not row.code.startswith("key.ring_")]
    assert {code: n for code in codes if (n := met[code]) < 2} == {}


def test_codes_and_steps_are_those_of_the_table() -> None:
    for expect in _expectations():
        if "code" in expect:
            assert BY_CODE[expect["code"]].step == expect["step"]


def test_the_generator_makes_what_is_committed() -> None:
    generator = [sys.executable, str(VECTORS / "generate.py"), "--check"]
    result = subprocess.run(generator, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_manifest_names_every_case_and_file() -> None:
    manifest = json.loads((VECTORS / "manifest.json").read_text(encoding="ascii"))
    assert list(manifest["needs"]) == [case["id"] for name in manifest["files"] for case in _cases_of(name)]
    assert manifest["count"] == len(CASES) == sum(about.get("cases", 0) for about in manifest["files"].values())
    assert {*manifest["files"], "manifest.json"} == {path.name for path in VECTORS.glob("*.json")}


def _cases_of(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = DOCUMENTS[name.removesuffix(".json")].get("cases", [])
    return cases


def test_every_file_has_the_form_that_the_schema_states() -> None:
    schema = pytest.importorskip("jsonschema_rs").validator_for(DOCUMENTS["schema"])
    for name, document in DOCUMENTS.items():
        if name not in ("manifest", "schema"):
            assert [error.message for error in schema.iter_errors(document)] == [], name
    broken = DOCUMENTS["text"] | {"cases": [DOCUMENTS["text"]["cases"][0] | {"now": "1"}]}
    assert not schema.is_valid(broken)
