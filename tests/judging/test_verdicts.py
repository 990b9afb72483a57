from __future__ import annotations

import gc
import tracemalloc

import pytest

from tests.support import HOLDER, NOW, fake_issuer, fake_verifier
from ybtoken import TokenError, VerifiedVoucher, Verifier, Voucher
from ybtoken.errors import StatusError, TextError
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import Channel
from ybtoken.voucher import Note
from ybtoken.words import Words

ISSUER = fake_issuer()
GOOD = [ISSUER.issue(HOLDER, "330106", channel=7).text for _ in range(3)]
LATE = ISSUER.issue(HOLDER, "330106", now=NOW - 100).text
FAR = ISSUER.issue(HOLDER, "110101", channel=7).text
OTHER_CHANNEL = ISSUER.issue(HOLDER, "330106", channel=8).text
TEXTS = [GOOD[0], "96x", LATE, GOOD[1], FAR, OTHER_CHANNEL, "96x", GOOD[2]]
CODES = [
    "accepted",
    "text.digits",
    "time.expired",
    "accepted",
    "scope.place",
    "policy.channel",
    "text.digits",
    "accepted",
]


@pytest.fixture
def picky() -> Verifier:
    return fake_verifier(policies=[Channel(7)])


def codes(verdicts) -> list[str]:
    return [verdict.code if isinstance(verdict, TokenError) else "accepted" for verdict in verdicts]


def test_there_is_one_verdict_a_text_in_order(picky):
    verdicts = picky.verify_many(TEXTS)
    assert len(verdicts) == len(TEXTS)
    assert codes(verdicts) == CODES
    assert [code == 0 for code in verdicts.codes] == [code == "accepted" for code in CODES]


def test_each_verdict_is_what_verify_gives(picky):
    for text, verdict in zip(TEXTS, picky.verify_many(TEXTS), strict=True):
        try:
            assert picky.verify(text) == verdict
        except TokenError as error:
            assert isinstance(verdict, TokenError)
            assert error.to_dict() == verdict.to_dict()


def test_the_bytes_of_codes_are_the_numbers_of_the_verdicts(picky):
    verdicts = picky.verify_many(TEXTS)
    assert isinstance(verdicts.codes, bytes)
    assert list(verdicts.codes) == [getattr(verdict, "number", 0) for verdict in verdicts]


def test_they_are_a_sequence(picky):
    verdicts = picky.verify_many(TEXTS)
    assert isinstance(verdicts[0], VerifiedVoucher)
    assert verdicts[-1].nonce == verdicts[7].nonce
    assert codes(verdicts[1:3]) == CODES[1:3]
    assert codes(verdicts[::-1]) == CODES[::-1]
    assert codes(reversed(verdicts)) == CODES[::-1]
    assert verdicts[8:] == []
    for index in (8, -9):
        with pytest.raises(IndexError):
            verdicts[index]


def test_counts_are_by_code_and_the_most_frequent_first(picky):
    verdicts = picky.verify_many(TEXTS)
    assert verdicts.accepted == 3
    counts = verdicts.counts()
    assert counts == {"text.digits": 2, "time.expired": 1, "scope.place": 1, "policy.channel": 1}
    assert next(iter(counts)) == "text.digits"
    assert repr(verdicts) == "Verdicts(3 of 8 accepted)"


def test_all_are_judged_at_one_time():
    times = iter([NOW, NOW + 1000])
    verdicts = fake_verifier(clock=lambda: next(times)).verify_many(GOOD)
    assert [verdict.verified_at for verdict in verdicts] == [NOW] * 3
    assert fake_verifier().verify_many(GOOD, now=NOW + 1000).counts() == {"time.expired": 3}


def test_the_texts_may_be_any_iterable(picky):
    assert codes(picky.verify_many(text for text in TEXTS)) == CODES
    assert len(picky.verify_many([])) == 0


@pytest.mark.parametrize("text", ["", GOOD[0]])
def test_one_string_is_not_many_texts(picky, text):
    with pytest.raises(TypeError, match="not one string"):
        picky.verify_many(text)


class Wavering:
    """A policy that depends on something that changes, such as a status list."""

    def __init__(self, *refuses: bool) -> None:
        self.refuses = iter(refuses)

    def check(self, voucher: Voucher, now: int) -> None:
        if next(self.refuses):
            raise StatusError("status.suspended")


@pytest.mark.parametrize("first", [True, False])
def test_a_policy_is_asked_once_and_reading_changes_nothing(first):
    policy = Wavering(first)
    verdicts = fake_verifier(policies=[policy]).verify_many(GOOD[:1])
    expected = "status.suspended" if first else "accepted"
    for _ in range(3):
        assert codes(verdicts) == [expected]
        assert verdicts.accepted == (not first)
        assert list(verdicts.codes) == [getattr(verdict, "number", 0) for verdict in verdicts]


class Noting:
    """A policy that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def check(self, voucher: VerifiedVoucher, now: int) -> Note:
        self.asked += 1
        return Note("test.asked", Words(str(self.asked), str(self.asked)))


def test_notes_are_kept():
    verdicts = fake_verifier(policies=[Noting()]).verify_many(GOOD)
    for _ in range(2):
        assert [verdict.notes[0].what.en for verdict in verdicts] == ["1", "2", "3"]


def test_reading_verdicts_asks_for_no_one_time_code():
    codes_of_passes = RotatingCodes(bytes(32))
    enrolled = codes_of_passes.enrol(ISSUER.issue_rotating_pass(HOLDER, "330106"))
    shown = [enrolled.present(now=NOW), enrolled.present(now=NOW - 300)]
    verdicts = fake_verifier(otp=codes_of_passes, max_pass_lifetime=10**6).verify_many(shown)
    for _ in range(10):  # more often than wrong codes are compared
        assert codes(verdicts) == ["accepted", "otp.wrong"]


def test_a_bad_text_among_many_raises_nothing_and_moves_nothing():
    texts = [GOOD[0], *("\ud800", "", "9" * 5000), GOOD[1]]
    verdicts = fake_verifier().verify_many(texts)
    assert verdicts[0].nonce != verdicts[4].nonce
    assert all(isinstance(verdict, TextError) for verdict in verdicts[1:4])


def test_many_verdicts_are_columns_and_not_objects(picky):
    texts = GOOD * 500
    verifier = fake_verifier()
    verifier.verify_many(texts[:100])
    gc.collect()
    objects = len(gc.get_objects())
    tracemalloc.start()
    try:
        verdicts = verifier.verify_many(texts)
        assert verdicts.accepted == len(texts)
        assert not verdicts.counts()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < len(texts) * 100 + 20_000  # 77 bytes of columns, 1 of codes, what arrays hold in reserve; and views
    assert len(gc.get_objects()) - objects < 200
