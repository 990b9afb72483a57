"""The gateway's endpoints, without a network."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import shutil
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")
pytest.importorskip("segno")
uvicorn = pytest.importorskip("uvicorn")

from examples.gateway import server as module  # noqa: E402
from examples.gateway import vault as vault_module  # noqa: E402
from examples.gateway.__main__ import _bind_without_delay, main  # noqa: E402
from examples.gateway.app import create_app  # noqa: E402
from examples.gateway.bodies import Accepted, Outcomes  # noqa: E402
from examples.gateway.logs import CONFIG, WithRequest  # noqa: E402
from examples.gateway.problems import Problem  # noqa: E402
from examples.gateway.settings import SettingError, Settings  # noqa: E402
from examples.gateway.vault import Vault  # noqa: E402
from examples.gateway.world import World  # noqa: E402
from tests.support import NOW  # noqa: E402
from ybtoken import CannotCheckError, Verifier  # noqa: E402
from ybtoken.keys.keyset import load_jwks  # noqa: E402
from ybtoken.keys.p256 import P256SigningKey  # noqa: E402
from ybtoken.keys.sm2 import LibcryptoError  # noqa: E402
from ybtoken.passes.challenge import Challenge  # noqa: E402
from ybtoken.passes.device import DeviceBoundPass  # noqa: E402
from ybtoken.passes.enrolment import enrolment_message  # noqa: E402
from ybtoken.passes.rotating import RotatingPass  # noqa: E402
from ybtoken.words import words_of  # noqa: E402


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Gateway:
    """A gateway, and a client of it."""

    def __init__(self, world: World, client: Any, clock: Clock) -> None:
        self.world, self.client, self.clock = world, client, clock

    def pass_time(self, seconds: int) -> None:
        """Let days pass, in which the gateway looks for a newer ring as it does every few seconds."""
        self.clock.now += seconds
        self.world.refresh_rings()

    async def post(self, path: str, **body: object) -> Any:
        return await self.client.post(path, json=body)

    async def text(self, **wanted: object) -> str:
        issued = (await self.post("/issue", **wanted)).json()
        text: str = issued["text"]
        return text


@asynccontextmanager
async def opened(folder: Path, later: int = 0, **settings: Any) -> AsyncIterator[Gateway]:
    """A gateway; ``later``: seconds after the last one on this folder, because a status list is newer by a second."""
    clock = Clock(NOW + later)
    world = World(Settings(folder=folder, **({"algorithm": "es256"} | settings)), clock=clock)
    app = create_app(world)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield Gateway(world, client, clock)


@pytest.fixture
def visit(tmp_path: Path) -> Callable[..., None]:
    def run(scene: Callable[[Gateway], Awaitable[None]], **settings: Any) -> None:
        async def whole() -> None:
            async with opened(tmp_path, **settings) as gateway:
                await scene(gateway)

        asyncio.run(whole())

    return run


def test_a_voucher_is_redeemed_once_and_refused_with_a_problem_that_says_what_to_do(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text(purpose="01301", city_code="330100")
        first = await gateway.post("/redeem", text=f"]Q1{text}\r\n", terminal="T1")
        assert first.status_code == 200
        assert first.json()["city_code"] == "330100"
        assert first.json()["purpose_name"] == {"en": "settlement", "zh": "结算"}
        second = await gateway.post("/redeem", text=text)
        assert second.status_code == 409
        assert second.headers["content-type"] == "application/problem+json"
        problem = second.json()
        assert problem["status"] == 409
        assert (problem["code"], problem["step"]) == ("redeem.replayed", 9)
        assert problem["what"]["zh"]
        assert problem["remedy"]["en"]
        about = (await gateway.client.get(problem["type"])).json()
        assert about["remedy"] == problem["remedy"]

    visit(scene)


def test_of_many_at_once_one_redeems(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        answers = await asyncio.gather(*(gateway.post("/redeem", text=text) for _ in range(30)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 29

    visit(scene)


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (lambda text: text[:100], 422, "text.length"),
        (lambda text: text[:60] + "O" + text[61:], 422, "text.digits"),
        (lambda text: "1" + text[1:], 422, "text.beginning"),
        (lambda text: text[:-1] + str((int(text[-1]) + 1) % 10), 422, "text.check"),
        (lambda text: text * 3, 422, "text.length"),
    ],
)
def test_a_spoilt_text_is_refused_by_its_code(visit: Any, spoil: Any, status: int, code: str) -> None:
    async def scene(gateway: Gateway) -> None:
        answer = await gateway.post("/verify", text=spoil(await gateway.text()))
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    visit(scene)


def test_it_expires_by_the_clock_of_the_gateway(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        gateway.clock.now += 69
        assert (await gateway.post("/verify", text=text)).status_code == 200
        gateway.clock.now += 1
        answer = await gateway.post("/redeem", text=text)
        assert (answer.status_code, answer.json()["code"]) == (422, "time.expired")

    visit(scene)


def test_a_rotating_pass_is_shown_by_its_phone_and_frozen_by_the_platform(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        issued = (await gateway.post("/issue", profile=2)).json()
        phone = RotatingPass(bytes.fromhex(issued["pass"]), bytes.fromhex(issued["secret"]), clock=gateway.clock)
        assert (await gateway.post("/redeem", text=phone.present())).status_code == 200
        assert (await gateway.post("/redeem", text=phone.present())).json()["code"] == "redeem.replayed"
        address = f"/status/{issued['status_index']}"
        gateway.clock.now += 30
        for act, status, code in (
            ("suspend", "suspended", "status.suspended"),
            ("reinstate", "valid", None),
            ("revoke", "invalid", "status.invalid"),
        ):
            gateway.clock.now += 1  # a list a second
            assert (await gateway.post(address, act=act)).json()["status"] == status
            assert (await gateway.client.get(address)).json()["status"] == status
            assert (await gateway.post("/verify", text=phone.present())).json().get("code") == (code or "accepted")

    visit(scene)


def test_many_changes_of_status_at_once_do_not_bring_lists_from_the_future(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        acts = ["suspend", "reinstate"] * 15
        index = (await gateway.post("/issue", profile=2)).json()["status_index"]
        answers = await asyncio.gather(*(gateway.post(f"/status/{index}", act=act) for act in acts))
        assert {answer.status_code for answer in answers} == {200}
        gateway.clock.now += 1
        assert (await gateway.post(f"/status/{index}", act="suspend")).status_code == 200
        assert gateway.world.statuses.status(index, int(gateway.clock.now)).status == 2

    visit(scene)


async def a_phone_and_what_it_is_asked(gateway: Gateway) -> tuple[DeviceBoundPass, str]:
    key = P256SigningKey.generate()
    x, y = key.verifying_key.point
    challenge = (await gateway.post("/enrol", holder="demo1")).json()["challenge"]
    proof = key.sign(enrolment_message(bytes.fromhex(challenge), (x, y))).hex()
    proven = {"x": x.hex(), "y": y.hex(), "challenge": challenge, "signature": proof}
    issued = (await gateway.post("/issue", holder="demo1", profile=3, device_key=proven)).json()
    for wrong in ({"signature": "00" * 64}, {"challenge": "00" * 32}):
        answer = await gateway.post("/issue", holder="demo1", profile=3, device_key=proven | wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "issue.possession")
    assert (await gateway.post("/issue", holder="demo2", profile=3, device_key=proven)).status_code == 400
    phone = DeviceBoundPass(bytes.fromhex(issued["pass"]), key, clock=gateway.clock)
    return phone, (await gateway.post("/challenge", terminal="T1")).json()["text"]


def test_a_device_bound_pass_answers_the_terminal_that_asks(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        phone, asked = await a_phone_and_what_it_is_asked(gateway)
        silent = await gateway.post("/redeem", text=phone.present(), challenge=asked)
        assert silent.json()["code"] == "challenge.missing"
        answer = phone.present(challenge=Challenge.from_text(asked))
        assert (await gateway.post("/redeem", text=answer, challenge=asked)).status_code == 200

    visit(scene)


def test_a_batch_has_a_verdict_for_each_text_and_leaves_the_loop_to_others(
    visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answered, verify_many = threading.Event(), threading.Event(), Verifier.verify_many

    def waiting(*args: Any, **options: Any) -> Any:
        begun.set()
        assert answered.wait(30), "the loop stood still while a batch was verified"
        return verify_many(*args, **options)

    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        monkeypatch.setattr(Verifier, "verify_many", waiting)
        batch = asyncio.create_task(gateway.post("/verify-batch", texts=[text, "96", text + "1"] * 200, now=NOW))
        assert await asyncio.to_thread(begun.wait, 30)
        assert (await gateway.post("/issue")).status_code == 200
        assert not batch.done()
        answered.set()
        answer = (await batch).json()
        assert answer["codes"][:3] == ["accepted", "text.length", "text.length"]
        assert (answer["accepted"], answer["counts"]) == (200, {"text.length": 400})

    visit(scene)


def test_a_batch_is_redeemed_in_order_and_says_of_each_what_redeem_says(tmp_path: Path) -> None:
    async def scene() -> None:
        # One platform; each remembers by itself.
        async with opened(tmp_path, guard="memory") as many, opened(tmp_path, 1, guard="memory") as one:
            expired = await many.text()
            many.clock.now = one.clock.now = NOW + 100
            frozen = (await many.post("/issue", profile=2)).json()
            phone = RotatingPass(bytes.fromhex(frozen["pass"]), bytes.fromhex(frozen["secret"]), clock=many.clock)
            await many.post(f"/status/{frozen['status_index']}", act="suspend")
            one.clock.now = NOW + 110
            one.world.refresh_statuses()
            one.clock.now = many.clock.now = NOW + 111
            many.world.refresh_statuses()
            first, second, third = [await many.text(purpose=purpose) for purpose in (None, "01301", "02121")]
            texts = [f"]Q1{first}\r\n", "hello", expired, second, first, phone.present(), first[:-1], third, "96" * 400]
            answer = await many.post("/redeem-batch", texts=texts, terminal="T1")
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
            outcomes = answer.json()["outcomes"]
            assert [outcome["code"] for outcome in outcomes] == [
                "accepted", "text.prefix", "time.expired", "accepted", "redeem.replayed", "status.suspended",
                "text.length", "accepted", "text.length",
            ]  # fmt: skip
            assert answer.json()["accepted"] == 3
            assert [outcome.get("purpose") for outcome in outcomes if "issuer" in outcome] == [None, "01301", "02121"]
            assert outcomes == [(await one.post("/redeem", text=text, terminal="T1")).json() for text in texts]
            kinds = [type(outcome) for outcome in Outcomes.model_validate(answer.json()).outcomes]
            assert kinds == [Accepted, Problem, Problem, Accepted, Problem, Problem, Problem, Accepted, Problem]
            again = await many.post("/redeem-batch", texts=[first, second, third])
            assert [outcome["code"] for outcome in again.json()["outcomes"]] == ["redeem.replayed"] * 3

    asyncio.run(scene())


def test_what_no_scanner_reads_holds_up_no_batch(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        answer = await gateway.post("/redeem-batch", texts=["", " " * 100_000, f"{text:1601}", "9" * 100_000, text])
        codes = [outcome["code"] for outcome in answer.json()["outcomes"]]
        assert codes == ["text.prefix", "text.length", "text.length", "text.length", "accepted"]
        answer = await gateway.post("/verify-batch", texts=["", " " * 100_000, f"{text:1601}", text])
        assert answer.json()["codes"] == ["text.prefix", "text.length", "text.length", "accepted"]
        assert (await gateway.post("/redeem-batch", texts=[])).json() == {"accepted": 0, "outcomes": []}

    visit(scene)


def test_the_engine_is_a_setting(tmp_path: Path) -> None:
    native = pytest.importorskip("ybtoken_native", reason="the native engine is not installed")

    async def scene() -> None:
        async with opened(tmp_path, engine="native") as gateway:
            assert isinstance(gateway.world.verifier.verifier._opener._ring, native.Ring)  # type: ignore[attr-defined]
            text = await gateway.text()
            assert (await gateway.post("/redeem", text=text)).status_code == 200
            outcomes = (await gateway.post("/redeem-batch", texts=[text, await gateway.text()])).json()["outcomes"]
            assert [outcome["code"] for outcome in outcomes] == ["redeem.replayed", "accepted"]

    asyncio.run(scene())
    with pytest.raises(ValueError, match="ENGINE is serial or native"):
        World(Settings(folder=tmp_path, engine="rust"))


def test_a_batch_that_is_wrong_redeems_nothing_and_says_why(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        many = await gateway.post("/redeem-batch", texts=[text] * 1025)
        assert (many.status_code, many.headers["content-type"]) == (400, "application/problem+json")
        (error,) = many.json()["errors"]
        assert error["loc"] == ["body", "texts"]
        assert "at most 1024 items" in error["msg"]
        assert (await gateway.post("/redeem-batch", texts=[text], challenge="9512345")).status_code == 400
        long = await gateway.client.post("/redeem-batch", content=b" " * (9 << 20))
        assert (long.status_code, long.headers["content-type"]) == (413, "application/problem+json")
        full = await gateway.post("/redeem-batch", texts=[text] * 1024)
        assert full.json()["accepted"] == 1, "nothing was redeemed before"

    visit(scene)


@pytest.mark.parametrize(
    "path", ["/redeem", "/verify", "/hand-in", "/issue", "/enrol", "/present", "/challenge", "/status/1"]
)
def test_a_request_about_one_code_is_short(visit: Any, path: str) -> None:
    async def scene(gateway: Gateway) -> None:
        for length, status in ((16 << 10, 400), ((16 << 10) + 1, 413)):
            body = b'{"text": "' + b"9" * (length - 12) + b'"}'
            answer = await gateway.client.post(path, content=body, headers={"content-type": "application/json"})
            assert (len(body), answer.status_code) == (length, status)
            assert answer.headers["content-type"] == "application/problem+json"

    visit(scene)


@pytest.mark.parametrize("path", ["/redeem", "/redeem-batch", "/verify-batch", "/issue"])
def test_a_request_with_many_faults_gets_a_short_answer_that_repeats_nothing(visit: Any, path: str) -> None:
    async def scene(gateway: Gateway) -> None:
        many = {f"secret{number}": 1 for number in range(1000)}
        answer = await gateway.post(path, **many)
        assert answer.status_code == 400
        assert len(answer.json()["errors"]) <= 10
        assert len(answer.content) < 4096
        assert b"secret" not in answer.content
        one = (await gateway.post(path, secret1=1, now="secret2", text="secret3")).content
        assert b"secret" not in one

    visit(scene)


@pytest.mark.parametrize("path", ["/redeem-batch", "/verify-batch"])
def test_a_long_request_with_many_faults_is_refused_by_the_first(visit: Any, path: str) -> None:
    async def scene(gateway: Gateway) -> None:
        (error,) = (await gateway.post(path, **{f"secret{number}": 1 for number in range(1000)})).json()["errors"]
        assert (error["loc"], error["msg"]) == (["body"], "Value error, at most 16 members")
        errors = (await gateway.post(path, texts=[1] * 20_000)).json()["errors"]
        assert len(errors) <= 10

    visit(scene)


def test_a_store_that_fails_under_way_takes_back_nothing_that_was_accepted(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        texts = [await gateway.text() for _ in range(100)]
        guard: Any = gateway.world.guard
        working, asked = guard.claim_many, []

        def failing(claims: list[tuple[bytes, int]]) -> Any:
            asked.append(len(claims))
            if len(asked) == 1:
                return working(claims)
            return [CannotCheckError("redeem.unavailable", reason="test") for _ in claims]

        guard.claim_many = failing
        answer = await gateway.post("/redeem-batch", texts=["96", *texts])
        guard.claim_many = working
        claimed = asked[0]
        assert 0 < claimed < 100
        assert answer.status_code == 200
        codes = [(outcome.get("status"), outcome["code"]) for outcome in answer.json()["outcomes"]]
        assert codes == [
            (422, "text.length"),
            *[(None, "accepted")] * claimed,
            *[(503, "redeem.unavailable")] * (100 - claimed),
        ]
        again = (await gateway.post("/redeem-batch", texts=texts)).json()
        assert [outcome["code"] for outcome in again["outcomes"]] == [
            *["redeem.replayed"] * claimed,
            *["accepted"] * (100 - claimed),
        ]

    visit(scene)


def test_of_batches_at_once_each_code_is_accepted_in_one(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        texts = [await gateway.text() for _ in range(150)]
        answers = await asyncio.gather(*(gateway.post("/redeem-batch", texts=texts) for _ in range(5)))
        codes = [[outcome["code"] for outcome in answer.json()["outcomes"]] for answer in answers]
        assert [sorted(of_one) for of_one in zip(*codes, strict=True)] == [["accepted", *["redeem.replayed"] * 4]] * 150

    visit(scene)


def test_a_batch_can_answer_a_challenge(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        phone, asked = await a_phone_and_what_it_is_asked(gateway)
        texts = [phone.present(), phone.present(challenge=Challenge.from_text(asked)), await gateway.text()]
        answer = await gateway.post("/redeem-batch", texts=texts, challenge=asked)
        codes = [outcome["code"] for outcome in answer.json()["outcomes"]]
        assert codes == ["challenge.missing", "accepted", "challenge.missing"]

    visit(scene)


def test_observers_are_told_of_a_batch_text_by_text(visit: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(gateway: Gateway) -> None:
        texts = [await gateway.text(), "96", await gateway.text()]
        with caplog.at_level(logging.INFO, "ybtoken.verdicts"):
            await gateway.post("/redeem-batch", texts=texts, terminal="T7", place="110000")
        events = [json.loads(record.getMessage()) for record in caplog.records if record.name == "ybtoken.verdicts"]
        assert [event["code"] for event in events] == ["accepted", "text.length", "accepted"]
        assert {(event["act"], event["terminal"], event["place"]) for event in events} == {("redeem", "T7", "110000")}
        shown = (await gateway.client.get("/metrics")).text
        assert 'ybtoken_verdicts_total{act="redeem",code="accepted"} 2\n' in shown
        assert 'ybtoken_verdicts_total{act="redeem",code="text.length"} 1\n' in shown
        assert 'ybtoken_verdict_seconds_bucket{act="redeem",le="+Inf"} 3\n' in shown

    visit(scene)


def test_what_cannot_be_checked_is_refused_and_makes_it_not_ready(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        assert (await gateway.client.get("/health/ready")).json() == {"status": "ok"}

        def broken(key: bytes, **times: int) -> None:
            raise CannotCheckError("redeem.unavailable", reason="test")

        gateway.world.guard.claim = broken  # type: ignore[method-assign]
        ready = await gateway.client.get("/health/ready")
        assert (ready.status_code, ready.json()["code"]) == (503, "redeem.unavailable")
        assert ready.headers["retry-after"] == "1"
        assert (await gateway.client.get("/health/live")).status_code == 200
        assert (await gateway.post("/redeem", text=await gateway.text())).status_code == 503

    visit(scene, guard="memory")


def test_requests_that_are_wrong_get_a_problem_which_repeats_nothing(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        answer = await gateway.post("/redeem", txet="SECRET")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert "SECRET" not in answer.text
        assert (answer.json()["code"], set(answer.json()["remedy"])) == ("request.invalid", {"en", "zh"})
        about = (await gateway.client.get(answer.json()["type"])).json()
        assert about["remedy"] == answer.json()["remedy"]
        for odd in (
            b"",
            b"{",
            b"[]",
            b'"96"',
            b'{"text": 1}',
            b'{"text": "96", "text": 1}',
            b"\xff",
            b'{"text": "\\ud800"}',
        ):
            answer = await gateway.client.post("/redeem", content=odd, headers={"content-type": "application/json"})
            assert (odd, answer.status_code in (400, 422), "code" in answer.json()) == (odd, True, True)
        plain = await gateway.client.post("/redeem", content=b'{"text": "96"}', headers={"content-type": "text/plain"})
        assert plain.status_code == 400, "a page from elsewhere can send this without asking"
        assert (await gateway.client.delete("/redeem")).json()["code"] == "request.method"
        assert (await gateway.client.get("/nowhere")).headers["content-type"] == "application/problem+json"
        long = await gateway.client.post("/verify", content=b" " * (9 << 20))
        assert (long.status_code, long.headers["content-type"]) == (413, "application/problem+json")
        assert (await gateway.post("/issue", profile=3)).status_code == 400
        nowhere = {"x": "00" * 32, "y": "00" * 32, "challenge": "00" * 32, "signature": "00" * 64}
        assert (await gateway.post("/issue", profile=3, device_key=nowhere)).status_code == 400

    visit(scene)


def test_what_the_issuer_refuses_is_a_problem_with_its_code(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        answer = await gateway.post("/issue", purpose="99999")
        problem = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert (problem["code"], set(problem["what"])) == ("issue.claim", {"en", "zh"})
        about = (await gateway.client.get(problem["type"])).json()
        assert about["remedy"] == problem["remedy"]

    visit(scene)


def test_a_long_body_without_a_length_is_not_read_to_its_end(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * (1 << 20)

        assert (await gateway.client.post("/verify", content=chunks())).status_code == 413

    visit(scene)


def test_metrics_count_verdicts_and_name_nobody(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text(holder="demo7")
        accepted = (await gateway.post("/redeem", text=text)).json()
        await gateway.post("/redeem", text=text)
        await gateway.post("/verify-batch", texts=[text])
        shown = (await gateway.client.get("/metrics")).text
        assert 'ybtoken_verdicts_total{act="redeem",code="accepted"} 1\n' in shown
        assert 'ybtoken_verdicts_total{act="redeem",code="redeem.replayed"} 1\n' in shown
        assert 'ybtoken_verdicts_total{act="verify",code="accepted"} 1\n' in shown
        assert 'ybtoken_verdict_seconds_bucket{act="redeem",le="+Inf"} 2\n' in shown
        assert "ybtoken_guard_claims 1\n" in shown
        assert accepted["identity_ref"] not in shown
        assert "demo7" not in shown

    visit(scene, guard="memory")


def test_a_verifier_elsewhere_needs_the_published_keys_only(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        from ybtoken import Verifier

        ring = load_jwks((await gateway.client.get("/keys")).text)
        assert Verifier(ring).verify(await gateway.text(), now=NOW).city_code == "330100"
        assert (await gateway.client.get("/status/list")).content.startswith(b"\xd2\x84")

    visit(scene)


def test_pages_have_a_strict_policy_and_name_no_other_place(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        for page in ("/", "/phone", "/terminal", "/docs"):
            answer = await gateway.client.get(page)
            assert answer.status_code == 200
            assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert "://" not in answer.text
            assert " style=" not in answer.text
            assert "<script>" not in answer.text

    visit(scene)


def test_a_host_that_is_not_the_gateways_is_refused_and_is_not_repeated(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        for host in (
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "",
            "[::1",
            "localhost:80:80",
        ):
            answer = await gateway.client.get("/config", headers={"host": host})
            assert (host, answer.status_code, answer.json()["code"]) == (host, 421, "request.host")
            assert "evil" not in answer.text + str(answer.headers)
        for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:", "[::1]:8000", "[::1]"):
            assert (await gateway.client.get("/config", headers={"host": host})).status_code == 200, host
        slash = await gateway.client.get("/config/")
        assert (slash.status_code, "location" in slash.headers) == (404, False)

    visit(scene)


def test_head_is_get_without_the_body(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        for path in ("/", "/health/live", "/keys", "/status/list", "/static/wire.js"):
            whole, head = await gateway.client.get(path), await gateway.client.head(path)
            assert (path, head.status_code, head.content) == (path, 200, b"")
            assert head.headers["content-type"] == whole.headers["content-type"]
        assert (await gateway.client.head("/redeem")).status_code == 405

    visit(scene)


def test_lines_of_the_log_have_a_level_and_the_request_that_the_answer_names(
    visit: Any,
) -> None:
    handler = logging.StreamHandler(lines := io.StringIO())
    handler.setFormatter(logging.Formatter(CONFIG["formatters"]["line"]["format"]))
    handler.addFilter(WithRequest())
    logger = logging.getLogger("ybtoken.verdicts")

    async def scene(gateway: Gateway) -> None:
        answer = await gateway.post("/redeem", text="96")
        given = await gateway.client.post("/redeem", json={"text": "97"}, headers={"x-request-id": "till-4.17"})
        odd = await gateway.client.post("/redeem", json={"text": "97"}, headers={"x-request-id": "a b\t{}"})
        assert given.headers["x-request-id"] == "till-4.17"
        assert re.fullmatch("[0-9a-f]{16}", odd.headers["x-request-id"])
        first, second, third = lines.getvalue().splitlines()
        assert re.match(rf"[0-9: ,-]+ WARNING {answer.headers['x-request-id']} ybtoken.verdicts {{", first)
        assert " WARNING till-4.17 ybtoken.verdicts {" in second
        assert "a b" not in third

    logger.addHandler(handler)
    try:
        visit(scene)
    finally:
        logger.removeHandler(handler)


def test_no_caller_chooses_the_time_for_a_rotating_pass(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        issued = (await gateway.post("/issue", profile=2)).json()
        phone = RotatingPass(bytes.fromhex(issued["pass"]), bytes.fromhex(issued["secret"]))
        for ahead in (0, 29, 300):
            text = phone.present(now=NOW + ahead)
            wrong = phone.present(now=NOW + ahead + 3000)
            codes = (await gateway.post("/verify-batch", texts=[text, wrong], now=NOW + ahead)).json()["codes"]
            assert codes == ["otp.unavailable"] * 2, "the right code and a wrong one differ in nothing"
        gateway.clock.now += 1
        assert (await gateway.post("/redeem", text=phone.present(now=NOW + 1))).status_code == 200

    visit(scene)


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Callable[[], Awaitable[Connection]]]:
    """A gateway at a port, and how to connect to it."""
    world = World(Settings(folder=folder, algorithm="es256"))
    config = uvicorn.Config(create_app(world), port=0, http=module.Impatient, ws="none", log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)

    async def connect() -> Connection:
        return await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])

    yield connect
    server.should_exit = True
    await serving


def test_a_request_that_does_not_arrive_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ARRIVES_WITHIN", 0.2)
    whole = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    part = (
        b'POST /redeem HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\ncontent-type: application/json\r\n\r\n{"te'
    )

    async def ends(connection: Awaitable[Connection], *sent: bytes) -> bytes:
        reader, writer = await connection
        for each in sent:
            writer.write(each)
            await asyncio.sleep(0.05)
        said = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return said

    async def scene() -> None:
        async with served(tmp_path) as connect:
            sent = [b""], [whole[:20]], [part], [whole, whole[:9]]
            nothing, head, body, second = await asyncio.gather(*(ends(connect(), *each) for each in sent))
        assert nothing.startswith(b"HTTP/1.1 408")
        assert head.startswith(b"HTTP/1.1 408")
        assert b"200" not in body
        assert second.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 408" in second

    asyncio.run(scene())


def test_too_many_connections_are_told_so_in_a_problem_and_more_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SERVED", 2)
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 3)
    request = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"

    async def asks(connection: Connection) -> bytes:
        connection[1].write(request)
        return await asyncio.wait_for(connection[0].readuntil(b"}"), 30)

    async def scene() -> None:
        async with served(tmp_path) as connect:
            first, second = await connect(), await connect()
            assert (await asks(first)).startswith(b"HTTP/1.1 200")
            assert (await asks(second)).startswith(b"HTTP/1.1 200")
            third, fourth = await connect(), await connect()
            assert await asyncio.wait_for(fourth[0].read(), 30) == b"", "closed, without a word"
            third[1].write(request)
            head, _, body = (await asyncio.wait_for(third[0].read(), 30)).partition(b"\r\n\r\n")  # and is closed
            assert head.startswith(b"HTTP/1.1 503")
            assert b"content-type: application/problem+json" in head
            assert b"retry-after: 1" in head
            assert json.loads(body)["code"] == "request.unavailable"
            first[1].close()
            await first[1].wait_closed()
            while (again := await connect()) and not (await asks(again)).startswith(b"HTTP/1.1 200"):
                again[1].close()  # the server has not seen yet that the first has gone
            assert (await asks(second)).startswith(b"HTTP/1.1 200"), "those that were there are served as ever"
            for _, writer in (second, third, fourth, again):
                writer.close()

    asyncio.run(scene())


def test_a_client_that_reads_no_answer_gives_its_place_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SERVED", 1)
    monkeypatch.setattr(module, "READS_WITHIN", 0.05)

    async def scene() -> None:
        async with served(tmp_path) as connect:
            _, silent = await connect()
            silent.write(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * 500)
            answer = b""
            for _ in range(200):
                reader, writer = await connect()
                writer.write(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                answer = await reader.readline()
                writer.close()
                if answer.startswith(b"HTTP/1.1 200"):
                    break
                await asyncio.sleep(0.05)
            silent.transport.abort()
        assert answer.startswith(b"HTTP/1.1 200")

    asyncio.run(scene())


def test_a_fault_of_the_gateway_is_a_problem_too(tmp_path: Path) -> None:
    """A terminal takes an answer of another kind for that of a proxy, and would verify by itself."""

    async def scene() -> None:
        world = World(Settings(folder=tmp_path, algorithm="es256"))
        app = create_app(world)
        world.check_ready = None  # type: ignore[assignment, method-assign]
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/health/ready")
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert answer.json()["code"] == "request.fault"
        assert answer.json()["remedy"]["zh"]
        world.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"YBTOKEN_GATEWAY_REDISS": "redis://r"}, "YBTOKEN_GATEWAY_REDISS is no setting"),
        ({"YBTOKEN_REDIS": "redis://r"}, "YBTOKEN_REDIS is no setting"),
        ({"YBTOKEN_GATEWAY_REDIS": "http://r"}, "redis://, rediss:// or unix://"),
        ({"YBTOKEN_GATEWAY_LIFETIME": "a minute"}, "LIFETIME is a whole number"),
        ({"YBTOKEN_GATEWAY_LIFETIME": "0"}, "1 to 3600 seconds"),
        ({"YBTOKEN_GATEWAY_SKEW": "-1"}, "0 to 60 seconds"),
        ({"YBTOKEN_GATEWAY_SKEW": "61"}, "0 to 60 seconds"),
        ({"YBTOKEN_GATEWAY_REPLICAS": "1"}, "0 where no store is set"),
        ({"YBTOKEN_GATEWAY_ENGINE": "rust"}, "serial or native"),
        ({"YBTOKEN_GATEWAY_ALGORITHM": "rsa"}, "sm2 or es256"),
        ({"YBTOKEN_GATEWAY_PLACE": "Hangzhou"}, "a city code of six digits"),
        ({"YBTOKEN_GATEWAY_HOSTS": "a/b"}, "host names, separated by commas"),
    ],
)
def test_a_setting_that_cannot_be_stops_the_start_with_a_sentence(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingError, match=says) as refused:
        Settings.from_environment(environment)
    english, _, chinese = str(refused.value).partition(". / ")
    assert english.isascii()
    assert re.search("[一-鿿]", chinese), "in both languages"
    assert not re.search("[a-z]+ [a-z]+", chinese), "and not in one of them twice"


def test_the_start_says_what_is_set_and_never_a_password() -> None:
    lines = Settings(redis="rediss://user:hunter2@store:6379/1", hosts="gateway.example").lines()
    assert "YBTOKEN_GATEWAY_REDIS=rediss://store:6379/1" in lines
    assert "YBTOKEN_GATEWAY_HOSTS=gateway.example" in lines
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:hunter2@my_store", "redis://my_store"),
        ("rediss://:hunter2@[::1]:6379/1?password=hunter2", "rediss://[::1]:6379/1"),
        ("redis://u:p%2Fhunter2%40@10.0.0.1/0", "redis://10.0.0.1/0"),
        ("unix://u:hunter2@/run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("unix:///run/redis.sock?password=hunter2", "unix:///run/redis.sock"),
        ("redis://store/1?ssl_ca_certs=/etc/ca.pem&db=2", "redis://store/2"),
    ],
)
def test_a_store_is_shown_without_user_and_password(url: str, shown: str) -> None:
    settings = Settings(redis=url)
    assert f"YBTOKEN_GATEWAY_REDIS={shown}" in settings.lines()
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/ss@host:6379/0",
        "redis://:12/hunter2@host:6379/0",
        "redis://u:hunter2#1@host/0",
        "redis://u:p?hunter2@host/0",
        "redis://u:1/hunter2",
        "unix://u:p/hunter2@/run/redis.sock",
        "unix://hunter2:p/run/redis.sock",
        "redis://localhost:hunter2",
        "redis://[hunter2",
        "redis://[hunter2]",
        "redis://",
    ],
)
def test_a_store_whose_password_would_stand_elsewhere_in_its_address_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="written as %2F") as refused:
        Settings.from_environment({"YBTOKEN_GATEWAY_REDIS": url})
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    "query", ["host=other", "port=6380", "path=/run/other", "db=one", "db=", "db=1&db=2", "db", "d%62=1&host=other"]
)
def test_a_store_that_its_shown_address_does_not_tell_from_another_is_refused(query: str) -> None:
    for address in ("redis://", "redis:///0", "redis://store/0", "unix:///run/redis.sock"):
        with pytest.raises(SettingError, match="one db, username"):
            Settings(redis=f"{address}?{query}")


def test_the_database_that_is_shown_is_the_one_that_is_used() -> None:
    connection = pytest.importorskip("redis.connection")
    for url in ("redis://s/1", "redis://s/1?db=2", "redis://s?d%62=3", "rediss://s:7?db=%34"):
        shown = Settings(redis=url).store
        assert connection.parse_url(shown)["db"] == connection.parse_url(url)["db"], shown


def test_a_folder_that_does_not_fit_stops_the_start(tmp_path: Path) -> None:
    Vault.open(tmp_path / "a", "es256")
    with pytest.raises(ValueError, match="ES256, and sm2 was asked for"):
        Vault.open(tmp_path / "a", "sm2")
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(ValueError, match="chmod 700"):
        Vault.open(tmp_path / "open")


def test_nobody_else_reads_what_the_gateway_keeps(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "kept") as gateway:
            await gateway.post("/issue", profile=2)
            kept = list((tmp_path / "kept").iterdir())
            modes = {path.name: path.stat().st_mode & 0o777 for path in kept}
            assert modes == {path.name: 0o700 if path.is_dir() else 0o600 for path in kept}

    asyncio.run(scene())


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({"YBTOKEN_GATEWAY_REDIS": "redis://r", "YBTOKEN_GATEWAY_LIFETIME": "30"})
    assert (settings.redis, settings.lifetime, settings.skew) == ("redis://r", 30, 10)


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    first, second = Vault.open(folder, "es256"), Vault.open(folder)
    assert first.signing.kid == second.signing.kid
    assert first.signing.kid != first.status.kid
    assert first.master == second.master
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


def test_redemptions_are_remembered_in_redis_by_one_setting(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    from tests.replay.redis_server import SERVER, RedisServer

    if SERVER is None:
        pytest.skip("no redis-server on this machine")
    server = RedisServer(tmp_path, "--save", "", "--appendonly", "no")

    async def scene() -> None:
        async with opened(tmp_path / "a", redis=server.url) as one, opened(tmp_path / "a", 1, redis=server.url) as two:
            one.clock.now = two.clock.now = time.time()
            await one.client.get("/health/ready")  # begins the store's epoch: what was issued before it is refused
            one.clock.now = two.clock.now = time.time() + 30
            text = await one.text()
            assert (await one.post("/redeem", text=text)).status_code == 200
            assert (await two.post("/redeem", text=text)).json()["code"] == "redeem.replayed"
            assert (await two.client.get("/health/ready")).status_code == 200
            texts = [await one.text() for _ in range(200)]
            batch = (await one.post("/redeem-batch", texts=[*texts, text, texts[7]])).json()
            assert [outcome["code"] for outcome in batch["outcomes"]] == ["accepted"] * 200 + ["redeem.replayed"] * 2
            assert (await two.post("/redeem-batch", texts=texts)).json()["accepted"] == 0
            text = await one.text()
            server.kill()
            down = await one.post("/redeem", text=text)
            assert down.status_code == 503
            batch = (await one.post("/redeem-batch", texts=[text, "96", text])).json()["outcomes"]
            assert [outcome["code"] for outcome in batch] == ["redeem.unavailable", "text.length", "redeem.unavailable"]
            assert batch[0] == down.json()

    try:
        asyncio.run(scene())
    finally:
        server.stop()


def test_a_gateway_that_is_started_again_remembers_what_was_used(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "new") as gateway:
            text = await gateway.text()
            assert (await gateway.post("/redeem", text=text)).status_code == 200, "a new platform serves at once"
        async with opened(tmp_path / "new", 1) as gateway:
            assert (await gateway.post("/redeem", text=text)).json()["code"] == "redeem.replayed"
            other = await gateway.text()
            assert (await gateway.post("/redeem", text=other)).status_code == 200
        for file in (tmp_path / "new").glob("used.db*"):
            file.unlink()
        async with opened(tmp_path / "new", 2) as gateway:
            assert (await gateway.post("/redeem", text=other)).json()["code"] == "redeem.restarted"

    asyncio.run(scene())


def test_a_claim_may_wait_for_its_turn_over_the_end_of_a_second(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text, make = await gateway.text(), gateway.world.guard.claim_many

        def later(claims: Any) -> Any:
            gateway.clock.now += 5
            return make(claims)

        gateway.world.guard.claim_many = later  # type: ignore[method-assign]
        assert (await gateway.post("/hand-in", text=text, at=NOW)).status_code == 200
        assert (await gateway.client.get("/health/ready")).status_code == 200

    visit(scene)


def test_what_the_guard_may_have_forgotten_is_not_handed_in(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "new") as gateway:
            text = await gateway.text()
            assert (await gateway.post("/redeem", text=text)).status_code == 200
            gateway.pass_time(8 * 24 * 3600)  # a clock that was far ahead for a moment
            assert (await gateway.post("/redeem", text=await gateway.text())).status_code == 200
            gateway.clock.now = NOW + 7200
            answer = await gateway.post("/hand-in", text=text, at=NOW)
            assert answer.json()["code"] == "redeem.clock"
        for file in (tmp_path / "new").glob("used.db*"):
            file.unlink()
        async with opened(tmp_path / "new", 7200) as gateway:
            answer = await gateway.post("/hand-in", text=text, at=NOW)
            assert (answer.status_code, answer.json()["code"]) == (503, "redeem.restarted")
            assert answer.headers["retry-after"] == "21"
            assert "21 秒后签发的码" in answer.json()["what"]["zh"]
            gateway.clock.now += 20
            ready = await gateway.client.get("/health/ready")
            assert (ready.headers["retry-after"], "1 秒后签发的码" in ready.json()["what"]["zh"]) == ("1", True)
            gateway.clock.now += 1
            assert (await gateway.client.get("/health/ready")).status_code == 200

    asyncio.run(scene())


def test_codes_of_another_platform_may_have_been_used_before_this_gateway_was(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "platform") as platform:
            text = await platform.text()
            repository, root = platform.world.publisher.repository, tmp_path / "root.json"
            root.write_bytes(platform.world.publisher.root)
        async with opened(tmp_path / "hospital", 1, rings=str(repository), rings_root=str(root)) as gateway:
            assert (await gateway.post("/redeem", text=text)).json()["code"] == "redeem.restarted"
            assert (await gateway.client.get("/health/ready")).json()["code"] == "redeem.restarted"
            gateway.clock.now += 30
            ready = await gateway.client.get("/health/ready")
            assert ready.status_code == 200, "its own key is in no ring, and need not be"

    asyncio.run(scene())


def test_codes_stay_used_when_the_files_of_a_folder_are_deleted_and_its_rings_are_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as gateway:
            text = await gateway.text()
            assert (await gateway.post("/redeem", text=text)).status_code == 200
        for path in tmp_path.iterdir():
            path.unlink() if path.is_file() else None
        async with opened(tmp_path, 1) as gateway:
            assert (await gateway.post("/redeem", text=text)).json()["code"] == "redeem.restarted"

    asyncio.run(scene())


def test_a_start_that_fails_leaves_nothing_that_stops_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YBTOKEN_GATEWAY_FOLDER", str(tmp_path / "new"))
    monkeypatch.setenv("YBTOKEN_GATEWAY_ALGORITHM", "sm2")
    monkeypatch.setattr(sys, "argv", ["gateway", "--port", "0"])
    monkeypatch.setattr(vault_module.SM2SigningKey, "generate", no_libcrypto)
    assert main() == 2
    assert "no libcrypto" in capsys.readouterr().err
    assert not list((tmp_path / "new").glob(".signing.pem*"))
    assert Vault.open(tmp_path / "new", "es256").signing.algorithm.name == "ES256"


def no_libcrypto() -> None:
    raise LibcryptoError("libcrypto.no-sm2", "no libcrypto has SM2", "没有支持 SM2 的 libcrypto")


def test_a_folder_keeps_to_one_store(tmp_path: Path) -> None:
    for _ in range(2):
        World(Settings(folder=tmp_path, algorithm="es256")).close()
    for other in ({"guard": "memory"}, {"redis": "redis://user:secret@host/0"}):
        with pytest.raises(ValueError, match="remembered in file") as refused:
            World(Settings(folder=tmp_path, algorithm="es256", **other))  # type: ignore[arg-type]
        assert "secret" not in str(refused.value)
        assert "已用码记录在 file" in words_of(refused.value).zh


def test_gateways_on_one_redis_know_what_the_others_redeemed_and_took(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    from tests.replay.redis_server import SERVER, RedisServer
    from ybtoken.replay.redis import RedisReplayGuard

    if SERVER is None:
        pytest.skip("no redis-server on this machine")
    (tmp_path / "store").mkdir()
    server = RedisServer(tmp_path / "store", "--save", "", "--appendonly", "no")
    try:
        guard = RedisReplayGuard.from_url(server.url)
        guard.prepare(first_use=True)
        guard.close()
        Vault.open(tmp_path / "one", "es256")
        shutil.copytree(tmp_path / "one", tmp_path / "two")

        async def scene() -> None:
            now = int(time.time()) - NOW  # the server has a clock of its own
            async with (
                opened(tmp_path / "one", now, redis=server.url) as one,
                opened(tmp_path / "two", now + 1, redis=server.url) as two,
            ):
                text, other = await one.text(), await one.text()
                assert (await one.post("/redeem", text=text)).status_code == 200
                at = one.clock.now
                one.clock.now = two.clock.now = at + 3900
                assert (await two.post("/hand-in", text=text, at=at)).json()["code"] == "redeem.replayed"
                assert (await two.post("/hand-in", text=other, at=at)).status_code == 200
                assert (await one.post("/hand-in", text=other, at=at)).json()["code"] == "redeem.replayed"

        asyncio.run(scene())
    finally:
        server.stop()


def test_workers_on_one_folder_share_what_was_used_and_what_was_handed_in(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "shared") as one, opened(tmp_path / "shared", 1) as two:
            text, away = await one.text(), await one.text()
            assert (await one.post("/redeem", text=text)).status_code == 200
            assert (await two.post("/redeem", text=text)).json()["code"] == "redeem.replayed"
            assert (await one.post("/hand-in", text=away, at=NOW)).status_code == 200
            assert (await two.post("/hand-in", text=away, at=NOW)).json()["code"] == "redeem.replayed"
            assert (await two.post("/redeem", text=away)).json()["code"] == "redeem.replayed"

    asyncio.run(scene())


def test_several_workers_that_each_remember_by_themselves_are_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YBTOKEN_GATEWAY_FOLDER", str(tmp_path / "new"))
    monkeypatch.setenv("YBTOKEN_GATEWAY_GUARD", "memory")
    monkeypatch.setattr(sys, "argv", ["gateway", "--workers", "2", "--port", "0"])
    assert main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "serves one worker" in said.err
    assert "仅限一个进程" in said.err


def test_a_gateway_that_remembers_in_memory_takes_no_hand_in(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        answer = await gateway.post("/hand-in", text=text, at=NOW)
        assert (answer.status_code, answer.json()["code"]) == (503, "redeem.unavailable")
        assert (await gateway.post("/redeem", text=text)).status_code == 200, "nothing was used up"
        assert (await gateway.client.get("/health/ready")).status_code == 200

    visit(scene, guard="memory")


@pytest.mark.parametrize("again", ["at once", "past", "started again"])
@pytest.mark.parametrize("first", ["redeem", "redeem-batch", "hand-in"])
def test_what_was_accepted_is_not_handed_in_within_a_week(tmp_path: Path, first: str, again: str) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "new") as gateway:
            text, other = await gateway.text(), await gateway.text()
            body = {"texts": [text]} if first == "redeem-batch" else {"text": text}
            answer = await gateway.post(f"/{first}", **body | ({"at": NOW + 1} if first == "hand-in" else {}))
            assert (answer.status_code, answer.json().get("accepted", 1)) == (200, 1)
            if again != "started again":
                gateway.pass_time(6 * 24 * 3600 if again == "past" else 0)
                await refused(gateway, text, other)
        if again == "started again":
            async with opened(tmp_path / "new", 91) as gateway:
                await refused(gateway, text, other)

    async def refused(gateway: Gateway, text: str, other: str) -> None:
        answer = await gateway.post("/hand-in", text=text, at=NOW + 1)
        assert (answer.status_code, answer.json()["code"]) == (409, "redeem.replayed")
        assert (await gateway.post("/hand-in", text=other, at=NOW + 1)).status_code == 200

    asyncio.run(scene())


def test_a_use_is_forgotten_when_nobody_may_hand_it_in_any_more(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        def kept() -> int:
            with closing(sqlite3.connect(gateway.world.guard.path)) as file:
                (count,) = file.execute("SELECT count(*) FROM claim").fetchone()
            return int(count)

        for _ in range(3):
            await gateway.post("/redeem", text=await gateway.text())
        assert kept() == 3
        gateway.pass_time(8 * 24 * 3600)
        assert (await gateway.post("/redeem", text=await gateway.text())).status_code == 200
        assert kept() == 1
        answer = await gateway.post("/hand-in", text="96", at=NOW)
        assert (answer.status_code, answer.json()["code"]) == (400, "request.time")

    visit(scene)


def test_a_hand_in_from_no_time_that_is_taken_says_so_in_both_languages(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        for at in (NOW - 7 * 24 * 3600 - 1, NOW + gateway.world.settings.skew + 1):
            answer = await gateway.post("/hand-in", text=text, at=at)
            problem = answer.json()
            assert (answer.status_code, problem["code"], "detail" in problem) == (400, "request.time", False)
            assert "clocks" in problem["remedy"]["en"]
            assert "时钟" in problem["remedy"]["zh"]
            about = (await gateway.client.get(problem["type"])).json()
            assert (about["what"], about["remedy"], about["status"]) == (problem["what"], problem["remedy"], 400)

    visit(scene)


@pytest.mark.parametrize("path", ["/redeem", "/hand-in"])
def test_a_body_is_read_by_its_media_type_and_a_bad_one_has_no_word_in_one_language(visit: Any, path: str) -> None:
    async def scene(gateway: Gateway) -> None:
        async def ask(body: bytes, media_type: str) -> Any:
            return await gateway.client.post(path, content=body, headers={"content-type": media_type})

        for body in (b"", b"{", b"\xff"):
            problem = (await ask(body, "application/json")).json()
            assert (problem["code"], "detail" in problem, len(problem["errors"])) == ("request.invalid", False, 1)
        good = json.dumps({"text": await gateway.text()} | ({"at": NOW} if path == "/hand-in" else {})).encode()
        assert (await ask(good, "application/jsonx")).status_code == 400
        assert (await ask(good, "APPLICATION/Json; charset=utf-8")).status_code == 200

    visit(scene)


def test_a_pass_that_was_frozen_after_it_was_accepted_is_handed_in_with_a_note(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        phone, _ = await a_phone_and_what_it_is_asked(gateway)
        shown = [phone.present(now=NOW + second) for second in range(3)]
        index = gateway.world.verifier.verify(shown[0]).status_index
        assert (await gateway.post("/hand-in", text=shown[0], at=NOW)).json()["notes"] == []
        gateway.clock.now += 120
        assert (await gateway.post(f"/status/{index}", act="suspend")).status_code == 200
        answer = await gateway.post("/hand-in", text=shown[1], at=NOW + 1)
        assert answer.status_code == 200
        assert [note["code"] for note in answer.json()["notes"]] == ["status.since"]
        assert (await gateway.post("/redeem", text=phone.present())).json()["code"] == "status.suspended"
        gateway.pass_time(24 * 3600)
        gateway.world.refresh_statuses()
        answer = await gateway.post("/hand-in", text=shown[2], at=NOW + 2)
        assert (answer.status_code, answer.json()["notes"]) == (200, []), "its place may be another's by now"

    visit(scene)


def test_nobody_guesses_one_time_codes_by_handing_them_in(visit: Any) -> None:
    async def scene(gateway: Gateway) -> None:
        issued = (await gateway.post("/issue", profile=2)).json()
        phone = RotatingPass(bytes.fromhex(issued["pass"]), bytes.fromhex(issued["secret"]))
        gateway.clock.now += 3600
        for at in (NOW, NOW + 300):  # the right code and a wrong one differ in nothing
            answer = await gateway.post("/hand-in", text=phone.present(now=NOW), at=at)
            assert (answer.status_code, answer.json()["detail"]) == (
                400,
                "a terminal accepts no rotating pass by itself",
            )

    visit(scene)


def test_observers_are_told_of_what_is_handed_in(visit: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(gateway: Gateway) -> None:
        text = await gateway.text()
        with caplog.at_level(logging.INFO, "ybtoken.verdicts"):
            for _ in range(2):
                await gateway.post("/hand-in", text=text, at=NOW, terminal="T7", place="110000")
        events = [json.loads(record.getMessage()) for record in caplog.records if record.name == "ybtoken.verdicts"]
        assert [event["code"] for event in events] == ["accepted", "redeem.replayed"]
        assert {(event["act"], event["terminal"], event["place"]) for event in events} == {("hand-in", "T7", "110000")}
        shown = (await gateway.client.get("/metrics")).text
        assert 'ybtoken_verdicts_total{act="hand-in",code="accepted"} 1\n' in shown

    visit(scene)


def test_a_hand_in_that_is_sent_again_is_answered_as_it_was_the_first_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = "0" * 32, "1" * 32

    async def scene() -> None:
        async with opened(tmp_path / "shared") as one, opened(tmp_path / "shared", 1) as two:
            text, used = await one.text(), await one.text()
            await one.post("/redeem", text=used)
            with caplog.at_level(logging.INFO, "ybtoken.verdicts"):
                first = await one.post("/hand-in", text=text, at=NOW, id=mine)
                assert first.status_code == 200
                for gateway in one, two, two:
                    again = await gateway.post("/hand-in", text=text, at=NOW, id=mine)
                    assert (again.status_code, again.json()) == (200, first.json())
            assert len(caplog.records) == 1, "it is one hand-in"
            for stranger in ({"id": other}, {}):
                answer = await two.post("/hand-in", text=text, at=NOW, **stranger)
                assert (answer.status_code, answer.json()["code"]) == (409, "redeem.replayed")
            for _ in range(3):
                answer = await two.post("/hand-in", text=used, at=NOW, id=mine)
                assert (answer.status_code, answer.json()["code"]) == (409, "redeem.replayed")
        (tmp_path / "shared" / "taken.db").write_bytes(b"no database")
        async with opened(tmp_path / "shared", 2) as gateway:
            text = await gateway.text()
            for status in 200, 409:  # it decides nothing
                assert (await gateway.post("/hand-in", text=text, at=NOW + 2, id=mine)).status_code == status

    asyncio.run(scene())


def test_what_several_workers_accept_does_not_wait_for_acknowledgements() -> None:
    listener = _bind_without_delay(uvicorn.Config("app", port=0))
    with listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
