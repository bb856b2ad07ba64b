"""Figures of the section "selftest"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.results import Results

COLUMNS = 4


def power(_: Results, measures: Mapping[str, Any], __: Mapping[str, float]) -> Figure:
    """The power table: a panel for each gate, a row for each ratio, a column for each number of errors."""
    table = measures["power"]
    errors = table["true_errors"].unique()
    ratios = table["students_over_employees"].unique() if "students_over_employees" in table else [1.0]
    gates = [name for name in map(str, table) if name not in ("true_errors", "students_over_employees")]
    rows = -(-len(gates) // COLUMNS)
    figure = Figure(figsize=(10, rows * (0.95 + 0.28 * len(ratios)) + 0.3), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(gates) :]:
        axes.axis("off")
    for axes, name in zip(grid.ravel(), gates, strict=False):
        cells = table[name].to_numpy().reshape(len(ratios), len(errors))
        axes.imshow(cells, cmap="Blues", vmin=0, vmax=140, aspect="auto")
        for (row, column), share in np.ndenumerate(cells):
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", size=8)
        axes.set(
            xticks=range(len(errors)), xticklabels=[f"{count:g}" for count in errors], title=name.replace("_", " ")
        )
        axes.set_yticks(range(len(ratios)), [f"{ratio:g} ×" for ratio in ratios] if len(ratios) > 1 else [""])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    figure.supxlabel("true errors on this test set", size=9)
    if len(ratios) > 1:
        figure.supylabel("students' error / employees'", size=9)
    return figure
