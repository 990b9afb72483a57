from __future__ import annotations

import hmac
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.external import outside
from tests.support import CITY, HOLDER, NOW, RING, fake_issuer
from ybtoken import AsyncReplayGuard, MemoryReplayGuard, ReplayGuard, TokenError, Verifier
from ybtoken.errors import CannotCheckError, OtpError, RedeemError
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.passes.rotating import STEP, RecordedCodes, RotatingCodes, RotatingPass, one_time_code

MASTER = bytes(range(32))
ISSUED = fake_issuer().issue_rotating_pass(HOLDER, CITY)
CODES = RotatingCodes(MASTER)
PHONE = CODES.enrol(ISSUED)


def verifier(codes: RotatingCodes | None = None, **options) -> Verifier:
    return Verifier(RING, otp=codes or RotatingCodes(MASTER), **{"clock": lambda: NOW} | options)


def refusal(act, *args, **options) -> str:
    with pytest.raises(TokenError) as caught:
        act(*args, **options)
    return caught.value.code


def with_code(otp: str) -> str:
    from ybtoken.wire.text import encode_text

    return encode_text(2, ISSUED.data, otp)


WRONG = with_code("00000000")


def test_codes_are_those_of_rfc_6238():
    met = 0
    for test in outside.from_json("totp/rfc6238.json")["tests"]:
        if test["MODE"] == "SHA256":
            assert one_time_code(test["SECRET"].encode(), int(test["TIME"]) // 30) == test["TOTP"]
            met += 1
    assert met == 6


def test_pyotp_makes_our_codes_and_accepts_them():
    pytest.importorskip("pyotp")
    from ybtoken.passes.otpauth import authenticator

    theirs = authenticator(PHONE.secret)
    for now in (NOW, NOW + 29, NOW + 30, 59, 2**31):
        assert theirs.at(now) == one_time_code(PHONE.secret, now // STEP)
        assert theirs.verify(one_time_code(PHONE.secret, now // STEP), for_time=now)
    assert verifier().verify(with_code(theirs.at(NOW))).time_step == NOW // STEP


def test_a_provisioning_uri_is_read_back_by_pyotp():
    pyotp = pytest.importorskip("pyotp")
    from ybtoken.passes.otpauth import provisioning_uri

    uri = provisioning_uri(PHONE, "张三", issuer="Zhejiang")
    assert uri.startswith("otpauth://totp/Zhejiang:")
    read = pyotp.parse_uri(uri)
    assert (read.digits, read.interval, read.byte_secret()) == (8, 30, PHONE.secret)
    assert read.at(NOW) == one_time_code(PHONE.secret, NOW // STEP)


def test_the_secret_is_hkdf_of_the_master_key():
    nonce, info = ISSUED.voucher.nonce, b"ybtoken otp" + HOLDER
    assert PHONE.secret == HKDF(hashes.SHA256(), 32, salt=nonce, info=info).derive(MASTER)
    assert len({CODES.enrol(fake_issuer(random=lambda n, i=i: bytes([i] * n)).issue_rotating_pass(HOLDER, CITY)).secret
                for i in range(9)}) == 9  # fmt: skip


def test_a_pass_shows_another_code_every_half_minute_and_is_accepted_for_two_steps():
    text = PHONE.present(now=NOW)
    assert text == PHONE.present(now=NOW + STEP - NOW % STEP - 1) != PHONE.present(now=NOW + STEP)
    start = NOW - NOW % STEP
    accepting = verifier()
    assert accepting.verify(text, now=start).time_step == start // STEP
    assert accepting.verify(text, now=start + 59).time_step == start // STEP
    assert refusal(accepting.verify, text, now=start + 60) == "otp.wrong"
    assert refusal(accepting.verify, text, now=start - 1) == "otp.wrong"


def test_the_window_can_be_shut_and_widened():
    start = NOW - NOW % STEP
    text = PHONE.present(now=start)
    assert refusal(verifier(RotatingCodes(MASTER, steps_back=0)).verify, text, now=start + 30) == "otp.wrong"
    wide = verifier(RotatingCodes(MASTER, steps_back=3))
    verified = wide.verify(text, now=start + 119)
    assert (verified.display_expires_at, verified.redeem_until) == (start + 120, start + 240)
    assert refusal(wide.verify, text, now=start + 120) == "otp.wrong"


def test_a_pass_fits_version_9_with_every_claim_a_display_needs():
    pytest.importorskip("segno")
    from ybtoken.qr import QrCode

    for signer in (P256SigningKey.generate(), sm2_signer()):
        from ybtoken import Issuer

        issued = Issuer(signer, clock=lambda: NOW).issue_rotating_pass(
            HOLDER, CITY, channel=65_535, purpose="01301", status_index=2**32 - 1, assurance=3
        )
        code = QrCode(CODES.enrol(issued).present(now=NOW))
        assert code.version <= 9
        assert len(code.text) <= 432


def sm2_signer():
    from ybtoken.algorithms import Algorithm
    from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
    from ybtoken.testing.keys import FakeKey

    try:
        return SM2SigningKey.generate()
    except LibcryptoError:
        return FakeKey("sm2", Algorithm.SM2)  # of the same size


def test_master_keys_change_by_the_time_of_issue():
    schedule = {0: MASTER, NOW: b"n" * 32, NOW + 100: b"m" * 32}
    rotated = RotatingCodes(schedule)
    before = fake_issuer().issue_rotating_pass(HOLDER, CITY, now=NOW - 1)
    at = fake_issuer().issue_rotating_pass(HOLDER, CITY, now=NOW)
    assert rotated.enrol(before).secret == RotatingCodes(MASTER).enrol(before).secret
    assert rotated.enrol(at).secret == RotatingCodes(b"n" * 32).enrol(at).secret
    both = verifier(rotated)
    for issued in (before, at):
        assert both.verify(rotated.enrol(issued).present(now=NOW + 200), now=NOW + 200)
    late = RotatingCodes({NOW + 1: MASTER})
    with pytest.raises(CannotCheckError) as caught:
        late.enrol(at)
    assert caught.value.code == "otp.unavailable"
    assert "签发该凭证时没有主密钥在用。动态码" in caught.value.hint.zh
    assert refusal(verifier(late).verify, PHONE.present(now=NOW)) == "otp.unavailable"


def test_without_master_keys_rotating_passes_are_refused():
    with pytest.raises(CannotCheckError, match=r"otp\.unavailable") as caught:
        Verifier(RING).verify(PHONE.present(now=NOW), now=NOW)
    assert "this verifier has no master key. Rotating" in caught.value.hint.en
    assert "本验证方没有主密钥。动态码" in caught.value.hint.zh


def test_all_codes_are_compared_and_in_constant_time(monkeypatch):
    compared = []

    really = hmac.compare_digest

    def compare(ours, theirs):
        compared.append((ours, theirs))
        return really(ours, theirs)

    monkeypatch.setattr("ybtoken.passes.rotating.hmac.compare_digest", compare)
    for text in (PHONE.present(now=NOW), PHONE.present(now=NOW - 30), WRONG):
        compared.clear()
        try:
            verifier().verify(text)
        except OtpError:
            pass
        assert len(compared) == 2
        assert {len(ours) for ours, _ in compared} == {4}


class TestThrottle:
    def test_five_wrong_codes_of_a_pass_are_looked_at_within_a_step(self):
        one = verifier()
        start = NOW - NOW % STEP
        for _ in range(5):
            assert refusal(one.verify, WRONG, now=start) == "otp.wrong"
        for text in (WRONG, PHONE.present(now=start)):
            assert refusal(one.verify, text, now=start + 29) == "otp.throttled"
        assert one.verify(PHONE.present(now=start + 30), now=start + 30)

    def test_right_codes_are_not_counted(self):
        one = verifier()
        for _ in range(20):
            one.verify(PHONE.present(now=NOW))

    def test_no_other_pass_is_refused(self):
        codes = RotatingCodes(MASTER, tries=1)
        one = verifier(codes)
        assert refusal(one.verify, WRONG) == "otp.wrong"
        assert refusal(one.verify, PHONE.present(now=NOW)) == "otp.throttled"
        other = codes.enrol(fake_issuer(random=lambda size: b"x" * size).issue_rotating_pass(HOLDER, CITY))
        assert one.verify(other.present(now=NOW))

    def test_memory_is_bounded_and_nobody_is_refused_for_it(self):
        codes = RotatingCodes(MASTER, tries=1, capacity=3)
        passes = [fake_issuer(random=lambda size, i=i: bytes([i] * size)).issue_rotating_pass(HOLDER, CITY)
                  for i in range(6)]  # fmt: skip
        for issued in passes[:5]:
            with pytest.raises(OtpError):
                codes.check(issued.voucher, b"kid", "00000000", NOW)
        assert codes._held == 3
        right = codes.enrol(passes[5])
        assert codes.check(passes[5].voucher, b"kid", one_time_code(right.secret, NOW // STEP), NOW) == NOW // STEP

    def test_a_forged_pass_is_not_counted(self):
        codes = RotatingCodes(MASTER)
        from ybtoken.wire.text import encode_text

        forged = encode_text(2, ISSUED.data[:-1] + bytes([ISSUED.data[-1] ^ 1]), "00000000")
        assert refusal(verifier(codes).verify, forged) == "signature.invalid"
        assert codes._held == 0

    def test_looking_at_the_verdicts_of_a_batch_counts_nothing(self):
        codes = RotatingCodes(MASTER)
        verdicts = verifier(codes).verify_many([WRONG, PHONE.present(now=NOW)])
        assert [list(map(type, verdicts)) for _ in range(9)]
        assert verdicts[0].code == "otp.wrong"
        assert verdicts.counts() == {"otp.wrong": 1}
        assert verifier(codes).verify(PHONE.present(now=NOW))


class TestGuessing:
    """What an attacker can find out who shows codes without end (ADR 0024)."""

    START = NOW - NOW % STEP

    def looked_at(self, codes: RotatingCodes, steps: range, each: int) -> int:
        """How many codes are compared if ``each`` wrong codes are shown at each of some steps."""
        compared = 0
        for step in steps:
            for _ in range(each):
                with pytest.raises(OtpError) as caught:
                    codes.check(ISSUED.voucher, b"kid", "00000000", step * STEP)
                compared += caught.value.code == "otp.wrong"
        return compared

    def test_a_day_of_guesses_at_one_pass_is_five_for_each_code(self):
        clock = [self.START]
        codes = RotatingCodes(MASTER, clock=lambda: clock[0])
        first, compared = self.START // STEP, 0
        for step in range(first, first + 24 * 3600 // STEP):
            clock[0] = step * STEP
            compared += self.looked_at(codes, range(step, step + 1), each=8)
        assert compared == 5 * 24 * 3600 // STEP == 14_400

    def test_one_pass_at_chosen_times_does_not_push_its_counts_out_of_memory(self):
        codes = RotatingCodes(MASTER, capacity=1000, clock=lambda: self.START)
        here = self.START // STEP
        compared = 0
        for i in range(3):
            compared += self.looked_at(codes, range(here, here + 1), each=6)
            self.looked_at(codes, range(here + 100 + 1000 * i, here + 100 + 1000 * (i + 1), 2), each=1)
        assert compared == 5

    def test_a_pass_with_too_many_counts_is_refused_until_they_end_and_no_other_is(self):
        clock = [self.START]
        codes = RotatingCodes(MASTER, clock=lambda: clock[0])
        one, here = verifier(codes), self.START // STEP
        assert self.looked_at(codes, range(here, here + 500, 2), each=1) == 21  # 42 steps, two for each
        with pytest.raises(OtpError, match=r"otp\.throttled"):
            codes.check(ISSUED.voucher, b"kid", with_code_at(NOW + 30_000), NOW + 30_000)
        assert codes.check(ISSUED.voucher, b"kid", with_code_at(NOW), NOW) == here  # it has a count, and is below 5
        assert one.verify(PHONE.present(now=NOW + 30_000), now=NOW + 30_000)  # another kid
        clock[0] += 43 * STEP + 360
        assert codes.check(ISSUED.voucher, b"kid", with_code_at(clock[0]), clock[0])
        assert (codes._held, codes._steps) == (0, {})

    def test_an_attack_without_end_on_a_right_clock_refuses_no_step_more(self):
        for steps_back in (0, 1, 120):
            clock = [self.START]
            codes = RotatingCodes(MASTER, steps_back=steps_back, clock=lambda clock=clock: clock[0])
            for i in range(600):
                clock[0] = self.START + i * STEP
                with pytest.raises(OtpError, match=r"otp\.wrong"):
                    codes.check(ISSUED.voucher, b"kid", "00000000", clock[0])

    def test_a_time_that_goes_to_and_fro_gives_no_more_of_them(self):
        one = verifier()
        found = [refusal(one.verify, WRONG, now=self.START + 300 * (i % 2)) for i in range(100)]
        assert found.count("otp.wrong") == 10
        assert refusal(one.verify, PHONE.present(now=self.START), now=self.START) == "otp.throttled"

    def test_guesses_at_a_step_to_come_are_still_known_when_it_comes(self):
        clock = [self.START]
        one = verifier(RotatingCodes(MASTER, clock=lambda: clock[0]))
        ahead = self.START + 3600
        for _ in range(5):
            assert refusal(one.verify, WRONG, now=ahead) == "otp.wrong"
        for clock[0] in range(self.START, ahead + 1, 10):
            one.verify(PHONE.present(now=clock[0]), now=clock[0]) if clock[0] < ahead - STEP else None
        assert refusal(one.verify, PHONE.present(now=ahead), now=ahead) == "otp.throttled"

    def test_counts_end_by_a_clock_that_only_moves_on(self):
        clock = [self.START]
        codes = RotatingCodes(MASTER, clock=lambda: clock[0])
        first = self.START // STEP
        assert self.looked_at(codes, range(first, first + 1), each=9) == 5
        clock[0] -= 10_000
        assert self.looked_at(codes, range(first, first + 1), each=9) == 0
        clock[0] = codes.window(first) + 300 - 1
        assert self.looked_at(codes, range(first, first + 1), each=9) == 0
        assert codes._held == 2
        clock[0] += 1 + STEP
        assert self.looked_at(codes, range(first + 20, first + 21), each=1) == 1
        assert codes._held == 2  # those of the new steps

    def test_a_used_up_step_leaves_the_next_one_to_be_shown(self):
        one = verifier()
        for _ in range(5):
            refusal(one.verify, WRONG, now=self.START)
        assert refusal(one.verify, PHONE.present(now=self.START), now=self.START + STEP) == "otp.wrong"
        assert one.verify(PHONE.present(now=self.START + STEP), now=self.START + STEP)

    def test_threads_look_at_no_code_more(self):
        one = verifier()
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: refusal(one.verify, WRONG), range(200)))
        assert found.count("otp.wrong") == 5

    def test_a_refusal_says_what_was_measured(self):
        with pytest.raises(OtpError) as caught:
            verifier().verify(WRONG, now=self.START + 12)
        step = self.START // STEP
        assert caught.value.facts == {
            "now": self.START + 12, "first_step": step - 1, "last_step": step, "next_in": 18,
        }  # fmt: skip

    def test_a_refusal_does_not_name_steps_that_were_not_compared(self):
        one, step = verifier(), self.START // STEP
        for _ in range(5):
            refusal(one.verify, WRONG, now=self.START)
        with pytest.raises(OtpError) as caught:
            one.verify(WRONG, now=self.START + STEP)
        assert (caught.value.facts["first_step"], caught.value.facts["last_step"]) == (step + 1, step + 1)
        with pytest.raises(OtpError, match=r"otp\.throttled") as caught:
            one.verify(WRONG, now=self.START)
        assert (caught.value.facts["first_step"], caught.value.facts["last_step"]) == (step - 1, step)


class TestRecorded:
    START = NOW - NOW % STEP

    def verifier(self, clock: int, **options) -> Verifier:
        return verifier(RotatingCodes(MASTER, clock=lambda: clock), **options)

    def test_wrong_codes_of_recorded_scans_are_not_counted_and_learn_nothing_of_counts(self):
        one = self.verifier(self.START + 3600)
        for _ in range(9):
            assert refusal(one.verify, WRONG, now=self.START, recorded=True) == "otp.wrong"
        assert one.verify_many([WRONG] * 9, now=self.START, recorded=True).counts() == {"otp.wrong": 9}
        for _ in range(5):
            assert refusal(one.verify, WRONG, now=self.START) == "otp.wrong"
        assert one.verify(PHONE.present(now=self.START), now=self.START, recorded=True)

    def test_a_code_that_may_still_be_good_is_not_looked_at(self):
        past = self.START + 60 + 300
        for text in (WRONG, PHONE.present(now=self.START)):
            early = self.verifier(past - 1)
            with pytest.raises(CannotCheckError, match=r"otp\.unavailable") as caught:
                early.verify(text, now=self.START, recorded=True)
            assert "扫码时间距今太近：1 秒后方可校验。" in caught.value.hint.zh
            assert refusal(early.verify, text, now=self.START + 3600, recorded=True) == "otp.unavailable"
            assert early.verify_many([text], now=self.START, recorded=True).counts() == {"otp.unavailable": 1}
        assert self.verifier(past).verify(PHONE.present(now=self.START), now=self.START, recorded=True)

    def test_a_code_is_not_looked_at_after_a_clock_that_was_ahead_is_right_again(self):
        clock = [self.START]
        codes = RotatingCodes(MASTER, clock=lambda: clock[0])
        one = verifier(codes, clock=lambda: clock[0])
        clock[0] += 3600
        assert refusal(one.verify, WRONG) == "otp.wrong"
        clock[0] = self.START
        for text in (WRONG, PHONE.present(now=self.START)):
            assert refusal(one.verify, text, now=self.START, recorded=True) == "otp.unavailable"

    @pytest.mark.parametrize("clock", [1000 * START, -1])
    def test_a_clock_that_counts_no_seconds_looks_at_no_code(self, clock: int):
        one = self.verifier(clock)
        for recorded in (False, True):
            with pytest.raises(ValueError, match="is it in milliseconds"):
                one.verify(PHONE.present(now=self.START), now=self.START, recorded=recorded)

    def test_two_engines_that_are_compared_do_the_same(self):
        from ybtoken.engines.crosscheck import CrossCheckEngine
        from ybtoken.engines.serial import SerialEngine

        one = self.verifier(self.START + 3600, engine=CrossCheckEngine(SerialEngine()))
        assert refusal(one.verify, WRONG, now=self.START, recorded=True) == "otp.wrong"
        recorded = one._limits.one_time_codes.recorded()
        assert isinstance(recorded, RecordedCodes)
        assert recorded.recorded() is recorded

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    def test_a_child_process_is_not_locked_out(self):
        from tests.support import in_child

        codes = RotatingCodes(MASTER)
        with codes._lock:
            assert in_child(lambda: codes.check(ISSUED.voucher, b"kid", with_code_at(NOW), NOW)) == NOW // STEP


def with_code_at(now: int) -> str:
    return one_time_code(PHONE.secret, now // STEP)


class TestRedeem:
    def guarded(self, clock=lambda: NOW) -> Verifier:
        return verifier(guard=MemoryReplayGuard(clock=clock), clock=clock)

    def test_a_step_is_redeemed_once(self):
        one = self.guarded()
        assert one.redeem(PHONE.present(now=NOW)).time_step == NOW // STEP
        assert refusal(one.redeem, PHONE.present(now=NOW)) == "redeem.replayed"

    def test_steps_only_go_up(self):
        one = self.guarded()
        one.redeem(PHONE.present(now=NOW))
        assert refusal(one.redeem, PHONE.present(now=NOW - 30)) == "redeem.replayed"
        other = self.guarded()
        assert other.redeem(PHONE.present(now=NOW - 30)).time_step == NOW // STEP - 1
        assert other.redeem(PHONE.present(now=NOW)).time_step == NOW // STEP

    def test_a_verifier_whose_clock_is_behind_accepts_no_earlier_step_either(self):
        start = NOW - NOW % STEP
        guard = MemoryReplayGuard(clock=lambda: start)
        codes = RotatingCodes(MASTER)
        right, behind = (verifier(codes, guard=guard, clock=lambda now=now: now) for now in (start + 5, start - 5))
        right.redeem(PHONE.present(now=start))
        for earlier in (start - 30, start - 60):
            assert refusal(behind.redeem, PHONE.present(now=earlier)) == "redeem.replayed"

    def test_of_many_at_once_one_is_accepted_and_steps_go_up(self):
        """No acceptance begins after that of a later step has returned."""
        start = NOW - NOW % STEP
        for round_ in range(20):
            issued = fake_issuer(random=lambda size, r=round_: bytes([r] * size)).issue_rotating_pass(HOLDER, CITY)
            phone = CODES.enrol(issued)
            one, order, lock = self.guarded(lambda: start), list[int](), threading.Lock()

            def attempt(text, one=one, order=order, lock=lock):
                try:
                    step = one.redeem(text).time_step
                except RedeemError:
                    return
                with lock:
                    order.append(step)

            texts = [phone.present(now=start), phone.present(now=start - 30)] * 8
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(attempt, texts))
            assert len(order) == len(set(order)) in (1, 2)
            assert start // STEP in order
            for text in texts:
                assert refusal(one.redeem, text) == "redeem.replayed"

    @pytest.mark.parametrize("wait", [False, True])
    def test_the_same_for_asyncio(self, wait):
        import asyncio

        class Slow(AsyncReplayGuard):
            def __init__(self):
                self.inner = MemoryReplayGuard(clock=lambda: NOW)

            async def claim(self, key, **times):
                await asyncio.sleep(0)
                self.inner.claim(key, **times)

        one = verifier(guard=Slow() if wait else MemoryReplayGuard(clock=lambda: NOW))

        async def story():
            await one.redeem_async(PHONE.present(now=NOW))
            for text in (PHONE.present(now=NOW), PHONE.present(now=NOW - 30)):
                with pytest.raises(RedeemError):
                    await one.redeem_async(text)

        asyncio.run(story())

    def test_a_claim_is_remembered_for_as_long_as_the_step_may_be_accepted(self):
        claims = []

        class Recording(ReplayGuard):
            def claim(self, key, *, since, by, until):
                claims.append((key, since, by, until))

        start = NOW - NOW % STEP
        redeemed = verifier(guard=Recording(), clock=lambda: start + 12).redeem(PHONE.present(now=start))
        base, step = redeemed.kid + redeemed.nonce, start // STEP
        times = start - 20, start + 60 + 10, start + 240
        assert claims == [(base + s.to_bytes(4, "big"), *times) for s in (step, step - 2, step - 1)]


def test_the_promise_holds_with_any_guard():
    from ybtoken.testing.guards import check_rotating_redemption

    check_rotating_redemption(lambda clock: MemoryReplayGuard(clock=clock))


def test_a_guard_that_forgets_breaks_the_promise():
    from ybtoken.testing.guards import check_rotating_redemption

    class Forgetful(ReplayGuard):
        def claim(self, key, **times):
            pass

    with pytest.raises(AssertionError):
        check_rotating_redemption(lambda clock: Forgetful())


@pytest.mark.parametrize(
    "bad",
    [{"master": {}}, {"master": b"short"}, {"master": {0: MASTER, 5: b""}}, {"steps_back": -1}, {"tries": 0},
     {"capacity": 0}],
)  # fmt: skip
def test_settings_are_checked(bad):
    with pytest.raises(ValueError, match=r"at least|0 to 120"):
        RotatingCodes(**{"master": MASTER} | bad)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: RotatingCodes("m" * 32), "a master key is bytes"),
        (lambda: RotatingCodes(MASTER, steps_back=True), "steps_back is an integer, not bool"),
        (lambda: RotatingCodes(MASTER, tries=1.5), "tries is an integer, not float"),
        (lambda: CODES.enrol(ISSUED.data), "issued is a Pass"),
        (lambda: RotatingPass(ISSUED.data.hex(), PHONE.secret), "data is the bytes of a pass, not str"),
        (lambda: RotatingPass(ISSUED.data, "s" * 32), "secret is bytes, not str"),
        (lambda: RotatingPass(ISSUED.data, PHONE.secret, clock=NOW), "clock is a function"),
    ],
)
def test_it_says_what_it_wants(make, wanted):
    with pytest.raises(TypeError, match=wanted):
        make()


def test_only_a_rotating_pass_is_enrolled():
    key = P256SigningKey.generate()
    bound = fake_issuer().issue_device_bound_pass(HOLDER, CITY, key.verifying_key)
    with pytest.raises(ValueError, match="rotating"):
        CODES.enrol(bound)
    with pytest.raises(ValueError, match="32 bytes"):
        RotatingPass(ISSUED.data, b"")


def test_secrets_are_not_shown_and_not_pickled():
    import pickle

    shown = repr(CODES) + repr(PHONE)
    for secret in (MASTER, PHONE.secret):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(CODES)


def test_the_phone_has_a_clock_of_its_own():
    assert RotatingPass(PHONE.data, PHONE.secret, clock=lambda: NOW + 0.9).present() == PHONE.present(now=NOW)
