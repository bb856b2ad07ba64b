"""The pictures of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})
BLUE, RED, GREY = "#2563eb", "#dc2626", "#9ca3af"
COLUMNS = 10  # of a sheet of pictures, if no row has more
TILE = 0.95  # inches that a picture takes, of which its edge is this share; above it is room for a caption
EDGE = 0.92
ROOM = 0.22
MARGIN = 1.6  # for the names of rows, in tiles


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
    tiles = [
        Tile(images[index], f"{labels[index]} → {answers[index]}  ({confidence[index]:.2f})", RED) for index in shown
    ]
    title = f"{len(shown)} of {len(images)} errors, the surest first: label → answer (confidence)"
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    return sheet(rows, title if tiles else "no errors")


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, [H, W] in 0..255; its caption is in a colour, and its frame too where it is marked."""

    picture: np.ndarray
    caption: str = ""
    colour: str = "black"
    marked: bool = False


def sheet(rows: Sequence[Sequence[Tile]], title: str = "", names: Sequence[str] = ()) -> Figure:
    """Draw rows of pictures, each row with a name where there are names.

    All in one pair of axes: a hundred pairs take seconds to lay out.
    """
    columns, height = max([COLUMNS, *map(len, rows)]), 1 + ROOM
    margin, depth = MARGIN if names else 0, height * max(len(rows), 1)
    figure = Figure(figsize=(TILE * (columns + margin), TILE * (depth + 0.4 * bool(title))), layout="constrained")
    axes = figure.subplots()
    for top, row in zip(np.arange(len(rows)) * height + ROOM, rows, strict=True):
        for left, tile in enumerate(row):
            axes.imshow(tile.picture, cmap="gray_r", vmin=0, vmax=255, extent=(left, left + EDGE, top + EDGE, top))
            colour, line = (tile.colour, 2.0) if tile.marked else (GREY, 0.5)
            axes.add_patch(Rectangle((left, top), EDGE, EDGE, fill=False, edgecolor=colour, linewidth=line))
            axes.text(left + EDGE / 2, top - 0.04, tile.caption, color=tile.colour, size=7, ha="center")
    for place, name in enumerate(names):
        axes.text(-0.08, place * height + ROOM + EDGE / 2, name, ha="right", va="center")
    axes.set(xlim=(-margin - 0.02, columns), ylim=(depth, 0), title=title)
    axes.axis("off")
    return figure
