from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ybtoken.passes.challenge import ANSWER_SIZE, Challenge
from ybtoken.wire.text import CHALLENGE, encode_text

challenges = st.builds(
    Challenge,
    st.text("ABCXYZabcxyz0123456789._-", min_size=1, max_size=32),
    st.integers(0, 99_999).map(lambda number: f"{number:05d}"),
    st.binary(min_size=8, max_size=8),
)


@given(challenges)
def test_a_challenge_is_read_back_from_its_text(challenge):
    assert Challenge.from_text(challenge.text) == challenge
    assert challenge.text.startswith("95")
    assert len(challenge.answer) == ANSWER_SIZE


@given(challenges, challenges)
def test_two_challenges_have_two_answers(one, other):
    assert (one == other) is (one.answer == other.answer) is (one.text == other.text)


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_are_one_challenge_or_none(data):
    text = encode_text(CHALLENGE, data)
    try:
        challenge = Challenge.from_text(text)
    except ValueError:
        return
    assert challenge.data == data


@given(st.text(max_size=100))
def test_noise_is_a_value_error(text):
    with pytest.raises(ValueError, match="challenge"):
        Challenge.from_text(text)


def test_each_customer_gets_a_nonce_of_their_own():
    assert len({Challenge.new("T1", "01301").nonce for _ in range(20)}) == 20
    assert Challenge("T1", "01301").nonce != Challenge("T1", "01301").nonce


@pytest.mark.parametrize("terminal", ["", "x" * 33, "a b", "a\n", "药店", "a/b"])
def test_a_terminal_is_named_in_plain_characters(terminal):
    with pytest.raises(ValueError, match="terminal"):
        Challenge.new(terminal, "01301")


@pytest.mark.parametrize(("purpose", "nonce"), [("1301", bytes(8)), ("01301", bytes(7)), ("01301", "8 bytes.")])
def test_purpose_and_nonce_are_checked(purpose, nonce):
    with pytest.raises((ValueError, TypeError), match=r"five digits|8 bytes|nonce is bytes"):
        Challenge("T1", purpose, nonce)


def test_a_terminal_is_a_string():
    with pytest.raises(TypeError, match="terminal is a string, not int"):
        Challenge(7, "01301")


def test_it_fits_a_small_symbol():
    pytest.importorskip("segno")
    assert Challenge.new("H33010600123", "01301").qr.version == 2
    assert Challenge.new("x" * 32, "99999").qr.version <= 4
