"""Every case of `vectors/`, through the library; every engine is to give the same verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from ybtoken import (
    CannotCheckError,
    Engine,
    KeyRing,
    MemoryReplayGuard,
    Scope,
    SerialEngine,
    TokenError,
    VerifiedVoucher,
    Verifier,
    Voucher,
    normalize_scan,
)
from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.sm2 import SM2Backend
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import AnyOf, Channel, InsuredPlace, MaximumAge, MinimumAssurance, Policy, Purpose
from ybtoken.refusals import BY_CODE, REFUSALS
from ybtoken.status.list import StatusListReader
from ybtoken.voucher import DeviceKey
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import cut_envelope, encode_envelope
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import decode_text, encode_text

VECTORS = Path(__file__).parent.parent / "vectors"
DOCUMENTS = {path.stem: json.loads(path.read_text(encoding="ascii")) for path in sorted(VECTORS.glob("*.json"))}
CASES = {case["id"]: case for document in DOCUMENTS.values() for case in document.get("cases", [])}
VERIFYING = {id_: case for id_, case in CASES.items() if "text" in case and "jwks" in case}
REDEEMING = {id_: case for id_, case in CASES.items() if "redeems" in case}
ENGINES: list[Engine] = [SerialEngine()]
if find_spec("ybtoken_native"):
    from ybtoken.engines.native import NativeEngine

    ENGINES.append(NativeEngine())

engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def _cases(cases: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


def _ring(case: dict[str, Any]) -> KeyRing:
    return load_jwks(json.dumps(case["jwks"]))


def _policy(stated: dict[str, Any]) -> Policy:
    match stated:
        case {"policy": "insured_place", "prefixes": prefixes, "exclusions": exclusions}:
            return InsuredPlace(Scope(prefixes, exclusions))
        case {"policy": "purpose", "accept": accept, "accept_unstated": unstated}:
            return Purpose(*accept, accept_unstated=unstated)
        case {"policy": "channel", "accept": accept, "accept_unstated": unstated}:
            return Channel(*accept, accept_unstated=unstated)
        case {"policy": "minimum_assurance", "level": level}:
            return MinimumAssurance(level)
        case {"policy": "maximum_age", "seconds": seconds}:
            return MaximumAge(seconds)
        case {"policy": "any_of", "policies": policies}:
            return AnyOf(map(_policy, policies))
    raise ValueError(f"no such policy: {stated}")


def _verifier(case: dict[str, Any], engine: Engine, now: list[int]) -> Verifier:
    return Verifier(
        _ring(case),
        engine=engine,
        skew=case["skew"],
        max_lifetime=case["max_lifetime"],
        **{name: case[name] for name in ("max_pass_lifetime", "max_display_age") if name in case},
        otp=_codes(case),
        policies=map(_policy, case.get("policies", [])),
        guard=MemoryReplayGuard(clock=lambda: now[0]),
        clock=lambda: now[0],
    )


def _codes(case: dict[str, Any]) -> RotatingCodes | None:
    masters = case.get("masters")
    return RotatingCodes({int(since): bytes.fromhex(key) for since, key in masters.items()}) if masters else None


def _challenge(case: dict[str, Any]) -> Challenge | Literal["any"] | None:
    asked = case.get("challenge")
    return asked if asked in (None, "any") else Challenge.from_text(asked)


def _stated(value: Any) -> Any:
    """A value in the words of the vectors."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):  # a device key, a presentation
        return {name: _stated(item) for name, item in value._asdict().items() if item is not None}
    return value


def _outcome(verdict: VerifiedVoucher | TokenError) -> dict[str, Any]:
    """A verdict in the words of the vectors."""
    if isinstance(verdict, TokenError):
        return {"step": verdict.step, "code": verdict.code}
    names = ("kid", "algorithm", "profile", "identity_ref", "city_code", "issued_at", "expires_at", "nonce", "channel",
             "purpose", "presenter", "assurance", "status_index", "device_key", "time_step",
             "presentation")  # fmt: skip
    stated = {name: getattr(verdict, name) for name in names}
    return {"claims": {name: _stated(value) for name, value in stated.items() if value is not None}}


def _verdict(call: Any, *args: Any, **more: Any) -> dict[str, Any]:
    try:
        return _outcome(call(*args, **more))
    except TokenError as error:
        return _outcome(error)


@engines
@_cases(VERIFYING)
def test_a_text_gets_the_stated_verdict(engine: Engine, case: dict[str, Any]) -> None:
    verifier, challenge = _verifier(case, engine, [case["now"]]), _challenge(case)
    assert _verdict(verifier.verify, case["text"], challenge=challenge) == case["expect"], case["why"]
    assert _outcome(verifier.verify_many([case["text"]], challenge=challenge)[0]) == case["expect"], case["why"]


@_cases({id_: case for id_, case in VERIFYING.items() if id_.startswith("sm2/")})
def test_sm2_gets_the_stated_verdict_from_each_backend(case: dict[str, Any]) -> None:
    for backend in get_args(SM2Backend):
        keys = load_jwks(json.dumps(case["jwks"]), sm2_backend=backend)
        verifier = Verifier(keys, skew=case["skew"], max_lifetime=case["max_lifetime"])
        verdict = verifier.verify_many([case["text"]], now=case["now"])[0]
        assert _outcome(verdict) == case["expect"], (backend, case["why"])


@engines
def test_texts_get_the_same_verdicts_in_one_batch(engine: Engine) -> None:
    usual = [
        case
        for case in VERIFYING.values()
        if "policies" not in case and case["jwks"] == CASES["text/accept"]["jwks"] and case["max_lifetime"] == 300
        and case["now"] == CASES["text/accept"]["now"] and case["skew"] == 10
    ]  # fmt: skip
    assert len(usual) > 300
    verdicts = _verifier(usual[0], engine, [usual[0]["now"]]).verify_many(case["text"] for case in usual)
    assert [_outcome(verdict) for verdict in verdicts] == [case["expect"] for case in usual]


@engines
@_cases(REDEEMING)
def test_redeems_in_order_get_the_stated_verdicts(engine: Engine, case: dict[str, Any]) -> None:
    now = [0]
    verifier = _verifier(case, engine, now)
    for redeem in case["redeems"]:
        now[0] = redeem["now"]
        assert _verdict(verifier.redeem, redeem["text"]) == redeem["expect"], case["why"]


@_cases({id_: case for id_, case in VERIFYING.items() if "token" in case})
def test_the_library_writes_the_same_bytes_and_text(case: dict[str, Any]) -> None:
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


@_cases({case["id"]: case for case in DOCUMENTS["challenge"]["cases"]})
def test_a_challenge_is_read_and_answered_as_stated(case: dict[str, Any]) -> None:
    if case["expect"] is None:
        with pytest.raises(ValueError, match=r"challenge|terminal"):
            Challenge.from_text(case["text"])
        return
    challenge = Challenge.from_text(case["text"])
    stated = {"terminal": challenge.terminal, "purpose": challenge.purpose, "nonce": challenge.nonce.hex()}
    assert stated | {"answer": challenge.answer.hex()} == case["expect"], case["why"]
    assert challenge.text == case["text"]


@_cases({case["id"]: case for case in DOCUMENTS["statuslist"]["cases"]})
def test_a_status_list_says_what_is_stated(case: dict[str, Any]) -> None:
    reader = StatusListReader(_ring(case), case["uri"], max_entries=case["max_entries"], skew=case["skew"])
    if case["expect"] is None:
        with pytest.raises(CannotCheckError) as refused:
            reader.read(bytes.fromhex(case["list"]), now=case["now"])
        assert refused.value.code == "status.unavailable"
        return
    statuses = reader.read(bytes.fromhex(case["list"]), now=case["now"])
    for index, status in case["expect"].items():
        if status is None:
            with pytest.raises(IndexError):
                statuses[int(index)]
        else:
            assert statuses[int(index)] == status, case["why"]


@_cases({case["id"]: case for case in DOCUMENTS["scan"]["cases"]})
def test_a_scan_is_normalised_as_stated(case: dict[str, Any]) -> None:
    assert normalize_scan(case["scanned"]) == case["expect"]["text"], case["why"]


@_cases({case["id"]: case for case in DOCUMENTS["identity"]["cases"]})
def test_an_identity_reference_is_sealed_as_stated(case: dict[str, Any]) -> None:
    salt = bytes.fromhex(case["random"])
    sealer = IdentitySealer(bytes.fromhex(case["key"]), cipher=BlockCipher(case["cipher"]), random=lambda _: salt)
    reference = sealer.seal(int(case["person_number"]), at=0)
    assert reference.hex() == case["expect"]["identity_ref"], case["why"]
    assert sealer.open(reference, at=0) == int(case["person_number"])


@_cases({case["id"]: case for case in DOCUMENTS["ring"]["cases"]})
def test_a_key_ring_is_taken_or_refused_as_stated(case: dict[str, Any]) -> None:
    if case["expect"] == {"ring": "refused"}:
        with pytest.raises(ValueError):
            _ring(case)
    else:
        assert [entry.kid.hex() for entry in _ring(case).entries] == case["expect"]["kids"], case["why"]


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
    assert {code: n for code in (row.code for row in REFUSALS if row.step <= 7) if (n := met[code]) < 2} == {}


def test_codes_and_steps_are_those_of_the_table() -> None:
    for expect in _expectations():
        if "code" in expect:
            assert BY_CODE[expect["code"]].step == expect["step"]


def test_the_generator_makes_what_is_committed() -> None:
    generator = [sys.executable, str(VECTORS / "generate.py"), "--check"]
    result = subprocess.run(generator, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
