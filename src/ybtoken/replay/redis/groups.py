"""Messages between a guard and a store: groups of claims that share an epoch, and pipelines of commands to nodes."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeAlias

import redis

from ybtoken.errors import RedeemError, TokenError, error_for
from ybtoken.replay.redis.scripts import CLAIM, CLAIM_SHA, Epoch

__all__ = ["Answers", "Command", "Conversation", "Group", "Node", "Requests", "again", "by_node"]

Node: TypeAlias = "tuple[str, int] | None"
Command: TypeAlias = tuple[Any, ...]
Requests: TypeAlias = list[tuple[Node, list[Command]]]
"""Commands for nodes; those for one node are a pipeline on one connection."""
Answers: TypeAlias = Sequence[Sequence[Any]]
"""One answer for each command, in the same order; an exception if there is no answer."""
Conversation: TypeAlias = Generator[Requests, Answers, Any]


class Group:
    """Claims that share an epoch. One run of the script decides them."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.key = tag + "epoch"
        self.node: Node = None
        self.id = secrets.token_bytes(8)
        self.places: list[int] = []
        self.names: list[str] = []
        self.args: list[int] = []
        self.load = False  # whether the script has to be sent in full
        self.resent = False
        self.shown = b""  # the epoch as the server returned it
        self.epoch = Epoch(b"", 0, "", None)
        self.flags = b""
        self.error: TokenError | None = None  # for all of them
        self.withheld: TokenError | None = None  # for those that the script accepted

    def command(self, mode: str) -> Command:
        name, script = ("EVAL", CLAIM) if self.load else ("EVALSHA", CLAIM_SHA)
        keys = (self.key, *self.names)
        return (name, script, len(keys), *keys, mode, self.id, *self.args)

    def begun_at(self, begun: int) -> bytes:
        """The epoch that replaces the one that the server returned."""
        return bytes(self.epoch._replace(nonce=secrets.token_bytes(8), begun=begun))

    def outcomes(self) -> list[TokenError | None]:
        if self.error is not None:
            return [self.error] * len(self.places)
        lost, replayed = error_for("redeem.restarted", begun=self.epoch.begun), RedeemError("redeem.replayed")
        meaning = {ord("A"): self.withheld, ord("L"): lost, ord("R"): replayed}
        return [meaning[flag] for flag in self.flags]


def again(requests: Requests) -> Conversation:
    """Send commands; send those again whose connection was dropped, because it may have died while it was idle."""
    answers = list((yield requests))
    dropped = [i for i, (first, *_) in enumerate(answers) if isinstance(first, redis.ConnectionError)]
    if dropped:
        for i, answer in zip(dropped, (yield [requests[i] for i in dropped]), strict=True):
            answers[i] = answer
    return answers


def by_node(groups: Iterable[Group]) -> dict[Node, list[Group]]:
    """Groups by the node that holds them."""
    parts: dict[Node, list[Group]] = {}
    for group in groups:
        parts.setdefault(group.node, []).append(group)
    return parts
