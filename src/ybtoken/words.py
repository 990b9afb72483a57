"""A sentence in the two languages of this library, and an error whose message is such a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

__all__ = ["BoundsError", "Reason", "Words", "words_of"]


class Words(NamedTuple):
    """The same sentence in English and Chinese."""

    en: str
    zh: str

    def format(self, facts: Mapping[str, object]) -> Words:
        """Fill the ``{placeholders}`` in both languages; a fact may be `Words` itself."""
        return Words(self.en.format_map(_Facts(facts, 0)), self.zh.format_map(_Facts(facts, 1)))


class Reason(str):
    """A sentence that programs compare and log in English, and that a person reads in his language: see ``words``."""

    __slots__ = ("words",)
    words: Words

    def __new__(cls, en: str, zh: str) -> Self:
        """Make the sentence of its two languages."""
        made = super().__new__(cls, en)
        made.words = Words(en, zh)
        return made

    def __reduce__(self) -> tuple[type[Reason], tuple[str, str]]:
        return Reason, self.words


class _Facts(dict[str, object]):
    """Facts in one of the languages."""

    def __init__(self, facts: Mapping[str, object], language: int) -> None:
        self._facts, self._language = facts, language

    def __missing__(self, name: str) -> object:
        fact = self._facts[name]
        fact = fact.words if isinstance(fact, Reason) else fact
        return fact[self._language] if isinstance(fact, Words) else fact


class BoundsError(ValueError):
    """A value of the right kind is out of its bounds. The message is English; ``words`` has both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en, zh)
        self.words = Words(en, zh)

    def __str__(self) -> str:
        return self.words.en


def words_of(error: Exception | str) -> Words:
    """An error's message, or a reason, in both languages; those of other libraries stay as they are."""
    words = getattr(error, "words", None)
    return words if isinstance(words, Words) else Words(str(error), str(error))
