"""The columns of a verdict (extra ``bulk``): one schema for tables, files and clusters.

Their names begin with ``verdict_``, so that they stand beside the columns of any source. Their types are those that
Parquet, pandas, Polars, DuckDB, Spark and Ray have in common: no unsigned numbers, no times in whole seconds, no
dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ybtoken._arrow import pa, pc
from ybtoken.engines.columns import NO_ENTRY
from ybtoken.judging.verdicts import Verdicts
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import OPTIONAL_CLAIMS, OptionalClaim
from ybtoken.words import Words

__all__ = ["NOT_JUDGED", "PREFIX", "VERDICT_SCHEMA", "verdict_columns"]

PREFIX = "verdict_"

NO_TEXT, NOT_TEXT, NO_TIME = 1, 2, 3
_NOT_JUDGED = {NO_TEXT: "scan.no_text", NOT_TEXT: "scan.not_text", NO_TIME: "scan.no_time"}
NOT_JUDGED: Mapping[str, Words] = MappingProxyType(
    {
        "scan.no_text": Words("The cell of the text is empty.", "码文单元格为空。"),
        "scan.not_text": Words("The cell of the text is not UTF-8.", "码文单元格不是 UTF-8 文本。"),
        "scan.no_time": Words("The cell of the time tells no time.", "时间单元格未给出时间。"),
    }
)
"""Verdicts on rows that hold no scan, for lack of a text or a time; they are no codes of refusals (ADR 0029)."""

_MOMENT = pa.timestamp("us", tz="UTC")
_NUMBERS: dict[Any, tuple[pa.DataType, pa.DataType]] = {  # a claim's type in a batch, and the next wider signed type
    "B": (pa.uint8(), pa.int16()),
    "H": (pa.uint16(), pa.int32()),
    "I": (pa.uint32(), pa.int64()),
}


def _optional_type(row: OptionalClaim) -> pa.DataType:
    if not row.maximum:
        return pa.binary()
    return pa.string() if row.digits else _NUMBERS[row.kind][1]


VERDICT_SCHEMA = pa.schema(
    [
        pa.field(PREFIX + "code", pa.string()),
        pa.field(PREFIX + "noise", pa.bool_()),
        pa.field(PREFIX + "at", _MOMENT),
        pa.field(PREFIX + "issuer", pa.string()),
        pa.field(PREFIX + "display", pa.binary()),
        pa.field(PREFIX + "city_code", pa.string()),
        pa.field(PREFIX + "issued_at", _MOMENT),
        pa.field(PREFIX + "expires_at", _MOMENT),
        pa.field(PREFIX + "profile", pa.int16()),
        pa.field(PREFIX + "identity_ref", pa.binary()),
        pa.field(PREFIX + "nonce", pa.binary()),
        *(pa.field(PREFIX + row.name, _optional_type(row)) for row in OPTIONAL_CLAIMS),
    ]
)
"""What `ybtoken.bulk.table.BulkVerifier` adds to a row.

``verdict_code``: "accepted", the code of a refusal, or a key of `NOT_JUDGED`.
``verdict_noise``: the text has additions of a scanner, and is accepted without them.
``verdict_at``: the recorded time of the scan, at which the token was verified, UTC.
``verdict_display``: the display's key in every store and journal (`VerifiedVoucher.replay_key`); null for a pass that
was not accepted.

All others are claims. A claim is null if the signature was not good, or if the token does not have the claim.
"""

_CODES = {ACCEPTED: "accepted"} | _NOT_JUDGED | {number: refusal.code for number, refusal in BY_NUMBER.items()}
_NAMES = pa.array([_CODES.get(number, "") for number in range(256)])


def verdict_columns(verdicts: Verdicts, codes: bytes, noise: pa.Array, times: pa.Array) -> list[pa.Array]:
    """The columns of `VERDICT_SCHEMA`, a row for each verdict.

    Args:
        verdicts: what the verifier found.
        codes: the number of each row's verdict; those of `NOT_JUDGED` have replaced the verifier's.
        noise: whether a row is accepted without a scanner's additions.
        times: the time at which each row was verified, in seconds since 1970, or null.
    """
    batch, rows = verdicts.batch, len(verdicts)
    signed = pc.greater(_numbers(batch.profiles, "B"), 0)  # the claims were read
    # Usually every signature is good and no optional claim is there: then nothing has to be made null one by one.
    all_signed, none_present = 0 not in bytes(batch.profiles), not any(bytes(batch.present))
    present = _numbers(batch.present, "B")

    def column(array: pa.Array, there: pa.Array = signed) -> pa.Array:
        return array if all_signed and there is signed else pc.if_else(there, array, pa.scalar(None, array.type))

    def optional(bit: int, row: OptionalClaim) -> pa.Array:
        if none_present:
            return pa.nulls(rows, _optional_type(row))
        return column(values(row), pc.and_(signed, pc.not_equal(pc.bit_wise_and(present, 1 << bit), 0)))

    def values(row: OptionalClaim) -> pa.Array:
        items = batch.column(row.column)
        if not row.maximum:
            return _fixed(items, rows).cast(pa.binary())
        numbers = _numbers(items, row.kind)
        return _digits(numbers, row.digits) if row.digits else numbers.cast(_NUMBERS[row.kind][1])

    entries = _numbers(batch.entries, "H")
    entries = column(pc.if_else(pc.equal(entries, NO_ENTRY), pa.scalar(None, entries.type), entries))
    issuers = pa.array([entry.issuer for entry in batch.keys.entries], pa.string())
    nonces = column(_nonces(verdicts))
    return [
        pc.take(_NAMES, _numbers(memoryview(codes), "B")),
        noise,
        _moments(times),
        pc.take(issuers, entries) if len(issuers) else pa.nulls(rows, pa.string()),
        _displays(verdicts, entries, nonces),
        column(_digits(_numbers(batch.cities, "I"), 6)),
        column(_moments(_numbers(batch.issued_at, "I"))),
        column(_moments(_numbers(batch.expires_at, "I"))),
        column(_numbers(batch.profiles, "B").cast(pa.int16())),
        column(_fixed(batch.identity_refs, rows).cast(pa.binary())),
        nonces,
        *(optional(bit, row) for bit, row in enumerate(OPTIONAL_CLAIMS)),
    ]


def _numbers(items: Any, kind: str | int) -> pa.Array:
    view = memoryview(items)
    return pa.Array.from_buffers(_NUMBERS[kind][0], len(view), [None, pa.py_buffer(view)])


def _fixed(items: memoryview, rows: int) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(items)])


def _digits(numbers: pa.Array, width: int) -> pa.Array:
    """Numbers as digits; each number once, because there are few."""
    encoded = numbers.dictionary_encode()
    return pc.utf8_lpad(encoded.dictionary.cast(pa.string()), width, "0").take(encoded.indices)


def _moments(seconds: pa.Array) -> pa.Array:
    return pc.multiply(seconds.cast(pa.int64()), 1_000_000).cast(_MOMENT)


def _nonces(verdicts: Verdicts) -> pa.Array:
    """The nonces, each with its own length; nearly always all of them have 8 bytes."""
    batch = verdicts.batch
    padded = _fixed(batch.nonces, len(verdicts)).cast(pa.binary())
    sizes = _numbers(batch.nonce_sizes, "B")
    nonces = pa.nulls(len(verdicts), pa.binary())
    different = pc.unique(sizes).to_pylist()
    if len(different) == 1:
        return pc.binary_slice(padded, 0, different[0])
    for size in different:
        nonces = pc.if_else(pc.equal(sizes, size), pc.binary_slice(padded, 0, size), nonces)
    return nonces


def _displays(verdicts: Verdicts, entries: pa.Array, nonces: pa.Array) -> pa.Array:
    batch, rows = verdicts.batch, len(verdicts)
    if not batch.keys.entries:
        return pa.nulls(rows, pa.binary())
    kids = pc.take(pa.array([entry.kid for entry in batch.keys.entries], pa.binary()), entries)
    displays = pc.binary_join_element_wise(kids, nonces, b"")
    if not batch.passes:
        return displays
    shown: dict[int, bytes | None] = {}
    for place in batch.passes:
        verdict = verdicts[place]
        shown[place] = verdict.replay_key if isinstance(verdict, VerifiedVoucher) else None
    mask = bytearray(rows)
    for place in shown:
        mask[place] = 1
    chosen = pc.equal(_numbers(memoryview(mask), "B"), 1)
    return pc.replace_with_mask(displays, chosen, pa.array([shown[place] for place in sorted(shown)], pa.binary()))
