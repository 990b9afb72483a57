"""The verdicts on many texts: columns, from which an item is made only when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias, overload

from ybtoken.engines.columns import OpenedBatch
from ybtoken.errors import TokenError
from ybtoken.judging.judge import Judge
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import Note

__all__ = ["Verdict", "Verdicts"]

Verdict: TypeAlias = VerifiedVoucher | TokenError


class Verdicts(Sequence[Verdict]):
    """One verdict for each text, in order: a `VerifiedVoucher`, or the `TokenError` with which it was refused.

    The verdicts are settled when this object is made: reading builds objects from the columns and decides nothing.
    Reading ``codes``, ``accepted`` or ``counts()`` makes no object for any text; an item is made anew at each access.

    Attributes:
        batch: the columns of steps 1 to 7.
        codes: one byte for each text: 0, or the number of the refusal.
    """

    __slots__ = ("_judge", "_notes", "_refused", "batch", "codes")

    def __init__(
        self,
        batch: OpenedBatch,
        judge: Judge,
        refused: Mapping[int, TokenError],
        notes: Mapping[int, tuple[Note, ...]],
    ) -> None:
        self.batch = batch
        self._judge = judge
        self._refused = refused  # by steps 8 and 9, by place
        self._notes = notes
        codes = bytearray(batch.codes)
        for i, error in refused.items():
            codes[i] = error.number
        self.codes = bytes(codes)

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
        if (error := self._refused.get(i)) is not None:
            return error
        return self._judge.unchecked(self.batch.opened(i), self.batch.now_of(i), self._notes.get(i, ()))

    def refusing(self, errors: Mapping[int, TokenError]) -> Verdicts:
        """The same verdicts, except that the given places are refused."""
        return Verdicts(self.batch, self._judge, {**self._refused, **errors}, self._notes)

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
