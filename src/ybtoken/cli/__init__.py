"""The command line ``ybtoken`` (extra ``cli``): keys, vouchers and verdicts in terminals, files and pipes.

There is one module for each command; `ybtoken.cli.app` collects them. The exit codes and the languages of messages are
in `ybtoken.cli.speech`. This module imports only the standard library, so that `main` can say which package is missing.
"""

from __future__ import annotations

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line on the program's arguments."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Do not fail on a terminal that cannot show Chinese.
            stream.reconfigure(errors="replace")
    try:
        from ybtoken.cli.app import app
        from ybtoken.cli.language import run
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.stderr.write("The command line needs Typer: pip install 'ybtoken[cli]'\n")
        sys.stderr.write("命令行需要 Typer：pip install 'ybtoken[cli]'\n")
        sys.exit(2)
    sys.exit(run(app, sys.argv[1:]))
