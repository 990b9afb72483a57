"""The groups of our texts are encoded like hybrid FIDO QR codes (CTAP 2.2), for which other projects have vectors."""

from __future__ import annotations

import pytest

from tests.external import outside
from tests.support import with_check
from ybtoken.errors import TextError
from ybtoken.wire.text import decode_text, encode_text


def test_groups_are_spelled_as_elsewhere():
    vectors = outside.from_json("digits/cable_base10.json")["good"]
    for vector in vectors:
        data = bytes.fromhex(vector["bytes_hex"])
        if data:  # an empty text is not valid here
            assert encode_text(1, data)[2:-2] == vector["digits"]
            assert decode_text(with_check("96" + vector["digits"])) == (1, data)
    assert len(vectors) == 10


def test_what_is_refused_elsewhere_is_refused_here():
    vectors = outside.from_json("digits/cable_base10.json")["bad"]
    codes = {}
    for vector in vectors:
        groups = vector["digits"]
        text = with_check("96" + groups) if groups.isascii() and groups.isdigit() else f"96{groups}00"
        with pytest.raises(TextError) as caught:
            decode_text(text)
        codes[groups] = caught.value.code
        expected = {"length": "text.length", "range": "text.range"}.get(vector["why"].split(":")[0], "text.digits")
        assert caught.value.code == expected, vector
    assert len(codes) == 10
