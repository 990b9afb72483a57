"""``python -m ybtoken.cli``: the command line where no script is installed."""

from ybtoken.cli import main

main()
