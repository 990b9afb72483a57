"""Tables of recorded scans in, tables of verdicts out (extra ``bulk``): a day of a settlement centre.

`BulkVerifier` can be pickled, and a worker process makes its verifier once: so it runs as it is on Dask, Ray and Spark.

A scan is judged at the time at which it was recorded, not now. Nothing is redeemed: that was done at the counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ybtoken._arrow import pa, pc
from ybtoken.engines.protocols import Engine
from ybtoken.judging.verdicts import Verdicts
from ybtoken.keys.keyset import load_jwks
from ybtoken.refusals import ACCEPTED, BY_NUMBER
from ybtoken.verifier import Verifier
from ybtoken.voucher import OPTIONAL_CLAIMS, OptionalClaim

__all__ = ["BulkVerifier", "verdict_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkVerifier:
    """A verifier that maps tables, and can be sent to other processes.

    Args:
        key_set: the text of a JWK Set (`ybtoken.keys.keyset.load_jwks`).
        text: the column of texts.
        scanned_at: the column of times at which they were scanned: timestamps, or seconds since 1970.
        skew: see `Verifier`.
        max_lifetime: see `Verifier`.
        native: whether to use the native engine, which must be installed wherever this runs.
        threads: how many cores the native engine uses.
    """

    key_set: str
    text: str = "text"
    scanned_at: str = "scanned_at"
    skew: int = 10
    max_lifetime: int = 300
    native: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        _verifier(self)  # what is wrong with the key set shows here, not in a worker

    def __call__(self, table: pa.Table | pa.RecordBatch) -> pa.Table:
        """The table's columns, and those of `verdict_table` after them."""
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        verdicts = _verifier(self).verify_many(
            table[self.text].combine_chunks(), now=_seconds(table[self.scanned_at]).to_pylist(), recorded=True
        )
        found = verdict_table(verdicts)
        for name in found.column_names:
            table = table.append_column(name, found[name])
        return table


@lru_cache(maxsize=8)
def _verifier(bulk: BulkVerifier) -> Verifier:
    engine: Engine | None = None
    if bulk.native:
        from ybtoken.engines.native import NativeEngine

        engine = NativeEngine(threads=bulk.threads)
    return Verifier(load_jwks(bulk.key_set), engine=engine, skew=bulk.skew, max_lifetime=bulk.max_lifetime)


def _seconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    if times.null_count:
        raise ValueError("a scan without a time cannot be judged")
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.timestamp("s", tz=times.type.tz), safe=False)
    return times.cast(pa.int64())


_ARROW_TYPES: dict[Any, pa.DataType] = {"B": pa.uint8(), "H": pa.uint16(), "I": pa.uint32()}
_CODE_NAMES = {ACCEPTED: "accepted"} | {number: refusal.code for number, refusal in BY_NUMBER.items()}


def verdict_table(verdicts: Verdicts) -> pa.Table:
    """Verdicts as an Arrow table, a row a text.

    Columns: ``code`` ("accepted", or the refusal's), ``issuer``, ``city_code``, ``issued_at``, ``expires_at`` (UTC),
    ``profile``, ``identity_ref``, ``nonce``, and one for each optional claim (`ybtoken.voucher.OPTIONAL_CLAIMS`).
    All but the first are null where the signature was not good; what a token leaves out is null too.
    """
    batch, rows = verdicts.batch, len(verdicts)
    signed = pc.greater(_numbers(batch.profiles, pa.uint8()), 0)  # the claims were read
    present = _numbers(batch.present, pa.uint8())

    def column(array: pa.Array, bit: int | None = None) -> pa.Array:
        there = signed if bit is None else pc.and_(signed, pc.not_equal(pc.bit_wise_and(present, 1 << bit), 0))
        return pc.if_else(there, array, pa.scalar(None, array.type))

    def digits(numbers: pa.Array, width: int) -> pa.Array:
        return pc.utf8_lpad(pc.cast(numbers, pa.string()), width, "0")

    def moment(seconds: pa.Array) -> pa.Array:
        return pc.cast(pc.cast(seconds, pa.int64()), pa.timestamp("s", tz="UTC"))

    def optional(row: OptionalClaim) -> pa.Array:
        items = batch.column(row.column)
        if not row.maximum:
            return _bytes(items, rows)
        numbers = _numbers(items, _ARROW_TYPES[row.kind])
        return digits(numbers, row.digits) if row.digits else numbers

    names = pa.array([_CODE_NAMES.get(number, "?") for number in range(256)])
    issuers = pa.array([entry.issuer for entry in batch.keys.entries], pa.string())
    entries = column(_numbers(batch.entries, pa.uint16()))
    return pa.table(
        {
            "code": pa.DictionaryArray.from_arrays(_numbers(verdicts.codes, pa.uint8()).cast(pa.int16()), names),
            "issuer": pc.take(issuers, entries) if len(issuers) else pa.nulls(rows, pa.string()),
            "city_code": column(digits(_numbers(batch.cities, pa.uint32()), 6)),
            "issued_at": column(moment(_numbers(batch.issued_at, pa.uint32()))),
            "expires_at": column(moment(_numbers(batch.expires_at, pa.uint32()))),
            "profile": column(_numbers(batch.profiles, pa.uint8())),
            "identity_ref": column(_bytes(batch.identity_refs, rows)),
            "nonce": column(_nonces(verdicts)),
        }
        | {row.name: column(optional(row), bit) for bit, row in enumerate(OPTIONAL_CLAIMS)}
    )


def _numbers(items: Any, kind: pa.DataType) -> pa.Array:
    view = memoryview(items)
    return pa.Array.from_buffers(kind, len(view), [None, pa.py_buffer(view)])


def _bytes(items: memoryview, rows: int) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(items)])


def _nonces(verdicts: Verdicts) -> pa.Array:
    """The nonces at their own lengths; nearly always they are all of 8 bytes."""
    batch = verdicts.batch
    padded = _bytes(batch.nonces, len(verdicts)).cast(pa.binary())
    sizes = _numbers(batch.nonce_sizes, pa.uint8())
    nonces = pa.nulls(len(verdicts), pa.binary())
    for size in pc.unique(sizes).to_pylist():
        nonces = pc.if_else(pc.equal(sizes, size), pc.binary_slice(padded, 0, size), nonces)
    return nonces
