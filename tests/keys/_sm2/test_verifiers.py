"""One suite over both SM2 verifiers: what one accepts the other accepts, and both are right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.keys._sm2.sm2_cases import Case, DigestCase, digest_cases, message_cases, needs_vectors, sm3_cases
from tests.support import check_each
from ybtoken.algorithms import DEFAULT_USER_ID
from ybtoken.keys._sm2 import tables as _sm2_tables
from ybtoken.keys._sm2.curve import G, N, P, check_point, message_hash
from ybtoken.keys._sm2.evp import EvpPrivateKey, EvpPublicKey, load
from ybtoken.keys._sm2.tables import TableKey, signed_digest


class Once(TableKey):
    """Verifies without a table."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        return self.verify_once(message, signature)

    def verify_digest(self, digest: bytes, signature: bytes, *, once: bool = True) -> bool:
        found = super().verify_digest(digest, signature, once=once)
        assert self._table is None
        return found


class Verifier(Protocol):
    def verify(self, message: bytes, signature: bytes) -> bool: ...
    def verify_digest(self, digest: bytes, signature: bytes) -> bool: ...


VERIFIERS: dict[str, Callable[[bytes, bytes], Verifier]] = {
    "libcrypto": lambda point, user_id: EvpPublicKey(load(), point, user_id),
    "tables": TableKey,
    "once": Once,
}
both = pytest.mark.parametrize("make", VERIFIERS.values(), ids=VERIFIERS)
G_POINT = b"\x04" + G[0].to_bytes(32, "big") + G[1].to_bytes(32, "big")
MINUS_G_POINT = b"\x04" + G[0].to_bytes(32, "big") + (P - G[1]).to_bytes(32, "big")


@needs_vectors
def test_vector_files_are_read_whole() -> None:
    assert len(message_cases()) == 5 + 54 + 6 + 21
    assert len(digest_cases()) == 2 + 1 + 574
    assert len(sm3_cases()) == 139 + 6 + 8 + 3


@needs_vectors
@both
def test_message_vector(make: Callable[[bytes, bytes], Verifier]) -> None:
    def check(case: Case) -> None:
        assert make(case.point, case.user_id).verify(case.message, case.signature) is case.valid

    check_each({f"{number} {case.name}": case for number, case in enumerate(message_cases())}, check)


def is_usable(case: DigestCase) -> bool:
    """Whether the key loads: of the keys named bad all but -Q, a good point under which the signature is not."""
    return not case.name.startswith("sm2_badkey") or case.name.endswith("neg")


def usable_digest_cases() -> list[DigestCase]:
    return [case for case in digest_cases() if is_usable(case)]


@needs_vectors
@both
def test_digest_vectors(make: Callable[[bytes, bytes], Verifier]) -> None:
    keys: dict[bytes, Verifier] = {}
    for case in usable_digest_cases():
        key = keys.setdefault(case.point, keys.get(case.point) or make(case.point, DEFAULT_USER_ID))
        assert key.verify_digest(case.digest, case.signature) is case.valid, case.name


@needs_vectors
@both
def test_bad_public_keys_are_refused_at_load(make: Callable[[bytes, bytes], Verifier]) -> None:
    bad = [case for case in digest_cases() if not is_usable(case)]
    assert len(bad) == 8
    for case in bad:
        with pytest.raises(ValueError, match="SM2"):
            make(case.point, DEFAULT_USER_ID)


@needs_vectors
def test_sm3_vectors() -> None:
    for message, digest in sm3_cases():
        state = hashes.Hash(hashes.SM3())
        state.update(message)
        assert state.finalize() == digest


SCALARS = st.sampled_from([0, 1, 2, 255, 256, N - 2, N - 1, N, N + 1, P, 2**256 - 1]) | st.integers(0, 2**256 - 1)


class TestAgreement:
    """Verdicts are identical, whatever comes in."""

    key = EvpPrivateKey.generate(load(), DEFAULT_USER_ID)
    verifiers = (EvpPublicKey(load(), key.point, DEFAULT_USER_ID), TableKey(key.point, DEFAULT_USER_ID))

    def verdict(self, message: bytes, signature: bytes) -> bool:
        first, second = (verifier.verify(message, signature) for verifier in self.verifiers)
        assert first is second
        return first

    @given(st.binary(max_size=300))
    def test_signatures_are_accepted(self, message: bytes) -> None:
        assert self.verdict(message, self.key.sign(message))

    @given(st.binary(max_size=40), st.binary(max_size=140))
    def test_garbage_is_refused(self, message: bytes, signature: bytes) -> None:
        assert not self.verdict(message, signature)

    @given(SCALARS, SCALARS)
    def test_chosen_scalars_are_refused(self, r: int, s: int) -> None:
        assert not self.verdict(b"message", r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def test_every_flipped_bit_is_refused(self) -> None:
        message = b"message"
        signature = self.key.sign(message)
        for bit in range(512):
            flipped = (int.from_bytes(signature, "big") ^ (1 << bit)).to_bytes(64, "big")
            assert not self.verdict(message, flipped)

    def test_aliases_of_a_signature_are_refused(self) -> None:
        signature = self.key.sign(b"message")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        for alias in ((r, N - s), (N - r, s), (s, r)):
            assert not self.verdict(b"message", b"".join(number.to_bytes(32, "big") for number in alias))
        assert not self.verdict(b"message", signature + b"\0")
        assert not self.verdict(b"message", signature[:-1])


class TestSumsThatTheFastFormulasCannotTake:
    """Keys G and -G, whose summands meet those of the base point: the sum is taken again, with every case."""

    @staticmethod
    def signature_of(d: int, s: int, t: int) -> tuple[bytes, bytes]:
        """A digest and the signature that leads the verifier to exactly the scalars `s` and `t`."""
        r = (t - s) % N
        multiple = (s + t * d) % N
        x = 0
        for bit in range(256):  # x of multiple * G, by the careful formulas
            if bit == 0:
                total, step = None, G
            if multiple >> bit & 1:
                total = _sm2_tables._add(total, step)
            step = _sm2_tables._double(step)
        x = total[0] if total else 0
        return ((r - x) % N).to_bytes(32, "big"), r.to_bytes(32, "big") + s.to_bytes(32, "big")

    @settings(max_examples=20, deadline=None)
    @given(st.integers(1, N - 1), st.integers(0, 31), st.integers(0, 255), st.booleans())
    def test_equal_and_opposite_summands(self, s: int, position: int, value: int, negative: bool) -> None:
        octets = bytearray(s.to_bytes(32, "big"))
        octets[position] = value
        t = int.from_bytes(octets, "big") % N  # differs from s in one byte: every other summand is met
        if t in (0, s):
            return
        point, d = (MINUS_G_POINT, N - 1) if negative else (G_POINT, 1)
        digest, signature = self.signature_of(d, s, t)
        assert TableKey(point, DEFAULT_USER_ID).verify_digest(digest, signature)

    def test_the_careful_sum_is_what_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []
        careful = _sm2_tables._careful_sum
        monkeypatch.setattr(_sm2_tables, "_careful_sum", lambda points: asked.append(1) or careful(points))
        digest, signature = self.signature_of(1, 0x0102, 0x0202)
        assert TableKey(G_POINT, DEFAULT_USER_ID).verify_digest(digest, signature)
        assert asked == [1]

    def test_a_sum_at_infinity_is_refused(self) -> None:
        s = 12345
        digest, signature = self.signature_of(1, s, N - s)
        assert not TableKey(G_POINT, DEFAULT_USER_ID).verify_digest(digest, signature)


def test_the_digest_that_a_signature_signs_is_the_one_it_is_good_for() -> None:
    key = EvpPrivateKey.generate(load(), DEFAULT_USER_ID)
    public = EvpPublicKey(load(), key.point, DEFAULT_USER_ID)
    for signature in (key.sign(b"message"), bytes(31) + b"\1" * 33):
        digest = signed_digest(key.point, signature)
        assert digest is not None
        assert public.verify_digest(digest.to_bytes(32, "big"), signature)
    digest, signature = TestSumsThatTheFastFormulasCannotTake.signature_of(1, 0x0102, 0x0202)
    assert signed_digest(G_POINT, signature) == int.from_bytes(digest, "big")
    r, s = signature[:32], signature[32:]
    _, at_infinity = TestSumsThatTheFastFormulasCannotTake.signature_of(1, 12345, N - 12345)
    order = N.to_bytes(32, "big")
    no_t = r + (N - int.from_bytes(r, "big")).to_bytes(32, "big")
    for bad in (b"", signature[1:], bytes(32) + s, r + bytes(32), order + s, r + order, no_t, at_infinity):
        assert signed_digest(G_POINT, bad) is None


def test_za_is_the_standards() -> None:
    # GM/T 0003.5-2012 annex A: ZA and e of "message digest".
    point = bytes.fromhex(
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    state = message_hash(point, DEFAULT_USER_ID)
    state.update(b"message digest")
    assert state.finalize().hex() == "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"


@both
@pytest.mark.parametrize("user_id", [b"", b"x" * 8192])
def test_user_ids_that_za_cannot_hold_are_refused(make: Callable[[bytes, bytes], Verifier], user_id: bytes) -> None:
    with pytest.raises(ValueError, match="user id"):
        make(G_POINT, user_id)


def test_the_longest_user_id_is_the_same_to_both() -> None:
    user_id = hashlib.sha256(b"x").digest() * 255 + b"x" * 31
    key = EvpPrivateKey.generate(load(), user_id)
    signature = key.sign(b"message")
    assert all(make(key.point, user_id).verify(b"message", signature) for make in VERIFIERS.values())


def test_points_of_other_forms_are_refused() -> None:
    for point in (b"", G_POINT[1:], b"\x02" + G_POINT[1:33], G_POINT + b"\0", b"\x04" + bytes(64)):
        with pytest.raises(ValueError, match="SM2"):
            check_point(point)


@pytest.mark.parametrize(
    "scalar", [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, N // 2, N - 1, N - 2, N - 3, N - 6, N - 15, N - 32]
)
def test_multiples_at_the_edges_are_those_of_careful_additions(scalar: int) -> None:
    """N - 6 ends with an addition of two equal points, which the fast formulas cannot do."""
    assert _sm2_tables._multiple(G, scalar) == _sm2_tables._careful_multiple(G, scalar)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, N - 1))
def test_any_multiple_is_that_of_the_table(scalar: int) -> None:
    known = _sm2_tables._pick(_sm2_tables._base_table(), scalar.to_bytes(32, "big"))
    assert _sm2_tables._multiple(G, scalar) == _sm2_tables._careful_sum(known)
