"""Replay guards: what makes a token good for one use. One module a store; an application imports the one it wants."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["AsyncReplayGuard", "ReplayGuard"]


@runtime_checkable
class ReplayGuard(Protocol):
    """A store that accepts each replay key once."""

    def claim(self, key: bytes, expires_at: int) -> None:
        """Claim a key; returns if and only if nobody has claimed it before.

        Args:
            key: the replay key, at most 64 bytes.
            expires_at: seconds since 1970 until which the claim must be remembered.

        Raises:
            RedeemError: it was claimed already.
            CannotCheckError: the store cannot tell; nothing may be accepted.
        """


@runtime_checkable
class AsyncReplayGuard(Protocol):
    """The same for asyncio."""

    async def claim(self, key: bytes, expires_at: int) -> None:
        """See `ReplayGuard.claim`."""
