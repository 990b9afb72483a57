"""The benchmark of refusals gets the verdicts that it measures."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("resource")

from benchmarks.refusals import NOW, Displays, engine_of, growth, verifier_of
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.passes.rotating import RotatingCodes


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_every_call_gets_the_verdict_that_it_is_made_for() -> None:
    key, clock = P256SigningKey.generate(), [NOW]
    codes = RotatingCodes(bytes(32), clock=lambda: clock[0])
    displays = Displays(key, codes, clock)
    _, counted = growth(verifier_of(engine_of("serial"), key, codes, clock), displays, 5 * 5 * len(displays.kinds))
    refusals = {kind for kind in displays.kinds if not kind.startswith("valid")}
    assert counted == {"accepted": 3 * 25} | dict.fromkeys(refusals, 25)
    assert clock[0] > NOW
