from __future__ import annotations

import pytest

from ybtoken.observers.audit import AuditError, AuditFile, check_audit


def test_a_chain_by_sm3_is_checked_and_continued_by_sm3(tmp_path):
    for _ in range(2):
        with AuditFile(tmp_path / "audit", digest="sm3") as audit:
            audit.append({"n": 1})
    assert check_audit(tmp_path / "audit", head=audit.head, digest="sm3").lines == 2
    with pytest.raises(AuditError, match="line 1"):
        check_audit(tmp_path / "audit")
    with pytest.raises(AuditError, match="line 1"):
        AuditFile(tmp_path / "audit")
    with pytest.raises(ValueError, match="digest is"):
        AuditFile(tmp_path / "other", digest="md5")
