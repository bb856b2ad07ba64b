"""Made-up verdicts and sections of a report."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.gates import GATES, Estimate, Verdict
from pipeline.report import scorecard
from pipeline.report.page import Drawn, drawn
from pipeline.report.sections import Section


def verdict(name: str, value: float | None, interval: tuple[float, float] | None, threshold: float) -> Verdict:
    return Verdict(GATES[name], Estimate(value, interval), threshold)


PASSED = verdict("digit_recall", 0.995, (0.992, 0.998), 0.99)
CLOSE = verdict("error", 0.0038, (0.0027, 0.0052), 0.004)
FAILED = verdict("population_gap", 0.6, (-0.1, 0.7), 0.5)
UNMEASURED = verdict("students_error", None, None, 0.007)
SENTENCES = {
    "digit_recall": "Fives are read worst.",
    "error": "38 of 10,000 test images are misread.",
    "population_gap": "Students are misread more often.",
    "students_error": "This source does not say who wrote its digits.",
}


def figure(width: float = 2) -> Figure:
    made = Figure(figsize=(width, 1))
    made.subplots().plot([0, 1])
    return made


def section(name: str = "accuracy", **changes: Any) -> Drawn:
    """A section with every sentence, one finding and one figure."""
    parts: dict[str, Any] = {
        "title": name.title(),
        "question": "How often?",
        "sentences": SENTENCES,
        "findings": {"seen": ["A finding."]},
        "figures": {"misclassified": ("The misread images", figure())},
    }
    return drawn(Section(name, **(parts | changes)))


def tables(**named: pd.DataFrame) -> dict[str, tuple[str, pd.DataFrame]]:
    return {name: (f"The table {name}", table) for name, table in named.items()}


def records(*verdicts: Verdict) -> list[dict[str, Any]]:
    """The verdicts as the verdicts file holds them."""
    names = {one.gate.section for one in verdicts}
    return scorecard.records(verdicts, {name: section(name).section for name in names})
