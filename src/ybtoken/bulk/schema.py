"""The columns of a verdict (extra ``bulk``): one schema for tables, files and clusters.

Their names begin with ``verdict_``, so that they stand beside the columns of any source. Their types are those that
Parquet, pandas, Polars, DuckDB, Spark and Ray have in common: no unsigned numbers, no times in whole seconds, no
dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ybtoken._arrow import pa, pc
from ybtoken.judging.verdicts import Verdicts
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.verified import VerifiedVoucher
from ybtoken.voucher import OPTIONAL_CLAIMS, OptionalClaim
from ybtoken.wire.envelope import KID_SIZE
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
    signed = _numbers(batch.profiles, "B").cast(pa.bool_())  # the claims were read
    # Usually every signature is good and no optional claim is there: then nothing has to be made null one by one.
    all_signed, none_present = 0 not in bytes(batch.profiles), not any(bytes(batch.present))
    present = _numbers(batch.present, "B")

    def column(array: pa.Array, there: pa.Array = signed) -> pa.Array:
        return array if all_signed and there is signed else pc.if_else(there, array, pa.scalar(None, array.type))

    def optional(bit: int, row: OptionalClaim) -> pa.Array:
        if none_present:
            return pa.nulls(rows, _optional_type(row))
        stated = pc.bit_wise_and(present, pa.scalar(1 << bit, present.type))
        return column(values(row), pc.and_(signed, stated.cast(pa.bool_())))

    def values(row: OptionalClaim) -> pa.Array:
        items = batch.column(row.column)
        if not row.maximum:
            return _fixed(items, rows).cast(pa.binary())
        numbers = _numbers(items, row.kind)
        return _digits(numbers, row.digits) if row.digits else numbers.cast(_NUMBERS[row.kind][1])

    entries = column(_numbers(batch.entries, "H"))  # a token with claims has one
    issuers = pa.array([entry.issuer for entry in batch.keys.entries], pa.string())
    # A token without claims has no nonce; nearly always all others have 8 bytes.
    sizes = set(pc.unique(_numbers(batch.nonce_sizes, "B")).to_pylist()) - {0}
    nonces = column(_nonces(verdicts, sizes))
    pairs = sizes == {KID_SIZE} and len(issuers)
    displays = _pairs(verdicts, column) if pairs else _joined(verdicts, entries, nonces)
    return [
        pc.take(_NAMES, _numbers(memoryview(codes), "B")),
        noise,
        _moments(times),
        pc.take(issuers, entries) if len(issuers) else pa.nulls(rows, pa.string()),
        _with_passes(displays, verdicts),
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
    return pc.multiply(seconds.cast(pa.int64()), 1_000_000).view(_MOMENT)


def _nonces(verdicts: Verdicts, sizes: set[int]) -> pa.Array:
    """The nonces, each with its own length."""
    batch = verdicts.batch
    padded = _fixed(batch.nonces, len(verdicts)).cast(pa.binary())
    if len(sizes) == 1:
        return pc.binary_slice(padded, 0, *sizes)
    each, nonces = _numbers(batch.nonce_sizes, "B"), pa.nulls(len(verdicts), pa.binary())
    for size in sizes:
        nonces = pc.if_else(pc.equal(each, pa.scalar(size, each.type)), pc.binary_slice(padded, 0, size), nonces)
    return nonces


def _pairs(verdicts: Verdicts, column: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The displays if every nonce is as long as a kid: pairs of 64 bits, which are copied fastest."""
    batch = verdicts.batch
    kids = np.frombuffer(b"".join(entry.kid for entry in batch.keys.entries), np.int64)
    pairs = np.empty((len(verdicts), 2), np.int64)
    pairs[:, 0] = kids.take(np.frombuffer(batch.entries, np.uint16), mode="clip")  # `NO_ENTRY` becomes null
    pairs[:, 1] = np.frombuffer(batch.nonces, np.int64)[::2]
    return column(_fixed(pairs.data, len(verdicts)).cast(pa.binary()))


def _joined(verdicts: Verdicts, entries: pa.Array, nonces: pa.Array) -> pa.Array:
    """The displays: kid and nonce."""
    kids = pa.array([entry.kid for entry in verdicts.batch.keys.entries], pa.binary())
    return pc.binary_join_element_wise(pc.take(kids, entries), nonces, b"") if len(kids) else nonces


def _with_passes(displays: pa.Array, verdicts: Verdicts) -> pa.Array:
    """The displays of vouchers, and those of passes, which differ in what the phone added."""
    passes = sorted(verdicts.batch.passes)
    if not passes:
        return displays
    mask = bytearray(len(verdicts))
    for place in passes:
        mask[place] = 1
    chosen = _numbers(memoryview(mask), "B").cast(pa.bool_())
    shown = [verdict.replay_key if isinstance(verdict := verdicts[i], VerifiedVoucher) else None for i in passes]
    return pc.replace_with_mask(displays, chosen, pa.array(shown, pa.binary()))
