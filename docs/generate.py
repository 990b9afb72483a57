"""Generates parts of the documents: `python docs/generate.py`; `--check` compares them with what is committed.

* marked blocks: the worked example (from the vectors), the tables of refusals (from the code)
* reference/: every public name with its docstring, read from the sources without importing them

It also tells which Chinese pages are behind their English page. After translating the change, run
`python docs/generate.py --translated PAGE.zh-CN.md`, which writes the digest of the English page into the Chinese one.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PACKAGE = ROOT / "src" / "ybtoken"

# --- the worked example ----------------------------------------------------------------------------------------------

_NAMES = {0: "unsigned", 1: "negative", 2: "bytes", 3: "text", 4: "array", 5: "map", 6: "tag"}
_LAST_BYTES = {0: 0, 3: 1, 5: 2, 8: 3, 10: 4, 13: 5, 15: 6}


def _items(data: bytes, at: int, depth: int) -> Iterator[tuple[int, int, int, str]]:
    """The items of an encoding, as far as the format uses them: depth, start, end, and a description."""
    major, info = data[at] >> 5, data[at] & 31
    width = {24: 1, 25: 2, 26: 4}.get(info, 0)
    body = at + 1 + width
    number = info if not width else int.from_bytes(data[at + 1 : body], "big")
    shown = -1 - number if major == 1 else number
    end = body + number if major in (2, 3) else body
    yield depth, at, end, f"{_NAMES[major]}({shown})"
    for _ in range({4: number, 5: 2 * number, 6: 1}.get(major, 0)):
        for item in _items(data, end, depth + 1):
            yield item
            if item[0] == depth + 1:
                last = item
        end = _end(data, last[1])


def _end(data: bytes, at: int) -> int:
    return max(end for _, _, end, _ in _items(data, at, 0))


def _annotated(data: bytes, at: int = 0) -> str:
    lines = []
    for depth, start, end, what in _items(data, at, 0):
        hexed = data[start:end].hex()
        shown = [hexed[i : i + 48] for i in range(0, len(hexed), 48)]
        lines.append(f"{'  ' * depth}{shown[0]:<{52 - 2 * depth}} # {what}")
        lines += [f"{'  ' * depth}{part}" for part in shown[1:]]
    return "\n".join(lines)


def _diagnostic(data: bytes, at: int = 0) -> str:
    """Diagnostic notation (RFC 8949 section 8) of the items that the format uses."""
    major = data[at] >> 5
    _, _, body, what = next(_items(data, at, 0))
    number = int(what.partition("(")[2].rstrip(")"))
    if major in (0, 1):
        return str(number)
    if major == 2:
        return f"h'{data[body - number : body].hex()}'"
    if major == 3:
        return json.dumps(data[body - number : body].decode())
    parts = []
    for _ in range(number if major == 4 else 2 * number if major == 5 else 1):
        parts.append(_diagnostic(data, body))
        body = _end(data, body)
    if major == 4:
        return f"[{', '.join(parts)}]"
    if major == 5:
        return f"{{{', '.join(f'{key}: {value}' for key, value in zip(parts[::2], parts[1::2], strict=True))}}}"
    return f"{number}({parts[0]})"


def _example(*, chinese_only: bool = False) -> str:
    cases = json.loads((ROOT / "vectors" / "text.json").read_text())["cases"]
    case = next(case for case in cases if case["id"] == "text/accept")
    data, text = bytes.fromhex(case["token"]), case["text"]
    (header_at, header_end), (claims_at, claims_end) = (3, 16), (19, 19 + data[18])
    header, claims = data[header_at:header_end], data[claims_at:claims_end]
    signed = b"\x84\x6aSignature1\x4d" + header + b"\x40\x58" + bytes([len(claims)]) + claims
    digits = text[2:-2]
    groups = [digits[i : i + 17] for i in range(0, len(digits), 17)]
    table = []
    for number, group in enumerate(groups):
        chunk = data[7 * number : 7 * number + 7]
        assert int(group).to_bytes(len(chunk), "little") == chunk
        table.append(f"{chunk.hex():<14}  {group}")
    blocks = (
        ("json", json.dumps(case["jwks"]["keys"][0], indent=2)),
        ("json", json.dumps(case["expect"]["claims"], indent=2)),
        ("cbor-diag", f"{_diagnostic(header)}\n{_diagnostic(claims)}"),
        ("text", _annotated(claims)),
        ("text", _wrapped(signed.hex())),
        ("text", _annotated(data)),
        ("cbor-diag", _diagnostic(data)),
        ("text", "\n".join(table)),
        ("text", _wrapped(text)),
    )
    sizes = {"header": len(header), "claims": len(claims), "signed": len(signed), "data": len(data), "text": len(text)}
    return _woven(_EXAMPLE, blocks, chinese_only=chinese_only, first=text[:2], last=text[-2:], **sizes)


_EXAMPLE = (
    ("The issuer's public key, as an entry of a key ring:", "签发机构的公钥，写作密钥环的一个条目："),
    ("What is stated:", "写入的内容："),
    (
        "The protected header, {header} bytes, and the claims, {claims} bytes, in diagnostic notation:",
        "受保护头部（{header} 字节）和凭证要素（{claims} 字节），以诊断记法表示：",
    ),
    ("The claims item by item:", "凭证要素逐项列出："),
    (
        "The Sig_structure, {signed} bytes, over which the signature is made:",
        "Sig_structure，{signed} 字节，签名即对它计算：",
    ),
    ("The token, {data} bytes, item by item:", "凭证，{data} 字节，逐项列出："),
    ("The same in diagnostic notation:", "同一凭证，以诊断记法表示："),
    ("Its groups:", "其分组："),
    (
        "Its text, {text} digits: `{first}`, the groups, and `{last}`.",
        "其码文，{text} 位数字：`{first}`、各分组和 `{last}`。",
    ),
)


def _woven(
    sentences: tuple[tuple[str, str], ...],
    blocks: tuple[tuple[str, str], ...],
    *,
    chinese_only: bool,
    **facts: Any,
) -> str:
    """Each block under its sentence, which is in English and Chinese; the blocks are the same in both."""
    parts = [
        f"{pair[chinese_only].format(**facts)}\n\n```{kind}\n{block}\n```\n"
        for pair, (kind, block) in zip(sentences, blocks, strict=True)
    ]
    return "\n".join(parts)


def _wrapped(digits: str) -> str:
    return "\n".join(digits[i : i + 64] for i in range(0, len(digits), 64))


# --- the tables of refusals ------------------------------------------------------------------------------------------


def _table(module: str) -> Any:
    """Import a module of the package that holds a table and needs no installed package."""
    sys.path.insert(0, str(PACKAGE.parent))
    try:
        return import_module(f"ybtoken.{module}")
    finally:
        sys.path.pop(0)


def _refusal_table(*, chinese_only: bool = False) -> str:
    head = "| 步骤 | 代码 | 编号 | 发生了什么 |" if chinese_only else "| step | code | number | what happened |"
    rows = [
        f"| {r.step} | `{r.code}` | {r.number} | {r.what.zh if chinese_only else r.what.en} |"
        for r in _table("refusals").REFUSALS
    ]
    return "\n".join([head, "|---|---|---|---|", *rows]) + "\n"


def _remedy_table(*, chinese_only: bool = False) -> str:
    heads = ["code", "what happened", "what the person at the counter does", "what the developer looks at"]
    if chinese_only:
        heads = ["代码", "发生了什么", "窗口人员怎么做", "开发人员查什么"]
    return _words_table(heads, ((r.code, r.what, r.remedy, r.hint) for r in _table("refusals").REFUSALS), chinese_only)


def _misuses(*, chinese_only: bool = False) -> str:
    heads = ["代码", "发生了什么", "怎么办"] if chinese_only else ["code", "what happened", "what to do"]
    misuses = _table("misuse").MISUSES.items()
    return _words_table(heads, ((code, misuse.what, misuse.remedy) for code, misuse in misuses), chinese_only)


BAR = "\\|"  # within a cell of a table


def _words_table(heads: list[str], rows: Iterable[tuple[Any, ...]], chinese_only: bool) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for code, *words in rows:
        cells = [each.zh if chinese_only else f"{each.zh}<br>{each.en}" for each in words]
        lines.append(f"| `{code}` | {' | '.join(cell.replace('|', BAR) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _vector(id_: str) -> dict[str, Any]:
    family = id_.partition("/")[0]
    cases = json.loads((ROOT / "vectors" / f"{family}.json").read_text())["cases"]
    return next(case for case in cases if case["id"] == id_)


def _more_examples(*, chinese_only: bool = False) -> str:
    """SM2's ZA and e, a one-time code, a presentation: with intermediate values, for readers who compute them."""
    sys.path.insert(0, str(ROOT / "vectors"))
    from cases import kit, kit_sm2, passes

    sm2, rotating, device = map(_vector, ("sm2/accept", "rotating/accept", "device/accept"))
    token = bytes.fromhex(sm2["token"])
    header, payload = token[3:20], token[23 : 23 + token[22]]
    signed = kit.sig_structure(header, payload)
    key = kit_sm2.KEY_S
    assert header == key.header()
    step, claims = rotating["now"] // 30, rotating["expect"]["claims"]
    secret = passes.secret()
    assert passes.totp(step, secret) == rotating["otp"]
    shown = bytes.fromhex(device["presentation"])
    content = shown[9 : 9 + shown[8]]
    assert content[-8:] == passes.DISPLAY_NONCE
    sm2_values = f"""x   {key.x.hex()}
y   {key.y.hex()}
ZA  {key.za().hex()}

{_wrapped(signed.hex())}

e   {kit_sm2.sm3(key.za() + signed).hex()}
r   {token[-64:-32].hex()}
s   {token[-32:].hex()}"""
    code_values = f"""master key    {rotating["masters"]["0"]}
nonce         {claims["nonce"]}
identity_ref  {claims["identity_ref"]}
secret        {secret.hex()}
step          {step}
code          {rotating["otp"]}"""
    presented = (content, kit.sig_structure(shown[3:6], content), shown[-64:])
    blocks = (sm2_values, code_values, "\n\n".join(_wrapped(part.hex()) for part in presented))
    facts = {"signed": len(signed), "now": rotating["now"], "content": len(content), "within": content[2]}
    return _woven(_MORE_EXAMPLES, tuple(("text", block) for block in blocks), chinese_only=chinese_only, **facts)


_MORE_EXAMPLES = (
    (
        """### 7.1 SM2

Case `sm2/accept`. The key's coordinates, ZA, the Sig_structure of {signed} bytes, e, and the signature:""",
        """### 7.1 SM2

用例 `sm2/accept`。密钥的坐标、ZA、{signed} 字节的 Sig_structure、e，以及签名：""",
    ),
    (
        """### 7.2 A one-time code

Case `rotating/accept`. The master key, what the pass states, the secret, and the code at {now}:""",
        """### 7.2 动态码

用例 `rotating/accept`。主密钥、通行凭证中写入的内容、手机的共享密钥，以及时间 {now} 的动态码：""",
    ),
    (
        """### 7.3 A presentation

Case `device/accept`. What the phone signs, {content} bytes, of which the pass is {within}, its
Sig_structure, and the signature:""",
        """### 7.3 出示数据

用例 `device/accept`。手机签名的内容（{content} 字节，其中通行凭证 {within} 字节）、其 Sig_structure，以及签名：""",
    ),
)


BLOCKS: dict[str, Callable[[], str]] = {
    "example": _example,
    "examples": _more_examples,
    "refusals": _refusal_table,
    "remedies": _remedy_table,
    "misuses": _misuses,
    "example-zh": partial(_example, chinese_only=True),
    "examples-zh": partial(_more_examples, chinese_only=True),
    "refusals-zh": partial(_refusal_table, chinese_only=True),
    "remedies-zh": partial(_remedy_table, chinese_only=True),
    "misuses-zh": partial(_misuses, chinese_only=True),
}
_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def _filled(document: str) -> str:
    return _BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}", document)


# --- Chinese pages ---------------------------------------------------------------------------------------------------

_MADE_OF = re.compile(r"^<!-- translated from \S+ [0-9a-f]{12} -->\n")


def _stamped(page: Path) -> str:
    """A Chinese page with a first line that names the English page's present content, without its generated parts."""
    source = page.with_name(page.name.replace(".zh-CN", ""))
    written_by_hand = _BLOCK.sub(r"\1\3", source.read_text(encoding="utf-8"))
    digest = hashlib.sha256(written_by_hand.encode()).hexdigest()[:12]
    content = _MADE_OF.sub("", page.read_text(encoding="utf-8"))
    return f"<!-- translated from {source.name} {digest} -->\n{content}"


def _behind() -> Iterator[str]:
    """What to do for each Chinese page whose English page has changed."""
    for page in sorted([*DOCS.rglob("*.zh-CN.md"), *(ROOT / "deploy").glob("*.zh-CN.md")]):
        if page.read_text(encoding="utf-8") != _stamped(page):
            name = page.relative_to(ROOT)
            yield (
                f"{name} was made of another version of {page.name.replace('.zh-CN', '')}: bring it up to date, then "
                f"run `python docs/generate.py --translated {name}`"
            )


# --- the reference ---------------------------------------------------------------------------------------------------

_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes):$")
_PARAMETER = re.compile(r"^([\w, *]+): ")


# One page for each package with public names, and one for the modules beside the packages.
PAGES = {
    "ybtoken": "what everybody uses: issuer, verifier, vouchers, errors, policies, identity, QR codes",
    "bulk": "a day of recorded scans in Arrow and Parquet",
    "devices": "private keys in hardware",
    "engines": "what verifies many tokens in one call, and what an engine of your own has to do",
    "judging": "the verdicts on a batch",
    "keys": "keys, key rings, and the files that hold them",
    "observers": "events for audit and monitoring",
    "passes": "passes, from which a phone makes codes offline",
    "replay": "replay guards, which let each code be used once",
    "status": "status lists, which freeze and revoke passes",
    "trust": "where key rings come from, and how a verifier follows the newest one",
    "testing": "conformance suites for keys, engines, guards and status sources of your own",
    "wire": "the text of a token",
}
# Modules and packages without anything for users.
INTERNAL = (
    "bulk.counts", "bulk.doubles", "bulk.plot", "bulk.report", "bulk.sources",
    "cli", "engines.time_and_scope", "judging.judge", "judging.redemption", "keys.by_time", "keys.device",
    "wire.claims", "wire.envelope", "wire.parse", "wire.presentation",
)  # fmt: skip


def _pages() -> Iterator[tuple[str, str]]:
    """The pages of the reference: file name and content."""
    modules = dict(_modules())
    page_of = {module: module.split(".")[0] if "." in module else "ybtoken" for module in modules}
    if unknown := set(page_of.values()) - set(PAGES):
        raise ValueError(f"no page for {sorted(unknown)}: name them in PAGES, or in INTERNAL")
    lines = [
        "# Reference",
        "",
        "Every public name with its docstring, one page for each package. `docs/generate.py` writes these pages.",
    ]
    lines += ["", "## Names of the top package", "", "`from ybtoken import ...` gives these names:", ""]
    lines += [f"* [`{name}`]({page_of[home]}.md#{name.lower()})" for name, home in _exported().items()]
    lines += ["", "## Pages", ""]
    lines += [f"* [`{page}`]({page}.md): {about}" for page, about in PAGES.items()]
    yield "index.md", "\n".join(lines) + "\n"
    for page, about in PAGES.items():
        title = "ybtoken" if page == "ybtoken" else f"ybtoken.{page}"
        lines = [f"# {title}", "", f"{about[0].upper()}{about[1:]}. [All pages](index.md).", ""]
        for module in (module for module in modules if page_of[module] == page):
            lines += _module(f"ybtoken.{module}", modules[module])
        yield f"{page}.md", re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _modules() -> Iterator[tuple[str, Path]]:
    """The modules that have public names."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        internal = any(module == name or module.startswith(f"{name}.") for name in INTERNAL)
        if (
            module != "__init__"
            and not internal
            and not any(part.startswith("_") for part in module.split("."))
            and _all(path)
        ):
            yield module, path


def _exported() -> dict[str, str]:
    """Every name of the top package, and the module that defines it."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return dict(ast.literal_eval(node.value))
    raise ValueError("the top package has no table of names")


def _all(path: Path) -> list[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _module(module: str, path: Path) -> Iterator[str]:
    tree, public = ast.parse(path.read_text(encoding="utf-8")), set(_all(path))
    yield from ("", f"## {module}", "", *_prose(ast.get_docstring(tree)))
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in public:
            yield from ("", f"### {node.name}", "", *_call(node.name, node), *_prose(ast.get_docstring(node)))
        elif isinstance(node, ast.ClassDef) and node.name in public:
            yield from _class(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if target in public and target != "__all__":
                yield from ("", f"### {target}", "", *_prose(_string(following)))


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = [ast.unparse(base) for base in node.bases]
    init = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    yield from ("", f"### {node.name}", "")
    if init is not None:
        yield from _call(node.name, init)
    if bases:
        yield from (f"A {', '.join(f'`{base}`' for base in bases)}.", "")
    yield from _prose(ast.get_docstring(node))
    for item, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and not item.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in item.decorator_list]
            if "overload" in decorators:
                continue
            attribute = any(name.endswith("property") for name in decorators)
            yield from ("", f"#### {node.name}.{item.name}", "")
            if not attribute:
                yield from _call(f"{node.name}.{item.name}", item)
            elif item.returns is not None:
                yield from (f"`{ast.unparse(item.returns)}`", "")
            yield from _prose(ast.get_docstring(item))
        elif isinstance(item, (ast.Assign, ast.AnnAssign)) and (text := _string(following)):
            target = ast.unparse(item.targets[0] if isinstance(item, ast.Assign) else item.target)
            yield from ("", f"- `{target}`: {' '.join(text.split())}")


def _string(node: ast.stmt | None) -> str | None:
    """The string of a statement that documents the assignment before it."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


def _call(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = ast.unparse(node.args)
    arguments = re.sub(r"^(self|cls)(, |$)", "", arguments)
    returns = "" if node.returns is None or node.name == "__init__" else f" -> {ast.unparse(node.returns)}"
    prefix = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    yield from ("```text", f"{prefix}{name}({arguments}){returns}", "```", "")


def _prose(docstring: str | None) -> Iterator[str]:
    """A docstring as Markdown: its sections become lists, and everything else stays."""
    in_section = False
    for line in (docstring or "").replace("``", "`").splitlines():
        if section := _SECTION.match(line):
            in_section = True
            yield from ("", f"**{section[1]}**", "")
        elif not line.strip():
            in_section = False
            yield ""
        elif in_section and line.startswith("    ") and not line.startswith("     "):
            text = line.strip()
            yield "- " + _PARAMETER.sub(lambda match: f"`{match[1]}`: ", text)
        elif in_section:
            yield "  " + line.strip()
        else:
            yield line
    yield ""


# --- all -------------------------------------------------------------------------------------------------------------


def documents() -> Iterator[tuple[Path, str]]:
    """Each document with generated parts, and the content that it should have."""
    for path in sorted(DOCS.rglob("*.md")):
        content = path.read_text(encoding="utf-8")
        if _BLOCK.search(content):
            yield path, _filled(content)
    for name, content in _pages():
        yield DOCS / "reference" / name, content


def main() -> int:
    """Write or compare; 1 if a document differs, or a Chinese page is behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is committed; write nothing")
    parser.add_argument("--translated", nargs="+", type=Path, metavar="PAGE", help="these Chinese pages are up to date")
    arguments = parser.parse_args()
    check = arguments.check
    for page in arguments.translated or ():
        if not page.name.endswith(".zh-CN.md"):
            parser.error(f"{page} is no Chinese page: name the one that was translated, NAME.zh-CN.md")
        page.write_text(_stamped(page), encoding="utf-8", newline="\n")
    differing = []
    for path, content in documents():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        differing.append(str(path.relative_to(ROOT)))
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
    behind = list(_behind())
    if check and differing:
        print(f"not as generated: {', '.join(differing)}", file=sys.stderr)
    for line in behind:
        print(line, file=sys.stderr)
    return 1 if behind or (check and differing) else 0


if __name__ == "__main__":
    raise SystemExit(main())
