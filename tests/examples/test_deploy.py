"""The files in deploy/ name what is there: codes, metrics, settings, programs."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="PyYAML is not installed")
pytest.importorskip("tuf", reason="the extra tuf is not installed")
pytest.importorskip("fastapi", reason="the gateway's packages are not installed")

import yaml

from examples.gateway.settings import OURS, Settings
from examples.gateway.world import World
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


def test_rules_and_panels_ask_for_metrics_that_the_gateway_has(tmp_path):
    world = World(Settings(folder=tmp_path, algorithm="es256"))
    world.metrics.observe(_EVENT)
    text = world.metrics.text(world.gauges())
    world.close()
    given = set(re.findall(r"^(\w+)", text, re.MULTILINE))
    described = set(re.findall(r"^# HELP (\w+) \w", text, re.MULTILINE))
    assert set(re.findall(r"^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{| )", text, re.MULTILINE)) == described
    asked = {name for expression in expressions() for name in re.findall(r"\b(?:ybtoken|process)_\w+", expression)}
    assert asked <= given
    assert described <= {name.removesuffix("_bucket") for name in asked}, "each is on a panel or in a rule"


def test_panels_have_titles_in_both_languages_and_places_of_their_own():
    panels = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert {x for x, _ in taken} == set(range(24))
    for panel in panels:
        english, dot, chinese = panel["title"].partition(" · ")
        assert (english.isascii(), dot, chinese.isascii()) == (True, " · ", False)


def test_every_code_in_a_rule_or_a_panel_is_one_of_the_table():
    wanted = [m for expression in expressions() for m in re.findall(r'code(?:=~|!=)"([^"]+)"', expression)]
    assert len(wanted) >= 8
    for pattern in wanted:
        pattern = pattern.replace("\\\\", "\\")
        for alternative in re.sub(r"(\w+\\\.)\(([^)]*)\)", lambda m: "|".join(
            m[1] + name for name in m[2].split("|")), pattern).split("|"):  # fmt: skip
            assert alternative == "accepted" or any(re.fullmatch(alternative, code) for code in CODES), alternative


def test_no_refusal_for_which_somebody_has_to_act_is_without_a_rule():
    rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    named = [m for rule in rules for m in re.findall(r'code=~"([^"]+)"', rule["expr"])]
    wanted = {code for code in CODES if code.startswith("redeem.")} - {"redeem.replayed"} | {"otp.throttled"}
    # A string of PromQL has its backslashes twice.
    assert {
        code for code in wanted if not any(re.fullmatch(each.replace("\\\\", "\\"), code) for each in named)
    } == set()


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


@pytest.fixture
def image(tmp_path):
    """The files that the last stage of the Containerfile copies from here, at their places below a folder."""
    stage = (DEPLOY / "Containerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    for source, target in re.findall(r"^COPY ([^-\s]\S*) (/app/\S+)$", stage, re.MULTILINE):
        shutil.copytree(DEPLOY.parent / source, tmp_path / target[1:], ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "app"


@pytest.fixture
def imported(image, monkeypatch):
    """The gateway's modules as the image imports them."""

    def leave():
        names = [name for name in sys.modules if name.partition(".")[0] == "examples"]
        return {name: sys.modules.pop(name) for name in names}

    before = leave()
    monkeypatch.syspath_prepend(image)
    yield lambda name: importlib.import_module(f"examples.gateway.{name}")
    leave()
    sys.modules.update(before)


def test_the_application_is_made_from_what_the_image_holds(imported, image, tmp_path):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("segno")
    app, world, settings = imported("app"), imported("world"), imported("settings")
    assert Path(app.__file__).is_relative_to(image)
    world = world.World(settings.Settings(folder=tmp_path / "data", algorithm="es256"))
    world.refresh_statuses()
    app = app.create_app(world)

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for path in ("/terminal", "/static/terminal.js", "/verifier/index.js", "/health/ready"):
                assert (await client.get(path)).status_code == 200, path

    asyncio.run(ask())
    world.close()


def test_no_layer_of_the_image_holds_what_is_secret_or_built():
    ignored = set((DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8").splitlines())
    assert {".*", "build/", "**/*.pem", "**/*.key", "**/node_modules/", "**/target/"} <= ignored


@pytest.mark.parametrize("name", ["compose.yaml", "ybtoken-gateway.service"])
def test_clients_may_call_the_gateway_by_a_name_and_the_health_check_by_its_own(name):
    (hosts,) = re.findall(rf'{OURS}HOSTS[=:] ?"?([^\s"]+)', (DEPLOY / name).read_text(encoding="utf-8"))
    hosts = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", hosts)
    named = Settings(hosts=hosts).hosts.split(",")
    assert "127.0.0.1" in named, "by which the health check asks"
    assert set(named) - {"127.0.0.1", "localhost"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_the_unit_is_one(tmp_path):
    unit = (DEPLOY / "ybtoken-gateway.service").read_text(encoding="utf-8")
    unit = unit.replace("/opt/ybtoken/.venv/bin/python", "/bin/true")
    (tmp_path / "ybtoken-gateway.service").write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", str(tmp_path / "ybtoken-gateway.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Unknown" not in done.stderr
    assert "Failed to parse" not in done.stderr
