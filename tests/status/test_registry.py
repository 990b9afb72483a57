from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from tests.status.test_list import KEY, READER, RING, URI
from tests.support import NOW, in_child
from ybtoken.errors import CannotCheckError
from ybtoken.status.list import MAX_ENTRIES, Status, StatusList, StatusListReader
from ybtoken.status.registry import StatusRegistry
from ybtoken.status.source import MemoryStatusSource
from ybtoken.words import BoundsError

END = NOW + 12 * 3600
PERSON, OTHER = 2**64 - 1, 7


@pytest.fixture
def registry() -> Iterator[StatusRegistry]:
    made = StatusRegistry(":memory:", URI, size=4096, clock=lambda: NOW)
    yield made
    made.close()


def published(registry: StatusRegistry, **options) -> StatusList:
    for now in range(NOW, NOW + 100):  # each list is newer than the one before
        with suppress(ValueError):
            return READER.read(registry.publish(KEY, now=now, **options), now=now)
    raise AssertionError


def test_places_are_given_once_and_not_in_order(registry):
    places = [registry.enter(END) for _ in range(200)]
    assert len(set(places)) == 200
    assert places != sorted(places)
    assert max(places) > 2048  # spread over the list
    assert all(0 <= place < 4096 for place in places)


def test_every_pass_has_a_decoy(registry):
    for _ in range(20):
        registry.enter(END)
    count = registry._db.execute("SELECT count(*), sum(is_decoy) FROM passes").fetchone()
    assert count == (40, 20)


def test_a_new_pass_is_valid_and_the_list_says_so(registry):
    place = registry.enter(END, person=PERSON, channel=3)
    assert registry.status(place) is Status.VALID
    statuses = published(registry)
    assert statuses[place] == 0
    assert (len(statuses), statuses.bits) == (4096, 2)


class TestChanges:
    @pytest.fixture
    def places(self, registry) -> dict[str, int]:
        return {
            "mine": registry.enter(END, person=PERSON, channel=1),
            "mine elsewhere": registry.enter(END, person=PERSON, channel=2),
            "another's": registry.enter(END, person=OTHER, channel=1),
            "nobody's": registry.enter(END),
        }

    @pytest.mark.parametrize(
        ("who", "concerned"),
        [
            ({"person": PERSON}, {"mine", "mine elsewhere"}),
            ({"channel": 1}, {"mine", "another's"}),
            ({"person": PERSON, "channel": 2}, {"mine elsewhere"}),
            ({"person": 5}, set()),
            ({"channel": 0}, set()),
        ],
    )
    def test_a_person_a_channel_or_both(self, registry, places, who, concerned):
        def said(status: Status) -> set[str]:
            statuses = published(registry)
            for place in places.values():
                assert registry.status(place) == statuses[place]
            return {name for name, place in places.items() if statuses[place] == status}

        assert said(Status.SUSPENDED) == set()
        registry.suspend(**who)
        assert said(Status.SUSPENDED) == concerned
        assert registry.reinstate(**who)
        assert said(Status.SUSPENDED) == set()
        assert not registry.reinstate(**who)
        assert registry.revoke(**who) == len(concerned)
        assert said(Status.INVALID) == concerned

    def test_one_pass(self, registry, places):
        registry.suspend(index=places["mine"])
        assert [published(registry)[place] for place in places.values()] == [2, 0, 0, 0]
        registry.reinstate(index=places["mine"])
        registry.revoke(index=places["nobody's"])
        assert [published(registry)[place] for place in places.values()] == [0, 0, 0, 1]

    def test_a_revocation_is_final(self, registry, places):
        registry.suspend(person=PERSON)
        registry.revoke(index=places["mine"])
        registry.reinstate(person=PERSON)
        assert registry.status(places["mine"]) is Status.INVALID
        assert registry.status(places["mine elsewhere"]) is Status.VALID

    def test_suspensions_are_lifted_one_by_one(self, registry, places):
        registry.suspend(person=PERSON)
        registry.suspend(channel=1)
        registry.suspend(channel=1)  # twice is once
        registry.reinstate(person=PERSON)
        assert registry.status(places["mine"]) is Status.SUSPENDED
        assert registry.status(places["mine elsewhere"]) is Status.VALID
        registry.reinstate(channel=1)
        assert registry.status(places["mine"]) is Status.VALID

    def test_a_suspension_holds_for_what_is_issued_during_it_and_a_revocation_does_not(self, registry, places):
        registry.suspend(person=PERSON)
        registry.revoke(channel=9)
        assert registry.status(registry.enter(END, person=PERSON, channel=5)) is Status.SUSPENDED
        assert registry.status(registry.enter(END, person=OTHER, channel=9)) is Status.VALID

    def test_it_must_be_said_which(self, registry):
        for act in (registry.suspend, registry.reinstate, registry.revoke):
            with pytest.raises(ValueError, match="state which"):
                act()


def test_decoys_change_when_passes_do():
    draw = random.Random(5).randrange
    registry = StatusRegistry(":memory:", URI, size=4096, clock=lambda: NOW, draw=draw)
    real = {registry.enter(END, person=i) for i in range(100)}
    assert not any(published(registry).array)
    for i in range(50):
        registry.suspend(person=i)
    statuses = published(registry)
    shown = {i for i in range(4096) if statuses[i]}
    assert len(shown & real) == 50
    assert len(shown - real) > 15  # of fifty draws over three statuses, from a hundred decoys
    registry.close()


def test_lists_are_always_newer_and_end_when_they_should(registry):
    lists = [READER.read(registry.publish(KEY, now=NOW + i, lifetime=900, ttl=30), now=NOW) for i in range(3)]
    assert [one.issued_at for one in lists] == [NOW, NOW + 1, NOW + 2]
    assert [(one.expires_at - one.issued_at, one.ttl) for one in lists] == [(900, 30)] * 3
    source = MemoryStatusSource(READER)
    assert all(source.load(registry.publish(KEY, now=NOW + 3 + i), NOW) for i in range(3))


def test_two_lists_in_a_second_are_not_from_the_future(tmp_path):
    registry = StatusRegistry(tmp_path / "statuses.sqlite", URI, size=64)
    lists = []
    for _ in range(2):
        data = registry.publish(KEY)
        lists.append(StatusListReader(RING, URI, skew=0).read(data, now=int(time.time())))
    assert lists[1].issued_at > lists[0].issued_at
    registry.close()


@pytest.mark.parametrize("back", [0, 1, 3600])
def test_a_clock_that_was_set_back_publishes_nothing(registry, back):
    registry.publish(KEY, now=NOW)
    with pytest.raises(ValueError, match="would replace nothing"):
        registry.publish(KEY, now=NOW - back)


def test_a_restart_changes_nothing(tmp_path):
    path = tmp_path / "statuses.sqlite"
    first = StatusRegistry(path, URI, size=1024, clock=lambda: NOW)
    kept, lost = first.enter(END, person=1), first.enter(END, person=2)
    first.suspend(person=1)
    first.revoke(person=2)
    issued_at = published(first).issued_at
    first.close()
    second = StatusRegistry(path, URI, size=1024, clock=lambda: NOW)
    assert second.status(kept) is Status.SUSPENDED
    assert second.status(lost) is Status.INVALID
    assert published(second).issued_at == issued_at + 1
    assert second.enter(END) not in {kept, lost}
    assert second.reinstate(person=1)
    second.close()
    with pytest.raises(ValueError, match="1024 places, not 2048"):
        StatusRegistry(path, URI, size=2048)


def test_a_place_is_free_again_an_hour_after_its_pass_has_ended():
    now = [NOW]
    registry = StatusRegistry(":memory:", URI, size=8, clock=lambda: now[0])
    registry.revoke(index=registry.enter(NOW + 60))
    registry.enter(NOW + 60)
    registry.enter(NOW + 60)
    with pytest.raises(RuntimeError, match=r"full: 6 of 8 places are taken$"):
        registry.enter(NOW + 60)
    now[0] = NOW + 1800
    registry.publish(KEY)
    now[0] = NOW + 60 + 3600
    with pytest.raises(RuntimeError):
        registry.enter(END)
    now[0] += 1
    for _ in range(3):
        place = registry.enter(END)
        assert registry.status(place) is Status.VALID
    registry.close()


def test_a_clock_that_jumps_ahead_brings_no_revoked_pass_back():
    now = [NOW]
    registry = StatusRegistry(":memory:", URI, size=16, clock=lambda: now[0])
    revoked = registry.enter(END)
    registry.revoke(index=revoked)
    for now[0] in (END + 3601, END + 3602):  # the wrong time is not recorded either
        registry.enter(now[0] + 60)
        registry.publish(KEY)
        assert registry.status(revoked) is Status.INVALID
    for _ in range(4):
        registry.enter(now[0] + 60)
    with pytest.raises(RuntimeError, match=r"full: 14 of 16 .* the clock is far ahead"):
        registry.enter(now[0] + 60)
    registry.trust_clock()  # it was right: the registry had a pause
    registry.enter(now[0] + 60)
    assert registry.status(revoked) is Status.VALID
    registry.close()


def test_after_a_clock_that_was_ahead_lists_are_signed_again():
    now = [NOW + 86_400]
    registry = StatusRegistry(":memory:", URI, size=16, clock=lambda: now[0])
    ahead = registry.enter(END + 86_400)
    registry.publish(KEY)
    now[0] = NOW
    registry.revoke(index=ahead)
    with pytest.raises(ValueError, match=r"would replace nothing: .* trust-clock"):
        registry.publish(KEY)
    registry.trust_clock()
    now[0] += 1
    assert READER.read(registry.publish(KEY), now=now[0])[ahead] == Status.INVALID
    registry.trust_clock()
    with pytest.raises(ValueError, match="would replace nothing"):  # each list is still newer than the one before
        registry.publish(KEY, now=now[0])
    registry.close()


def test_a_time_is_recorded_by_a_full_list_too():
    now = [NOW]
    registry = StatusRegistry(":memory:", URI, size=8, clock=lambda: now[0])
    for _ in range(3):
        registry.enter(NOW + 3000)
    for now[0] in range(NOW, NOW + 3000 + 3600, 1000):
        with pytest.raises(RuntimeError, match=r"are taken$"):
            registry.enter(END)
    now[0] = NOW + 3000 + 3601
    registry.enter(END)
    registry.close()


def test_what_fails_halfway_leaves_nothing(registry):
    def broken(limit):
        raise OSError("no randomness")

    registry._draw = broken
    with pytest.raises(OSError, match="no randomness"):
        registry.enter(END)
    assert registry._db.execute("SELECT count(*) FROM passes").fetchone() == (0,)
    assert registry._db.execute("SELECT taken FROM list").fetchone() == (0,)


def test_threads_share_it(registry):
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda i: registry.enter(END, person=i), range(80)))
    assert len(set(places)) == 80


def test_two_processes_may_share_the_file(tmp_path):
    one, two = (StatusRegistry(tmp_path / "s.sqlite", URI, size=1024, clock=lambda: NOW) for _ in range(2))
    place = one.enter(END, person=1)
    two.suspend(person=1)
    assert one.status(place) is Status.SUSPENDED
    assert one.publish(KEY, now=NOW) != two.publish(KEY, now=NOW + 1)
    one.close()
    two.close()


@pytest.mark.parametrize("size", [0, 4, 9, MAX_ENTRIES + 4])
def test_a_size_is_one_that_a_list_can_have(size):
    with pytest.raises(ValueError, match="places"):
        StatusRegistry(":memory:", URI, size=size)


def test_a_size_may_be_the_least_or_the_greatest():
    with closing(StatusRegistry(":memory:", URI, size=8, clock=lambda: NOW)) as least:
        assert len(published(least)) == 8
    StatusRegistry(":memory:", URI, size=MAX_ENTRIES).close()


def test_a_file_that_is_no_registry_is_refused(tmp_path):
    (tmp_path / "other").write_bytes(b"not SQLite" * 100)
    with pytest.raises(ValueError, match="registry's file"):
        StatusRegistry(tmp_path / "other", URI)
    with sqlite3.connect(tmp_path / "table") as db:
        db.execute("CREATE TABLE list (x)")
    db.close()
    with pytest.raises(ValueError, match="registry's file"):
        StatusRegistry(tmp_path / "table", URI)


def test_only_a_registry_can_be_opened(tmp_path):
    path = tmp_path / "registry"
    with pytest.raises(ValueError, match="is no registry: unable to open"):
        StatusRegistry.open(path)
    assert not path.exists()
    for statement in (
        "CREATE TABLE list (size, taken, issued_at, uri, seen_at)",
        "INSERT INTO list VALUES ('64', 0, 0, 'https://status.example/1', 0)",
        "UPDATE list SET size = 64, uri = x'00'",
        "UPDATE list SET uri = NULL",
    ):
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(statement)
        with pytest.raises(ValueError, match="is no registry: it states no list"):
            StatusRegistry.open(path)


def test_a_damaged_file_is_no_registry_whatever_it_contains(tmp_path):
    path = tmp_path / "registry"
    StatusRegistry(path, URI, size=64).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET name = CAST(x'70ff' AS TEXT), sql = 'x' WHERE name = 'passes'")
    with pytest.raises(ValueError, match="is no registry") as caught:  # SQLite quotes what is not UTF-8
        StatusRegistry.open(path)
    assert caught.type is BoundsError
    with pytest.raises(ValueError, match="registry's file") as caught:
        StatusRegistry(path, URI, size=64)
    assert caught.type is BoundsError


def test_a_locked_file_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "registry"
    registry = StatusRegistry(path, URI, size=64, clock=lambda: NOW)
    registry._db.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        for act in (
            lambda: registry.enter(END), lambda: registry.suspend(person=1), lambda: registry.reinstate(person=1),
            lambda: registry.revoke(person=1), lambda: registry.status(1), lambda: registry.publish(KEY),
            registry.trust_clock,
        ):  # fmt: skip
            with pytest.raises(OSError, match="database is locked") as caught:
                act()
            assert caught.value.filename == str(path)
        other.execute("ROLLBACK")
        other.execute("BEGIN")  # a reader makes only the end of a transaction fail
        other.execute("SELECT * FROM list").fetchone()
        with pytest.raises(OSError, match="database is locked"):
            registry.suspend(person=1)
        other.execute("ROLLBACK")
        registry.suspend(person=1)
    registry.close()
    with pytest.raises(OSError, match="closed"):
        registry.status(1)


def test_a_registry_in_memory_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    StatusRegistry(":memory:", URI, size=64).close()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="modes")
@pytest.mark.parametrize(("before", "after"), [(None, 0o600), (0o644, 0o600), (0o666, 0o600), (0o660, 0o660)])
def test_not_everybody_reads_a_registry(tmp_path, before, after):
    path = tmp_path / "registry"
    if before is not None:
        path.touch()
        path.chmod(before)
    StatusRegistry(path, URI, size=64).close()
    assert path.stat().st_mode & 0o777 == after


def test_a_list_of_another_key_is_not_believed(registry):
    from ybtoken.testing.keys import FakeKey

    with pytest.raises(CannotCheckError):
        READER.read(registry.publish(FakeKey("issuer"), now=NOW), now=NOW)
    assert repr(registry) == f"StatusRegistry({URI!r}, 4096 places)"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"size": 1024.0}, "size is an integer"), ({"size": True}, "size is an integer"),
        ({"uri": b"x"}, "uri is a string"), ({"uri": ""}, "uri is a printable string"),
        ({"clock": NOW}, "clock is a function"), ({"draw": 5}, "draw is a function"),
    ],
)  # fmt: skip
def test_settings_of_other_kinds_are_refused(options, complaint):
    with pytest.raises((TypeError, ValueError), match=complaint):
        StatusRegistry(":memory:", **({"uri": URI} | options))


def test_times_and_persons_are_within_their_bounds(registry):
    with pytest.raises(ValueError, match="milliseconds"):
        registry.enter(NOW * 1000)
    with pytest.raises(TypeError, match="expires_at is a time in whole seconds"):
        registry.enter(float(NOW))
    for person, error in ((2**64, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(error, match="person is"):
            registry.enter(NOW + 60, person=person)


@pytest.mark.parametrize(
    ("index", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError), (True, TypeError), (1024, ValueError)]
)
def test_an_index_is_one_of_the_list(index, error):
    registry = StatusRegistry(":memory:", URI, size=1024)
    for act in (
        registry.status,
        *(lambda at, call=call: call(index=at) for call in (registry.suspend, registry.reinstate, registry.revoke)),
    ):
        with pytest.raises(error, match="index is"):
            act(index)
        act(1023)
    for channel in (-1, "1", 65_536):
        with pytest.raises((TypeError, ValueError), match="channel is"):
            registry.suspend(channel=channel)
    with pytest.raises(ValueError, match="channel is"):
        registry.enter(5, channel=65_536)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_process_opens_its_own(tmp_path):
    registry = StatusRegistry(tmp_path / "registry", URI, size=1024)
    with pytest.raises(RuntimeError, match="forked"):
        in_child(lambda: registry.status(1))
    registry._made_in -= 1
    with pytest.raises(RuntimeError, match="forked"):
        registry.status(1)
    assert in_child(lambda: StatusRegistry(tmp_path / "registry", URI, size=1024).status(1)) is Status.VALID


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_waits_for_a_transaction(tmp_path):
    """A child that is forked within one would take the parent's locks for its own."""
    registry = StatusRegistry(tmp_path / "registry", URI, size=1024)
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with registry._transaction():
            held.set()
            forked.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    place = in_child(lambda: StatusRegistry(tmp_path / "registry", URI, size=1024).enter(NOW + 60))
    forked.set()
    thread.join()
    assert registry.status(place) is Status.VALID


def test_a_registry_is_of_one_address(tmp_path):
    StatusRegistry(tmp_path / "statuses.sqlite", URI, size=64).close()
    with pytest.raises(ValueError, match="is of the list at https://status"):
        StatusRegistry(tmp_path / "statuses.sqlite", "https://other.example/1", size=64)


def test_a_clock_that_does_not_go_publishes_once():
    registry = StatusRegistry(":memory:", URI, size=64, clock=lambda: NOW + 0.999)
    registry.publish(KEY)
    with pytest.raises(ValueError, match="would replace nothing"):
        registry.publish(KEY)
    registry.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE list SET issued_at = 'x'", "UPDATE list SET issued_at = 0.5", "DELETE FROM list",
        "UPDATE list SET taken = -3", "UPDATE list SET taken = 1e9",
        "UPDATE passes SET status = 77", "UPDATE passes SET status = -1", "UPDATE passes SET status = x'01'",
        "UPDATE passes SET place = 400, status = 1", "UPDATE passes SET place = -1, status = 1",
    ],
)  # fmt: skip
def test_a_registry_that_holds_what_none_writes_is_an_error_of_the_file(tmp_path, damage):
    path = tmp_path / "registry"
    registry = StatusRegistry(path, URI, size=8, clock=lambda: NOW)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO passes VALUES (3, NULL, NULL, ?, 0, 0)", (END,))
        db.execute(damage)
    said = set()
    for act in (lambda: registry.publish(KEY), lambda: registry.status(3), lambda: registry.enter(END)):
        try:
            act()
        except OSError as error:
            assert error.filename == str(path)
            said.add(error.strerror)
    assert said == {"the registry is damaged: it holds a value that no registry writes"}
    registry.close()


def test_a_registry_whose_count_of_places_is_wrong_draws_no_place_for_ever(tmp_path):
    path = tmp_path / "registry"
    registry = StatusRegistry(path, URI, size=8, clock=lambda: NOW)
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany("INSERT INTO passes VALUES (?, NULL, NULL, ?, 0, 0)", [(place, END) for place in range(8)])
    with pytest.raises(OSError, match="damaged"):
        registry.enter(END)
    registry.close()


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_file_that_is_no_registry_stays_as_it_is(tmp_path):
    text, database = tmp_path / "text", tmp_path / "database"
    text.write_bytes(b"of another program" * 100)
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE of_another_program (x)")
    for path in (text, database):
        path.chmod(0o644)
        content = path.read_bytes()
        with pytest.raises(ValueError, match="registry's file"):
            StatusRegistry(path, URI, size=64)
        assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o644, content)
    registry = tmp_path / "registry"
    StatusRegistry(registry, URI, size=64).close()
    registry.chmod(0o644)
    with pytest.raises(ValueError, match="places"):
        StatusRegistry(registry, URI, size=128)
    assert registry.stat().st_mode & 0o777 == 0o644


def test_a_folder_is_an_error_of_the_file(tmp_path):
    with pytest.raises(OSError, match="open") as caught:
        StatusRegistry(tmp_path, URI, size=64)
    assert caught.value.filename == str(tmp_path)
