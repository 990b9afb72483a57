"""The public converters of signatures, which are strict in both directions; and the digest e for devices."""

from __future__ import annotations

import base64
import pickle

import pytest

from ybtoken.errors import SignatureError
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.signatures import der_from_raw, fields_from_raw, raw_from_der, raw_from_fields, sm2_digest
from ybtoken.keys.sm2 import SM2SigningKey

NUMBERS = (1, 0x7F, 0x80, 0xFF, 2**248 - 1, 2**255 - 1, 2**255, 2**256 - 1)


@pytest.mark.parametrize("r", NUMBERS)
def test_each_signature_goes_there_and_back(r: int) -> None:
    for s in NUMBERS:
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        assert raw_from_der(der_from_raw(raw)) == raw
        assert raw_from_fields(fields_from_raw(raw)) == raw


@pytest.mark.parametrize("kind", [P256SigningKey, SM2SigningKey])
def test_a_signature_in_another_form_is_refused_with_a_hint_at_its_form(kind: type) -> None:
    key = kind.generate()
    raw = key.sign(b"m")
    der = der_from_raw(raw)
    for given, form, words in (
        (der, "der", f"has {len(der)} bytes and looks like DER; here it is r || s, 64 bytes. Compare"),
        (raw.hex().encode(), "text", "has 128 bytes and looks like text, hexadecimal or base64;"),
        (base64.encodebytes(raw), "text", "looks like text"),
        (base64.b64encode(der), "text", "looks like text"),
        (fields_from_raw(raw), "fields", "has 128 bytes and looks like a device's fields of 64 bytes;"),
        (raw + b"\4" + b"".join(key.verifying_key.point), "size", "has 129 bytes; here"),
        (raw[:-1], "size", "has 63 bytes; here"),
        (raw + raw[:1], "size", "has 65 bytes; here"),
        (b"", "size", "has 0 bytes; here"),
        (b"\x30", "size", "has 1 bytes; here"),
        (b"\x30" * 10_000, "size", "has 10000 bytes; here"),
    ):
        with pytest.raises(SignatureError) as refused:
            key.verifying_key.verify(b"m", given)
        error = refused.value
        assert (error.code, error.facts) == (
            "signature.invalid",
            {"kid": key.kid.hex(), "size": len(given), "form": form},
        )
        assert words in error.hint.en
        assert "ybtoken diagnose" in error.hint.en
        assert "ybtoken diagnose" in error.hint.zh
        assert error.to_dict()["hint"]["zh"].startswith(f"所给签名为 {len(given)} 字节")
        assert pickle.loads(pickle.dumps(error)).hint == error.hint
    for forged in (bytes([1]) * 64, raw[32:] + raw[:32]):  # what a token may have: nothing more is said
        with pytest.raises(SignatureError) as refused:
            key.verifying_key.verify(b"m", forged)
        assert refused.value.facts == {"kid": key.kid.hex()}
        assert refused.value.hint == refused.value.refusal.hint


def test_there_is_one_spelling_of_each() -> None:
    raw = bytes.fromhex("00" + "11" * 31 + "81" + "22" * 31)
    der, fields = der_from_raw(raw), fields_from_raw(raw)
    for bad in (
        b"",
        raw,
        der[:-1],
        der + b"\0",
        der[:3] + bytes((der[3] + 1,)) + b"\0" + der[4:],
        b"\x30\x06\x02\x01\xff\x02\x01\x01",
        b"\x30\x80" + der[2:] + b"\0\0",
    ):
        with pytest.raises(ValueError):
            raw_from_der(bad)
    for bad in (b"", raw, fields[:-1], b"\1" + fields[1:], fields[:64] + b"\1" + fields[65:]):
        with pytest.raises(ValueError):
            raw_from_fields(bad)
    for convert in (der_from_raw, fields_from_raw, raw_from_fields):
        with pytest.raises(ValueError, match=r"is (64|128) bytes, not 63"):
            convert(bytes(63))
    for convert in (der_from_raw, fields_from_raw, raw_from_fields, raw_from_der):
        with pytest.raises(TypeError):
            convert("00" * 64)


def test_e_is_what_a_device_signs() -> None:
    # GM/T 0003.5-2012 annex A
    point = bytes.fromhex(
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    e = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
    assert sm2_digest(point, b"message digest").hex() == e
    key = SM2SigningKey.generate(user_id=b"alice")
    digest = sm2_digest(key.verifying_key, b"m")
    assert key.verifying_key.verifies_digest(digest, key.sign(b"m"))
    assert digest == sm2_digest(b"\x04" + b"".join(key.verifying_key.point), b"m", user_id=b"alice")
    assert digest != sm2_digest(b"\x04" + b"".join(key.verifying_key.point), b"m")
    with pytest.raises(ValueError):
        sm2_digest(b"\x04" + b"".join(P256SigningKey.generate().verifying_key.point), b"m")
