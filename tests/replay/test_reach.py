"""A claim outlasts what any verifier accepts, whatever the numbers of the one that made it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support import CITY, DEVICE, HOLDER, NOW, RING, fake_issuer
from ybtoken import MemoryReplayGuard, TokenError, Verifier
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.replay.sqlite import SqliteReplayGuard

MASTER = bytes(32)
NARROW = {"skew": 10, "max_display_age": 20}
WIDEST = {  # for each kind of display, the verifier that accepts it longest of all that redeem
    "voucher": {"skew": 60, "max_display_age": 60},
    "rotating pass": {"skew": 0, "max_display_age": 60, "steps_back": 7},
    "device-bound pass": {"skew": 60, "max_display_age": 60},
}


def verifier(clock, *, steps_back=0, **options):
    return Verifier(RING, otp=RotatingCodes(MASTER, steps_back=steps_back, clock=clock), clock=clock, **options)


def display_of(kind):
    issuer = fake_issuer()
    if kind == "voucher":
        return issuer.issue(HOLDER, CITY).text
    if kind == "rotating pass":
        return RotatingCodes(MASTER).enrol(issuer.issue_rotating_pass(HOLDER, CITY)).present(now=NOW)
    issued = issuer.issue_device_bound_pass(HOLDER, CITY, DEVICE.verifying_key)
    return DeviceBoundPass(issued.data, DEVICE, clock=lambda: NOW).present()


@pytest.mark.parametrize("guards", ["memory", "file"])
@pytest.mark.parametrize("kind", WIDEST)
def test_a_verifier_with_greater_numbers_accepts_nothing_again(kind, guards, tmp_path):
    clock = [NOW - 1000]
    guard = (
        MemoryReplayGuard(clock=lambda: clock[0])
        if guards == "memory"
        else SqliteReplayGuard(tmp_path / "used.db", clock=lambda: clock[0])
    )
    narrow = verifier(lambda: clock[0], guard=guard, **NARROW)
    wide = verifier(lambda: clock[0], guard=guard, **WIDEST[kind])
    text = display_of(kind)
    clock[0] = NOW
    narrow.redeem(text)
    codes = Counter()
    for clock[0] in range(NOW, NOW + 250):
        guard.claim(clock[0].to_bytes(4, "big"), since=NOW, by=NOW + 999, until=clock[0] + 999)  # frees what has ended
        with pytest.raises(TokenError) as caught:
            wide.redeem(text)
        codes[caught.value.code] += 1
        if caught.value.code == "redeem.replayed":
            last = clock[0]
    assert last == NOW + {"voucher": 119, "rotating pass": 239 - NOW % 30, "device-bound pass": 119}[kind]
    assert codes["redeem.replayed"] == last - NOW + 1
    if guards == "file":
        guard.close()


@pytest.mark.parametrize("kind", WIDEST)
def test_no_verifier_that_redeems_has_greater_ones(kind):
    options, guard = WIDEST[kind], MemoryReplayGuard()
    assert verifier(lambda: NOW, guard=guard, **options)
    beyond = (
        {"steps_back": 8}
        if kind == "rotating pass"
        else {"skew": options["skew"] + 1}
        if kind == "voucher"
        else {"max_display_age": 61}
    )
    with pytest.raises(ValueError, match=r"with a guard, .* at most 240 seconds, not (270|243|241)"):
        verifier(lambda: NOW, guard=guard, **options | beyond)
    assert verifier(lambda: NOW, **options | beyond)  # it remembers nothing, so it redeems nothing


def test_a_skew_counts_with_the_steps_of_a_pass():
    assert Verifier(RING, guard=MemoryReplayGuard(), otp=RotatingCodes(MASTER, steps_back=6), skew=10)
    with pytest.raises(ValueError, match=r"30 \* \(steps_back \+ 1\) \+ 3 \* skew is at most 240 seconds, not 243"):
        Verifier(RING, guard=MemoryReplayGuard(), otp=RotatingCodes(MASTER, steps_back=6), skew=11)
