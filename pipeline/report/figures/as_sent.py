"""Figures of the section "as sent"."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.inputs.as_sent import KINDS, STRENGTHS
from pipeline.audits.results import Answered, Results
from pipeline.report.figures.plots import BLUE, COLUMNS, GREY, RED, Tile, sheet


def shares(_: Results, measures: Mapping[str, Any], thresholds: Mapping[str, float]) -> Figure:
    """What became of each kind, with the interval of what is right and the gates."""
    kinds = measures["kinds"]
    figure = Figure(figsize=(8.5, 0.2 * len(kinds) + 0.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(kinds))[::-1]
    right, wrong = kinds["right_percent"], kinds["wrong_percent"]
    for start, length, colour in ((0, right, BLUE), (right, 100 - right - wrong, GREY), (100 - wrong, wrong, RED)):
        axes.barh(places, length, left=start, color=colour, height=0.7)
    axes.hlines(places, kinds["right_low_percent"], kinds["right_high_percent"], color="black", linewidth=1)
    for gate in ("as_sent_mean", "as_sent_worst"):
        axes.axvline(100 * thresholds[gate], color="black", linestyle=":", linewidth=1)
    axes.set(xlim=(0, 100), xlabel="%", ylim=(-0.6, len(kinds) - 0.4))
    axes.set_yticks(places, kinds["kind"], size=7)
    return figure


def failed(results: Results, measures: Mapping[str, Any], *_: Any) -> Figure:
    """A row for each kind: a picture of each strength, then what failed, wrong answers first."""
    rows = []
    for name in measures["kinds"]["kind"]:
        sets = [results.sets[f"as_sent/{name}/{strength}"] for strength in range(1, STRENGTHS + 1)]
        examples = [Tile(in_colour(one.kept[0])) for one in sets if 0 in one.kept]
        missed = [(one, place) for one in sets for place in one.kept if failure(results, one, place, name)]
        missed.sort(key=lambda pair: (pair[0].predictions.abstained[pair[1]], -pair[0].predictions.confidence[pair[1]]))
        rows.append(examples + [tile(results, *pair) for pair in missed[: COLUMNS - STRENGTHS]])
    return sheet(rows, names=[folded(name) for name in measures["kinds"]["kind"]])


def folded(name: str) -> str:
    """A name in lines that fit beside a row of pictures."""
    return textwrap.fill(name, 20)


def failure(results: Results, one: Answered, place: int, name: str) -> bool:
    """Whether what was said of a picture is not right."""
    if one.predictions.abstained[place]:
        return not KINDS[name].lenient
    return bool(one.predictions.digit[place] != results.labels[one.rows[place]])


def tile(results: Results, one: Answered, place: int) -> Tile:
    """A picture that failed, framed where it was answered."""
    label, told = results.labels[one.rows[place]], one.predictions
    if told.abstained[place]:
        return Tile(in_colour(one.kept[place]), f"{label} → –", GREY)
    return Tile(in_colour(one.kept[place]), f"{label} → {told.digit[place]}", RED, marked=True)


def in_colour(picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 [H, W] or [H, W, 3], as [H, W, 3], which no map of colours turns into a negative."""
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
