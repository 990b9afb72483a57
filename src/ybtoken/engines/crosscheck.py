"""An engine that runs two engines on every text and raises an error if they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ybtoken.engines.columns import COLUMNS, Opened, OpenedBatch
from ybtoken.engines.protocols import Engine, Opener
from ybtoken.engines.serial import SerialEngine
from ybtoken.engines.texts import Texts, held, texts_of
from ybtoken.engines.time_and_scope import Limits, OneTimeCodes
from ybtoken.errors import TokenError
from ybtoken.keys.ring import KeyRing
from ybtoken.wire.claims import Claims

__all__ = ["CrossCheckEngine", "EnginesDisagreeError"]


class EnginesDisagreeError(RuntimeError):
    """Two engines gave different verdicts on one text, so one of them has a bug. Nothing was accepted.

    This is not a `TokenError`, because it says nothing about the token. ``text`` is the text on which they differ. It
    is empty after pickling, because the text may still be good. The message names the codes alone, because the facts
    of a refusal may be claims of a forged text.
    """

    def __init__(self, text: str, first: str, second: str) -> None:
        super().__init__(f"engines disagree: {first} / {second}")
        self.text = text
        self._said = first, second

    def __reduce__(self) -> tuple[type[EnginesDisagreeError], tuple[str, str, str]]:
        return type(self), ("", *self._said)


class CrossCheckEngine:
    """See `ybtoken.engines.protocols.Engine`.

    Args:
        engine: the engine to check; its verdicts are returned.
        reference: the engine with which it is compared.
    """

    def __init__(self, engine: Engine, reference: Engine | None = None) -> None:
        self._engine, self._reference = engine, reference or SerialEngine()

    @property
    def name(self) -> str:
        """Both engines' names."""
        return f"{self._engine.name} checked against {self._reference.name}"

    def prepare(self, keys: KeyRing) -> CrossCheckOpener:
        """See `ybtoken.engines.protocols.Engine`."""
        return CrossCheckOpener(self._engine.prepare(keys), self._reference.prepare(keys))


def _open(opener: Opener, text: str, limits: Limits, now: int) -> tuple[Opened | None, TokenError | None]:
    try:
        return opener.open(text, limits, now), None
    except TokenError as error:
        return None, error


class _Remembered:
    """A checker of one-time codes that gives the second engine the outcomes of the first.

    A wrong code is counted each time it is checked, so two engines must not check it twice.
    """

    def __init__(self, codes: OneTimeCodes) -> None:
        self._codes = codes
        self._outcomes: dict[tuple[bytes, bytes, str, int], list[int | TokenError]] = {}
        self._second = False
        self.window, self.earliest = codes.window, codes.earliest

    def second(self) -> None:
        """Answer the second engine from now on."""
        self._second = True

    def check(self, claims: Claims, kid: bytes, otp: str, now: int) -> int:
        outcomes = self._outcomes.setdefault((kid, claims.nonce, otp, now), [])
        if self._second and outcomes:
            outcome = outcomes.pop(0)
        else:
            try:
                outcome = self._codes.check(claims, kid, otp, now)
            except TokenError as error:
                outcome = error
            outcomes.append(outcome)
        if isinstance(outcome, TokenError):
            raise outcome
        return outcome

    def recorded(self) -> OneTimeCodes:
        return self._codes.recorded()


def _shared(limits: Limits) -> tuple[Limits, Callable[[], None]]:
    if limits.one_time_codes is None:
        return limits, lambda: None
    codes = _Remembered(limits.one_time_codes)
    return limits._replace(one_time_codes=codes), codes.second


class CrossCheckOpener:
    """See `ybtoken.engines.protocols.Opener`."""

    def __init__(self, opener: Opener, reference: Opener) -> None:
        self.keys = opener.keys
        self._opener, self._reference = opener, reference

    def open(self, text: str, limits: Limits, now: int) -> Opened:
        """Open one text with both; raises `TokenError`, or `EnginesDisagreeError`."""
        limits, second = _shared(limits)
        opened, refused = _open(self._opener, text, limits, now)
        second()
        expected, expected_refused = _open(self._reference, text, limits, now)
        described = refused and refused.to_dict(), expected_refused and expected_refused.to_dict()
        if opened != expected or described[0] != described[1]:
            raise EnginesDisagreeError(text, _said(refused), _said(expected_refused))
        if opened is None:
            assert refused is not None
            raise refused
        return opened

    def open_many(self, texts: Texts, limits: Limits, now: int | Sequence[int]) -> OpenedBatch:
        """Open many texts with both; raises `EnginesDisagreeError`."""
        texts = held(texts)
        limits, second = _shared(limits)
        batch = self._opener.open_many(texts, limits, now)
        second()
        expected = self._reference.open_many(texts, limits, now)
        if any(batch.column(name) != expected.column(name) for name in COLUMNS):
            for i, text in enumerate(texts_of(texts)):
                if _describe(batch, i) != _describe(expected, i):
                    raise EnginesDisagreeError(text, _verdict(batch, i), _verdict(expected, i))
        return batch


def _describe(batch: OpenedBatch, i: int) -> object:
    return batch.error(i).to_dict() if batch.codes[i] else batch.opened(i)


def _verdict(batch: OpenedBatch, i: int) -> str:
    return _said(batch.error(i) if batch.codes[i] else None)


def _said(refused: TokenError | None) -> str:
    """A verdict without facts, because they may be claims of a forged text."""
    return "accepted" if refused is None else refused.code
