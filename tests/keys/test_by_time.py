from __future__ import annotations

import copy
import pickle
from datetime import datetime

import pytest

from ybtoken.keys.by_time import KeysByTime


def a_key(key: bytes) -> bytes:
    if len(key) < 4:
        raise ValueError("too short")
    return key.upper()


def test_one_key_is_in_force_always():
    keys = KeysByTime("a secret", b"only", a_key)
    assert keys.at(0) == keys.at(2**32) == b"ONLY"
    assert len(keys) == 1


def test_a_key_is_in_force_until_the_next_one():
    keys = KeysByTime("a secret", {20: b"later", 10: b"early"}, a_key)
    assert [keys.at(time) for time in (0, 9, 10, 19, 20, 99)] == [None, None, b"EARLY", b"EARLY", b"LATER", b"LATER"]


@pytest.mark.parametrize("bad", ["only", None, 5, [b"only"], {0: "only"}, {0: None}, {"0": b"only"}, {True: b"only"},
    {datetime(2026, 1, 1): b"only"}])  # fmt: skip
def test_another_kind_is_a_type_error(bad):
    with pytest.raises(TypeError, match="a secret is"):
        KeysByTime("a secret", bad, a_key)


def test_keys_that_do_not_fit_are_refused():
    for bad in ({}, b"", {0: b"only", 5: b""}, {-1: b"only"}, {2**32 + 1: b"only"}):
        with pytest.raises(ValueError, match=r"there is at least one|too short|whole seconds"):
            KeysByTime("a secret", bad, a_key)


def test_a_mapping_that_changes_later_changes_nothing():
    given = {0: b"only"}
    keys = KeysByTime("a secret", given, a_key)
    given[0] = b"other"
    assert keys.at(0) == b"ONLY"


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secrets_are_not_shown_or_copied(copied):
    keys = KeysByTime("a secret", {0: b"only", 5: b"other"}, a_key)
    assert repr(keys) == "KeysByTime(2 keys)"
    with pytest.raises(TypeError, match="not pickled or copied"):
        copied(keys)
