"""The audit as one page, index.html: the scorecard first, then every section. It asks no other host for anything."""

import base64
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.gates import STATUSES
from pipeline.report import scorecard, status
from pipeline.report.scorecard import Record
from pipeline.report.sections import Section
from pipeline.report.templates import template

DPI = 144
CSS_DPI = 96
WIDE = 640
"""CSS pixels: a figure of more is not shrunk to the width of a phone."""
SHOWN_ROWS = 200
"""Longer tables are cut in the report; the CSV beside it has all of them."""
SUFFIXES = {"percent": "%", "pp": "percentage points", "px": "px"}
"""Of columns' names, and the unit that each stands for."""


class Picture(NamedTuple):
    """A figure as a page shows it: a data URI, and the size that it is shown in, in CSS pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Drawn:
    """A section, and its figures as pictures, with their captions."""

    section: Section
    pictures: Sequence[tuple[str, Picture]]


def drawn(section: Section) -> Drawn:
    """The same section with its figures as pictures: the slow part of the report, done where the section is."""
    pictures = [(caption, picture(figure)) for caption, figure in section.figures.values()]
    return Drawn(replace(section, figures={}), pictures)


def picture(figure: Figure) -> Picture:
    """A figure as a picture."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    width, height = (round(CSS_DPI * side) for side in figure.get_size_inches())
    return Picture(f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}", width, height)


def render(facts: Mapping[str, Any], verdict: str, gates: Sequence[Record], sections: Sequence[Drawn]) -> str:
    """The report on one network; the same input gives the same text.

    Args:
        facts: name of the network, source that it learnt from, version of the model's bytes, number of test images.
        verdict: may it be served, and why.
    """
    cards = [{**gate, "gauge": scorecard.gauge(gate)} for gate in gates]
    page = template("report.html").render(
        **facts,
        refused=any(card["status"] == "failed" for card in cards),
        verdict=verdict,
        cards=sorted(cards, key=lambda card: STATUSES.index(card["status"])),
        counts=Counter(card["status"] for card in cards),
        sections=[view(one, cards) for one in sections],
    )
    return status.bound(page)


def view(one: Drawn, cards: Sequence[Record]) -> dict[str, Any]:
    """A section as the page shows it."""
    section = one.section
    own = [card for card in cards if card["section"] == section.name]
    worst = min((STATUSES.index(card["status"]) for card in own), default=None)
    return {
        "name": section.name,
        "title": section.title,
        "question": section.question,
        "status": None if worst is None else STATUSES[worst],
        "cards": own,
        "findings": [sentence for sentences in section.findings.values() for sentence in sentences],
        "figures": [
            {"caption": caption, "wide": shown.width > WIDE, **shown._asdict()} for caption, shown in one.pictures
        ],
        "tables": [
            {"caption": caption, "file": table_name(section, name), **cells(table)}
            for name, (caption, table) in section.tables.items()
        ],
    }


def cells(table: pd.DataFrame) -> dict[str, Any]:
    """A table's texts: its head, its rows, which of its columns are numbers, and how many rows are not shown."""
    full = table if is_counted(table) else table.reset_index()
    return {
        "head": [heading(str(column)) for column in full.columns],
        "rows": [[text(value) for value in row] for row in full.head(SHOWN_ROWS).itertuples(index=False)],
        "numeric": [pd.api.types.is_numeric_dtype(kind) for kind in full.dtypes],
        "left_out": max(len(full) - SHOWN_ROWS, 0),
    }


def heading(column: str) -> str:
    """A column's name for people: "error_percent" is "error, %"."""
    words, _, last = column.rpartition("_")
    name = f"{words}, {SUFFIXES[last]}" if words and last in SUFFIXES else column
    return name.replace("_", " ")


def is_counted(table: pd.DataFrame) -> bool:
    """Whether a table's index only counts its rows."""
    return isinstance(table.index, pd.RangeIndex) and table.index.name is None


def text(value: Any) -> str:
    """A cell's text: four digits of a fraction, whole numbers in full, a dash for what is missing."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating) and not math.isnan(value):
        if abs(float(value)) >= 10_000:
            return f"{value:,.0f}"
        return np.format_float_positional(value + 0, precision=4, unique=False, fractional=False, trim="-")
    return "–" if pd.isna(value) else str(value)


def table_name(section: Section, name: str) -> str:
    """The name of a table's CSV."""
    return f"{section.name}-{name}.csv".replace("_", "-")


def write_tables(sections: Sequence[Drawn], folder: Path) -> None:
    """Write every section's tables to a folder, as CSV."""
    for one in sections:
        for name, (_, table) in one.section.tables.items():
            path = folder / table_name(one.section, name)
            table.to_csv(path, index=not is_counted(table), lineterminator="\n", float_format="%.6g")
