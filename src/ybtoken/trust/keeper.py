"""The keeper: it makes a verifier follow the newest ring, and there is a verifier at every moment.

A refresh runs in its own thread. The verifier of a new ring is made beside the old one, and then the two are swapped. A
request never waits for a network and never starts a fetch, not even for an unknown key. It fails only if the ring has
ended.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Generic, Self, TypeVar

from ybtoken._checks import callback, duration, instance
from ybtoken.errors import CannotCheckError
from ybtoken.keys.ring import KeyRing
from ybtoken.trust.source import RingSource
from ybtoken.words import Reason, words_of

__all__ = ["Keeper"]

_T = TypeVar("_T")

_FORKED = Reason(
    "the process was forked after the keeper had started, and nothing refreshes here: make a keeper in each process",
    "进程在 keeper 启动之后由 fork 产生，其中没有更新线程：请在每个进程内各建一个 keeper",
)


@dataclass(slots=True)
class _Made(Generic[_T]):
    ring: KeyRing
    verifier: _T
    expires_at: int | None
    """The end of the ring's own statement: the source knows that of a newer one only."""
    has_ended: bool = False


class Keeper(Generic[_T]):
    """Keeps a verifier (a `Verifier`, or an object that wraps one) made from the newest good ring of a source.

    ::

        source = TufRingSource("https://rings.example/", root, state="/var/lib/terminal/rings")
        keeper = Keeper(source, lambda ring: Verifier(ring, guard=guard, policies=[RingPolicy(source)]))
        with keeper:
            keeper.current().redeem(text)

    A newer ring that cannot be used leaves the verifier of the one before it until that one's own end.

    With ``with``, or with `start` and `close`, it refreshes in the background. Otherwise the application calls
    `refresh` on a schedule of its own.

    Args:
        source: where rings come from.
        make: makes the verifier of a ring. All of them must share the guard, and every other object that remembers.
        every: how many seconds are between two refreshes. Each is up to a tenth earlier or later, so that terminals
            that started together do not fetch together.
        clock: returns seconds since 1970.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds.
    """

    def __init__(
        self,
        source: RingSource,
        make: Callable[[KeyRing], _T],
        *,
        every: int = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = instance("source", source, RingSource, "a RingSource, such as FileRingSource")
        self._make = callback("make", make, "a verifier of a ring")
        self._every = duration("every", every, minimum=1)
        self._clock = callback("clock", clock, "the seconds since 1970")
        self._refreshing = Lock()
        self._made: _Made[_T] | None = None
        self._unusable: CannotCheckError | None = None
        self._stop = Event()
        self._thread: Thread | None = None
        self._process = os.getpid()
        self._swap(self._now())

    @property
    def problem(self) -> CannotCheckError | None:
        """Why the last refresh did not succeed; ``None`` if it did."""
        return self._unusable or self._source.problem

    def current(self, now: int | None = None) -> _T:
        """The verifier of the newest good ring. This returns at once.

        Args:
            now: seconds since 1970. Without it the keeper reads its clock.

        Raises:
            CannotCheckError: there is no ring to verify with (``key.ring_unavailable`` or ``key.ring_expired``), or
                the process was forked after `start`, so that nothing refreshes in it.
        """
        if self._thread is not None and os.getpid() != self._process:
            raise CannotCheckError("key.ring_unavailable", reason=_FORKED)
        at = self._now() if now is None else now
        ring, made = self._source.ring(at), self._made
        if made is None:
            raise self._unusable or CannotCheckError(
                "key.ring_unavailable", reason=Reason("the ring has just arrived", "密钥环刚刚到达")
            )
        if made.ring is not ring and made.expires_at is not None and (made.has_ended or at >= made.expires_at):
            made.has_ended = True  # the newer ring's end is not this one's
            late = max(at - made.expires_at, 0)
            raise CannotCheckError("key.ring_expired", expired_at=made.expires_at, late=late)
        return made.verifier

    def refresh(self, now: int | None = None) -> bool:
        """Look for a newer ring, and swap. This waits for the source, and raises nothing: see ``problem``.

        Returns:
            Whether `current` gives another verifier from now on.
        """
        with self._refreshing:
            try:
                at = self._now() if now is None else now
                self._source.refresh(at)
                return self._swap(at)
            except Exception as error:  # whatever it is, the thread goes on, and ``problem`` says it
                self._unusable = _unusable(f"{type(error).__name__}: {error}", f"{type(error).__name__}: {error}")
                return False

    def _swap(self, now: int) -> bool:
        ends = [getattr(self._source, "expires_at", None)]
        try:
            ring = self._source.ring(now)
        except CannotCheckError:
            return False  # `current` says so, too
        ends.append(getattr(self._source, "expires_at", None))  # another one, if a statement arrived meanwhile
        expires_at = min((end for end in ends if end is not None), default=None)
        if self._made is not None and self._made.ring is ring:
            self._made = _Made(ring, self._made.verifier, expires_at)
            self._unusable = None
            return False
        try:
            made = self._make(ring)
        except ValueError as error:  # such as a ring of keys for status lists
            self._unusable = _unusable(*words_of(error))
            return False
        self._made, self._unusable = _Made(ring, made, expires_at), None
        return True

    def start(self) -> None:
        """Refresh once, and then in the background until `close`."""
        if self._thread is not None:
            raise ValueError("the keeper was started already")
        self.refresh()
        self._stop.clear()
        self._process = os.getpid()
        self._thread = Thread(target=self._run, name="ybtoken ring keeper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._every * random.uniform(0.9, 1.1)):  # noqa: S311 - no secret
            self.refresh()

    def close(self) -> None:
        """End the refreshes; what is held can still be used."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> int:
        return int(self._clock())

    def __repr__(self) -> str:
        return f"Keeper({self._source!r})"


def _unusable(en: str, zh: str) -> CannotCheckError:
    reason = Reason(f"the ring cannot be used: {en}", f"密钥环无法使用：{zh}")
    return CannotCheckError("key.ring_unavailable", reason=reason)
