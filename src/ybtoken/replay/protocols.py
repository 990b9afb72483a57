"""The protocols of replay guards, which accept each display of a code once (Spec 4, step 9)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ybtoken.errors import TokenError

__all__ = ["AsyncReplayGuard", "ReplayGuard"]


@runtime_checkable
class ReplayGuard(Protocol):
    """A store that accepts each replay key once.

    A guard that inherits from this class has a `claim_many` that calls `claim` for one key after another.
    """

    @abstractmethod
    def claim(self, key: bytes, expires_at: int) -> None:
        """Claim a key. Returns if and only if nobody has claimed it before.

        Args:
            key: the replay key, at most 64 bytes.
            expires_at: seconds since 1970 until which the claim must be remembered.

        Raises:
            RedeemError: it was claimed already.
            CannotCheckError: the store cannot tell, so the caller must refuse.
        """

    def claim_many(self, claims: Sequence[tuple[bytes, int]]) -> list[TokenError | None]:
        """Claim many keys in order, each as `claim` does. A key that is given twice is refused the second time.

        Args:
            claims: pairs of a key and the time until which its claim must be remembered, as for `claim`.

        Returns:
            For each key, in order, ``None`` or why it is refused. A refusal is not raised, and undoes no other claim.
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
    """A `ReplayGuard` for asyncio."""

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
