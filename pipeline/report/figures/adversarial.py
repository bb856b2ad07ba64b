"""Figures of the section "adversarial"."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.inputs.catalogue import EPSILONS, UNTIL_SURE
from pipeline.audits.results import Results
from pipeline.report.figures.plots import RED
from serving.model.recogniser import Predictions


def small_change(results: Results, *_: Any) -> Figure | None:
    """What the smaller eps does."""
    return misled(results, EPSILONS[0])


def large_change(results: Results, *_: Any) -> Figure | None:
    """What the larger eps does."""
    return misled(results, EPSILONS[1])


def misled(results: Results, eps: float) -> Figure | None:
    """Images, their changes and what became of them: what was misclassified and answered first, the surest first."""
    made = results.sets[f"attack/{UNTIL_SURE}/{eps:g}"]
    if not made.kept:
        return None
    figure = Figure(figsize=(1.05 * len(made.kept), 4.1), layout="constrained")
    grid = figure.subplots(3, len(made.kept), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for (above, middle, below), (place, picture) in zip(grid.T, made.kept.items(), strict=True):
        row = made.rows[place]
        for axes, pixels, told, at in (
            (above, results.images[row], results.predictions, row),
            (below, picture, made.predictions, place),
        ):
            axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
            axes.set_title(answer(told, at), size=8, color="black" if told.digit[at] == results.labels[row] else RED)
        change = picture.astype(np.float32) - results.images[row]
        middle.imshow(change, cmap="RdBu_r", vmin=-255 * eps, vmax=255 * eps)
    return figure


def answer(told: Predictions, place: int) -> str:
    """What the recogniser says of one picture, in a few words."""
    if told.abstained[place]:
        return f"declined\n({told.digit[place]}, {told.confidence[place]:.2f})"
    return f"{told.digit[place]}\n({told.confidence[place]:.2f})"
