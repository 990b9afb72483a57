from __future__ import annotations

import hashlib
import json
import os
import threading

import pytest

from tests.status.test_list import KEY, READER, URI, a_list
from tests.status.test_list import RING as READER_RING
from tests.support import CITY, FAKE, HOLDER, NOW, fake_issuer, signed_text
from tests.support import RING as TOKENS
from ybtoken import KeyEntry, KeyRing, TokenError, Verifier
from ybtoken.errors import CannotCheckError
from ybtoken.keys.ring import Use
from ybtoken.passes.rotating import RotatingCodes
from ybtoken.status.list import Status, StatusList, StatusListReader, sign_status_list
from ybtoken.status.policy import StatusPolicy
from ybtoken.status.source import FileStatusSource, MemoryStatusSource, StatusAnswer, StatusSource
from ybtoken.testing.keys import FakeKey
from ybtoken.testing.statuses import check_status_source
from ybtoken.voucher import Profile
from ybtoken.wire.claims import encode_claims
from ybtoken.words import words_of


def signed(array: bytes = b"\xc9\x44\xf9", bits: int = 2, **changes) -> bytes:
    return sign_status_list(a_list(array, bits, **changes), KEY)


def loaded(data: bytes | None = None, **options) -> MemoryStatusSource:
    source = MemoryStatusSource(READER, **options)
    assert source.load(signed() if data is None else data, NOW)
    return source


def unavailable(act, *args) -> str:
    with pytest.raises(CannotCheckError) as caught:
        act(*args)
    assert caught.value.code == "status.unavailable"
    return caught.value.reason


OTHER_KEY = FakeKey("others")
OTHER_ENTRY = KeyEntry(OTHER_KEY, "others", use=Use.STATUS)


class Fixed:
    """A source that says what it is told to."""

    def __init__(self, status: int, overdue: int | None = None) -> None:
        self.answer = StatusAnswer(status, overdue)
        self.asked: list[tuple[int, int]] = []

    def status(self, index: int, now: int) -> StatusAnswer:
        self.asked.append((index, now))
        return self.answer


def test_the_source_in_memory_is_a_source():
    def make(reader, data):
        source = MemoryStatusSource(reader)
        source.load(data, 4_000_000_000)
        return source

    check_status_source(make)


def test_the_source_in_a_file_is_a_source(tmp_path):
    def make(reader, data):
        (tmp_path / "list").write_bytes(data)
        return FileStatusSource(tmp_path / "list", reader)

    check_status_source(make)


def test_a_source_that_says_valid_is_no_source():
    with pytest.raises(AssertionError):
        check_status_source(lambda reader, data: Fixed(0))


class TestMemory:
    def test_without_a_list_nothing_can_be_checked(self):
        source = MemoryStatusSource(READER)
        assert source.current is None
        assert unavailable(source.status, 0, NOW) == "there is no list yet"
        assert source.is_due(NOW)

    def test_a_newer_list_replaces_an_older_one_never_the_other_way_round(self):
        source = loaded()
        newer = signed(b"\0\0\0", issued_at=NOW + 1)
        assert source.load(newer, NOW + 5)
        assert source.status(0, NOW + 5).status == 0
        for older in (signed(), signed(b"\xff\xff\xff", issued_at=NOW + 1)):  # the same second is not newer
            assert not source.load(older, NOW + 5)
            assert source.status(0, NOW + 5).status == 0

    def test_what_is_held_stays_when_the_next_list_is_bad(self):
        source = loaded()
        assert "signature" in unavailable(source.load, signed(issued_at=NOW + 1)[:-1] + b"\0", NOW + 5)
        assert "signature" in source.problem.reason
        assert source.status(0, NOW + 5).status == 1
        assert source.load(signed(issued_at=NOW + 1), NOW + 5)
        assert source.problem is None

    def test_the_reason_for_having_no_list_is_told(self):
        source = MemoryStatusSource(READER)
        unavailable(source.load, b"", NOW)
        assert unavailable(source.status, 0, NOW) == "it is no signed status list"

    def test_a_list_past_its_end_says_nothing(self):
        source = loaded()
        assert source.status(0, NOW + 599) == (1, None)
        assert unavailable(source.status, 0, NOW + 600) == "the list is past its end"

    def test_a_grace_is_said_in_the_answer(self):
        source = loaded(grace=100)
        assert source.status(0, NOW + 599) == (1, None)
        assert source.status(0, NOW + 600) == (1, 0)
        assert source.status(0, NOW + 699) == (1, 99)
        assert unavailable(source.status, 0, NOW + 700) == "the list is past its end"
        with pytest.raises(ValueError, match="grace"):
            MemoryStatusSource(READER, grace=-1)

    def test_a_list_is_due_after_its_time_to_live(self):
        source = loaded()
        assert not source.is_due(NOW + 59)
        assert source.is_due(NOW + 60)
        short = loaded(signed(expires_at=NOW + 30))
        assert short.is_due(NOW + 30)
        assert not short.is_due(NOW + 29)

    def test_lists_that_are_loaded_at_once_leave_the_newest(self):
        source = MemoryStatusSource(READER)
        lists = [signed(issued_at=NOW + i, expires_at=NOW + 900) for i in range(8)]
        threads = [threading.Thread(target=source.load, args=(data, NOW + 9)) for data in lists]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert source.current.issued_at == NOW + 7
        assert "12 entries" in repr(source)


class TestFile:
    def write(self, path, data: bytes) -> None:
        (path.parent / "next").write_bytes(data)
        os.replace(path.parent / "next", path)

    def test_a_file_is_read_again_when_it_has_changed(self, tmp_path):
        path = tmp_path / "list"
        source = FileStatusSource(path, READER, every=5)
        assert "not readable" in unavailable(source.status, 0, NOW)
        self.write(path, signed())
        assert "not readable" in unavailable(source.status, 0, NOW + 4)  # it does not look yet
        assert source.status(0, NOW + 5).status == 1
        self.write(path, signed(b"\0\0\0", issued_at=NOW + 6))
        assert source.status(0, NOW + 9).status == 1
        assert source.status(0, NOW + 10).status == 0

    def test_a_clock_that_is_set_back_does_not_stop_it(self, tmp_path):
        self.write(tmp_path / "list", signed())
        source = FileStatusSource(tmp_path / "list", READER)
        assert source.status(0, NOW + 500).status == 1
        self.write(tmp_path / "list", signed(b"\0\0\0", issued_at=NOW + 1))
        assert source.status(0, NOW + 2).status == 0

    def test_a_file_that_is_half_written_or_gone_or_older_changes_nothing(self, tmp_path):
        path = tmp_path / "list"
        self.write(path, signed(issued_at=NOW + 1))
        source = FileStatusSource(path, READER, every=1)
        assert source.status(0, NOW + 2).status == 1
        for bad in (signed(issued_at=NOW + 2)[:-9], b"", signed(b"\0\0\0")):
            self.write(path, bad)
            source.refresh(NOW + 3)
            assert source.status(0, NOW + 3).status == 1
        path.unlink()
        source.refresh(NOW + 4)
        assert "not readable" in source.problem.reason
        assert source.status(0, NOW + 4).status == 1

    def test_a_bad_file_is_looked_at_again(self, tmp_path):
        """It may have been refused for this clock only: a list from the future."""
        path = tmp_path / "list"
        self.write(path, signed(issued_at=NOW + 60))
        source = FileStatusSource(path, READER, every=1)
        assert "future" in unavailable(source.status, 0, NOW)
        assert source.status(0, NOW + 60).status == 1


class TestPolicy:
    VOUCHER = fake_issuer().issue(HOLDER, CITY, status_index=9).text

    def verify(self, policy: StatusPolicy, text: str | None = None, **options):
        verifier = Verifier(TOKENS, policies=[policy], clock=lambda: NOW, **options)
        return verifier.verify(text or self.VOUCHER)

    @pytest.mark.parametrize(
        ("status", "code"),
        [(Status.SUSPENDED, "status.suspended"), (Status.INVALID, "status.invalid"), (3, "status.invalid"),
         (255, "status.invalid")],
    )  # fmt: skip
    def test_what_is_not_valid_is_refused(self, status, code):
        with pytest.raises(TokenError) as caught:
            self.verify(StatusPolicy(Fixed(status)))
        assert caught.value.code == code
        assert caught.value.status_index == 9

    def test_what_is_valid_is_accepted_and_asked_at_the_time_of_the_verdict(self):
        source = Fixed(0)
        assert self.verify(StatusPolicy(source)).notes == ()
        assert source.asked == [(9, NOW)]

    def test_a_grace_stands_in_the_verdict(self):
        for overdue in (0, 90):
            (note,) = self.verify(StatusPolicy(Fixed(0, overdue))).notes
            assert note.code == "status.grace"
            assert f"{overdue} s ago" in note.what.en
            assert f"{overdue} 秒" in note.what.zh

    def test_a_suspension_is_a_suspension_also_in_the_grace(self):
        with pytest.raises(TokenError, match=r"status\.suspended"):
            self.verify(StatusPolicy(Fixed(Status.SUSPENDED, 5)))

    def test_a_voucher_without_an_index_is_not_asked_for_and_a_pass_is_refused(self):
        plain = fake_issuer().issue(HOLDER, CITY).text
        source = Fixed(Status.INVALID)
        assert self.verify(StatusPolicy(source), plain)
        codes = RotatingCodes(bytes(32))
        issued = fake_issuer().issue_rotating_pass(HOLDER, CITY)
        text = codes.enrol(issued).present(now=NOW)
        with pytest.raises(CannotCheckError, match="status"):
            self.verify(StatusPolicy(source), text, otp=codes)
        assert self.verify(StatusPolicy(source, accept_unlisted=True), text, otp=codes)
        assert not source.asked

    def test_each_key_has_its_own_list(self):
        valid, invalid = Fixed(0), Fixed(1)
        assert self.verify(StatusPolicy({FAKE.kid: valid, b"another.": invalid}))
        with pytest.raises(CannotCheckError) as caught:
            self.verify(StatusPolicy({b"another.": valid}))
        assert "no status list for the issuer's key" in caught.value.reason

    def test_it_works_over_batches_and_within_any_of(self):
        from ybtoken.policy import AnyOf, Channel

        source = loaded(signed(bytes([0, 0, 0b1000])))
        verifier = Verifier(TOKENS, policies=[StatusPolicy(source)], clock=lambda: NOW)
        verdicts = verifier.verify_many([self.VOUCHER, fake_issuer().issue(HOLDER, CITY, status_index=0).text])
        assert verdicts.counts() == {"status.suspended": 1}
        assert verdicts.accepted == 1
        late = AnyOf([Channel(7), StatusPolicy(Fixed(0, 7))])
        assert self.verify(late).notes[0].code == "status.grace"

    def test_protocols_are_met(self):
        from ybtoken.policy import Policy

        assert isinstance(StatusPolicy(Fixed(0)), Policy)
        assert isinstance(Fixed(0), StatusSource)


def test_a_pass_dressed_as_another_is_refused_before_its_status_is_asked():
    source = Fixed(0)
    payload = encode_claims(fake_issuer().issue_rotating_pass(HOLDER, CITY, status_index=1).voucher)
    verifier = Verifier(TOKENS, policies=[StatusPolicy(source)], otp=RotatingCodes(bytes(32)), clock=lambda: NOW)
    for profile in Profile:
        with pytest.raises(TokenError):
            verifier.verify(signed_text(payload, profile=profile))
    assert not source.asked


def test_sources_of_other_kinds_are_type_errors(tmp_path):
    for bad in (None, KEY, StatusListReader):
        with pytest.raises(TypeError, match=r"^reader is a StatusListReader, not "):
            MemoryStatusSource(bad)
    for bad in (0.5, True):
        with pytest.raises(TypeError, match=r"^grace is a number of whole seconds"):
            MemoryStatusSource(READER, grace=bad)
        with pytest.raises(TypeError, match=r"^every is a number of whole seconds"):
            FileStatusSource(tmp_path / "list", READER, every=bad)
    with pytest.raises(ValueError, match="every is at least 0"):
        FileStatusSource(tmp_path / "list", READER, every=-1)


def test_a_policy_asks_sources_and_nothing_else():
    for bad in (None, READER, Fixed, [Fixed(0)]):
        with pytest.raises(TypeError, match=r"^sources is a StatusSource, or a mapping of kids to sources, not "):
            StatusPolicy(bad)
    with pytest.raises(TypeError, match=f"^the source of {FAKE.kid.hex()} is a StatusSource, not "):
        StatusPolicy({FAKE.kid: Fixed})
    with pytest.raises(TypeError, match=r"^a kid is bytes, not str"):
        StatusPolicy({FAKE.kid.hex(): Fixed(0)})
    with pytest.raises(ValueError, match=r"^a kid is 8 bytes, not 7"):
        StatusPolicy({b"seven..": Fixed(0)})


class TestState:
    """The newest list that was seen is remembered over a restart."""

    OLD = signed(issued_at=NOW - 60)

    def source(self, tmp_path, reader=READER):
        return MemoryStatusSource(reader, state=tmp_path / "status.state")

    def test_a_list_is_there_after_a_restart_and_an_older_one_is_not_taken(self, tmp_path):
        assert self.source(tmp_path).load(self.OLD, NOW) is True
        assert self.source(tmp_path).load(signed(), NOW) is True
        restarted = self.source(tmp_path)
        assert restarted.current.issued_at == NOW
        assert restarted.status(1, NOW) == loaded().status(1, NOW)
        assert restarted.load(self.OLD, NOW) is False
        assert restarted.load(signed(), NOW) is False
        assert restarted.current.issued_at == NOW

    def test_two_processes_share_what_they_saw(self, tmp_path):
        one, two = self.source(tmp_path), self.source(tmp_path)
        assert one.load(signed(), NOW) is True
        assert two.load(self.OLD, NOW) is False
        assert two.current.issued_at == NOW

    def test_two_lists_do_not_share_a_state_and_the_first_stays_remembered(self, tmp_path):
        self.source(tmp_path).load(signed(), NOW)
        address = "https://other.example/1"
        other = self.source(tmp_path, StatusListReader(READER_RING, address))
        assert other.current is None
        theirs = sign_status_list(StatusList(address, 2, b"\0", issued_at=NOW, expires_at=NOW + 600, ttl=60), KEY)
        reason = unavailable(other.load, theirs, NOW)
        assert f"is of another list, at {URI}" in reason
        assert f"属于另一个列表（{URI}）" in words_of(reason).zh
        assert other.current is None
        assert self.source(tmp_path).load(self.OLD, NOW) is False

    def test_a_list_whose_key_has_left_the_ring_is_not_used_and_still_the_newest(self, tmp_path):
        self.source(tmp_path).load(signed(), NOW)
        restarted = self.source(tmp_path, StatusListReader(KeyRing([OTHER_ENTRY]), URI))
        assert restarted.current is None
        older = sign_status_list(a_list(b"\x00", 2, issued_at=NOW - 60), OTHER_KEY)
        assert restarted.load(older, NOW) is False
        assert "there is no list" in unavailable(restarted.status, 0, NOW)

    def test_damaged_state_is_said(self, tmp_path):
        self.source(tmp_path).load(signed(), NOW)
        path = tmp_path / "status.state"
        path.write_bytes(path.read_bytes()[:-5])
        restarted = self.source(tmp_path)
        assert "已损坏" in words_of(unavailable(restarted.status, 0, NOW)).zh
        assert "is damaged" in unavailable(restarted.load, signed(), NOW)

    @pytest.mark.parametrize(
        "content",
        [
            b"", b"{", b"\xff", b"[]", b"null", b"5", b'"x"', b"[" * 100_000, b"9" * 5000, b"{}",
            {"uri": 5}, {"uri": None}, {"issued_at": None}, {"issued_at": "5"}, {"issued_at": True}, {"issued_at": 5.0},
            {"issued_at": NOW + 1}, {"list": None}, {"list": 5}, {"list": "x"}, {"list": "\u00e9"}, {"list": "AA=*"},
        ],
    )  # fmt: skip
    def test_other_content_under_a_right_hash_is_damaged_state(self, tmp_path, content):
        self.source(tmp_path).load(signed(), NOW)
        path = tmp_path / "status.state"
        if isinstance(content, dict):
            content = json.dumps(json.loads(path.read_bytes().partition(b"\n")[2]) | content).encode()
        path.write_bytes(f"sha256 {hashlib.sha256(content).hexdigest()}\n".encode() + content)
        before = path.read_bytes()
        restarted = self.source(tmp_path)
        assert "is damaged" in unavailable(restarted.status, 0, NOW)
        assert "is damaged" in unavailable(restarted.load, signed(), NOW)
        assert path.read_bytes() == before

    def test_a_list_that_cannot_be_remembered_is_not_used(self, tmp_path):
        source = self.source(tmp_path / "there")
        (tmp_path / "there").write_text("a file, where the folder should be")
        reason = unavailable(source.load, signed(), NOW)
        assert "cannot be read or written" in reason
        assert "无法读写状态文件" in words_of(reason).zh
        assert source.current is None


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "list").open("wb") as file:
        file.truncate(1 << 28)
    source = FileStatusSource(tmp_path / "list", READER)
    assert unavailable(source.status, 0, NOW) == "the file has 268435456 bytes"
