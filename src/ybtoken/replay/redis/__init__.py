"""Replay guards in Redis or Valkey (extra ``redis``), for verifiers on more than one machine.

A claim is one run of a script in the server. In one step the script decides the claim and checks whether the server
still remembers every earlier one: see `ybtoken.replay.redis.scripts`. A Redis key says nothing about a person, because
it is a hash of the kid and the nonce. In a cluster the hash's first byte is the hash tag, so that claims spread over
256 tags, and each tag has an epoch in the same slot.
"""

from __future__ import annotations

try:
    import redis as _redis  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("this guard needs redis-py: pip install 'ybtoken[redis]'", name="redis") from error

from ybtoken.replay.redis.guards import AsyncRedisReplayGuard, RedisReplayGuard

__all__ = ["AsyncRedisReplayGuard", "RedisReplayGuard"]
