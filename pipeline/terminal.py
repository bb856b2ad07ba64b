"""The console of commands whose tables are read in a terminal, but in a log or a pipe as well."""

import os
import sys

from rich.console import Console

WIDTH = 120
"""Characters of a line that no terminal shows; Rich's own 80 cut the words of a table short."""


def console(record: bool = False) -> Console:
    """As wide as the terminal, or as COLUMNS says, or WIDTH. record: see Rich's Console."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else WIDTH, record=record)
