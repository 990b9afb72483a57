"""Sources of key rings. A source holds the newest good ring that it has seen, and knows when that ring ends.

A newer ring replaces an older one, never the other way round, because an older ring would make a withdrawn key valid
again. Only `refresh` waits for a network, in its own thread (`ybtoken.trust.keeper`); `ring` never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Protocol, runtime_checkable

from ybtoken._checks import duration, instance
from ybtoken.errors import CannotCheckError
from ybtoken.keys.ring import KeyRing
from ybtoken.words import Reason

__all__ = ["FixedRingSource", "HeldRing", "RingSource"]


@runtime_checkable
class RingSource(Protocol):
    """Knows the newest good ring."""

    problem: CannotCheckError | None
    """Why the last `refresh` failed; ``None`` if it succeeded."""

    def ring(self, now: int) -> KeyRing:
        """The ring to verify with at a time, in seconds since 1970. It answers at once.

        Raises:
            CannotCheckError: there is no ring yet (``key.ring_unavailable``), or it has ended (``key.ring_expired``).
        """
        ...

    def overdue(self, now: int) -> int | None:
        """For how many seconds the ring has been past its end, within the source's grace; ``None`` before its end."""
        ...

    def refresh(self, now: int) -> bool:
        """Look for a newer ring; this may wait. A failure raises nothing: ``problem`` says what it was.

        Returns:
            Whether a newer ring was taken.
        """
        ...


class FixedRingSource:
    """One ring that never changes and never ends, like that of a verifier made with a `KeyRing`.

    Args:
        ring: the ring.
    """

    problem: CannotCheckError | None = None

    def __init__(self, ring: KeyRing) -> None:
        self._ring = instance("ring", ring, KeyRing, "a KeyRing")

    def ring(self, now: int) -> KeyRing:
        """See `RingSource`."""
        return self._ring

    def overdue(self, now: int) -> int | None:
        """See `RingSource`."""
        return None

    def refresh(self, now: int) -> bool:
        """See `RingSource`."""
        return False


@dataclass(slots=True)
class _Held:
    """A statement. Its end is part of it, so that the end of an older one is never taken for that of a newer one."""

    ring: KeyRing
    expires_at: int | None
    seen_at: int
    has_ended: bool = False
    about: object = None
    """How a source that remembers tells the statement from others."""


class HeldRing:
    """What sources have in common: the ring that is held, its end by the verifier's clock, and a grace after it.

    A clock that is set back does not make a ring good again: time is at least that of the refresh that brought the
    ring, and a ring that was past its end once stays so until a newer statement arrives, with a source that has a state
    on disk also over restarts. Thread-safe.

    Args:
        grace: for how many seconds past its end a ring is still used. Each verdict then has a note, if the verifier has
            a `ybtoken.trust.policy.RingPolicy`.
    """

    def __init__(self, *, grace: int = 0) -> None:
        self._grace = duration("grace", grace)
        self._held: _Held | None = None
        self._refreshing = Lock()
        self.problem: CannotCheckError | None = None
        """Why the last `refresh` failed; ``None`` if it succeeded."""

    @property
    def expires_at(self) -> int | None:
        """When the ring that is held ends, in seconds since 1970; ``None`` if there is none, or no end."""
        held = self._held
        return None if held is None else held.expires_at

    def ring(self, now: int) -> KeyRing:
        """See `RingSource`."""
        held = self._held
        if held is None:
            reason = (
                Reason("no ring has arrived yet", "尚未取得密钥环") if self.problem is None else self.problem.reason
            )
            raise CannotCheckError("key.ring_unavailable", reason=reason)
        late = self._late(held, now)
        if late is not None and (late >= self._grace or held.has_ended):
            if not held.has_ended:
                held.has_ended = True
                self._note_end(held.about)
            raise CannotCheckError("key.ring_expired", expired_at=held.expires_at, late=late)
        return held.ring

    def overdue(self, now: int) -> int | None:
        """See `RingSource`."""
        held = self._held
        return None if held is None else self._late(held, now)

    def _late(self, held: _Held, now: int) -> int | None:
        if held.expires_at is None:
            return None
        late = max(now, held.seen_at) - held.expires_at
        return max(late, 0) if late >= 0 or held.has_ended else None

    def _take(
        self, ring: KeyRing, expires_at: int | None, seen_at: int, *, has_ended: bool = False, about: object = None
    ) -> None:
        """Hold what a newer statement says."""
        self._held = _Held(ring, expires_at, seen_at, has_ended, about)

    def _note_end(self, about: object) -> None:
        """Remember over restarts that a statement has ended; a source without a memory does nothing."""

    def _failed(self, reason: Reason) -> bool:
        self.problem = CannotCheckError("key.ring_unavailable", reason=reason)
        return False

    def __repr__(self) -> str:
        held = self._held
        return f"{type(self).__name__}({None if held is None else held.ring!r}, expires_at={self.expires_at})"
