"""The protocol of engines.

An `Engine` prepares a key ring once and returns an `Opener`, which does steps 1 to 7 for one text or for many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.engines.texts import Texts
from ybtoken.engines.time_and_scope import Limits
from ybtoken.keys.ring import KeyRing

__all__ = ["Engine", "Opener", "Texts"]


class Opener(Protocol):
    """An engine with a prepared key ring; immutable, and safe to share between threads."""

    @property
    def keys(self) -> KeyRing:
        """The ring that was prepared."""
        ...

    def open(self, text: str, limits: Limits, now: int) -> Opened:
        """Steps 1 to 7 for one text; raises `TokenError`. ``now`` is in seconds since 1970."""
        ...

    def open_many(self, texts: Texts, limits: Limits, now: int | Sequence[int]) -> OpenedBatch:
        """Steps 1 to 7 for many texts, order kept; never raises for a bad token.

        Args:
            texts: in any form; `ybtoken.engines.texts.held` brings them to one of three.
            limits: see `Limits`.
            now: seconds since 1970, one time for all texts or one for each.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """An implementation of steps 1 to 7. The application passes the one that it wants to the verifier.

    An engine may state ``offload_above``, the most texts that are verified on an event loop and not in a thread; else
    it is 8.
    """

    @property
    def name(self) -> str:
        """Which engine this is, for people and logs."""
        ...

    def prepare(self, keys: KeyRing) -> Opener:
        """Prepare a key ring. This may take long, and does not affect openers that are in use."""
        ...
