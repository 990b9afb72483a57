"""Libraries of others read our tokens, and we read theirs: python-cwt, pycose, go-cose (see `interop/`)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ybtoken import Issuer, KeyEntry, KeyRing, Profile, Token, TokenError, Verifier, Voucher
from ybtoken.keys.device import device_key_of
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.passes.device import encode_presentation
from ybtoken.status.list import StatusList, sign_status_list
from ybtoken.tokens import Pass
from ybtoken.voucher import DevicePresentation
from ybtoken.wire.text import encode_text

PREPARE = Path(__file__).parents[2] / "interop" / "prepare.py"
PEERS = ["python-cwt", "pycose", "go-cose"]
NOW = int(time.time())  # python-cwt reads the real clock
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
KEY = P256SigningKey.from_cryptography(PRIVATE_KEY)
VERIFIER = Verifier(KeyRing([KeyEntry(KEY.verifying_key, "Shanghai")]), max_lifetime=2**32, clock=lambda: NOW)


def voucher(**claims: Any) -> Voucher:
    stated: dict[str, Any] = {
        "identity_ref": bytes(range(16)),
        "city_code": "310100",
        "issued_at": NOW,
        "expires_at": NOW + 3600,
        "nonce": bytes(range(8)),
    }
    return Voucher(**(stated | claims))


VOUCHERS = {
    "plain": voucher(),
    "longest nonce": voucher(nonce=bytes(range(100, 116))),
    "smallest numbers": voucher(city_code="000000", issued_at=0, identity_ref=bytes(16), nonce=bytes(8)),
    "largest numbers": voucher(city_code="999999", expires_at=2**32 - 1, nonce=b"\xff" * 16),
    "city of two bytes": voucher(city_code="065535"),
}
WITH_EXTRAS = {
    "one extra": voucher(purpose="01301"),
    "all extras": voucher(
        channel=65535, purpose="99999", presenter=b"\xff" * 16, assurance=255, status_index=2**32 - 1
    ),
    "extras of zero": voucher(channel=0, purpose="00000", presenter=bytes(16), assurance=0, status_index=0),
}
DEVICE = P256SigningKey.generate()
LIST_KEY = P256SigningKey.generate()
PASSES = {
    "rotating pass": voucher(profile=Profile.ROTATING, status_index=70_000),
    "device-bound pass": voucher(profile=Profile.DEVICE_BOUND, device_key=device_key_of(DEVICE.verifying_key)),
}
EXPIRED = voucher(issued_at=NOW - 7200, expires_at=NOW - 3600)  # python-cwt allows a minute


def claims_of(voucher: Voucher) -> dict[str, Any]:
    """What a peer should read from a voucher's token."""
    extras = {
        "1": voucher.channel,
        "2": None if voucher.purpose is None else int(voucher.purpose),
        "3": None if voucher.presenter is None else voucher.presenter.hex(),
        "4": voucher.assurance,
        "5": voucher.status_index,
    }
    stated = {label: value for label, value in extras.items() if value is not None}
    return {
        "exp": voucher.expires_at,
        "iat": voucher.issued_at,
        "cti": voucher.nonce.hex(),
        "voucher": [int(voucher.profile), voucher.identity_ref.hex(), int(voucher.city_code), stated],
    }


def tampered(token: bytes) -> dict[str, bytes]:
    """A token with one bit changed, once in each byte; cut off; and with the halves of its signature exchanged."""
    changed = {f"byte {i}": token[:i] + bytes([token[i] ^ 1 << i % 8]) + token[i + 1 :] for i in range(len(token))}
    return changed | {
        "cut short": token[:-1],
        "halves of the signature exchanged": token[:-64] + token[-32:] + token[-64:-32],
        "no signature": token[:-64] + bytes(64),
    }


TOKENS: dict[str, Token | Pass] = {
    **{name: Issuer(KEY).sign(stated) for name, stated in (VOUCHERS | WITH_EXTRAS).items()},
    **{name: Issuer(KEY).sign_pass(stated) for name, stated in PASSES.items()},
}
PRESENTATION = DevicePresentation(NOW, b"display1", bytes(12))
PRESENTED = encode_presentation(TOKENS["device-bound pass"].data, PRESENTATION, DEVICE)
STATUSES = StatusList(
    "https://status.example/1", 2, bytes.fromhex("c944f9"), issued_at=NOW, expires_at=NOW + 3600, ttl=300
)
SIGNED = {
    "presentation": (PRESENTED, DEVICE, b""),
    "status list": (sign_status_list(STATUSES, LIST_KEY), LIST_KEY, LIST_KEY.kid),
}
"""Signed messages other than tokens: who signs each, and with which kid."""
TAMPERED = tampered(TOKENS["plain"].data)


def command(peer: str) -> list[str]:
    spec = importlib.util.spec_from_file_location("prepare", PREPARE)
    assert spec is not None
    assert spec.loader is not None
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    make: Callable[[], list[str]] = prepare.go_peer if peer == "go-cose" else prepare.python_peers
    try:
        return make()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        reason = f"{peer} cannot be made ready: {error} {getattr(error, 'stderr', '')}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


ANSWERS: dict[str, dict[str, Any]] = {}


@pytest.fixture(params=PEERS)
def answer(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a peer read and made. Each program runs once."""
    peer = request.param
    if peer not in ANSWERS:
        numbers = PRIVATE_KEY.private_numbers()
        x, y = KEY.verifying_key.point
        read = {name: token.data for name, token in TOKENS.items()} | TAMPERED
        read["expired"] = Issuer(KEY).sign(EXPIRED).data
        question = {
            "key": {
                "x": x.hex(), "y": y.hex(), "d": numbers.private_value.to_bytes(32, "big").hex(), "kid": KEY.kid.hex()
            },
            "read": {name: data.hex() for name, data in read.items()},
            "open": {
                name: {"data": data.hex(), "x": point[0].hex(), "y": point[1].hex(), "kid": kid.hex()}
                for name, (data, key, kid) in SIGNED.items()
                for point in [key.verifying_key.point]
            },
            "make": {
                name: {
                    "exp": stated.expires_at,
                    "iat": stated.issued_at,
                    "cti": stated.nonce.hex(),
                    "profile": 1,
                    "identity_ref": stated.identity_ref.hex(),
                    "city": int(stated.city_code),
                }
                for name, stated in VOUCHERS.items()
            },
        }  # fmt: skip
        done = subprocess.run(command(peer), input=json.dumps(question), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ANSWERS.update(json.loads(done.stdout))
    return ANSWERS[peer]


@pytest.mark.parametrize("name", TOKENS)
def test_a_peer_reads_our_token_with_every_claim(answer: dict[str, Any], name: str) -> None:
    assert answer["read"][name] == claims_of(TOKENS[name].voucher)


def test_a_peer_opens_what_a_phone_signed(answer: dict[str, Any]) -> None:
    opened = cbor2.loads(bytes.fromhex(answer["opened"]["presentation"]))
    assert opened == [TOKENS["device-bound pass"].data, *PRESENTATION]


def test_a_peer_opens_a_status_list(answer: dict[str, Any]) -> None:
    claims = cbor2.loads(bytes.fromhex(answer["opened"]["status list"]))
    assert (claims[2], claims[4], claims[6], claims[65534]) == (STATUSES.uri, NOW + 3600, NOW, 300)
    assert claims[65533]["bits"] == 2
    assert zlib.decompress(claims[65533]["lst"]) == STATUSES.array


@pytest.mark.parametrize("answer", ["python-cwt"], indirect=True)
def test_a_peer_that_checks_expiry_finds_ours_expired(answer: dict[str, Any]) -> None:
    assert "expired" in answer["read"]["expired"]["refused"]


@pytest.mark.parametrize("name", VOUCHERS)
def test_a_token_that_a_peer_made_is_verified_here(answer: dict[str, Any], name: str) -> None:
    data = bytes.fromhex(answer["made"][name])
    stated = VOUCHERS[name]

    found = VERIFIER.verify(encode_text(1, data))

    for claim in ("identity_ref", "city_code", "issued_at", "expires_at", "nonce", "profile", "purpose", "channel"):
        assert getattr(found, claim) == getattr(stated, claim)
    assert found.kid == KEY.kid


@pytest.mark.parametrize("name", VOUCHERS)
def test_a_peer_writes_the_same_bytes_but_for_the_signature(answer: dict[str, Any], name: str) -> None:
    assert bytes.fromhex(answer["made"][name])[:-64] == TOKENS[name].data[:-64]


def test_tampered_tokens_are_refused_by_the_peer(answer: dict[str, Any]) -> None:
    accepted = [name for name in TAMPERED if "refused" not in answer["read"][name]]
    assert accepted == []


def test_tampered_tokens_of_a_peer_are_refused_here(answer: dict[str, Any]) -> None:
    bad = tampered(bytes.fromhex(answer["made"]["plain"]))
    verdicts = VERIFIER.verify_many(encode_text(1, data) for data in bad.values())
    accepted = [name for name, verdict in zip(bad, verdicts, strict=True) if not isinstance(verdict, TokenError)]
    assert accepted == []
