from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from tests.support import NOW
from ybtoken import Algorithm, KeyEntry, KeyRing
from ybtoken.identity import BlockCipher, IdentitySealer, derive_person_number
from ybtoken.testing.keys import FakeKey

KEY = bytes(range(16))
NUMBER = 0x0123456789ABCDEF
DOCUMENT = "11010519491231002X"


def sealer(**options) -> IdentitySealer:
    return IdentitySealer(options.pop("key", KEY), **{"clock": lambda: NOW} | options)


@pytest.mark.parametrize("cipher", BlockCipher)
def test_a_reference_is_one_block_over_number_and_random(cipher):
    reference = sealer(cipher=cipher, random=lambda size: b"r" * size).seal(NUMBER)
    algorithm = algorithms.SM4(KEY) if cipher is BlockCipher.SM4 else algorithms.AES(KEY)
    decryptor = Cipher(algorithm, modes.ECB()).decryptor()
    assert decryptor.update(reference) + decryptor.finalize() == NUMBER.to_bytes(8, "big") + b"r" * 8


def test_sm4_is_sm4():
    # GB/T 32907 Annex A.1: the key and the plaintext are the same sixteen bytes.
    block = bytes.fromhex("0123456789abcdeffedcba9876543210")
    sealed = IdentitySealer(block, cipher=BlockCipher.SM4, random=lambda size: block[8:]).seal(NUMBER)
    assert sealed.hex() == "681edf34d206965e86b3e94f536e4246"


@given(st.integers(0, 2**64 - 1), st.sampled_from(BlockCipher))
def test_what_was_sealed_is_opened(number, cipher):
    reference = sealer(cipher=cipher).seal(number)
    assert len(reference) == 16
    assert sealer(cipher=cipher).open(reference, at=NOW) == number


def test_every_display_has_another_reference():
    references = {sealer().seal(NUMBER) for _ in range(1000)}
    assert len(references) == 1000
    assert len({reference[:8] for reference in references}) == 1000
    assert len({reference[8:] for reference in references}) == 1000


def test_another_key_opens_nothing():
    assert sealer(key=bytes(16)).open(sealer().seal(NUMBER), at=NOW) != NUMBER


@pytest.mark.parametrize("number", [-1, 2**64, 2**100])
def test_a_person_number_has_64_bits(number):
    with pytest.raises(ValueError, match="a person number is 0 to"):
        sealer().seal(number)


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_reference_has_16_bytes(size):
    with pytest.raises(ValueError, match="16 bytes"):
        sealer().open(bytes(size), at=NOW)


class TestRotation:
    KEYS = {100: b"a" * 16, 200: b"b" * 16, 0: b"0" * 16}

    @pytest.mark.parametrize(("at", "key"), [(0, "0"), (99, "0"), (100, "a"), (199, "a"), (200, "b"), (2**32, "b")])
    def test_the_time_of_issue_says_which_key(self, at, key):
        rotated, alone = sealer(key=self.KEYS), sealer(key=key.encode() * 16)
        assert alone.open(rotated.seal(NUMBER, at=at), at=at) == NUMBER
        assert rotated.open(alone.seal(NUMBER), at=at) == NUMBER

    def test_the_clock_says_it_where_no_time_is_given(self):
        rotated = sealer(key=self.KEYS, clock=lambda: 150.9)
        assert rotated.open(rotated.seal(NUMBER), at=199) == NUMBER
        assert rotated.open(rotated.seal(NUMBER), at=200) != NUMBER

    def test_before_the_first_key_there_is_none(self):
        late = sealer(key={100: KEY})
        with pytest.raises(ValueError, match="no sealing key was in force at 99"):
            late.seal(NUMBER, at=99)
        with pytest.raises(ValueError, match="no sealing key was in force at 99"):
            late.open(bytes(16), at=99)

    def test_there_is_one_key_at_least(self):
        with pytest.raises(ValueError, match="at least one key"):
            IdentitySealer({})


@pytest.mark.parametrize(("cipher", "size"), [(BlockCipher.SM4, 15), (BlockCipher.SM4, 32), (BlockCipher.AES, 20)])
def test_a_key_fits_its_cipher(cipher, size):
    with pytest.raises(ValueError):
        IdentitySealer(bytes(size), cipher=cipher)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_aes_takes_its_three_sizes(size):
    assert sealer(key=bytes(size)).open(sealer(key=bytes(size)).seal(NUMBER), at=NOW) == NUMBER


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_sealer_is_not_pickled_or_copied(copied):
    with pytest.raises(TypeError, match="not pickled or copied"):
        copied(sealer())


class TestPersonNumber:
    def test_it_stays_what_it_is(self):
        """Numbers are in registers: these may never change."""
        import hashlib
        import hmac

        message = b"ybtoken person number\0resident-id\x000\x0011010519491231002X"
        expected = hmac.new(KEY, message, hashlib.sha256).digest()[:8]
        assert derive_person_number(DOCUMENT, key=KEY) == int.from_bytes(expected, "big")

    @pytest.mark.parametrize(
        "written",
        [
            "11010519491231002x",
            " 110105 19491231 002X ",
            "１１０１０５１９４９１２３１００２Ｘ",
            "110105\u300019491231002X\n",
        ],
    )
    def test_how_it_is_written_does_not_matter(self, written):
        assert derive_person_number(written, key=KEY) == derive_person_number(DOCUMENT, key=KEY)

    def test_everything_else_does(self):
        variants = [
            {},
            {"key": bytes(16)},
            {"document_type": "passport"},
            {"attempt": 1},
            {"attempt": 2},
            {"sm2_only": True},
        ]
        numbers = {derive_person_number(DOCUMENT, **{"key": KEY} | variant) for variant in variants}
        numbers.add(derive_person_number("110105194912310038", key=KEY))
        assert len(numbers) == len(variants) + 1
        assert all(0 <= number < 2**64 for number in numbers)

    def test_fields_do_not_run_into_each_other(self):
        one = derive_person_number("1A", key=KEY, document_type="t", attempt=1)
        assert one != derive_person_number("A", key=KEY, document_type="t", attempt=11)
        assert one != derive_person_number("1A", key=KEY, document_type="t1", attempt=0)

    @pytest.mark.parametrize("size", [0, 15])
    def test_a_key_is_long_enough(self, size):
        with pytest.raises(ValueError, match="at least 16 bytes"):
            derive_person_number(DOCUMENT, key=bytes(size))

    @pytest.mark.parametrize("document", ["", "   ", "12-34", "12\0" + "34", "1/2"])
    def test_a_document_number_has_letters_and_digits(self, document):
        with pytest.raises(ValueError, match="letters and digits"):
            derive_person_number(document, key=KEY)

    @pytest.mark.parametrize(
        "wrong", ["110105194912310021", "11010519491231020X", "11010519491231002", "1101051949123100XX"]
    )
    def test_a_mistyped_resident_number_is_refused_and_other_documents_are_not_checked_so(self, wrong):
        with pytest.raises(ValueError, match="GB 11643") as caught:
            derive_person_number(wrong, key=KEY)
        assert wrong not in str(caught.value)
        assert "校验码" in caught.value.words.zh
        assert derive_person_number(wrong, key=KEY, document_type="passport") >= 0

    def test_every_check_character_is_known(self):
        """Against the definition: the sum of all 18 characters by their weights is 1 modulo 11, and X is 10."""
        for serial in range(200):
            digits = f"11010519491231{serial:03d}"
            good = [
                check
                for check in "0123456789X"
                if sum("0123456789X".index(c) * 2 ** (17 - i) for i, c in enumerate(digits + check)) % 11 == 1
            ]
            accepted = []
            for check in "0123456789X":
                try:
                    derive_person_number(digits + check, key=KEY)
                except ValueError:
                    continue
                accepted.append(check)
            assert accepted == good

    def test_an_error_does_not_repeat_the_number(self):
        with pytest.raises(ValueError) as caught:
            derive_person_number("110105-19491231", key=KEY)
        assert "19491231" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "cipher"),
    [
        (["SM2"], BlockCipher.SM4),
        (["SM2", "SM2"], BlockCipher.SM4),
        (["ES256"], BlockCipher.AES),
        (["SM2", "ES256"], BlockCipher.AES),
        ([], BlockCipher.AES),
    ],
)
def test_a_ring_of_sm2_keys_only_is_sealed_for_with_sm4(names, cipher):
    keys = [FakeKey(f"{number}", Algorithm[name]) for number, name in enumerate(names)]
    ring = KeyRing(KeyEntry(key, "issuer") for key in keys)
    assert ring.sm2_only is (cipher is BlockCipher.SM4)
    reference = IdentitySealer.for_ring(ring, bytes(16)).seal(42, at=0)
    assert IdentitySealer(bytes(16), cipher=cipher).open(reference, at=0) == 42


def test_a_national_person_number_is_by_hmac_sm3():
    mac = hmac.HMAC(bytes(16), hashes.SM3())
    mac.update(b"ybtoken person number\0resident-id\x000\x0011010519491231002X")
    number = derive_person_number("11010519491231002x", key=bytes(16), sm2_only=True)
    assert number.to_bytes(8, "big") == mac.finalize()[:8]
    assert number != derive_person_number("11010519491231002x", key=bytes(16))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: IdentitySealer("k" * 16), "a sealing key is bytes"),
        (lambda: sealer(cipher="AES"), "cipher is a BlockCipher, not str"),
        (lambda: sealer(clock=NOW), "clock is a function"),
        (lambda: sealer(random=b"r" * 8), "random is a function"),
        (lambda: IdentitySealer.for_ring([], KEY), "ring is a KeyRing, not list"),
        (lambda: sealer().seal("42"), "a person number is an integer, not str"),
        (lambda: sealer().seal(True), "a person number is an integer, not bool"),
        (lambda: sealer().open("0" * 16, at=NOW), "an identity reference is bytes, not str"),
        (lambda: derive_person_number(DOCUMENT, key="k" * 16), "key is a derivation key .bytes., not str"),
        (lambda: derive_person_number(11010519491231002, key=KEY), "document_number is a string, not int"),
        (lambda: derive_person_number(DOCUMENT, key=KEY, attempt=True), "attempt is an integer, not bool"),
    ],
)
def test_it_says_what_it_wants(make, wanted):
    with pytest.raises(TypeError, match=wanted):
        make()
