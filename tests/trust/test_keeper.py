from __future__ import annotations

import copy
import json
import os
import pickle
import threading
import warnings

import pytest

from ybtoken import CannotCheckError, Issuer, KeyEntry, KeyRing, MemoryReplayGuard, Verifier
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.ring import Use
from ybtoken.trust.keeper import Keeper
from ybtoken.trust.policy import RingPolicy
from ybtoken.trust.source import FixedRingSource, HeldRing, RingSource

NOW = 1_800_000_000
KEY = P256SigningKey((7).to_bytes(32, "big"))
RING = KeyRing([KeyEntry(KEY.verifying_key, "A")])
TEXT = Issuer(KEY, clock=lambda: NOW).issue(bytes(16), "330100").text


class Given(HeldRing):
    """A source of rings that a test gives."""

    def __init__(self, *, grace=0):
        super().__init__(grace=grace)
        self.next = None
        self.asked = 0

    def give(self, ring, expires_at=None):
        self.next = ring, expires_at

    def refresh(self, now):
        self.asked += 1
        if self.next is None:
            return self._failed("nothing new")
        self._take(*self.next, now)
        self.next, self.problem = None, None
        return True


def keeper_of(source, **options):
    return Keeper(source, lambda ring: Verifier(ring, policies=[RingPolicy(source)]), clock=lambda: NOW, **options)


def test_a_fixed_ring_is_there_at_once_and_never_ends():
    source = FixedRingSource(RING)
    assert isinstance(source, RingSource)
    keeper = keeper_of(source)
    assert keeper.current(now=2**33).keys is RING
    assert keeper.refresh() is False
    assert keeper.current().verify(TEXT, now=NOW).notes == ()
    with pytest.raises(TypeError, match="a KeyRing"):
        FixedRingSource([])


def test_without_a_ring_nothing_is_verified():
    source = Given()
    keeper = keeper_of(source)
    assert source.asked == 0
    with pytest.raises(CannotCheckError) as caught:
        keeper.current()
    assert (caught.value.code, caught.value.step) == ("key.ring_unavailable", 3)
    assert "密钥环来源没有可用的密钥环：尚未取得密钥环。" in caught.value.hint.zh
    assert caught.value.reason == "no ring has arrived yet"
    assert json.loads(json.dumps(caught.value.to_dict()))["facts"] == {"reason": "no ring has arrived yet"}
    for same in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):
        assert same.hint == caught.value.hint
    keeper.refresh()
    assert keeper.problem.reason == "nothing new"


def test_a_new_ring_makes_a_new_verifier_and_an_old_one_goes_on():
    source = Given()
    source.give(RING, NOW + 100)
    keeper = keeper_of(source)
    assert keeper.refresh() is True
    before = keeper.current()
    assert keeper.refresh() is False
    assert keeper.current() is before
    source.give(RING.withdrawn(KEY.kid, since=0), NOW + 100)
    assert keeper.refresh() is True
    assert keeper.current() is not before
    assert before.verify(TEXT, now=NOW)


def test_the_end_is_the_end_and_a_grace_is_noted():
    source = Given(grace=50)
    source.give(RING, NOW + 10)
    keeper = keeper_of(source)
    keeper.refresh()
    verifier = keeper.current()
    assert verifier.verify(TEXT, now=NOW + 9).notes == ()
    (note,) = verifier.verify(TEXT, now=NOW + 15).notes
    assert note.code == "key.ring_grace"
    assert "5 s ago" in note.what.en
    assert "5 秒" in note.what.zh
    with pytest.raises(CannotCheckError) as caught:
        keeper.current(now=NOW + 60)
    assert (caught.value.code, caught.value.late) == ("key.ring_expired", 50)
    with pytest.raises(CannotCheckError):
        verifier.verify(TEXT, now=NOW)  # it has been past its end, whatever the clock says now


def test_a_newer_ring_does_not_inherit_the_end_of_the_one_before():
    """A newer statement arrives while a thread finds that the older one has ended."""
    source = Given()
    source.give(RING, NOW + 10)
    source.refresh(NOW)
    newer = RING.withdrawn(KEY.kid, since=0)

    class Now(int):
        def __lt__(self, other):  # max() asks it, after the thread has read what is held
            if source._held.ring is RING:
                source._take(newer, NOW + 100, NOW)
            return int(self) < other

    with pytest.raises(CannotCheckError, match=r"key\.ring_expired"):
        source.ring(Now(NOW + 20))
    assert source.ring(NOW + 20) is newer


def test_a_ring_that_cannot_be_used_leaves_the_verifier():
    source = Given()
    source.give(RING, NOW + 100)
    keeper = keeper_of(source)
    keeper.refresh()
    source.give(KeyRing([KeyEntry(KEY.verifying_key, "A", use=Use.STATUS)]), NOW + 100)
    assert keeper.refresh() is False
    assert "these keys are for status lists" in keeper.problem.reason
    assert keeper.current().keys is RING
    source.give(RING, NOW + 100)
    keeper.refresh()
    assert keeper.problem is None


def test_an_old_ring_is_not_used_beyond_its_own_end_because_a_newer_one_cannot_be_used():
    source = Given(grace=5)
    keeper = keeper_of(source)
    for end in (NOW + 10, NOW + 20):  # the same ring, stated again
        source.give(RING, end)
        keeper.refresh()
    source.give(KeyRing([KeyEntry(KEY.verifying_key, "A", use=Use.STATUS)]), NOW + 1000)
    keeper.refresh()
    assert keeper.current(now=NOW + 19).keys is RING
    for now in (NOW + 20, NOW):  # once ended, whatever the clock says later
        with pytest.raises(CannotCheckError) as caught:
            keeper.current(now=now)
        assert (caught.value.code, caught.value.expired_at) == ("key.ring_expired", NOW + 20)
    assert "these keys are for status lists" in keeper.problem.reason


@pytest.mark.parametrize("error", [TypeError("such as a wrong argument"), OSError("no room"), RuntimeError("odd")])
@pytest.mark.parametrize("place", ["make", "source", "clock"])
def test_the_thread_outlives_every_error_and_says_it(error, place):
    source, now = Given(), [NOW]
    source.give(RING, NOW + 100)
    broken: list[str] = []

    def fail(where):
        if where in broken:
            raise error

    def make(ring):
        fail("make")
        return Verifier(ring)

    class Source(Given):
        def refresh(self, now):
            fail("source")
            return source.refresh(now)

        def ring(self, now):
            return source.ring(now)

    keeper = Keeper(Source(), make, every=1, clock=lambda: fail("clock") or now[0])
    keeper._every = 0.001
    with keeper:
        broken.append(place)
        newer = RING.withdrawn(KEY.kid, since=0)
        source.give(newer, NOW + 100)
        while keeper.problem is None:
            pass
        assert f"{type(error).__name__}: {error}" in keeper.problem.reason
        assert keeper.current(now=NOW).keys is RING
        broken.clear()
        while keeper.current(now=NOW).keys is not newer:
            pass
        while keeper.problem is not None:
            pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_verify_with_a_ring_that_nothing_refreshes():
    source = Given()
    source.give(RING, NOW + 100)
    reader, writer = os.pipe()
    with keeper_of(source) as keeper, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a process with threads is forked: this is what the test is about
        child = os.fork()
        if child == 0:
            said = b"a verifier"
            try:
                keeper.current()
            except CannotCheckError as error:
                said = error.reason.encode()
            finally:
                os.write(writer, said)
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 1000).startswith(b"the process was forked after the keeper had started")
        assert keeper.current().keys is RING
    os.close(reader)
    os.close(writer)


def test_requests_go_on_while_keys_rotate_and_fetch_nothing():
    """No request fails because keys rotate, none starts a fetch, and an unknown kid does not either."""
    rings = [RING, RING.with_entries(KeyEntry(P256SigningKey((8).to_bytes(32, "big")).verifying_key, "B"))]
    unknown = Issuer(P256SigningKey((9).to_bytes(32, "big")), clock=lambda: NOW).issue(bytes(16), "330100").text
    source, guard = Given(), MemoryReplayGuard(clock=lambda: NOW)
    source.give(rings[0], NOW + 100)
    keeper = Keeper(source, lambda ring: Verifier(ring, guard=guard), clock=lambda: NOW)
    keeper.refresh()
    issuer, failures, done = Issuer(KEY, clock=lambda: NOW), [], []
    texts = [issuer.issue(bytes(16), "330100").text for _ in range(200)]

    def serve(mine):
        for text in mine:
            try:
                keeper.current().redeem(text, now=NOW)
                done.append(text)
            except Exception as error:
                failures.append(error)
            assert keeper.current().verify_many([unknown], now=NOW).codes[0]

    threads = [threading.Thread(target=serve, args=(texts[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    rotations = 0
    while any(thread.is_alive() for thread in threads):
        rotations += 1
        source.give(rings[rotations % 2], NOW + 100)
        assert keeper.refresh() is True
    assert failures == []
    assert sorted(done) == sorted(texts)
    assert source.asked == rotations + 1


def test_it_refreshes_in_the_background_until_it_is_closed():
    source = Given()
    source.give(RING, NOW + 100)
    with Keeper(source, Verifier, every=1, clock=lambda: NOW) as keeper:
        assert keeper.current().keys is RING
        with pytest.raises(ValueError, match="started already"):
            keeper.start()
        newer = RING.withdrawn(KEY.kid, since=0)
        source.give(newer, NOW + 100)
        while keeper.current().keys is not newer:
            pass
    asked = source.asked
    keeper.close()
    assert source.asked == asked
    assert keeper.current().keys is newer


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="a RingSource"):
        Keeper(RING, Verifier)
    with pytest.raises(TypeError, match="a verifier of a ring"):
        Keeper(FixedRingSource(RING), None)
    with pytest.raises(ValueError, match="at least 1"):
        Keeper(FixedRingSource(RING), Verifier, every=0)
    with pytest.raises(TypeError, match="a RingSource"):
        RingPolicy(RING)
