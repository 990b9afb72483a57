"""Help and usage errors in the reader's language.

Help is declared beside each option as "English / 中文". Before a command runs, `localize` keeps the one that the reader
wants: the language of ``--lang``, or else of the locale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.main import get_command

from ybtoken.cli.speech import MISUSE, Language, Speaker

__all__ = ["language_of", "localize", "run"]

_BOTH = re.compile(r"(?P<en>.*?)\s/\s(?P<zh>[^/]*[\u4e00-\u9fff].*)", re.DOTALL)
_TITLES = {
    "OPTIONS_PANEL_TITLE": "选项",
    "ARGUMENTS_PANEL_TITLE": "参数",
    "COMMANDS_PANEL_TITLE": "命令",
    "DEFAULT_STRING": "[默认：{}]",
    "REQUIRED_LONG_STRING": "[必填]",
}
_OWN = {"Show this message and exit.": "显示本帮助。"}
# Typer has click's errors under two names, depending on its release; these are the classes that it raises itself.
_UsageError: Any = typer.BadParameter.__bases__[0]


def language_of(arguments: Sequence[str]) -> Language:
    """The language that the arguments ask for, or else the locale's; a wrong name is left for the command to refuse."""
    following = iter(arguments)
    stated = None
    for argument in following:
        if argument == "--lang":
            stated = next(following, None)
        elif argument.startswith("--lang="):
            stated = argument.partition("=")[2]
    return Speaker(Language(stated) if stated in list(Language) else None).language


def localize(command: Any, language: Language) -> None:
    """Keep one language in the help of a command, of its options, and of its subcommands."""
    if language is Language.BOTH:
        return
    for each in _tree(command):
        for name in ("help", "short_help", "epilog"):
            if isinstance(text := getattr(each, name, None), str):
                setattr(each, name, _one(text, language))
    if language is Language.ZH:
        try:
            from typer import rich_utils
        except ImportError:  # without Rich, click writes the help, and its own few words are English
            return
        for name, title in _TITLES.items():
            if hasattr(rich_utils, name):
                setattr(rich_utils, name, title)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code."""
    language, command = language_of(arguments), get_command(app)
    localize(command, language)
    for each in _tree(command):
        if each.name == "lang":
            each.default = language  # so `ybtoken --lang zh verify` says what `ybtoken verify --lang zh` says
    try:
        outcome = command.main(args=list(arguments), prog_name="ybtoken", standalone_mode=False)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            _complain(error, language)
        return MISUSE
    except typer.Abort:
        return MISUSE
    return outcome if isinstance(outcome, int) else 0


def _tree(command: Any) -> Iterator[Any]:
    yield command
    yield from command.params
    help_option = command.get_help_option(typer.Context(command))
    if help_option is not None:
        yield help_option
    for each in getattr(command, "commands", {}).values():
        yield from _tree(each)


def _one(text: str, language: Language) -> str:
    if language is Language.ZH and text in _OWN:
        return _OWN[text]
    both = _BOTH.fullmatch(text)
    return text if both is None else both["zh" if language is Language.ZH else "en"]


def _complain(error: Any, language: Language) -> None:
    """Say what is wrong with an option or an argument, and where the help is."""
    english = _one(error.format_message(), Language.EN).rstrip(".") + "."
    path = error.ctx.command_path if error.ctx is not None else "ybtoken"
    speaker = Speaker(language)
    speaker.note(english, _chinese(error))
    speaker.note(f"See {path} --help.", f"用法见 {path} --help。")


def _chinese(error: Any) -> str:
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    hint = "" if parameter is None else max(parameter.opts, key=len)
    if kind == "NoSuchOption":
        return f"没有选项 {error.option_name}。"
    if "No such command" in error.message:
        return f"没有命令 {error.message.partition(chr(39))[2].rstrip(chr(39) + '.')}。"
    if kind == "MissingParameter":
        return f"缺少 {hint}。"
    said = _one(error.message, Language.ZH)
    said = f"（{said}）" if said.isascii() else f"：{said}"
    return f"{hint} 的值无效{said}" if hint else f"用法有误{said}"
