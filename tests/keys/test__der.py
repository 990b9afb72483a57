from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given
from hypothesis import strategies as st

from ybtoken.keys._der import der_from_raw, raw_from_der

NUMBERS = st.integers(0, 2**256 - 1) | st.integers(0, 255).flatmap(lambda bits: st.integers(0, 2**bits))


@given(NUMBERS, NUMBERS)
@example(1 << 246, 1 << 255)  # an INTEGER of 31 bytes beside one of 33
@example(1 << 255, 1 << 246)
def test_der_is_that_of_cryptography_and_comes_back(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert der_from_raw(raw) == encode_dss_signature(r, s)
    assert raw_from_der(der_from_raw(raw)) == raw


@pytest.mark.parametrize(
    "der",
    [
        "",
        "30",
        "3006020101",
        "300602010102010100",  # a byte too many
        "3007020200010201 01",  # r with a needless zero
        "30080202008002010100",
        "3006020181020101",  # r negative
        "300602010102 0181",
        "3081060201010201 01",  # a length in two bytes
        "3106020101020101",
        "3006030101020101",
        "3026" + "0221" + "01" + "00" * 32 + "020101",  # r of 33 bytes
    ],
)
def test_any_other_encoding_is_refused(der: str) -> None:
    with pytest.raises(ValueError, match="not a DER signature"):
        raw_from_der(bytes.fromhex(der))


@given(st.binary(max_size=80))
def test_garbage_is_refused_or_the_one_encoding(der: bytes) -> None:
    try:
        raw = raw_from_der(der)
    except ValueError:
        return
    assert der_from_raw(raw) == der
