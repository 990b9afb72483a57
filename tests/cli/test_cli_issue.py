from __future__ import annotations

import json
import os

import pytest

from ybtoken import KeyRing, TokenError, Verifier
from ybtoken.identity import BlockCipher, IdentitySealer
from ybtoken.keys.keyset import load_jwks

SEALING_KEY = "00112233445566778899aabbccddeeff"


@pytest.fixture
def issued(run, office):
    """Issue with some options, and verify the output."""
    verifier = Verifier(load_jwks(office.ring.read_bytes()))

    def issued(*args, stdin=None):
        result = run("issue", "--key", office.key, "--now", office.now, *args, stdin=stdin)
        assert result.exit_code == 0, result.output
        return [verifier.verify(text, now=office.now) for text in result.stdout.split()]

    return issued


def test_a_voucher_has_what_the_options_say(issued):
    (voucher,) = issued(
        "330100", "--ref", "0102030405060708090a0b0c0d0e0f10", "--lifetime", 30, "--channel", 7, "--purpose", "01301",
        "--presenter", "ff" * 16, "--assurance", "face", "--status-index", 12,
    )  # fmt: skip
    assert voucher.identity_ref == bytes(range(1, 17))
    assert voucher.city_code == "330100"
    assert voucher.expires_at - voucher.issued_at == 30
    assert (voucher.channel, voucher.purpose, voucher.assurance, voucher.status_index) == (7, "01301", 3, 12)
    assert voucher.presenter == b"\xff" * 16


def test_without_a_reference_each_voucher_has_a_random_one(issued):
    vouchers = issued("330100", "--count", 5)
    assert len({voucher.identity_ref for voucher in vouchers}) == len({voucher.nonce for voucher in vouchers}) == 5


@pytest.mark.parametrize("cipher", BlockCipher)
def test_a_person_number_is_sealed_under_the_sealing_key(issued, tmp_path, cipher):
    (tmp_path / "seal").write_text(f" {SEALING_KEY}\n")
    vouchers = issued(
        "330100",
        "--person",
        2**64 - 1,
        "--sealing-key",
        tmp_path / "seal",
        "--cipher",
        cipher.value.lower(),
        "--count",
        2,
    )
    sealer = IdentitySealer(bytes.fromhex(SEALING_KEY), cipher=cipher)
    assert [sealer.open(v.identity_ref, at=v.issued_at) for v in vouchers] == [2**64 - 1] * 2
    assert vouchers[0].identity_ref != vouchers[1].identity_ref


def test_records_override_the_options_and_keep_their_order(issued, tmp_path):
    (tmp_path / "seal").write_text(SEALING_KEY)
    records = [
        {"city_code": "330100"},
        {"city_code": "330200", "purpose": "02121"},
        {"city_code": "330300", "identity_ref": "00" * 16},
        {"city_code": "330400", "person": 7, "channel": 0},
    ]
    lines = "\n\n".join(map(json.dumps, records)) + "\n"
    seal = ["--person", "5", "--sealing-key", tmp_path / "seal"]
    vouchers = issued("--file", "-", "--purpose", "01301", *seal, stdin=lines)
    assert [voucher.city_code for voucher in vouchers] == ["330100", "330200", "330300", "330400"]
    assert [voucher.purpose for voucher in vouchers] == ["01301", "02121", "01301", "01301"]
    assert [voucher.channel for voucher in vouchers] == [None, None, None, 0]
    sealer = IdentitySealer(bytes.fromhex(SEALING_KEY))
    people = [sealer.open(voucher.identity_ref, at=voucher.issued_at) for voucher in vouchers]
    assert (people[0], people[1], people[3]) == (5, 5, 7)
    assert vouchers[2].identity_ref == bytes(16)


def test_the_ring_gives_the_scope_and_the_algorithm(run, office, tmp_path):
    assert run("issue", "440100", "-k", office.key, "-r", office.ring).exit_code == 2
    assert run("issue", "330100", "-k", office.key, "-r", office.ring).exit_code == 0
    made = run("keygen", tmp_path / "k", "-r", tmp_path / "r", "--issuer", "x", "--in-clear", "--alg", "esp256")
    assert made.exit_code == 0
    text = run("issue", "330100", "-k", tmp_path / "k", "-r", tmp_path / "r").stdout
    assert Verifier(load_jwks((tmp_path / "r").read_bytes())).verify(text.strip()).algorithm == -9
    foreign = run("issue", "330100", "-k", tmp_path / "k", "-r", office.ring)
    assert foreign.exit_code == 2
    assert "no entry" in foreign.stderr


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["330100", "--file", "-"],
        ["33010"],
        ["３３０１００"],
        ["330100", "--ref", "00"],
        ["330100", "--ref", "xy" * 16],
        ["330100", "--person", "1"],
        ["330100", "--person", "1", "--ref", "00" * 16],
        ["330100", "--purpose", "1301"],
        ["330100", "--channel", "65536"],
        ["330100", "--channel", "-1"],
        ["330100", "--assurance", "eyes"],
        ["330100", "--status-index", str(2**32)],
        ["330100", "--lifetime", "0"],
        ["330100", "--now", str(2**32 - 1)],
        ["330100", "--presenter", "0"],
        ["330100", "--cipher", "des"],
    ],
)
def test_misuse_is_refused_in_words(run, office, args):
    result = run("issue", "--key", office.key, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("[" * 5000, "not JSON"),
        ("{}", "city code"),
        ('{"city_code": 330100}', "city code"),
        ('{"city_code": "330100", "age": 5}', "unknown members ['age']"),
        ('{"city_code": "330100", "person": "7"}', "sealing"),
        ('{"city_code": "330100", "identity_ref": 5}', ""),
        ('{"city_code": "330100", "presenter": []}', ""),
        ('{"city_code": "330100", "channel": true}', "channel"),
        ('{"city_code": "330100", "purpose": {}}', "purpose"),
        ('{"city_code": "330100"}' + " " * 9000, "longer than 8192 bytes"),
        ("\ufffd\0", "not JSON"),
    ],
)
def test_a_bad_record_is_named_by_its_line(run, office, line, says):
    good = '{"city_code": "330100"}\n'
    result = run("issue", "--key", office.key, "--file", "-", stdin=good + line + "\n" + good)
    assert result.exit_code == 2
    assert len(result.stdout.split()) == 1  # what came before it was issued
    assert "-:2: " in result.stderr
    assert says in result.stderr


def test_what_the_issuer_refuses_is_said_in_the_language_asked_for(run, office):
    refused = run("issue", "330100", "--key", office.key, "--purpose", "99999", "--lang", "zh")
    assert refused.exit_code == 2
    assert "[issue.claim] 凭证要素无效" in refused.stderr
    assert "A claim" not in refused.stderr


@pytest.mark.parametrize(
    ("args", "record", "says"),
    [
        (["--ref", "zz"], {}, "身份引用应为 32 位十六进制"),
        ([], {"identity_ref": 5}, "身份引用应为 32 位十六进制"),
        (["--presenter", "zz"], {}, "presenter 应为 32 位十六进制"),
        ([], {"identity_ref": "00" * 16, "person": 1}, "身份引用与人员编号只能给一个"),
        (["--person", "1"], {}, "给出人员编号时须配 --sealing-key"),
        (["--sealing-key", "seal", "--person", str(2**64)], {}, "人员编号应为 64 位以内的非负整数"),
        (["--sealing-key", "seal"], {"person": True}, "人员编号应为 64 位以内的非负整数"),
    ],
)
def test_who_cannot_be_meant_is_said_in_the_language_asked_for(run, office, tmp_path, monkeypatch, args, record, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seal").write_text("00" * 16)
    line = json.dumps({"city_code": "330100"} | record)
    refused = run("issue", "--file", "-", "-k", office.key, *args, "--lang", "zh", stdin=line)
    assert refused.exit_code == 2
    assert f"-:1: 无法签发：{says}\n" in refused.stderr


def test_bad_sealing_keys_are_not_quoted(run, office, tmp_path):
    for content in ("hunter2", "00" * 15, "ÿ" * 16, ""):
        (tmp_path / "seal").write_text(content, encoding="utf-8")
        result = run("issue", "330100", "-k", office.key, "--person", "12345678", "--sealing-key", tmp_path / "seal")
        assert result.exit_code == 2
        assert "no sealing key" in result.stderr
        assert not content or content not in result.output
        assert "12345678" not in result.output


def test_what_is_issued_is_refused_under_another_key(run, office):
    text = run("issue", "330100", "--key", office.key).stdout.strip()
    with pytest.raises(TokenError, match=r"key\.unknown"):
        Verifier(KeyRing()).verify(text)


@pytest.mark.skipif(os.name != "posix", reason="files have no such permissions here")
def test_a_private_key_that_others_may_read_is_warned_of(run, office, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(office.key.read_bytes())
    key.chmod(0o644)
    result = run("issue", "330100", "-k", key)
    assert (result.exit_code, "chmod 600" in result.stderr) == (0, True)
    assert "chmod 600" not in result.stdout
    key.chmod(0o600)
    assert run("issue", "330100", "-k", key).stderr == ""
