"""Figures of the section "style"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.audits.results import Results
from pipeline.audits.style import STYLES, broken
from pipeline.report.figures import plots


def parts(_: Results, measures: Mapping[str, Any], __: Mapping[str, float]) -> Figure:
    """The error in each part of each style, and by pieces, with exact intervals."""
    by_style, pieces = measures["by_style"], measures["pieces"]
    last = by_style["part"].max()
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    panels = figure.subplots(1, len(STYLES) + 1, sharey=True)
    for axes, style in zip(panels, STYLES, strict=False):
        theirs = by_style[by_style["style"] == style]
        shares(axes, theirs, theirs["part"])
        axes.set(title=style, xticks=[0, last / 2, last], xticklabels=["low", "middle", "high"])
    seen = pieces[pieces["images"] > 0]
    shares(panels[-1], seen, seen.index)
    panels[-1].set(title="strokes", xticks=range(2), xticklabels=["whole", "broken"], xlim=(-0.5, 1.5))
    panels[0].set(ylabel="error, %", ylim=(0, None))
    return figure


def shares(axes: Axes, groups: pd.DataFrame, places: pd.Series | pd.Index) -> None:
    """Draw the error of each group with its exact interval."""
    error, low, high = (groups[f"{name}_percent"] for name in ("error", "low", "high"))
    reach = np.maximum([error - low, high - error], 0)
    axes.errorbar(places, error, yerr=reach, fmt="o", color=plots.BLUE, markersize=4, capsize=2)


def misclassified(results: Results, *_: Any) -> Figure | None:
    """The misclassified images whose strokes are broken; none where there are none."""
    rows, told = broken(results.samples) & results.wrong, results.predictions
    if not rows.any():
        return None
    return plots.misclassified(results.images[rows], results.labels[rows], told.digit[rows], told.confidence[rows])
