"""Which process made an object: a child that is forked gets a copy of every object, also of those that must be one.

A lock that a thread of the parent held is held in the child for ever. So an object that serves one process asks for the
`generation` before it takes its lock, and one that may serve both gets a new lock in the child. An object that holds a
file's locks is not copied while it holds them: `held_in_forks`.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Protocol
from weakref import WeakSet

__all__ = ["generation", "held_in_forks", "new_lock_in_children"]

_PATIENCE = 10.0  # seconds for which a fork waits for an object's lock, which the forking thread itself may hold
_generation = 0


class _Locked(Protocol):
    _lock: Lock


class _Held(_Locked, Protocol):
    def _before_fork(self) -> None: ...


_locked: WeakSet[_Locked] = WeakSet()
_held: WeakSet[_Held] = WeakSet()
_taken: list[Lock] = []
_forking = Lock()


def generation() -> int:
    """How often the processes that led to this one were forked since this module was loaded."""
    return _generation


def new_lock_in_children(owner: _Locked) -> None:
    """Replace the ``_lock`` of an object in every process that is forked from this one."""
    _locked.add(owner)


def held_in_forks(owner: _Held) -> None:
    """Take the ``_lock`` of an object before a fork and call its ``_before_fork``; a child gets a new lock."""
    _held.add(owner)


def _before() -> None:
    _forking.acquire()
    for owner in list(_held):
        if owner._lock.acquire(timeout=_PATIENCE):
            _taken.append(owner._lock)
            owner._before_fork()


def _in_parent() -> None:
    while _taken:
        _taken.pop().release()
    _forking.release()


def _in_child() -> None:
    global _generation, _forking
    _generation += 1
    _forking = Lock()
    _taken.clear()
    for owner in (*_locked, *_held):
        owner._lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
