from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ybtoken import CannotCheckError, Issuer, KeyEntry, KeyRing, TokenError, Verifier
from ybtoken._state import State
from ybtoken.keys.keyset import dump_cose_keyset, dump_jwks
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.trust.file import FileRingSource
from ybtoken.trust.source import RingSource

NOW = 1_800_000_000
KEY, OTHER = P256SigningKey((7).to_bytes(32, "big")), P256SigningKey((8).to_bytes(32, "big"))
FIRST = KeyRing([KeyEntry(KEY.verifying_key, "A")], version=1)
WITHDRAWN = FIRST.withdrawn(KEY.kid, since=NOW - 60)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ring.jwks"
    put(path, FIRST)
    return path


def put(path, ring):
    draft = path.with_suffix(".new")
    draft.write_bytes(ring if isinstance(ring, bytes) else dump_jwks(ring).encode())
    draft.replace(path)


def refused(source, words):
    held = source.ring(NOW)
    assert source.refresh(NOW) is False
    assert words in source.problem.reason
    assert source.ring(NOW) is held


def test_a_new_ring_is_taken_and_the_same_is_not_read_again(file):
    source = FileRingSource(file, state=None)
    assert isinstance(source, RingSource)
    with pytest.raises(CannotCheckError) as caught:
        source.ring(NOW)
    assert caught.value.code == "key.ring_unavailable"
    assert source.refresh(NOW) is True
    held = source.ring(NOW)
    os.utime(file)
    assert source.refresh(NOW) is source.refresh(NOW) is False
    assert source.ring(NOW) is held
    put(file, WITHDRAWN)
    assert source.refresh(NOW) is True
    assert source.ring(NOW).version == 2
    assert source.overdue(NOW) is source.expires_at is None


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize(
    ("old", "words"),
    [
        (FIRST, "the ring has version 1, and version 2 was used before"),
        (KeyRing(FIRST.entries), "the ring has no version, and version 2 was used before"),
        (KeyRing(FIRST.entries, version=2), "two rings have version 2"),
        (dump_cose_keyset(FIRST), "the ring has no version"),
    ],
    ids=["as it was", "without its version", "with the new version", "as a COSE_KeySet"],
)
def test_the_ring_from_before_a_withdrawal_does_not_come_back(file, tmp_path, old, words, restarted):
    text = Issuer(KEY, clock=lambda: NOW).issue(bytes(16), "330100").text
    source = FileRingSource(file, state=tmp_path / "state")
    source.refresh(NOW)
    Verifier(source.ring(NOW)).verify(text, now=NOW)
    put(file, WITHDRAWN)
    source.refresh(NOW)
    if restarted:
        source = FileRingSource(file, state=tmp_path / "state")
        source.refresh(NOW)
    put(file, old)
    refused(source, words)
    with pytest.raises(TokenError, match=r"scope\.withdrawn"):
        Verifier(source.ring(NOW)).verify(text, now=NOW)


def test_a_restart_with_the_old_ring_has_no_ring(file, tmp_path):
    FileRingSource(file, state=tmp_path / "state").refresh(NOW)
    put(file, WITHDRAWN)
    FileRingSource(file, state=tmp_path / "state").refresh(NOW)
    put(file, FIRST)
    source = FileRingSource(file, state=tmp_path / "state")
    assert source.refresh(NOW) is False
    with pytest.raises(CannotCheckError) as caught:
        source.ring(NOW)
    assert "version 2 was used before" in caught.value.reason


def test_without_versions_a_withdrawal_stays(file, tmp_path):
    entries = [KeyEntry(KEY.verifying_key, "A"), KeyEntry(OTHER.verifying_key, "B")]
    put(file, KeyRing(entries))
    source = FileRingSource(file, state=tmp_path / "state")
    source.refresh(NOW)
    put(file, KeyRing([entries[0].withdrawn(since=NOW), entries[1]]))
    assert source.refresh(NOW) is True
    for later in (KeyRing(entries), KeyRing([entries[0].withdrawn(since=NOW + 1), entries[1]])):
        put(file, later)
        refused(source, f"bring the key {KEY.kid.hex()} back")
    put(file, KeyRing([entries[0].withdrawn(since=NOW - 1), entries[1]]))
    assert source.refresh(NOW) is True
    put(file, KeyRing(entries[1:]))  # taken out altogether
    assert source.refresh(NOW) is True
    put(file, KeyRing(entries))
    refused(source, "back")
    put(file, KeyRing([entries[0].withdrawn(since=NOW - 1), entries[1]]))
    refused(source, "back, which was removed")
    put(file, KeyRing([entries[0].withdrawn(since=NOW - 1), entries[1]], version=1))
    refused(source, "back, which was removed")


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_removed_key_does_not_come_back_with_an_old_file(file, tmp_path, restarted):
    entries = [KeyEntry(KEY.verifying_key, "A"), KeyEntry(OTHER.verifying_key, "B")]
    source = FileRingSource(file, state=tmp_path / "state")
    for ring in (KeyRing(entries), KeyRing(entries[1:])):
        put(file, ring)
        assert source.refresh(NOW) is True
    if restarted:
        source = FileRingSource(file, state=tmp_path / "state")
        source.refresh(NOW)
    for old in (KeyRing(entries), KeyRing(entries[:1]), KeyRing(entries, version=1)):
        put(file, old)
        refused(source, f"bring the key {KEY.kid.hex()} back, which was removed")
    for ring in (KeyRing(entries[1:], version=1), KeyRing(entries, version=2)):
        put(file, ring)
        assert source.refresh(NOW) is True


def test_the_first_version_does_not_take_a_withdrawal_back(file, tmp_path):
    source = FileRingSource(file, state=tmp_path / "state")
    put(file, KeyRing(WITHDRAWN.entries))
    source.refresh(NOW)
    put(file, FIRST)
    refused(source, f"bring the key {KEY.kid.hex()} back, which is withdrawn since {NOW - 60}")
    put(file, KeyRing(WITHDRAWN.entries, version=1))
    assert source.refresh(NOW) is True


def test_a_withdrawal_outlives_the_keys_removal(file, tmp_path):
    entries = [KeyEntry(KEY.verifying_key, "A"), KeyEntry(OTHER.verifying_key, "B")]
    source = FileRingSource(file, state=tmp_path / "state")
    for ring in (
        KeyRing([entries[0].withdrawn(since=NOW), entries[1]], version=1),
        KeyRing(entries[1:], version=2),
        KeyRing(entries[1:], version=3),
    ):
        put(file, ring)
        assert source.refresh(NOW) is True
    put(file, KeyRing(entries, version=4))
    refused(source, "back, which is withdrawn since")
    put(file, KeyRing([entries[0].withdrawn(since=NOW), entries[1]], version=4))
    assert source.refresh(NOW) is True
    put(file, KeyRing(entries, version=5))
    assert source.refresh(NOW) is True


def test_a_later_version_may_correct_a_withdrawal(file, tmp_path):
    source = FileRingSource(file, state=tmp_path / "state")
    put(file, WITHDRAWN)
    source.refresh(NOW)
    put(file, KeyRing(FIRST.entries, version=3))
    assert source.refresh(NOW) is True


@pytest.mark.parametrize("bad", [b"", b'{"keys": [', b"\x80\x80", b'{"keys": [], "exp": 1}', b"[" * 5000])
def test_a_file_that_is_no_ring_leaves_what_is_held(file, bad):
    source = FileRingSource(file, state=None)
    source.refresh(NOW)
    put(file, bad)
    refused(source, "no key ring")
    put(file, FIRST)
    assert source.refresh(NOW) is False
    assert source.problem is None


def test_a_file_that_is_gone_leaves_what_is_held(file, tmp_path):
    source = FileRingSource(file, state=None)
    source.refresh(NOW)
    file.unlink()
    refused(source, "cannot be read or written: No such file")


def test_a_byte_order_mark_is_no_obstacle(file):
    put(file, b"\xef\xbb\xbf" + dump_jwks(FIRST).encode())
    assert FileRingSource(file, state=None).refresh(NOW) is True


def test_a_ring_that_cannot_be_remembered_is_not_used(file, tmp_path):
    state = tmp_path / "state"
    state.mkdir()  # where the file should be
    source = FileRingSource(file, state=state)
    assert source.refresh(NOW) is False
    assert "cannot be read or written" in source.problem.reason


def test_damaged_state_is_said(file, tmp_path):
    state = tmp_path / "state"
    FileRingSource(file, state=state).refresh(NOW)
    state.write_bytes(state.read_bytes()[:-3])
    source = FileRingSource(file, state=state)
    assert source.refresh(NOW) is False
    assert "is damaged" in source.problem.reason
    assert "已损坏" in source.problem.hint.zh


@pytest.mark.parametrize("odd", [{}, [], 5, {"version": 1}, {"version": 1, "digest": "", "withdrawn": []}])
def test_a_state_file_of_something_else_is_said(file, tmp_path, odd):
    State(tmp_path / "state").write(odd)
    source = FileRingSource(file, state=tmp_path / "state")
    assert source.refresh(NOW) is False
    assert "delete it to begin anew" in source.problem.reason


@pytest.mark.parametrize(
    "odd",
    [
        *({"keys": keys} for keys in ([[]], [5], {})),
        *({"removed": removed} for removed in ([{}], None)),
        *({"withdrawn": {"aa": since}} for since in ("1", True)),
        *({"version": version} for version in ("1", True)),
        {"digest": None},
        {"more": 1},
    ],
)
def test_a_changed_item_under_a_right_digest_is_said(file, tmp_path, odd):
    FileRingSource(file, state=tmp_path / "state").refresh(NOW)
    State(tmp_path / "state").write((State(tmp_path / "state").read() or {}) | odd)
    source = FileRingSource(file, state=tmp_path / "state")
    assert source.refresh(NOW) is False
    assert "delete it to begin anew" in source.problem.reason


def test_processes_that_share_the_state_take_turns(file, tmp_path):
    code = (
        "import sys; from ybtoken.trust.file import FileRingSource\n"
        "source = FileRingSource(sys.argv[1], state=sys.argv[2])\n"
        "print(source.refresh(0), source.problem and source.problem.reason)"
    )
    other = tmp_path / "other.jwks"
    put(other, WITHDRAWN)
    for path, said in ((file, "True None"), (other, "True None"), (file, "False the ring has version 1")):
        arguments = [sys.executable, "-c", code, path, tmp_path / "state"]
        out = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout
        assert out.startswith(said)
