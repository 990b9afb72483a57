"""The protocols of replay guards, which accept each display of a code once (Spec 4, step 9).

A claim states three times, so that a guard needs to know neither a skew nor how long tokens live:

    since    no verifier can have redeemed the display earlier, so a guard that remembers every claim from before then
             knows every claim that was ever made on this key
    by       the claimer accepts the display until then, and a claim that is made later is refused
    until    the guard remembers the claim until then

All are times of the claimer's clock, and allow for the skew between it and every other clock. ``by`` is compared with
the time of the claim, not of the verification, because a process can be suspended for long in between.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from ybtoken.errors import TokenError

__all__ = ["AsyncReplayGuard", "Claim", "ReplayGuard"]


class Claim(NamedTuple):
    """A request that a guard accepts one replay key, once."""

    key: bytes
    """The replay key, at most 64 bytes."""
    since: int
    """Seconds since 1970. A guard that may have forgotten a claim made at this time or later refuses."""
    by: int
    """Seconds since 1970. A claim that is made at this time or later is refused."""
    until: int
    """Seconds since 1970. The guard remembers the claim until then."""
    text: str | None = None
    """What was scanned, for a guard that keeps a journal; only the claim that decides has it."""


@runtime_checkable
class ReplayGuard(Protocol):
    """A store that accepts each replay key once.

    A guard that inherits from this has a `claim_many` that calls `claim` for one key after another.

    A guard that answers without waiting for a disk or a network may state ``waits = False``: then it is called on the
    event loop. Every other guard is called in a thread there, so it has to be thread-safe.
    """

    @abstractmethod
    def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """Claim a key. Returns if and only if it was not claimed before.

        Args:
            key: the replay key, at most 64 bytes.
            since: seconds since 1970. If the store may have lost a claim that was made at this time or later, the guard
                refuses, because the lost claim may have been on this key.
            by: seconds since 1970; from then on, by its own clock, the guard refuses.
            until: seconds since 1970, until which the claim must be remembered.

        Raises:
            RedeemError: the key was claimed before.
            CannotCheckError: the store cannot tell, so the caller must refuse. The code is "redeem.restarted", with the
                fact ``begun``, if the memory of the store only begins at ``begun`` and ``begun >= since``, and
                "redeem.clock" if the claim was made too late.
        """

    def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """Claim many keys in order, each as `claim` does. A key that is given twice is refused the second time.

        Args:
            claims: keys, each with its times.

        Returns:
            For each key, in order, ``None`` or the error with which it is refused. A refusal is not raised, and does
            not undo other claims.
        """
        outcomes: list[TokenError | None] = []
        for one in claims:
            try:
                self.claim(one.key, since=one.since, by=one.by, until=one.until)
            except TokenError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        return outcomes


@runtime_checkable
class AsyncReplayGuard(Protocol):
    """A `ReplayGuard` for asyncio."""

    @abstractmethod
    async def claim(self, key: bytes, *, since: int, by: int, until: int) -> None:
        """See `ReplayGuard.claim`."""

    async def claim_many(self, claims: Sequence[Claim]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`."""
        outcomes: list[TokenError | None] = []
        for one in claims:
            try:
                await self.claim(one.key, since=one.since, by=one.by, until=one.until)
            except TokenError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        return outcomes
