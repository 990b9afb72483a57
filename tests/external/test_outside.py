from __future__ import annotations

import pytest

from tests.external import outside


def test_without_vectors_a_test_is_skipped_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(outside, "FOLDER", tmp_path)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="YBTOKEN_VECTORS"):
        outside.path("digits/cable_base10.json")


def test_in_ci_their_absence_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(outside, "FOLDER", tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="YBTOKEN_VECTORS"):
        outside.path("digits/cable_base10.json")
