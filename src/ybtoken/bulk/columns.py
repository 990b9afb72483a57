"""The two columns that a bulk run reads: texts, and the times at which they were scanned.

This module owns which Arrow types are accepted for them and how each is read. A type that cannot hold a text or a time
is refused before the first row. A single cell that holds none becomes null, and its row gets a verdict of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ybtoken._arrow import pa, pc
from ybtoken._checks import LAST_SECOND
from ybtoken.engines.texts import as_bytes, bounded, without_dictionary
from ybtoken.words import Words

__all__ = ["LONGEST_SCAN", "ScansError", "check_columns", "plain_texts", "seconds_of", "zone_of"]

LONGEST_SCAN = 8192
"""From a text of more characters, no additions of a scanner are removed, and it is refused."""


class ScansError(ValueError):
    """A source of scans cannot be verified as it is. The message names the column, row or file, and says what to do.

    Attributes:
        words: the message in both languages.
        row: the row in the table or file, counted from 1; ``None`` if the error is not about one row.
    """

    def __init__(self, en: str, zh: str, *, row: int | None = None) -> None:
        super().__init__(en)
        self.words = Words(en, zh)
        self.row = row

    def within(self, place: str, rows_before: int = 0) -> ScansError:
        """The same error with the file's name before its message, and with its row counted from the file's start."""
        if self.row is None:
            where = Words(f"{place}: ", f"{place}：") if place else Words("", "")
            return ScansError(where.en + self.words.en, where.zh + self.words.zh)
        row = rows_before + self.row
        name = Words(f"{place}, row {row:,}: ", f"{place} 第 {row:,} 行：")
        if not place:
            name = Words(f"row {row:,}: ", f"第 {row:,} 行：")
        return ScansError(name.en + self.words.en, name.zh + self.words.zh)


def check_columns(schema: pa.Schema, text: str, scanned_at: str, tz: str | None) -> None:
    """Refuse a schema whose columns cannot hold texts and times.

    Raises:
        ScansError: a column is missing, two have the same name, or a type cannot hold texts or times.
    """
    for name in (text, scanned_at):
        count = schema.names.count(name)
        if count != 1:
            names = ", ".join(schema.names[:20])
            raise ScansError(
                f"there {'is no column' if not count else 'are several columns'} {name!r}; there is: {names}",
                f"{'没有' if not count else '有多个'}名为 {name!r} 的列；现有：{names}",
            )
    _check_text(text, schema.field(text).type)
    _check_time(scanned_at, schema.field(scanned_at).type, tz)


# -- texts -------------------------------------------------------------------------------------------------------------


def _content(kind: pa.DataType) -> pa.DataType:
    """The type of the values in a column that is encoded as a dictionary or by run ends; otherwise the type itself."""
    return kind.value_type if pa.types.is_dictionary(kind) or _is_run_end(kind) else kind


def _is_run_end(kind: pa.DataType) -> bool:
    return bool(pa.types.is_run_end_encoded(kind))


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return True
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind) or _is_view(kind)


def _is_view(kind: pa.DataType) -> bool:
    return str(kind) in ("string_view", "binary_view")


def _check_text(name: str, kind: pa.DataType) -> None:
    content = _content(kind)
    if _is_text(content):
        return
    types = pa.types
    if types.is_floating(content):
        why = Words(
            "a spreadsheet or a JSON reader made numbers of the texts, and digits after the 16th are lost",
            "电子表格或 JSON 读取程序把码文变成了数字，第 16 位以后的数字已丢失",
        )
    elif types.is_integer(content) or types.is_decimal(content) or types.is_boolean(content):
        why = Words(
            "a text has some 340 digits, which no number holds: a spreadsheet, a JSON reader or a database made "
            "numbers of the texts",
            "码文约有 340 位数字，任何数值类型都存不下：电子表格、JSON 读取程序或数据库把码文变成了数值",
        )
    elif types.is_temporal(content):
        why = Words(
            "a spreadsheet took the texts for dates, or this is the column of times",
            "电子表格把码文当成了日期，或此列是时间列",
        )
    else:
        why = Words("texts are strings or bytes", "码文应为字符串或字节")
    raise ScansError(
        f"the column {name!r} holds {kind}: {why.en}. Export it again as text.",
        f"列 {name!r} 的类型为 {kind}：{why.zh}。请将该列按文本重新导出。",
    )


def plain_texts(array: pa.Array) -> pa.Array:
    """A column of texts as plain bytes, which both engines read without a copy; nulls stay.

    They are bytes and not strings because a string column from a file may hold bytes that are not UTF-8.

    Args:
        array: of a type that `check_columns` lets pass.
    """
    array = _decoded_content(array)
    kind = array.type
    if pa.types.is_string(kind):
        return array.view(pa.binary())
    return array if pa.types.is_binary(kind) else as_bytes(array)


def _decoded_content(array: pa.Array) -> pa.Array:
    """The values themselves, without a dictionary or run ends; texts among them as bytes."""
    if _is_run_end(array.type):
        if _is_text(array.type.value_type):
            values = bounded(array.values, LONGEST_SCAN)
            kind = pa.run_end_encoded(array.run_ends.type, values.type)
            # `from_arrays` fails with pyarrow 16.
            parts = [array.run_ends, values]
            array = pa.RunEndEncodedArray.from_buffers(kind, len(array), [None], 0, array.offset, parts)
        return pc.run_end_decode(array)
    if not pa.types.is_dictionary(array.type):
        return array
    if _is_text(array.type.value_type):
        return without_dictionary(array, LONGEST_SCAN)
    return array.dictionary_decode()


# -- times -------------------------------------------------------------------------------------------------------------


def zone_of(name: str | None) -> tzinfo | None:
    """The time zone of a name such as Asia/Shanghai, or of an offset such as +08:00.

    Raises:
        ScansError: there is no such zone.
    """
    if name is None:
        return None
    try:
        if name[:1] in ("+", "-"):
            return timezone(datetime.strptime(name, "%z").utcoffset() or timedelta(0))
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise ScansError(
            f"{name!r} is no time zone: give a name such as Asia/Shanghai, or an offset such as +08:00",
            f"{name!r} 不是时区：请给出 Asia/Shanghai 之类的名称，或 +08:00 之类的偏移",
        ) from None


def _check_time(name: str, kind: pa.DataType, tz: str | None) -> None:
    content, types = _content(kind), pa.types
    if types.is_timestamp(content) and content.tz is None and tz is None:
        raise _no_zone(name)
    if types.is_date(content):
        raise ScansError(
            f"the column {name!r} holds dates ({kind}) without a time of day: give the column of times",
            f"列 {name!r} 只有日期（{kind}），没有时刻：请给出时间列",
        )
    if types.is_float16(content) or types.is_float32(content):
        raise ScansError(
            f"the column {name!r} holds {kind}, which is exact to two minutes at best: export seconds or timestamps",
            f"列 {name!r} 的类型为 {kind}，精度最多两分钟：请导出整秒或时间戳",
        )
    numbers = types.is_integer(content) or types.is_floating(content) or types.is_decimal(content)
    if not (numbers or types.is_timestamp(content) or _is_text(content)):
        raise ScansError(
            f"the column {name!r} holds {kind}: a time is a timestamp, seconds since 1970, or ISO 8601 as text",
            f"列 {name!r} 的类型为 {kind}：时间应为时间戳、1970 年起的秒数，或 ISO 8601 文本",
        )


def _no_zone(name: str, row: int | None = None) -> ScansError:
    return ScansError(
        f"the times in {name!r} name no time zone: say which one they are in, such as --tz Asia/Shanghai (tz=)",
        f"列 {name!r} 中的时间未注明时区：请指明，例如 --tz Asia/Shanghai（参数 tz=）",
        row=row,
    )


def seconds_of(array: pa.Array, name: str, zone: tzinfo | None) -> pa.Array:
    """A column of times as whole seconds since 1970, rounded down; null where a cell holds no time.

    A cell holds no time if it is null, NaN or infinite, or a text that is neither a number nor a date with a time of
    day; if its time lies outside 1970 to 2106; or if its local time never occurred, or occurred twice because clocks
    were set back.

    Args:
        array: of a type that `check_columns` lets pass.
        name: the column's name, for errors.
        zone: the time zone of times that name none.

    Raises:
        ScansError: a number above 2**32, or a time without a zone where ``zone`` is missing.
    """
    array = _decoded_content(array)
    kind = array.type
    if pa.types.is_timestamp(kind):
        seconds = _from_timestamps(array, name, zone)
    elif _is_text(kind):
        seconds = _from_strings(plain_texts(array), name, zone)
    else:
        if not pa.types.is_integer(kind):
            array = pc.floor(array.cast(pa.float64(), safe=False))
            array = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
        _check_unit(array, name)
        seconds = pc.if_else(pc.greater_equal(array, 0), array, pa.scalar(None, array.type)).cast(pa.int64())
    inside = pc.and_(pc.greater_equal(seconds, 0), pc.less(seconds, LAST_SECOND))
    return pc.if_else(inside, seconds, pa.scalar(None, pa.int64()))


def _check_unit(numbers: pa.Array, name: str) -> None:
    if numbers.type.bit_width < 64:
        return
    above = pc.greater(numbers, pa.scalar(LAST_SECOND, numbers.type))
    if pc.any(above).as_py():
        row = pc.index(above, True).as_py()
        raise _milliseconds(name, numbers[row].as_py(), row + 1)


def _milliseconds(name: str, value: float, row: int) -> ScansError:
    return ScansError(
        f"the time {value:.0f} in {name!r} is above 2^32 seconds since 1970: milliseconds? Make it a timestamp",
        f"列 {name!r} 中的时间 {value:.0f} 超过 2^32 秒：是毫秒吗？请改为时间戳类型",
        row=row,
    )


def _from_timestamps(array: pa.Array, name: str, zone: tzinfo | None) -> pa.Array:
    if array.type.tz is None:
        if zone is None:
            raise _no_zone(name)
        array = _in_zone(_near(array).cast(pa.timestamp("us"), safe=False), zone)
    unit, numbers = _UNITS[array.type.unit], array.cast(pa.int64())
    if unit == 1:
        return numbers
    # Division rounds to zero, so times before 1970 would be rounded up; they are refused as -1.
    return pc.if_else(pc.greater_equal(numbers, 0), pc.divide(numbers, unit), pa.scalar(-1, pa.int64()))


_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _near(local: pa.Array) -> pa.Array:
    """Local times without those more than a day from 1970 to 2106, which in other units may not fit into 64 bits."""
    unit, numbers = _UNITS[local.type.unit], local.cast(pa.int64())
    day = 86_400
    near = pc.and_(pc.greater(numbers, -day * unit), pc.less(numbers, (LAST_SECOND + day) * unit))
    return pc.if_else(near, local, pa.scalar(None, local.type))


def _in_zone(local: pa.Array, zone: tzinfo) -> pa.Array:
    """Local times as moments in UTC; null for those that never occurred or that occurred twice."""
    if not isinstance(zone, ZoneInfo):
        ahead = zone.utcoffset(None)
        return pc.subtract(local, pa.scalar(ahead, pa.duration("us"))).cast(pa.timestamp("us", tz="UTC"))
    first, last = (
        pc.assume_timezone(local, zone.key, ambiguous=which, nonexistent=which) for which in ("earliest", "latest")
    )
    return pc.if_else(pc.equal(first, last), first, pa.scalar(None, first.type))


def _from_strings(texts: pa.Array, name: str, zone: tzinfo | None) -> pa.Array:
    """Seconds since 1970 in digits, or ISO 8601. A column in one form is read as a whole, any other cell by cell."""
    texts = pa.array([_decoded(cell) for cell in texts.to_pylist()], pa.string())
    texts = pc.utf8_trim_whitespace(texts)
    texts = pc.if_else(pc.match_substring_regex(texts, _NO_TIME), pa.scalar(None, pa.string()), texts)
    for kind in (pa.int64(), pa.timestamp("us", tz="UTC"), pa.timestamp("us")):
        try:
            found = texts.cast(kind)
        except pa.ArrowInvalid:
            continue
        if not pa.types.is_integer(kind):
            return _from_timestamps(found, name, zone)
        _check_unit(found, name)
        return found
    cells = enumerate(texts.to_pylist(), 1)
    return pa.array([_one_time(cell, name, zone, row) for row, cell in cells], pa.int64())


_NO_TIME = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|0[xX].*)?$"  # a date, nothing, or hexadecimal, which Arrow would read


def _decoded(cell: bytes | None) -> str | None:
    return None if cell is None else cell.decode("utf-8", "replace")


def _one_time(cell: str | None, name: str, zone: tzinfo | None, row: int) -> int | None:
    if cell is None:
        return None
    if cell.isascii() and cell.isdigit():
        if (number := int(cell.lstrip("0")[:20] or "0")) > LAST_SECOND:
            raise _milliseconds(name, number, row)
        return number
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    if moment.tzinfo is None and zone is None:
        raise _no_zone(name, row)
    try:
        first, last = (moment.replace(tzinfo=moment.tzinfo or zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except OverflowError:  # in UTC it is before the year 1 or after 9999
        return None
    return int(first.timestamp() // 1) if first == last else None
