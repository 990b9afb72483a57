"""The texts and times of a call: every form of texts is converted to one of three before an engine sees it.

    bytes           a buffer of lines; a line ends with a line feed and nothing else, and the last may lack it
    Held            strings and byte strings, exactly of these types, because a subclass may misrepresent its content
    an Arrow array  of strings or of binary, 32-bit or 64-bit offsets, without nulls

Bytes are UTF-8. Bytes that are not UTF-8 become one character for each byte, because the number of characters decides
which refusal it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ybtoken._checks import exact_string
from ybtoken.wire.text import MAX_TEXT

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc.Buffer from Python 3.12 on

__all__ = ["Held", "Texts", "held", "texts_of", "times_of"]

Texts: TypeAlias = "Iterable[str] | Iterable[bytes] | Buffer"
"""Many texts: strings or byte strings, an Arrow array of them, or one buffer of lines."""


class Held(tuple[Any, ...]):
    """Strings and byte strings that were checked once, and can be read again."""

    __slots__ = ()


_PLAIN = {str, bytes}
_LONGEST = 4 * (MAX_TEXT + 1)  # bytes that hold more than MAX_TEXT characters, whichever they are


def held(texts: Texts | Held) -> Any:
    """The texts in one of the three forms.

    Raises:
        TypeError: the argument does not consist of texts.
        ValueError: an Arrow array has a null.
    """
    if type(texts) is Held or type(texts) is bytes:
        return texts
    if isinstance(texts, (bytes, bytearray, memoryview)):
        return bytes(texts)
    if isinstance(texts, str):
        raise TypeError("this takes many texts, not one string")
    if hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__"):
        return _of_arrow(texts)
    items = Held(cast("Iterable[Any]", texts))
    return items if _PLAIN.issuperset(map(type, items)) else Held(map(_exact, items))


def _exact(text: Any) -> str | bytes:
    if hasattr(text, "as_py"):  # an Arrow scalar
        text = text.as_py()
    if isinstance(text, bytes):
        return b"".join((text,))  # the bytes themselves, even if a subclass misrepresents them
    if not isinstance(text, str):
        raise TypeError(f"a text is str or bytes, not {type(text).__name__}")
    return exact_string(text)


def _of_arrow(texts: Any) -> Any:
    from ybtoken._arrow import pa

    if not isinstance(texts, (pa.Array, pa.ChunkedArray)):  # another library's, by the Arrow PyCapsule interface
        texts = pa.chunked_array(texts) if hasattr(texts, "__arrow_c_stream__") else pa.array(texts)
    given = texts.type
    plain_kinds = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())
    kind = str(given.value_type if pa.types.is_dictionary(given) else given)
    if kind not in map(str, plain_kinds) and not kind.startswith(("fixed_size_binary", "string_view", "binary_view")):
        raise TypeError(f"an Arrow array of texts is of strings or binary, not {given}")
    if pa.types.is_dictionary(given):
        texts = _without_dictionary(texts)
    if texts.type not in plain_kinds:
        plain = pa.large_string() if str(texts.type) == "string_view" else pa.large_binary()
        try:
            texts = texts.cast(plain)
        except pa.ArrowNotImplementedError:  # views, before pyarrow learned to cast them
            texts = pa.array(texts.to_pylist(), plain)
    if texts.null_count:
        at = texts.is_null().index(True).as_py()
        raise ValueError(f"the text of row {at} is null: drop or fill nulls first")
    return texts


def _without_dictionary(texts: Any) -> Any:
    from ybtoken._arrow import pa, pc

    chunks, kind = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts], texts.type.value_type
    try:
        longest = max((pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0 for chunk in chunks), default=0)
        if longest <= _LONGEST:
            return pa.chunked_array([chunk.dictionary_decode() for chunk in chunks], kind)
    except pa.ArrowNotImplementedError:  # a dictionary of views
        pass
    made = []
    for chunk in chunks:
        wide = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(kind)
        values = chunk.dictionary if wide is None else chunk.dictionary.view(wide)  # it may not be UTF-8
        cut = [_cut(value) for value in values.to_pylist()]  # each may be the text of every row
        cells = [None if at is None else cut[at] for at in chunk.indices.to_pylist()]
        made.append(pa.array(cells, pa.large_binary()))
    return pa.chunked_array(made, pa.large_binary())


def _cut(value: str | bytes | None) -> bytes | None:
    """A text as bytes; if it is far too long, cut so that it still is too long."""
    if isinstance(value, str):
        return value[: MAX_TEXT + 1].encode()
    return value if value is None or len(value) <= _LONGEST else _decoded(value)[: MAX_TEXT + 1].encode()


def texts_of(texts: Texts) -> Iterator[str]:
    """The texts one by one, from any form; raises what `held` raises."""
    plain = held(texts)
    if type(plain) is bytes:
        lines = plain.split(b"\n")
        yield from map(_decoded, lines if lines[-1] else lines[:-1])
    elif type(plain) is Held:
        for text in plain:
            yield text if type(text) is str else _decoded(text)
    else:
        yield from map(_decoded, _bytes_of_arrow(plain))


def _bytes_of_arrow(texts: Any) -> Iterator[bytes]:
    from ybtoken._arrow import pa

    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        # As bytes, because an array of strings may not be UTF-8.
        wide = pa.large_binary() if pa.types.is_large_string(chunk.type) else pa.binary()
        binary = chunk.cast(wide) if pa.types.is_string(chunk.type) or wide == pa.large_binary() else chunk
        for item in binary:
            yield item.as_py()


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
