"""The protocol of engines.

An `Engine` prepares a key ring once and returns an `Opener`, which does steps 1 to 7 for one text or for many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

from ybtoken.engines.columns import Opened, OpenedBatch
from ybtoken.engines.validity import Limits
from ybtoken.keys.ring import KeyRing

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc.Buffer from Python 3.12 on

__all__ = ["Engine", "Opener", "Texts"]


Texts: TypeAlias = "Iterable[str] | Iterable[bytes] | Buffer"
"""Many texts: strings or byte strings, an Arrow array of them, or one buffer of lines."""


def texts_of(texts: Texts) -> Iterator[str]:
    """The texts one by one, whatever they came in.

    A line of a buffer ends with a line feed and nothing else; the last may lack it. Bytes are UTF-8. Bytes that are not
    UTF-8 become one character for each byte, because the number of characters decides which refusal it is.
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


def times_of(texts: Iterable[str], now: int | Sequence[int]) -> Iterator[tuple[str, int]]:
    """Each text with the time at which it is verified.

    Raises:
        ValueError: there are more or fewer times than texts.
    """
    if isinstance(now, int):
        yield from ((text, now) for text in texts)
        return
    count = 0
    for count, text in enumerate(texts, 1):
        if count <= len(now):
            yield text, now[count - 1]
    if count != len(now):
        raise ValueError(f"{len(now)} times for {count} texts")


class Opener(Protocol):
    """An engine with a prepared key ring; immutable, and safe to share between threads."""

    @property
    def keys(self) -> KeyRing:
        """The ring that was prepared."""
        ...

    def open(self, text: str, limits: Limits, now: int) -> Opened:
        """Steps 1 to 7 for one text; raises `TokenError`. ``now`` is in seconds since 1970."""
        ...

    def open_many(self, texts: Texts, limits: Limits, now: int | Sequence[int]) -> OpenedBatch:
        """Steps 1 to 7 for many texts, order kept; never raises for a bad token.

        ``now`` is one time for all texts, or a sequence with one for each.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """An implementation of steps 1 to 7. The application passes the one that it wants to the verifier.

    An engine may state ``offload_above``, the most texts that are verified on an event loop and not in a thread; else
    it is 8.
    """

    @property
    def name(self) -> str:
        """Which engine this is, for people and logs."""
        ...

    def prepare(self, keys: KeyRing) -> Opener:
        """Prepare a key ring. This may take long, and does not affect openers that are in use."""
        ...
