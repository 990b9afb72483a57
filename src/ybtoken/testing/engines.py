"""The conformance suite of engines."""

from __future__ import annotations

from ybtoken.engines.protocols import Engine
from ybtoken.engines.serial import SerialEngine
from ybtoken.engines.time_and_scope import Limits
from ybtoken.errors import TokenError
from ybtoken.keys.ring import KeyRing

__all__ = ["check_engine"]


def check_engine(
    engine: Engine,
    keys: KeyRing,
    texts: list[str],
    *,
    now: int,
    limits: Limits = Limits(),  # noqa: B008
) -> None:
    """Check that an `Engine` gives the outcomes of the serial engine, for single texts and at any place in a batch.

    Args:
        engine: the engine to check.
        keys: the key ring that it prepares.
        texts: good and bad texts; the more kinds, the better.
        now: the time of verification, in seconds since 1970.
        limits: the limits of verification.
    """
    reference, opener = SerialEngine().prepare(keys), engine.prepare(keys)
    expected = reference.open_many(texts, limits, now)
    for rotation in (0, 1, 7 % len(texts)):
        turned = texts[rotation:] + texts[:rotation]
        batch = opener.open_many(turned, limits, now)
        assert len(batch) == len(texts)
        for i in range(len(turned)):
            at = (i + rotation) % len(texts)
            assert batch.codes[i] == expected.codes[at], (turned[i], batch.codes[i], expected.codes[at])
            if expected.codes[at] == 0:
                assert batch.opened(i) == expected.opened(at)
            else:
                assert batch.error(i).to_dict() == expected.error(at).to_dict()
    each = opener.open_many(texts, limits, [now + at for at in range(len(texts))])
    expected_each = reference.open_many(texts, limits, [now + at for at in range(len(texts))])
    assert bytes(each.codes) == bytes(expected_each.codes)
    for i, text in enumerate(texts):
        try:
            opened = opener.open(text, limits, now)
        except TokenError as error:
            assert expected.codes[i] == error.number, (text, error)
            assert error.to_dict() == expected.error(i).to_dict()
        else:
            assert expected.codes[i] == 0, text
            assert opened == expected.opened(i)
    assert len(opener.open_many([], limits, now)) == 0
