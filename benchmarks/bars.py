"""Bars that a measurement is held against."""

from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Bar(NamedTuple):
    """What was measured, and the most, or the least, that it may be."""

    what: str
    measured: float
    most: float | None = None
    least: float | None = None

    @property
    def held(self) -> bool:
        return (self.most is None or self.measured <= self.most) and (self.least is None or self.measured >= self.least)


def hold(title: str, bars: list[Bar]) -> bool:
    """Print the bars, and say whether all are held."""
    table = Table(title=title)
    for column in ("", "measured", "bar", ""):
        table.add_column(column, justify="right" if column else "left")
    for bar in bars:
        wanted = f"at most {bar.most:g}" if bar.least is None else f"at least {bar.least:g}"
        table.add_row(bar.what, f"{bar.measured:,.5g}", wanted, "held" if bar.held else "missed")
    Console().print(table)
    return all(bar.held for bar in bars)
