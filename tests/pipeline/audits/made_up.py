"""Audits of made-up networks on made-up handwriting, of which the truth is known."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from pipeline.audits.gates import Gate
from pipeline.audits.section import Subject
from pipeline.params import Gates
from serving.model.recogniser import Predictions, Recogniser


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


def subject(
    samples: pd.DataFrame,
    wrong: np.ndarray,
    confidence: np.ndarray | None = None,
    abstained: np.ndarray | None = None,
    source: str = "mnist",
    bootstrap: int = 500,
    seed: int = 0,
    **limits: float,
) -> Subject:
    """A network that misreads what is ``wrong``, bool [N], as the next digit, and is sure of all unless told."""
    labels = samples["label"].to_numpy()
    count = len(labels)
    digit = np.where(wrong, (labels.astype(np.int64) + 1) % 10, labels)
    sureness = np.full(count, 0.999) if confidence is None else confidence
    probabilities = np.repeat((1 - sureness)[:, None] / 9, 10, axis=1)
    probabilities[np.arange(count), digit] = sureness
    declined = np.zeros(count, bool) if abstained is None else abstained
    return Subject(
        name="made-up",
        source=source,
        recogniser=cast(Recogniser, SimpleNamespace()),
        images=np.zeros((count, 28, 28), np.uint8),
        labels=labels,
        samples=samples,
        predictions=Predictions(
            digit=digit.astype(np.int64),
            confidence=sureness.astype(np.float32),
            probabilities=probabilities.astype(np.float32),
            novelty=np.ones(count, np.float32),
            prediction_set=probabilities >= 0.05,
            abstained=declined,
            reason=np.array(["uncertain" if one else None for one in declined], dtype=object),
        ),
        limits=Gates.model_validate(dict.fromkeys(Gates.model_fields, 0.5) | limits),
        bootstrap=bootstrap,
        seed=seed,
    )


def measured(gate: Gate) -> tuple[float, float, float]:
    """The value of a gate that was measured, and its interval."""
    assert gate.value is not None
    assert gate.interval is not None
    return gate.value, *gate.interval
