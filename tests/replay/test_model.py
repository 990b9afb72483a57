"""An explicit-state search for a path on which a display is accepted twice.

Verifiers share one store, and two messages are under way at most. Every reading of a clock may be wrong by up to the
skew, either way and anew each time. Messages may be executed any time after they are sent, answers may be lost and
messages sent again. The store may lose the claim in every way that a server can: emptied, restarted from an older
snapshot, evicted. The search visits every state of that. The rules under test are parameters, so the search also shows
what each of them prevents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

SKEW = 1
ISSUED = 10  # as the token says; the truth is within the skew of it
LIFE = 1
EXPIRES = ISSUED + LIFE
ENDS = EXPIRES + 2 * SKEW + 2  # some clock within the skew accepts until EXPIRES + 2 * SKEW; a message takes longer
ATTEMPTS = 2
OTHERS = 2
LOSSES = 2
PATIENCE = 1  # a verifier refuses if the answer comes later than this after it read its clock to claim


@dataclass(frozen=True)
class Rule:
    """How claims are made. The defaults are what the library does."""

    until: int = EXPIRES + 3 * SKEW
    since: int = ISSUED - 2 * SKEW
    notices: frozenset[str] = frozenset({"restarted", "evicted"})  # an emptied store is seen by its missing epoch
    clock_read: str = "after the loss was seen"  # or "before": the time travels in the message that begins an epoch
    exchange: bool = True  # an epoch begins only in place of the one that was shown
    by: int = EXPIRES + SKEW  # the claimer claims before this, by its clock, however long ago it verified the display
    kept_longer: int = PATIENCE


class Epoch(NamedTuple):
    begun: int | None
    damage: str = ""
    """What its server went through since: nothing, "evicted", or "restarted"."""


class Message(NamedTuple):
    kind: str  # "claim", "other" (a claim of another display), or "begin"
    id: int = 0
    ttl: int = 0
    shown: bool = False  # whether it begins the epoch that is there
    time: int = 0
    sent: int = 0


class State(NamedTuple):
    """Epochs have no numbers here, and runs and evictions no counts, because only whether they are the same matters."""

    now: int
    claim: tuple[int, int] | None  # who has it, and when it ends
    epoch: Epoch | None
    messages: frozenset[Message]
    attempts: int
    others: int
    losses: int
    accepted: int


def successors(state: State, rule: Rule) -> Iterator[State]:
    now = state.now
    if now < ENDS:
        claim = state.claim if state.claim and state.claim[1] > now + 1 else None
        yield state._replace(now=now + 1, claim=claim)
    under_way = len(state.messages)
    clock = min(now + SKEW, rule.by - 1)
    if state.attempts and under_way < 2 and now >= ISSUED - SKEW and clock >= now - SKEW:
        # The latest reading that is allowed is the worst, because the claim then ends soonest.
        ttl = rule.until - clock + rule.kept_longer
        message = Message("claim", state.attempts, ttl, time=now - SKEW, sent=now)
        yield state._replace(messages=state.messages | {message}, attempts=state.attempts - 1)
    if state.others and under_way < 2:
        message = Message("other", time=now - SKEW if rule.clock_read == "before" else 0)  # else nobody reads it
        yield state._replace(messages=state.messages | {message}, others=state.others - 1)
    for message in state.messages:
        rest = state._replace(messages=state.messages - {message})
        yield from begin(rest, message, rule) if message.kind == "begin" else execute(rest, message, rule)
    if state.losses:
        lost = state._replace(claim=None, losses=state.losses - 1)
        yield in_place(lost, None, rule)
        if epoch := state.epoch:
            yield lost._replace(epoch=Epoch(epoch.begun, "restarted"))
            yield lost._replace(epoch=Epoch(epoch.begun, epoch.damage or "evicted"))
        else:
            yield lost


def in_place(state: State, epoch: Epoch | None, rule: Rule) -> State:
    """The state with another epoch, or none. What would have begun the former one does nothing if epochs are exchanged:
    such a message may arrive at once.
    """
    messages = [each._replace(shown=False) for each in state.messages if each.kind != "begin" or not rule.exchange]
    return state._replace(epoch=epoch, messages=frozenset(messages))


def whole(epoch: Epoch | None, rule: Rule) -> bool:
    return epoch is not None and epoch.damage not in rule.notices


def execute(state: State, message: Message, rule: Rule) -> Iterator[State]:
    """The claim script, in the server."""
    if not whole(state.epoch, rule):
        state = in_place(state, Epoch(None), rule)
    epoch = state.epoch
    assert epoch is not None
    if epoch.begun is None:
        yield state  # the answer is lost
        # The earliest reading is the worst, because more codes are accepted afterwards.
        time = message.time if rule.clock_read == "before" else state.now - SKEW
        yield state._replace(messages=state.messages | {Message("begin", shown=True, time=time)})
        return
    if message.kind == "other" or epoch.begun >= rule.since or (state.claim and state.claim[0] != message.id):
        yield state
        return
    if not state.claim and message.ttl > 0:
        state = state._replace(claim=(message.id, state.now + message.ttl))
    if state.now <= message.sent + PATIENCE:
        yield state._replace(accepted=state.accepted + 1)
    yield state  # the answer is lost, and the verifier refuses
    yield state._replace(messages=state.messages | {message})  # or sends the same claim once more


def begin(state: State, message: Message, rule: Rule) -> Iterator[State]:
    epoch = state.epoch
    shown = epoch is not None and message.shown and epoch.begun is None
    if shown or not rule.exchange:
        state = state._replace(epoch=Epoch(message.time))
    yield state


def twice(rule: Rule) -> list[State] | None:
    """A path to a state in which the display was accepted twice, or ``None``."""
    starts = [
        State(ISSUED - 3 * SKEW, None, epoch, frozenset(), ATTEMPTS, OTHERS, LOSSES, 0) for epoch in (Epoch(0), None)
    ]
    came_from: dict[State, State | None] = dict.fromkeys(starts)
    todo = starts
    while todo:
        following = []
        for state in todo:
            for successor in successors(state, rule):
                if successor in came_from:
                    continue
                came_from[successor] = state
                if successor.accepted > 1:
                    path, at = [successor], state
                    while at is not None:
                        path.append(at)
                        at = came_from[at]
                    return path[::-1]
                following.append(successor)
        todo = following
    twice.visited = len(came_from)
    return None


def test_no_path_accepts_a_display_twice():
    assert twice(Rule()) is None
    print(f"{twice.visited:,} states")
    assert twice.visited > 100_000  # it did search


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(until=EXPIRES + SKEW), id="a claim ends by the claimer's clock when it stops to accept"),
        pytest.param(Rule(until=EXPIRES + 3 * SKEW - 1), id="a claim ends a moment earlier"),
        pytest.param(Rule(by=EXPIRES + 3 * SKEW), id="a display that was judged long ago is still claimed"),
        pytest.param(Rule(kept_longer=0), id="a claim ends while another message for it may be under way"),
        pytest.param(Rule(notices=frozenset({"restarted"})), id="evictions are not counted"),
        pytest.param(Rule(notices=frozenset({"evicted"})), id="a restart is not seen by a client used before"),
        pytest.param(Rule(since=EXPIRES + SKEW - LIFE // 2), id="token_life is shorter than tokens live"),
        pytest.param(Rule(since=ISSUED - 2 * SKEW + 1), id="codes are accepted a moment sooner after a loss"),
        pytest.param(Rule(clock_read="before"), id="a message that was delayed writes the time it was sent at"),
        pytest.param(Rule(exchange=False), id="a message that was delayed begins whatever epoch it finds"),
    ],
)
def test_the_search_finds_what_each_rule_prevents(rule):
    path = twice(rule)
    assert path is not None
    assert path[-1].accepted == 2
