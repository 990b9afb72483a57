"""The JavaScript verifier: every case of the vectors for which it has the capabilities, in Node and in Chromium."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ybtoken

ROOT = Path(__file__).parent.parent.parent
NODE = shutil.which("node")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOBLE = ROOT / "js" / "node_modules" / "@noble" / "curves"
pytestmark = pytest.mark.skipif(not NOBLE.is_dir(), reason="the JavaScript package is not ready: make js")

PAGE = """<!doctype html><meta charset="utf-8"><script type="importmap">{"imports": {
"@noble/curves/": "/js/node_modules/@noble/curves/", "@noble/hashes/": "/js/node_modules/@noble/hashes/"}}</script>
<script type="module">
import { CAPABILITIES, outcomeOf } from "/js/test/outcome.js";
const answers = [];
const { needs, questions } = await (await fetch("/questions.json")).json();
for (const question of questions) {
  if (!needs[question.id].every((each) => CAPABILITIES.includes(each))) continue;
  try {
    answers.push({ id: question.id, outcome: await outcomeOf(question) });
  } catch (error) {
    answers.push({ id: question.id, error: String(error.stack) });
  }
}
window.answers = { answers, subtle: Boolean(globalThis.crypto.subtle) };
</script>"""


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_node_has_the_stated_outcomes() -> None:
    program = [str(NODE), str(ROOT / "interop" / "javascript.mjs")]
    command = [sys.executable, str(ROOT / "vectors" / "conform.py"), "--", *program]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr
    assert "ybtoken-verify" in run.stdout.splitlines()[-1]


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_the_package_keeps_its_own_tests() -> None:
    run = subprocess.run([str(NODE), "--test", "test/"], cwd=ROOT / "js", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]


def test_the_package_has_the_version_of_the_library() -> None:
    assert json.loads((ROOT / "js" / "package.json").read_text())["version"] == ybtoken.__version__


def _questions() -> list[Any]:
    sys.path.insert(0, str(ROOT / "vectors"))
    try:
        import conform
    finally:
        sys.path.pop(0)
    return list(conform.cases())


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the package and the questions to a page, on the loopback, or as if over plain HTTP."""
    questions = [case.question for case in _questions()]
    needs = json.loads((ROOT / "vectors" / "manifest.json").read_text())["needs"]
    asked = json.dumps({"needs": needs, "questions": questions})
    pages = {"/": ("text/html", PAGE), "/questions.json": ("application/json", asked)}

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".js": "text/javascript", "": "application/octet-stream"}

        def do_GET(self) -> None:
            if self.path not in pages:
                super().do_GET()
                return
            kind, content = pages[self.path]
            data = content.encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://HOST:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium on this machine")
@pytest.mark.parametrize(("host", "secure"), [("127.0.0.1", True), ("plain.example", False)])
def test_chromium_has_the_stated_outcomes(site: str, host: str, secure: bool) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    flags = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP plain.example 127.0.0.1"]
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.goto(site.replace("HOST", host))
        page.wait_for_function("window.answers", timeout=120_000)
        found = page.evaluate("window.answers")
        browser.close()
    assert found["subtle"] is secure
    expected = {case.question["id"]: case.expect for case in _questions()}
    answers = {answer["id"]: answer.get("outcome", answer.get("error")) for answer in found["answers"]}
    assert len(answers) > 800
    assert {id_: answer for id_, answer in answers.items() if answer != expected[id_]} == {}
