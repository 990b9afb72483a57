"""The two Lua scripts, which the server runs as one step, and the epoch they keep.

The epoch is a key beside the claims. It says since when the store remembers every claim:

    <nonce>:<server's time>:<run id>:<evicted keys>:<begun>

The claim script compares it with the server that runs the script. Claims may be lost if the key is missing, if the
server has restarted, or if it has evicted a key since. The script then writes an epoch without ``begun``, claims
nothing, and returns that epoch. The guard then reads its own clock and writes the time into the epoch with the second
script. It reads the clock after the server has reported the loss, so the time is never before the loss, however late a
message arrives. The second script replaces only the epoch that the guard was shown, so it cannot hide a later loss.
"""

from __future__ import annotations

from hashlib import sha1
from math import isfinite
from typing import Final, NamedTuple

__all__ = ["BEGIN", "CLAIM", "CLAIM_SHA", "Answer", "Epoch"]

# Plain searches, because a search by pattern would double what the script costs the server.
CLAIM: Final = """\
-- KEYS: the epoch, then the claims. ARGV: mode, the batch's id, then for each claim: since, seconds to keep it.
local function field(section, name)
  local text = redis.call('INFO', section)
  local _, at = string.find(text, name, 1, true)
  return at and string.sub(text, at + 1, string.find(text, '\\r', at, true) - 1) or '?'
end
local mode, batch = ARGV[1], ARGV[2]
local run, evicted = '?', '?'
if mode ~= 'blind' then
  run, evicted = field('server', '\\nrun_id:'), field('stats', '\\nevicted_keys:')
end
local time = redis.call('TIME')
local epoch = redis.call('GET', KEYS[1]) or ''
local same = ':' .. run .. ':' .. evicted .. ':'
local begun
if string.sub(epoch, 20, 19 + #same) == same then
  begun = string.sub(epoch, 20 + #same)
elseif mode ~= 'refuse' then
  local of, counted, rest = string.match(epoch, ':(%x+):(%d+):(%d*)$', 20)
  if mode == 'blind' then
    begun = rest or string.match(epoch, ':%?:%?:(%d*)$', 20)
  elseif of and of ~= run and evicted == '0'
    and string.find(redis.call('INFO', 'replication'), 'master_replid2:0000000000', 1, true) then
    -- Persistence is trusted over a restart, not over a replica that took over: it may lack the last claims.
    begun = rest
  end
end
if not begun then
  begun = ''
  epoch = batch .. ':' .. time[1] .. same
  redis.call('SET', KEYS[1], epoch)
end
local flags = {}
if begun ~= '' then
  begun = tonumber(begun)
  for i = 2, #KEYS do
    local id = batch .. i
    if begun >= tonumber(ARGV[2 * i - 1]) then
      flags[i - 1] = 'L'
    elseif redis.call('SET', KEYS[i], id, 'NX', 'EX', ARGV[2 * i]) then
      flags[i - 1] = 'A'
    elseif redis.call('GET', KEYS[i]) == id then
      -- This batch was sent before and its answer was lost. It is written again because WAIT counts what this
      -- connection wrote.
      redis.call('SET', KEYS[i], id, 'XX', 'KEEPTTL')
      flags[i - 1] = 'A'
    else
      flags[i - 1] = 'R'
    end
  end
end
return batch .. time[1] .. '.' .. string.format('%06d', time[2]) .. table.concat(flags) .. '|' .. epoch
"""

BEGIN: Final = """\
-- KEYS: the epoch. ARGV: the epoch that the guard was shown, and the one to put in its place.
local epoch = redis.call('GET', KEYS[1])
if epoch == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return ARGV[2]
end
return epoch or ''
"""

CLAIM_SHA: Final = sha1(CLAIM.encode(), usedforsecurity=False).hexdigest()
_ID, _TIME = 8, 17  # bytes of a batch's id, and of "1800000000.000000"


class Epoch(NamedTuple):
    """An epoch in the store."""

    nonce: bytes
    at: int
    """The server's time when it was written."""
    server: str
    """Run id and count of evicted keys, as ":...:...:"."""
    begun: int | None
    """Since when the store remembers every claim, by the clock of the guard that began it."""

    @classmethod
    def read(cls, value: bytes) -> Epoch:
        """Read an epoch; `ValueError` if the value is not one."""
        at, run_id, evicted, begun = value[_ID + 1 :].decode("ascii").split(":")
        return cls(value[:_ID], int(at), f":{run_id}:{evicted}:", int(begun) if begun else None)

    def __bytes__(self) -> bytes:
        return self.nonce + f":{self.at}{self.server}{'' if self.begun is None else self.begun}".encode()


class Answer(NamedTuple):
    """The answer of the claim script."""

    batch: bytes
    time: float
    """The server's time, in seconds since 1970."""
    flags: bytes
    """One letter for each claim: A accepted, R replayed, L perhaps lost. Empty if the epoch has not begun."""
    shown: bytes
    """The epoch in the store."""

    @classmethod
    def read(cls, value: bytes) -> Answer:
        """Read an answer; `ValueError` or `TypeError` if the value is not one."""
        batch, time = value[:_ID], float(value[_ID : _ID + _TIME])
        flags, found, shown = value[_ID + _TIME :].partition(b"|")
        if not found or flags.strip(b"ALR") or not isfinite(time):
            raise ValueError("not an answer of the script")
        return cls(batch, time, flags, shown)
