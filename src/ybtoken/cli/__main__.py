"""``python -m ybtoken.cli``: the command line, if no script is installed."""

from ybtoken.cli import main

main()
