"""The gateway's pages in a real Chromium: what one shows, a scanner reads and the other redeems."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")
zxingcpp = pytest.importorskip("zxingcpp")
pytest.importorskip("fastapi")
pytest.importorskip("segno")
from PIL import Image  # noqa: E402

from examples.gateway.app import NOBLE, create_app  # noqa: E402
from examples.gateway.problems import bare_problem  # noqa: E402
from examples.gateway.settings import Settings  # noqa: E402
from examples.gateway.world import World  # noqa: E402
from ybtoken.places import describe_place  # noqa: E402
from ybtoken.qr import QrCode  # noqa: E402
from ybtoken.refusals import BY_CODE  # noqa: E402
from ybtoken.wire.text import decode_text, encode_text  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium on this machine")
needs_noble = pytest.mark.skipif(
    not NOBLE.is_dir(), reason="the packages of the JavaScript verifier are not installed (make js)"
)

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--renderer-process-limit=1",
    # No address bar's suggestions, for which each window would start a renderer process of their own.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
]  # fmt: skip
PHONE = {"width": 390, "height": 844}
SIDEWAYS = {"width": 844, "height": 390}
TERMINAL = {"width": 1280, "height": 800}
SHOTS = os.environ.get("YBTOKEN_SHOTS")
"""A folder in which the pictures are kept, to be looked at."""


class Site:
    """The gateway, served from a thread, with a clock of its own."""

    def __init__(self, folder: Path, algorithm: str = "") -> None:
        self.ahead = 0.0
        self.starts = 0
        """Stated by each answer: one that was kept says an older number."""
        self.silent = "nothing"
        """Requests to this path arrive and are not answered."""
        self.busy: threading.Event | None = None
        """While there is one, a worker is refused a part of the page that it keeps; set when it was."""
        self.world = World(Settings(folder=folder, algorithm=algorithm), clock=lambda: time.time() + self.ahead)
        self._port = 0
        self.start()
        self.address = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve; after a stop at the same address, and with the same world."""
        self.world.refresh_statuses()
        self.starts += 1
        app, start = create_app(self.world), str(self.starts).encode()

        async def numbered(scope: Any, receive: Any, send: Any) -> None:
            async def stated(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-start", start)]
                await send(message)

            is_wanted = scope.get("path") == "/static/words.js" and (b"sec-fetch-dest", b"empty") in scope["headers"]
            if self.busy is not None and is_wanted:
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body"})
                self.busy.set()
                return
            while scope["type"] == "http" and scope["path"] == self.silent:
                if (await receive())["type"] == "http.disconnect":
                    return
            await app(scope, receive, stated)

        config = uvicorn.Config(numbered, port=self._port, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Take the gateway away; its world stays, because the test and not the server's lifespan closes it."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def begin(self) -> None:
        """For another test: serve with a fresh status list, and count verdicts from now on."""
        if self._thread.is_alive():
            self.world.refresh_statuses()
        else:
            self.start()
        self.silent, self.busy = "nothing", None
        self._before = self._counted()

    def verdicts(self) -> dict[str, int]:
        """How many verdicts there were in this test, by code."""
        return dict(self._counted() - self._before)

    def _counted(self) -> Counter[str]:
        lines = [line for line in self.world.metrics.text({}).splitlines() if "verdicts_total{" in line]
        counts: Counter[str] = Counter()
        for line in lines:
            counts[line.split('"')[3]] += int(line.split()[-1])
        return counts

    def close(self) -> None:
        self.stop()
        self.world.close()


@pytest.fixture
def algorithm() -> str:
    return ""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    made: dict[str, Site] = {}

    def of(algorithm: str) -> Site:
        if algorithm not in made:
            made[algorithm] = Site(tmp_path_factory.mktemp("site"), algorithm)
        return made[algorithm]

    yield of
    for site in made.values():
        site.close()


@pytest.fixture
def own_gateway() -> None:
    """For a test whose gateway is no other test's: what it changes, such as a clock, is not changed back."""


@pytest.fixture
def site(
    request: pytest.FixtureRequest, tmp_path: Path, sites: Callable[[str], Site], algorithm: str
) -> Iterator[Site]:
    """The gateway. What one test leaves in it does not touch the next, which has codes and a context of its own."""
    own = "own_gateway" in request.fixturenames
    site = Site(tmp_path, algorithm) if own else sites(algorithm)
    site.begin()
    yield site
    if own:
        site.close()


@pytest.fixture(scope="module")
def launch() -> Iterator[Any]:
    with playwright.sync_playwright() as player:
        yield lambda *flags: player.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])


@pytest.fixture(scope="module")
def browser(launch: Any) -> Iterator[Any]:
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def visit(site: Site, browser: Any) -> Iterator[Any]:
    """Open a page of the site; at the end nothing may have been asked elsewhere, and no script may have failed."""
    asked: list[str] = []
    wrong: list[str] = []
    contexts = []

    def open_(
        path: str,
        viewport: dict[str, int],
        browser: Any = browser,
        prepare: Callable[[Any], None] = lambda page: None,
        **options: Any,
    ) -> Any:
        usual = {"locale": "zh-CN", "reduced_motion": "reduce"}  # a ring that turns is painted 60 times a second
        context = browser.new_context(viewport=viewport, **(usual | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)  # a busy machine is no fault
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: "Content Security" in said.text and wrong.append(said.text))
        prepare(page)
        page.goto(site.address + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((site.address, "data:"))] == []
    assert wrong == []


def photograph(page: Any, name: str) -> bytes:
    picture: bytes = page.screenshot()
    if SHOTS:
        (Path(SHOTS) / f"{name}.png").write_bytes(picture)
    return picture


def shoot(page: Any, name: str) -> None:
    """Take a picture that nobody but a person looks at."""
    if SHOTS:
        photograph(page, name)


def scan(picture: bytes) -> str:
    with Image.open(io.BytesIO(picture)) as image:
        codes = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    assert len(codes) == 1, f"{len(codes)} codes on the screen"
    text: str = codes[0].text
    return text


def wait_for_code(page: Any, other_than: str = "") -> str:
    page.wait_for_function(
        "was => { const code = document.getElementById('code');"
        " return !code.hidden && code.dataset.text && code.dataset.text !== was }",
        arg=other_than,
    )
    text: str = page.get_attribute("#code", "data-text")
    return text


def set_clock(hours: float) -> Callable[[Any], None]:
    """The device's clock is wrong by so many hours."""
    return lambda page: page.clock.install(time=time.time() + hours * 3600)


def submit(page: Any, text: str, verdict: str) -> str:
    """Paste a text and submit it; wait for the verdict and return what the screen says."""
    page.fill("#text", text)
    page.click("button[type=submit]")
    return expect(page, verdict)


DETECTOR = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"] }
  async detect(source) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [source.videoWidth, source.videoHeight];
    canvas.getContext("2d").drawImage(source, 0, 0);
    const read = await window.decode(canvas.toDataURL());
    window.looks = (window.looks ?? 0) + 1;
    return read.map((rawValue) => ({ rawValue, format: "qr_code" }));
  }
};
"""
"""A BarcodeDetector where Chromium has none: zxing-cpp reads the frame that the page gives it, in the test."""


def bring_detector(page: Any) -> None:
    def decode(url: str) -> list[str]:
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as frame:
            codes = zxingcpp.read_barcodes(frame.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
        return [code.text for code in codes]

    page.expose_function("decode", decode)
    page.add_init_script(DETECTOR)


def watch(page: Any, looks: int, ms: int = 0) -> None:
    """Wait until the page has looked at so many more frames, and so long."""
    page.wait_for_function(
        "([looks, at]) => window.looks >= looks && performance.now() >= at",
        arg=[page.evaluate("looks") + looks, page.evaluate("performance.now()") + ms],
    )


def film(path: Path, *scenes: tuple[str, int]) -> str:
    """What a camera sees: codes, or "" for an empty counter, each for some fifths of a second. Over and over again."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F5:1 Ip A1:1\n")
        for text, frames in scenes:
            scene = Image.new("L", (640, 480), 70)
            if text:
                with Image.open(io.BytesIO(QrCode(text).png(scale=6))) as code:
                    held = code.convert("L").rotate(8, Image.Resampling.BILINEAR, expand=True, fillcolor=70)
                scene.paste(held, ((640 - held.width) // 2, (480 - held.height) // 2))
            file.write((b"FRAME\n" + scene.tobytes() + bytes([128]) * (640 * 480 // 2)) * frames)
    return f"--use-file-for-fake-video-capture={path}"


def expect(page: Any, verdict: str) -> str:
    page.wait_for_selector(f"#verdict.{verdict}")
    said: str = page.inner_text("#verdict")
    return said


def wait_for_words(page: Any, selector: str, words: str | re.Pattern[str]) -> None:
    """Wait until an element that is shown holds these words.

    What is hidden says nothing: it is hidden before the page's script has run, too.
    """
    page.locator(selector).filter(has_text=words).wait_for()


def test_a_code_from_the_phone_is_redeemed_on_the_terminal_once(visit: Any) -> None:
    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL)
    shown = wait_for_code(phone)
    text = scan(photograph(phone, "phone"))
    assert text == shown
    shoot(terminal, "terminal-ready")
    said = submit(terminal, text, "accepted")
    shoot(terminal, "terminal-accepted")
    assert "已受理" in said
    assert "浙江杭州" in said
    assert "结算" in said
    said = submit(terminal, text, "refused")
    shoot(terminal, "terminal-replayed")
    assert "不受理" in said
    assert "redeem.replayed" in said


@pytest.mark.usefixtures("own_gateway")
def test_an_expired_code_is_refused_and_the_phone_shows_another(visit: Any, site: Site) -> None:
    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL)
    text = wait_for_code(phone)
    site.ahead = 75
    assert "time.expired" in submit(terminal, text, "refused")
    shoot(terminal, "terminal-expired")
    phone.click("#refresh")
    fresh = wait_for_code(phone, other_than=text)
    assert "已受理" in submit(terminal, fresh, "accepted")


def test_the_phone_renews_its_code_by_itself_and_counts_down(visit: Any) -> None:
    phone = visit("/phone", PHONE)
    phone.clock.install()
    phone.reload()
    text = wait_for_code(phone)
    first = int(phone.inner_html("#seconds"))
    assert 25 <= first <= 30
    phone.clock.run_for(10_000)
    assert int(phone.inner_html("#seconds")) <= first - 9
    phone.clock.run_for(21_000)
    assert wait_for_code(phone, other_than=text) != text


@pytest.mark.parametrize(("kind", "prefix"), [("2", "97"), ("3", "98")])
def test_a_pass_is_shown_by_the_phone_itself(visit: Any, kind: str, prefix: str) -> None:
    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL)
    before = wait_for_code(phone)
    phone.check(f"input[name=kind][value='{kind}']")
    wait_for_code(phone, other_than=before)
    text = scan(photograph(phone, f"phone-{kind}"))
    assert text.startswith(prefix)
    assert "已受理" in submit(terminal, text, "accepted")
    assert "redeem.replayed" in submit(terminal, text, "refused")


def test_a_phone_answers_the_terminal_that_asks(visit: Any, site: Site) -> None:
    def other_than(was: str) -> str:
        terminal.wait_for_function(
            "was => ![was, ''].includes(document.getElementById('asked-text').textContent)", arg=was
        )
        return str(terminal.inner_text("#asked-text"))

    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL, prepare=set_clock(0))
    shown = wait_for_code(phone)
    terminal.click("#ask")
    terminal.wait_for_selector("#asked:not([hidden])")
    asked = scan(photograph(terminal, "terminal-asks"))
    assert "challenge.missing" in submit(terminal, shown, "refused")
    assert terminal.inner_text("#asked-text") == asked, "it was not answered"
    terminal.clock.fast_forward(61_000)
    late, asked = asked, other_than(asked)
    phone.check("input[name=kind][value='3']")
    shown = wait_for_code(phone, other_than=shown)
    for challenge, verdict, says in (late, "refused", "challenge.wrong"), ("", "accepted", "已受理"):
        phone.fill("#challenge", challenge or asked)
        shown = wait_for_code(phone, other_than=shown)
        assert says in submit(terminal, shown, verdict)
        if verdict == "refused":
            asked = other_than(asked)
    terminal.wait_for_selector("#asked", state="hidden")
    site.stop()
    terminal.click("#ask")
    assert "不能发起防转发验证" in expect(terminal, "cannot")
    terminal.click("#language")
    assert "there is no challenge: accept nothing" in submit(terminal, shown, "cannot")
    terminal.click("#ask")
    assert terminal.get_attribute("#ask", "aria-pressed") == "false"


def test_a_scanner_that_types_is_read_wherever_the_focus_is(visit: Any) -> None:
    phone = visit("/phone", PHONE)
    for _ in range(6):  # a loaded machine may type slower than a scanner does: then it is scanned again
        terminal, text = visit("/terminal", TERMINAL), wait_for_code(phone)
        terminal.focus("#language")
        terminal.keyboard.type(text)
        terminal.keyboard.press("Enter")
        with suppress(Exception):
            terminal.wait_for_selector("#verdict.accepted", timeout=5_000)
            break
    assert "已受理" in expect(terminal, "accepted")
    assert terminal.inner_text("#language") == "English"  # Enter pressed no button
    terminal.fill("#text", text[:-30])
    terminal.focus("#text")
    terminal.keyboard.press("End")
    terminal.keyboard.type(text[-30:])
    terminal.keyboard.press("Enter")
    assert "redeem.replayed" in expect(terminal, "refused")


def test_a_bad_scan_is_no_refusal_and_says_so_in_both_languages(visit: Any) -> None:
    terminal = visit("/terminal", TERMINAL)
    assert "请重新扫码" in submit(terminal, "9612345", "again")
    shoot(terminal, "terminal-again")
    terminal.click("#language")
    said = expect(terminal, "again")
    assert "Scan again" in said
    assert terminal.get_attribute("html", "lang") == "en"
    shoot(terminal, "terminal-again-en")


def test_without_the_gateway_nothing_is_accepted_and_no_dead_code_is_shown(visit: Any) -> None:
    def keyless(page: Any) -> None:  # then it cannot verify by itself
        page.route("**/status-keys", lambda route: route.abort())

    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL, prepare=keyless)
    phone.clock.install()
    phone.reload()
    text = wait_for_code(phone)
    for page in (phone, terminal):
        page.context.set_offline(True)
    assert "暂时无法核验" in submit(terminal, text, "cannot")
    shoot(terminal, "terminal-cannot")
    phone.clock.run_for(40_000)
    assert phone.is_visible("#code"), "it is good for another 20 seconds"
    phone.clock.run_for(40_000)
    phone.wait_for_selector("#veil:not([hidden])")
    assert phone.is_hidden("#code")
    assert "无法连接平台" in phone.inner_text("#veil")
    shoot(phone, "phone-offline")


def until(page: Any, script: str) -> None:
    """Wait until an asynchronous function says yes; `wait_for_function` takes its promise for a yes."""
    deadline = time.monotonic() + 60
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        time.sleep(0.05)


STORED = """async (name) => (await indexedDB.databases()).length && await new Promise(done => {
  const request = indexedDB.open("ybtoken");
  request.onsuccess = () => {
    const stored = request.result.transaction("held").objectStore("held").get(name);
    stored.onsuccess = () => { request.result.close(); done(stored.result) };
  };
})"""
"""A function: what the terminal holds under a name."""


def provision(page: Any) -> bool:
    """Let the terminal fetch what it needs without the gateway; returns whether it took the ring."""
    taken: bool = page.evaluate("async () => (await import('/static/offline.js')).provision()")
    return taken


def provisioned(page: Any, status_list: bytes = b"") -> None:
    """Wait until the terminal holds what it needs without the gateway; with this status list, if one is given."""
    held = (
        f"async () => {{ const held = await ({STORED})('gateway'); return held && new Uint8Array(held.list).join() }}"
    )
    wanted = ",".join(map(str, status_list))
    deadline = time.monotonic() + 60
    while not (found := page.evaluate(held)) or (wanted and found != wanted):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["1", "3"])
@pytest.mark.parametrize("algorithm", ["es256", pytest.param("sm2", marks=needs_noble)])
def test_without_the_gateway_the_terminal_accepts_by_itself_once_and_hands_in_later(
    visit: Any, site: Site, algorithm: str, kind: str
) -> None:
    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL)
    text = wait_for_code(phone)
    if kind == "3":
        phone.check("input[name=kind][value='3']")
        text = wait_for_code(phone, other_than=text)
    provisioned(terminal)
    online = voucher(site)
    assert "已受理" in submit(terminal, online, "accepted")
    site.stop()

    said = submit(terminal, text, "accepted")
    shoot(terminal, f"terminal-offline-{algorithm}-{kind}")
    assert "离线受理，待上传" in said
    assert terminal.get_attribute("#verdict", "data-by") == "terminal"
    wait_for_words(terminal, "#waiting", "1 笔")
    assert "浙江杭州" in said
    assert kind == "3" or "结算" in said
    said = submit(terminal, text, "refused")
    assert "redeem.replayed" in said
    assert "本机已离线受理此码，尚未上传。" in said
    for words in BY_CODE["redeem.replayed"].what.zh, BY_CODE["redeem.replayed"].remedy.zh:
        assert words in said
    shoot(terminal, f"terminal-offline-refused-{algorithm}-{kind}")
    assert "redeem.replayed" in submit(terminal, online, "refused"), "the gateway accepted it a moment ago"
    said = submit(terminal, forged(text), "refused")
    assert "signature.invalid" in said
    assert "网关无法连接，由本机核验。" in said
    assert BY_CODE["signature.invalid"].remedy.zh in said
    assert site.verdicts() == {"accepted": 1}

    site.start()
    terminal.evaluate("dispatchEvent(new Event('online'))")
    wait_for_words(terminal, "#recent", "离线受理已上传")
    terminal.wait_for_selector("#waiting", state="hidden")
    assert "redeem.replayed" in submit(terminal, text, "refused"), "the gateway knows now that it was used"
    assert terminal.get_attribute("#verdict", "data-by") == "gateway"


@pytest.mark.parametrize("algorithm", ["es256"])
@pytest.mark.parametrize("status", [500, 503])
def test_a_gateway_that_has_a_fault_or_too_much_to_do_is_not_away(visit: Any, site: Site, status: int) -> None:
    terminal = visit("/terminal", TERMINAL)
    provisioned(terminal)
    problem = bytes(bare_problem(status).body)
    terminal.route(
        "**/redeem", lambda route: route.fulfill(status=status, body=problem, content_type="application/problem+json")
    )
    said = submit(terminal, voucher(site), "cannot")
    assert json.loads(problem)["remedy"]["zh"] in said
    assert said.endswith(json.loads(problem)["code"])


@needs_noble
def test_what_was_accepted_offline_is_not_accepted_again_before_it_is_handed_in(visit: Any, site: Site) -> None:
    terminal = visit("/terminal", TERMINAL)
    text = voucher(site)
    provisioned(terminal)
    terminal.context.set_offline(True)
    assert "离线受理，待上传" in submit(terminal, text, "accepted")
    terminal.route("**/hand-in", lambda route: route.abort())
    terminal.context.set_offline(False)
    for again in (text, f"]Q1{text}"):
        said = submit(terminal, again, "refused")
        assert "redeem.replayed" in said
        assert "本机已离线受理此码，尚未上传" in said
        wait_for_words(terminal, "#waiting", "1 笔")
    assert "已受理" in submit(terminal, voucher(site), "accepted"), "another is the gateway's business"
    assert terminal.get_attribute("#verdict", "data-by") == "gateway"
    terminal.unroute("**/hand-in")
    terminal.evaluate("dispatchEvent(new Event('online'))")
    wait_for_words(terminal, "#recent", "离线受理已上传")


@pytest.mark.parametrize("algorithm", ["es256", pytest.param("sm2", marks=needs_noble)])
def test_a_terminal_that_is_reloaded_without_the_gateway_verifies(visit: Any, site: Site, algorithm: str) -> None:
    terminal = visit("/terminal", TERMINAL)
    text = voucher(site)
    provisioned(terminal)
    until(terminal, 'async () => Boolean(await caches.match("/terminal"))')
    site.stop()

    assert terminal.reload().header_value("x-start") == str(site.starts)
    shoot(terminal, f"terminal-reloaded-{algorithm}")
    assert "离线受理，待上传" in submit(terminal, text, "accepted")
    terminal.reload()
    assert "redeem.replayed" in submit(terminal, text, "refused"), "the device remembers"
    wait_for_words(terminal, "#waiting", "1 笔")

    site.start()
    assert terminal.reload().header_value("x-start") == str(site.starts), "from the gateway again"
    wait_for_words(terminal, "#recent", "离线受理已上传")
    terminal.wait_for_selector("#waiting", state="hidden")


@needs_noble
def test_without_the_gateway_places_and_refusals_have_the_librarys_words(visit: Any, site: Site) -> None:
    terminal = visit("/terminal", TERMINAL)
    codes = [
        "330100",
        "330106",
        "330199",
        "339900",
        "339901",
        "110000",
        "110105",
        "110100",
        "650100",
        "990000",
        "000000",
    ]
    until(
        terminal,
        'async () => Boolean(Object.keys((await (await import("/static/offline.js")).words()).refusals).length)',
    )
    names, refusals = terminal.evaluate(
        """async codes => { const { placeOf, refusals } = await (await import("/static/offline.js")).words();
             return [codes.map(placeOf), refusals] }""",
        codes,
    )
    assert names == [describe_place(code)._asdict() for code in codes]
    assert refusals.keys() == BY_CODE.keys()
    assert "…" in refusals["time.expired"]["what"]["zh"]
    assert all(each["cannot_check"] == BY_CODE[code].cannot_check for code, each in refusals.items())
    said = [words for each in refusals.values() for words in (*each["what"].values(), *each["remedy"].values())]
    assert "{" not in "".join(said)


@needs_noble
def test_what_was_used_elsewhere_meanwhile_is_said_when_it_is_handed_in(visit: Any, site: Site) -> None:
    terminals = [visit("/terminal", TERMINAL) for _ in range(2)]
    text = voucher(site)
    for terminal in terminals:
        provisioned(terminal)
    site.stop()
    for terminal in terminals:
        assert "离线受理" in submit(terminal, text, "accepted")
    site.start()
    said = []
    for terminal in terminals:
        terminal.evaluate("dispatchEvent(new Event('online'))")
        wait_for_words(terminal, "#recent", re.compile("已上传|上传未通过"))
        terminal.wait_for_selector("#waiting", state="hidden")
        said.append(terminal.inner_text("#recent"))
    assert "离线受理已上传" in said[0]
    assert "上传未通过" in said[1]
    assert "redeem.replayed" in said[1]


def keep(page: Any) -> None:
    """Let the terminal look for the gateway now."""
    page.evaluate("dispatchEvent(new Event('online'))")


@needs_noble
def test_a_terminal_whose_clock_is_wrong_accepts_each_display_once(visit: Any, site: Site) -> None:
    terminals = [visit("/terminal", TERMINAL, prepare=set_clock(hours)) for hours in (8, -8)]
    codes = {terminal: (voucher(site), voucher(site)) for terminal in terminals}
    for terminal, (online, _) in codes.items():
        provisioned(terminal)
        submit(terminal, online, "accepted")
    site.stop()
    for terminal, (_, offline) in codes.items():
        assert "离线受理" in submit(terminal, offline, "accepted")
    site.start()
    for terminal in terminals:
        keep(terminal)
        wait_for_words(terminal, "#recent", "离线受理已上传")
    site.stop()
    for terminal, both in codes.items():
        for text in both:
            assert "redeem.replayed" in submit(terminal, text, "refused")
        # What was forgotten by a gateway's clock that was ahead for a moment is not good again.
        terminal.evaluate("async now => (await import('/static/offline.js')).handIn(now)", time.time() + 7 * 24 * 3600)
        for text in both:
            assert "redeem.clock" in submit(terminal, text, "cannot")


@needs_noble
def test_only_the_gateways_own_verdict_ends_what_waits_to_be_handed_in(visit: Any, site: Site) -> None:
    terminal = visit("/terminal", TERMINAL, prepare=set_clock(0))
    text = voucher(site)
    provisioned(terminal)
    site.stop()
    terminal.clock.set_system_time(time.time() + 40)  # ahead since: the gateway takes nothing of the future
    submit(terminal, text, "accepted")
    site.start()
    portal = {"status": 200, "json": {"login": "here"}}
    proxy = {"status": 404, "json": {"message": "no route"}}
    strict = {"status": 409, "json": {"code": "conflict"}}
    misused = {"status": 400, "body": bytes(bare_problem(400).body), "content_type": "application/problem+json"}
    answers: list[Any] = []
    terminal.route("**/hand-in", lambda route: route.fulfill(**answers[-1]))
    for answer, why in (portal, "200"), (proxy, "404"), (strict, "conflict"), (misused, "request.invalid"):
        answers.append(answer)
        keep(terminal)
        wait_for_words(
            terminal, "#waiting", f"1 笔离线受理待上传 · 网关未受理上传，记录留在本机：请联系技术支持 ({why})"
        )
    terminal.unroute("**/hand-in")
    terminal.click("#language")
    wait_for_words(terminal, "#waiting", "it stays here: call support (request.invalid)")
    keep(terminal)
    wait_for_words(terminal, "#recent", "Accepted offline, handed in")
    terminal.wait_for_selector("#waiting", state="hidden")
    assert site.verdicts() == {"accepted": 1}


@needs_noble
def test_a_hand_in_whose_answer_was_lost_or_that_two_windows_make_is_one(visit: Any, site: Site) -> None:
    def lose(route: Any) -> None:
        sent.append(route.request.post_data_json)
        route.fetch()  # the gateway takes it
        route.abort()

    def pass_on(route: Any) -> None:
        sent.append(route.request.post_data_json)
        route.continue_()

    sent: list[Any] = []
    terminal = visit("/terminal", TERMINAL)
    provisioned(terminal)
    window = terminal.context.new_page()
    window.goto(terminal.url)
    window.wait_for_selector("#where:not(:empty)")
    texts = [voucher(site) for _ in range(3)]
    site.stop()
    for text in texts:
        submit(terminal, text, "accepted")
    site.start()
    terminal.route("**/hand-in", lose)
    with terminal.expect_event("requestfailed", lambda request: request.url.endswith("/hand-in")):
        keep(terminal)
    terminal.unroute("**/hand-in")
    terminal.context.route("**/hand-in", pass_on)
    for page in terminal, window:
        keep(page)
    for page in terminal, window:
        page.wait_for_selector("#waiting", state="hidden")
    assert site.verdicts() == {"accepted": 3}
    said = terminal.inner_text("#recent") + window.inner_text("#recent")
    assert said.count("离线受理已上传") == 3
    assert "上传未通过" not in said
    assert len(sent) == 4, "one again, and no other twice"
    assert {one["terminal"] for one in sent} == {"T1"}


@needs_noble
def test_what_was_refused_when_it_was_handed_in_is_said_until_a_person_has_seen_it(visit: Any, site: Site) -> None:
    def use_elsewhere(route: Any) -> None:
        """The first was used at another counter, and then the network is gone again."""
        text = route.request.post_data_json["text"]
        sent.append(text)
        if len(sent) == 1:
            route.fetch(url=f"{site.address}/redeem", post_data=json.dumps({"text": text}))
            route.continue_()
        else:
            route.abort()

    sent: list[str] = []
    terminal = visit("/terminal", TERMINAL)
    provisioned(terminal)
    site.stop()
    for _ in range(6):
        submit(terminal, voucher(site), "accepted")
    site.start()
    terminal.route("**/hand-in", use_elsewhere)
    keep(terminal)
    wait_for_words(terminal, "#refused", "1 笔离线受理上传未通过：请联系经办机构")
    shoot(terminal, "terminal-refused-at-hand-in")
    assert "redeem.replayed" in terminal.inner_text("#refused")
    wait_for_words(terminal, "#recent", "上传未通过")
    wait_for_words(terminal, "#waiting", "5 笔")
    terminal.unroute("**/hand-in")
    keep(terminal)
    terminal.wait_for_selector("#waiting", state="hidden")
    assert "上传未通过" not in terminal.inner_text("#recent"), "it is pushed off there"
    terminal.reload()
    wait_for_words(terminal, "#refused", "1 笔离线受理上传未通过")
    terminal.set_viewport_size({"width": 320, "height": 700})
    assert terminal.evaluate("document.documentElement.scrollWidth") <= 320
    shoot(terminal, "terminal-refused-at-hand-in-320")
    terminal.click("#language")
    wait_for_words(terminal, "#refused", "1 accepted offline, refused at hand-in: call the office")
    terminal.get_by_role("button", name="Noted").click()
    terminal.wait_for_selector("#refused", state="hidden")
    terminal.reload()
    terminal.wait_for_selector("#where:not(:empty)", state="attached")
    assert terminal.is_hidden("#refused")


FULL = """window.full = false;
for (const name of ["add", "put"]) {
  const real = IDBObjectStore.prototype[name];
  IDBObjectStore.prototype[name] = function (...given) {
    if (full) throw new DOMException("full", "QuotaExceededError");
    return real.apply(this, given);
  };
}"""
"""A device whose disk is full when the test says so."""


@needs_noble
def test_what_cannot_be_remembered_is_not_accepted(visit: Any, site: Site) -> None:
    terminal = visit("/terminal", TERMINAL, prepare=lambda page: page.add_init_script(FULL))
    provisioned(terminal)
    online, other = voucher(site), voucher(site)
    terminal.evaluate("full = true")
    assert "已受理" in submit(terminal, online, "accepted")
    site.stop()
    for text in online, other:
        assert submit(terminal, text, "cannot").endswith("请检查本机网络后重试。")
    terminal.evaluate("full = false")
    assert "redeem.replayed" in submit(terminal, online, "refused"), "the gateway accepted it"
    assert "离线受理" in submit(terminal, other, "accepted")


STORAGE = """window.asked = 0;
StorageManager.prototype.persist = async () => Boolean(++asked);
const open = IDBFactory.prototype.open;
window.broken = true;
IDBFactory.prototype.open = function (...given) {
  if (given.length > 1 && broken) throw new DOMException("broken", "UnknownError");
  return open.apply(this, given);
};"""
"""A browser whose database cannot be opened for a while, and that counts how often it is asked to keep its data."""


@needs_noble
def test_a_database_that_failed_or_was_cleared_is_opened_again(visit: Any, site: Site) -> None:
    def meets_another_customer() -> None:
        assert "已受理" in submit(terminal, voucher(site), "accepted")
        assert terminal.get_attribute("#verdict", "data-by") == "gateway"
        terminal.evaluate("dispatchEvent(new Event('online'))")
        provisioned(terminal)

    terminal = visit("/terminal", TERMINAL, prepare=lambda page: page.add_init_script(STORAGE))
    terminal.wait_for_selector("#where:not(:empty)")
    terminal.evaluate("broken = false")
    meets_another_customer()
    cleared = {"origin": site.address, "storageTypes": "indexeddb"}
    terminal.context.new_cdp_session(terminal).send("Storage.clearDataForOrigin", cleared)
    meets_another_customer()
    site.stop()
    assert "离线受理" in submit(terminal, voucher(site), "accepted")
    assert terminal.evaluate("asked") > 0


@needs_noble
def test_a_page_that_was_not_kept_at_once_is_kept_later(visit: Any, site: Site) -> None:
    site.busy = threading.Event()
    terminal = visit("/terminal", TERMINAL)
    assert site.busy.wait(20)
    site.busy = None
    keep(terminal)
    until(terminal, 'async () => Boolean(await caches.match("/terminal"))')


LIMITS = """window.limits = []; AbortSignal.timeout = (ms) => {
  const own = new AbortController();
  limits.push([ms, own]);
  return own.signal;
}"""
"""The page's limits on how long it waits: time is up when the test says so."""


@needs_noble
def test_a_gateway_that_does_not_answer_is_away(visit: Any, site: Site) -> None:
    def unanswered(path: str, act: Callable[[], None]) -> None:
        site.silent = path
        with terminal.expect_event("requestfailed", lambda request: request.url.endswith(path)):
            with terminal.expect_request(f"**{path}"):
                act()
            waits = terminal.evaluate("limits.map(([ms]) => ms)")
            assert 1_000 <= min(waits) <= max(waits) <= 10_000
            terminal.evaluate("limits.splice(0).forEach(([, own]) => own.abort())")

    terminal = visit("/terminal", TERMINAL, prepare=lambda page: page.add_init_script(LIMITS))
    provisioned(terminal)
    terminal.fill("#text", voucher(site))
    unanswered("/redeem", lambda: terminal.click("button[type=submit]"))
    assert "离线受理" in expect(terminal, "accepted")
    for path in "/config", "/keys", "/hand-in":
        unanswered(path, lambda: keep(terminal))
    site.silent = "nothing"
    keep(terminal)
    wait_for_words(terminal, "#recent", "离线受理已上传")


@needs_noble
@pytest.mark.usefixtures("own_gateway")
def test_without_the_gateway_a_suspended_pass_is_refused_and_a_late_list_says_nothing(visit: Any, site: Site) -> None:
    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL)
    before = wait_for_code(phone)
    phone.check("input[name=kind][value='3']")
    text = wait_for_code(phone, other_than=before)
    site.world.registry.suspend(index=site.world.verifier.verifier.verify(text).status_index)
    site.ahead += 1  # a list is newer by a second
    site.world.refresh_statuses()
    terminal.reload()
    provisioned(terminal, site.world.published)
    site.stop()
    assert "status.suspended" in submit(terminal, text, "refused")
    terminal.clock.install()
    terminal.clock.fast_forward(62_000)
    assert "status.unavailable" in submit(terminal, text, "cannot")


@needs_noble
def test_a_clock_that_is_set_back_makes_no_ring_and_no_code_good_again(visit: Any, site: Site) -> None:
    terminal = visit("/terminal", TERMINAL, prepare=set_clock(0))
    text, now = voucher(site), time.time()
    provisioned(terminal)
    site.stop()
    terminal.clock.fast_forward(25 * 3600 * 1000)  # nobody scans meanwhile
    until(terminal, f"async () => await ({STORED})('seen') > {now + 25 * 3600 - 60}")
    terminal.clock.set_system_time(now + 5)
    said = submit(terminal, text, "cannot")
    assert said.endswith("key.ring_expired · 步骤 3")
    assert BY_CODE["key.ring_expired"].remedy.zh in said
    site.start()
    assert provision(terminal)
    site.stop()
    terminal.clock.set_system_time(now - 3600)
    said = submit(terminal, text, "cannot")
    assert said.endswith("redeem.clock · 步骤 9")
    assert BY_CODE["redeem.clock"].remedy.zh in said
    terminal.clock.set_system_time(now + 10)
    assert "离线受理" in submit(terminal, text, "accepted")


@needs_noble
@pytest.mark.usefixtures("own_gateway")
def test_the_terminal_takes_no_earlier_ring_and_no_earlier_list(visit: Any, site: Site) -> None:
    phone, terminal = visit("/phone", PHONE), visit("/terminal", TERMINAL)
    before = wait_for_code(phone)
    phone.check("input[name=kind][value='3']")
    text = wait_for_code(phone, other_than=before)
    provisioned(terminal)
    served = {"keys": terminal.evaluate("fetch('/keys').then(answer => answer.text())"), "list": site.world.published}
    terminal.route("**/status/list", lambda route: route.fulfill(body=served["list"]))
    terminal.route("**/keys", lambda route: route.fulfill(body=served["keys"]))
    terminal.route("**/redeem", lambda route: route.abort())

    earlier = site.world.published
    site.world.registry.suspend(index=site.world.verifier.verifier.verify(text).status_index)
    site.ahead += 1  # a list is newer by a second
    site.world.refresh_statuses()
    for served["list"] in site.world.published, earlier:
        assert provision(terminal)
        assert "status.suspended" in submit(terminal, text, "refused")

    ring = json.loads(served["keys"])
    (key,) = ring["keys"]
    withdrawn = {"yb_version": ring["yb_version"] + 1, "keys": [key | {"yb_withdrawn_since": 0}]}
    another = withdrawn | {"keys": [key]}  # of the same version
    for served["keys"], is_taken in (
        (json.dumps(withdrawn), True),
        (json.dumps(another), False),
        (json.dumps(ring), False),
    ):
        assert provision(terminal) == is_taken
        assert "scope.withdrawn" in submit(terminal, text, "refused")
    terminal.reload()
    wait_for_words(terminal, "#stale", "网关的密钥环与本机用过的不同")
    terminal.click("#language")
    wait_for_words(terminal, "#stale", "this terminal keeps to its own")
    assert "scope.withdrawn" in submit(terminal, text, "refused")


def forged(text: str) -> str:
    """The same with another signature: a bit of it is another one."""
    profile, data = decode_text(text)
    at = data.index(b"\x58\x40") + 2 if profile == 3 else len(data) - 1  # the issuer's signature comes first
    return encode_text(profile, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_in_a_dark_room_the_code_stays_black_on_white_with_its_quiet_zone(visit: Any) -> None:
    phone = visit("/phone", PHONE, color_scheme="dark")
    wait_for_code(phone)
    picture = photograph(phone, "phone-dark")
    scan(picture)
    box = phone.locator("#code").bounding_box()
    module = box["width"] / (49 + 8)
    with Image.open(io.BytesIO(picture)) as image:
        left, top = int(box["x"]), int(box["y"])
        shown = image.convert("L").crop((left, top, left + int(box["width"]), top + int(box["height"])))
    zone = int(module * 4) - 2
    white = (255, 255)
    assert shown.crop((1, 1, shown.width - 1, zone)).getextrema() == white
    assert shown.crop((1, 1, zone, shown.height - 1)).getextrema() == white
    assert shown.crop((1, shown.height - zone, shown.width - 1, shown.height - 1)).getextrema() == white
    assert shown.crop((shown.width - zone, 1, shown.width - 1, shown.height - 1)).getextrema() == white
    assert shown.getextrema() == (0, 255)
    assert box["width"] > 0.9 * PHONE["width"]
    if SHOTS:
        shoot(visit("/terminal", TERMINAL, color_scheme="dark"), "terminal-dark")


@pytest.mark.parametrize(
    ("path", "complete"),
    [("/", "h1"), ("/phone", "#code:not([hidden])"), ("/terminal", "#where:not(:empty)"), ("/docs", "article")],
)
def test_nothing_sticks_out_and_everything_has_a_name(visit: Any, path: str, complete: str) -> None:
    page = visit(path, {"width": 320, "height": 700})
    page.wait_for_selector(complete, state="attached")
    for width in (320, 768, 1600):
        page.set_viewport_size({"width": width, "height": 700})
        shoot(page, f"{path.strip('/') or 'index'}-{width}")
        assert page.evaluate("[innerWidth, document.documentElement.scrollWidth <= innerWidth]") == [width, True]
        nameless = page.evaluate(
            """[...document.querySelectorAll('button, input, a, img')].filter(e => e.checkVisibility() && !(
                 e.ariaLabel || e.textContent.trim() || e.alt || [...(e.labels ?? [])].some(l => l.textContent.trim())))
               .map(e => e.outerHTML)"""
        )
        assert nameless == []


def test_docs_show_each_path_and_method_of_openapi(visit: Any) -> None:
    page = visit("/docs", PHONE)
    page.wait_for_selector("article")
    api = page.evaluate("async () => (await fetch('/openapi.json')).json()")
    operations = {f"{method}{path}": each for path, methods in api["paths"].items() for method, each in methods.items()}
    schemas = {f"schema/{name}": each for name, each in api["components"]["schemas"].items()}
    shown = page.evaluate("Object.fromEntries([...document.querySelectorAll('article')].map(a => [a.id, a.innerText]))")
    assert shown.keys() == operations.keys() | schemas.keys()
    flat = {name: " ".join(text.split()) for name, text in shown.items()}
    for name, each in operations.items():
        method, slash, path = name.partition("/")
        assert flat[name].startswith(f"{method.upper()} {slash}{path} {each['summary']} ")
        for said in (each["description"].replace("``", ""), *each["responses"]):
            assert " ".join(said.split()) in flat[name], name
        for parameter in each.get("parameters", ()):
            assert parameter["name"] in flat[name]
        for body in each.get("requestBody", {}).get("content", {}).values():
            asked = schemas["schema/" + body["schema"]["$ref"].rpartition("/")[2]]
            assert_fields(asked, flat[name])
    for name, schema in schemas.items():
        assert_fields(schema, flat[name])
    links = "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => decodeURI(a.hash.slice(1)))"
    assert set(page.evaluate(links)) == shown.keys(), "each is linked, and each link leads somewhere"


def assert_fields(schema: dict[str, Any], shown: str) -> None:
    """A schema's fields are on the page, with their bounds and with what they are."""
    for field, each in schema["properties"].items():
        assert field in shown
        assert each.get("description", "") in shown
        for stated in (each, *each.get("anyOf", ())):
            for bound in ("maximum", "maxLength", "maxItems", "pattern"):
                assert f"{stated.get(bound, '')}".removesuffix(".0") in shown, (field, bound)


def test_docs_have_both_languages_and_nothing_of_them_sticks_out(visit: Any) -> None:
    for scheme in ("light", "dark"):
        page = visit("/docs#schema/Problem", PHONE, color_scheme=scheme)
        page.wait_for_selector("article:target")
        assert abs(page.locator("article:target").bounding_box()["y"]) < PHONE["height"], "the address leads there"
        for language, word in ("zh", "请求体"), ("en", "Request body"):
            assert word in page.inner_text("article >> nth=0")
            for viewport in (PHONE, TERMINAL):
                page.set_viewport_size(viewport)
                width = viewport["width"]
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                for place in ("top", "post/issue", "post/status/{index}", "schema/Problem") if SHOTS else ():
                    page.evaluate("id => (document.getElementById(id) ?? document.body).scrollIntoView()", place)
                    shoot(page, f"docs-{scheme}-{language}-{width}-{place.replace('/', '-')}")
            page.click("#language")


def test_docs_show_what_openapi_says_as_text(visit: Any) -> None:
    markup = "<img src=/static/none onerror=alert(1)> and `<b>code</b>`"
    paths = {"/<i>": {"get": {"description": markup, "responses": {}}}}
    api = {"info": {"title": markup, "version": "1"}, "paths": paths}
    page = visit("/phone", PHONE)
    page.route("**/openapi.json", lambda route: route.fulfill(json=api))
    page.goto(page.url.replace("/phone", "/docs"))
    page.wait_for_selector("article")
    assert "<img src=/static/none onerror=alert(1)> and <b>code</b>" in page.inner_text("article")
    assert page.locator("#api :is(img, b, i)").count() == 0
    page.route("**/openapi.json", lambda route: route.fulfill(status=503))
    page.reload()
    page.locator("#failed:visible").filter(has_text="/openapi.json").wait_for()


def test_words_stand_out_from_their_ground(visit: Any) -> None:
    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[4:-1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    terminal = visit("/terminal", TERMINAL)
    terminal.wait_for_selector("#where:not(:empty)")  # nothing paints over what is tried here
    for scheme in ("light", "dark"):
        terminal.emulate_media(color_scheme=scheme)
        for kind in ("ready", "accepted", "refused", "again", "cannot"):
            ink, ground = terminal.evaluate(
                "kind => { const v = document.getElementById('verdict'); v.className = 'verdict ' + kind;"
                " const s = getComputedStyle(v); return [s.color, s.backgroundColor] }",
                kind,
            )
            high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, kind, ink, ground)


CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
TRACK = "document.getElementById('video').srcObject.getVideoTracks()[0]"


@pytest.fixture
def counter(site: Site, visit: Any, launch: Any, tmp_path: Path) -> Iterator[Any]:
    """A terminal with a camera before which codes are held."""
    browsers = []

    def open_(*scenes: tuple[str, int], flags: Sequence[str] = CAMERA) -> Any:
        browsers.append(launch(*flags, *([film(tmp_path / "camera.y4m", *scenes)] if scenes else [])))
        return visit("/terminal", TERMINAL, browsers[-1], bring_detector)

    yield open_
    for browser in browsers:
        browser.close()


@pytest.mark.usefixtures("own_gateway")
def test_both_pages_say_that_the_key_ring_is_stale(visit: Any, site: Site) -> None:
    timestamp = site.world.publisher.repository / "metadata" / "timestamp.json"
    kept = timestamp.read_bytes()
    timestamp.unlink()
    site.world.refresh_rings()
    for path, viewport in (("/terminal", TERMINAL), ("/terminal", PHONE), ("/phone", PHONE), ("/phone", SIDEWAYS)):
        page = visit(path, viewport)
        line = page.locator("#stale:visible")
        line.wait_for()
        assert line.inner_text().startswith("密钥环无法更新" if path == "/terminal" else "收费终端的密钥环未更新")
        shoot(page, f"stale-{path[1:]}-{viewport['width']}")
        page.click("#language")
        assert "key ring is out of date" in line.inner_text()
        assert path == "/terminal" or page.evaluate("document.body.scrollHeight <= innerHeight"), "the code is whole"
        shoot(page, f"stale-{path[1:]}-{viewport['width']}-en")
    timestamp.write_bytes(kept)
    site.world.refresh_rings()
    page.reload()
    page.wait_for_selector("#code:visible")
    until(page, "async () => (await fetch('/config').then((answer) => answer.json())).stale === null")
    assert page.is_hidden("#stale")


def voucher(site: Site) -> str:
    text: str = site.world.issuer.issue(bytes(16), "330100", purpose="01301").text
    return text


def test_a_code_held_before_the_camera_is_redeemed_once_and_its_verdict_stays(counter: Any, site: Site) -> None:
    terminal = counter((voucher(site), 1))
    terminal.click("#camera")
    assert "浙江杭州" in expect(terminal, "accepted")
    watch(terminal, 5, 3_500)  # longer than a code may be out of sight
    shoot(terminal, "camera-accepted")
    assert "已受理" in expect(terminal, "accepted")
    assert site.verdicts() == {"accepted": 1}
    # It goes on, for the next customer, until it is switched off.
    track = terminal.evaluate_handle(TRACK)
    assert terminal.is_visible("#video")
    assert terminal.get_attribute("#camera", "aria-pressed") == "true"
    assert track.evaluate("track => track.readyState") == "live"
    terminal.click("#camera")
    assert terminal.is_hidden("#video")
    assert terminal.get_attribute("#camera", "aria-pressed") == "false"
    assert track.evaluate("track => track.readyState") == "ended"
    # Switched on again at once, it knows the code that is still there.
    terminal.click("#camera")
    watch(terminal, 4)
    expect(terminal, "accepted")
    assert site.verdicts() == {"accepted": 1}


def test_a_code_shown_to_the_camera_again_on_purpose_is_a_scan_of_its_own(counter: Any, site: Site) -> None:
    once, other = voucher(site), voucher(site)
    terminal = counter((once, 5), ("", 3), (once, 5), (other, 5), ("", 17))
    terminal.click("#camera")
    expect(terminal, "accepted")
    terminal.wait_for_selector("#recent li:nth-child(2)")
    assert site.verdicts() == {"accepted": 2}, "out of sight for a moment, the first was not scanned again"
    assert "redeem.replayed" in expect(terminal, "refused")
    shoot(terminal, "camera-replayed")
    for width, height in (1280, 800), (768, 1024), (390, 844):
        terminal.set_viewport_size({"width": width, "height": height})
        shoot(terminal, f"camera-{width}")
        for part in "#video", "#text":
            box = terminal.locator(part).bounding_box()
            assert box["y"] + box["height"] <= height, "whoever aims need not scroll"
        assert terminal.evaluate("document.documentElement.scrollWidth") <= width


def test_a_code_that_the_camera_only_verified_is_redeemed_while_it_is_still_there(counter: Any, site: Site) -> None:
    terminal = counter((voucher(site), 1))
    terminal.check("input[name=act][value=verify]")
    terminal.click("#camera")
    assert "有效，本次未核销" in expect(terminal, "accepted")
    terminal.check("input[name=act][value=redeem]")
    terminal.wait_for_selector("#recent li:nth-child(2)")
    assert "已受理" in expect(terminal, "accepted")


@pytest.mark.parametrize(
    ("name", "flags", "zh", "en"),
    [
        ("denied", CAMERA[:1], "浏览器未获准使用摄像头", "This page may not use the camera"),
        ("missing", [f"{CAMERA[0]}=device-count=0", CAMERA[1]], "没有可用的摄像头", "There is no camera to use"),
    ],
)
def test_a_camera_that_cannot_be_used_says_why_and_what_to_do(
    counter: Any, name: str, flags: Sequence[str], zh: str, en: str
) -> None:
    terminal = counter(flags=flags)
    assert terminal.is_hidden("#camera-note")
    terminal.click("#camera")
    note = terminal.locator("#camera-note")
    note.wait_for()
    shoot(terminal, f"camera-{name}")
    assert zh in note.inner_text()
    terminal.click("#language")
    assert en in note.inner_text()
    shoot(terminal, f"camera-{name}-en")
    assert terminal.is_hidden("#video")
    assert terminal.get_attribute("#camera", "aria-pressed") == "false"
    assert terminal.is_enabled("#camera"), "it can be tried again"


def test_the_camera_is_offered_only_where_the_browser_reads_codes(visit: Any) -> None:
    with_one, without = visit("/terminal", TERMINAL, prepare=bring_detector), visit("/terminal", TERMINAL)
    without.wait_for_selector("#camera-note:not([hidden])")
    assert without.evaluate("'BarcodeDetector' in window") is False
    assert without.is_disabled("#camera")
    assert "此浏览器不支持摄像头扫码" in without.inner_text("#camera-note")
    with_one.wait_for_selector("#where:not(:empty)")  # its script has run
    assert with_one.is_enabled("#camera")
    assert with_one.is_hidden("#camera-note")
