"""The boundaries where something from outside comes in, and which errors each of them may raise: these and no others.

A target takes any bytes. Its seeds are good input, so that changed input gets past the first check.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cbor2

from fuzz.target import Target, may_raise
from tests.support import CITY, HOLDER, NOW, RING, fake_issuer, presented, signed_text
from ybtoken import Engine, Issuer, KeyEntry, KeyRing, MemoryReplayGuard, SerialEngine, TokenError, Verifier
from ybtoken.diagnosis import diagnose_text
from ybtoken.errors import CannotCheckError, ClaimsError, EnvelopeError, TextError
from ybtoken.keys.diagnosis import diagnose_signature
from ybtoken.keys.keyset import dump_cose_keyset, dump_jwks, load_key_set
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.reading import read_private_key, read_public_key
from ybtoken.keys.ring import Use
from ybtoken.keys.sm2 import SM2VerifyingKey
from ybtoken.observers.audit import AuditError, AuditFile, check_audit
from ybtoken.passes.challenge import Challenge
from ybtoken.passes.device import DeviceBoundPass
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard
from ybtoken.status.list import StatusList, StatusListReader, sign_status_list
from ybtoken.status.registry import StatusRegistry
from ybtoken.status.source import FileStatusSource, MemoryStatusSource
from ybtoken.testing.keys import FakeKey
from ybtoken.wire.claims import encode_claims
from ybtoken.wire.envelope import cut_envelope, encode_header, sign1
from ybtoken.wire.parse import parse_claims
from ybtoken.wire.presentation import cut_presentation
from ybtoken.wire.text import encode_text, normalize_scan

__all__ = ["TARGETS"]


_KEY = P256SigningKey((0xC0FFEE).to_bytes(32, "big"))
_STATUS = FakeKey("statuses")
_URI = "https://status.example/1"
_READER = StatusListReader(KeyRing([KeyEntry(_STATUS, "registry", use=Use.STATUS)]), _URI, max_entries=1 << 16)
_SM2 = SM2VerifyingKey.from_point(
    bytes.fromhex("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"),
    bytes.fromhex("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"),
)
_LIST = StatusList(_URI, 2, bytes(50), issued_at=NOW, expires_at=NOW + 600, ttl=60)
_VOUCHER = fake_issuer().issue(HOLDER, CITY)
_PASS = fake_issuer().issue_rotating_pass(HOLDER, CITY)
_BOUND = fake_issuer().issue_device_bound_pass(HOLDER, CITY, _KEY.verifying_key)
_CODES = RotatingCodes(bytes(32))
_TEXTS = (
    _VOUCHER.text,
    _CODES.enrol(_PASS).present(now=NOW),
    signed_text(encode_claims(_BOUND.voucher), profile=3),
)
_FOLDER = Path(tempfile.mkdtemp(prefix="ybtoken-fuzz-"))


def _every_engine() -> tuple[Engine, ...]:
    if find_spec("ybtoken_native") is None:
        return (SerialEngine(),)
    from ybtoken.engines.crosscheck import CrossCheckEngine
    from ybtoken.engines.native import NativeEngine

    return SerialEngine(), NativeEngine(), CrossCheckEngine(NativeEngine())


# The native engine takes no keys of tests.
_RING = KeyRing([KeyEntry(_KEY.verifying_key, "a")])
_VERIFIERS = [Verifier(_RING, engine=engine, clock=lambda: NOW) for engine in _every_engine()]
_REDEEMERS = [
    Verifier(_RING, engine=engine, otp=_CODES, guard=MemoryReplayGuard(clock=lambda: NOW), clock=lambda: NOW)
    for engine in _every_engine()
]
# One-time codes of recorded scans are counted by nobody, so that each engine answers as if it were the first.
_OF_A_DAY_AGO = RotatingCodes(bytes(32), clock=lambda: NOW + 86_400)
_DAY_LATER = [Verifier(_RING, engine=engine, otp=_OF_A_DAY_AGO) for engine in _every_engine()]
_ISSUER = Issuer(_KEY, clock=lambda: NOW)
_ROTATING = _CODES.enrol(_ISSUER.issue_rotating_pass(HOLDER, CITY))
_PHONE = DeviceBoundPass(_ISSUER.issue_device_bound_pass(HOLDER, CITY, _KEY.verifying_key).data, _KEY)
_SIGNED_BY = encode_header(_KEY.algorithm, _KEY.kid)
_SIGNED_TEXTS = (_ISSUER.issue(HOLDER, CITY).text, _ROTATING.present(now=NOW), _PHONE.present(now=NOW))


class _OfAUser(str):
    __slots__ = ()


def _text(data: bytes) -> None:
    """As UTF-8 with half characters, as a scanner or a web form may give it: every engine and every form.

    (Arrow arrays have a target of their own.)
    """
    text = data.decode("utf-8", "surrogateescape")
    as_strings: list[Any] = [[text], (text,), {text}, [_OfAUser(text)]]
    as_bytes: list[Any] = [[data], (data,), {data}]
    if b"\n" not in data and data:
        as_bytes += [data, data + b"\n", bytearray(data), memoryview(data)]
    for plain, verifier in zip(_VERIFIERS, _REDEEMERS, strict=True):
        seen = [{bytes(plain.verify_many(form).codes) for form in forms} for forms in (as_strings, as_bytes)]
        assert max(map(len, seen)) == 1, seen
        assert seen[0] == seen[1] or not text.isprintable(), seen  # other bytes are one character each
        plain.verify_many(data)
        verifier.verify_many([text, data])
        for scanned in (text, normalize_scan(text)):
            for call in (verifier.verify, verifier.redeem):
                with may_raise(TokenError):
                    call(scanned)


def _lines(data: bytes) -> None:
    for verifier in _VERIFIERS:
        for _ in verifier.verify_lines(io.BytesIO(data), chunk_bytes=1 + len(data) % 50):
            pass


def _token(data: bytes) -> None:
    """Whatever bytes in a text whose check digits are right: every engine gives the same verdict."""
    for profile in (1, 2, 3):
        _agree(encode_text(profile, data[:200] or b"x", "01234567" if profile == 2 else ""))


def _claims(data: bytes) -> None:
    """Whatever claims under a good signature: every engine gives the same verdict."""
    _agree(encode_text(1, sign1(_SIGNED_BY, data[:200], _KEY.sign)))
    parse_claims(cbor2.dumps(data))


def _agree(text: str) -> None:
    codes = {bytes(verifier.verify_many([text], now=NOW, recorded=True).codes) for verifier in _DAY_LATER}
    assert len(codes) == 1, codes
    with may_raise(TokenError):
        _REDEEMERS[0].verify(text)


def _signed_list(data: bytes) -> None:
    """Whatever content of a list under a good signature."""
    header = encode_header(_STATUS.algorithm, _STATUS.kid, typ="application/statuslist+cwt")
    _READER.read(sign1(header, data, _STATUS.sign), now=NOW)


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    for more in ("-wal", "-shm", "-journal"):
        path.with_name(name + more).unlink(missing_ok=True)
    return path


def _list_file(data: bytes) -> None:
    source = FileStatusSource(_file("list", data), _READER, every=0)
    source.refresh(NOW)
    source.status(5, NOW)


def _audit(data: bytes) -> None:
    path = _file("audit", data)
    for call in (lambda: check_audit(path, head="0" * 64), lambda: AuditFile(path).close()):
        with may_raise(AuditError):
            call()
    check_audit(path)


def _guard_file(data: bytes) -> None:
    guard = SqliteReplayGuard(_file("guard", data), clock=lambda: NOW)
    try:
        guard.claim_many([Claim(b"key", NOW - 5, NOW + 5, NOW + 9, "96"), Claim(b"key", NOW - 5, NOW + 5, NOW + 9)])
        with may_raise(TokenError):
            guard.claim(b"other", since=NOW - 5, by=NOW + 5, until=NOW + 9)
    finally:
        guard.close()


def _registry_file(data: bytes) -> None:
    for make in (
        lambda path: StatusRegistry.open(path, clock=lambda: NOW),
        lambda path: StatusRegistry(path, _URI, size=1024, clock=lambda: NOW),
    ):
        with may_raise(ValueError):
            registry = make(_file("registry", data))
            for act in (
                lambda opened: opened.status(5),
                lambda opened: opened.enter(NOW + 600, person=6),
                lambda opened: opened.suspend(person=5),
                lambda opened: opened.publish(_STATUS, now=NOW),
            ):
                with may_raise(OSError, RuntimeError, ValueError):  # a full list, and one of a later time
                    act(registry)
            registry.close()


def _state(data: bytes) -> None:
    """A state file of whatever bytes, and of whatever bytes under a right hash."""
    for content in (data, f"sha256 {hashlib.sha256(data).hexdigest()}\n".encode() + data):
        source = MemoryStatusSource(_READER, state=_file("state", content))
        with may_raise(CannotCheckError):
            source.load(_SIGNED_LIST, NOW)
        with may_raise(CannotCheckError):
            source.status(5, NOW)


def _made(make: Callable[[Path], Any], name: str) -> bytes:
    path = _FOLDER / name
    make(path)
    return path.read_bytes()


def _make_guard(path: Path) -> None:
    guard = SqliteReplayGuard(path, clock=lambda: NOW - 100)
    guard.claim(b"key", since=NOW - 5, by=NOW + 5, until=NOW + 9)
    guard.close()


def _make_registry(path: Path) -> None:
    registry = StatusRegistry(path, _URI, size=1024, clock=lambda: NOW)
    registry.suspend(index=registry.enter(NOW + 600, person=5, channel=1))
    registry.close()


def _make_state(path: Path) -> None:
    MemoryStatusSource(_READER, state=path).load(_SIGNED_LIST, NOW)


def _make_audit(path: Path) -> None:
    with AuditFile(path) as audit:
        audit.append({"n": 1, "zh": "医保"})
        audit.append({"n": 2})


def _redis(data: bytes) -> None:
    """A store that answers whatever it likes: each claim gets an outcome, and none is accepted by accident."""
    from ybtoken.replay.redis.rules import Rules

    rules = Rules(
        replicas=data[0] % 2 if data else 0, replica_timeout=0.1, on_restart="refuse", on_unchecked="trust",
        prefix="p", clock=lambda: NOW, deadline=0.5, seeds=[("a", 1)] if data[1:2] > b"\x80" else (),
    )  # fmt: skip
    stream = io.BytesIO(data[2:])

    def item(depth: int = 0) -> Any:
        kind = stream.read(1)
        size = (stream.read(1) or b"\0")[0]
        match kind[0] % 7 if kind else 9:
            case 0:
                return stream.read(size)
            case 1:
                return size - 100
            case 2:
                return None
            case 3 if depth < 4:
                return [item(depth + 1) for _ in range(size % 8)]
            case 4:
                return sent[0] + stream.read(size) if sent else b""
            case 5:
                return stream.read(size).decode("latin-1")
            case _:
                return ConnectionError("x")

    sent: list[bytes] = []
    conversation = rules.claim([Claim(b"key", NOW - 5, NOW + 5, NOW + 9), Claim(b"two", NOW - 5, NOW + 5, NOW + 9)])
    outcomes: Any = None
    try:
        requests = next(conversation)
        while True:
            sent = [
                part for _, commands in requests for command in commands for part in command if isinstance(part, bytes)
            ]
            requests = conversation.send([[item() for _ in commands] for _, commands in requests])
    except StopIteration as end:
        outcomes = end.value
    assert len(outcomes) == 2
    assert all(outcome is None or isinstance(outcome, TokenError) for outcome in outcomes)


def _address(data: bytes) -> None:
    from ybtoken.status.http import HttpStatusSource

    uri = data.decode("utf-8", "surrogateescape")
    HttpStatusSource(StatusListReader(KeyRing([KeyEntry(_STATUS, "x", use=Use.STATUS)]), uri))._client.close()


def _keys(data: bytes) -> None:
    for read in (read_public_key, read_private_key):
        for given in (data, data.decode("utf-8", "surrogateescape")):
            with may_raise(ValueError):
                read(given)  # type: ignore[operator]
    _KEY.verifying_key.from_pem(data)


def _signature(data: bytes) -> None:
    for key in (_KEY.verifying_key, _SM2):
        with may_raise(TokenError):
            key.verify(data[64:], data[:64])
    _KEY.verifying_key.verify(b"", data)


def _diagnosis(data: bytes) -> None:
    """Whatever bytes as a token that a partner signed, and as the content that it signed."""
    diagnose_text(encode_text(1, data[:200] or b"x"), _RING)
    diagnose_signature(_KEY.verifying_key, data, _NO_SIGNATURE)


_NO_SIGNATURE = bytes(10)  # with 64 bytes, each input would cost some hundred verifications
_SETS = (dump_jwks(RING), json.dumps({"keys": []}))
_SIGNED_LIST = sign_status_list(_LIST, _STATUS)
_ANSWERS = (
    b"\0\0\4\x30" + b"1800000000.000000AA|abcdefgh:1800000000:?:?:0",
    bytes(20),
    b"\0\xff\3\1\3\3\1\5\1\6\3\2\0\1a\1\7",
)


_HEADER = cbor2.dumps({1: -7, 4: _KEY.kid})
_SIG_STRUCTURE = cbor2.dumps(["Signature1", _HEADER, b"", b"payload"])


def _challenge(data: bytes) -> None:
    Challenge.from_text(data.decode("latin-1"))


TARGETS: dict[str, Target] = {
    "text": Target(_text, (), tuple(text.encode() for text in (*_TEXTS, *_SIGNED_TEXTS))),
    "lines": Target(_lines, (), ("\n".join(_SIGNED_TEXTS).encode(), b"\n\n96\n")),
    "token": Target(_token, (), (_ISSUER.issue(HOLDER, CITY).data, _ROTATING.data, presented(_PASS.data))),
    "envelope": Target(cut_envelope, (EnvelopeError,), (_VOUCHER.data, _PASS.data)),
    "presentation": Target(cut_presentation, (EnvelopeError,), (presented(_PASS.data),)),
    "claims": Target(_claims, (ClaimsError,), (encode_claims(_VOUCHER.voucher), encode_claims(_PASS.voucher))),
    "challenge": Target(_challenge, (TextError, ValueError), (Challenge("T1", "01301", bytes(8)).text.encode(),)),
    "ring": Target(load_key_set, (ValueError,), (*(each.encode() for each in _SETS), dump_cose_keyset(RING))),
    "list": Target(lambda data: _READER.read(data, now=NOW), (CannotCheckError,), (_SIGNED_LIST,)),
    "signed list": Target(_signed_list, (CannotCheckError,), (cbor2.loads(_SIGNED_LIST).value[2],)),
    "list file": Target(_list_file, (CannotCheckError,), (_SIGNED_LIST,)),
    "audit file": Target(_audit, (AuditError,), (_made(_make_audit, "made-audit"),)),
    "guard file": Target(_guard_file, (ValueError,), (_made(_make_guard, "made-guard"), b"")),
    "registry file": Target(_registry_file, (), (_made(_make_registry, "made-registry"), b"")),
    "state file": Target(_state, (), (_made(_make_state, "made-state").partition(b"\n")[2], b"{}")),
    "store": Target(_redis, (), _ANSWERS),
    "address": Target(_address, (ValueError,), (_URI.encode(), b"http://[::1]:8/x?y#z", "https://例子.cn/".encode())),
    "key": Target(_keys, (ValueError,), (_KEY.to_pem(passphrase=None), _KEY.verifying_key.to_pem())),
    "diagnosis": Target(
        _diagnosis, (), (_SIG_STRUCTURE, cbor2.dumps(cbor2.CBORTag(18, [_HEADER, {}, b"payload", _NO_SIGNATURE])))
    ),
    "signature": Target(_signature, (TokenError,), (_KEY.sign(b"") + b"x", _KEY.sign(b""))),
}
if find_spec("pyarrow") is not None:
    from fuzz.tables import targets_of_tables

    TARGETS |= targets_of_tables(_RING, _VERIFIERS, _SIGNED_TEXTS)
