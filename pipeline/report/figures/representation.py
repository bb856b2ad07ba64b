"""Figures of the section "representation"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.representation import SPLITS
from pipeline.audits.results import Results
from pipeline.audits.style import STYLES
from pipeline.report.figures import plots

EXTENTS = ("width", "height")


def by_split(_: Results, measures: Mapping[str, Any], __: Mapping[str, float]) -> Figure:
    """Digits and styles of each split."""
    return draw(measures["samples"], "split", {"train": plots.GREY, "val": plots.BLUE, "test": plots.RED})


def by_population(_: Results, measures: Mapping[str, Any], __: Mapping[str, float]) -> Figure:
    """Digits and styles of each population."""
    return draw(measures["samples"], "population", {"students": plots.RED, "employees": plots.BLUE})


def draw(samples: pd.DataFrame, column: str, colours: Mapping[str, str]) -> Figure:
    """The share of each digit, and the distribution of each style, by the groups in ``column``."""
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    first, *panels = figure.subplots(1, len(STYLES) + 1, width_ratios=(1.4, 1, 1, 1, 1, 1))
    width = 0.8 / len(colours)
    for place, (group, colour) in enumerate(colours.items()):
        part = samples[samples[column] == group]
        shares = 100 * np.bincount(part["label"], minlength=10) / max(len(part), 1)
        offset = (place - (len(colours) - 1) / 2) * width
        first.bar(np.arange(10) + offset, shares, width, color=colour, label=SPLITS.get(group, group))
        for axes, (style, unit) in zip(panels, STYLES.items(), strict=True):
            axes.hist(part[style], edges(samples[style]), density=True, histtype="step", color=colour, linewidth=1.2)
            axes.set(title=f"{style}, {unit}", yticks=[])
    first.set(xticks=range(10), title="digits, % of the group", ylim=(0, 16))
    figure.legend(*first.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(colours))
    return figure


def edges(values: pd.Series) -> np.ndarray:
    """Edges of a histogram's bins without the outer thousandths; whole pixels for what comes in thirds of a pixel."""
    low, high = values.quantile([0.001, 0.999]).to_numpy()
    return np.arange(np.floor(low), np.ceil(high) + 1) if values.name in EXTENTS else np.linspace(low, high, 30)
