from __future__ import annotations

import json


def test_bench_prints_rates_and_ratios(run):
    result = run("bench", "--seconds", "0.01")
    assert result.exit_code == 0
    assert "ES256" in result.stdout
    assert "x verify_signature" in result.stdout


def test_bench_as_json(run):
    figures = json.loads(run("bench", "--seconds", "0.01", "--json", "--alg", "esp256").stdout)
    assert figures.pop("algorithm") == "ESP256"
    assert figures.keys() == {
        "sign_per_s", "issue_per_s", "verify_signature_per_s", "verify_per_s", "verify_many_per_s",
        "issue_vs_bare", "verify_vs_bare", "verify_many_vs_bare",
    }  # fmt: skip
    assert all(figure > 0 for figure in figures.values())
