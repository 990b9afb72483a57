"""Bulk verification: the same verdicts as one by one, streamed, resumed, on two processes, and summed up."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from ybtoken import Issuer, KeyEntry, KeyRing, Scope, TokenError, Verifier
from ybtoken.bulk.parquet import verify_parquet
from ybtoken.bulk.summary import summarize
from ybtoken.bulk.table import BulkVerifier
from ybtoken.cli.app import app
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

NOON = 1_800_000_000 // 86_400 * 86_400 + 4 * 3600  # noon in China
KEYS = [P256SigningKey.generate(), P256SigningKey.generate()]
RING = KeyRing(
    [KeyEntry(KEYS[0].verifying_key, "Zhejiang", Scope(("33",))), KeyEntry(KEYS[1].verifying_key, "Jiangsu")]
)
KEY_SET = dump_jwks(RING)


def scans(rows: int = 300, seed: int = 1) -> pa.Table:
    """Good and bad scans: late, altered, of unknown keys, out of scope, with and without extras."""
    chance = random.Random(seed)
    texts, times = [], []
    for i in range(rows):
        at = NOON + chance.randrange(-4 * 3600, 4 * 3600)
        key = P256SigningKey.generate() if i % 31 == 0 else KEYS[i % 2]
        extras = {"purpose": "01301", "channel": 7, "assurance": 3, "presenter": bytes(16), "status_index": i}
        issuer = Issuer(key, random=lambda size, i=i: os.urandom(8 + i % 9))
        text = issuer.issue(
            chance.randbytes(16), chance.choice(["330100", "320500", "110000"]), now=at, **(extras if i % 3 else {})
        ).text
        if i % 17 == 0:
            text = text[:60] + str((int(text[60]) + 1) % 10) + text[61:]
        texts.append("" if i % 53 == 0 else text)
        times.append(at + chance.choice([0, 30, 69, 70, -10, -11, 5000]))
    return pa.table({"text": texts, "scanned_at": times, "office": [f"office {i % 5}" for i in range(rows)]})


def as_timestamps(table: pa.Table) -> pa.Table:
    return table.set_column(
        1, "scanned_at", table["scanned_at"].cast(pa.timestamp("s", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))
    )


def test_the_verdicts_are_those_of_one_by_one() -> None:
    table, verifier = scans(), Verifier(RING)
    found = BulkVerifier(key_set=KEY_SET)(table)
    assert found.column_names[:3] == table.column_names
    codes = set()
    for row in found.to_pylist():
        codes.add(row["code"])
        try:
            voucher = verifier.verify(row["text"], now=row["scanned_at"])
        except TokenError as error:
            assert row["code"] == error.code
            assert (row["issuer"] is None) == (error.step < 6)
            continue
        assert row["code"] == "accepted"
        assert row["issuer"] == voucher.issuer
        for name in (
            "city_code",
            "identity_ref",
            "nonce",
            "channel",
            "purpose",
            "presenter",
            "assurance",
            "status_index",
        ):
            assert row[name] == getattr(voucher, name), name
        assert row["profile"] == voucher.profile
        assert row["issued_at"].timestamp() == voucher.issued_at
        assert row["expires_at"].timestamp() == voucher.expires_at
    assert codes == {
        "accepted", "text.check", "text.prefix", "key.unknown", "time.expired", "time.future", "scope.place"
    }  # fmt: skip


def test_times_may_be_seconds_or_timestamps() -> None:
    bulk = BulkVerifier(key_set=KEY_SET)
    table = scans(60)
    assert bulk(as_timestamps(table))["code"].to_pylist() == bulk(table)["code"].to_pylist()


def test_a_scan_without_a_time_is_misuse() -> None:
    table = scans(3).set_column(1, "scanned_at", pa.array([NOON, None, NOON]))
    with pytest.raises(ValueError, match="without a time"):
        BulkVerifier(key_set=KEY_SET)(table)


def test_an_empty_table_has_the_same_columns() -> None:
    bulk = BulkVerifier(key_set=KEY_SET)
    empty = bulk(scans(5).slice(0, 0))
    assert empty.num_rows == 0
    assert empty.schema == bulk(scans(5)).schema


def test_what_is_wrong_with_a_key_set_shows_at_once() -> None:
    with pytest.raises(ValueError, match="JWK Set"):
        BulkVerifier(key_set="{}")


def test_it_can_be_sent_to_another_process() -> None:
    bulk = BulkVerifier(key_set=KEY_SET)
    table = scans(20)
    assert same(pickle.loads(pickle.dumps(bulk))(table), bulk(table))


def same(one: pa.Table, other: pa.Table) -> bool:
    return one.to_pylist() == other.to_pylist()


def written(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(part) for part in sorted(folder.glob("part-*.parquet"))])


def test_a_file_is_verified_in_parts_and_resumed_after_an_interruption(tmp_path: Path) -> None:
    source, bulk = tmp_path / "scans.parquet", BulkVerifier(key_set=KEY_SET)
    table = scans(200)
    pq.write_table(table, source, row_group_size=60)
    seen: list[tuple[int, int]] = []
    assert verify_parquet(bulk, source, tmp_path / "whole", rows=25, progress=lambda *at: seen.append(at)) == 200
    assert seen[0] == (25, 200)
    assert seen[-1] == (200, 200)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert same(written(tmp_path / "whole"), bulk(table))

    def interrupt(done: int, total: int) -> None:
        if done > 120:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_parquet(bulk, source, tmp_path / "parts", rows=25, progress=interrupt)
    assert len(list((tmp_path / "parts").glob("part-*.parquet"))) == 2
    assert verify_parquet(bulk, source, tmp_path / "parts") == 80
    assert verify_parquet(bulk, source, tmp_path / "parts") == 0
    assert same(written(tmp_path / "parts"), bulk(table))


def test_verdicts_of_two_files_are_never_mixed(tmp_path: Path) -> None:
    source, other = tmp_path / "scans.parquet", tmp_path / "other.parquet"
    pq.write_table(scans(20), source)
    pq.write_table(scans(30), other)
    bulk = BulkVerifier(key_set=KEY_SET)
    verify_parquet(bulk, source, tmp_path / "out")
    with pytest.raises(ValueError, match="another file"):
        verify_parquet(bulk, other, tmp_path / "out")
    with pytest.raises(ValueError, match="other settings"):
        verify_parquet(BulkVerifier(key_set=KEY_SET, skew=0), source, tmp_path / "out")
    with pytest.raises(ValueError, match="not empty"):
        verify_parquet(bulk, source, tmp_path)
    with pytest.raises(ValueError, match="no column"):
        verify_parquet(BulkVerifier(key_set=KEY_SET, text="code"), source, tmp_path / "new")


def test_a_summary_counts_by_reason_province_and_hour(tmp_path: Path) -> None:
    source, table = tmp_path / "scans.parquet", as_timestamps(scans())
    pq.write_table(table, source, row_group_size=70)
    verify_parquet(BulkVerifier(key_set=KEY_SET), source, tmp_path / "out")
    summary = summarize(tmp_path / "out")
    rows = written(tmp_path / "out").to_pylist()
    assert summary.total == len(rows) == sum(summary.by_code.values())
    assert summary.by_code["accepted"] == sum(row["code"] == "accepted" for row in rows)
    assert summary.by_province["33"] == sum((row["city_code"] or "").startswith("33") for row in rows)
    noon = [row["code"] == "accepted" for row in rows if row["scanned_at"].hour == 4]  # UTC: noon in China
    assert summary.by_hour[12] == (sum(noon), len(noon) - sum(noon))
    assert "浙江 Zhejiang" in summary.text()
    summary.plot(tmp_path / "plot.svg")
    assert "accepted" in (tmp_path / "plot.svg").read_text()


def test_the_command_line_does_it_all(tmp_path: Path) -> None:
    source, ring = tmp_path / "scans.parquet", tmp_path / "ring.jwks"
    pq.write_table(scans(40), source)
    ring.write_text(KEY_SET)
    arguments = ["bulk", str(source), "-r", str(ring), "-o", str(tmp_path / "out"), "--plot", str(tmp_path / "p.png")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "scans 扫码 40" in result.output
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    bad = CliRunner().invoke(app, [*arguments, "--text", "nothing"])
    assert bad.exit_code == 2
    assert "nothing" in bad.output


def test_two_processes_of_a_dask_cluster_give_the_same(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    bulk, table = BulkVerifier(key_set=KEY_SET), scans(120)
    parts = [table.slice(at, 30) for at in range(0, 120, 30)]
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        futures = client.map(bulk, parts, pure=False)
        found = pa.concat_tables(client.gather(futures))
        workers = {worker for who in client.who_has(futures).values() for worker in who}
    assert same(found, bulk(table))
    assert len(workers) == 2
