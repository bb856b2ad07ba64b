"""Figures of the section "calibration"."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from pipeline.audits.calibration import SURE, confidences
from pipeline.audits.results import Results
from pipeline.report.figures import plots


def risk(results: Results, measures: Mapping[str, Any], thresholds: Mapping[str, float]) -> Figure:
    """The error among the answered over coverage, the serving threshold and the two gates."""
    answered = ~results.predictions.abstained
    coverage, error = (100 * thresholds[name] for name in ("coverage", "answered_error"))
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(measures["coverage_percent"], measures["risk_percent"], color=plots.BLUE, label="any threshold")
    if answered.any():
        served = 100 * results.wrong[answered].mean()
        axes.plot(100 * answered.mean(), served, "o", color=plots.RED, label="as served")
    axes.axvline(coverage, color=plots.GREY, linestyle="--", linewidth=1, label="gates")
    axes.axhline(error, color=plots.GREY, linestyle="--", linewidth=1)
    axes.set(
        xlabel="coverage: images answered, %",
        ylabel="wrong among the answered, %",
        xlim=(80, 100.3),
        ylim=(0, 1.3 * max(100 * float(results.wrong.mean()), error)),
    )
    axes.legend(frameon=False, loc="upper left")
    return figure


def reliability(_: Results, measures: Mapping[str, Any], __: Mapping[str, float]) -> Figure:
    """Accuracy over confidence, and the band that a perfectly calibrated network would stay in."""
    bins = measures["reliability"]
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=plots.GREY, linestyle="--", linewidth=1)
    upper.fill_between(
        bins["confidence"], bins["low"], bins["high"], color=plots.GREY, alpha=0.35, label="perfectly calibrated, 95 %"
    )
    upper.plot(bins["confidence"], bins["accuracy"], "o-", color=plots.BLUE, markersize=4, label="this network")
    upper.set(ylabel="accuracy", ylim=(-0.03, 1.03))
    upper.legend(frameon=False, loc="lower right")
    lower.bar(bins["confidence"], bins["images"], width=0.03, color=plots.BLUE)
    lower.set(xlabel="confidence", ylabel="images", yscale="log", xlim=(0, 1.02))
    return figure


def overconfident(results: Results, *_: Any) -> Figure | None:
    """The images that were misclassified with most confidence; none where there are none."""
    rows, told = results.wrong & (confidences(results) > SURE), results.predictions
    if not rows.any():
        return None
    return plots.misclassified(results.images[rows], results.labels[rows], told.digit[rows], told.confidence[rows])
