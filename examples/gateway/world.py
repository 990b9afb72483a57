"""The gateway's world: what a platform has (keys, issuer, registry) and what a terminal's side has (verifier, guard).

Here they are in one process, to be looked at. In a real deployment they are two services that share a public key ring
and a status list, and nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from ybtoken import (
    AsyncReplayGuard,
    Engine,
    Issuer,
    KeyEntry,
    KeyRing,
    MemoryReplayGuard,
    ReplayGuard,
    Scope,
    SerialEngine,
    TokenError,
    VerifiedVoucher,
    Verifier,
)
from ybtoken._state import replace_file
from ybtoken.batcher import RedemptionBatcher
from ybtoken.errors import RedeemError
from ybtoken.identity import IdentitySealer, derive_person_number
from ybtoken.keys.ring import Use
from ybtoken.observers.log import LogObserver
from ybtoken.observers.observed import ObservedVerifier
from ybtoken.passes.enrolment import Enrolment
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.status.list import StatusListReader
from ybtoken.status.policy import StatusPolicy
from ybtoken.status.registry import StatusRegistry
from ybtoken.status.source import MemoryStatusSource

from .metrics import Metrics
from .settings import Settings
from .vault import Vault

STATUS_URI = "/status/list"
STATUS_TTL = 5
"""Seconds after which each worker looks at the registry again; so long a freeze may take to be seen everywhere."""
_ISSUER = "演示平台 · demo platform"


class World:
    """All that the endpoints need, made from the settings."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock: Callable[[], float] = lambda: clock() + settings.clock_offset
        vault = self._vault = Vault.open(settings.folder, settings.algorithm)
        self.keys = KeyRing([KeyEntry(vault.signing.verifying_key, _ISSUER, Scope(), status_uri=STATUS_URI)])
        self.issuer = Issuer(vault.signing, lifetime=settings.lifetime, clock=self.clock)
        self.sealer = IdentitySealer.for_ring(self.keys, vault.sealing, clock=self.clock)
        self.codes = RotatingCodes(vault.master, clock=self.clock)
        self.enrolment = Enrolment(hashlib.sha256(b"enrolment" + vault.master).digest(), clock=self.clock)
        self.registry = StatusRegistry(settings.folder / "status.db", STATUS_URI, size=1 << 16, clock=self.clock)
        self.status_keys = KeyRing([KeyEntry(vault.status.verifying_key, _ISSUER, use=Use.STATUS)])
        self.statuses = MemoryStatusSource(StatusListReader(self.status_keys, STATUS_URI, skew=settings.skew))
        self.published = b""
        self._published_at = 0
        self._publishing = Lock()
        self.guard = self._guard()
        self.handed_in: dict[bytes, int] = {}
        """When terminals accepted displays by themselves, by replay key; a real platform has a database."""
        self.metrics = Metrics()
        verifier = Verifier(
            self.keys,
            guard=self.guard,
            policies=[StatusPolicy(self.statuses)],
            engine=self._engine(),
            skew=settings.skew,
            max_lifetime=max(settings.lifetime, 300),
            otp=self.codes,
            clock=self.clock,
        )
        observers = [self.metrics, LogObserver()]
        self.batcher = RedemptionBatcher(verifier)
        """Through it, redemptions that arrive at the same time share a round trip to the store."""
        self.verifier = ObservedVerifier(
            verifier, observers, batcher=self.batcher, place=settings.place, clock=self.clock
        )

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())

    def _guard(self) -> ReplayGuard | AsyncReplayGuard:
        if not self.settings.redis:
            return MemoryReplayGuard(clock=self.clock)
        from ybtoken.replay.redis import AsyncRedisReplayGuard

        return AsyncRedisReplayGuard.from_url(self.settings.redis, replicas=self.settings.replicas, clock=self.clock)

    def _engine(self) -> Engine:
        if self.settings.engine == "serial":
            return SerialEngine()
        from ybtoken.engines.native import NativeEngine

        return NativeEngine()

    def person(self, holder: str) -> int:
        """The person number of a holder; a real platform looks it up where it was enrolled."""
        return derive_person_number(holder, key=self._vault.persons, document_type="demo", sm2_only=self.keys.sm2_only)

    def refresh_statuses(self) -> None:
        """Publish the status list anew, and let this worker's verifier read it; at most once a second.

        Times of lists are whole seconds, so a list more often would replace nothing.
        """
        with self._publishing:
            if (now := self.now) <= self._published_at:
                return
            file = self.settings.folder / "status.cwt"
            try:
                self.published = self.registry.publish(self._vault.status, lifetime=60, ttl=STATUS_TTL)
                replace_file(file, self.published, mode=0o600)
            except ValueError:  # another worker has just published
                self.published = file.read_bytes()
            self.statuses.load(self.published, self.now)
            self._published_at = now

    async def hand_in(self, text: str, at: int) -> VerifiedVoucher:
        """Take what a terminal accepted by itself at a time: it is judged by that time, and is still good for one use.

        A claim that the guard has forgotten, because the code is past, is looked for among those that were handed in.

        Raises:
            TokenError: it was not good then, or was used elsewhere.
        """
        voucher = self.verifier.verifier.verify(text, now=at, recorded=True)
        if voucher.replay_key in self.handed_in:
            raise RedeemError("redeem.replayed")
        try:
            # Whatever the guard has lost, the display was shown: it was accepted once, at the terminal.
            until = voucher.redeem_until
            claimed: Any = self.guard.claim(voucher.replay_key, since=self.now + 1, by=until, until=until)
            if claimed is not None:
                await claimed
        except TokenError as error:
            if error.code != "redeem.clock":
                raise
        self.handed_in[voucher.replay_key] = at
        return voucher

    async def check_ready(self) -> None:
        """Raise a `TokenError` unless a token can be issued, verified and claimed now. The claim is of nobody's token.

        It is made as for a token of this second, so a guard that still refuses those makes the gateway not ready.
        """
        text = self.issuer.issue(self.sealer.seal(0), "000000").text
        self.verifier.verifier.verify(text)  # past the observers: this is nobody's token
        since, until = self.now - 2 * self.settings.skew, self.now + 1
        claimed: Any = self.guard.claim(b"ready" + secrets.token_bytes(16), since=since, by=until, until=until)
        if claimed is not None:
            await claimed

    async def aclose(self) -> None:
        """Decide what was asked, and close what is open."""
        await self.batcher.aclose()
        if (close := getattr(self.guard, "aclose", None)) is not None:
            await close()
        self.registry.close()
