"""The audit as one page, index.html: the scorecard first, then every section. It asks no other host for anything."""

import base64
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.gates import Gate
from pipeline.audits.section import Picture, Section
from pipeline.report import wording
from pipeline.report.templates import template

DPI = 144
CSS_DPI = 96
SMALL_WORDS = {"a", "and", "as", "by", "each", "for", "from", "in", "is", "of", "on", "the", "to", "which", "with"}
TOLD_IN_FULL = 3
"""With more failures than this the verdict leaves their figures to the scorecard."""
WIDE = 640
"""CSS pixels: a figure of more is not shrunk to the width of a phone."""
SHOWN_ROWS = 200
"""Longer tables are cut in the report; the CSV beside it has all of them."""


def render(name: str, source: str, version: str, images: int, sections: Sequence[Section]) -> str:
    """The report on one network; the same sections give the same text.

    Args:
        source: what it learnt from; version: of the model's bytes; images: how many the test set holds.
    """
    cards = [card(gate, section) for section in sections for gate in section.gates]
    page = template("report.html").render(
        name=name,
        source=source,
        version=version,
        images=images,
        refused=any(one["standing"] == "failed" for one in cards),
        verdict=verdict(name, [gate.record() for section in sections for gate in section.gates]),
        cards=sorted(cards, key=lambda one: wording.STANDINGS.index(one["standing"])),
        counts=Counter(one["standing"] for one in cards),
        standings=wording.STANDINGS,
        sections=[view(section, cards) for section in sections],
    )
    return wording.bound(page)


def verdict(name: str, gates: Sequence[wording.Record]) -> str:
    """May the network be served, and why: a paragraph for somebody who reads nothing else."""
    found: dict[wording.Standing, list[wording.Record]] = {standing: [] for standing in wording.STANDINGS}
    for gate in gates:
        found[wording.standing(gate)].append(gate)
    failed, close, unmeasured = found["failed"], found["close"], found["not measurable"]
    measured = len(gates) - len(unmeasured)
    if failed:
        missed = titles(failed)
        if len(failed) <= TOLD_IN_FULL:
            told = [f"{wording.requirement(gate['name']).title} ({wording.verdict(gate)})" for gate in failed]
            missed = "; ".join(told)
        text = f"{name} may not be served: it misses {len(failed)} of the {measured} requirements measured. {missed}."
    elif not measured:
        text = f"{name} may not be judged: none of its requirements could be measured."
    else:
        text = f"{name} may be served: it meets all {measured} requirements that could be measured."
    if close:
        text += f" Met so narrowly that another test set might decide otherwise: {titles(close)}."
    if unmeasured:
        text += f" This data cannot show: {titles(unmeasured)}. Nothing is known about that, good or bad."
    return text


def titles(gates: Sequence[wording.Record]) -> str:
    """The titles of some gates, as a list in a sentence."""
    names = [wording.requirement(gate["name"]).title for gate in gates]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def card(gate: Gate, section: Section) -> dict[str, Any]:
    """A gate as the scorecard shows it."""
    record = gate.record()
    words = wording.requirement(gate.name)
    return {
        "name": gate.name,
        "title": words.title,
        "measure": words.measure,
        "section": section.key,
        "standing": wording.standing(record),
        "value": wording.found(record),
        "verdict": wording.verdict(record),
        "interval": wording.interval(record),
        "asked": wording.asked(record),
        "sentence": gate.sentence,
        "anchor": gate.anchor,
        "gauge": gauge(gate),
    }


def gauge(gate: Gate) -> dict[str, float] | None:
    """Where value, interval and threshold lie, in 0..100, on an axis that holds them all."""
    if gate.value is None:
        return None
    low, high = gate.interval or (gate.value, gate.value)
    marks = {"value": gate.value, "low": low, "high": high, "threshold": gate.threshold}
    start, end = min(marks.values()), max(marks.values())
    margin = 0.2 * (end - start) or 0.1 * (abs(end) or 1)
    scale = 100 / (end - start + 2 * margin)
    places = {name: round((mark - start + margin) * scale, 2) for name, mark in marks.items()}
    first, last = (0.0, places["threshold"]) if gate.limit == "at most" else (places["threshold"], 100.0)
    return places | {"allowed": first, "width": round(last - first, 2)}


def view(section: Section, cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A section as the page shows it."""
    own = [one for one in cards if one["section"] == section.key]
    worst = min((wording.STANDINGS.index(one["standing"]) for one in own), default=None)
    return {
        "key": section.key,
        "title": section.title,
        "question": section.question,
        "standing": None if worst is None else wording.STANDINGS[worst],
        "cards": own,
        "findings": section.findings,
        "figures": [shown(caption, picture(figure)) for caption, figure in section.figures.items()],
        "tables": [
            {"caption": caption, "file": table_name(section, caption), **cells(table)}
            for caption, table in section.tables.items()
        ],
    }


def shown(caption: str, figure: Picture) -> dict[str, Any]:
    """A figure as the page shows it; a wide one is scrolled on a phone, where it would be too small to read."""
    return {"caption": caption, "wide": figure.width > WIDE, **figure._asdict()}


def drawn(section: Section) -> Section:
    """The same section with its figures as pictures: the slow part of the report, done where the section is."""
    return replace(section, figures={caption: picture(figure) for caption, figure in section.figures.items()})


def picture(figure: Figure | Picture) -> Picture:
    """A figure as a picture, if it is not one already."""
    if isinstance(figure, Picture):
        return figure
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    width, height = (round(CSS_DPI * side) for side in figure.get_size_inches())
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Picture(uri, width, height)


def cells(table: pd.DataFrame) -> dict[str, Any]:
    """A table's texts: its head, its rows, which of its columns are numbers, and how many rows are not shown."""
    full = table if is_counted(table) else table.reset_index()
    return {
        "head": [str(column) for column in full.columns],
        "rows": [[text(value) for value in row] for row in full.head(SHOWN_ROWS).itertuples(index=False)],
        "numeric": [pd.api.types.is_numeric_dtype(kind) for kind in full.dtypes],
        "left_out": max(len(full) - SHOWN_ROWS, 0),
    }


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


def table_name(section: Section, caption: str) -> str:
    """The name of a table's CSV: its section, and the first words of its caption that mean something."""
    words = [word for word in re.findall(r"[a-z0-9]+", caption.lower()) if word not in SMALL_WORDS]
    return f"{section.key}-{'-'.join(words[:4])}.csv"


def write_tables(sections: Sequence[Section], folder: Path) -> None:
    """Write every section's tables to a folder, as CSV."""
    for section in sections:
        for caption, table in section.tables.items():
            path = folder / table_name(section, caption)
            if path.exists():
                raise ValueError(f"two tables of the section {section.key} begin alike: {caption!r}")
            table.to_csv(path, index=not is_counted(table), lineterminator="\n")
