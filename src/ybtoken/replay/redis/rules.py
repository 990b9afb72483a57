"""The rules that both guards share: which commands make claims, and what the answers mean. No I/O.

A conversation is a generator. It yields commands for nodes, is sent their answers, and returns a result. The guards
drive it with connections that block or with those for asyncio. A single server is the node `None`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

import redis
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, NoScriptError

from ybtoken._checks import callback, string, uint
from ybtoken.errors import CannotCheckError, TokenError, error_for
from ybtoken.replay.protocols import Claim
from ybtoken.replay.redis.checks import KEPT_LONGER, ServerClock, check, refusal, steady
from ybtoken.replay.redis.groups import Command, Conversation, Group, Node, again, by_node
from ybtoken.replay.redis.scripts import BEGIN, Answer, Epoch

__all__ = ["OnRestart", "OnUnchecked", "Rules"]

OnRestart: TypeAlias = Literal["refuse", "trust"]
OnUnchecked: TypeAlias = Literal["refuse", "trust"]

_CHECK_EVERY: Final = 5.0  # seconds
_ROUNDS: Final = 4  # a script that is not loaded takes an extra round, and so does a slot that moved


class Rules:
    """The rules of one guard. The arguments are those of `RedisReplayGuard`; ``seeds`` are nodes of a cluster."""

    def __init__(
        self,
        *,
        replicas: int,
        replica_timeout: float,
        on_restart: OnRestart,
        on_unchecked: OnUnchecked,
        prefix: str,
        clock: Callable[[], float],
        deadline: float,
        seeds: Sequence[tuple[str, int]] = (),
    ) -> None:
        uint("replicas", replicas, 0xFFFF)
        if isinstance(replica_timeout, bool) or not isinstance(replica_timeout, (int, float)):
            raise TypeError(f"replica_timeout is a number of seconds, not {type(replica_timeout).__name__}")
        if not 0 < replica_timeout <= 3600:  # and no NaN
            raise ValueError(f"replica_timeout is above 0 and at most 3600 seconds, not {replica_timeout}")
        for name, value in (("on_restart", on_restart), ("on_unchecked", on_unchecked)):
            if value not in ("refuse", "trust"):
                raise ValueError(f'{name} is "refuse" or "trust", not {value!r}')
        string("prefix", prefix)
        self._wait: list[Command] = [("WAIT", replicas, max(1, int(replica_timeout * 1000)))] if replicas else []
        self._replicas = replicas
        self._trust = on_restart == "trust"
        self._mode = "blind" if on_unchecked == "trust" else on_restart
        self._prefix = prefix
        self._tags = [f"{prefix}:{{{i:02x}}}:" for i in range(256)] if seeds else [f"{prefix}:"]
        self._clock = callback("clock", clock, "the seconds since 1970")
        # A claim whose answer comes later than this is refused, and each claim is kept for so long past its end. So no
        # message that was sent before the end is accepted after the claim is gone.
        self._patience = max(2, math.ceil(_ROUNDS * deadline + replica_timeout))
        self._seeds = list(seeds)
        self._slots: list[Node] = []  # the node of each slot of a cluster
        self._stale = True  # whether the slots must be learnt again
        self._down: set[Node] = set()  # nodes that did not answer the last time
        self.garbled: set[Node] = set()
        """Nodes whose connections must be dropped: an answer made no sense and may belong to another command."""
        self._checked: dict[Node, float] = {}  # when a node was last found to be safe
        self._clocks: dict[Node, ServerClock] = {}

    def take_garbled(self) -> Iterator[Node]:
        """The nodes of ``garbled``, each of which one thread takes."""
        while self.garbled:
            try:
                node = self.garbled.pop()
            except KeyError:  # another thread took the last one
                return
            yield node

    def claim(self, claims: Iterable[Claim]) -> Conversation:
        """Claim keys; returns one outcome for each."""
        started = steady()
        claims, now = list(claims), int(self._clock())
        outcomes: list[TokenError | None] = [None] * len(claims)
        groups: dict[str, Group] = {}
        for i, (key, since, by, until, _) in enumerate(claims):
            if by <= now:
                outcomes[i] = CannotCheckError("redeem.clock", ahead=now - by)
                continue
            digest = blake2b(key, digest_size=16)
            tag = self._tags[digest.digest()[0] % len(self._tags)]
            group = groups.get(tag)
            if group is None:
                group = groups[tag] = Group(tag)
            group.places.append(i)
            group.names.append(tag + digest.hexdigest())
            # A relative time, because the server's clock may be wrong by minutes, and an EXAT in its past would forget.
            group.args += (since, until - now + KEPT_LONGER + self._patience)
        if groups:
            yield from self._settle(list(groups.values()))
        late = steady() - started > self._patience
        for group in groups.values():
            if late and group.withheld is None:
                group.withheld = error_for("redeem.timeout", reason="the answer came too late")
            for i, outcome in zip(group.places, group.outcomes(), strict=True):
                outcomes[i] = outcome
        return outcomes

    def prepare(self, *, first_use: bool) -> Conversation:
        """Begin the missing epochs; returns since when the store remembers every claim."""
        groups = [Group(tag) for tag in self._tags]
        yield from self._settle(groups, begun=0 if first_use else None)
        for group in groups:
            if group.error is not None:
                raise group.error
        return max(group.epoch.begun or 0 for group in groups)

    def claims_held(self) -> Conversation:
        """Whether there is a claim in the store."""
        groups = [Group(tag) for tag in self._tags]
        self._stale = True
        yield from self._route(groups)
        for group in groups:  # a node that is not known may hold claims
            if group.error is not None:
                raise group.error
        if self._seeds and self._stale:
            raise CannotCheckError("redeem.unavailable", reason="no node says which node has which slots")
        names_of_ours = "".join("\\" + char if char in "*?[]\\" else char for char in self._prefix) + ":*"
        for node in by_node(groups):
            cursor = 0
            while True:
                ((answer,),) = yield [(node, [("SCAN", cursor, "MATCH", names_of_ours, "COUNT", 1000)])]
                try:
                    told, names = answer
                    cursor, held = int(told), any(not name.endswith(b"epoch") for name in names)
                except (TypeError, ValueError, AttributeError):
                    if not isinstance(answer, Exception):
                        self.garbled.add(node)
                    raise refusal(answer) from None
                if held:
                    return True
                if cursor == 0:
                    break
        return False

    def _settle(self, groups: list[Group], *, begun: int | None = None) -> Conversation:
        """Run the script for groups, and begin the epochs that it finds missing."""
        todo = groups
        for last in (False,) * (_ROUNDS - 1) + (True,):
            yield from self._route(todo)
            yield from self._check([group for group in todo if group.error is None])
            todo = yield from self._ask([group for group in todo if group.error is None], last=last)
            if not todo:
                break
        if lost := [group for group in groups if group.error is None and group.epoch.begun is None]:
            yield from self._begin(lost, begun)

    def _ask(self, groups: list[Group], *, last: bool) -> Conversation:
        """Run the script; returns the groups for which it must run again."""
        if not groups:
            return []
        parts = by_node(groups)
        sent = steady()
        answers = yield [
            (node, [group.command(self._mode) for group in part] + self._wait) for node, part in parts.items()
        ]
        received = steady()
        unsettled = []
        for part, replies in zip(parts.values(), answers, strict=True):
            for group, reply in zip(part, replies, strict=False):
                if isinstance(reply, NoScriptError) and not last:
                    group.load = True
                    unsettled.append(group)
                elif _moved(reply) and not last:
                    self._stale = True
                    unsettled.append(group)
                elif isinstance(reply, redis.ConnectionError) and not (group.resent or last):
                    # The connection was dropped. Sending claims twice is safe: the script knows the batch's id.
                    self._stale = group.resent = True
                    unsettled.append(group)
                else:
                    self._take(group, reply, sent, received)
                    if self._replicas:
                        self._count(group, replies[-1])
        return unsettled

    def _take(self, group: Group, reply: Any, sent: float, received: float) -> None:
        try:
            batch, server, group.flags, group.shown = Answer.read(reply)
            group.epoch = Epoch.read(group.shown)
            if batch != group.id or len(group.flags) != len(group.names) * (group.epoch.begun is not None):
                raise ValueError("the answer to another question")
        except (TypeError, ValueError, AttributeError):
            group.error = self._failed(reply, group.node)
            if not isinstance(reply, Exception):
                self.garbled.add(group.node)
            return
        self._down.discard(group.node)
        clock = self._clocks.setdefault(group.node, ServerClock())
        if clock.was_set(server, sent, received, group.epoch.at):
            group.epoch = group.epoch._replace(at=int(server), begun=None)

    def _count(self, group: Group, acknowledged: Any) -> None:
        """In strict mode, withhold the accepted claims unless the replicas have them."""
        if isinstance(acknowledged, Exception):
            group.withheld = self._failed(acknowledged, group.node)
        elif not isinstance(acknowledged, int) or acknowledged < self._replicas:
            group.withheld = error_for("redeem.unreplicated", acknowledged=acknowledged, wanted=self._replicas)

    def _failed(self, reply: Any, node: Node) -> TokenError:
        if not isinstance(reply, redis.ResponseError):
            self._stale = True  # another node may take over
            self._down.add(node)
        return refusal(reply)

    def _begin(self, lost: list[Group], begun: int | None) -> Conversation:
        """Begin epochs that the script found missing, at this guard's time."""
        self._checked.clear()  # the server may have been replaced
        if self._slots:
            # The other epochs may have been lost at the same time. Otherwise each would begin at its own first claim.
            known = {group.tag for group in lost}
            others = [Group(tag) for tag in self._tags if tag not in known]
            for group in others:
                group.node = self._slots[key_slot(group.key.encode())]
            others = [group for group in others if group.node is not None and group.node not in self._down]
            for part in by_node(others).values():
                part[0].load = True  # the node may not have the script yet
            yield from self._ask(others, last=True)
            lost = lost + [group for group in others if group.error is None and group.epoch.begun is None]
        at = int(self._clock()) if begun is None else begun
        parts = by_node(lost)
        answers = yield from again(
            [
                (node, [("EVAL", BEGIN, 1, group.key, group.shown, group.begun_at(at)) for group in part])
                for node, part in parts.items()
            ]
        )
        for part, replies in zip(parts.values(), answers, strict=True):
            for group, reply in zip(part, replies, strict=True):
                group.flags = b"L" * len(group.names)
                try:
                    epoch = Epoch.read(reply)
                except (TypeError, ValueError, AttributeError):
                    group.error = self._failed(reply, group.node)
                else:
                    group.epoch = epoch if epoch.begun is not None else epoch._replace(begun=at)

    def _check(self, groups: list[Group]) -> Conversation:
        """Ask the nodes that were not checked within the last seconds whether they are safe."""
        if self._mode == "blind":
            return
        now = steady()
        due = {node: part for node, part in by_node(groups).items() if self._checked.get(node, now) <= now}
        if not due:
            return
        ask: list[Command] = [("INFO",), ("CONFIG", "GET", "appendfsync")] if self._trust else [("INFO",)]
        answers = yield from again([(node, ask) for node in due])
        for (node, part), (info, *fsync) in zip(due.items(), answers, strict=True):
            error = check(info, fsync[0] if fsync else None, trust=self._trust)
            if error is None:
                self._checked[node] = now + _CHECK_EVERY
                continue
            if isinstance(info, Exception):
                error = self._failed(info, node) if not isinstance(info, redis.ResponseError) else error
            for group in part:
                group.error = error

    def _route(self, groups: list[Group]) -> Conversation:
        """Find out which node of a cluster holds each group."""
        if not self._seeds:
            return
        refused: TokenError = CannotCheckError("redeem.unavailable", reason="no node answers")
        for seed in self._seeds if self._stale else ():
            ((answer,),) = yield from again([(seed, [("CLUSTER", "SLOTS")])])
            try:
                self._learn(seed, answer)
                break
            except (TypeError, ValueError, AttributeError, IndexError):
                refused = refusal(answer)
        for group in groups:
            group.node = self._slots[key_slot(group.key.encode())] if self._slots else None
            if group.node is None:
                group.error = refused

    def _learn(self, seed: tuple[str, int], answer: Any) -> None:
        """Read the answer to CLUSTER SLOTS: which primary has which slots."""
        slots: list[Node] = [None] * 16384
        for first, last, (host, port, *_), *_ in answer:
            if not 0 <= first <= last < len(slots):
                raise ValueError("a slot that there is not")
            # A node that does not know its own address leaves it out; then it is the node that was asked.
            name = host.decode() if host else ""
            slots[first : last + 1] = [(name if name not in ("", "?") else seed[0], port)] * (last + 1 - first)
        found = [node for node in dict.fromkeys(slots) if node is not None]
        # Next time, ask the node that answered first, and the configured ones last.
        self._seeds = list(dict.fromkeys([seed, *found, *self._seeds]))
        self._slots, self._stale = slots, False


def _moved(reply: Any) -> bool:
    """Whether the node answers that another node has the slot. Older clients have no class for that error."""
    if isinstance(reply, (MovedError, AskError)):
        return True
    return isinstance(reply, redis.ResponseError) and str(reply).startswith(("MOVED ", "ASK "))
