"""The sections of the report: what was measured, with its words, its tables and its figures.

The words of a section stand in templates/sections/NAME.txt, whose blocks are named for what they tell:

    title, question   the section's heading, and what it asks
    gate_NAME         the finding behind a gate
    finding_NAME      anything else that was seen; paragraphs are findings of their own, an empty block is none
    table_NAME        the caption of the table that was measured under that name
    figure_NAME       the caption of the figure that `pipeline.report.figures.SECTION` draws in a function of that name

A block may use all that the section measured by its names, `thresholds` by the gates' names, and `results`.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.gates import GATES, Estimate
from pipeline.audits.results import Results
from pipeline.report import status
from pipeline.report.templates import template

Measures = Mapping[str, Any]
Draw = Callable[[Results, Measures, Mapping[str, float]], Figure | None]
"""Draws one figure of a section, or none where there is nothing to show."""


@dataclass(frozen=True)
class Section:
    """One part of the report, in words.

    sentences: by gate. findings: by name, a sentence each. tables, figures: by name, with their captions.
    values: the single numbers that were measured, by name.
    """

    name: str
    title: str
    question: str
    sentences: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, list[str]] = field(default_factory=dict)
    tables: Mapping[str, tuple[str, pd.DataFrame]] = field(default_factory=dict)
    figures: Mapping[str, tuple[str, Figure]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def write(name: str, results: Results, measures: Measures, thresholds: Mapping[str, float]) -> Section:
    """Put what the section ``name`` measured into words, and draw its figures."""
    page = template(f"sections/{name}.txt")
    context = page.new_context({**measures, "results": results, "thresholds": thresholds})
    blocks = {block: paragraphs("".join(render(context))) for block, render in page.blocks.items()}

    def of(kind: str) -> dict[str, list[str]]:
        return {block.removeprefix(kind): texts for block, texts in blocks.items() if block.startswith(kind) and texts}

    drawing = figures_of(name)
    drawn = {figure: drawing[figure](results, measures, thresholds) for figure in of("figure_")}
    return Section(
        name=name,
        title=blocks["title"][0],
        question=blocks["question"][0],
        sentences={gate: " ".join(texts) for gate, texts in of("gate_").items()},
        findings=of("finding_"),
        tables={table: (texts[0], measures[table]) for table, texts in of("table_").items()},
        figures={name: (texts[0], figure) for name, texts in of("figure_").items() if (figure := drawn[name])},
        values={key: record(value) for key, value in measures.items() if is_single(value)},
    )


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a block, each on one line, with amounts kept with their units."""
    return [status.bound(" ".join(part.split())) for part in re.split(r"\n\s*\n", text) if part.strip()]


def figures_of(name: str) -> dict[str, Draw]:
    """The functions that draw the figures of a section, by name; a section may have none."""
    if importlib.util.find_spec(f"pipeline.report.figures.{name}") is None:
        return {}
    return vars(importlib.import_module(f"pipeline.report.figures.{name}"))


def is_single(value: Any) -> bool:
    """Whether something measured is a number, a text, or an interval, rather than a table or an array."""
    if isinstance(value, tuple):
        return all(is_single(item) for item in value)
    return value is None or isinstance(value, str | bool | int | float | np.generic | Estimate)


def record(value: Any) -> Any:
    """The same as it stands in JSON."""
    if isinstance(value, Estimate):
        return {"value": record(value.value), "interval": record(value.interval)}
    if isinstance(value, tuple):
        return [record(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def default_sentence(gate: str, estimate: Estimate) -> str:
    """What is said of a gate whose section has no block for it."""
    if estimate.value is None:
        return "Not measurable with this data."
    return f"{GATES[gate].title}: {estimate.value:.4g} ({GATES[gate].measure})."
