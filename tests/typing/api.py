"""The public API for a type checker: `mypy --strict` must accept every line, and need every `type: ignore`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import assert_type

from ybtoken import (
    Algorithm,
    AsyncReplayGuard,
    CannotCheckError,
    Engine,
    Issuer,
    KeyEntry,
    KeyRing,
    MemoryReplayGuard,
    Profile,
    ReplayGuard,
    Scope,
    SerialEngine,
    SigningKey,
    Token,
    TokenError,
    Verdicts,
    VerifiedVoucher,
    Verifier,
    VerifyingKey,
    Voucher,
    normalize_scan,
)
from ybtoken.identity import IdentitySealer
from ybtoken.keys.keyset import load_jwks
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.policy import Channel, InsuredPlace, Policy
from ybtoken.testing.keys import FakeKey


def issuing(key: P256SigningKey) -> None:
    signing: SigningKey = key
    verifying: VerifyingKey = key.verifying_key
    fake_signing: SigningKey = FakeKey()
    fake_verifying: VerifyingKey = FakeKey()
    assert_type(key.verifying_key, P256VerifyingKey)
    assert_type(signing.kid, bytes)
    assert_type(verifying.algorithm, Algorithm)
    issuer = Issuer(signing, scope=Scope(("33",)))
    token = issuer.issue(IdentitySealer(b"k" * 16).seal(1), "330106", channel=1, purpose="01301")
    assert_type(token, Token)
    assert_type(token.text, str)
    assert_type(token.data, bytes)
    assert_type(token.voucher, Voucher)
    assert_type(token.voucher.profile, Profile)
    assert_type(token.qr.png(), bytes)
    assert_type(issuer.issue_many([(b"", "330106")]), Iterator[Token])
    issuer.issue(b"", 330106)  # type: ignore[arg-type]
    issuer.issue("", "330106")  # type: ignore[arg-type]
    issuer.issue(b"", "330106", chanel=1)  # type: ignore[call-arg]
    issuer.issue(b"", "330106", purpose=1301)  # type: ignore[arg-type]
    Issuer(key.verifying_key)  # type: ignore[arg-type]
    KeyEntry(key, "a private key is not trusted")  # type: ignore[arg-type]
    Issuer(signing, Scope())  # type: ignore
    del fake_signing, fake_verifying


def verifying(keys: KeyRing) -> None:
    guard: ReplayGuard = MemoryReplayGuard()
    engine: Engine = SerialEngine()
    policies: Sequence[Policy] = [Channel(1), InsuredPlace(Scope())]
    verifier = Verifier(keys, guard=guard, policies=policies, engine=engine)
    verified = verifier.verify(normalize_scan("96"))
    assert_type(verified, VerifiedVoucher)
    assert_type(verified.kid, bytes)
    assert_type(verified.purpose, str | None)
    assert_type(verifier.redeem("96", now=1), VerifiedVoucher)
    assert_type(asyncio.run(verifier.redeem_async("96")), VerifiedVoucher)
    assert_type(verifier.redeem_many(["96"]), Verdicts)
    assert_type(asyncio.run(verifier.redeem_many_async(b"96")), Verdicts)
    verdicts = verifier.verify_many(["96"])
    assert_type(verdicts, Verdicts)
    assert_type(verdicts[0], VerifiedVoucher | TokenError)
    assert_type(verdicts[:2], Sequence[VerifiedVoucher | TokenError])
    assert_type(verdicts.codes, bytes)
    assert_type(verdicts.counts(), dict[str, int])
    for verdict in verdicts:
        if isinstance(verdict, TokenError):
            assert_type(verdict.code, str)
            assert_type(verdict.what.zh, str)
        else:
            assert_type(verdict, VerifiedVoucher)
    assert_type(load_jwks("{}"), KeyRing)
    assert_type(keys[b""], KeyEntry)
    Verifier([])  # type: ignore[arg-type]
    Verifier(keys, guard)  # type: ignore
    verifier.verify(b"96")  # type: ignore[arg-type]
    verifier.verify("96", 5)  # type: ignore
    verified.city_code = "330106"  # type: ignore[misc]
    VerifiedVoucher(kid=b"")  # type: ignore[call-arg]


class Redis(AsyncReplayGuard):
    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        raise CannotCheckError("redeem.unavailable", reason="down")


class Hsm:
    algorithm = Algorithm.ES256
    kid = bytes(8)

    def sign(self, message: bytes) -> bytes:
        return message


def plugging(keys: KeyRing) -> None:
    remote: AsyncReplayGuard = Redis()
    key: SigningKey = Hsm()
    Verifier(keys, guard=remote)
    Issuer(key)
    Verifier(keys, guard=Hsm())  # type: ignore[arg-type]
    Verifier(keys, policies=[Hsm()])  # type: ignore[list-item]
    Verifier(keys, engine=Hsm())  # type: ignore[arg-type]
    wrong: ReplayGuard = Redis()  # type: ignore[assignment]
    del wrong
