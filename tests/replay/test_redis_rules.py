"""What the rules make of answers that no store should give; no server is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

redis = pytest.importorskip("redis")

from redis.crc import key_slot  # noqa: E402

from ybtoken import TokenError  # noqa: E402
from ybtoken.replay.protocols import Claim  # noqa: E402
from ybtoken.replay.redis import AsyncRedisReplayGuard, RedisReplayGuard  # noqa: E402
from ybtoken.replay.redis.groups import Command, Conversation, Node  # noqa: E402
from ybtoken.replay.redis.rules import Rules  # noqa: E402


def rules(*seeds: tuple[str, int], prefix: str = "p") -> Rules:
    return Rules(
        replicas=0,
        replica_timeout=0.1,
        on_restart="refuse",
        on_unchecked="refuse",
        prefix=prefix,
        clock=lambda: 1_800_000_000,
        deadline=0.5,
        seeds=seeds,
    )


def hold(conversation: Conversation, answer: Callable[[Node, Command], Any]) -> Any:
    try:
        requests = next(conversation)
        while True:
            answers = [[answer(node, command) for command in commands] for node, commands in requests]
            requests = conversation.send(answers)
    except StopIteration as end:
        return end.value


A, B = ("127.0.0.1", 1), ("127.0.0.1", 2)


@pytest.mark.parametrize(
    "slots",
    [
        redis.ConnectionError(), redis.TimeoutError(), b"?", [], [[0, 8191, [b"127.0.0.1", 1, b"id"]]],
        [[0, 16384, [b"127.0.0.1", 1, b"id"]]], [[-1, 16383, [b"127.0.0.1", 1, b"id"]]],
        [[0, 16383, [b"127.0.0.1", 1, b"id"]], [6, 5, [b"127.0.0.1", 1, b"id"]]],
    ],
)  # fmt: skip
def test_a_cluster_whose_nodes_are_not_known_is_not_unused(slots: Any) -> None:
    def answer(node: Node, command: Command) -> Any:
        return slots if command[0] == "CLUSTER" else [b"0", []]

    with pytest.raises(TokenError) as caught:
        hold(rules(A, B).claims_held(), answer)
    assert caught.value.code in ("redeem.unavailable", "redeem.timeout")


def test_a_cluster_whose_nodes_were_known_earlier_is_asked_again() -> None:
    cluster = rules(A)
    known: list[Any] = [[0, 16383, [b"127.0.0.1", 1, b"a"]]]
    assert hold(cluster.claims_held(), lambda _, command: known if command[0] == "CLUSTER" else [b"0", []]) is False
    with pytest.raises(TokenError, match=r"redeem\.unavailable"):
        hold(cluster.claims_held(), lambda _, command: None if command[0] == "CLUSTER" else [b"0", []])


@pytest.mark.parametrize("names", [[], [b"p:{00}:epoch"], [b"p:{00}:epoch", b"p:{00}:0123"]])
def test_every_node_of_a_cluster_is_asked(names: list[bytes]) -> None:
    asked = []
    cluster = [[0, 8191, [b"127.0.0.1", 1, b"a"]], [8192, 16383, [b"127.0.0.1", 2, b"b"]]]

    def answer(node: Node, command: Command) -> Any:
        if command[0] == "CLUSTER":
            return cluster
        asked.append(node)
        return [b"0", names if node == B else []]

    assert hold(rules(A).claims_held(), answer) == (len(names) == 2)
    assert B in asked


def test_a_slot_belongs_to_the_node_that_states_it() -> None:
    first = key_slot(b"p:{00}:epoch")
    known = [[0, first, [b"127.0.0.1", 1, b"a"]], [first + 1, 16383, [b"127.0.0.1", 2, b"b"]]]
    cluster = rules(A)
    hold(cluster.claims_held(), lambda _, command: known if command[0] == "CLUSTER" else [b"0", []])
    assert cluster._slots == [A] * (first + 1) + [B] * (16383 - first)


class Raced(set[Node]):
    """A set whose last element another thread takes first."""

    def pop(self) -> Node:
        self.clear()
        return super().pop()


@pytest.mark.parametrize("garbled", [Raced({None}), {A}])
def test_a_garbled_answer_that_another_thread_has_dealt_with_is_no_error(garbled: set[Node]) -> None:
    address = "redis://127.0.0.1:1/0"  # nothing listens there
    one, other = RedisReplayGuard.from_url(address), AsyncRedisReplayGuard.from_url(address)
    now = int(time.time())
    claims = [Claim(b"key", now, now + 60, now + 80)]
    for guard in (one, other):
        guard._rules.garbled = garbled.copy() if type(garbled) is set else Raced(garbled)
    (refused,) = one.claim_many(claims)
    (refused_too,) = asyncio.run(other.claim_many(claims))
    assert refused is not None
    assert refused_too is not None
    assert {refused.code, refused_too.code} <= {"redeem.unavailable", "redeem.timeout"}
    assert not one._rules.garbled
    assert not other._rules.garbled


@pytest.mark.parametrize("answer", [None, 7, b"xy", [], [b"0"], [b"0", [None]], [b"0", 7], [b"x", []], [None, []]])
def test_a_garbled_answer_about_claims_is_refused(answer: Any) -> None:
    single = rules()
    with pytest.raises(TokenError) as caught:
        hold(single.claims_held(), lambda *_: answer)
    assert caught.value.code == "redeem.unavailable"
    assert single.garbled == {None}
