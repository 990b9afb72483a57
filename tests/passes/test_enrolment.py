from __future__ import annotations

import pytest

from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.keys.signatures import der_from_raw
from ybtoken.keys.sm2 import LibcryptoError, SM2SigningKey
from ybtoken.misuse import IssueError
from ybtoken.passes.enrolment import CHALLENGE_SIZE, Enrolment, enrolment_message

NOW = 1_800_000_000


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def enrolment(clock):
    return Enrolment(bytes(range(32)), clock=clock)


def sm2():
    try:
        return SM2SigningKey.generate()
    except LibcryptoError as error:
        pytest.skip(str(error))


def refused(*arguments):
    enrolment, *rest = arguments
    with pytest.raises(IssueError) as caught:
        enrolment.check(*rest)
    assert caught.value.code == "issue.possession"
    assert caught.value.facts["reason"].zh
    return caught.value.facts["reason"].en


@pytest.mark.parametrize("make", [P256SigningKey.generate, sm2], ids=["p256", "sm2"])
def test_a_phone_that_holds_the_key_is_enrolled(enrolment, make):
    key = make()
    challenge = enrolment.challenge("account 7")
    assert len(challenge) == CHALLENGE_SIZE
    proof = key.sign(enrolment_message(challenge, key.verifying_key.point))
    enrolment.check("account 7", challenge, key.verifying_key, proof)
    other = make()
    assert "not by this key" in refused(enrolment, "account 7", challenge, other.verifying_key, proof)
    assert "not by this key" in refused(enrolment, "account 7", challenge, key.verifying_key, key.sign(challenge))
    assert "not by this key" in refused(enrolment, "account 7", challenge, key.verifying_key, der_from_raw(proof))
    assert "not by this key" in refused(enrolment, "account 7", challenge, key.verifying_key, b"")


def test_y_in_the_place_of_x_is_found_before_a_pass_names_them(enrolment):
    found = 0
    for number in range(1, 41):
        key = P256SigningKey(number.to_bytes(32, "big"))
        x, y = key.verifying_key.point
        try:
            exchanged = P256VerifyingKey(b"\x02" + y)
        except ValueError:
            continue
        found += 1
        challenge = enrolment.challenge("a")
        proof = key.sign(enrolment_message(challenge, (x, y)))
        assert "y in the place of x" in refused(enrolment, "a", challenge, exchanged, proof)
    assert found > 5  # points of the curve all the same


def test_a_challenge_is_for_one_holder_one_platform_and_two_minutes(enrolment, clock):
    key = P256SigningKey.generate()
    challenge = enrolment.challenge("a")
    proof = key.sign(enrolment_message(challenge, key.verifying_key.point))
    assert "this holder" in refused(enrolment, "b", challenge, key.verifying_key, proof)
    assert "this holder" in refused(Enrolment(bytes(16), clock=clock), "a", challenge, key.verifying_key, proof)
    assert "this holder" in refused(enrolment, "a", challenge[:-1], key.verifying_key, proof)
    assert "this holder" in refused(enrolment, "a", b"", key.verifying_key, proof)
    later = bytes([challenge[0] + 1]) + challenge[1:]  # an end that the phone wrote itself
    assert "this holder" in refused(enrolment, "a", later, key.verifying_key, proof)
    clock.now = NOW + 119
    enrolment.check("a", challenge, key.verifying_key, proof)
    clock.now = NOW + 120
    assert "past its end" in refused(enrolment, "a", challenge, key.verifying_key, proof)


def test_two_challenges_are_never_the_same(enrolment):
    assert enrolment.challenge("a") != enrolment.challenge("a")


def test_misuse_is_said(enrolment):
    key = P256SigningKey.generate()
    with pytest.raises(ValueError, match="key is 16"):
        Enrolment(b"short")
    with pytest.raises(TypeError, match="holder is a string"):
        enrolment.challenge(7)
    with pytest.raises(TypeError, match="are bytes"):
        enrolment.check("a", "00", key.verifying_key, b"")
    with pytest.raises(TypeError, match="phone's public key"):
        enrolment.check("a", b"", key, b"")
    with pytest.raises(ValueError, match="challenge is 32 bytes"):
        enrolment_message(b"", key.verifying_key.point)
    assert "range" not in repr(enrolment)
