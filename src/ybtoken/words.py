"""A sentence in the two languages of this library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Words"]


class Words(NamedTuple):
    """The same sentence in English and Chinese."""

    en: str
    zh: str

    def format(self, facts: Mapping[str, object]) -> Words:
        """Fill the ``{placeholders}`` in both languages."""
        return Words(self.en.format_map(facts), self.zh.format_map(facts))
