"""Tables of verdicts: those of one by one, in columns that every tool reads."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bulk.samples import NOON, RING, codes_of, each_engine, good_texts, scans, verifier
from ybtoken import TokenError, Verifier
from ybtoken.bulk.columns import ScansError
from ybtoken.bulk.report import LABELS, label
from ybtoken.bulk.schema import NOT_JUDGED, VERDICT_SCHEMA
from ybtoken.bulk.table import BulkVerifier
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.ring import KeyRing
from ybtoken.refusals import REFUSALS
from ybtoken.voucher import OPTIONAL_CLAIMS


@each_engine
@pytest.mark.parametrize("nonce_sizes", [1, 9])
def test_the_verdicts_are_those_of_one_by_one(nonce_sizes: int, native: bool) -> None:
    table, one_by_one = scans(nonce_sizes=nonce_sizes), Verifier(RING)
    found = verifier(native=native)(table)
    assert found.column_names[:3] == table.column_names
    assert found.schema == pa.schema([*table.schema, *VERDICT_SCHEMA])
    seen = set()
    for row in found.to_pylist():
        seen.add(row["verdict_code"])
        assert row["verdict_at"].timestamp() == row["scanned_at"]
        try:
            voucher = one_by_one.verify(row["text"], now=row["scanned_at"])
        except TokenError as error:
            assert row["verdict_code"] == error.code
            assert (row["verdict_issuer"] is None) == (error.step < 6)
            assert (row["verdict_display"] is None) == (error.step < 6)
            continue
        assert row["verdict_code"] == "accepted"
        assert row["verdict_display"] == voucher.replay_key
        for name in ("issuer", "city_code", "identity_ref", "nonce", *(row.name for row in OPTIONAL_CLAIMS)):
            assert row[f"verdict_{name}"] == getattr(voucher, name), name
        assert row["verdict_profile"] == voucher.profile
        assert row["verdict_issued_at"].timestamp() == voucher.issued_at
        assert row["verdict_expires_at"].timestamp() == voucher.expires_at
    assert seen == {
        "accepted", "text.check", "text.prefix", "key.unknown", "time.expired", "time.future", "scope.place"
    }  # fmt: skip


def test_an_empty_table_and_one_of_several_chunks_have_the_same_columns() -> None:
    bulk, table = verifier(), scans(6)
    whole = bulk(table)
    assert bulk(table.slice(0, 0)).schema == whole.schema
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 3), table.slice(4)])
    assert bulk(chunked).to_pylist() == whole.to_pylist()
    assert [row for batch in bulk.map_batches(chunked.to_batches()) for row in batch.to_pylist()] == whole.to_pylist()


def test_a_ring_without_keys_refuses_every_text() -> None:
    bulk = BulkVerifier(key_set=dump_jwks(KeyRing()))
    for nonce_sizes in (1, 9):
        found = bulk(scans(5, nonce_sizes=nonce_sizes))
        assert set(codes_of(found)) <= {"key.unknown", "text.check", "text.prefix"}
        assert found["verdict_display"].null_count == 5


def test_columns_of_the_source_are_never_covered() -> None:
    table = scans(3).append_column("code", pa.array(["a", "b", "c"])).append_column("issuer", pa.array([1, 2, 3]))
    found = verifier()(table)
    assert len(set(found.column_names)) == len(found.column_names)
    assert found["code"].to_pylist() == ["a", "b", "c"]
    with pytest.raises(ScansError, match=r"'verdict_.*' is there already"):
        verifier()(found)


def test_what_is_wrong_with_the_settings_shows_at_once() -> None:
    with pytest.raises(ValueError, match="JWK Set"):
        BulkVerifier(key_set="{}")
    with pytest.raises(ValueError, match="two columns"):
        verifier(text="scanned_at")
    with pytest.raises(ValueError, match=r"Asia/Nowhere.*no time zone"):
        verifier(tz="Asia/Nowhere")


def test_it_can_be_sent_to_another_process() -> None:
    bulk, table = verifier(), scans(20)
    assert pickle.loads(pickle.dumps(bulk))(table).to_pylist() == bulk(table).to_pylist()


def test_every_verdict_of_bulk_has_a_short_name_in_both_languages() -> None:
    possible = {"accepted", *NOT_JUDGED, *(refusal.code for refusal in REFUSALS if refusal.step <= 7)}
    assert set(LABELS) <= possible
    for code in possible:
        words = label(code)
        assert words.en
        assert words.zh
        assert "{" not in words.en + words.zh


# -- the tools that read it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> pa.Table:
    texts = good_texts(4)
    table = pa.table({"text": [*texts[:3], None, texts[3]], "scanned_at": [NOON, NOON, NOON + 999, NOON, None]})
    found = verifier()(table)
    assert codes_of(found) == ["accepted", "accepted", "time.expired", "scan.no_text", "scan.no_time"]
    return found


def test_pandas_reads_it(found: pa.Table) -> None:
    pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert list(frame["verdict_code"]) == codes_of(found)
    assert str(frame["verdict_at"].dtype) == "datetime64[us, UTC]" or str(frame["verdict_at"].dt.tz) == "UTC"
    again = pa.Table.from_pandas(frame, preserve_index=False)
    assert again["verdict_display"].to_pylist() == found["verdict_display"].to_pylist()


def test_polars_reads_it(found: pa.Table) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.from_arrow(found)
    assert frame["verdict_code"].to_list() == codes_of(found)
    assert frame["verdict_issued_at"].to_list() == found["verdict_issued_at"].to_pylist()
    # and what Polars has: strings as views
    assert codes_of(verifier()(frame.select("text", "scanned_at").to_arrow())) == codes_of(found)


def test_duckdb_reads_it(found: pa.Table, tmp_path: Any) -> None:
    duckdb = pytest.importorskip("duckdb")
    pq.write_table(found, tmp_path / "part-0.parquet")
    query = f"SELECT verdict_code, count(*) FROM '{tmp_path}/*.parquet' GROUP BY 1"
    with duckdb.connect() as connection:
        counts = dict(connection.execute(query).fetchall())
        assert connection.from_arrow(found).aggregate("count(verdict_display)").fetchall() == [(4,)]
    assert counts == {"accepted": 2, "time.expired": 1, "scan.no_text": 1, "scan.no_time": 1}
