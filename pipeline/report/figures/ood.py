"""Figures of the section "ood"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.inputs.kept import first_and_least_doubted
from pipeline.audits.ood import SURE
from pipeline.audits.results import Answered, Results
from pipeline.report.figures.plots import BLUE, GREY, RED, Tile, sheet


def doubts(_: Results, measures: Mapping[str, Any], *__: Any) -> Figure | None:
    """The middle 90 % of each set's doubts, and its median, beside those of the test digits."""
    if measures["hardest"] is None:
        return None
    figure = Figure(figsize=(8.5, 0.32 * len(measures["doubts"]) + 0.9), layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(measures["doubts"].items()):
        low, middle, high = np.quantile(np.clip(values, 0.1, 30), (0.05, 0.5, 0.95))
        colour = GREY if name == "test digits" else BLUE
        axes.plot([low, high], [place, place], color=colour, linewidth=6, solid_capstyle="butt")
        axes.plot(middle, place, "o", color="white", markeredgecolor="black", markersize=5, clip_on=False)
    axes.axvline(1, color=RED, linewidth=1)
    axes.set(xscale="log", xlim=(0.1, 30), xlabel="doubt: median and middle 90 %")
    axes.set_xticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30 or more"])
    axes.set_yticks(range(len(measures["doubts"])), list(measures["doubts"]))
    axes.invert_yaxis()
    return figure


def examples(results: Results, *_: Any) -> Figure | None:
    """Some of each set: the first ones, and those that it was surest of at the right."""
    asked = {name: one for name, one in results.of("non_digit").items() if one.kept}
    if not asked:
        return None
    rows = [
        [tile(one, place) for place in first_and_least_doubted(one.predictions) if place in one.kept]
        for one in asked.values()
    ]
    return sheet(rows, names=list(asked))


def tile(one: Answered, place: int) -> Tile:
    """One picture with the answer: red if it is sure, black if the recogniser abstains."""
    told = one.predictions
    reason, confidence = told.reason[place], told.confidence[place]
    said = reason.replace("_", " ") if reason else f"{told.digit[place]} ({confidence:.2f})"
    return Tile(one.kept[place], said, "black" if reason else RED if confidence > SURE else "#b45309")
