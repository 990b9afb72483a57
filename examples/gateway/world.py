"""The gateway's world: what a platform has (keys, issuer, registry) and what a terminal's side has (verifier, guard).

Here they are in one process, to be looked at. In a real deployment they are two services that share a public key ring
and a status list, and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from ybtoken import (
    CannotCheckError,
    Engine,
    Issuer,
    KeyEntry,
    KeyRing,
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
from ybtoken.judging.redemption import with_the_wait
from ybtoken.keys.ring import Use
from ybtoken.observers.event import VerdictEvent
from ybtoken.observers.log import LogObserver
from ybtoken.observers.observed import ObservedVerifier
from ybtoken.passes.enrolment import Enrolment
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.policy import Policy
from ybtoken.replay.protocols import Claim
from ybtoken.status.list import StatusListReader
from ybtoken.status.policy import StatusPolicy
from ybtoken.status.registry import StatusRegistry
from ybtoken.trust.keeper import Keeper
from ybtoken.words import Words

from .metrics import Metrics
from .rings import Publisher, source_of, staleness
from .settings import Settings
from .statuses import PresentStatus, Statuses
from .used import (
    CLAIMED_WITHIN,
    AsyncKeeping,
    HandIns,
    Keeping,
    begin,
    claim_of_hand_in,
    guard_of,
    keep_to_one_platform,
    keep_to_one_store,
)
from .vault import Vault

STATUS_URI = "/status/list"
RINGS_EVERY = 15
"""Seconds after which each worker looks for a newer key ring; so long a withdrawal may take to be seen everywhere."""
STATUS_TTL = 5
"""Seconds after which each worker looks at the registry again; so long a freeze may take to be seen everywhere."""
_log = logging.getLogger(__name__)
_ISSUER = "演示平台 · demo platform"


def open_vault(settings: Settings) -> Vault:
    """The secrets; before the first signing key is made, the guard's file begins to remember what is used.

    Codes of another platform may have been used before: with its rings the file begins when it is made. So may codes of
    a key that rings in the folder name, if the key and the file were deleted.

    Raises:
        ValueError: the folder does not serve.
    """
    is_file = settings.remembers == "file"
    is_first = is_file and not settings.rings and not (settings.folder / "rings").exists()
    first = (lambda: begin(settings.folder)) if is_first else (lambda: None)
    vault = Vault.open(settings.folder, settings.algorithm, first)
    keep_to_one_store(settings)
    if is_file:
        keep_to_one_platform(settings)
    return vault


class _Verifiers(NamedTuple):
    """What is made of a ring."""

    ring: KeyRing
    at_counters: Verifier
    of_hand_ins: Verifier
    """Without the master key: nobody can guess at one-time codes of the past by handing them in."""


class World:
    """All that the endpoints need, made from the settings."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock: Callable[[], float] = lambda: clock() + settings.clock_offset
        vault = self._vault = open_vault(settings)
        own = KeyEntry(vault.signing.verifying_key, _ISSUER, Scope(), status_uri=STATUS_URI)
        self.keys = KeyRing([own], version=1)
        """The platform's own; what is verified with comes from the repository."""
        self.publisher = None if settings.rings else Publisher(settings.folder, self.keys, self.clock)
        self.rings = source_of(settings, self.publisher)
        self._is_signed = True
        self.issuer = Issuer(vault.signing, lifetime=settings.lifetime, clock=self.clock)
        self.sealer = IdentitySealer.for_ring(self.keys, vault.sealing, clock=self.clock)
        self.codes = RotatingCodes(vault.master, clock=self.clock)
        self.enrolment = Enrolment(hashlib.sha256(b"enrolment" + vault.master).digest(), clock=self.clock)
        self.registry = StatusRegistry(settings.folder / "status.db", STATUS_URI, size=1 << 16, clock=self.clock)
        self.status_keys = KeyRing([KeyEntry(vault.status.verifying_key, _ISSUER, use=Use.STATUS)])
        reader = StatusListReader(self.status_keys, STATUS_URI, skew=settings.skew)
        self.statuses = Statuses(reader, settings.skew)
        self.published = b""
        self._published_at = 0
        self._publishing = Lock()
        self.guard: Any = guard_of(settings, self.clock)
        self._hand_ins = HandIns(settings.folder)
        self.metrics = Metrics()

        def verifier_with(ring: KeyRing, policy: Policy, **options: Any) -> Verifier:
            return Verifier(
                ring,
                policies=[policy],
                engine=self._engine(),
                skew=settings.skew,
                max_lifetime=max(settings.lifetime, 300),
                clock=self.clock,
                **options,
            )

        keeping = self.guard
        if settings.remembers != "memory":
            keeping = (AsyncKeeping if settings.redis else Keeping)(self.guard)

        def made_of(ring: KeyRing) -> _Verifiers:
            at_counters = verifier_with(ring, StatusPolicy(self.statuses), guard=keeping, otp=self.codes)
            return _Verifiers(ring, at_counters, verifier_with(ring, PresentStatus(self.statuses, self.clock)))

        self._keeper = Keeper(self.rings, made_of, every=RINGS_EVERY, clock=self.clock)
        observers = self._observers = [self.metrics, LogObserver()]
        self.batcher = RedemptionBatcher(self._current)
        """Through it, redemptions that arrive at the same time share a round trip to the store."""
        self.verifier = ObservedVerifier(
            self._current, observers, batcher=self.batcher, place=settings.place, clock=self.clock
        )
        self.refresh_rings()

    def _current(self) -> Verifier:
        return self._keeper.current().at_counters

    @property
    def ring(self) -> KeyRing:
        """The ring that is verified with now.

        Raises:
            CannotCheckError: there is none, or it has ended.
        """
        return self._keeper.current().ring

    @property
    def staleness(self) -> Words | None:
        """What a person at the counter has to know about ring and status list; ``None`` if they are up to date."""
        return staleness(self.rings, self.now, is_fresh=self._is_fresh) or self.statuses.problem

    @property
    def _is_fresh(self) -> bool:
        return self._is_signed and self._keeper.problem is None

    def gauges(self) -> dict[str, tuple[float, str]]:
        """What monitoring reads of the ring: by name, the value and what it is."""
        return {
            "ring_expires_at_seconds": (self.rings.expires_at or 0, "When the key ring ends, in seconds since 1970."),
            "ring_stale": (not self._is_fresh, "1 if the key ring was not signed again or could not be fetched."),
        }

    def refresh_rings(self) -> None:
        """Sign the platform's repository again if that is due, and take over a newer ring; this waits for both."""
        if self.publisher is not None:
            try:
                self.publisher.sign_again()
                self._is_signed = True
            except (ValueError, OSError):  # what is signed holds half of its life yet, and the pages say so
                self._is_signed = False
                _log.exception("the ring repository was not signed again")
        self._keeper.refresh()

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())

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
            if (now := self.now) == self._published_at:  # and not <=, because the clock may be set back
                return
            file = self.settings.folder / "status.cwt"
            try:
                self.published = self.registry.publish(self._vault.status, lifetime=60, ttl=STATUS_TTL)
                replace_file(file, self.published, mode=0o600)
            except ValueError:  # another worker has just published, or the clock was ahead at the last time
                self.published = file.read_bytes()
            self.statuses.load(self.published, self.now)
            self._published_at = now

    async def hand_in(
        self, text: str, at: int, *, id_: str | None = None, terminal: str = "", place: str | None = None
    ) -> VerifiedVoucher:
        """Take what a terminal accepted by itself at a time: it is judged by that time, and is still good for one use.

        The guard remembers redemptions for a week. If it may have forgotten one, it refuses. Observers are told. What
        was taken under an id is taken again under it, and observers are not told twice.

        Raises:
            TokenError: it was not good then, or was used elsewhere.
        """
        begun = time.perf_counter()

        def tell(verdict: VerifiedVoucher | TokenError) -> None:
            refused = isinstance(verdict, TokenError)
            event = VerdictEvent(
                act="hand-in",
                at=self.clock(),
                seconds=time.perf_counter() - begun,
                terminal=terminal,
                place=self.settings.place if place is None else place,
                error=verdict if refused else None,
                voucher=None if refused else verdict,
            )
            for observer in self._observers:
                observer.observe(event)

        try:
            voucher, is_repeated = await self._take(text, at, id_)
        except TokenError as error:
            tell(error)
            raise
        if not is_repeated:
            tell(voucher)
        return voucher

    async def _take(self, text: str, at: int, id_: str | None) -> tuple[VerifiedVoucher, bool]:
        if self.settings.remembers == "memory":  # nothing outlives a restart
            raise CannotCheckError("redeem.unavailable", reason="used codes are remembered in memory only")
        voucher = self._keeper.current().of_hand_ins.verify(text, now=at, recorded=True)
        skews = 3 if voucher.presentation is not None else 2  # see claims_of
        claim = claim_of_hand_in(voucher, self.settings.skew, self.now)
        try:
            await self._claim(claim, skews)
        except RedeemError:
            if id_ is None or not await asyncio.to_thread(self._hand_ins.was_taken, claim.key, id_):
                raise
            return voucher, True
        if id_ is not None:
            await asyncio.to_thread(self._hand_ins.note, claim.key, id_, self.now)
        return voucher, False

    async def _claim(self, claim: Claim, skews: int = 2) -> None:
        times = {"since": claim.since, "by": claim.by, "until": claim.until}
        try:
            if self.settings.redis:
                await self.guard.claim(claim.key, **times)
            else:  # it may wait for its disk
                await asyncio.to_thread(self.guard.claim, claim.key, **times)
        except TokenError as error:
            raise with_the_wait(error, self.now, skews * self.settings.skew) from None

    async def check_ready(self) -> None:
        """Raise a `TokenError` unless a token can be issued, verified and claimed now. The claim is of nobody's token.

        It is made as for a token of this second, so a guard that still refuses those makes the gateway not ready. Where
        verification follows another platform's rings, the own key need not be in them, and nothing is issued.
        """
        verifier = self._current()
        self.statuses.status(0, self.now)
        if not self.settings.rings:
            text = self.issuer.issue(self.sealer.seal(0), "000000").text
            verifier.verify(text)  # past the observers: this is nobody's token
        now = self.now
        by = now + CLAIMED_WITHIN
        await self._claim(Claim(b"ready" + secrets.token_bytes(16), now - 2 * self.settings.skew, by, by))

    async def aclose(self) -> None:
        """Decide what was asked, and close what is open."""
        await self.batcher.aclose()
        if self.settings.redis:
            await self.guard.aclose()
        self.close()

    def close(self) -> None:
        """Close the files."""
        if self.settings.remembers == "file":
            self.guard.close()
        self.registry.close()
