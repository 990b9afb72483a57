"""What an engine is, and what it takes and gives: many texts, and opened tokens.

An `Engine` prepares a key ring once and gives an `Opener`, which opens one text or many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.keys.ring import KeyRing

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Engine", "Opener", "Texts"]


Texts: TypeAlias = "Iterable[str] | Iterable[bytes] | Buffer"
"""Many texts: strings or byte strings, an Arrow array of them, or one buffer of lines."""


def texts_of(texts: Texts) -> Iterator[str]:
    """The texts one by one, whatever they came in.

    A line of a buffer ends with a line feed and nothing else; the last may lack it. Bytes are UTF-8; those that are not
    become characters that no voucher has, one for one. How many there are says which refusal it is.
    """
    if isinstance(texts, (bytes, bytearray, memoryview)):
        lines = bytes(texts).split(b"\n")
        texts = lines if lines[-1] else lines[:-1]
    for text in cast("Iterable[Any]", texts):
        plain = text.as_py() if hasattr(text, "as_py") else text  # an Arrow scalar
        yield _decoded(plain) if isinstance(plain, bytes) else plain


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


class Opener(Protocol):
    """An engine with a key ring made ready; immutable, and safe to share between threads."""

    @property
    def keys(self) -> KeyRing:
        """The ring that was prepared."""
        ...

    def open(self, text: str) -> Opened:
        """Open one text; raises `TokenError`."""
        ...

    def open_many(self, texts: Texts) -> OpenedBatch:
        """Open many texts, order kept; never raises for a bad token."""
        ...


class Engine(Protocol):
    """Bulk steps 1 to 5; the application passes the one it wants to the verifier."""

    @property
    def name(self) -> str:
        """Which engine this is, for people and logs."""
        ...

    def prepare(self, keys: KeyRing) -> Opener:
        """Make a key ring ready; may take long, and runs beside an opener that is in use."""
        ...
