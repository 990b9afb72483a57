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

__all__ = ["Held", "Texts", "as_bytes", "bounded", "held", "texts_of", "times_of", "without_dictionary"]

Texts: TypeAlias = "Iterable[str] | Iterable[bytes] | Buffer"
"""Many texts: strings or byte strings, an Arrow array of them, or one buffer of lines."""


class Held(tuple[Any, ...]):
    """Strings and byte strings that were checked once, and can be read again."""

    __slots__ = ()


_PLAIN = {str, bytes}


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
    if given not in plain_kinds:
        chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        is_dictionary = pa.types.is_dictionary(given)
        chunks = [without_dictionary(chunk, MAX_TEXT) if is_dictionary else as_bytes(chunk) for chunk in chunks]
        texts = pa.chunked_array(chunks, pa.large_binary())
    if texts.null_count:
        at = texts.is_null().index(True).as_py()
        raise ValueError(f"the text of row {at} is null: drop or fill nulls first")
    return texts


def without_dictionary(texts: Any, most: int) -> Any:
    """The text of every row as bytes, with 64-bit offsets, because one text may be that of very many rows.

    Args:
        texts: a dictionary of any Arrow type of texts.
        most: how many characters decide a verdict; see `bounded`.
    """
    from ybtoken._arrow import pa

    return pa.DictionaryArray.from_arrays(texts.indices, bounded(texts.dictionary, most)).dictionary_decode()


def bounded(values: Any, most: int) -> Any:
    """Texts as bytes; one of more than ``most`` characters is cut, so that it still has more, and still is no UTF-8."""
    from ybtoken._arrow import pa, pc

    values = as_bytes(values)
    if not pc.any(pc.greater(pc.binary_length(values), most)).as_py():
        return values
    return pa.array([_cut(value, most) for value in values.to_pylist()], values.type)


def _cut(value: bytes | None, most: int) -> bytes | None:
    if value is None or len(value) <= most:
        return value
    try:
        return value.decode()[: most + 1].encode()
    except UnicodeDecodeError:
        return value[:most] + b"\xff"  # which no UTF-8 has


def as_bytes(texts: Any) -> Any:
    """Texts of any Arrow type but a dictionary as bytes with 64-bit offsets; an array of strings may not be UTF-8."""
    from ybtoken._arrow import pa

    kinds = {"string": pa.binary(), "large_string": pa.large_binary(), "string_view": pa.binary_view()}
    if unchecked := kinds.get(str(texts.type)):
        texts = texts.view(unchecked)
    try:
        return texts.cast(pa.large_binary())
    except pa.ArrowNotImplementedError:  # views, before pyarrow learned to cast them
        return pa.array(texts.to_pylist(), pa.large_binary())


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
