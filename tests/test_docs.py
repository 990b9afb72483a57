"""The documents: their code runs, their links have targets, and their generated parts are up to date."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.replay.redis_server import SERVER, RedisServer
from tests.support import check_each

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for folder in ("", "docs", "deploy", "vectors", "benchmarks", "examples", "interop")
    for path in ((ROOT / folder).rglob("*.md") if folder else ROOT.glob("*.md"))
)
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)$", re.MULTILINE)

CHINESE = [path for path in DOCUMENTS if path.name.endswith(".zh-CN.md") and path.parent != ROOT]
COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


@cache
def _prose(path: Path) -> str:
    """A document without its code blocks."""
    return BLOCK.sub("", path.read_text(encoding="utf-8"))


def _anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as code-hosting sites make them."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(_prose(path)))
    return {heading.strip().replace(" ", "-") for heading in headings}


def _with_python() -> list[Path]:
    """Documents with code to run: a Chinese page has the code of its English page, which is run there."""
    originals = [path for path in DOCUMENTS if path not in CHINESE]
    return [path for path in originals if any(kind == "python" for kind, _ in BLOCK.findall(path.read_text("utf-8")))]


@pytest.mark.parametrize("path", _with_python(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_blocks_of_a_document_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segno", reason="the quick start draws a QR code")
    monkeypatch.chdir(tmp_path)
    content = path.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": path.stem}
    with _store(tmp_path, monkeypatch, wanted="```python redis\n" in content) as has_store:
        missing = {"native": find_spec("ybtoken_native") is None, "redis": not has_store}
        missing |= dict.fromkeys(("dask", "ray", "spark"), True)  # tests/bulk/test_clusters.py runs these
        for match in BLOCK.finditer(content):
            needs = match[0].partition("\n")[0].removeprefix("```python").strip()
            if match[1] == "python" and not missing.get(needs):
                before = content[: match.start(2)].count("\n")  # so that a traceback names the line of the document
                exec(compile("\n" * before + match[2], str(path), "exec"), namespace)


@contextmanager
def _store(folder: Path, monkeypatch: pytest.MonkeyPatch, *, wanted: bool) -> Iterator[bool]:
    """Run a redis-server for a document that needs one; yields whether there is one."""
    if not wanted or SERVER is None or find_spec("redis") is None:
        yield False
        return
    server = RedisServer(folder, "--save", "")
    monkeypatch.setenv("STORE_URL", server.url)
    try:
        yield True
    finally:
        server.stop()


def test_the_shell_blocks_of_the_guide_run(tmp_path: Path) -> None:
    pytest.importorskip("typer", reason="the command line is an extra")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command line here")
    content = (ROOT / "docs" / "guide" / "command-line.md").read_text(encoding="utf-8")
    script = "\n".join(code for kind, code in BLOCK.findall(content) if kind == "sh")
    assert script.count("ybtoken ") >= 9
    command = f"ybtoken() {{ '{sys.executable}' -m ybtoken.cli \"$@\"; }}\nset -e\n{script}"
    result = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "code.png").read_bytes().startswith(b"\x89PNG")


def test_every_page_of_the_guide_has_code_that_runs() -> None:
    guide = {path for path in (ROOT / "docs" / "guide").glob("*.md") if path.stem != "command-line"} - set(CHINESE)
    assert len(guide) >= 7
    assert guide <= set(_with_python())


def test_relative_links_lead_somewhere() -> None:
    def check(path: Path) -> None:
        for target in LINK.findall(_prose(path)):
            if "://" in target or target.startswith("mailto:"):
                continue
            file, _, anchor = target.partition("#")
            linked = (path.parent / file).resolve() if file else path
            assert linked.exists(), target
            assert not anchor or anchor in _anchors(linked), target

    check_each({str(path.relative_to(ROOT)): path for path in DOCUMENTS}, check)


def test_every_document_is_reached_from_the_readme() -> None:
    reached, open_ = set[Path](), [ROOT / "README.md"]
    while open_:
        current = open_.pop()
        if current in reached or current.suffix != ".md":
            continue
        reached.add(current)
        links = (target.partition("#")[0] for target in LINK.findall(_prose(current)))
        open_ += [linked for link in links if link and (linked := (current.parent / link).resolve()).is_file()]
    assert [path for path in DOCUMENTS if path not in reached and path.name != "index.md"] == []


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_chinese_page_has_the_structure_and_the_code_of_the_english_page(path: Path) -> None:
    outlines = []
    for page in (path, path.with_name(path.name.replace(".zh-CN", ""))):
        content = page.read_text(encoding="utf-8")
        prose = BLOCK.sub("", content)
        outlines.append(
            {
                "levels of headings": re.findall(r"^#+", prose, re.MULTILINE),
                "code blocks": [
                    (match[0].partition("\n")[0], [line.rstrip() for line in COMMENT.sub("", match[2]).splitlines()])
                    for match in BLOCK.finditer(content)
                ],
                "rows of tables": len(re.findall(r"^\|", prose, re.MULTILINE)),
                "items": len(re.findall(r"^(?:\*|\d\.) ", prose, re.MULTILINE)),
            }
        )
    assert outlines[0] == outlines[1]


def test_the_chinese_spec_has_the_requirements_the_codes_and_the_numbers_of_the_english_spec() -> None:
    words = {  # of RFC 2119, and of GB/T 1.1; 应答 is an answer, 应用 an app, 可能 a possibility
        "MUST": (r"\bMUST\b(?! NOT)", r"(?<![不对响相适反])应(?![答用])"),
        "MUST NOT": (r"\bMUST NOT\b", r"不应(?!答)"),
        "SHOULD": (r"\bSHOULD\b", "宜"),
        "MAY": (r"\bMAY\b", r"可(?!能)"),
    }
    read = []
    for language, name in enumerate(("token-format.md", "token-format.zh-CN.md")):
        content = (ROOT / "docs" / "spec" / name).read_text(encoding="utf-8")
        content = re.sub(r"<!-- generated: .*?<!-- end -->|\]\([^)]*\)|```", "", content, flags=re.DOTALL)
        sections = []
        for section in re.split(r"^##+ ", content, flags=re.MULTILINE)[1:]:
            prose = re.sub(r"`[^`]+`", "", section)
            required = {word: len(re.findall(found[language], prose)) for word, found in words.items()}
            codes = Counter(" ".join(code.split()) for code in re.findall(r"`[^`]+`", section))
            sections.append((required, codes, Counter(re.findall(r"\d+", prose))))
        read.append(sections)
    assert sum(required["MUST"] for required, _, _ in read[0]) > 30
    for (required, codes, numbers), (required_zh, codes_zh, numbers_zh) in zip(*read, strict=True):
        assert (required, codes) == (required_zh, codes_zh)
        assert not numbers - numbers_zh
        assert set(numbers) == set(numbers_zh)  # the Chinese text says the English words in formulas once more


def test_chinese_pages_use_the_words_of_the_table_of_terms() -> None:
    table = (ROOT / "docs" / "terms.md").read_text(encoding="utf-8")
    cells = [row.split("|")[3].strip() for row in table.splitlines() if row.startswith("| ")][1:]
    other = {word for cell in cells if cell for word in cell.split("、")}
    assert len(other) > 20
    kinds = {".py", ".js", ".html"}
    shown = [path for folder in ("src", "examples") for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    assert len(shown) > 100
    for path in (*CHINESE, ROOT / "README.zh-CN.md", *shown):
        content = path.read_text(encoding="utf-8")
        assert {word for word in other if word in content} == set(), f"{path}: see docs/terms.md"


def test_both_readmes_have_the_same_structure() -> None:
    outlines = []
    for name in ("README.md", "README.zh-CN.md"):
        content = (ROOT / name).read_text(encoding="utf-8")
        blocks = [
            (kind, [line.partition("#")[0].strip() for line in code.splitlines()] if kind == "sh" else code.count("\n"))
            for kind, code in BLOCK.findall(content)
        ]
        prose = BLOCK.sub("", content)
        outlines.append(
            {
                "levels of headings": re.findall(r"^#+", prose, re.MULTILINE),
                "code blocks": blocks,
                "rows of tables": len(re.findall(r"^\|", prose, re.MULTILINE)),
                "links": [link.replace(".zh-CN", "") for link in LINK.findall(prose) if not link.startswith("README")],
                "items": len(re.findall(r"^\* ", prose, re.MULTILINE)),
            }
        )
    assert outlines[0] == outlines[1]


def test_the_readme_names_every_extra_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"ybtoken\[([\w-]+)\]", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == set(project["optional-dependencies"])


def test_the_example_of_the_readme_has_twelve_lines() -> None:
    (example,) = [code for kind, code in BLOCK.findall((ROOT / "README.md").read_text("utf-8")) if kind == "python"]
    assert len(example.splitlines()) == 12
    assert "except TokenError" in example


def test_what_is_generated_is_up_to_date() -> None:
    generator = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    result = subprocess.run(generator, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_sections_of_the_spec_that_the_code_names_exist() -> None:
    spec = _prose(ROOT / "docs" / "spec" / "token-format.md")
    numbers = {heading.split()[0].rstrip(".") for heading in HEADING.findall(spec) if heading[0].isdigit()}
    named = {
        (number, str(path.relative_to(ROOT)))
        for folder in ("src", "vectors")
        for path in (ROOT / folder).rglob("*.py")
        for number in re.findall(r"(?:Spec|规范) (\d(?:\.\d)?)", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert {(number, path) for number, path in named if number not in numbers} == set()


def test_decisions_that_the_code_names_exist() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    decisions = {path.name: path.name[:4] for path in (ROOT / "docs" / "adr").glob("0*.md")}
    assert len(set(decisions.values())) == len(decisions)  # no number twice
    for name, number in decisions.items():
        assert f"[{number}]({name})" in index
        assert (ROOT / "docs" / "adr" / name).read_text(encoding="utf-8").startswith(f"# {number}: ")
    for path in (ROOT / "src").rglob("*.py"):
        for number in re.findall(r"ADR (\d{4})", path.read_text(encoding="utf-8")):
            assert number in decisions.values(), f"{path}: ADR {number}"


@pytest.mark.parametrize("name", ["token-format.md", "token-format.zh-CN.md"])
def test_the_spec_has_every_refusal_under_the_step_that_raises_it(name: str) -> None:
    from ybtoken.refusals import REFUSALS

    spec = (ROOT / "docs" / "spec" / name).read_text(encoding="utf-8")
    verification = spec[spec.index("## 4. ") : spec.index("## 5. ")]
    steps = dict(re.findall(r"^(\d)\. (.*?)(?=^\d\. |^$)", verification, re.DOTALL | re.MULTILINE))
    for refusal in REFUSALS:
        family = f"`{refusal.code.split('.')[0]}.*`"
        assert f"`{refusal.code}`" in steps[str(refusal.step)] or family in steps[str(refusal.step)], refusal.code
