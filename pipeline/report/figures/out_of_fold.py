"""Figures of the section "out_of_fold": those of the sections on the test set, of the answers out of fold."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from pipeline.audits.results import Results
from pipeline.report.figures import accuracy
from pipeline.report.figures.population import gap_and_writers
from pipeline.report.figures.style import parts

__all__ = ["gap_and_writers", "misclassified", "parts"]


def misclassified(_: Results, measures: Mapping[str, Any], __: Mapping[str, float]) -> Figure:
    """The images that were misclassified out of fold, the surest first."""
    return accuracy.misclassified(measures["asked"])
