"""The pictures of two runs beside each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.figures.plots import BLUE, GREY, RED, Tile, sheet

COLUMNS, SHOWN = 10, 40


def curves(first: pd.DataFrame, second: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draw both validation errors and losses over the epochs, of curves with a row per epoch."""
    figure = Figure(figsize=(9.8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for epochs, name, colour in ((first, names[0], BLUE), (second, names[1], RED)):
        if len(epochs):
            left.plot(epochs["epoch"], 100 * (1 - epochs["val_accuracy"]), "o-", color=colour, markersize=3, label=name)
            right.plot(epochs["epoch"], epochs["val_loss"], "o-", color=colour, markersize=3, label=name)
    left.set(xlabel="epoch", ylabel="validation error, %", yscale="log")
    right.set(xlabel="epoch", ylabel="validation loss", yscale="log")
    for axes in (left, right):
        axes.grid(visible=True, which="both", color=GREY, alpha=0.25, linewidth=0.5)
    left.legend(frameon=False)
    return figure


def alone(images: np.ndarray, rows: pd.DataFrame, other: str, title: str) -> Figure:
    """Draw pictures, uint8 [N, 28, 28], that one run gets right and the other does not, with the other's answers.

    Args:
        rows: of `Paired`, what is to be drawn; `row` counts in `images`.
        other: whose answers are wrong, "first" or "second".
    """
    tiles = [
        Tile(images[row], f"{label} → {digit}" + ("" if np.isnan(confidence) else f"  ({confidence:.2f})"), RED)
        for row, label, digit, confidence in rows[["row", "label", f"digit_{other}", f"confidence_{other}"]]
        .head(SHOWN)
        .itertuples(index=False)
    ]
    return sheet([tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)], title)
