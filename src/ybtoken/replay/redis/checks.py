"""Checks whether claims are safe in a store: its eviction, persistence and role by INFO, and steps of its clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from ybtoken.errors import CannotCheckError, TokenError, error_for

__all__ = ["KEPT_LONGER", "ServerClock", "check", "refusal", "steady"]

_STEP = 1.0  # seconds by which a server's clock may run ahead between two answers before it counts as set
_DRIFT = 0.001  # seconds a second; NTP slews a clock by at most half of this
KEPT_LONGER = 2
"""Seconds for which a claim is kept past its end. An unnoticed step and drift of the clock take away less than this."""

# Errors by class, or by a word, because an error inside a script has the server's word for it only in its text.
_CODES: tuple[tuple[type[Exception], str, str], ...] = (
    (redis.TimeoutError, "", "redeem.timeout"),
    (TimeoutError, "", "redeem.timeout"),
    (redis.BusyLoadingError, "LOADING ", "redeem.loading"),
    (redis.ReadOnlyError, "READONLY ", "redeem.readonly"),
    (redis.OutOfMemoryError, "OOM ", "redeem.memory"),
    (NoPermissionError, "NOPERM ", "redeem.unchecked"),
)


def refusal(error: object) -> TokenError:
    """The refusal for an exception of the client, or an error that the server answered."""
    reason = type(error).__name__  # a message of the client may hold the address, or a password in it
    if isinstance(error, Exception):
        text = str(error) if isinstance(error, redis.ResponseError) else ""
        if "ACL failure in script" in text or "can't run this command" in text:
            return CannotCheckError("redeem.unchecked", reason="INFO or another command is forbidden in scripts")
        for kind, word, code in _CODES:
            if isinstance(error, kind) or (word and word in text):
                return error_for(code, reason=reason)
    return error_for("redeem.unavailable", reason=reason)


def check(info: Any, fsync: Any, *, trust: bool) -> TokenError | None:
    """The reason why no claim may be made in a server, or ``None``.

    Args:
        info: the answer to INFO, or the error.
        fsync: the answer to CONFIG GET appendfsync, or the error; used only if persistence is trusted.
        trust: whether the server's persistence is trusted to keep the claims over a restart.
    """
    if isinstance(info, redis.ResponseError):
        return CannotCheckError("redeem.unchecked", reason="INFO is refused")
    try:
        info = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    except (AttributeError, ValueError):
        return refusal(info)
    if info.get("loading") not in (None, "0"):
        return CannotCheckError("redeem.loading", reason="loading")
    wanted = {"run_id", "evicted_keys", "maxmemory", "maxmemory_policy", "role"} - info.keys()
    if wanted:
        return CannotCheckError("redeem.unchecked", reason="INFO lacks " + ", ".join(sorted(wanted)))
    if info["role"] != "master":
        return CannotCheckError("redeem.readonly", reason=f"role {info['role']}")
    if info["maxmemory"] != "0" and info["maxmemory_policy"] != "noeviction":
        return CannotCheckError("redeem.evicting", policy=info["maxmemory_policy"])
    if trust:
        if isinstance(fsync, Exception):
            return CannotCheckError("redeem.unchecked", reason="CONFIG GET is refused")
        values = list(fsync.values()) if isinstance(fsync, Mapping) else fsync
        always = isinstance(values, list) and b"always" in values
        for fine, found in (
            (info.get("aof_enabled") == "1", "appendonly is not yes"),
            (always, "appendfsync is not always"),
            (info.get("aof_last_write_status") == "ok", "its last write failed"),
        ):
            if not fine:
                return CannotCheckError("redeem.persistence", found=found)
    return None


def steady() -> float:
    """Seconds of a clock that cannot be set, and that also runs while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ServerClock:
    """Compares a server's clock with a steady one, because setting the server's clock ahead ends every claim early."""

    def __init__(self) -> None:
        self._most: float | None = None  # the server's clock less ours is at most this
        self._at = 0.0

    def was_set(self, server: float, sent: float, received: float, begun_at: int) -> bool:
        """Whether the clock was set ahead since the last answer, and after an epoch was begun.

        Args:
            server: the server's time in its answer.
            sent: the steady clock before the question was sent.
            received: the steady clock after the answer was received.
            begun_at: the server's time when the epoch began.
        """
        least, most = server - received, server - sent
        if self._most is None:
            self._most, self._at = most, received
            return False
        expected = self._most + _DRIFT * max(0.0, received - self._at)
        if least > expected + _STEP:
            self._most, self._at = most, received
            # If the server's clock can only have shown the epoch's time since then, another guard has begun a new
            # epoch.
            return begun_at <= expected + received + _STEP
        self._most, self._at = min(most, expected), received
        return False
