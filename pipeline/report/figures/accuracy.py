"""Figures of the section "accuracy"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits import scores
from pipeline.audits.results import Results
from pipeline.report.figures import plots


def recall(_: Results, measures: Mapping[str, Any], thresholds: Mapping[str, float]) -> Figure:
    """Each digit's recall with its exact interval, and the gate."""
    seen = measures["recall"].query("images > 0")
    value, low, high = (seen[f"{name}_percent"] for name in ("recall", "low", "high"))
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots()
    reach = np.maximum([value - low, high - value], 0)
    axes.errorbar(seen["digit"], value, yerr=reach, fmt="o", color=plots.BLUE, capsize=3)
    threshold = 100 * thresholds["digit_recall"]
    axes.axhline(threshold, color=plots.RED, linestyle="--", linewidth=1, label="gate, for the worst digit")
    axes.set(xticks=range(10), xlabel="digit", ylabel="recall, %")
    axes.legend(frameon=False, loc="lower left")
    return figure


def confusion(results: Results, *_: Any) -> Figure:
    """The confusion matrix."""
    return plots.confusion(scores.confusion(results.predictions.digit, results.labels), results.network)


def misclassified(results: Results, *_: Any) -> Figure:
    """The test images that were misclassified, the surest first."""
    wrong, told = results.wrong, results.predictions
    return plots.misclassified(results.images[wrong], results.labels[wrong], told.digit[wrong], told.confidence[wrong])
