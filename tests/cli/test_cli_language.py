from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

pytest.importorskip("typer", reason="the extra cli is not installed")

import typer
from typer import rich_utils
from typer.main import get_command

from ybtoken.cli.app import app
from ybtoken.cli.language import _TITLES, language_of, localize, run
from ybtoken.cli.speech import Language

CHINESE = re.compile("[\u4e00-\u9fff]")


class Told(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def put_titles_back(patch: pytest.MonkeyPatch) -> None:
    """Undo what `localize` changes in Typer, as the end of a process would."""
    for name in rich_utils.__dict__.keys() & _TITLES:
        patch.setattr(rich_utils, name, getattr(rich_utils, name))


@pytest.fixture(autouse=True)
def _titles(monkeypatch: pytest.MonkeyPatch) -> None:
    put_titles_back(monkeypatch)


@pytest.fixture
def ybtoken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Run a command line in this process, under a locale."""

    def ybtoken(*args: str, lang: str = "en_US.UTF-8") -> Told:
        with monkeypatch.context() as patch:
            patch.setenv("LC_ALL", lang)
            patch.setenv("COLUMNS", "80")
            put_titles_back(patch)
            return Told(run(app, args), *capsys.readouterr())

    return ybtoken


def tree(command: Any, path: str = "ybtoken") -> Iterator[tuple[str, str]]:
    """Every text of help, with its place."""
    yield path, command.help or ""
    for parameter in command.params:
        own = parameter.name not in {"install_completion", "show_completion"}
        if own and getattr(parameter, "help", None) is not None:  # an old Typer keeps an argument's help elsewhere
            yield f"{path} {parameter.name}", parameter.help
    for name, each in getattr(command, "commands", {}).items():
        yield from tree(each, f"{path} {name}")


def test_every_option_and_command_has_help_in_both_languages():
    english, chinese = get_command(app), get_command(app)
    localize(english, Language.EN)
    localize(chinese, Language.ZH)
    for (place, en), (_, zh) in zip(tree(english), tree(chinese), strict=True):
        assert en, place
        assert not CHINESE.search(en), place
        assert CHINESE.search(zh), (place, zh)


def test_a_process_has_the_language_of_its_locale():
    environment = {"LC_ALL": "zh_CN.UTF-8", "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", "NO_COLOR": "1", "PATH": ""}
    environment["PYTHONPATH"] = ":".join(filter(None, sys.path))
    command = [sys.executable, "-m", "ybtoken.cli", "redeem", "--help"]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=60, check=False)
    assert told.returncode == 0
    assert "核销码文" in told.stdout
    assert "Verify texts" not in told.stdout


def test_help_is_in_one_language(ybtoken):
    english = ybtoken("redeem", "--help")
    assert english.returncode == 0
    assert "Verify texts and use each up." in english.stdout
    assert not CHINESE.search(english.stdout)
    for chinese in (ybtoken("redeem", "--help", lang="zh_CN.UTF-8"), ybtoken("redeem", "--help", "--lang", "zh")):
        assert "核销码文" in chinese.stdout
        assert "显示本帮助" in chinese.stdout
        assert "Verify texts" not in chinese.stdout


@pytest.mark.parametrize(
    ("args", "en", "zh"),
    [
        (["verify"], "--ring", "缺少 --ring"),
        (["verify", "--nope"], "No such option", "没有选项 --nope"),
        (["nope"], "No such command", "没有命令 nope"),
        (["verify", "-r", "ring", "--skew", "x"], "Invalid value", "--skew 的值无效"),
        (["verify", "-r", "ring", "--now", "yesterday"], "a time is seconds", "时间为 1970 年起的秒数"),
        (["device", "nope"], "No such command", "没有命令 nope"),
    ],
)
def test_a_wrong_option_is_named_in_the_readers_language(ybtoken, args, en, zh):
    english, chinese = ybtoken(*args), ybtoken(*args, "--lang=zh")
    assert (english.returncode, chinese.returncode) == (2, 2)
    assert (english.stdout, chinese.stdout) == ("", "")
    assert en in english.stderr
    assert "--help" in english.stderr
    assert not CHINESE.search(english.stderr)
    assert zh in chinese.stderr


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        ("en", "a purpose is a string of five digits, not '1'"),
        ("zh", "参数有误：用码业务类型应为五位数字，实为 '1'"),
    ],
)
def test_what_the_library_refuses_is_said_in_the_readers_language(ybtoken, lang, says):
    told = ybtoken("verify", "--purpose", "1", "--ring", "ring.jwks", "text", "--lang", lang)
    assert (told.returncode, told.stdout, told.stderr) == (2, "", f"{says}\n")


@pytest.mark.parametrize("group", [[], ["device"], ["store"], ["ring"], ["status"], ["audit"], ["pass"]])
def test_every_group_of_commands_takes_the_language(ybtoken, group):
    chinese = ybtoken(*group, "--help", "--lang", "zh")
    assert chinese.returncode == 0, chinese.stderr
    assert "显示本帮助" in chinese.stdout
    assert "语言，默认随系统" in chinese.stdout
    assert ybtoken(*group, "--lang", "klingon").returncode == 2


def test_a_language_before_the_command_is_the_commands_too(ybtoken):
    told = ybtoken("--lang", "zh", "store", "journal", "missing.db", "--out", "-")
    assert told.returncode == 2
    assert "missing.db" in told.stderr
    assert CHINESE.search(told.stderr)
    own = ybtoken("--lang", "zh", "store", "journal", "missing.db", "--out", "-", "--lang", "en")
    assert "missing.db" in own.stderr
    assert not CHINESE.search(own.stderr)


def test_without_a_command_help_is_shown_and_that_is_no_success(ybtoken):
    result = ybtoken()
    assert result.returncode == 2
    assert "keygen" in result.stdout + result.stderr


def test_the_language_is_found_before_the_options_are_read(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert language_of(["verify", "--lang", "zh"]) is Language.ZH
    assert language_of(["verify", "--lang=both"]) is Language.BOTH
    assert language_of(["verify", "--lang"]) is Language.EN
    assert language_of(["verify", "--lang", "klingon"]) is Language.EN


def test_both_languages_are_left_as_they_are():
    command = get_command(app)
    before = list(tree(command))
    localize(command, Language.BOTH)
    assert list(tree(command)) == before
    assert isinstance(app, typer.Typer)
