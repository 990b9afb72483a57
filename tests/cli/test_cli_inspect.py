from __future__ import annotations

import json
import re
from pathlib import Path

import cbor2
import pytest

from ybtoken.cli.diagnostic import diagnose
from ybtoken.cli.layers import layers
from ybtoken.wire.envelope import encode_envelope, encode_header
from ybtoken.wire.text import decode_text, encode_text

_VECTORS = Path(__file__).parents[2] / "vectors"
CASES = {
    case["id"]: case
    for family in ("claims", "device", "downgrade", "order")
    for case in json.loads((_VECTORS / f"{family}.json").read_text(encoding="ascii"))["cases"]
    if "text" in case
}


def evaluate(notation: str) -> object:
    """The value of diagnostic notation, as far as the command line uses it."""
    plain = re.sub(r"/[^/]*/", "", notation)
    plain = re.sub(r"h'([0-9a-f]*)'", r"bytes.fromhex('\1')", plain)
    plain = plain.replace("18(", "cbor2.CBORTag(18, ").replace("<<", "cbor2.dumps(").replace(">>", ")")
    return eval(plain, {"cbor2": cbor2, "true": True, "false": False})


@pytest.mark.parametrize(
    "extras", [{}, {"purpose": "01301"}, {"channel": 1, "presenter": b"p" * 16, "assurance": 3, "status_index": 9}]
)
def test_the_notation_says_the_very_bytes(office, extras):
    profile, data = decode_text(office.text(**extras))
    assert cbor2.dumps(evaluate(diagnose(profile, data))) == data


@pytest.mark.parametrize("id_", ["device/accept", "device/accept-challenge", "device/sm2-accept", "device/accept-long"])
def test_the_notation_of_a_presentation_says_the_very_bytes(id_):
    profile, data = decode_text(CASES[id_]["text"])
    notation = diagnose(profile, data)
    assert cbor2.dumps(evaluate(notation)) == data
    device_key = CASES[id_]["expect"]["claims"]["device_key"]
    assert f"/ x / -2: h'{device_key['x']}'" in notation


@pytest.mark.parametrize("algorithm", [-7, -9, -65537])
def test_what_departs_from_the_claims_shape_stays_a_byte_string(algorithm):
    data = encode_envelope(encode_header(algorithm, b"kid-8-by"), bytes(24) * 2, bytes(64))
    notation = diagnose(1, data)
    assert f"1: {algorithm}," in notation
    assert "exp" not in notation
    assert cbor2.dumps(evaluate(notation)) == data


def test_a_header_of_another_shape_stays_a_byte_string():
    data = encode_envelope(bytes(13), bytes(48), bytes(64))
    assert cbor2.dumps(evaluate(diagnose(1, data))) == data


def test_inspect_labels_everything_unverified_and_needs_no_key(run, office):
    text = office.text()
    result = run("inspect", text)
    assert result.exit_code == 0
    assert result.stdout.startswith("/ 1  UNVERIFIED")
    assert decode_text(text)[1].hex() in result.stdout
    assert cbor2.dumps(evaluate(result.stdout.strip())) == decode_text(text)[1]
    assert "未经验证" in run("inspect", text, "--lang", "zh").stdout


def test_every_text_has_its_own_label(run, office):
    result = run("inspect", stdin=f"{office.text()}\n{office.text()}\n")
    assert result.stdout.count("UNVERIFIED") == 2


def test_damaged_texts_are_named_and_the_rest_is_shown(run, office):
    result = run("inspect", "12", office.text(), encode_text(1, bytes(120)))
    assert result.exit_code == 1
    assert "[text.prefix]" in result.stdout
    assert "[envelope.shape]" in result.stdout
    assert bytes(120).hex() in result.stdout
    assert "18([" in result.stdout


def test_a_name_cannot_leave_the_comment(run, office, tmp_path):
    file = tmp_path / "a"
    file.write_text(office.text())
    lines = run("inspect", "-f", file).stdout.splitlines()
    assert lines[0].count("/") == 2


def said(result):
    """The outcome of each step, by its number."""
    return dict(re.findall(r"^/ ([1-7]) [a-z]+: (.*) /$", result.stdout, re.MULTILINE))


def test_each_layer_says_what_it_found_without_a_key(run, office):
    assert said(run("inspect", office.text())) == {
        "1": "good",
        "2": "good",
        "3": "not checked: no --ring was given",
        "4": "not checked: no --ring was given",
        "5": "well formed, under a signature that was not checked",
        "6": "not looked at",
        "7": "not looked at",
    }
    broken = encode_text(1, encode_envelope(encode_header(-7, b"kid-8-by"), bytes(52), bytes(64)))
    assert said(run("inspect", broken))["5"].startswith("[claims.shape]")
    assert said(run("inspect", encode_text(1, bytes(120))))["2"].startswith("[envelope.shape]")


def test_with_a_ring_the_first_fault_is_named_and_nothing_after_it(run, office):
    text = office.text()
    ring = ("--ring", office.ring, "--now", office.now)
    assert set(said(run("inspect", text, *ring)).values()) == {"good"}
    late = said(run("inspect", text, "--ring", office.ring, "--now", office.now + 4000))
    assert late["5"] == "good"
    assert late["6"].startswith("[time.expired]")
    assert late["7"] == "not looked at"
    profile, data = decode_text(text)
    forged = said(run("inspect", encode_text(profile, data[:-1] + bytes([data[-1] ^ 1])), *ring))
    assert forged["3"] == "good"
    assert forged["4"].startswith("[signature.invalid]")
    assert forged["5"] == "not looked at"
    assert "签名" in run("inspect", text, *ring, "--lang", "zh").stdout


def test_a_device_bound_pass_is_shown_with_what_the_phone_signed(run, tmp_path):
    case = CASES["device/accept"]
    (tmp_path / "ring.jwks").write_text(json.dumps(case["jwks"]))
    result = run("inspect", case["text"], "--ring", tmp_path / "ring.jwks", "--now", case["now"])
    assert result.exit_code == 0
    assert set(said(result).values()) == {"good"}
    assert cbor2.dumps(evaluate(result.stdout.strip())) == decode_text(case["text"])[1]
    assert run("inspect", case["text"]).exit_code == 0


def test_without_a_ring_the_claims_and_the_phone_are_judged_as_they_are_with_one():
    for case in CASES.values():
        (*_, (_, claims), _, _) = layers(case["text"], None, case["now"])
        expect = case["expect"]
        code = expect.get("code", "")
        if code.startswith("claims.") or code == "device.signature":
            assert claims.en.startswith(f"[{code}]"), case["id"]
        elif expect.get("step", 9) > 5:
            assert claims.en.startswith("well formed"), case["id"]
