"""Figures of the section "population"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.population import POPULATIONS
from pipeline.audits.results import Results
from pipeline.report.figures import plots


def gap_and_writers(_: Results, measures: Mapping[str, Any], thresholds: Mapping[str, float]) -> Figure:
    """The gap three ways, and how many writers have how many errors against what chance gives."""
    figure = Figure(figsize=(10, 3), layout="constrained")
    left, *panels = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    gap, low, high = (measures["gaps"][f"{name}_pp"] for name in ("gap", "low", "high"))
    left.errorbar(gap, range(3), xerr=[gap - low, high - gap], fmt="o", color=plots.BLUE, capsize=3)
    left.axvline(0, color=plots.GREY, linewidth=1)
    left.axvline(thresholds["population_gap"], color=plots.RED, linestyle="--", linewidth=1)
    left.set(
        yticks=range(3),
        yticklabels=["images", "writers", "like style"],
        ylim=(2.5, -0.5),
        xlabel="students' error minus employees', points",
        title="the gap, and the gate (dashed)",
    )
    for axes, name in zip(panels, POPULATIONS, strict=True):
        counts = measures["writers_by_errors"].query("population == @name")
        axes.fill_between(
            counts["errors"], counts["low"], counts["high"], color=plots.GREY, alpha=0.4, label="by chance, 95 %"
        )
        axes.plot(counts["errors"], counts["writers"], "o", color=plots.BLUE, label="found")
        axes.set(
            xticks=np.asarray(counts["errors"]),
            xlabel="errors of one writer",
            ylabel="writers",
            title=name,
            ylim=(0, None),
        )
        axes.legend(frameon=False)
    return figure
