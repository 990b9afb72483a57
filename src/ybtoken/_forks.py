"""Which process made an object: a forked child gets a copy of every object, even of those that must exist only once.

A lock that a thread of the parent held stays locked in the child for ever, so this is checked before a lock is taken.
"""

from __future__ import annotations

import os

__all__ = ["generation"]

_generation = 0


def generation() -> int:
    """How often the processes that led to this one were forked since this module was loaded."""
    return _generation


def _forked() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
