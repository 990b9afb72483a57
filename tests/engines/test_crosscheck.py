from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support import CITY, EXTRAS, HOLDER, NOW, RING, a_voucher, fake_issuer, signed_bytes, signed_text
from ybtoken import Engine, KeyRing, SerialEngine, TokenError, Verifier
from ybtoken.engines.columns import Judged, Opened, OpenedBatch
from ybtoken.engines.crosscheck import CrossCheckEngine, EnginesDisagreeError
from ybtoken.engines.protocols import Opener
from ybtoken.engines.texts import Texts, texts_of, times_of
from ybtoken.engines.time_and_scope import Limits
from ybtoken.errors import SignatureError, TextError
from ybtoken.testing.engines import check_engine
from ybtoken.testing.keys import FakeKey
from ybtoken.wire.claims import Claims, encode_claims
from ybtoken.wire.text import encode_text

GOOD = fake_issuer().issue(HOLDER, CITY, **EXTRAS).text
DATA = signed_bytes(encode_claims(a_voucher()))
FORGED = encode_text(1, DATA[:-1] + bytes([DATA[-1] ^ 1]))
STRANGE = signed_text(encode_claims(a_voucher()), FakeKey("stranger"))
TEXTS = [GOOD, "", FORGED, STRANGE, encode_text(1, DATA), GOOD[:-1], "96x", encode_text(1, b"noise")]
Outcome = Opened | TokenError


class Broken:
    """The serial engine, except that ``change`` changes some outcomes."""

    name = "broken"

    def __init__(self, change: Callable[[str, Outcome], Outcome]) -> None:
        self._change = change

    def prepare(self, keys: KeyRing) -> Opener:
        return BrokenOpener(keys, self._change)


class BrokenOpener:
    def __init__(self, keys: KeyRing, change: Callable[[str, Outcome], Outcome]) -> None:
        self.keys, self._serial, self._change = keys, SerialEngine().prepare(keys), change

    def _outcome(self, text: str, now: int, limits: Limits) -> Outcome:
        try:
            return self._change(text, self._serial.open(text, limits, now))
        except TokenError as error:
            return self._change(text, error)

    def open(self, text: str, limits: Limits, now: int) -> Opened:
        outcome = self._outcome(text, now, limits)
        if isinstance(outcome, TokenError):
            raise outcome
        return outcome

    def open_many(self, texts: Texts, limits: Limits, now: Any) -> OpenedBatch:
        return OpenedBatch.collect(
            self.keys,
            limits,
            now,
            (self._judged(self._outcome(*one, limits)) for one in times_of(texts_of(texts), now)),
        )

    def _judged(self, outcome: Outcome) -> Judged:
        if isinstance(outcome, Opened):
            return Judged(outcome, outcome.entry, outcome.claims)
        return Judged(outcome, self.keys.get(bytes.fromhex(outcome.facts.get("kid", ""))))


def accepts_a_forgery(text: str, outcome: Outcome) -> Outcome:
    return SerialEngine().prepare(RING).open(GOOD, Limits(), NOW) if text == FORGED else outcome


def refuses_a_good_one(text: str, outcome: Outcome) -> Outcome:
    return SignatureError("signature.invalid", kid=RING.entries[0].kid.hex()) if text == GOOD else outcome


def refuses_for_another_reason(text: str, outcome: Outcome) -> Outcome:
    return TextError("text.length") if text == FORGED else outcome


def names_another_kid(text: str, outcome: Outcome) -> Outcome:
    return type(outcome)(outcome.code, kid="00" * 8) if isinstance(outcome, TokenError) and text == STRANGE else outcome


def with_optional(claims: Claims, **changes: Any) -> Claims:
    return claims._replace(optional=replace(claims.optional, **changes))


def reads_another_claim(text: str, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Opened) and text == GOOD:
        return outcome._replace(claims=with_optional(outcome.claims, channel=8))
    return outcome


def forgets_an_extra(text: str, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Opened) and text == GOOD:
        return outcome._replace(claims=with_optional(outcome.claims, assurance=None))
    return outcome


BROKEN = {
    accepts_a_forgery: FORGED,
    refuses_a_good_one: GOOD,
    refuses_for_another_reason: FORGED,
    names_another_kid: STRANGE,
    reads_another_claim: GOOD,
    forgets_an_extra: GOOD,
}
each_break = pytest.mark.parametrize(("change", "text"), BROKEN.items(), ids=lambda item: getattr(item, "__name__", ""))


@each_break
def test_a_text_that_engines_differ_on_is_told_alone(change: Any, text: str) -> None:
    for engine in (CrossCheckEngine(Broken(change)), CrossCheckEngine(SerialEngine(), Broken(change))):
        opener = engine.prepare(RING)
        with pytest.raises(EnginesDisagreeError, match="engines disagree") as caught:
            opener.open(text, Limits(), NOW)
        assert caught.value.text == text
        assert not isinstance(caught.value, TokenError)  # `except TokenError` must not take it for a refusal


@each_break
def test_a_text_that_engines_differ_on_is_found_in_a_batch(change: Any, text: str) -> None:
    opener = CrossCheckEngine(Broken(change)).prepare(RING)
    forms: list[Any] = [TEXTS, iter(TEXTS), [each.encode() for each in TEXTS], "\n".join(TEXTS).encode()]
    for form in forms:
        with pytest.raises(EnginesDisagreeError) as caught:
            opener.open_many(form, Limits(), NOW)
        assert caught.value.text == text


@each_break
def test_neither_the_message_nor_a_pickle_has_the_text_or_a_claim(change: Any, text: str) -> None:
    opener = CrossCheckEngine(Broken(change)).prepare(RING)
    for call in (lambda: opener.open(text, Limits(), NOW), lambda: opener.open_many(TEXTS, Limits(), NOW)):
        with pytest.raises(EnginesDisagreeError) as caught:
            call()
        pickled = pickle.dumps(caught.value)
        again = pickle.loads(pickled)
        assert (type(again), str(again), again.text) == (EnginesDisagreeError, str(caught.value), "")
        assert text.encode() not in pickled
        for shown in (str(caught.value), repr(caught.value)):
            assert text not in shown
            assert "Claims" not in shown
            assert repr(HOLDER)[2:-1] not in shown
        assert re.fullmatch(r"engines disagree: [a-z._]+ / [a-z._]+", str(caught.value))


@each_break
def test_a_verifier_lets_it_through(change: Any, text: str) -> None:
    verifier = Verifier(RING, engine=CrossCheckEngine(Broken(change)))
    with pytest.raises(EnginesDisagreeError):
        verifier.verify(text, now=NOW)
    with pytest.raises(EnginesDisagreeError):
        verifier.verify_many(TEXTS, now=NOW)


def unbroken(_: str, outcome: Outcome) -> Outcome:
    return outcome


@pytest.mark.parametrize("engine", [SerialEngine(), Broken(unbroken)], ids=lambda engine: engine.name)
def test_engines_that_agree_pass(engine: Engine) -> None:
    checked = CrossCheckEngine(engine)
    check_engine(checked, RING, TEXTS, now=NOW)
    assert checked.name == f"{engine.name} checked against serial"
    assert checked.prepare(RING).keys is RING


def test_the_native_engine_agrees() -> None:
    pytest.importorskip("ybtoken_native", reason="the native engine is not installed")
    from tests.engines.test_native import MIXTURE
    from tests.engines.test_native import RING as REAL_RING
    from ybtoken.engines.native import NativeEngine

    check_engine(CrossCheckEngine(NativeEngine()), REAL_RING, MIXTURE[::4], now=NOW)


def test_verdicts_are_those_of_the_engine() -> None:
    verifier = Verifier(RING, engine=CrossCheckEngine(SerialEngine()))
    assert verifier.verify(GOOD, now=NOW) == Verifier(RING).verify(GOOD, now=NOW)
    assert verifier.verify_many(TEXTS, now=NOW).codes == Verifier(RING).verify_many(TEXTS, now=NOW).codes
