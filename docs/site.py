"""``python docs/site.py OUT``: the documents as a website in a folder, with search, in light and dark.

The site is made of the same files that are read in the repository. They are copied into one tree, as they lie, so that
each relative link leads to the same file as there; what a page links to and is no page (a source file, a picture) is
copied beside it. Sphinx checks every link between pages, and a wrong one fails the build. The pages load nothing from
elsewhere.

Each version has a folder, OUT/VERSION. Folders of other versions that are in OUT stay, and every page leads to them.
"""

from __future__ import annotations

import argparse
import json
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
templates_path = ["_templates"]
html_sidebars = {{"**": ["sidebar/brand.html", "versions.html", "sidebar/search.html", "sidebar/scroll-start.html",
                        "sidebar/navigation.html", "sidebar/scroll-end.html"]}}
suppress_warnings = ["myst.header", "misc.highlighting_failure", "toc.not_included"]
exclude_patterns = []
"""

# The list is a script beside the folders, so that the pages of an older version lead to a newer one. It is not fetched,
# because a page that is opened as a file may not fetch.
_SIDEBAR = """<p style="padding: 0 var(--sidebar-item-spacing-horizontal)"><label>Version · 版本
<select id="versions" data-root="{{ pathto("../", resource=True) }}" data-version="{{ version }}"
  style="font: inherit; color: inherit; background: var(--color-sidebar-background);
  border: 1px solid var(--color-background-border)"></select>
</label><script src="{{ pathto("../versions.js", resource=True) }}"></script></p>
"""
_SCRIPT = """const menu = document.getElementById("versions");
for (const version of {versions})
  menu.add(new Option(version, version, false, version === menu.dataset.version));
menu.onchange = () => location.assign(menu.dataset.root + menu.value + "/index.html");
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
    (tree / "_templates").mkdir()
    (tree / "_templates" / "versions.html").write_text(_SIDEBAR, encoding="utf-8")
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


def list_versions(out: Path) -> list[str]:
    """Write the list of what is there, newest first, and lead the site's address to the newest."""
    found = [path.parent.name for path in out.glob("*/index.html")]
    newest_first = sorted(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)], reverse=True)
    (out / "versions.js").write_text(_SCRIPT.format(versions=json.dumps(newest_first)), encoding="utf-8")
    target = f"{newest_first[0]}/index.html"
    refresh = f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">ybtoken</a>\n'
    (out / "index.html").write_text(refresh, encoding="utf-8")
    return newest_first


def main() -> int:
    """Build the site; the exit code is Sphinx's, which is not 0 for a link that leads nowhere."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        here = str(out / version("ybtoken"))
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", folder, here]
        code = subprocess.run(command, check=False).returncode
    if code == 0:
        print("versions:", ", ".join(list_versions(out)))
    return code


if __name__ == "__main__":
    sys.exit(main())
