"""``python docs/site.py OUT``: the documents as a website in a folder, with search, in light and dark.

The site is made of the same files that are read in the repository. They are copied into one tree, as they lie, so that
each relative link leads to the same file as there; what a page links to and is no page (a source file, a picture) is
copied beside it. Sphinx checks every link between pages, and a wrong one fails the build. The pages load nothing from
elsewhere.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
# The menu: a heading, and its pages or folders in order. English and Chinese stand apart.
_MENU = (
    ("Guide", ["README.md", "docs/guide/*.md", "deploy/README.md", "examples/gateway/README.md"]),
    ("Spec", ["docs/spec/*.md", "vectors/README.md", "interop/README.md", "js/README.md"]),
    ("Why", ["docs/why/*.md", "benchmarks/README.md", "docs/adr/*.md"]),
    ("Reference", ["docs/reference/*.md"]),
    ("Project", ["CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "native/python/README.md"]),
    ("中文", ["README.zh-CN.md", "docs/*.zh-CN.md", "docs/*/*.zh-CN.md", "deploy/*.zh-CN.md"]),
)
_FIRST = ("docs/guide/quick-start.md", "docs/guide/counter.md")  # of a folder; the rest follows by name

_CONF = """
project = "ybtoken"
release = version = {version!r}
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "ybtoken {version}"
html_show_sphinx = False
html_copy_source = False
html_search_language = "zh"  # splits Chinese into words, and stems English ones
language = "en"
myst_heading_anchors = 5
myst_enable_extensions = []
# Source files and pictures are copied; the notation of bytes and of logs has no lexer.
suppress_warnings = ["myst.header", "misc.highlighting_failure", "toc.not_included"]
exclude_patterns = []
"""


def pages() -> list[Path]:
    """The Markdown files that git knows, relative to the root."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in listed.stdout.splitlines()]


def stage(tree: Path) -> None:
    """Copy the pages, and what they link to, to where they lie in the repository."""
    known = pages()
    for page in known:
        for target in {page, *_linked(page)}:
            (tree / target).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / target).is_file():
                shutil.copyfile(ROOT / target, tree / target)
    (tree / "conf.py").write_text(_CONF.format(version=version("ybtoken")), encoding="utf-8")
    (tree / "index.md").write_text(_index(known), encoding="utf-8")


def _linked(page: Path) -> Iterator[Path]:
    for target in _LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            found = (ROOT / page.parent / target).resolve()
            if found.is_relative_to(ROOT):
                yield found.relative_to(ROOT)


def _index(known: list[Path]) -> str:
    lines = ["# ybtoken", "", "[English](README.md) · [简体中文](README.zh-CN.md)", ""]
    for heading, patterns in _MENU:
        chinese = heading == "中文"
        chosen = [page for pattern in patterns for page in _matching(known, pattern, chinese=chinese)]
        lines += ["```{toctree}", f":caption: {heading}", ":maxdepth: 1", ":hidden:", ""]
        lines += [str(page.with_suffix("")) for page in dict.fromkeys(chosen)] + ["```", ""]
    return "\n".join(lines)


def _matching(known: list[Path], pattern: str, *, chinese: bool) -> list[Path]:
    found = [page for page in known if page.match(pattern) and page.name.endswith(".zh-CN.md") == chinese]
    depth = pattern.count("/")
    return sorted(
        (page for page in found if len(page.parents) == depth + 1),
        key=lambda page: (page.as_posix() not in _FIRST, _FIRST.index(page.as_posix()) if page.as_posix() in _FIRST
                          else 0, page.as_posix()),
    )  # fmt: skip


def main() -> int:
    """Build the site; the exit code is Sphinx's, which is not 0 for a link that leads nowhere."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", folder, str(out)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
