"""Figures of the section "invariance"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.inputs.strokes import STYLES
from pipeline.audits.results import Results
from pipeline.report.figures.plots import BLUE, RED
from serving.images import normalise
from serving.model.recogniser import SIDE


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


def ways(results: Results, *_: Any) -> Figure | None:
    """The drawings, a row for each way of writing."""
    asked = {name: one for name, one in results.of("strokes").items() if one.kept}
    if not asked:
        return None
    columns = max(len(one.kept) for one in asked.values())
    figure = Figure(figsize=(0.42 * columns + 3.2, 0.42 * len(asked)), layout="constrained")
    axes = figure.subplots()
    paper = np.zeros((len(asked) * SIDE, columns * SIDE), np.float32)
    for row, (name, one) in enumerate(asked.items()):
        for column, (place, picture) in enumerate(one.kept.items()):
            left, top, digit = column * SIDE, row * SIDE, one.predictions.digit[place]
            paper[top : top + SIDE, left : left + SIDE] = seen(picture)
            if digit != STYLES[name].digit:
                across, down = (
                    left + np.array([0, 1, 1, 0, 0]) * (SIDE - 1),
                    top + np.array([0, 0, 1, 1, 0]) * (SIDE - 1),
                )
                axes.plot(across, down, color=RED, linewidth=1.2)
                axes.text(left + 2, top + 9, str(digit), color=RED, size=8, weight="bold")
    axes.imshow(paper, cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=np.arange(len(asked)) * SIDE + SIDE / 2, yticklabels=list(asked))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
