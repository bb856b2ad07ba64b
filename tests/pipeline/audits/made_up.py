"""Audits of made-up networks on made-up handwriting, of which the truth is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.gates import GATES, Estimate, Verdict
from pipeline.audits.results import Answered, Results
from serving.model.recogniser import Predictions


def handwriting(
    rng: np.random.Generator, students: int = 100, employees: int = 50, digits: int = 40, **columns: Any
) -> pd.DataFrame:
    """A test set's samples: ``digits`` by each of so many writers, styles that depend on nothing."""
    writer = np.repeat(np.arange(students + employees), digits)
    count = len(writer)
    table = pd.DataFrame(
        {
            "split": "test",
            "row": np.arange(count),
            "source_row": np.arange(count),
            "label": rng.integers(0, 10, count).astype(np.uint8),
            "population": np.where(writer < students, "students", "employees"),
            "writer": pd.array(writer, dtype="Int32"),
            "components": 1,
        }
    )
    styles = {name: rng.normal(size=count) for name in ("thickness", "slant", "ink", "width", "height")}
    return table.assign(**styles).assign(**columns)


def nameless(samples: pd.DataFrame) -> pd.DataFrame:
    """The same samples from a source that does not say who wrote them."""
    return samples.assign(writer=pd.array([pd.NA] * len(samples), dtype="Int32"), population=None)


def predictions(
    labels: np.ndarray,
    wrong: np.ndarray,
    confidence: np.ndarray | None = None,
    abstained: np.ndarray | None = None,
    novelty: np.ndarray | None = None,
) -> Predictions:
    """Answers that take what is ``wrong``, bool [N], for the next digit, and are sure of all unless told."""
    count = len(labels)
    digit = np.where(wrong, (labels.astype(np.int64) + 1) % 10, labels)
    sureness = np.full(count, 0.999) if confidence is None else confidence
    probabilities = np.repeat((1 - sureness)[:, None] / 9, 10, axis=1)
    probabilities[np.arange(count), digit] = sureness
    none = np.zeros(count, bool) if abstained is None else abstained
    return Predictions(
        digit=digit.astype(np.int64),
        confidence=sureness.astype(np.float32),
        probabilities=probabilities.astype(np.float32),
        novelty=np.ones(count, np.float32) if novelty is None else novelty.astype(np.float32),
        prediction_set=probabilities >= 0.05,
        abstained=none,
        reason=np.array(["uncertain" if one else None for one in none], dtype=object),
    )


def results(
    samples: pd.DataFrame,
    wrong: np.ndarray,
    confidence: np.ndarray | None = None,
    abstained: np.ndarray | None = None,
    *,
    images: np.ndarray | None = None,
    source: str = "mnist",
    sets: Mapping[str, Answered] | None = None,
    bootstrap: int = 500,
    seed: int = 0,
) -> Results:
    """What the judge knows of a network that gives `predictions` for the test images, and answered ``sets``."""
    labels = samples["label"].to_numpy()
    return Results(
        images=np.zeros((len(labels), 28, 28), np.uint8) if images is None else images,
        labels=labels,
        samples=samples,
        predictions=predictions(labels, wrong, confidence, abstained),
        seed=seed,
        network="made-up",
        source=source,
        version="0123456789ab",
        sets=sets or {},
        bootstrap=bootstrap,
    )


def thresholds(**named: float) -> dict[str, float]:
    """Thresholds of all gates: 0.5 unless named."""
    return dict.fromkeys(GATES, 0.5) | named


def verdict(name: str, estimate: Estimate, threshold: float) -> Verdict:
    """The verdict on one gate."""
    return Verdict(GATES[name], estimate, threshold)


def measured(estimate: Estimate) -> tuple[float, float, float]:
    """What was measured for a gate, and its interval."""
    assert estimate.value is not None
    assert estimate.interval is not None
    return estimate.value, *estimate.interval
