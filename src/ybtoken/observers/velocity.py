"""Velocity rules (电子围栏): they signal what looks like misuse although every single verdict was right.

A rule watches redeemed vouchers and emits signals with their evidence. It never refuses a voucher, because an honest
person may move fast or be treated far from home. People decide on the evidence.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ybtoken._checks import callback, duration, uint
from ybtoken.observers.event import VerdictEvent
from ybtoken.verified import VerifiedVoucher

__all__ = ["Signal", "VelocityObserver"]


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that a person should look at.

    Args:
        kind: "two-places", "many-redemptions" or "away-from-home".
        person: the person, as the observer's ``person_of`` returned it.
        evidence: the redemptions on which the signal is based, oldest first: time, terminal, place, nonce.
    """

    kind: str
    person: Hashable
    evidence: tuple[dict[str, Any], ...]


class VelocityObserver:
    """Watches the redemptions of each person.

    Its memory is bounded: the person who was not seen for longest is forgotten first.

    Args:
        person_of: takes a voucher and returns a value that stands for its holder, such as the person number. Only the
            platform can open it (`IdentitySealer.open`), and without it the displays of one person cannot be linked,
            because each has another reference.
        emit: is called with every signal.
        apart_seconds: signal a person who redeems in two different places within this time, in seconds.
        apart_digits: how many leading digits of the city code make a place: 2 province, 4 city, 6 county.
        most: signal a person with more redemptions than this ...
        most_seconds: ... within this time, in seconds.
        away_digits: signal a redemption at a place that differs from the insured place in this many leading digits; 0
            means no such signal.
        capacity: the number of persons that are remembered.

    Raises:
        TypeError, ValueError: an argument is of the wrong kind or out of its bounds.
    """

    def __init__(
        self,
        person_of: Callable[[VerifiedVoucher], Hashable],
        emit: Callable[[Signal], None],
        *,
        apart_seconds: int = 600,
        apart_digits: int = 4,
        most: int = 10,
        most_seconds: int = 3600,
        away_digits: int = 0,
        capacity: int = 100_000,
    ) -> None:
        self._person_of = callback("person_of", person_of, "what stands for a voucher's holder")
        self._emit = callback("emit", emit, "nothing and takes a Signal")
        self._apart_seconds = duration("apart_seconds", apart_seconds)
        self._apart_digits = uint("apart_digits", apart_digits, 6, minimum=1)
        self._most = uint("most", most, minimum=1)
        self._most_seconds = duration("most_seconds", most_seconds)
        self._away_digits = uint("away_digits", away_digits, 6)
        self._capacity = uint("capacity", capacity, minimum=1)
        self._seen: OrderedDict[Hashable, deque[dict[str, Any]]] = OrderedDict()
        self._lock = Lock()

    def observe(self, event: VerdictEvent) -> None:
        """See `ybtoken.observers.event.Observer`."""
        if event.act != "redeem" or event.voucher is None:
            return
        person = self._person_of(event.voucher)
        record = {
            "at": event.at,
            "terminal": event.terminal,
            "place": event.place,
            "nonce": event.voucher.nonce.hex(),
        }
        with self._lock:
            recent = self._seen.setdefault(person, deque(maxlen=self._most + 1))
            self._seen.move_to_end(person)
            if len(self._seen) > self._capacity:
                self._seen.popitem(last=False)
            recent.append(record)
            history = tuple(recent)
        self._judge(person, history, event.voucher.city_code)

    def _judge(self, person: Hashable, history: tuple[dict[str, Any], ...], insured: str) -> None:
        last = history[-1]
        here = last["place"][: self._apart_digits]
        apart = tuple(
            record
            for record in history[:-1]
            if here
            and record["place"]
            and record["place"][: self._apart_digits] != here
            and last["at"] - record["at"] <= self._apart_seconds
        )
        if apart:
            self._emit(Signal("two-places", person, (*apart, last)))
        if len(history) > self._most and last["at"] - history[0]["at"] <= self._most_seconds:
            self._emit(Signal("many-redemptions", person, history))
        if last["place"] and last["place"][: self._away_digits] != insured[: self._away_digits]:
            self._emit(Signal("away-from-home", person, ({**last, "insured": insured},)))
