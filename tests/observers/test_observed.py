from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ybtoken import Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Scope, TokenError, Verifier
from ybtoken.observers.audit import AuditError, AuditFile, check_audit
from ybtoken.observers.event import VerdictEvent
from ybtoken.observers.log import LogObserver
from ybtoken.observers.observed import ObservedVerifier
from ybtoken.observers.velocity import Signal, VelocityObserver
from ybtoken.testing.keys import FakeKey

NOW = 1_800_000_000
KEY = FakeKey()
ISSUER = Issuer(KEY, clock=lambda: NOW)


class Recorder:
    def __init__(self) -> None:
        self.events: list[VerdictEvent] = []

    def observe(self, event: VerdictEvent) -> None:
        self.events.append(event)


def verifier() -> Verifier:
    ring = KeyRing([KeyEntry(KEY, "Zhejiang", Scope(("33",)))])
    return Verifier(ring, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)


def text(city: str = "330100", person: int = 1) -> str:
    return ISSUER.issue(person.to_bytes(16, "big"), city).text


def test_every_verdict_is_told_once_and_unchanged() -> None:
    recorder = Recorder()
    observed = ObservedVerifier(verifier(), [recorder], terminal="counter 3", place="330106", clock=lambda: NOW + 0.5)
    good = text()
    assert observed.verify(good) == observed.verifier.verify(good)
    observed.redeem(good)
    with pytest.raises(TokenError):
        observed.redeem(good)
    with pytest.raises(TokenError):
        observed.at("counter 4", "330200").verify("not a token")
    asyncio.run(observed.redeem_async(text()))
    assert [(e.act, e.code, e.terminal, e.place) for e in recorder.events] == [
        ("verify", "accepted", "counter 3", "330106"),
        ("redeem", "accepted", "counter 3", "330106"),
        ("redeem", "redeem.replayed", "counter 3", "330106"),
        ("verify", "text.prefix", "counter 4", "330200"),
        ("redeem", "accepted", "counter 3", "330106"),
    ]
    assert all(event.seconds > 0 and event.at == NOW + 0.5 for event in recorder.events)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_batch_is_told_text_by_text(asynchronous: bool) -> None:
    recorder = Recorder()
    observed = ObservedVerifier(verifier(), [recorder], terminal="counter 3")
    good = text()
    texts = [good, "not a token", good]
    verdicts = asyncio.run(observed.redeem_many_async(texts)) if asynchronous else observed.redeem_many(texts)
    assert [event.voucher for event in recorder.events] == [verdicts[0], None, None]
    assert verdicts.counts() == {"text.prefix": 1, "redeem.replayed": 1}
    assert [event.code for event in recorder.events] == ["accepted", "text.prefix", "redeem.replayed"]
    assert {(event.act, event.terminal) for event in recorder.events} == {("redeem", "counter 3")}
    assert all(event.seconds > 0 for event in recorder.events)


def test_a_batch_that_is_only_verified_is_told_text_by_text_too() -> None:
    recorder = Recorder()
    observed = ObservedVerifier(verifier(), [recorder], place="330106").at(terminal="counter 4")
    good = text()
    verdicts = observed.verify_many([good, "not a token", good], now=NOW)
    assert [event.voucher for event in recorder.events] == [verdicts[0], None, verdicts[2]]
    assert [(e.act, e.code, e.terminal, e.place) for e in recorder.events] == [
        ("verify", "accepted", "counter 4", "330106"),
        ("verify", "text.prefix", "counter 4", "330106"),
        ("verify", "accepted", "counter 4", "330106"),
    ]
    assert len({event.seconds for event in recorder.events}) == 1


def test_it_has_the_methods_of_a_verifier_with_the_same_arguments() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in found if name[0] != "_"}

    own = methods(ObservedVerifier)
    assert own.pop("at") == ["self", "terminal", "place"]
    verifiers = methods(Verifier)
    del verifiers["verify_lines"]  # a file of millions of lines is not observed line by line
    del verifiers["claim_verified"]  # half of a redemption
    assert own == verifiers


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: ObservedVerifier(ISSUER, []), "verifier is a Verifier or a function that returns one, not Issuer"),
        (lambda: ObservedVerifier(verifier(), [print]), "an observer is an object with observe"),
        (lambda: ObservedVerifier(verifier(), [LogObserver]), "not the class LogObserver itself"),
        (lambda: ObservedVerifier(verifier(), [], terminal=3), "terminal is a string, not int"),
        (lambda: ObservedVerifier(verifier(), [], clock=NOW), "clock is a function"),
        (lambda: ObservedVerifier(verifier(), []).at(place=330100), "place is a city code .a string., not int"),
    ],
)
def test_it_says_what_it_wants(make: Callable[[], object], wanted: str) -> None:
    with pytest.raises(TypeError, match=wanted):
        make()


def test_misuse_is_no_verdict() -> None:
    recorder = Recorder()
    with pytest.raises(TypeError):
        ObservedVerifier(verifier(), [recorder]).verify(None)  # type: ignore[arg-type]
    assert recorder.events == []


def test_an_observer_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def observe(self, event: VerdictEvent) -> None:
            raise OSError("disk full")

    recorder = Recorder()
    ObservedVerifier(verifier(), [Broken(), recorder]).redeem(text())
    assert len(recorder.events) == 1
    assert "observer failed" in caplog.text


def test_an_event_of_a_refused_token_has_no_claim() -> None:
    recorder = Recorder()
    forged = Issuer(FakeKey("somebody"), clock=lambda: NOW).issue(b"\xaa" * 16, "330100").text
    with pytest.raises(TokenError):
        ObservedVerifier(verifier(), [recorder]).verify(forged)
    record = json.dumps(recorder.events[0].to_dict())
    assert "aaaa" not in record
    assert "330100" not in record


def test_the_log_is_one_line_of_json_a_verdict(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ybtoken.verdicts")
    observed = ObservedVerifier(verifier(), [LogObserver()])
    observed.verify(text())
    with pytest.raises(TokenError):
        observed.verify("96")
    accepted, refused = (json.loads(record.message) for record in caplog.records)
    assert accepted["voucher"]["city_code"] == "330100"
    assert (refused["code"], caplog.records[1].levelname) == ("text.length", "WARNING")


def audited(path: Path, verdicts: int = 5) -> str:
    with AuditFile(path, sync=True) as audit:
        observed = ObservedVerifier(verifier(), [audit])
        for _ in range(verdicts):
            observed.redeem(text())
        return audit.head


def test_an_audit_file_is_whole_and_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    assert audited(path) != audited(path)
    assert check_audit(path) == (10, ())


@pytest.mark.parametrize("tamper", ["change", "remove", "insert", "swap", "cut a line short", "first"])
def test_tampering_with_an_audit_file_is_found(tmp_path: Path, tamper: str) -> None:
    path = tmp_path / "audit"
    audited(path)
    lines = path.read_bytes().splitlines(keepends=True)
    if tamper == "change":
        lines[2] = lines[2].replace(b"330100", b"330200")
    elif tamper == "remove":
        del lines[2]
    elif tamper == "insert":
        lines.insert(2, lines[1])
    elif tamper == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    elif tamper == "first":
        del lines[0]
    else:
        lines[-1] = lines[-1][:-1]
    path.write_bytes(b"".join(lines))
    with pytest.raises(AuditError) as found:
        check_audit(path)
    assert found.value.line == {"first": 1, "swap": 2, "cut a line short": 5}.get(tamper, 3)
    if tamper != "cut a line short":  # as a crash leaves it, too
        with pytest.raises(AuditError):
            AuditFile(path)


def test_lines_cut_off_the_end_are_found_by_a_head_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    head = audited(path)
    assert check_audit(path, head=head).lines == 5
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert check_audit(path).lines == 4
    with pytest.raises(AuditError):
        check_audit(path, head=head)


def test_an_audit_file_takes_many_threads(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        threads = [threading.Thread(target=lambda: [audit.append({"n": n}) for n in range(200)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert check_audit(path) == (1600, ())


class Scene:
    """Redemptions by named persons at named places and times."""

    def __init__(self, **rules: int) -> None:
        self.signals: list[Signal] = []
        self.observer = VelocityObserver(
            lambda voucher: int.from_bytes(voucher.identity_ref, "big"), self.signals.append, **rules
        )
        self.clock = [float(NOW)]
        self.observed = ObservedVerifier(verifier(), [self.observer], clock=lambda: self.clock[0])

    def redeem(self, person: int, place: str, after: float = 0) -> list[str]:
        self.clock[0] += after
        before = len(self.signals)
        self.observed.at("t", place).redeem(text(person=person))
        return [signal.kind for signal in self.signals[before:]]


def test_one_person_in_two_cities_within_minutes_is_a_signal_with_evidence() -> None:
    scene = Scene()
    assert scene.redeem(1, "330106") == []
    assert scene.redeem(1, "330108", after=60) == []  # another county of the same city
    assert scene.redeem(2, "440300", after=60) == []  # another person
    assert scene.redeem(1, "440300", after=60) == ["two-places"]
    assert [record["place"] for record in scene.signals[0].evidence] == ["330106", "330108", "440300"]
    assert scene.redeem(1, "110000", after=601) == []


def test_many_redemptions_are_a_signal() -> None:
    scene = Scene(most=3, most_seconds=100)
    assert [scene.redeem(1, "330106", after=10) for _ in range(4)] == [[], [], [], ["many-redemptions"]]
    assert scene.redeem(1, "330106", after=100) == []


def test_a_terminal_far_from_the_insured_place_is_a_signal_where_asked_for() -> None:
    assert Scene().redeem(1, "440300") == []
    scene = Scene(away_digits=2)
    assert scene.redeem(1, "330200") == []
    assert scene.redeem(2, "440300") == ["away-from-home"]
    assert scene.signals[0].evidence[0]["insured"] == "330100"
    assert scene.redeem(3, "") == []


def test_persons_are_forgotten_beyond_the_capacity() -> None:
    scene = Scene(capacity=2)
    scene.redeem(1, "330106")
    scene.redeem(2, "330106")
    scene.redeem(3, "330106")
    assert scene.redeem(1, "440300") == []
    assert scene.redeem(3, "440300") == ["two-places"]


@pytest.mark.parametrize(
    ("rules", "error", "wanted"),
    [
        ({"apart_seconds": 1.5}, TypeError, "apart_seconds is a number of whole seconds"),
        ({"apart_digits": 7}, ValueError, "apart_digits is 1 to 6, not 7"),
        ({"most": 0}, ValueError, "most is at least 1, not 0"),
        ({"capacity": 0}, ValueError, "capacity is at least 1, not 0"),
        ({"emit": None}, TypeError, "emit is a function"),
    ],
)
def test_velocity_rules_are_checked(rules: dict[str, Any], error: type[Exception], wanted: str) -> None:
    with pytest.raises(error, match=wanted):
        VelocityObserver(**{"person_of": id, "emit": print} | rules)
