"""The guard in a file accepts once over threads, processes, kills and restarts, and its journal loses nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.replay.sqlite_kills import run
from tests.support import in_child
from ybtoken.replay import _mounts as mounts
from ybtoken.replay import sqlite as module
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard
from ybtoken.testing.guards import check_replay_guard, check_rotating_redemption
from ybtoken.words import words_of

NOW = 1_800_000_000


def guard_at(path: Path, now: float = NOW, **options: object) -> SqliteReplayGuard:
    return SqliteReplayGuard(path, clock=lambda: now, **options)  # type: ignore[arg-type]


def claim(key: bytes = b"key", *, since: int = NOW + 1, until: int = NOW + 60, text: str | None = None) -> Claim:
    return Claim(key, since, until, until, text)


def outcome(guard: SqliteReplayGuard, one: Claim) -> str:
    (refused,) = guard.claim_many([one])
    return "accepted" if refused is None else refused.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guard.db"


@pytest.fixture
def prepared(path: Path) -> Path:
    """A file that was made long before the codes that are claimed in it."""
    guard_at(path, NOW - 1000).close()
    return path


def test_it_keeps_the_protocol(tmp_path):
    made = iter(range(100))
    check_replay_guard(lambda clock: SqliteReplayGuard(tmp_path / str(next(made)), clock=clock), threads=4)
    check_rotating_redemption(lambda clock: SqliteReplayGuard(tmp_path / str(next(made)), clock=clock), rounds=3)


def test_a_claim_outlives_the_process(prepared):
    assert outcome(guard_at(prepared), claim()) == "accepted"
    assert outcome(guard_at(prepared), claim()) == "redeem.replayed"


def test_claims_are_freed_when_they_end(prepared):
    guard = guard_at(prepared)
    for number in range(50):
        assert outcome(guard, claim(b"%d" % number)) == "accepted"
    guard.close()
    late = guard_at(prepared, NOW + 60)
    assert outcome(late, claim(b"later", until=NOW + 120)) == "accepted"
    with closing(sqlite3.connect(prepared, isolation_level=None)) as connection:
        assert connection.execute("SELECT key FROM claim").fetchall() == [(b"later",)]


def test_one_of_many_threads_wins(prepared):
    guard = guard_at(prepared)
    with ThreadPoolExecutor(16) as pool:
        for number in range(20):
            codes = list(pool.map(lambda _, n=number: outcome(guard, claim(b"%d" % n)), range(16)))
            assert codes.count("accepted") == 1
            assert codes.count("redeem.replayed") == 15


def test_a_file_that_is_new_refuses_what_was_issued_before_it(path):
    guard = guard_at(path)
    assert outcome(guard, claim(since=NOW)) == "redeem.restarted"
    assert outcome(guard, claim(since=NOW + 1)) == "accepted"


def test_a_file_that_was_lost_refuses_what_was_issued_before_its_loss(prepared):
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "accepted"
    for name in prepared.parent.iterdir():
        name.unlink()
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "redeem.restarted"  # the open guard notices, too
    assert outcome(guard_at(prepared), claim(b"used", since=NOW - 5)) == "redeem.restarted"


def test_a_copy_of_the_file_remembers_from_its_first_use_on(prepared, tmp_path):
    guard_at(prepared).close()
    copy = Path(shutil.copy(prepared, tmp_path / "copy.db"))
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "accepted"
    guard.close()
    copy.replace(prepared)  # an older state comes back
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "redeem.restarted"
    assert outcome(guard, claim(b"new")) == "accepted"


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("way", ["in place", "removed first", "without witness"])
def test_a_backup_that_is_put_back_remembers_from_then_on(prepared, way, killed):
    backup = Path(shutil.copy(prepared, prepared.with_name("backup")))
    guard = guard_at(prepared)
    guard.close()
    if killed:  # the child ends with the file open
        assert in_child(lambda: outcome(guard, claim(b"used", since=NOW - 5))) == "accepted"
        for end in ("-wal", "-shm"):
            prepared.with_name(prepared.name + end).unlink()
    else:
        assert outcome(guard, claim(b"used", since=NOW - 5)) == "accepted"
        guard.close()
    if way == "removed first":
        prepared.unlink()
    if way == "without witness":
        prepared.with_name(prepared.name + ".witness").unlink()
    shutil.copyfile(backup, prepared)
    assert outcome(guard_at(prepared, NOW + 1), claim(b"used", since=NOW - 5)) == "redeem.restarted"
    assert outcome(guard_at(prepared, NOW + 2), claim(b"used", since=NOW + 1)) == "redeem.restarted"
    assert outcome(guard_at(prepared, NOW + 3), claim(b"new", since=NOW + 2)) == "accepted"  # it began once
    assert outcome(guard_at(prepared, NOW + 4), claim(b"new", since=NOW + 2)) == "redeem.replayed"


@pytest.mark.parametrize("told", [b"", b"7", b"x" * 18, b"-" + b"1".zfill(17), b"0" * 19])
def test_a_witness_that_says_nothing_counts_as_none(prepared, told):
    guard_at(prepared).close()
    prepared.with_name(prepared.name + ".witness").write_bytes(told)
    assert outcome(guard_at(prepared), claim(since=NOW)) == "redeem.restarted"


@pytest.mark.parametrize("way", ["backup", "none"])
def test_a_backup_under_the_log_of_a_process_that_was_killed_is_noticed(prepared, way):
    """The log holds the latest number, but no longer what was moved into the file that the backup replaced."""
    guard = guard_at(prepared)
    keys = [b"%04d" % number for number in range(4000)]
    guard.claim_many([claim(key, since=NOW - 5) for key in keys[::2]])
    guard.close()
    backup = Path(shutil.copy(prepared, prepared.with_name("backup")))

    def claims_and_is_killed() -> str:
        first = outcome(guard, claim(b"0001", since=NOW - 5))
        with guard._lock:
            guard._connection.execute("PRAGMA wal_checkpoint")  # type: ignore[union-attr]
        return first + " " + outcome(guard, claim(b"3999", since=NOW - 5))

    assert in_child(claims_and_is_killed) == "accepted accepted"
    log = prepared.with_name(prepared.name + "-wal")
    assert log.stat().st_size
    if way == "backup":
        shutil.copyfile(backup, prepared)
        os.utime(log, (NOW - 20, prepared.stat().st_mtime - 20))  # the operator took 20 s
        assert outcome(guard_at(prepared), claim(b"0001", since=NOW - 5)) == "redeem.restarted"
    else:
        assert outcome(guard_at(prepared), claim(b"0001", since=NOW - 5)) == "redeem.replayed"
        assert outcome(guard_at(prepared), claim(b"0003", since=NOW - 5)) == "accepted"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives a file away")
def test_a_witness_that_root_makes_belongs_to_whom_the_file_belongs(prepared):
    witness = prepared.with_name(prepared.name + ".witness")
    witness.unlink()
    os.chown(prepared, 4321, 1234)
    guard_at(prepared).begin_anew()
    assert (witness.stat().st_uid, witness.stat().st_gid) == (4321, 1234)


def test_a_claim_without_a_text_is_witnessed_when_no_row_was_ever_journaled(prepared):
    with closing(sqlite3.connect(prepared, isolation_level=None)) as connection:
        connection.execute("DELETE FROM sqlite_sequence")
    backup = Path(shutil.copy(prepared, prepared.with_name("backup")))
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "accepted"
    guard.close()
    shutil.copyfile(backup, prepared)
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "redeem.restarted"


def test_a_witness_that_states_too_few_is_no_backup(prepared):
    """As after a kill between a claim and its witness, or when two processes write it in the wrong order."""
    guard = guard_at(prepared)
    for number in range(3):
        assert outcome(guard, claim(b"%d" % number, since=NOW)) == "accepted"
    witness = prepared.with_name(prepared.name + ".witness")
    assert int(witness.read_bytes()) == 3
    witness.write_bytes(b"%018d" % 1)
    guard.close()
    assert outcome(guard, claim(b"1", since=NOW)) == "redeem.replayed"
    assert int(witness.read_bytes()) == 3
    assert outcome(guard, claim(b"more", since=NOW, text="96")) == "accepted"
    assert int(witness.read_bytes()) == next(guard.journal()).number == 4


def test_a_clock_that_is_set_back_accepts_nothing_twice(prepared):
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"used", since=NOW - 5)) == "accepted"
    ahead = guard_at(prepared, NOW + 10_000)
    assert outcome(ahead, claim(b"other", since=NOW + 10_000, until=NOW + 10_060)) == "accepted"  # frees the first
    back = guard_at(prepared, NOW + 1)
    assert outcome(back, claim(b"older", since=NOW - 30, until=NOW + 50)) == "redeem.clock"
    for now in (NOW + 1, NOW + 20, NOW + 59):  # the claims that were refused meanwhile changed nothing
        assert outcome(guard_at(prepared, now), claim(b"used", since=NOW - 5)) == "redeem.clock"
    assert outcome(back, claim(b"new", since=NOW + 2, until=NOW + 61)) == "accepted"
    assert outcome(back, claim(b"new", since=NOW + 2, until=NOW + 61)) == "redeem.replayed"


def test_a_clock_that_is_set_back_never_lowers_the_beginning(prepared, tmp_path):
    copy = Path(shutil.copy(prepared, tmp_path / "copy.db"))
    guard_at(copy, NOW).close()  # the copy begins
    again = Path(shutil.copy(copy, tmp_path / "again.db"))
    guard = guard_at(again, NOW - 500)
    assert outcome(guard, claim(since=NOW - 400)) == "redeem.restarted"
    assert outcome(guard, claim(since=NOW)) == "redeem.restarted"
    assert outcome(guard, claim(since=NOW + 1)) == "accepted"


def test_an_operator_lets_the_file_begin_anew(prepared):
    year = NOW + 365 * 86_400
    ahead = guard_at(prepared, year)
    assert outcome(ahead, claim(b"used", since=year - 5, until=year + 60)) == "accepted"
    assert outcome(guard_at(prepared, year + 60), claim(b"x", since=year, until=year + 120)) == "accepted"  # frees it
    guard = guard_at(prepared)
    guard.claim_many([claim(b"a", text="96a")])
    assert outcome(guard, claim(b"a")) == "redeem.clock"
    assert guard.begin_anew() == NOW
    assert outcome(guard, claim(b"a", since=NOW)) == "redeem.restarted"
    assert outcome(guard, claim(b"a")) == "accepted"
    assert outcome(guard, claim(b"a")) == "redeem.replayed"
    assert guard.begin_anew() == NOW
    assert outcome(guard, claim(b"a")) == "redeem.replayed"  # what it remembers stays used


def test_a_claim_that_has_ended_by_the_guards_clock_is_refused(prepared):
    assert outcome(guard_at(prepared, NOW + 60), claim()) == "redeem.clock"


def test_the_journal_holds_what_was_accepted_and_nothing_else(prepared):
    guard = guard_at(prepared, terminal="T1", place="330106")
    guard.claim_many([claim(b"a", text="96a"), claim(b"a", text="96a"), claim(b"b", text="96b"), claim(b"earlier")])
    first, second = guard.journal()
    assert (first.number, first.at, first.terminal, first.place, first.text) == (1, NOW, "T1", "330106", "96a")
    assert second.to_dict() == {
        "number": 2, "scanned_at": NOW, "terminal": "T1", "place": "330106", "display": b"b".hex(), "text": "96b",
    }  # fmt: skip
    assert [row.number for row in guard.journal(after=1)] == [2]
    with pytest.raises(ValueError, match="no row 100 yet"):  # a row may have been accepted since the journal was read
        guard.remove_handed_in(100)
    assert guard.remove_handed_in(1) == 1
    assert [row.text for row in guard.journal()] == ["96b"]
    assert outcome(guard, claim(b"a", text="96a")) == "redeem.replayed"
    assert outcome(guard, claim(b"c", text="96c")) == "accepted"
    assert [row.number for row in guard.journal()] == [2, 3]  # a number is never used twice
    assert guard.remove_handed_in(3) == 2  # all of them


def test_the_journal_is_read_by_pages(prepared, monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    guard = guard_at(prepared)
    guard.claim_many([claim(b"%d" % number, text=str(number)) for number in range(5)])
    assert [row.text for row in guard.journal()] == list("01234")


def test_nobody_else_may_read_the_file(path):
    guard = guard_at(path)
    guard.claim_many([claim(text="96")])
    for name in path.parent.iterdir():
        assert stat.S_IMODE(name.stat().st_mode) == 0o600, name


def test_a_full_disk_refuses_and_loses_nothing(prepared):
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"before", text="x")) == "accepted"
    with guard._lock:
        pages = guard._connection.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[union-attr]
        guard._connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[union-attr]
    codes = {outcome(guard, claim(b"full %d" % number, text="x" * 500)) for number in range(200)}
    assert codes == {"accepted", "redeem.unavailable"}
    refused = next(r for r in guard.claim_many([claim(b"full", text="x" * 5000)]) if r)
    assert refused.reason == "SQLITE_FULL"
    guard.close()
    again = guard_at(prepared)  # without the limit: as if space was made
    assert outcome(again, claim(b"before")) == "redeem.replayed"
    assert outcome(again, claim(b"full", text="x")) == "accepted"  # what was refused was not claimed


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small file system")
def test_a_disk_that_is_really_full_refuses(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this root may not mount")
    try:
        guard_at(disk / "guard.db", NOW - 1000).close()
        guard = guard_at(disk / "guard.db")
        codes = [outcome(guard, claim(b"%d" % number, text="x" * 800)) for number in range(4000)]
        assert codes[0] == "accepted"
        assert codes[-1] == "redeem.unavailable"
        accepted = [number for number, code in enumerate(codes) if code == "accepted"]
        journal = [int(row.replay_key) for row in guard.journal()]
        assert journal == accepted
        guard.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_of_something_else_is_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(ValueError, match="cannot be used as a guard's file"):
        SqliteReplayGuard(text)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="version is 99"):
        SqliteReplayGuard(other)


@pytest.mark.parametrize("version", [0, 1])
def test_the_database_of_another_application_is_refused_and_left_alone(path, version):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE patient (name TEXT)")
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="another application"):
        SqliteReplayGuard(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "change",
    ["UPDATE redemption SET key = 'text'", "UPDATE redemption SET at = 'noon'", "UPDATE redemption SET text = x'ff'",
     "UPDATE redemption SET text = CAST(x'ff' AS TEXT)", "DROP TABLE redemption", "DELETE FROM memory"],
)  # fmt: skip
def test_a_journal_that_was_changed_is_an_error_of_the_file(prepared, change):
    guard = guard_at(prepared)
    guard.claim_many([claim(text="96")])
    guard.close()
    with closing(sqlite3.connect(prepared, isolation_level=None)) as connection:
        connection.execute(change)
    with pytest.raises(OSError, match=r"guard\.db"):
        list(guard.journal())


def test_a_file_that_is_locked_is_an_error_of_the_file(prepared):
    guard = guard_at(prepared, deadline=0.05)
    with closing(sqlite3.connect(prepared, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for call in (lambda: list(guard.journal()), lambda: guard.remove_handed_in(1), guard.begin_anew):
            with pytest.raises(OSError, match="locked"):
                call()


def test_numbers_that_no_row_has_are_refused(prepared):
    guard = guard_at(prepared)
    for call in (lambda: guard.remove_handed_in(2**63), lambda: list(guard.journal(after=-1))):
        with pytest.raises(ValueError, match="9223372036854775807"):
            call()


def mount(folder: Path) -> str:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        told = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    finally:
        os.close(descriptor)
    return told.partition("mnt_id:")[2].split()[0]


def mounts_of(monkeypatch: pytest.MonkeyPatch, folder: Path, kind: str, other: str = "ext4") -> None:
    """Let the folder's mount be of a kind, and other mounts of another, also one at the same place."""
    number = int(mount(folder))
    lines = [
        f"{number + step} 1 0:1 / {folder} rw shared:1 - {at} x rw" for step, at in ((-1, other), (0, kind), (1, other))
    ]
    (folder / "mountinfo").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(mounts, "_MOUNTS", folder / "mountinfo")


on_linux = pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="this system does not name its mounts")


@on_linux
@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_a_file_system_of_several_machines_is_refused(tmp_path, monkeypatch, kind):
    mounts_of(monkeypatch, tmp_path, kind)
    for local in (False, True):
        with pytest.raises(ValueError, match="other machines share"):
            SqliteReplayGuard(tmp_path / "guard.db", local=local)
    assert not (tmp_path / "guard.db").exists()


@on_linux
@pytest.mark.parametrize("kind", ["fuse.glusterfs", "fuse", "virtiofs", "gfs2", "ocfs2", "vboxsf", "new-in-2030"])
def test_a_file_system_of_an_unknown_kind_is_refused_unless_it_is_stated_to_be_local(tmp_path, monkeypatch, kind):
    mounts_of(monkeypatch, tmp_path, kind)
    with pytest.raises(ValueError, match=f"may share \\({kind}\\)"):
        SqliteReplayGuard(tmp_path / "guard.db")
    SqliteReplayGuard(tmp_path / "guard.db", local=True)


@on_linux
def test_a_mount_that_is_not_listed_is_of_an_unknown_kind(tmp_path, monkeypatch):
    (tmp_path / "mountinfo").write_text("")
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")
    with pytest.raises(ValueError, match="may share"):
        SqliteReplayGuard(tmp_path / "guard.db")


@on_linux
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs"])
def test_a_file_system_of_one_machine_is_used(tmp_path, monkeypatch, kind):
    mounts_of(monkeypatch, tmp_path, kind, other="nfs4")
    SqliteReplayGuard(tmp_path / "guard.db")


def test_a_system_that_names_no_mounts_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "no such file")
    SqliteReplayGuard(tmp_path / "guard.db")


def test_a_link_is_followed_before_its_file_system_is_looked_at(tmp_path, monkeypatch):
    share, here = tmp_path / "share", tmp_path / "here"
    share.mkdir()
    here.mkdir()
    (here / "folder").symlink_to(share)
    (here / "guard.db").symlink_to(share / "guard.db")
    monkeypatch.setattr(mounts, "_file_system", lambda path: "nfs4" if path.parent == share else "ext4")
    for path in (here / "guard.db", here / "folder" / "other.db"):
        with pytest.raises(ValueError, match="other machines share"):
            SqliteReplayGuard(path)
    monkeypatch.setattr(mounts, "_file_system", lambda path: "ext4")
    guard_at(here / "guard.db", NOW - 1000).close()
    assert outcome(guard_at(here / "guard.db"), claim()) == "accepted"
    assert outcome(guard_at(share / "guard.db"), claim()) == "redeem.replayed"  # one file, one witness
    assert {name.name for name in here.iterdir()} == {"folder", "guard.db"}


def test_a_file_with_two_names_is_refused(prepared, tmp_path):
    guard = guard_at(prepared)
    os.link(prepared, tmp_path / "link.db")  # by each name, SQLite would have a log of its own
    assert outcome(guard, claim()) == "redeem.unavailable"
    with pytest.raises(ValueError, match="hard link") as caught:
        guard_at(tmp_path / "link.db")
    assert "link.db 不能用作已用码存储：该文件另有名称（硬链接）" in words_of(caught.value).zh
    (tmp_path / "link.db").unlink()
    assert outcome(guard, claim()) == "accepted"


NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


@on_linux
def test_a_file_that_is_mounted_by_itself_is_refused(prepared, tmp_path):
    if shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("no mount can be made here")
    (tmp_path / "bound.db").touch()
    code = (
        "import subprocess, sys; from ybtoken.replay.sqlite import SqliteReplayGuard\n"
        "subprocess.run(['mount', '--bind', *sys.argv[1:]], check=True)\n"
        "SqliteReplayGuard(sys.argv[1], local=True)\n"
        "SqliteReplayGuard(sys.argv[2], local=True)"
    )
    arguments = [*NAMESPACE, sys.executable, "-c", code, prepared, tmp_path / "bound.db"]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=60).stderr
    assert f"{tmp_path / 'bound.db'} cannot be used as a guard's file: it is a mount of its own" in said


@on_linux
def test_a_file_that_takes_the_place_of_another_is_looked_at(prepared, monkeypatch):
    guard = guard_at(prepared)
    mounts_of(monkeypatch, prepared.parent, "nfs4")
    assert outcome(guard, claim()) == "accepted"
    shutil.copy(prepared, prepared.with_name("new"))
    prepared.with_name("new").replace(prepared)
    assert outcome(guard, claim(b"other")) == "redeem.unavailable"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"path": 7}, TypeError), ({"path": None}, TypeError), ({"terminal": 1}, TypeError),
        ({"place": b"x"}, TypeError), ({"deadline": 0}, ValueError),
        ({"deadline": "5"}, ValueError), ({"deadline": True}, ValueError), ({"clock": 5}, TypeError),
        ({"local": 1}, TypeError),
    ],
)  # fmt: skip
def test_misuse_is_refused(path, options, error):
    with pytest.raises(error):
        SqliteReplayGuard(**{"path": path, **options})


def test_another_process_that_holds_the_file_is_waited_for_and_then_refused(prepared):
    guard = guard_at(prepared, deadline=0.05)
    other = sqlite3.connect(prepared, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert outcome(guard, claim()) == "redeem.timeout"
    other.execute("ROLLBACK")
    other.close()
    assert outcome(guard, claim()) == "accepted"


def test_a_failure_midway_undoes_the_whole_batch(prepared):
    guard = guard_at(prepared)

    def fails_at_the_second() -> None:
        with guard._transaction() as connection:
            guard._claim(connection, claim(b"first"), NOW)
            connection.execute("INSERT INTO claim VALUES (?, ?)", (object(), 1))

    with pytest.raises(sqlite3.Error):
        fails_at_the_second()
    assert outcome(guard, claim(b"first")) == "accepted"


def _in_a_child(guard: SqliteReplayGuard, key: bytes) -> str:
    return outcome(guard, claim(key))


@on_linux
def test_a_forked_child_claims_beside_its_parent(prepared):
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"before")) == "accepted"
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:  # another thread is within a claim when this one wants to fork
        with guard._transaction():
            held.set()
            forked.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    codes = in_child(lambda: [outcome(guard, claim(b"before")), outcome(guard, claim(b"child"))])
    forked.set()
    thread.join()
    assert codes == ["redeem.replayed", "accepted"]
    assert outcome(guard, claim(b"child")) == "redeem.replayed"
    assert outcome(guard, claim(b"parent")) == "accepted"


@on_linux
def test_a_parent_that_lets_its_guard_go_leaves_the_log_to_its_children(prepared):
    """A service that opens its guard and then runs in the background: the parent ends first."""
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"before", text="96")) == "accepted"
    to_child, from_child = os.pipe(), os.pipe()
    if not (child := os.fork()):
        for key in (b"first", b"second"):
            os.read(to_child[0], 1)
            os.write(from_child[1], outcome(guard, claim(key, text="96")).encode())
        os._exit(0)
    answers = []
    for _ in range(2):
        os.write(to_child[1], b"x")
        answers.append(os.read(from_child[0], 100))
        guard.close()
    os.waitpid(child, 0)
    assert answers == [b"accepted", b"accepted"]
    late = guard_at(prepared)
    assert outcome(late, claim(b"second")) == "redeem.replayed"
    assert [row.replay_key for row in late.journal()] == [b"before", b"first", b"second"]
    for descriptor in (*to_child, *from_child):
        os.close(descriptor)


@on_linux
def test_a_child_that_is_forked_within_a_claim_refuses(prepared, monkeypatch):
    from ybtoken import _forks

    monkeypatch.setattr(_forks, "_PATIENCE", 0.01)
    guard = guard_at(prepared)

    def in_the_child() -> tuple[str, str]:
        with pytest.raises(ValueError, match="forked within a claim"):
            guard_at(prepared)
        return outcome(guard, claim(b"child")), outcome(guard, claim(b"child"))

    with guard._transaction():
        assert in_child(in_the_child) == ("redeem.unavailable", "redeem.unavailable")
    assert outcome(guard, claim(b"child")) == "accepted"


OTHER = """
import sys
from ybtoken.replay.protocols import Claim
from ybtoken.replay.sqlite import SqliteReplayGuard
path, NOW, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
guard = SqliteReplayGuard(path, clock=lambda: NOW)
(refused,) = guard.claim_many([Claim(key.encode(), NOW + 1, NOW + 60, NOW + 60)])
print("accepted" if refused is None else refused.code)
"""


def elsewhere(path: Path, key: str) -> str:
    """The outcome of a claim by another process."""
    command = [sys.executable, "-c", OTHER, str(path), str(NOW), key]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@on_linux
def test_a_log_that_is_removed_from_under_a_guard_stops_it(prepared):
    guard = guard_at(prepared)
    assert outcome(guard, claim(b"before")) == "accepted"
    for end in ("-wal", "-shm"):
        os.unlink(f"{prepared}{end}")
    assert elsewhere(prepared, "code") == "accepted"
    for _ in range(2):
        assert outcome(guard, claim(b"code")) == "redeem.unavailable"
    with pytest.raises(OSError, match="restart every program"):
        guard.begin_anew()
    with pytest.raises(ValueError, match="restart every program"):
        guard_at(prepared)
    assert elsewhere(prepared, "code") == "redeem.replayed"


@on_linux
def test_a_file_is_made_by_one_guard_while_no_other_opens_it(prepared, monkeypatch):
    """To close a file gives up all locks that the process has on it."""
    one, other = guard_at(prepared), guard_at(prepared, deadline=0.01)
    make, seen = module.make, []

    def late(path: Path) -> os.stat_result:
        seen.append(outcome(other, claim(b"other")))
        return make(path)

    for name in prepared.parent.iterdir():
        name.unlink()
    monkeypatch.setattr(module, "make", late)
    assert outcome(one, claim(b"one")) == "accepted"
    assert seen == ["redeem.timeout"]
    assert outcome(other, claim(b"one")) == "redeem.replayed"
    assert elsewhere(prepared, "one") == "redeem.replayed"


@on_linux
def test_a_log_that_a_removed_file_left_is_not_that_of_the_new_one(prepared):
    guard, other = guard_at(prepared), guard_at(prepared)
    for number in range(30):
        assert outcome(guard, claim(b"%d" % number, text="9" * 300)) == "accepted"
    prepared.unlink()
    assert elsewhere(prepared, "0") == "accepted"  # it is claimed as issued after the file was lost
    assert outcome(guard, claim(b"0")) == outcome(other, claim(b"0")) == "redeem.replayed"
    assert outcome(other, claim(b"old", since=NOW)) == "redeem.restarted"


def test_a_thread_waits_for_others_no_longer_than_the_deadline(prepared):
    guard = guard_at(prepared, deadline=0.01)
    with guard._lock:
        assert outcome(guard, claim()) == "redeem.timeout"
        with pytest.raises(TimeoutError, match="other threads"):
            guard.begin_anew()
    assert outcome(guard, claim()) == "accepted"


def test_a_guard_is_not_copied(prepared):
    import copy
    import pickle

    for attempt in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="not pickled or copied"):
            attempt(guard_at(prepared))


def test_kills_lose_nothing_and_accept_nothing_twice(tmp_path):
    outcome = run(20, tmp_path, seed=1)
    assert outcome.accepted >= 20  # at least one between two kills
    assert (outcome.twice, outcome.lost) == (0, 0)


def test_a_file_that_another_process_writes_while_its_log_is_made_is_waited_for(prepared):
    """Workers that start together: SQLite refuses the change to a write-ahead log at once, whatever its timeout."""
    other = sqlite3.connect(prepared, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ValueError, match="locked"):
        guard_at(prepared, deadline=0.05)
    threading.Timer(0.2, other.close).start()
    assert outcome(guard_at(prepared), claim()) == "accepted"
