"""Figures of the section "forms"."""

from typing import Any

from matplotlib.figure import Figure

from pipeline.audits.inputs.pen import PENS
from pipeline.audits.inputs.strokes import STYLES
from pipeline.audits.results import Answered, Results
from pipeline.report.figures.as_sent import folded, in_colour
from pipeline.report.figures.plots import COLUMNS, GREY, RED, Tile, sheet


def drawings(results: Results, *_: Any) -> Figure:
    """The first drawing of each form with each pen."""
    rows = [
        [tile(name, one, place) for place in range(0, len(one.rows), each(one)) if place in one.kept]
        for name, one in results.of("forms").items()
    ]
    return sheet(rows, names=[folded(name) for name in results.of("forms")])


def failed(results: Results, *_: Any) -> Figure | None:
    """What else of the kept drawings failed, a row for each form; none where nothing did."""
    rows = {}
    for name, one in results.of("forms").items():
        others = [place for place in one.kept if place % each(one) and failure(name, one, place)]
        rows[name] = [tile(name, one, place, list(PENS)[place // each(one)]) for place in others[:COLUMNS]]
    shown = {name: tiles for name, tiles in rows.items() if tiles}
    return sheet(list(shown.values()), names=[folded(name) for name in shown]) if shown else None


def each(one: Answered) -> int:
    """How many drawings there are with each pen."""
    return len(one.rows) // len(PENS)


def failure(name: str, one: Answered, place: int) -> bool:
    """Whether a drawing was not answered with its digit."""
    return bool(one.predictions.abstained[place] or one.predictions.digit[place] != STYLES[name].digit)


def tile(name: str, one: Answered, place: int, caption: str = "") -> Tile:
    """One drawing, with what was said of it where it failed."""
    picture = in_colour(one.kept[place])
    if not failure(name, one, place):
        return Tile(picture)
    abstained = one.predictions.abstained[place]
    answer = "–" if abstained else str(one.predictions.digit[place])
    return Tile(picture, f"{caption} → {answer}".strip(), GREY if abstained else RED, marked=True)
