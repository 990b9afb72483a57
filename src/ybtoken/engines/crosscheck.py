"""An engine for the cautious: runs two engines on every text, and raises where they differ."""

from __future__ import annotations

from ybtoken.engines.columns import COLUMNS, Opened, OpenedBatch
from ybtoken.engines.protocols import Engine, Opener, Texts, texts_of
from ybtoken.engines.serial import SerialEngine
from ybtoken.errors import TokenError
from ybtoken.keys.ring import KeyRing

__all__ = ["CrossCheckEngine", "EnginesDisagreeError"]


class EnginesDisagreeError(RuntimeError):
    """Two engines gave two verdicts on one text: one of them has a bug. Nothing was accepted.

    It is no `TokenError`, because it says nothing about the token. ``text`` is what they differ on.
    """

    def __init__(self, text: str, first: object, second: object) -> None:
        super().__init__(f"engines disagree: {first} / {second}")
        self.text = text


class CrossCheckEngine:
    """See `ybtoken.engines.protocols.Engine`.

    Args:
        engine: the engine that is to be watched; its verdicts are returned.
        reference: the one it is compared with.
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


def _open(opener: Opener, text: str) -> tuple[Opened | None, TokenError | None]:
    try:
        return opener.open(text), None
    except TokenError as error:
        return None, error


class CrossCheckOpener:
    """See `ybtoken.engines.protocols.Opener`."""

    def __init__(self, opener: Opener, reference: Opener) -> None:
        self.keys = opener.keys
        self._opener, self._reference = opener, reference

    def open(self, text: str) -> Opened:
        """Open one text with both; raises `TokenError`, or `EnginesDisagreeError`."""
        (opened, refused), (expected, expected_refused) = _open(self._opener, text), _open(self._reference, text)
        described = refused and refused.to_dict(), expected_refused and expected_refused.to_dict()
        if opened != expected or described[0] != described[1]:
            raise EnginesDisagreeError(text, refused or "accepted", expected_refused or "accepted")
        if opened is None:
            assert refused is not None
            raise refused
        return opened

    def open_many(self, texts: Texts) -> OpenedBatch:
        """Open many texts with both; raises `EnginesDisagreeError`."""
        if not isinstance(texts, (bytes, bytearray, memoryview)):
            texts = list(texts_of(texts))
        batch, expected = self._opener.open_many(texts), self._reference.open_many(texts)
        if any(bytes(getattr(batch, name)) != bytes(getattr(expected, name)) for name in COLUMNS):
            for i, text in enumerate(texts_of(texts)):
                if _describe(batch, i) != _describe(expected, i):
                    raise EnginesDisagreeError(text, _describe(batch, i), _describe(expected, i))
        return batch


def _describe(batch: OpenedBatch, i: int) -> object:
    return batch.error(i).to_dict() if batch.codes[i] else batch.opened(i)
