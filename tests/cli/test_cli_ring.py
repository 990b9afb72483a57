from __future__ import annotations

import json
import os
import stat
import time
from contextlib import nullcontext

import pytest

from ybtoken import KeyEntry, KeyRing, Scope
from ybtoken.keys.keyset import dump_jwks, load_jwks
from ybtoken.keys.p256 import P256SigningKey, P256VerifyingKey
from ybtoken.keys.sm2 import SM2SigningKey, SM2VerifyingKey

P256 = P256VerifyingKey.from_point(*P256SigningKey((3).to_bytes(32, "big")).verifying_key.point)
KID = P256.kid.hex()


@pytest.fixture
def ring(tmp_path):
    return tmp_path / "ring.jwks"


@pytest.fixture
def public(tmp_path):
    path = tmp_path / "partner.pem"
    path.write_bytes(P256.to_pem())
    return path


def read(ring) -> KeyRing:
    return load_jwks(ring.read_bytes())


def test_a_partners_key_is_entered_with_scope_and_period(run, ring, public):
    result = run(
        "ring", "add", public, "-r", ring, "--issuer", "Zhejiang", "--scope", "33", "--except", "3302",
        "--not-before", "1800000000", "--not-after", "1900000000",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (entry,) = read(ring).entries
    assert (entry.kid, entry.issuer, str(entry.scope)) == (P256.kid, "Zhejiang", "33-3302")
    assert (entry.not_before, entry.not_after, read(ring).version) == (1_800_000_000, 1_900_000_000, 1)
    assert f"Zhejiang {KID}: added, ES256, scope 33-3302, from" in result.output


def test_an_sm2_key_in_hexadecimal_is_entered(run, ring, tmp_path):
    try:
        key = SM2SigningKey.generate().verifying_key
    except ValueError as error:
        pytest.skip(str(error))
    (tmp_path / "key.txt").write_text("04" + b"".join(key.point).hex())
    arguments = ["ring", "add", tmp_path / "key.txt", "-r", ring, "--issuer", "A", "--whole-country"]
    result = run(*arguments, "--alg", "sm2", "--user-id", "someone", "--json")
    assert result.exit_code == 0, result.output
    held = read(ring).entries[0].key
    assert isinstance(held, SM2VerifyingKey)
    assert held.user_id == b"someone"
    (change,) = json.loads(result.output)["changes"]
    assert change["kid"] == held.kid.hex()
    assert set(change["what"]) == {"en", "zh"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Give --scope, or --whole-country"),
        (["--scope", "33", "--whole-country"], "Give --scope, or --whole-country"),
        (["--scope", "3"], "2, 4 or 6 digits"),
        (["--scope", "33", "--user-id", "a"], "--user-id is for SM2 keys"),
        (["--scope", "33", "--not-before", "9", "--not-after", "9"], "not_before is below not_after"),
        (["--scope", "33", "--not-after", "1800000000000"], "a time is seconds since 1970"),
        (["--scope", "33", "--alg", "sm2"], "SM2"),
    ],
)
def test_what_is_not_meant_is_not_entered(run, ring, public, options, words):
    result = run("ring", "add", public, "-r", ring, "--issuer", "A", *options)
    assert result.exit_code == 2
    assert words in result.output
    assert not ring.exists()


def test_a_private_key_is_not_entered(run, ring, tmp_path):
    (tmp_path / "private.pem").write_bytes(P256SigningKey.generate().to_pem(passphrase=None))
    result = run("ring", "add", tmp_path / "private.pem", "-r", ring, "--issuer", "A", "--scope", "33")
    assert result.exit_code == 2
    assert "private" in result.output


def test_a_key_is_withdrawn_and_a_withdrawal_is_never_moved_to_later(run, ring, public):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33")
    result = run("ring", "withdraw", KID[:6], "-r", ring, "--since", "1800000000")
    assert result.exit_code == 0
    assert f"A {KID}: withdrawn since 2027-01-15" in result.output
    assert (read(ring).entries[0].withdrawn_since, read(ring).version) == (1_800_000_000, 2)
    for since in ("1800000000", "1800000001"):
        result = run("ring", "withdraw", KID, "-r", ring, "--since", since)
        assert result.exit_code == 2
        assert "would bring codes back" in result.output
    assert run("ring", "withdraw", KID, "-r", ring, "--since", "1799999999").exit_code == 0
    assert run("ring", "withdraw", KID, "-r", ring, "--since", "1800000000000").exit_code == 2
    assert read(ring).entries[0].withdrawn_since == 1_799_999_999


def test_by_default_a_key_is_withdrawn_from_now_on(run, ring, public):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33")
    before = int(time.time())
    assert run("ring", "withdraw", KID, "-r", ring).exit_code == 0
    assert before <= read(ring).entries[0].withdrawn_since <= time.time()


@pytest.mark.parametrize("kid", ["", KID[:3], "ffff", KID + "0"])
def test_a_kid_that_names_no_one_key_changes_nothing(run, ring, public, kid):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33")
    before = ring.read_bytes()
    for command in ("withdraw", "remove"):
        result = run("ring", command, kid, "-r", ring)
        assert result.exit_code == 2
        assert "0 keys of the ring begin with" in result.output
    assert ring.read_bytes() == before


def test_a_key_is_removed(run, ring, public):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33")
    result = run("ring", "remove", KID, "-r", ring, "--lang", "zh")
    assert result.exit_code == 0
    assert "已移除" in result.output
    assert (len(read(ring)), read(ring).version) == (0, 2)


def test_two_rings_are_compared_in_words(run, tmp_path):
    other = P256SigningKey((4).to_bytes(32, "big")).verifying_key
    old = KeyRing([KeyEntry(P256, "Zhejiang", Scope(("33",)), withdrawn_since=1_800_000_000)])
    new = KeyRing([KeyEntry(P256, "Zhejiang 2", Scope(), 5, 9), KeyEntry(other, "Anhui", Scope(("34",)))])
    for name, each in (("old", old), ("new", new)):
        (tmp_path / name).write_text(dump_jwks(each), encoding="utf-8")
    result = run("ring", "diff", tmp_path / "old", tmp_path / "new")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith(f"! Zhejiang 2 {KID}: not withdrawn (before: since 2027-01-15")
    assert "from 1970-01-01" in lines[1]
    assert lines[2:4] == [
        f"Zhejiang 2 {KID}: scope * (before: 33)",
        f"Zhejiang 2 {KID}: issuer Zhejiang 2 (before: Zhejiang)",
    ]
    assert f"Anhui {other.kid.hex()}: added, ES256, scope 34, without an end; not withdrawn" in lines[4]
    result = run("ring", "diff", tmp_path / "new", tmp_path / "old", "--json")
    assert result.exit_code == 1
    assert [change["lifts_withdrawal"] for change in json.loads(result.output)["changes"]].count(True) == 0
    result = run("ring", "diff", tmp_path / "old", tmp_path / "old")
    assert (result.exit_code, result.output) == (0, "no difference\n")


def test_a_ring_is_checked_as_a_verifier_reads_it(run, ring, public):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33", "--not-after", "1000")
    result = run("ring", "check", ring, "--json")
    assert (result.exit_code, json.loads(result.output)["ended"]) == (0, [KID])
    assert run("ring", "check", ring).output == f"good: 1 keys, version 1\nsigns no more: {KID}\n"
    ring.write_bytes(b"\xef\xbb\xbf" + ring.read_bytes())
    assert run("ring", "check", ring).exit_code == 0
    ring.write_text('{"keys": [], "exp": 1800000000}')
    result = run("ring", "check", ring)
    assert result.exit_code == 1
    assert result.output.startswith("REFUSED: a JWK Set is an object with an array")
    assert json.loads(run("ring", "check", ring, "--json").output)["good"] is False
    assert run("ring", "check", ring.with_name("nothing")).exit_code == 2


def test_a_ring_is_shown(run, ring, public):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33")
    assert f"A {KID}: ES256, scope 33, without an end; not withdrawn" in run("ring", "show", ring).output
    shown = json.loads(run("ring", "show", ring, "--json").output)
    assert shown["keys"][0] | {"issuer": ""} == {
        "kid": KID, "algorithm": "ES256", "issuer": "", "scope": ["33"], "except": [], "not_before": 0,
        "not_after": None, "withdrawn_since": None, "use": "tokens", "status_uri": None,
    }  # fmt: skip


@pytest.fixture
def published(run, ring, public, tmp_path):
    pytest.importorskip("tuf", reason="the extra tuf is not installed")
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33")
    result = run("ring", "init", tmp_path / "repo", "--keys", tmp_path / "keys", "--in-clear")
    assert result.exit_code == 0, result.output
    assert publish(run, tmp_path, "-r", ring).exit_code == 0
    return tmp_path / "repo"


def publish(run, tmp_path, *options, roles=("targets", "snapshot", "timestamp")):
    keys = [part for role in roles for part in ("-k", tmp_path / "keys" / f"{role}.pem")]
    return run("ring", "publish", tmp_path / "repo", *keys, *options)


def fetch(run, tmp_path, *options):
    root = tmp_path / "repo" / "metadata" / "1.root.json"
    return run("ring", "fetch", tmp_path / "repo", "--root", root, "--state", tmp_path / "state", *options)


def test_a_ring_goes_from_a_repository_to_a_terminal(run, ring, published, tmp_path):
    result = fetch(run, tmp_path, "--out", tmp_path / "terminal.jwks")
    assert result.exit_code == 0, result.output
    assert read(tmp_path / "terminal.jwks").version == 1
    result = run("ring", "withdraw", KID, "-r", ring, "--since", "1800000000")
    result = publish(run, tmp_path, "-r", ring)
    assert f"A {KID}: withdrawn since" in result.output
    fetched = json.loads(fetch(run, tmp_path, "--json").output)
    assert (fetched["new"], fetched["version"], fetched["problem"]) == (True, 2, None)


def test_keys_are_not_readable_by_others(published, tmp_path):
    paths = list((tmp_path / "keys").iterdir())
    assert {path.name for path in paths} == {"root.json", "root.pem", "targets.pem", "snapshot.pem", "timestamp.pem"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths if path.suffix == ".pem")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_keys_are_encrypted_unless_asked_otherwise(run, tmp_path, monkeypatch):
    pytest.importorskip("tuf", reason="the extra tuf is not installed")
    monkeypatch.setenv("SECRET", "correct horse")
    arguments = ["ring", "init", tmp_path / "repo", "--keys", tmp_path / "keys"]
    assert run(*arguments).exit_code == 2
    assert not (tmp_path / "repo").exists()
    options = ["--root-keys", "3", "--root-threshold", "2", "--passphrase-env", "SECRET"]
    assert run(*arguments, *options).exit_code == 0
    assert len(list((tmp_path / "keys").glob("root-*.pem"))) == 3
    assert all(b"ENCRYPTED" in path.read_bytes() for path in (tmp_path / "keys").glob("*.pem"))
    assert run(*arguments, *options).exit_code == 2
    assert publish(run, tmp_path, roles=("timestamp",)).exit_code == 2
    assert publish(run, tmp_path, "--passphrase-env", "SECRET", roles=("timestamp",)).exit_code == 0


def test_the_old_ring_and_a_lifted_withdrawal_are_not_published(run, ring, published, tmp_path):
    old = ring.read_bytes()
    run("ring", "withdraw", KID, "-r", ring, "--since", "1800000000")
    publish(run, tmp_path, "-r", ring)
    ring.write_bytes(old)
    result = publish(run, tmp_path, "-r", ring)
    assert result.exit_code == 2
    assert "a withdrawal would be taken back, which only lift-withdrawal allows" in result.output
    result = publish(run, tmp_path, "-r", ring, "--lift-withdrawal")
    assert result.exit_code == 2
    assert "version 2 is there already, and this is 1" in result.output
    ring.write_text(dump_jwks(KeyRing(load_jwks(old).entries, version=3)), encoding="utf-8")
    assert publish(run, tmp_path, "-r", ring, "--lift-withdrawal").exit_code == 0


def test_an_older_repository_is_refused_by_a_terminal(run, ring, published, tmp_path):
    import shutil

    shutil.copytree(published, tmp_path / "old")
    run("ring", "withdraw", KID, "-r", ring, "--since", "1800000000")
    publish(run, tmp_path, "-r", ring)
    fetch(run, tmp_path)
    shutil.rmtree(published)
    shutil.copytree(tmp_path / "old", published)
    result = fetch(run, tmp_path, "--out", tmp_path / "out.jwks")
    assert result.exit_code == 1
    assert "NOT REFRESHED: the repository offers an older" in result.output
    assert "未能更新：仓库提供了更旧" in fetch(run, tmp_path, "--lang", "zh").output
    assert read(tmp_path / "out.jwks").version == 2


def test_a_terminal_without_any_ring_is_refused(run, published, tmp_path):
    (published / "metadata" / "timestamp.json").unlink()
    result = fetch(run, tmp_path, "--out", tmp_path / "out.jwks")
    assert result.exit_code == 1
    assert "[key.ring_unavailable]" in result.output
    assert not (tmp_path / "out.jwks").exists()


def test_a_timer_signs_again_with_the_online_keys_alone(run, published, tmp_path):
    before = json.loads(run("ring", "state", published, "--json").output)["roles"]
    assert publish(run, tmp_path, roles=("snapshot", "timestamp")).exit_code == 0
    after = json.loads(run("ring", "state", published, "--json").output)["roles"]
    assert after["timestamp"]["version"] == before["timestamp"]["version"] + 1
    assert {role: after[role] for role in ("root", "targets", "snapshot")} == {
        role: before[role] for role in ("root", "targets", "snapshot")
    }
    result = publish(run, tmp_path, roles=("snapshot",))
    assert result.exit_code == 2
    assert "1 of the 1 keys of timestamp must sign, and 0 are here" in result.output


def test_keys_of_roles_are_rotated(run, published, tmp_path):
    keys = [
        part
        for role in ("root", "targets", "snapshot", "timestamp")
        for part in ("-k", tmp_path / "keys" / f"{role}.pem")
    ]
    for role in ("root", "timestamp"):
        new = tmp_path / "keys" / f"{role}-2.pem"
        result = run("ring", "rotate", published, role, *keys, "--new", new, "--in-clear")
        assert result.exit_code == 0, result.output
        keys += ["-k", new]
    assert "root version 3" in result.output
    assert (tmp_path / "keys" / "root.json").read_bytes() == (published / "metadata" / "3.root.json").read_bytes()
    assert fetch(run, tmp_path).exit_code == 0
    assert publish(run, tmp_path, roles=("snapshot", "timestamp")).exit_code == 2  # the timestamp's old key
    failing = tmp_path / "keys" / "not.pem"
    result = run(
        "ring", "rotate", published, "root", "-k", tmp_path / "keys" / "root.pem", "--new", failing, "--in-clear"
    )
    assert result.exit_code == 2
    assert not failing.exists()


@pytest.mark.parametrize("fails", ["second file", "full disk", "timestamp"])
def test_new_keys_that_no_root_names_are_not_left_behind(run, published, tmp_path, full_disk, fails):
    keys = [part for role in ("root", "timestamp") for part in ("-k", tmp_path / "keys" / f"{role}.pem")]
    new = [tmp_path / "keys" / "a.pem", tmp_path / "keys" / "b.pem"]
    if fails == "second file":
        new[1].touch()
    elif fails == "timestamp":
        (published / "metadata" / f".timestamp.json.{os.getpid()}.new").mkdir()  # where its draft is written
    with full_disk(1000) if fails == "full disk" else nullcontext():  # more than a key needs, less than a root
        result = run("ring", "rotate", published, "timestamp", *keys, "--new", new[0], "--new", new[1], "--in-clear")
    assert result.exit_code == 2
    assert new[0].exists() == (published / "metadata" / "2.root.json").exists()
    assert new[1].exists() == (fails == "second file" or new[0].exists())


def test_a_repositorys_keys_are_written_all_or_none(run, tmp_path):
    pytest.importorskip("tuf")
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "timestamp.pem").touch()
    assert run("ring", "init", tmp_path / "repo", "--keys", keys, "--in-clear").exit_code == 2
    assert [path.name for path in keys.iterdir()] == ["timestamp.pem"]


def test_a_province_publishes_its_own_ring(run, ring, published, tmp_path):
    province = P256SigningKey.generate()
    (tmp_path / "province.pem").write_bytes(province.to_pem(passphrase=None))
    (tmp_path / "province.pem").chmod(0o600)
    (tmp_path / "province.pub").write_bytes(province.verifying_key.to_pem())
    keys = [part for role in ("targets", "snapshot", "timestamp") for part in ("-k", tmp_path / "keys" / f"{role}.pem")]
    options = ["--path", "33/*", "--public", tmp_path / "province.pub"]
    assert run("ring", "delegate", published, "zhejiang", *options, *keys).exit_code == 0
    own = ["-k", tmp_path / "province.pem", "--role", "zhejiang", "-r", ring]
    result = run("ring", "publish", published, *own, "--path", "33/ring.jwks")
    assert result.exit_code == 2
    assert "a copy of the root that is kept away from" in result.output
    own += ["--root", tmp_path / "keys" / "root.json"]
    assert run("ring", "publish", published, *own, "--path", "32/ring.jwks").exit_code == 2
    assert run("ring", "publish", published, *own, "--path", "33/ring.jwks").exit_code == 0
    assert publish(run, tmp_path, roles=("snapshot", "timestamp")).exit_code == 0
    assert fetch(run, tmp_path, "--target", "33/ring.jwks=33").exit_code == 0
    assert fetch(run, tmp_path / "x", "--target", "33/ring.jwks=32").exit_code != 0


def test_what_the_folders_host_wrote_is_neither_signed_nor_believed(run, published, tmp_path):
    path = published / "metadata" / "2.targets.json"
    path.write_bytes(path.read_bytes().replace(b"ring.jwks", b"evil.jwks"))
    before = (published / "metadata" / "timestamp.json").read_bytes()
    for result in (
        publish(run, tmp_path, roles=("snapshot", "timestamp")),
        publish(run, tmp_path, "-r", tmp_path / "ring.jwks", "--lang", "zh"),
        run("ring", "state", published),
    ):
        assert result.exit_code == 2, result.output
        assert "what the keys of targets signed" in result.output or "并非由 targets 的密钥签署" in result.output
    assert (published / "metadata" / "timestamp.json").read_bytes() == before


def test_a_folder_does_not_go_back_to_keys_that_were_replaced(run, published, tmp_path):
    keys = [part for name in ("root", "timestamp") for part in ("-k", tmp_path / "keys" / f"{name}.pem")]
    new = tmp_path / "keys" / "timestamp-2.pem"
    old = (published / "metadata" / "timestamp.json").read_bytes()
    assert run("ring", "rotate", published, "timestamp", *keys, "--new", new, "--in-clear").exit_code == 0
    (published / "metadata" / "2.root.json").unlink()
    (published / "metadata" / "timestamp.json").write_bytes(old)
    result = publish(run, tmp_path, roles=("snapshot", "timestamp"))
    assert result.exit_code == 2
    assert "is no repository with a good root" in result.output


def test_a_ring_whose_file_is_missing_is_published_again(run, ring, published, tmp_path):
    (file,) = (published / "targets").iterdir()
    file.unlink()
    other = tmp_path / "other.jwks"
    other.write_text(dump_jwks(KeyRing()), encoding="utf-8")
    assert publish(run, tmp_path, "-r", other, "--path", "other.jwks").exit_code == 0  # another path is not concerned
    changed = tmp_path / "changed.jwks"
    changed.write_bytes(ring.read_bytes())
    run("ring", "withdraw", KID, "-r", changed, "--since", "1800000000")
    result = publish(run, tmp_path, "-r", changed)
    assert result.exit_code == 2
    assert "is missing, which ring.jwks is: publish the same ring again" in result.output
    for each in (ring, changed):
        assert publish(run, tmp_path, "-r", each).exit_code == 0
    assert fetch(run, tmp_path).exit_code == 0


def test_a_threshold_above_the_number_of_keys_is_refused_before_keys_are_made(run, tmp_path):
    pytest.importorskip("tuf", reason="the extra tuf is not installed")
    options = ["--keys", tmp_path / "keys", "--in-clear", "--root-keys", "2", "--root-threshold", "3"]
    result = run("ring", "init", tmp_path / "repo", *options)
    assert result.exit_code == 2
    assert "--root-threshold is at most --root-keys, 2" in result.output
    assert not (tmp_path / "keys").exists()
    assert not (tmp_path / "repo").exists()


def test_what_a_person_reads_is_in_his_language(run, published, tmp_path):
    root = tmp_path / "not-root.json"
    root.write_text("{}")
    keys = ["-k", tmp_path / "keys" / "root.pem"]
    new = ["--new", tmp_path / "new.pem", "--in-clear"]
    for arguments, words in (
        (["publish", published, *keys], "timestamp 共 1 把密钥，须有 1 把签名，现有 0 把"),
        (["publish", published, *keys, "--role", "zhejiang"], "targets 未委托角色 zhejiang"),
        (["rotate", published, "leaf", *keys, *new], "角色须为 root、targets、snapshot、timestamp 之一"),
        (["rotate", published, "root", *keys, *new, "--threshold", "2"], "root 共 1 把密钥，门限须为 1 至 1，不能是 2"),
        (["fetch", published, "--root", root, "--state", tmp_path / "s"], "root 不是根元数据，或其有效签名数未达门限"),
    ):
        result = run("ring", *arguments, "--lang", "zh")
        assert result.exit_code == 2
        assert result.output.startswith(f"操作未完成：{words}")


def test_a_key_that_has_ended_is_not_called_withdrawn(run, ring, public):
    run("ring", "add", public, "-r", ring, "--issuer", "A", "--scope", "33", "--not-after", "1000")
    assert f"已到签发截止时间：{KID}" in run("ring", "check", ring, "--lang", "zh").output


@pytest.mark.parametrize("name", ["1.root.json", "2.targets.json", "2.snapshot.json", "timestamp.json"])
@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"signed": {}, "signatures": [1]}'])
def test_a_damaged_repository_is_said_by_every_command(run, published, tmp_path, name, data):
    (published / "metadata" / name).write_bytes(data)
    roles = ("root", "targets", "snapshot", "timestamp")
    keys = [part for role in roles for part in ("-k", tmp_path / "keys" / f"{role}.pem")]
    (tmp_path / "public.pem").write_bytes(P256.to_pem())
    new = tmp_path / "new.pem"
    for arguments in (
        ["state", published],
        ["publish", published, *keys],
        ["rotate", published, "targets", *keys, "--new", new, "--in-clear"],
        ["delegate", published, "zhejiang", "--path", "33/*", "--public", tmp_path / "public.pem", *keys],
    ):
        result = run("ring", *arguments)
        assert result.exit_code == 2, (arguments[0], result.output)
        assert result.output.strip()
    assert not new.exists()


def test_a_terminal_whose_scope_was_narrowed_says_so(run, published, tmp_path):
    assert fetch(run, tmp_path).exit_code == 0
    result = fetch(run, tmp_path, "--target", "ring.jwks=32")
    assert result.exit_code == 1
    assert "[key.ring_unavailable]" in result.output


def test_what_is_no_repository_is_said(run, ring, tmp_path):
    pytest.importorskip("tuf", reason="the extra tuf is not installed")
    result = run("ring", "state", tmp_path)
    assert result.exit_code == 2
    assert "is no repository with a good root" in result.output
    (tmp_path / "root.json").write_text("{}")
    arguments = ["ring", "fetch", "http://127.0.0.1:1", "--state", tmp_path / "state"]
    result = run(*arguments, "--root", tmp_path / "root.json")
    assert result.exit_code == 2
    assert "root is no root metadata" in result.output
