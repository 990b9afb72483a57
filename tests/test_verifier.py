from __future__ import annotations

import asyncio
import functools
import io
import threading
import tracemalloc
from collections import Counter

import pytest

from tests.support import CITY, EXTRAS, FAKE, HOLDER, NOW, RING, a_voucher, fake_issuer, fake_verifier, signed_text
from ybtoken import (
    Algorithm,
    AsyncReplayGuard,
    CannotCheckError,
    KeyEntry,
    KeyRing,
    MemoryReplayGuard,
    Profile,
    ReplayGuard,
    Scope,
    SerialEngine,
    TokenError,
    Verdicts,
    VerifiedVoucher,
    Verifier,
    Voucher,
)
from ybtoken.errors import PolicyError, RedeemError, ScopeError, TimeError
from ybtoken.keys.ring import Use
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import Channel, Purpose
from ybtoken.wire.claims import encode_claims


def refused(call, **arguments) -> TokenError:
    with pytest.raises(TokenError) as caught:
        call(**arguments)
    return caught.value


class TestVerify:
    def test_it_gives_the_voucher_and_what_was_checked(self, issuer, verifier):
        token = issuer.issue(HOLDER, CITY, **EXTRAS)
        verified = verifier.verify(token.text)
        assert isinstance(verified, VerifiedVoucher)
        for name in Voucher.__dataclass_fields__:
            assert getattr(verified, name) == getattr(token.voucher, name)
        assert verified.profile is Profile.VOUCHER
        assert (verified.kid, verified.algorithm, verified.issuer) == (FAKE.kid, Algorithm.ES256, "Zhejiang")
        assert verified.verified_at == NOW

    def test_numbers_get_their_leading_zeros_back(self):
        verifier = Verifier(KeyRing([KeyEntry(FAKE, "all")]), clock=lambda: NOW)
        verified = verifier.verify(fake_issuer(purposes=None).issue(HOLDER, "000001", purpose="00007").text)
        assert (verified.city_code, verified.purpose) == ("000001", "00007")

    def test_it_is_pure(self, issuer, verifier):
        text = issuer.issue(HOLDER, CITY).text
        assert verifier.verify(text) == verifier.verify(text)
        verifier.redeem(text)
        assert verifier.verify(text)

    def test_the_clock_is_read_once_and_a_call_may_bring_its_own_time(self, issuer):
        times = iter([NOW + 0.999])
        verifier = fake_verifier(clock=lambda: next(times))
        text = issuer.issue(HOLDER, CITY).text
        assert verifier.verify(text).verified_at == NOW
        assert verifier.verify(text, now=NOW + 1).verified_at == NOW + 1

    def test_an_error_of_time_states_its_facts(self, issuer, verifier):
        text = issuer.issue(HOLDER, CITY).text
        late = refused(verifier.verify, text=text, now=NOW + 100)
        assert isinstance(late, TimeError)
        assert late.facts == {
            "issued_at": NOW, "expired_at": NOW + 60, "now": NOW + 100, "skew": 10,
            "ahead": -100, "late": 40, "lifetime": 60,
        }  # fmt: skip
        assert "40 s ago" in late.what.en
        early = refused(verifier.verify, text=text, now=NOW - 30)
        assert (early.code, early.ahead) == ("time.future", 30)
        long_lived = fake_issuer(lifetime=301).issue(HOLDER, CITY).text
        assert refused(verifier.verify, text=long_lived).lifetime == 301

    def test_an_error_of_scope_states_both_places(self, issuer, verifier):
        error = refused(verifier.verify, text=issuer.issue(HOLDER, "330201").text)
        assert isinstance(error, ScopeError)
        assert error.facts == {
            "kid": FAKE.kid.hex(), "issuer": "Zhejiang", "issued_at": NOW, "city_code": "330201", "scope": "33-3302",
        }  # fmt: skip
        assert "浙江宁波（330201）" in error.what.zh
        assert "浙江（浙江宁波除外）" in error.what.zh

    def test_policies_come_last_and_all_must_agree(self, issuer):
        verifier = fake_verifier(policies=iter([Channel(7), Purpose("01301")]))
        assert verifier.verify(issuer.issue(HOLDER, CITY, channel=7, purpose="01301").text)
        assert refused(verifier.verify, text=issuer.issue(HOLDER, CITY, channel=7).text).code == "policy.purpose"
        assert refused(verifier.verify, text=issuer.issue(HOLDER, CITY).text).code == "policy.channel"
        assert refused(verifier.verify, text=issuer.issue(HOLDER, "110101").text).code == "scope.place"

    def test_a_policy_sees_a_verified_voucher_and_the_time(self, issuer):
        seen = []

        class Witness:
            def check(self, voucher, now):
                seen.append((voucher, now))

        verified = fake_verifier(policies=[Witness()]).verify(issuer.issue(HOLDER, CITY).text, now=NOW + 3)
        assert seen == [(verified, NOW + 3)]

    def test_bounds_of_time_are_the_verifiers_own(self, issuer):
        strict = fake_verifier(skew=0, max_lifetime=59)
        assert refused(strict.verify, text=issuer.issue(HOLDER, CITY).text).code == "time.lifetime"
        assert refused(strict.verify, text=issuer.issue(HOLDER, CITY).text, now=NOW - 1).code == "time.future"

    @pytest.mark.parametrize("text", [None, b"96", 96])
    def test_what_is_no_text_is_misuse(self, verifier, text):
        with pytest.raises(TypeError):
            verifier.verify(text)

    def test_its_own_clock_is_the_machines(self):
        from ybtoken import Issuer

        assert Verifier(RING).verify(Issuer(FAKE).issue(HOLDER, CITY).text)

    def test_an_engine_may_be_passed(self, issuer):
        class Counting(SerialEngine):
            prepared = 0

            def prepare(self, keys):
                self.prepared += 1
                return super().prepare(keys)

        engine = Counting()
        verifier = fake_verifier(engine=engine)
        verifier.verify(issuer.issue(HOLDER, CITY).text)
        assert engine.prepared == 1
        assert verifier.keys is RING

    @pytest.mark.parametrize(
        "options", [{"skew": -1}, {"max_lifetime": 0}, {"max_pass_lifetime": 0}, {"max_display_age": 0}]
    )
    def test_bounds_make_sense(self, options):
        with pytest.raises(ValueError, match=r"is at least [01] seconds"):
            fake_verifier(**options)

    @pytest.mark.parametrize(
        ("options", "wanted"),
        [
            ({"skew": 0.5}, "skew is a number of whole seconds"),
            ({"skew": True}, "skew is a number of whole seconds"),
            ({"max_lifetime": "300"}, "max_lifetime is a number of whole seconds"),
            ({"policies": Channel(7)}, "put the one policy into a list"),
            ({"policies": 7}, "policies is a list of policies"),
            ({"policies": [object()]}, "an object with check"),
            ({"engine": "native"}, "engine is an engine, such as NativeEngine"),
            ({"engine": SerialEngine}, "not the class SerialEngine itself"),
            ({"guard": MemoryReplayGuard}, "not the class MemoryReplayGuard itself"),
            ({"guard": object()}, "guard is a ReplayGuard or an AsyncReplayGuard"),
            ({"otp": b"master"}, "otp is a RotatingCodes"),
            ({"clock": 7}, "clock is a function that gives seconds since 1970"),
        ],
    )
    def test_what_is_of_another_kind_is_refused_at_once(self, options, wanted):
        with pytest.raises(TypeError, match=wanted):
            fake_verifier(**options)

    @pytest.mark.parametrize(
        ("now", "error", "wanted"),
        [
            ("1800000000", TypeError, "now is a time in whole seconds"),
            (1.8e9, TypeError, "now is a time in whole seconds"),
            (True, TypeError, "now is a time in whole seconds"),
            (-1, ValueError, "now is 0 to"),
            (2**33, ValueError, "now is 0 to"),
            ([1.8e9], TypeError, "one time for each text"),
            (["1800000000"], TypeError, "one time for each text"),
            ([NOW * 1000], ValueError, "are they milliseconds"),
            ([-1], ValueError, "every time in now"),
            ([2**33], ValueError, "every time in now"),
            ([2**70], ValueError, "every time in now"),
        ],
    )
    def test_a_time_is_in_whole_seconds(self, issuer, now, error, wanted):
        text = issuer.issue(HOLDER, CITY).text
        if not isinstance(now, list):
            with pytest.raises(error, match=wanted):
                fake_verifier().verify(text, now=now)
        wanted = "one time for each text" if isinstance(now, str) else wanted
        with pytest.raises(error, match=wanted):
            fake_verifier().verify_many([text], now=now)

    def test_the_latest_time_is_one(self, issuer):
        text = issuer.issue(HOLDER, CITY).text
        assert fake_verifier().verify_many([text], now=[2**33 - 1]).counts() == {"time.expired": 1}

    def test_a_clock_in_milliseconds_is_refused(self, issuer):
        text = issuer.issue(HOLDER, CITY).text
        verifier = fake_verifier(clock=lambda: NOW * 1000)
        for call, argument in ((verifier.verify, text), (verifier.verify_many, [text])):
            with pytest.raises(ValueError, match=r"the clock is .* is it in milliseconds"):
                call(argument)

    def test_challenges_are_one_for_each_text(self, issuer):
        text, asked = issuer.issue(HOLDER, CITY).text, Challenge("T1", "01301", bytes(8))
        with pytest.raises(ValueError, match="one entry for each text: 1, not 2"):
            fake_verifier().verify_many([text], challenge=[asked, None])

    def test_a_recorded_scan_goes_without_a_challenge(self, issuer):
        text, asked = issuer.issue(HOLDER, CITY).text, Challenge("T1", "01301", bytes(8))
        for call, argument in ((fake_verifier().verify, text), (fake_verifier().verify_many, [text])):
            with pytest.raises(ValueError, match="accepts an answer to any challenge"):
                call(argument, challenge=asked, recorded=True)

    @pytest.mark.parametrize("challenge", ["any", "95123", b"", 7])
    def test_a_challenge_is_a_challenge(self, issuer, challenge):
        text = issuer.issue(HOLDER, CITY).text
        for call, argument in ((fake_verifier().verify, text), (fake_verifier().verify_many, [text])):
            with pytest.raises(TypeError, match="challenge is a Challenge"):
                call(argument, challenge=challenge)

    @pytest.mark.parametrize("keys", [[], {}, None, [RING.entries[0]], FAKE])
    def test_keys_are_a_ring(self, keys):
        with pytest.raises(TypeError, match="keys is a KeyRing"):
            Verifier(keys)

    def test_keys_for_status_lists_verify_no_tokens(self):
        with pytest.raises(ValueError, match="these keys are for status lists"):
            Verifier(KeyRing([KeyEntry(FAKE, "Zhejiang", use=Use.STATUS)]))

    @pytest.mark.parametrize("times", [[], [NOW], [NOW] * 3])
    def test_many_texts_have_one_time_each_or_one_for_all(self, issuer, verifier, times):
        texts = [issuer.issue(HOLDER, CITY).text for _ in range(2)]
        with pytest.raises(ValueError, match=f"{len(times)} times for 2 texts"):
            verifier.verify_many(texts, now=times)
        verdicts = verifier.verify_many(texts, now=[NOW + 1, NOW + 1000])
        assert verdicts[0].verified_at == NOW + 1
        assert verdicts.counts() == {"time.expired": 1}


class AsyncMemory(AsyncReplayGuard):
    """An asynchronous guard that lets other tasks run before it claims."""

    def __init__(self) -> None:
        self.guard = MemoryReplayGuard(clock=lambda: NOW)

    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        await asyncio.sleep(0)
        self.guard.claim(key, since=since, by=by, until=until)


class Unavailable(ReplayGuard):
    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        raise CannotCheckError("redeem.unavailable", reason="down")


class Recording(ReplayGuard):
    def __init__(self) -> None:
        self.claims: list[tuple[bytes, int, int, int]] = []

    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        self.claims.append((key, since, by, until))


class TestRedeem:
    def test_a_token_is_good_once(self, issuer, verifier):
        text = issuer.issue(HOLDER, CITY).text
        assert isinstance(verifier.redeem(text), VerifiedVoucher)
        for _ in range(3):
            assert refused(verifier.redeem, text=text).code == "redeem.replayed"
        assert verifier.redeem(issuer.issue(HOLDER, CITY).text)

    def test_what_is_claimed_is_kid_and_nonce_until_no_verifier_takes_it(self, issuer):
        guard = Recording()
        token = issuer.issue(HOLDER, CITY)
        verified = fake_verifier(guard=guard, skew=15).redeem(token.text)
        assert guard.claims == [(FAKE.kid + token.voucher.nonce, NOW - 2 * 15, NOW + 60 + 15, NOW + 60 + 240)]
        assert verified.replay_key == guard.claims[0][0]

    def test_a_replay_is_refused_for_as_long_as_the_token_would_be_good(self, issuer):
        clock = [NOW]
        verifier = fake_verifier(guard=MemoryReplayGuard(clock=lambda: clock[0]), clock=lambda: clock[0])
        text = issuer.issue(HOLDER, CITY).text
        verifier.redeem(text)
        codes = Counter()
        for clock[0] in range(NOW, NOW + 100):
            codes[refused(verifier.redeem, text=text).code] += 1
        assert codes == {"redeem.replayed": 70, "time.expired": 30}

    @pytest.mark.parametrize("bad", ["text", "late", "place", "policy"])
    def test_a_bad_token_claims_nothing(self, issuer, bad):
        guard = Recording()
        verifier = fake_verifier(guard=guard, policies=[Channel(7)])
        token = issuer.issue(HOLDER, "110101" if bad == "place" else CITY, channel=8 if bad == "policy" else 7)
        text = token.text[:-1] if bad == "text" else token.text
        assert refused(verifier.redeem, text=text, now=NOW + 1000 * (bad == "late"))
        assert guard.claims == []

    def test_two_keys_may_use_one_nonce(self):
        from ybtoken.testing.keys import FakeKey

        other = FakeKey("other")
        verifier = Verifier(
            KeyRing([*RING.entries, KeyEntry(other, "Zhejiang")]), guard=MemoryReplayGuard(clock=lambda: NOW)
        )
        payload = encode_claims(a_voucher())
        for key in (FAKE, other):
            verifier.redeem(signed_text(payload, key), now=NOW)

    def test_one_nonce_under_one_key_is_one_use_whatever_else_is_stated(self, issuer, verifier):
        verifier.redeem(issuer.sign(a_voucher()).text)
        assert refused(verifier.redeem, text=issuer.sign(a_voucher(channel=1)).text).code == "redeem.replayed"

    def test_a_store_that_is_down_accepts_nothing(self, issuer):
        verifier = fake_verifier(guard=Unavailable())
        error = refused(verifier.redeem, text=issuer.issue(HOLDER, CITY).text)
        assert error.code == "redeem.unavailable"
        assert "down" in error.hint.zh

    def test_without_a_guard_it_is_misuse(self, issuer):
        text = issuer.issue(HOLDER, CITY).text
        with pytest.raises(TypeError, match="needs a Verifier with a ReplayGuard"):
            fake_verifier().redeem(text)
        with pytest.raises(TypeError, match="needs a Verifier with a guard"):
            asyncio.run(fake_verifier().redeem_async(text))

    def test_an_asynchronous_guard_is_not_forgotten_to_be_awaited(self, issuer):
        text = issuer.issue(HOLDER, CITY).text
        with pytest.raises(TypeError, match="use redeem_async"):
            fake_verifier(guard=AsyncMemory()).redeem(text)

    def test_not_even_behind_a_wrapper(self, issuer):
        inner = AsyncMemory()

        class Wrapped:
            def claim(self, key: bytes, *, since: int, by: int, until: int): ...

            def claim_many(self, claims):
                awaitable = inner.claim_many(claims)
                awaitable.close()  # or Python warns that nobody awaited it
                return awaitable

        with pytest.raises(TypeError, match="use redeem_async"):
            fake_verifier(guard=Wrapped()).redeem(issuer.issue(HOLDER, CITY).text)

    def test_64_threads_redeem_one_token_and_one_succeeds(self):
        """1,000 tokens, each shown by 64 threads at once."""
        threads, rounds = 64, 1000
        verifier = fake_verifier(guard=MemoryReplayGuard(clock=lambda: NOW))
        issuer = fake_issuer()
        texts = [issuer.issue(HOLDER, CITY).text for _ in range(rounds)]
        accepted: list[int] = []
        refused_with: list[str] = []  # appending is atomic; adding to a counter is not
        start = threading.Barrier(threads)

        def redeem_all() -> None:
            for number, text in enumerate(texts):
                if number % 10 == 0:
                    start.wait()
                try:
                    verifier.redeem(text)
                except TokenError as error:
                    refused_with.append(error.code)
                else:
                    accepted.append(number)

        workers = [threading.Thread(target=redeem_all) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(accepted) == list(range(rounds))
        assert Counter(refused_with) == {"redeem.replayed": rounds * (threads - 1)}


class TestRedeemAsync:
    def test_one_of_many_succeeds(self, issuer):
        verifier = fake_verifier(guard=AsyncMemory())
        text = issuer.issue(HOLDER, CITY).text

        async def redeem_all() -> list[object]:
            return await asyncio.gather(*(verifier.redeem_async(text) for _ in range(50)), return_exceptions=True)

        outcomes = asyncio.run(redeem_all())
        assert sum(isinstance(outcome, VerifiedVoucher) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, RedeemError) for outcome in outcomes) == 49

    def test_an_awaitable_of_any_kind_is_awaited(self, issuer):
        class Partial:
            def __init__(self) -> None:
                inner = AsyncMemory()
                self.claim, self.claim_many = functools.partial(inner.claim), functools.partial(inner.claim_many)

        verifier = fake_verifier(guard=Partial())
        text = issuer.issue(HOLDER, CITY).text
        assert asyncio.run(verifier.redeem_async(text)).verified_at == NOW
        with pytest.raises(RedeemError):
            asyncio.run(verifier.redeem_async(text))

    def test_a_guard_that_never_waits_will_do(self, issuer, verifier):
        text = issuer.issue(HOLDER, CITY).text
        assert asyncio.run(verifier.redeem_async(text, now=NOW + 1)).verified_at == NOW + 1
        with pytest.raises(RedeemError):
            asyncio.run(verifier.redeem_async(text))

    def test_a_bad_token_is_refused_before_the_guard(self, issuer):
        guard = Recording()
        verifier = fake_verifier(guard=guard, policies=[Channel(7)])
        with pytest.raises(PolicyError):
            asyncio.run(verifier.redeem_async(issuer.issue(HOLDER, CITY).text))
        assert guard.claims == []


def test_many_empty_lines_are_verified_some_at_a_time():
    import io

    for lines, sizes in (
        (b"\n" * 40_000, [16_384, 16_384, 7_232]),
        (b"\n" * 16_384, [16_384]),
        (b"\n" * 16_385 + b"x", [16_384, 1, 1]),
    ):
        parts = list(fake_verifier().verify_lines(io.BytesIO(lines)))
        assert [len(part) for part in parts] == sizes


class TestRedeemMany:
    """That its verdicts are those of `redeem` is a law: see test_laws."""

    @pytest.fixture(params=["here", "asyncio"])
    def redeem_many(self, request):
        if request.param == "here":
            return Verifier.redeem_many
        return lambda *args, **options: asyncio.run(Verifier.redeem_many_async(*args, **options))

    def test_of_a_token_that_is_there_twice_the_first_is_accepted(self, issuer, verifier, redeem_many):
        texts = [issuer.issue(HOLDER, CITY).text for _ in range(200)]
        verdicts = redeem_many(verifier, [*texts, "96", *texts[::-1]])
        assert verdicts.counts() == {"redeem.replayed": 200, "text.length": 1}
        assert all(isinstance(verdict, VerifiedVoucher) for verdict in verdicts[:200])
        assert redeem_many(verifier, texts).counts() == {"redeem.replayed": 200}

    def test_texts_come_in_any_form(self, issuer, verifier, redeem_many):
        texts = [issuer.issue(HOLDER, CITY).text for _ in range(3)]
        assert redeem_many(verifier, iter(texts)).accepted == 3
        lines = "\n".join([*texts, issuer.issue(HOLDER, CITY).text]).encode()
        assert redeem_many(verifier, lines, now=[NOW, NOW, NOW, NOW + 1])[3].verified_at == NOW + 1
        assert redeem_many(verifier, []).codes == b""

    def test_refused_tokens_claim_nothing(self, issuer, redeem_many):
        guard = Recording()
        verifier = fake_verifier(guard=guard, policies=[Channel(7)])
        good = issuer.issue(HOLDER, CITY, channel=7)
        verdicts = redeem_many(verifier, [issuer.issue(HOLDER, CITY).text, good.text, "96"])
        assert [key for key, *_ in guard.claims] == [verdicts[1].replay_key]
        assert redeem_many(verifier, [good.text], challenge=Challenge.new("t1", "01301")).counts() == {
            "challenge.missing": 1
        }
        assert len(guard.claims) == 1

    def test_a_store_that_is_down_accepts_nothing(self, issuer, redeem_many):
        verdicts = redeem_many(
            fake_verifier(guard=Unavailable()), [issuer.issue(HOLDER, CITY).text for _ in range(3)] + ["96"]
        )
        assert verdicts.counts() == {"redeem.unavailable": 3, "text.length": 1}
        assert verdicts[0].reason == "down"

    def test_a_store_that_fails_under_way_refuses_what_it_was_asked_then(self, issuer, redeem_many):
        class Failing(MemoryReplayGuard):
            def claim(self, key, **times):
                if self.held == 70:
                    raise CannotCheckError("redeem.timeout", reason="slow")
                super().claim(key, **times)

        verifier = fake_verifier(guard=Failing(clock=lambda: NOW))
        verdicts = redeem_many(verifier, [issuer.issue(HOLDER, CITY).text for _ in range(100)])
        assert verdicts.codes == bytes(70) + bytes([verdicts[99].number]) * 30
        assert verdicts[99].code == "redeem.timeout"

    @pytest.mark.parametrize(
        ("error", "asked"), [("redeem.timeout", 1), ("redeem.unavailable", 1), ("redeem.restarted", 2), (None, 2)]
    )
    def test_a_store_that_answered_nobody_is_not_waited_for_again(self, issuer, redeem_many, error, asked):
        class Failing(MemoryReplayGuard):
            calls = 0

            def claim_many(self, claims):
                self.calls += 1
                outcomes = super().claim_many(claims)
                return outcomes if error is None else [CannotCheckError(error) for _ in outcomes]

        guard = Failing(clock=lambda: NOW)
        count = 1025 if redeem_many is Verifier.redeem_many else 65
        verdicts = redeem_many(fake_verifier(guard=guard), [issuer.issue(HOLDER, CITY).text for _ in range(count)])
        assert verdicts.counts() == ({error: count} if error else {})
        assert guard.calls == asked

    def test_one_answer_is_enough_to_ask_on(self, issuer, redeem_many):
        class Failing(MemoryReplayGuard):
            def claim_many(self, claims):
                first, *rest = super().claim_many(claims)
                return [first, *(CannotCheckError("redeem.timeout") for _ in rest)]

        count = 1025 if redeem_many is Verifier.redeem_many else 65
        verdicts = redeem_many(
            fake_verifier(guard=Failing(clock=lambda: NOW)), [issuer.issue(HOLDER, CITY).text for _ in range(count)]
        )
        assert (verdicts.accepted, verdicts.counts()) == (2, {"redeem.timeout": count - 2})

    def test_a_verdict_stays_what_it_was(self, issuer, verifier, redeem_many):
        class Once:
            asked = 0

            def check(self, voucher, now):
                self.asked += 1
                if self.asked > 1:
                    raise PolicyError("policy.place", city_code=CITY, accepted="")

        verifier = fake_verifier(guard=MemoryReplayGuard(clock=lambda: NOW), policies=[Once()])
        verdicts = redeem_many(verifier, [issuer.issue(HOLDER, CITY).text for _ in range(2)])
        assert [isinstance(verdicts[i], VerifiedVoucher) for i in (0, 0, 1)] == [True, True, False]
        assert verdicts[1].city_code == CITY

    def test_misuse_is_told(self, issuer, verifier, redeem_many):
        texts = [issuer.issue(HOLDER, CITY).text]
        with pytest.raises(TypeError, match=r"[Gg]uard"):
            redeem_many(fake_verifier(), texts)
        with pytest.raises(TypeError, match="not one string"):
            redeem_many(verifier, texts[0])
        with pytest.raises(ValueError, match="2 times"):
            redeem_many(verifier, texts, now=[NOW, NOW])
        for outcomes in (None, [], [None, None], (None,)):
            guard = MemoryReplayGuard()
            guard.claim_many = lambda claims, outcomes=outcomes: outcomes
            with pytest.raises(TypeError, match="one outcome for each claim"):
                redeem_many(fake_verifier(guard=guard), texts)

    def test_an_asynchronous_guard_is_awaited_or_told(self, issuer):
        verifier = fake_verifier(guard=AsyncMemory())
        texts = [issuer.issue(HOLDER, CITY).text for _ in range(100)]
        with pytest.raises(TypeError, match="redeem_many_async"):
            verifier.redeem_many(texts)

        async def redeem_twice() -> list[Verdicts]:
            return await asyncio.gather(verifier.redeem_many_async(texts), verifier.redeem_many_async(texts))

        found = asyncio.run(redeem_twice())
        assert sum(verdicts.accepted for verdicts in found) == 100
        assert all((one == 0) != (other == 0) for one, other in zip(found[0].codes, found[1].codes, strict=True))

    def test_others_run_while_many_are_redeemed(self, issuer, verifier):
        texts = [issuer.issue(HOLDER, CITY).text for _ in range(1000)]
        thread = threading.get_ident()
        seen: set[bool] = set()

        class Here(SerialEngine):
            def prepare(self, keys):
                opener = super().prepare(keys)

                class Opener:
                    def open_many(self, texts, limits, now):
                        seen.add(threading.get_ident() == thread)
                        return opener.open_many(texts, limits, now)

                return Opener()

        guard = MemoryReplayGuard(clock=lambda: NOW)
        verifier = fake_verifier(guard=guard, engine=Here())
        held: list[int] = []

        async def heart() -> None:
            while True:
                held.append(guard.held)
                await asyncio.sleep(0)

        async def redeem_all() -> None:
            beating = asyncio.create_task(heart())
            assert (await verifier.redeem_many_async(texts)).accepted == 1000
            beating.cancel()

        asyncio.run(redeem_all())
        assert seen == {False}
        assert len(set(held)) >= 1000 // 64
        asyncio.run(verifier.redeem_many_async(texts[:8]))
        assert seen == {False, True}


class TestRedeemOfRotatingPasses:
    """The accepted steps of a pass only increase: an earlier code that was seen cannot be used after a later one."""

    CODES = RotatingCodes(bytes(32), steps_back=2)

    def redeemed(self, guard, text: str, now: int, asynchronous: bool) -> VerifiedVoucher:
        verifier = fake_verifier(guard=guard, otp=self.CODES)
        return asyncio.run(verifier.redeem_async(text, now=now)) if asynchronous else verifier.redeem(text, now=now)

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_step_is_used_once_and_those_before_it_with_it(self, issuer, asynchronous):
        shown = self.CODES.enrol(issuer.issue_rotating_pass(HOLDER, CITY))
        guard = AsyncMemory() if asynchronous else MemoryReplayGuard(clock=lambda: NOW)
        texts = [shown.present(now=NOW + 30 * step) for step in range(4)]
        assert len(set(texts)) == 4
        assert self.redeemed(guard, texts[1], NOW + 30, asynchronous).time_step == NOW // 30 + 1
        for earlier in (texts[1], texts[0]):
            with pytest.raises(RedeemError):
                self.redeemed(guard, earlier, NOW + 30, asynchronous)
        assert self.redeemed(guard, texts[3], NOW + 90, asynchronous).time_step == NOW // 30 + 3
        with pytest.raises(RedeemError):
            self.redeemed(guard, texts[2], NOW + 90, asynchronous)


def test_guards_are_guards_by_protocol():
    for guard in (MemoryReplayGuard(), Unavailable(), Recording()):
        assert isinstance(guard, ReplayGuard)
    assert isinstance(AsyncMemory(), AsyncReplayGuard)


def test_a_ring_of_no_keys_accepts_nothing(issuer):
    error = refused(Verifier(KeyRing()).verify, text=issuer.issue(HOLDER, CITY).text)
    assert (error.code, error.kid) == ("key.unknown", FAKE.kid.hex())


def test_a_withdrawn_key_is_refused_from_then_on(issuer):
    verifier = Verifier(RING.withdrawn(FAKE.kid, since=NOW), clock=lambda: NOW)
    assert verifier.verify(issuer.issue(HOLDER, CITY, now=NOW - 1).text)
    assert refused(verifier.verify, text=issuer.issue(HOLDER, CITY).text).code == "scope.withdrawn"


def test_a_key_out_of_force_is_refused(issuer):
    verifier = Verifier(KeyRing([KeyEntry(FAKE, "Zhejiang", Scope(("33",)), NOW + 1)]), clock=lambda: NOW)
    assert refused(verifier.verify, text=issuer.issue(HOLDER, CITY).text).code == "scope.period"


class TestLines:
    """A file of lines gets the verdicts of its texts, wherever the chunks are cut."""

    TEXTS = (GOOD_LINE := fake_issuer().issue(HOLDER, CITY).text, "", "96x", GOOD_LINE, "é" * 799, "é" * 801, GOOD_LINE)

    @pytest.mark.parametrize("chunk_bytes", [1, 2, 100, 337, 338, 339, 1000, 1 << 20])
    @pytest.mark.parametrize("end", ["", "\n", "\n\n"])
    def test_cuts_change_no_verdict(self, chunk_bytes: int, end: str) -> None:
        lines = ("\n".join(self.TEXTS) + end).encode()
        verifier = fake_verifier()
        expected = verifier.verify_many(lines).codes
        chunks = list(verifier.verify_lines(io.BytesIO(lines), chunk_bytes=chunk_bytes))
        assert b"".join(verdicts.codes for verdicts in chunks) == expected
        assert len(expected) == len(self.TEXTS) + max(len(end) - 1, 0)
        if chunk_bytes < 338:
            assert len(chunks) > 3

    @pytest.mark.parametrize("character", ["9", "é", "😀"])
    def test_a_line_that_never_ends_is_not_kept(self, character: str) -> None:
        line = io.BytesIO((self.TEXTS[0] + "\n" + "96" + character * 3_000_000).encode())
        tracemalloc.start()
        found = [verdicts.codes for verdicts in fake_verifier().verify_lines(line, chunk_bytes=10_000)]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == [b"\0", b"\x11"]
        assert peak < 500_000

    def test_an_empty_file_has_no_verdicts(self) -> None:
        assert list(fake_verifier().verify_lines(io.BytesIO())) == []

    def test_the_time_is_the_clocks_or_the_given_one(self) -> None:
        late = fake_verifier().verify_lines(io.BytesIO(self.TEXTS[0].encode()), now=NOW + 1000)
        assert [verdicts.counts() for verdicts in late] == [{"time.expired": 1}]

    def test_misuse_is_told(self) -> None:
        with pytest.raises(ValueError, match="chunk_bytes"):
            next(fake_verifier().verify_lines(io.BytesIO(b"96"), chunk_bytes=0))
        with pytest.raises(TypeError):
            next(fake_verifier().verify_lines(io.StringIO("96")))  # type: ignore[arg-type]
