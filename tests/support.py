"""Shared by many tests: fixed keys, times and holders, and tokens built by hand that `Issuer` would refuse to make."""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

import cbor2
import pytest
from hypothesis import strategies as st

from ybtoken import Engine, Issuer, KeyEntry, KeyRing, Scope, SerialEngine, Verifier, Voucher
from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.engines.time_and_scope import Limits
from ybtoken.keys.device import device_key_of
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.passes.device import encode_presentation
from ybtoken.testing.keys import FakeKey
from ybtoken.voucher import CURVES, DeviceKey, DevicePresentation, Profile
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import encode_byte_string, encode_envelope, encode_header, sign1_prefix
from ybtoken.wire.text import PREFIXES, encode_text

Case = TypeVar("Case")

NOW = 1_800_000_000
HOLDER = bytes(range(0x50, 0x60))
PRESENTER = bytes(range(0x70, 0x80))
CITY = "330106"
OTP = "01234567"
DEVICE = P256SigningKey((0xDE71CE).to_bytes(32, "big"))
DEVICE_KEY = device_key_of(DEVICE.verifying_key)
FAKE = FakeKey("issuer")
RING = KeyRing([KeyEntry(FAKE, "Zhejiang", Scope(("33",), ("3302",)))])
EXTRAS: dict[str, Any] = {
    "channel": 7,
    "purpose": "01301",
    "presenter": PRESENTER,
    "assurance": 3,
    "status_index": 70_000,
}


def counted_nonces() -> Any:
    """A source for an issuer's nonces that counts, so that tokens are the same in every run."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def fake_issuer(**options: Any) -> Issuer:
    return Issuer(FAKE, **{"clock": lambda: NOW, "random": counted_nonces()} | options)


def fake_verifier(**options: Any) -> Verifier:
    return Verifier(RING, **{"clock": lambda: NOW} | options)


def a_voucher(**changes: Any) -> Voucher:
    stated: dict[str, Any] = {
        "identity_ref": HOLDER,
        "city_code": CITY,
        "issued_at": NOW,
        "expires_at": NOW + 60,
        "nonce": b"nonce008",
    }
    if changes.get("profile") == Profile.DEVICE_BOUND:
        stated |= {"device_key": DEVICE_KEY}
    return Voucher(**stated | changes)


def signed_bytes(payload: bytes, key: Any = FAKE, header: bytes | None = None) -> bytes:
    """A token with a good signature over any payload: only the claims parser can refuse it."""
    header = encode_header(key.algorithm, key.kid) if header is None else header
    return encode_envelope(header, payload, key.sign(sign1_prefix(header) + encode_byte_string(payload)))


def signed_text(payload: bytes, key: Any = FAKE, profile: int = 1) -> str:
    """Such a token as text: with some one-time code in profile 2, and presented by a phone in profile 3."""
    data = signed_bytes(payload, key)
    if profile == Profile.DEVICE_BOUND:
        data = presented(data)
    return encode_text(profile, data, OTP if profile == Profile.ROTATING else "")


def presented(data: bytes, phone: Any = DEVICE, **changes: Any) -> bytes:
    """What a phone signs around a pass."""
    stated = {"issued_at": NOW, "nonce": b"display1", "challenge": None} | changes
    return encode_presentation(data, DevicePresentation(**stated), phone)


def with_check(body: str) -> str:
    """A prefix and groups with the right check digits, so that only the digits before them can be refused."""
    return f"{body}{98 - int(body) * 100 % 97:02d}"


def text_of(data: bytes, profile: int = 1) -> str:
    """The spelling of any bytes, computed by the rule and not by the library."""
    digits = {1: 3, 2: 5, 3: 8, 4: 10, 5: 13, 6: 15, 7: 17}
    groups = [data[i : i + 7] for i in range(0, len(data), 7)]
    body = "".join(str(int.from_bytes(group, "little")).rjust(digits[len(group)], "0") for group in groups)
    return with_check(PREFIXES[profile] + body + (OTP if profile == Profile.ROTATING else ""))


def claims_map(**changes: Any) -> dict[int, Any]:
    """The claims of a voucher as a map, to be changed and encoded by hand."""
    decoded = cbor2.loads(encode_claims(a_voucher(**changes)))
    assert isinstance(decoded, dict)
    return decoded


def check_each(cases: Mapping[str, Case] | Sequence[Case], check: Callable[[Case], None]) -> None:
    """Check every case, also after one has failed; the group that is raised names all cases that failed.

    For many small cases, because pytest takes about 2 ms for each case that is a test of its own.
    """
    failed: dict[str, BaseException] = {}
    for name, case in cases.items() if isinstance(cases, Mapping) else ((repr(case), case) for case in cases):
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"case {name}")
            failed[name] = error
    assert cases
    if failed:
        raise BaseExceptionGroup(f"{len(failed)} of {len(cases)} cases: {', '.join(failed)}", [*failed.values()])


def in_child(call: Callable[[], Any]) -> Any:
    """What a call returns or raises in a forked process, which is killed if it does not end."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            outcome: Any = call()
        except BaseException as error:
            outcome = error
        os.write(write, pickle.dumps(outcome))
        os._exit(0)
    os.close(write)
    try:
        if not select.select([read], [], [], 30)[0]:
            os.kill(child, signal.SIGKILL)
            raise AssertionError("the child process hangs")
        with open(read, "rb", closefd=False) as answer:
            outcome = pickle.loads(answer.read())
    finally:
        os.close(read)
        os.waitpid(child, 0)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def digits(size: int) -> st.SearchStrategy[str]:
    return st.integers(0, 10**size - 1).map(lambda number: f"{number:0{size}d}")


# Made once: a strategy that is made while an example is drawn takes longer to look at than to draw from.
_BEGINNINGS = st.integers(0, 2**32 - 2)
_REFS = st.binary(min_size=16, max_size=16)
_NONCES = st.binary(min_size=8, max_size=16)
_CITIES = digits(6)
_PHONES = st.builds(DeviceKey, st.sampled_from(CURVES), st.binary(min_size=32, max_size=32), st.booleans())
_CHANNELS, _PURPOSES, _PRESENTERS = optional(st.integers(0, 0xFFFF)), optional(digits(5)), optional(_REFS)
_ASSURANCES, _INDICES = optional(st.integers(0, 255)), optional(st.integers(0, 2**32 - 1))


@st.composite
def vouchers(draw: st.DrawFn, profiles: tuple[Profile, ...] = (Profile.VOUCHER,)) -> Voucher:
    """Any valid voucher."""
    issued_at = draw(_BEGINNINGS)
    profile = draw(st.sampled_from(profiles))
    return Voucher(
        identity_ref=draw(_REFS),
        city_code=draw(_CITIES),
        issued_at=issued_at,
        expires_at=draw(st.integers(issued_at + 1, 2**32 - 1)),
        nonce=draw(_NONCES),
        profile=profile,
        device_key=draw(_PHONES) if profile is Profile.DEVICE_BOUND else None,
        channel=draw(_CHANNELS),
        purpose=draw(_PURPOSES),
        presenter=draw(_PRESENTERS),
        assurance=draw(_ASSURANCES),
        status_index=draw(_INDICES),
    )


class _AnyCode:
    """A checker of one-time codes that accepts any code."""

    def check(self, claims: Any, kid: bytes, otp: str, now: int) -> int:
        return now // 30

    def window(self, step: int) -> int:
        return 2**40

    def earliest(self, now: int) -> int:
        return now // 30

    def recorded(self) -> _AnyCode:
        return self


ANY_TIME = Limits(2**40, 2**40, 2**40, 2**40, _AnyCode())


class Opening:
    """An engine's opener for tests of steps 1 to 5; it accepts any time, place and one-time code."""

    def __init__(self, keys: KeyRing, engine: Engine | None = None) -> None:
        self.keys = KeyRing(KeyEntry(entry.key, entry.issuer) for entry in keys.entries)
        self._opener = (engine or SerialEngine()).prepare(self.keys)

    def open(self, text: str) -> Opened:
        return self._opener.open(text, ANY_TIME, NOW)

    def open_many(self, texts: Any) -> OpenedBatch:
        return self._opener.open_many(texts, ANY_TIME, NOW)
