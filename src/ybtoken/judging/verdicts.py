"""The verdicts on many texts: columns, from which an item is made only when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import overload

from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.errors import TokenError, error_for
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.voucher import VerifiedVoucher

__all__ = ["Verdicts"]

Verdict = VerifiedVoucher | TokenError


class Verdicts(Sequence[Verdict]):
    """One verdict a text, in order: a `VerifiedVoucher`, or the `TokenError` with which it was refused.

    Reading ``codes``, ``accepted`` or ``counts()`` makes no object for any text; an item is made anew at each access.

    Attributes:
        batch: the columns of steps 1 to 5.
        codes: one byte a text: 0, or the number of the refusal.
    """

    __slots__ = ("_judge", "_settled", "batch", "codes")

    def __init__(
        self,
        batch: OpenedBatch,
        codes: bytes | bytearray,
        judge: Callable[[int, Opened], VerifiedVoucher],
        settled: Mapping[int, Verdict],
    ) -> None:
        self.batch = batch
        self.codes = bytes(codes)
        self._judge = judge
        # What was judged once and for all: a pass, as a wrong one-time code is counted each time it is looked at; and
        # whatever was redeemed.
        self._settled = settled

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | Sequence[Verdict]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        if self.batch.codes[i] != ACCEPTED:
            return self.batch.error(i)
        if (verdict := self._settled.get(i)) is not None:
            return verdict
        try:
            voucher = self._judge(i, self.batch.opened(i))
        except TokenError as error:
            return error
        # A policy may judge by what has changed since (a status list): that does not undo a refusal.
        return voucher if self.codes[i] == ACCEPTED else error_for(BY_NUMBER[self.codes[i]].code)

    def refusing(self, errors: Mapping[int, TokenError]) -> Verdicts:
        """The same verdicts, but for those that are refused after all, by their places."""
        codes = bytearray(self.codes)
        for i, error in errors.items():
            codes[i] = error.number
        return Verdicts(self.batch, codes, self._judge, {**self._settled, **errors})

    @property
    def accepted(self) -> int:
        """How many were accepted."""
        return self.codes.count(ACCEPTED)

    def counts(self) -> dict[str, int]:
        """How many were refused, by code; the most frequent first."""
        numbers = Counter(self.codes)
        del numbers[ACCEPTED]
        return {BY_NUMBER[number].code: count for number, count in numbers.most_common()}

    def __repr__(self) -> str:
        return f"Verdicts({self.accepted} of {len(self)} accepted)"
