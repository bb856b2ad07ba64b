"""The pictures of an evaluation."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})
BLUE, RED, GREY = "#2563eb", "#dc2626", "#9ca3af"


def confusion(counts: np.ndarray, title: str) -> Figure:
    """Draw the confusion matrix, int [10, 10]; shades show the errors alone, which the diagonal would drown."""
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.subplots()
    errors = counts * (1 - np.eye(10, dtype=int))
    axes.imshow(errors, cmap="Reds", vmin=0, vmax=max(errors.max() * 1.3, 1))
    for (label, answer), count in np.ndenumerate(counts):
        if count:
            weight, colour = ("bold", BLUE) if label == answer else ("normal", "black")
            axes.text(answer, label, str(count), ha="center", va="center", color=colour, weight=weight, size=8)
    axes.set(xticks=range(10), yticks=range(10), xlabel="answer", ylabel="label", title=title)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def reliability(bins: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy over confidence, and beneath it how many images each bin holds."""
    figure = Figure(figsize=(5, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    upper.plot(bins["confidence"], bins["accuracy"], "o-", color=BLUE, markersize=4, label="this network")
    upper.set(ylabel="accuracy", title=title, ylim=(-0.03, 1.03))
    upper.legend(frameon=False)
    lower.bar(bins["confidence"], bins["images"], width=0.03, color=BLUE)
    lower.set(xlabel="confidence", ylabel="images", yscale="log", xlim=(0, 1.02))
    return figure


def curve(epochs: pd.DataFrame, title: str) -> Figure:
    """Draw losses and validation error over the epochs."""
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs["epoch"], epochs["train_loss"], "o-", color=GREY, markersize=3, label="training, augmented")
    left.plot(epochs["epoch"], epochs["val_loss"], "o-", color=BLUE, markersize=3, label="validation")
    left.set(xlabel="epoch", ylabel="loss", yscale="log", title=title)
    left.legend(frameon=False)
    right.plot(epochs["epoch"], 100 * (1 - epochs["val_accuracy"]), "o-", color=BLUE, markersize=3)
    right.set(xlabel="epoch", ylabel="validation error, %", yscale="log")
    return figure


def misclassified(images: np.ndarray, labels: np.ndarray, answers: np.ndarray, confidence: np.ndarray) -> Figure:
    """Draw the wrong answers, the surest first, 60 at the most.

    Args:
        images: uint8 [N, 28, 28] of the errors alone; labels, answers and confidence, [N] each, go with them.
    """
    shown = np.argsort(-confidence, kind="stable")[:60]
    columns = 10
    rows = max(-(-len(shown) // columns), 1)
    figure = Figure(figsize=(columns * 0.95, rows * 1.25 + 0.5), layout="constrained")
    figure.suptitle(
        f"{len(shown)} of {len(images)} errors, the surest first: label → answer (confidence)"
        if len(images)
        else "no errors"
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, index in zip(grid, shown, strict=False):
        axes.imshow(images[index], cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(f"{labels[index]} → {answers[index]}  ({confidence[index]:.2f})", size=7, color=RED)
    return figure
