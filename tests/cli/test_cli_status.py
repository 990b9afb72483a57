from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest

from ybtoken import KeyEntry, KeyRing
from ybtoken.keys.keyset import dump_jwks
from ybtoken.keys.p256 import P256SigningKey
from ybtoken.keys.ring import Use
from ybtoken.observers.audit import AuditFile
from ybtoken.status.list import Status
from ybtoken.status.registry import StatusRegistry

URI = "https://status.example/1"


@pytest.fixture
def files(tmp_path):
    key = P256SigningKey.generate()
    (tmp_path / "key.pem").write_bytes(key.to_pem(passphrase=None))
    (tmp_path / "key.pem").chmod(0o600)
    ring = KeyRing([KeyEntry(key.verifying_key, "A", use=Use.STATUS)])
    (tmp_path / "status.jwks").write_text(dump_jwks(ring), encoding="utf-8")
    registry = StatusRegistry(tmp_path / "registry.db", URI, size=4096)
    index = registry.enter(2_000_000_000, person=7, channel=3)
    registry.close()
    return tmp_path, index


def status(folder, index):
    registry = StatusRegistry.open(folder / "registry.db")
    try:
        return registry.status(index)
    finally:
        registry.close()


def shown(run, folder, *options):
    arguments = ["status", "show", folder / "list.cwt", "-r", folder / "status.jwks", "--uri", URI]
    return run(*arguments, *options)


def test_a_pass_is_frozen_published_reinstated_and_revoked(run, files):
    folder, index = files
    registry = folder / "registry.db"
    assert run("status", "freeze", registry, "--person", "7").exit_code == 0
    assert status(folder, index) is Status.SUSPENDED
    result = run("status", "publish", registry, "--out", folder / "list.cwt", "-k", folder / "key.pem", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["bytes"] == (folder / "list.cwt").stat().st_size
    assert shown(run, folder, "--index", index).output == f"{index}: suspended\n"
    assert "good: 4096 places" in shown(run, folder).output
    assert run("status", "reinstate", registry, "--person", "7").exit_code == 0
    assert run("status", "reinstate", registry, "--person", "7").exit_code == 1
    assert status(folder, index) is Status.VALID
    assert run("status", "revoke", registry, "--index", index, "--lang", "zh").output == "已撤销 1 个\n"
    assert status(folder, index) is Status.INVALID
    assert run("status", "revoke", registry, "--person", "8").exit_code == 1


@pytest.mark.parametrize(("lang", "says"), [("en", "recorded: 20"), ("zh", "已记录本机时间：20")])
def test_a_clock_that_was_compared_is_believed_again(run, tmp_path, lang, says):
    file, old = tmp_path / "registry.db", time.time() - 100_000
    registry = StatusRegistry(file, URI, size=8, clock=lambda: old)
    for _ in range(3):
        registry.enter(int(old) + 60)
    registry.close()
    with closing(StatusRegistry.open(file)) as registry, pytest.raises(RuntimeError, match="status trust-clock"):
        registry.enter(2_000_000_000)
    result = run("status", "trust-clock", file, "--lang", lang)
    assert (result.exit_code, result.output[: len(says)]) == (0, says)
    with closing(StatusRegistry.open(file)) as registry:
        registry.enter(2_000_000_000)
    assert json.loads(run("status", "trust-clock", file, "--json").output)["seen_at"] >= int(old) + 100_000
    assert run("status", "trust-clock", tmp_path / "nothing.db").exit_code == 2


def test_misuse_is_said(run, files):
    folder, _ = files
    assert run("status", "freeze", folder / "registry.db").exit_code == 2
    chinese = run("status", "freeze", folder / "registry.db", "--lang", "zh")
    assert chinese.output == "参数有误：请指明凭证：index、person 或 channel\n"
    assert run("status", "freeze", folder / "nothing.db", "--index", "1").exit_code == 2
    assert not (folder / "nothing.db").exists()
    result = run("status", "freeze", folder / "key.pem", "--index", "1")
    assert result.exit_code == 2
    assert result.output.count("is no registry") == 1
    chinese = run("status", "freeze", folder / "key.pem", "--index", "1", "--lang", "zh")
    assert chinese.output.count("不是登记簿") == 1
    (folder / "empty.jwks").write_text('{"keys": []}')
    wrong = run("status", "show", folder / "key.pem", "-r", folder / "empty.jwks", "--uri", "u", "--lang", "zh")
    assert wrong.output.startswith("参数有误：读取状态列表须用状态列表密钥的密钥环")


def test_a_list_that_is_not_good_is_refused(run, files):
    folder, _ = files
    run("status", "publish", folder / "registry.db", "--out", folder / "list.cwt", "-k", folder / "key.pem")
    assert shown(run, folder, "--now", "4000000000").exit_code == 1
    assert shown(run, folder, "--index", "5000").exit_code == 2
    (folder / "list.cwt").write_bytes(b"\xd2\x84" + bytes(200))
    result = shown(run, folder)
    assert result.exit_code == 1
    assert "[status.unavailable]" in result.output


def test_an_audit_file_is_checked(run, tmp_path):
    path = tmp_path / "audit"
    with AuditFile(path) as audit:
        audit.append({"a": 1})
        head = audit.head
        audit.append({"a": 2})
    assert run("audit", "check", path, "--head", head).output == "whole: 2 lines\n"
    assert "not known" in run("audit", "check", path).output
    assert json.loads(run("audit", "check", path, "--json").output) == {
        "good": True, "lines": 2, "gaps": [], "head_checked": False,
    }  # fmt: skip
    path.write_text(path.read_text().replace('"a":1', '"a":3'))
    result = run("audit", "check", path)
    assert result.exit_code == 1
    assert result.output.startswith("BROKEN: line 1:")
    chinese = run("audit", "check", path, "--lang", "zh").output
    assert chinese == "审计链断裂：第 1 行：被改动、插入或截断，或其前面的内容缺失\n"
    assert json.loads(run("audit", "check", path, "--json").output)["line"] == 1
    assert run("audit", "check", path, "--digest", "sm3").exit_code == 1
    assert run("audit", "check", tmp_path / "nothing").exit_code == 2


def test_a_damaged_registry_is_said_and_the_list_stays(run, files):
    folder, index = files
    with closing(sqlite3.connect(folder / "registry.db")) as db, db:
        db.execute("UPDATE passes SET status = 77 WHERE place = ?", (index,))
    (folder / "list.cwt").write_bytes(b"as it was")
    result = run("status", "publish", folder / "registry.db", "--out", folder / "list.cwt", "-k", folder / "key.pem")
    assert result.exit_code == 2
    assert f"{folder / 'registry.db'}: the registry is damaged" in result.output
    assert (folder / "list.cwt").read_bytes() == b"as it was"
