"""Which process made an object: a child that is forked gets a copy of every object, also of those that must be one.

A lock that a thread of the parent held is held in the child for ever. So an object that serves one process asks for the
`generation` before it takes its lock, and one that may serve both gets a new lock in the child.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Protocol
from weakref import WeakSet

__all__ = ["generation", "new_lock_in_children"]

_generation = 0


class _Locked(Protocol):
    _lock: Lock


_locked: WeakSet[_Locked] = WeakSet()


def generation() -> int:
    """How often the processes that led to this one were forked since this module was loaded."""
    return _generation


def new_lock_in_children(owner: _Locked) -> None:
    """Replace the ``_lock`` of an object in every process that is forked from this one."""
    _locked.add(owner)


def _forked() -> None:
    global _generation
    _generation += 1
    for owner in _locked:
        owner._lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
