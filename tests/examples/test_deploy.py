"""The files in deploy/ name what is there: codes, metrics, settings, programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="PyYAML is not installed")
pytest.importorskip("fastapi", reason="the gateway's packages are not installed")

import yaml

from examples.gateway.metrics import Metrics
from examples.gateway.settings import OURS, Settings
from ybtoken.errors import error_for
from ybtoken.observers.event import VerdictEvent
from ybtoken.refusals import REFUSALS

DEPLOY = Path(__file__).parents[2] / "deploy"
_EVENT = VerdictEvent(act="redeem", at=0.0, seconds=0.001, terminal="t", place="", error=error_for("redeem.replayed"))
CODES = {row.code for row in REFUSALS}


def expressions() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    panels = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]


def test_rules_and_panels_ask_for_metrics_that_the_gateway_has():
    metrics = Metrics()
    metrics.observe(_EVENT)
    given = set(re.findall(r"^(ybtoken_\w+)", metrics.text(), re.MULTILINE))
    for expression in expressions():
        assert set(re.findall(r"\bybtoken_\w+", expression)) <= given, expression


def test_every_code_in_a_rule_or_a_panel_is_one_of_the_table():
    wanted = [m for expression in expressions() for m in re.findall(r'code(?:=~|!=)"([^"]+)"', expression)]
    assert len(wanted) >= 8
    for pattern in wanted:
        pattern = pattern.replace("\\\\", "\\")
        for alternative in re.sub(r"(\w+\\\.)\(([^)]*)\)", lambda m: "|".join(
            m[1] + name for name in m[2].split("|")), pattern).split("|"):  # fmt: skip
            assert alternative == "accepted" or any(re.fullmatch(alternative, code) for code in CODES), alternative


def test_alerts_say_what_to_do_in_both_languages():
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    for rule in rules:
        assert rule["annotations"]["summary"].isascii()
        assert not rule["annotations"]["summary_zh"].isascii()
        for page in re.findall(r"docs/[\w./-]+\.md", "".join(rule["annotations"].values())):
            assert (DEPLOY.parent / page).exists()


@pytest.mark.parametrize("name", ["Containerfile", "compose.yaml", "ybtoken-gateway.service"])
def test_every_setting_is_one_of_the_gateways(name):
    text = (DEPLOY / name).read_text(encoding="utf-8")
    settings = {OURS + field.name.upper() for field in fields(Settings)}
    named = set(re.findall(rf"{OURS}\w+", text))
    assert named
    assert named <= settings


def test_the_store_is_set_up_as_the_guard_demands():
    store = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["store"]["command"]
    assert store[store.index("--maxmemory-policy") + 1] == "noeviction"
    assert store[store.index("--appendonly") + 1] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_the_unit_is_one(tmp_path):
    unit = (DEPLOY / "ybtoken-gateway.service").read_text(encoding="utf-8")
    unit = unit.replace("/opt/ybtoken/.venv/bin/python", "/bin/true")
    (tmp_path / "ybtoken-gateway.service").write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", str(tmp_path / "ybtoken-gateway.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Unknown" not in done.stderr
    assert "Failed to parse" not in done.stderr
