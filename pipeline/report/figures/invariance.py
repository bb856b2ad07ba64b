"""Figures of the section "invariance"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.results import Results
from pipeline.report.figures.plots import BLUE, RED
from serving.images import normalise


def changed(results: Results, measures: Mapping[str, Any], *_: Any) -> Figure | None:
    """Images whose answer changed under the worst of the small changes, above what became of them."""
    worst = results.sets[f"small/{measures['small'].iloc[0]['change']}"]
    if not worst.kept:
        return None
    count = len(worst.kept)
    figure = Figure(figsize=(max(0.85 * count, 3.4), 2.3), layout="constrained")
    columns = figure.subplots(2, count, squeeze=False).T
    for (above, below), (place, picture) in zip(columns, worst.kept.items(), strict=True):
        row = worst.rows[place]
        pairs = (
            (above, results.images[row], results.predictions.digit[row]),
            (below, seen(picture), worst.predictions.digit[place]),
        )
        for axes, pixels, digit in pairs:
            axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
            axes.set_title(f"read as {digit}", size=7, color=RED if digit != results.labels[row] else "black")
            axes.axis("off")
    return figure


def seen(picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 [H, W], as the network is given it: float32 [28, 28]."""
    return normalise(picture.astype(np.float32))


def directions(_: Results, measures: Mapping[str, Any], *__: Any) -> Figure | None:
    """Mean confidence over level, a panel for each damage."""
    if measures["directions"].empty:
        return None
    curves = measures["directions"].groupby("damage", sort=False)
    figure = Figure(figsize=(2.6 * len(curves), 2.7), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (name, levels) in zip(panels, curves, strict=True):
        axes.fill_between(levels["level"], levels["low"], levels["high"], color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(levels["level"], levels["mean_confidence"], "o-", color=BLUE, markersize=4)
        axes.set(title=name, xlabel=levels["unit"].iloc[0], ylim=(0, 1.03))
    panels[0].set_ylabel("mean confidence")
    return figure
