"""Figures of the section "robustness"."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.audits.inputs.kept import first_of_each_digit, surest_mistakes
from pipeline.audits.results import Answered, Results
from pipeline.report import status
from pipeline.report.figures.plots import BLUE, GREY, RED, Tile, sheet


def accuracy(results: Results, measures: Mapping[str, Any], thresholds: Mapping[str, float]) -> Figure:
    """Accuracy under each corruption with its interval, the published figures and the gates."""
    table = measures["corruptions"]
    figure = Figure(figsize=(8.5, 0.32 * len(table) + 0.8), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    axes.barh(places, table["right_percent"], color=BLUE, height=0.62, label=results.network)
    axes.hlines(places, table["low_percent"], table["high_percent"], color="black", linewidth=1.5)
    published = {
        "plain CNN, published": ("plain_CNN_published_percent", "o", "white"),
        "with Hopfield denoiser, published": ("with_Hopfield_denoiser_published_percent", "D", GREY),
    }
    for name, (column, mark, colour) in published.items():
        axes.plot(table[column], places, mark, color=colour, markeredgecolor="black", markersize=5, label=name)
    for name, gate, line in (("worst", "corruption_worst", "--"), ("mean", "corruption_mean", ":")):
        label = f"the {name} must reach {status.percent(thresholds[gate], 0)}"
        axes.axvline(100 * thresholds[gate], color=RED, linestyle=line, linewidth=1, label=label)
    axes.set(xlim=(0, 100), xlabel="read right, %", ylim=(-0.6, len(table) - 0.4))
    names = zip(table["corruption"], table["what_it_does"], strict=True)
    axes.set_yticks(places, [f"{named(name)}: {what}" for name, what in names])
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def examples(results: Results, *_: Any) -> Figure:
    """The same digits under every corruption."""
    rows = first_of_each_digit(results)
    return gallery(results, lambda one: np.flatnonzero(np.isin(one.rows, rows)))


def mistakes(results: Results, *_: Any) -> Figure:
    """The surest mistakes under every corruption."""
    return gallery(results, lambda one: surest_mistakes(one.predictions, results.labels[one.rows]))


def gallery(results: Results, which: Callable[[Answered], np.ndarray]) -> Figure:
    """A row for each corruption, of the kept pictures at the places that ``which`` gives, the misread ones in red."""
    asked = results.of("corruption")
    rows = [[tile(results, one, place) for place in which(one) if place in one.kept] for one in asked.values()]
    return sheet(rows, names=[named(name) for name in asked])


def tile(results: Results, one: Answered, place: int) -> Tile:
    """One picture, with what it is taken for where that is wrong."""
    label, answer = results.labels[one.rows[place]], one.predictions.digit[place]
    if label == answer:
        return Tile(one.kept[place])
    return Tile(one.kept[place], f"{label} → {answer}", RED, marked=True)


def severities(_: Results, measures: Mapping[str, Any], *__: Any) -> Figure:
    """Accuracy and share answered over the severities, a panel for each family."""
    families = measures["curves"].groupby("family", sort=False)
    height = -(-len(families) // 4)
    figure = Figure(figsize=(8.5, 2.3 * height), layout="constrained")
    panels = figure.subplots(height, 4, sharey=True, squeeze=False)
    for axes, (name, levels) in zip(panels.ravel(), families, strict=False):
        axes.axhline(100 * measures["wanted"], color=RED, linestyle=":", linewidth=1)
        axes.plot(levels["severity"], 100 * levels["answered"], "o-", color=GREY, markersize=3)
        axes.plot(levels["severity"], 100 * levels["right"], "o-", color=BLUE, markersize=4)
        axes.set(title=name, ylim=(0, 102))
        axes.set_xticks(levels["severity"], levels["told"], size=7)
    for axes in panels.ravel()[len(families) :]:
        axes.axis("off")
    for axes in panels[:, 0]:
        axes.set_ylabel("%")
    return figure


def named(corruption: str) -> str:
    """A corruption as it is called in a figure."""
    return corruption.replace("_", " ")
