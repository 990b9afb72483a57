"""Attacks on a real repository that a web server serves on the loopback: what is held stays, and the reason is said."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ybtoken import CannotCheckError, Issuer, KeyEntry, KeyRing, Scope, TokenError, Verifier
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey

from .conftest import START, Place, Server

pytest.importorskip("tuf", reason="the extra tuf is not installed")

from tuf.api.metadata import Metadata, MetaFile, TargetFile

from ybtoken._state import State, replace_file
from ybtoken.trust import tuf
from ybtoken.trust.repository import ROLES, RingRepository
from ybtoken.trust.signatures import MetadataSigner
from ybtoken.trust.tuf import TufRingSource
from ybtoken.words import words_of

DAY = 86_400


@pytest.fixture
def source(place, server, tmp_path):
    made = TufRingSource(server.address, place.root, state=tmp_path / "state", timeout=5)
    assert made.refresh(START), made.problem
    return made


def again(source: TufRingSource, place: Place, server: Server, tmp_path: Path) -> TufRingSource:
    """The same source after a restart."""
    return TufRingSource(server.address, place.root, state=tmp_path / "state", timeout=5)


def change(place: Place, role: str, edit: Callable[[Any], None], *, name: str | None = None, key: Any = None) -> None:
    """Change a role's metadata behind the repository's back, and sign it as its keeper would."""
    path = place.folder / "metadata" / (name or max(each.name for each in files(place, role)))
    made: Any = Metadata.from_bytes(path.read_bytes())
    edit(made.signed)
    made.signatures.clear()
    made.sign(MetadataSigner(key or place.keys[role]))
    path.write_bytes(made.to_bytes())


def files(place: Place, role: str) -> list[Path]:
    return list((place.folder / "metadata").glob("timestamp.json" if role == "timestamp" else f"*.{role}.json"))


def naming(snapshot: int) -> Callable[[Any], None]:
    """Make the timestamp name this version of the snapshot."""

    def edit(timestamp: Any) -> None:
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile(snapshot)

    return edit


def withdrawn(source: TufRingSource, now: int = START) -> int | None:
    return source.ring(now).entries[0].withdrawn_since


def refused(source: TufRingSource, now: int = START) -> str:
    """Refresh, which must bring nothing; returns the reason."""
    held = source.ring(now)
    assert source.refresh(now) is False
    assert source.problem is not None
    assert source.problem.code == "key.ring_unavailable"
    assert source.ring(now) is held
    return str(source.problem.reason)


def test_a_withdrawal_arrives_and_stays(place, server, source, tmp_path):
    text = Issuer(place.issuer, clock=place.clock).issue(bytes(16), "330100").text
    Verifier(source.ring(START), clock=place.clock).verify(text)
    shutil.copytree(place.folder, tmp_path / "old")
    place.withdraw()
    assert source.refresh(START) is True
    server.folder = tmp_path / "old"
    for each in (source, again(source, place, server, tmp_path)):
        assert "older" in refused(each)
        with pytest.raises(TokenError, match=r"scope\.withdrawn"):
            Verifier(each.ring(START), clock=place.clock).verify(text)
    from_folder = TufRingSource(tmp_path / "old", place.root, state=tmp_path / "state")
    assert "older" in refused(from_folder)
    assert withdrawn(from_folder) == START - 60


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_an_older_statement_of_any_role_is_refused(place, server, source, tmp_path, role):
    old = {path.name: path.read_bytes() for path in files(place, role)}
    before = place.repository.ends()[role][0]
    place.withdraw()
    source.refresh(START)
    if role == "timestamp":
        (place.folder / "metadata" / "timestamp.json").write_bytes(old["timestamp.json"])
    elif role == "snapshot":  # a new timestamp that names the old snapshot: its key was stolen
        change(
            place,
            "timestamp",
            lambda t: (setattr(t, "version", t.version + 1), setattr(t, "snapshot_meta", MetaFile(before))),
        )
    else:  # and the snapshot's key as well
        number = place.repository.ends()["snapshot"][0] + 1

        def forget(snapshot: Any) -> None:
            snapshot.version = number
            snapshot.meta["targets.json"] = MetaFile(before)

        shutil.copy(files(place, "snapshot")[0], place.folder / "metadata" / f"{number}.snapshot.json")
        change(place, "snapshot", forget, name=f"{number}.snapshot.json")
        change(
            place,
            "timestamp",
            lambda t: (setattr(t, "version", t.version + 1), setattr(t, "snapshot_meta", MetaFile(number))),
        )
    assert "older" in refused(source)
    assert withdrawn(again(source, place, server, tmp_path)) == START - 60


def test_the_keys_sign_nothing_that_only_the_folders_host_wrote(place, server, source):
    """A web server's host puts the ring from before a withdrawal back, and waits for the next honest publication."""
    old = files(place, "targets")[-1].read_bytes()
    place.withdraw()
    source.refresh(START)
    newest = max(files(place, "targets"), key=lambda path: int(path.name.split(".")[0]))
    made = json.loads(newest.read_bytes())
    made["signed"]["targets"] = json.loads(old)["signed"]["targets"]
    newest.write_text(json.dumps(made))
    before = {path: path.read_bytes() for path in (place.folder / "metadata").iterdir()}
    other = {"other.jwks": dump_jwks(KeyRing()).encode()}
    key = P256SigningKey.generate().verifying_key
    for attempt in (
        lambda: place.repository.publish(other, place.keys.values()),
        lambda: place.repository.publish({}, place.keys.values()),
        lambda: place.repository.delegate("zhejiang", ["33/*"], [key], place.keys.values()),
        lambda: place.repository.rotate("targets", [key], place.keys.values()),
        lambda: place.repository.rings(),
        lambda: place.repository.ends(),
    ):
        with pytest.raises(ValueError, match="targets"):
            attempt()
    assert {path: path.read_bytes() for path in (place.folder / "metadata").iterdir()} == before
    assert withdrawn(source) == START - 60


@pytest.mark.parametrize("role", ["snapshot", "timestamp"])
def test_the_keys_do_not_sign_a_changed_statement_again(place, role):
    path = max(files(place, role))
    made = json.loads(path.read_bytes())
    made["signed"]["version"] += 1000
    path.write_text(json.dumps(made))
    with pytest.raises(ValueError, match=f"is not what the keys of {role} signed"):
        place.publish(place.ring.withdrawn(place.issuer.kid, since=START))


def metadata_of(place: Place) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (place.folder / "metadata").iterdir()}


def rotate(place: Place, role: str, key: P256SigningKey) -> None:
    place.repository.rotate(role, [key.verifying_key], [*place.keys.values(), key])


ROTATED = {
    "targets": ["3.targets.json", "3.snapshot.json", "2.root.json", "timestamp.json"],
    "snapshot": ["3.snapshot.json", "2.root.json", "timestamp.json"],
    "timestamp": ["2.root.json", "timestamp.json"],
    "root": ["2.root.json"],
}


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_rotation_whose_repository_is_damaged_is_not_begun(place, role):
    path = place.folder / "metadata" / "2.targets.json"
    path.write_bytes(path.read_bytes().replace(b"ring.jwks", b"evil.jwks"))
    before = metadata_of(place)
    with pytest.raises(ValueError, match="is not what the keys of targets signed"):
        rotate(place, role, P256SigningKey.generate())
    assert metadata_of(place) == before


@pytest.mark.parametrize("role", ROLES)
def test_a_verifier_that_comes_between_two_files_of_a_rotation_keeps_its_ring(place, source, role, monkeypatch):
    """Only between the new root and the timestamp that goes with it does a refresh fail."""
    seen, ring = [], source.ring(START)

    def refreshing(to: Path, data: bytes) -> None:
        replace_file(to, data)
        source.refresh(START)
        seen.append((to.name, source.problem is None))
        assert source.ring(START) is ring

    monkeypatch.setattr("ybtoken.trust.repository.replace_file", refreshing)
    rotate(place, role, P256SigningKey.generate())
    assert seen == [(name, name != "2.root.json" or role == "root") for name in ROTATED[role]]


@pytest.mark.parametrize("finish", ["publish", "rotate"])
@pytest.mark.parametrize(("role", "failing"), [(role, name) for role, names in ROTATED.items() for name in names])
def test_a_rotation_that_fails_is_not_there_or_is_completed(place, server, source, role, failing, finish, monkeypatch):
    """A verifier that has seen the new root goes back to no other, so that root stays."""
    key, before = P256SigningKey.generate(), metadata_of(place)

    def full(to: Path, data: bytes) -> None:
        if to.name == failing:
            source.refresh(START)
            raise OSError(28, "No space left on device", str(to))
        replace_file(to, data)

    monkeypatch.setattr("ybtoken.trust.repository.replace_file", full)
    with pytest.raises(OSError, match="No space left"):
        rotate(place, role, key)
    monkeypatch.undo()
    is_there = failing == "timestamp.json"
    assert (place.folder / "metadata" / "2.root.json").exists() == is_there
    assert is_there or metadata_of(place) == before
    if is_there:
        place.keys[role] = key
    if finish == "publish":
        place.repository.publish({}, place.keys.values())
    else:
        rotate(place, "timestamp", P256SigningKey.generate())
    source.refresh(START)
    assert source.problem is None


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_what_a_rotation_left_that_was_killed_before_its_root_is_in_nobodys_way(place, source, role):
    before = metadata_of(place)
    rotate(place, role, P256SigningKey.generate())
    for path in metadata_of(place):
        if path in before:
            path.write_bytes(before[path])
        elif path.name == "2.root.json":
            path.unlink()
    place.withdraw()
    assert source.refresh(START), source.problem
    assert withdrawn(source) == START - 60


def test_a_timestamp_of_a_former_key_is_taken_up_after_its_own_root_only(place):
    """The host puts a timestamp back, and offers a root of his own as the one before."""
    before = metadata_of(place)[place.folder / "metadata" / "timestamp.json"]
    place.keys["timestamp"], evil = P256SigningKey.generate(), P256SigningKey.generate()
    place.repository.rotate("timestamp", [place.keys["timestamp"].verifying_key], place.keys.values())
    pinned = RingRepository(place.folder, root=place.repository.root, clock=place.clock)
    (place.folder / "metadata" / "timestamp.json").write_bytes(before)
    _with_another_key(place, "1.root.json", evil, evil)
    with pytest.raises(ValueError, match="is not what the keys of timestamp signed"):
        pinned.publish({}, place.keys.values())


@pytest.mark.parametrize("absent", ["targets", "snapshot", "timestamp"])
def test_a_change_that_cannot_be_signed_to_its_end_is_not_begun(place, absent):
    signers = [key for role, key in place.keys.items() if role != absent]
    before = {path: path.read_bytes() for path in place.folder.rglob("*.json*")}
    with pytest.raises(ValueError, match=f"1 of the 1 keys of {absent} must sign, and 0 are here"):
        place.repository.publish({"other.jwks": dump_jwks(KeyRing()).encode()}, signers)
    with pytest.raises(ValueError, match=f"1 of the 1 keys of {absent} must sign, and 0 are here"):
        place.repository.delegate("zhejiang", ["33/*"], [place.issuer.verifying_key], signers)
    assert {path: path.read_bytes() for path in place.folder.rglob("*.json*")} == before


def test_an_older_targets_than_the_snapshot_states_is_not_signed_again(place):
    place.withdraw()
    max(files(place, "targets"), key=lambda path: int(path.name.split(".")[0])).unlink()
    with pytest.raises(ValueError, match="its snapshot states version 3"):
        place.repository.publish({"other.jwks": dump_jwks(KeyRing()).encode()}, place.keys.values())


@pytest.mark.parametrize("role", ["targets", "zhejiang"])
def test_a_withdrawal_is_not_taken_back_unless_that_is_said(place, role):
    keys = [*place.keys.values(), P256SigningKey.generate()]
    if role == "zhejiang":
        place.repository.delegate(role, ["33/*"], [keys[-1].verifying_key], keys)
    path = "33/ring.jwks"

    def publish(ring: KeyRing, **options: bool) -> None:
        place.repository.publish({path: dump_jwks(ring).encode()}, keys, role=role, **options)

    withdrawn = place.ring.withdrawn(place.issuer.kid, since=START)
    publish(withdrawn)
    before = {path: path.read_bytes() for path in place.folder.rglob("*.json*")}
    for since in (None, START + 1):
        (entry,) = place.ring.entries
        later = KeyRing([entry if since is None else entry.withdrawn(since=since)], version=9)
        with pytest.raises(ValueError, match="a withdrawal would be taken back") as caught:
            publish(later)
        assert "将取消停用" in words_of(caught.value).zh
    for version in (0, 1, withdrawn.version):
        with pytest.raises(ValueError, match=f"version 2 is there already, and this is {version}"):
            publish(KeyRing(place.ring.entries, version=version), lift_withdrawal=True)
    assert {path: path.read_bytes() for path in place.folder.rglob("*.json*")} == before
    publish(withdrawn)  # the same again
    publish(KeyRing(place.ring.entries, version=3), lift_withdrawal=True)


def _with_another_key(place: Place, name: str, key: P256SigningKey, by: P256SigningKey) -> None:
    path = place.folder / "metadata" / name
    made: Any = Metadata.from_bytes(path.read_bytes())
    for role in ("root", "targets"):
        made.signed.add_key(MetadataSigner(key).public_key, role)
    made.signatures.clear()
    made.sign(MetadataSigner(by))
    path.write_bytes(made.to_bytes())


@pytest.mark.parametrize("version", [1, 2])
def test_a_root_that_the_folders_host_wrote_is_not_continued(place, server, source, version):
    """The host enters a key of his own in the root, signs it with that key, and waits for the next rotation."""
    keys = [*place.keys.values()]
    if version == 2:
        keys.append(P256SigningKey.generate())
        place.repository.rotate("timestamp", [keys[-1].verifying_key], keys)
        source.refresh(START)
    evil, new = P256SigningKey.generate(), P256SigningKey.generate()
    _with_another_key(place, f"{version}.root.json", evil, evil)
    with pytest.raises(ValueError, match="no repository with a good root"):
        RingRepository(place.folder, root=place.root, clock=place.clock)
    with pytest.raises(ValueError, match="no repository with a good root"):  # was opened before
        place.repository.rotate("timestamp", [new.verifying_key], [*keys, new])
    with pytest.raises(ValueError, match="no repository with a good root"):
        place.publish()
    assert not (place.folder / "metadata" / f"{version + 1}.root.json").exists()


def test_a_folder_with_older_roots_than_the_pinned_one_is_refused(place):
    key = P256SigningKey.generate()
    place.repository.rotate("root", [key.verifying_key], [*place.keys.values(), key])
    pinned = place.repository.root
    assert RingRepository(place.folder, root=pinned, clock=place.clock).root == pinned
    (place.folder / "metadata" / "2.root.json").unlink()
    with pytest.raises(ValueError, match="no repository with a good root"):
        RingRepository(place.folder, root=pinned, clock=place.clock)


def test_nothing_is_signed_without_a_root_of_ones_own(place):
    repository = RingRepository(place.folder, clock=place.clock)
    assert repository.ends() == place.repository.ends()
    for attempt in (
        lambda: repository.publish({}, place.keys.values()),
        lambda: repository.delegate("a", ["a/*"], [place.issuer.verifying_key], place.keys.values()),
        lambda: repository.rotate("timestamp", [place.issuer.verifying_key], place.keys.values()),
    ):
        with pytest.raises(ValueError, match="does not come from the folder"):
            attempt()


def test_a_province_whose_keys_are_replaced_begins_anew(place, server, tmp_path):
    old, new = P256SigningKey.generate(), P256SigningKey.generate()
    platform = list(place.keys.values())
    entry = KeyEntry(place.issuer.verifying_key, "Zhejiang", Scope(("33",)))
    document = dump_jwks(KeyRing([entry])).encode()
    place.repository.delegate("zhejiang", ["33/*"], [old.verifying_key], platform)
    place.repository.publish({"33/a.jwks": document, "33/b.jwks": document}, [old, *platform], role="zhejiang")
    source = TufRingSource(server.address, place.root, state=tmp_path / "one", targets={"33/a.jwks": Scope()})
    assert source.refresh(START), source.problem
    place.repository.delegate("zhejiang", ["33/*"], [new.verifying_key], platform)
    place.repository.publish({}, platform)
    assert refused(source)
    with pytest.raises(ValueError, match="1 of the 1 keys of zhejiang must sign"):
        place.repository.publish({"33/a.jwks": document}, [old, *platform], role="zhejiang")
    place.repository.publish({"33/a.jwks": document}, [new, *platform], role="zhejiang")
    assert place.repository.ends()["zhejiang"][0] == 2
    assert set(place.repository.rings()) == {"ring.jwks", "33/a.jwks"}
    source.refresh(START)
    assert source.problem is None


def test_a_provinces_bad_file_does_not_stop_the_platform(place, server, source, tmp_path):
    key = P256SigningKey.generate()
    place.repository.delegate("zhejiang", ["33/*"], [key.verifying_key], place.keys.values())
    place.repository.publish({"33/a.jwks": dump_jwks(KeyRing()).encode()}, [key, *place.keys.values()], role="zhejiang")
    (place.folder / "metadata" / "2.zhejiang.json").write_text("{}")
    place.withdraw()
    assert source.refresh(START), source.problem
    assert withdrawn(source) == START - 60
    with pytest.raises(ValueError, match="is not what the keys of zhejiang signed"):
        place.repository.publish({"33/a.jwks": dump_jwks(KeyRing()).encode()}, [key], role="zhejiang")


def test_an_older_root_is_refused(place, server, source, tmp_path):
    key = P256SigningKey.generate()
    place.repository.rotate("root", [key.verifying_key], [*place.keys.values(), key])
    source.refresh(START)
    (place.folder / "metadata" / "2.root.json").write_bytes((place.folder / "metadata" / "1.root.json").read_bytes())
    fresh = TufRingSource(server.address, place.root, state=tmp_path / "fresh")
    assert fresh.refresh(START) is False
    assert withdrawn(source) is None
    (place.folder / "metadata" / "2.root.json").unlink()  # a verifier that knows the second root needs it no more
    source.refresh(START)
    assert source.problem is None
    versions = json.loads((tmp_path / "state" / "ring.state").read_bytes().split(b"\n", 1)[1])["versions"]
    assert versions["root"] == 2


def test_versions_are_remembered_when_the_metadata_that_was_kept_is_lost(place, server, source, tmp_path):
    shutil.copytree(place.folder, tmp_path / "old")
    place.withdraw()
    source.refresh(START)
    shutil.rmtree(tmp_path / "state" / "metadata")
    server.folder = tmp_path / "old"
    assert "was seen before" in refused(again(source, place, server, tmp_path))


def test_a_repository_that_stands_still_is_noticed(place, server, source, tmp_path):
    end = source.expires_at
    assert end == START + DAY
    assert source.ring(end - 1)
    assert source.refresh(end) is False
    assert "stands still" in source.problem.reason
    with pytest.raises(CannotCheckError) as caught:
        source.ring(end)
    assert caught.value.code == "key.ring_expired"
    assert (caught.value.late, caught.value.expired_at) == (0, end)
    place.clock.now = end
    place.repository.publish({}, [place.keys["timestamp"], place.keys["snapshot"]])
    source.refresh(end)
    assert source.problem is None
    assert source.ring(end)


def test_a_clock_that_is_set_back_brings_nothing_back(place, server, source, tmp_path):
    end = source.expires_at
    with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
        source.ring(end)
    for now in (START, START - 10 * DAY, 0):
        with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
            source.ring(now)
    source.refresh(START)  # the same statement again
    with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
        source.ring(START)
    place.clock.now = START + 3600
    place.publish()
    source.refresh(START + 3600)
    assert source.ring(START + 3600)
    assert again(source, place, server, tmp_path).overdue(0) is None


@pytest.mark.parametrize("by", ["ring", "refresh"])
def test_a_ring_that_has_ended_stays_so_over_a_restart_with_a_clock_that_is_set_back(
    place, server, source, tmp_path, by
):
    end = source.expires_at
    if by == "ring":
        with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
            source.ring(end)
    else:
        assert source.refresh(end) is False  # the repository stands still
    restarted = again(source, place, server, tmp_path)
    for _ in range(2):
        with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
            restarted.ring(START)
        restarted.refresh(START)
    place.publish()
    restarted.refresh(START)
    for each in (restarted, again(source, place, server, tmp_path)):
        assert each.ring(START)  # a newer statement begins anew


def test_a_python_tuf_whose_clock_cannot_be_set_brings_nothing(place, server, source, monkeypatch):
    class Later(tuf.Updater):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            del self._trusted_set.reference_time

    monkeypatch.setattr(tuf, "Updater", Later)
    place.withdraw()
    assert "this version of python-tuf keeps its time elsewhere" in refused(source)


@pytest.mark.parametrize("name", ["ring.state", "ended.state"])
@pytest.mark.parametrize("odd", [{}, {"version": 1}, {"source": 1, "versions": []}])
def test_a_state_file_of_something_else_raises_nothing(place, server, source, tmp_path, name, odd):
    State(tmp_path / "state" / name).write(odd)
    restarted = again(source, place, server, tmp_path)
    if name == "ring.state":
        assert "delete it to begin anew" in restarted.problem.reason
        assert restarted.refresh(START) is False
    else:
        assert restarted.ring(START)


@pytest.mark.parametrize(
    "odd",
    [
        *({"documents": documents} for documents in ({"ring.jwks": 5}, {"ring.jwks": []}, {"other.jwks": "{}"}, {})),
        *({"versions": versions} for versions in ({"root": "1"}, {"root": []}, {"root": True}, {"targets": 1}, {})),
        *({"seen_at": at} for at in (True, "5", None)),
        *({"expires_at": at} for at in (True, "5", None)),
    ],
)  # fmt: skip
def test_a_changed_item_under_a_right_digest_raises_nothing(place, server, source, tmp_path, odd):
    state = State(tmp_path / "state" / "ring.state")
    state.write((state.read() or {}) | odd)
    restarted = again(source, place, server, tmp_path)
    for _ in range(2):
        assert "delete it to begin anew" in restarted.problem.reason
        assert restarted.refresh(START) is False


def test_a_ring_that_was_kept_for_a_wider_scope_is_refused_and_recovers(place, server, source, tmp_path):
    state = tmp_path / "state"
    narrower = TufRingSource(server.address, place.root, state=state, targets={"ring.jwks": Scope(("32",))})
    for _ in range(2):
        assert "may state keys for 32 only" in narrower.problem.reason
        with pytest.raises(CannotCheckError, match=r"key\.ring_unavailable"):
            narrower.ring(START)
        assert narrower.refresh(START) is False
    place.publish(KeyRing([KeyEntry(place.issuer.verifying_key, "Jiangsu", Scope(("32",)))], version=2))
    assert narrower.refresh(START), narrower.problem
    assert narrower.ring(START).entries[0].issuer == "Jiangsu"


def test_a_restart_with_a_clock_that_is_set_back_knows_the_time_of_the_last_statement(place, server, source, tmp_path):
    place.clock.now = START + DAY // 2
    place.publish()
    source.refresh(START + DAY // 2)
    restarted = again(source, place, server, tmp_path)
    shutil.copytree(place.folder, tmp_path / "frozen")
    server.folder = tmp_path / "frozen"
    restarted.refresh(0)
    assert restarted.problem is None  # judged by the time that was known, which is before the end
    assert restarted.ring(0)


def test_parts_of_two_states_do_not_go_together(place, server, source):
    old = place.repository.ends()["targets"][0]
    place.withdraw()
    new = place.repository.ends()["targets"][0]
    metadata = place.folder / "metadata"
    (metadata / f"{new}.targets.json").write_bytes((metadata / f"{old}.targets.json").read_bytes())
    assert "another version" in refused(source)
    assert withdrawn(source) is None


def test_a_province_signs_its_own_path_and_its_own_places_only(place, server, tmp_path):
    zhejiang, ring_key = P256SigningKey.generate(), P256SigningKey.generate()
    platform = list(place.keys.values())
    jiangsu = P256SigningKey.generate()
    place.repository.delegate("zhejiang", ["33/*"], [zhejiang.verifying_key], platform)
    place.repository.delegate("jiangsu", ["32/*"], [jiangsu.verifying_key], platform)
    entry = KeyEntry(ring_key.verifying_key, "Zhejiang", Scope(("3301",)))
    place.repository.publish({"33/ring.jwks": dump_jwks(KeyRing([entry])).encode()}, [zhejiang], role="zhejiang")
    other = KeyEntry(P256SigningKey.generate().verifying_key, "Jiangsu", Scope(("32",)))
    place.repository.publish({"32/ring.jwks": dump_jwks(KeyRing([other])).encode()}, [jiangsu], role="jiangsu")
    place.repository.publish({}, platform)
    targets = {"ring.jwks": Scope(), "33/ring.jwks": Scope(("33",)), "32/ring.jwks": Scope(("32",))}
    source = TufRingSource(server.address, place.root, state=tmp_path / "three", targets=targets)
    assert source.refresh(START), source.problem
    assert [each.issuer for each in source.ring(START).entries] == ["Zhejiang", "Zhejiang", "Jiangsu"]

    with pytest.raises(ValueError, match=r"may not sign 32/ring\.jwks"):
        place.repository.publish({"32/ring.jwks": dump_jwks(KeyRing([entry])).encode()}, [zhejiang], role="zhejiang")
    forged = dump_jwks(KeyRing([entry])).encode()  # Zhejiang states Jiangsu's ring nevertheless
    info = TargetFile.from_data("32/ring.jwks", forged, ["sha256"])
    (place.folder / "targets" / "32" / f"{info.hashes['sha256']}.ring.jwks").write_bytes(forged)
    place.repository.publish({}, [zhejiang], role="zhejiang")

    def steal(targets: Any) -> None:
        targets.targets["32/ring.jwks"] = info

    change(place, "zhejiang", steal, key=zhejiang)
    fresh = TufRingSource(server.address, place.root, state=tmp_path / "fresh", targets=targets)
    assert fresh.refresh(START), fresh.problem
    assert [each.issuer for each in fresh.ring(START).entries] == ["Zhejiang", "Zhejiang", "Jiangsu"]

    everywhere = KeyEntry(ring_key.verifying_key, "Zhejiang")
    place.repository.publish({"33/ring.jwks": dump_jwks(KeyRing([everywhere])).encode()}, [zhejiang], role="zhejiang")
    place.repository.publish({}, platform)
    assert "may state keys for 33 only" in refused(fresh)


@pytest.mark.parametrize("failing", ["1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"])
def test_a_repository_that_cannot_be_written_is_not_there(tmp_path, monkeypatch, failing):
    def full(to: Path, data: bytes) -> None:
        if to.name == failing:
            raise OSError(28, "No space left on device", str(to))
        replace_file(to, data)

    keys = {role: [P256SigningKey.generate()] for role in ROLES}
    public = {role: [key.verifying_key for key in each] for role, each in keys.items()}
    every = [key for each in keys.values() for key in each]
    monkeypatch.setattr("ybtoken.trust.repository.replace_file", full)
    with pytest.raises(OSError, match="No space left"):
        RingRepository.create(tmp_path / "new", public, every)
    monkeypatch.undo()
    RingRepository.create(tmp_path / "new", public, every)


def test_too_few_signatures_of_a_role_are_refused(tmp_path, clock):
    keys = {role: [P256SigningKey.generate(), P256SigningKey.generate()] for role in ROLES}
    public = {role: [key.verifying_key for key in pair] for role, pair in keys.items()}
    every = [key for pair in keys.values() for key in pair]
    repository = RingRepository.create(tmp_path / "two", public, every, thresholds=dict.fromkeys(ROLES, 2), clock=clock)
    ring = dump_jwks(KeyRing([KeyEntry(P256SigningKey.generate().verifying_key, "A")])).encode()
    with pytest.raises(ValueError, match="2 of the 2 keys of targets must sign, and 1 are here"):
        repository.publish({"ring.jwks": ring}, every[:3] + every[4:])
    repository.publish({"ring.jwks": ring}, every)
    source = TufRingSource(tmp_path / "two", repository.root, state=tmp_path / "state")
    assert source.refresh(START), source.problem
    path = tmp_path / "two" / "metadata" / "timestamp.json"
    made: Any = Metadata.from_bytes(path.read_bytes())
    made.signed.version += 1
    made.signatures.clear()
    made.sign(MetadataSigner(keys["timestamp"][0]))
    path.write_bytes(made.to_bytes())
    assert "too few good signatures" in refused(source)
    made.sign(MetadataSigner(P256SigningKey.generate()), append=True)
    path.write_bytes(made.to_bytes())
    assert "too few good signatures" in refused(source)


def test_a_key_that_signs_twice_counts_once(place, tmp_path):
    one = place.keys["root"]
    with pytest.raises(ValueError, match="must sign, not 2"):
        RingRepository.create(
            tmp_path / "again",
            {role: [one.verifying_key, one.verifying_key] for role in ROLES},
            [one],
            thresholds=dict.fromkeys(ROLES, 2),
        )


def test_a_root_that_has_ended_ends_everything(place, server, source):
    year = 365 * DAY
    place.clock.now = START + year - 3600
    place.publish()
    source.refresh(START + year - 3600)
    assert source.expires_at == START + year
    place.clock.now = START + year
    place.publish()
    assert source.refresh(START + year) is False
    assert "stands still" in source.problem.reason
    with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
        source.ring(START + year)


def test_roots_are_followed_in_three_steps(place, server, source, tmp_path):
    keys = dict(place.keys)
    for _ in range(3):
        key = P256SigningKey.generate()
        place.repository.rotate("root", [key.verifying_key], [*keys.values(), key])
        keys["root"] = key
    targets = P256SigningKey.generate()
    place.repository.rotate("targets", [targets.verifying_key], [*keys.values(), targets])
    old, place.keys = place.keys, keys | {"targets": targets}
    place.withdraw()
    for each in (source, TufRingSource(server.address, place.root, state=tmp_path / "fresh")):
        assert each.refresh(START), each.problem
        assert withdrawn(each) == START - 60
    forger = Place.__new__(Place)
    forger.__dict__.update(place.__dict__, keys=old)
    change(forger, "targets", lambda t: None)  # the key that was replaced
    fresh = TufRingSource(server.address, place.root, state=tmp_path / "other")
    assert fresh.refresh(START) is False
    assert "too few good signatures" in fresh.problem.reason


def test_a_root_that_its_predecessor_did_not_sign_is_refused(place, server, source, tmp_path):
    forged = Place(tmp_path / "forged", place.clock)
    made: Any = Metadata.from_bytes(forged.root)
    made.signed.version = 2
    made.signatures.clear()
    made.sign(MetadataSigner(forged.keys["root"]))
    (place.folder / "metadata" / "2.root.json").write_bytes(made.to_bytes())
    assert "too few good signatures" in refused(source)


def test_another_file_of_the_same_length_is_refused(place, server, source):
    place.withdraw()
    (path,) = [each for each in (place.folder / "targets").iterdir() if b"withdrawn" in each.read_bytes()]
    path.write_bytes(path.read_bytes().replace(b"Zhejiang", b"ZheJiang"))
    assert "not the one that was signed" in refused(source)


def _answer(send: Callable[[Any], None], length: int | None = None) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(200)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        send(handler)
        handler.close_connection = True

    return answer


def _endless(handler: Any) -> None:
    while True:
        handler.wfile.write(bytes(1 << 16))


def _drip(handler: Any) -> None:
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def _dripping_head(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    _drip(handler)


@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_an_endless_file_is_not_read_to_its_end(place, server, source, name):
    server.answers[f"/metadata/{name}"] = _answer(_endless)
    assert "longer than it may be" in refused(source)


def test_an_endless_ring_is_not_read_to_its_end(place, server, source):
    place.withdraw()
    (path,) = [each for each in (place.folder / "targets").iterdir() if b"withdrawn" in each.read_bytes()]
    server.answers[f"/targets/{path.name}"] = _answer(_endless)
    assert "longer than it may be" in refused(source)


def test_a_ring_above_the_bound_is_not_fetched(place, server, tmp_path):
    source = TufRingSource(server.address, place.root, state=tmp_path / "small", max_bytes=100)
    assert source.refresh(START) is False
    assert "100 are allowed" in source.problem.reason
    assert not [path for path in server.asked if path.startswith("/targets")]


def test_half_a_file_is_refused(place, server, source):
    place.withdraw()
    data = (place.folder / "metadata" / "timestamp.json").read_bytes()
    server.answers["/metadata/timestamp.json"] = _answer(lambda h: h.wfile.write(data[:100]), len(data))
    assert refused(source)
    server.answers["/metadata/timestamp.json"] = _answer(lambda h: h.wfile.write(data[:100]), 100)
    assert "not valid" in refused(source)
    server.answers.clear()
    assert source.refresh(START) is True


@pytest.mark.parametrize("drip", [_answer(_drip), _dripping_head], ids=["body", "head"])
def test_a_server_that_drips_is_held_to_one_deadline(place, server, tmp_path, drip):
    source = TufRingSource(server.address, place.root, state=tmp_path / "slow", timeout=1)
    server.answers["/metadata/timestamp.json"] = drip
    assert source.refresh(START) is False  # it comes to an end at all
    assert source.problem.reason == "the repository did not answer in time"


@pytest.mark.parametrize("status", [404, 500, 302])
def test_a_server_that_has_nothing_leaves_what_is_held(place, server, source, status):
    def answer(handler: Any) -> None:
        handler.send_response(status)
        handler.send_header("Location", f"{server.address}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers["/metadata/timestamp.json"] = answer
    assert str(status) in refused(source)
    assert "/elsewhere" not in server.asked


def test_nobody_answers(place, tmp_path):
    source = TufRingSource("http://127.0.0.1:1", place.root, state=tmp_path / "nobody")
    assert source.refresh(START) is False
    with pytest.raises(CannotCheckError) as caught:
        source.ring(START)
    assert caught.value.code == "key.ring_unavailable"
    assert caught.value.reason == "the repository cannot be reached"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 3000, b'{"signed": 1, "signatures": []}', b"null"])
def test_metadata_that_is_none_is_refused(place, server, source, data):
    server.answers["/metadata/timestamp.json"] = _answer(lambda h: h.wfile.write(data), len(data))
    assert refused(source)


def test_a_ring_that_is_no_ring_is_refused_although_it_is_signed(place, server, source):
    with pytest.raises(ValueError, match=r"ring\.jwks is no key ring: key 0"):
        place.repository.publish({"ring.jwks": b'{"keys": [{}]}'}, place.keys.values())
    bad = b'{"keys": [{}]}'
    info = TargetFile.from_data("ring.jwks", bad, ["sha256"])
    (place.folder / "targets" / f"{info.hashes['sha256']}.ring.jwks").write_bytes(bad)
    place.publish()
    change(place, "targets", lambda t: t.targets.update({"ring.jwks": info}))
    assert "ring.jwks is no key ring" in refused(source)


CHILD = """
import signal, sys
from pathlib import Path
from ybtoken.trust.tuf import TufRingSource
root, address, state, now = Path(sys.argv[1]).read_bytes(), sys.argv[2], sys.argv[3], int(sys.argv[4])
source = TufRingSource(address, root, state=state)
"""


def child(code: str, place: Place, server: Server, tmp_path: Path, **options: Any) -> subprocess.Popen[str]:
    root = tmp_path / "root.json"
    root.write_bytes(place.root)
    arguments = [
        sys.executable,
        "-c",
        CHILD + textwrap.dedent(code),
        root,
        server.address,
        tmp_path / "state",
        str(START),
    ]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, **options)


def test_a_disk_that_fills_leaves_what_is_held(place, server, source, tmp_path):
    place.withdraw()
    code = """
        source.refresh(now)
        print(source.ring(now).entries[0].withdrawn_since, source.problem.reason)
    """

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))  # bytes: no file of ours has room

    process = child(code, place, server, tmp_path, preexec_fn=no_room)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("None the state in")
    assert "File too large" in out
    assert not list((tmp_path / "state").rglob("*.new"))
    restarted = again(source, place, server, tmp_path)
    assert withdrawn(restarted) is None
    assert restarted.refresh(START) is True
    assert withdrawn(restarted) == START - 60


def test_state_survives_being_killed(place, server, source, tmp_path):
    code = """
        print("ready", flush=True)
        while True:
            source.refresh(now)
    """
    for _ in range(3):
        process = child(code, place, server, tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(3):
            place.withdraw()
        process.kill()
        process.wait()
        process.stdout.close()
        restarted = again(source, place, server, tmp_path)
        assert restarted.problem is None
        known = restarted.ring(START).version
        assert known >= source.ring(START).version
        restarted.refresh(START)
        assert restarted.problem is None
        assert restarted.ring(START).version == place.ring.version
        source = restarted


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data.replace(b"1", b"2")]
)
def test_damaged_state_is_said_and_not_taken_for_no_state(place, server, source, tmp_path, damage):
    path = tmp_path / "state" / "ring.state"
    path.write_bytes(damage(path.read_bytes()))
    restarted = again(source, place, server, tmp_path)
    for _ in range(2):
        with pytest.raises(CannotCheckError) as caught:
            restarted.ring(START)
        assert caught.value.code == "key.ring_unavailable"
        assert "is damaged" in caught.value.reason
        assert "已损坏" in caught.value.hint.zh
        assert restarted.refresh(START) is False
    path.unlink()
    assert restarted.refresh(START) is True


def test_what_was_learnt_from_another_root_is_not_used(place, server, source, tmp_path, clock):
    other = Place(tmp_path / "other", clock)
    made = TufRingSource(server.address, other.root, state=tmp_path / "state")
    with pytest.raises(CannotCheckError):
        made.ring(START)
    assert made.refresh(START) is False
    assert "too few good signatures" in made.problem.reason


def test_two_processes_share_their_memory(place, server, source, tmp_path):
    second = again(source, place, server, tmp_path)
    shutil.copytree(place.folder, tmp_path / "old")
    place.withdraw()
    assert source.refresh(START) is True
    server.folder = tmp_path / "old"
    second.refresh(START)
    assert "older" in second.problem.reason
    assert withdrawn(second) == START - 60


def test_arguments_are_checked(place, tmp_path):
    for repository in ("ftp://a/", "/a/folder", 5):
        with pytest.raises(TypeError, match="address of a repository"):
            TufRingSource(repository, place.root, state=tmp_path)
    with pytest.raises(TypeError, match="bytes of root metadata"):
        TufRingSource("http://a", "root", state=tmp_path)
    with pytest.raises(ValueError, match="no root metadata"):
        TufRingSource("http://a", b"{}", state=tmp_path)
    with pytest.raises(ValueError, match="at least one path"):
        TufRingSource("http://a", place.root, state=tmp_path, targets={})


def test_state_is_readable_by_its_owner_only(source, tmp_path):
    assert os.stat(tmp_path / "state").st_mode & 0o77 == 0
