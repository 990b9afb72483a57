"""Text, envelope and claims alone. A key without cryptography isolates the cost of the format."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.samples import CITY, IDENTITY_REF, NOW
from ybtoken import Issuer, KeyEntry, KeyRing, Token, Verifier
from ybtoken.testing.keys import FakeKey
from ybtoken.wire.envelope import cut_envelope
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.text import decode_text, encode_text

KEY = FakeKey()
TOKEN: Token = Issuer(KEY, clock=lambda: NOW).issue(IDENTITY_REF, CITY)
VERIFIER = Verifier(KeyRing([KeyEntry(KEY, "Shanghai")]), clock=lambda: NOW)


def test_encode_text(benchmark: BenchmarkFixture) -> None:
    assert benchmark(encode_text, 1, TOKEN.data) == TOKEN.text


def test_decode_text(benchmark: BenchmarkFixture) -> None:
    assert benchmark(decode_text, TOKEN.text) == (1, TOKEN.data)


def test_cut_envelope(benchmark: BenchmarkFixture) -> None:
    header, signed, signature = benchmark(cut_envelope, TOKEN.data)
    assert TOKEN.data == b"\xd2\x84\x4d" + header + b"\xa0" + signed + b"\x58\x40" + signature


def test_parse_claims(benchmark: BenchmarkFixture) -> None:
    assert benchmark(parse_claims, cut_envelope(TOKEN.data)[1]).nonce == TOKEN.voucher.nonce


def test_verify_without_cryptography(benchmark: BenchmarkFixture) -> None:
    assert benchmark(VERIFIER.verify, TOKEN.text).nonce == TOKEN.voucher.nonce
