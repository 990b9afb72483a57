"""The protocols of replay guards, which make a display good for one use (Spec 4, step 9)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ybtoken.errors import TokenError

__all__ = ["AsyncReplayGuard", "ReplayGuard"]


@runtime_checkable
class ReplayGuard(Protocol):
    """A store that accepts each replay key once.

    A guard that inherits from this has a `claim_many` that makes one claim after another.
    """

    @abstractmethod
    def claim(self, key: bytes, expires_at: int) -> None:
        """Claim a key; returns if and only if nobody has claimed it before.

        Args:
            key: the replay key, at most 64 bytes.
            expires_at: seconds since 1970 until which the claim must be remembered.

        Raises:
            RedeemError: it was claimed already.
            CannotCheckError: the store cannot tell; nothing may be accepted.
        """

    def claim_many(self, claims: Sequence[tuple[bytes, int]]) -> list[TokenError | None]:
        """Claim many keys, each as by `claim` and in order: one that stands there twice is refused the second time.

        Args:
            claims: keys, and until when each must be remembered.

        Returns:
            For each, in order, ``None`` or why it is refused. A refusal is not raised, and undoes no other claim.
        """
        outcomes: list[TokenError | None] = []
        for key, expires_at in claims:
            try:
                self.claim(key, expires_at)
            except TokenError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        return outcomes


@runtime_checkable
class AsyncReplayGuard(Protocol):
    """The same for asyncio."""

    @abstractmethod
    async def claim(self, key: bytes, expires_at: int) -> None:
        """See `ReplayGuard.claim`."""

    async def claim_many(self, claims: Sequence[tuple[bytes, int]]) -> list[TokenError | None]:
        """See `ReplayGuard.claim_many`."""
        outcomes: list[TokenError | None] = []
        for key, expires_at in claims:
            try:
                await self.claim(key, expires_at)
            except TokenError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
        return outcomes
