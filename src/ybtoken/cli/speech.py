"""The languages of the command line, and its exit codes. No error shows a traceback.

0 accepted or done, 1 a token was refused, 2 misuse (options, files), 130 interrupted, 141 the reader of a pipe has
gone.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import wraps
from typing import Annotated, ParamSpec

import typer

from ybtoken.errors import TokenError
from ybtoken.words import Words, words_of

__all__ = [
    "BROKEN_PIPE",
    "MISUSE",
    "REFUSED",
    "Lang",
    "Language",
    "MisuseError",
    "Speaker",
    "command",
    "misuse_of",
    "of_group",
]

REFUSED, MISUSE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


class Language(StrEnum):
    """The languages of messages."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


Lang = Annotated[
    Language | None,
    typer.Option("--lang", help="Language; the locale's by default. / 语言，默认随系统。", show_default=False),
]


def of_group(lang: Lang = None) -> None:
    """The option of a group of commands. `ybtoken.cli.language.run` has read it, and hands it on to the command."""


class MisuseError(Exception):
    """The command line was given something that it cannot use: exit code 2."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.words = Words(en, zh)


def misuse_of(error: Exception, en: str = "", zh: str = "参数有误：") -> MisuseError:
    """What the library refused, as misuse of the command line, in both languages after what is said before it."""
    words = words_of(error)
    return MisuseError(f"{en}{words.en}", f"{zh}{words.zh}")


class Speaker:
    """Prints messages in the requested language, or otherwise in that of the locale."""

    def __init__(self, language: Language | None) -> None:
        self.language = language or _language_of_locale()

    def choose(self, words: Words) -> str:
        """A message in the chosen language, or in both."""
        if self.language is Language.BOTH:
            return words.en + ("\n" if "\n" in words.en else " / ") + words.zh
        return words.zh if self.language is Language.ZH else words.en

    def say(self, en: str, zh: str) -> None:
        """Print a result to standard output."""
        typer.echo(self.choose(Words(en, zh)))

    def note(self, en: str, zh: str) -> None:
        """Print anything else to standard error."""
        typer.echo(self.choose(Words(en, zh)), err=True)


def _language_of_locale() -> Language:
    stated = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    name = next(filter(None, stated), None) or locale.getlocale()[0] or ""
    return Language.ZH if name.lower().startswith(("zh", "chinese")) else Language.EN


_Parameters = ParamSpec("_Parameters")


def command(function: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """Make a function with an argument ``lang`` a command: its errors become messages and exit codes."""

    @wraps(function)
    def run(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        language = kwargs.get("lang")
        speaker = Speaker(language if isinstance(language, Language) else None)
        try:
            function(*args, **kwargs)
        except TokenError as error:
            what, remedy = error.what, error.remedy
            speaker.note(f"[{error.code}] {what.en} {remedy.en}", f"[{error.code}] {what.zh}{remedy.zh}")
            raise typer.Exit(REFUSED) from None
        except MisuseError as misuse:
            speaker.note(*misuse.words)
            raise typer.Exit(MISUSE) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _silence()
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:
            what_failed = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            speaker.note(f"Cannot read or write {what_failed}", f"无法读写 {what_failed}")
            raise typer.Exit(MISUSE) from None

    return run


def _silence() -> None:
    """Send the interpreter's last flush nowhere, because the reader has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a stream without a descriptor
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
