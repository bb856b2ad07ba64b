"""What differs between two runs: parameters, metrics with paired tests, pictures that only one of them gets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import permutation_test

from pipeline.audits.scores import brier, log_loss
from pipeline.audits.statistics import Comparison, mcnemar

RESAMPLES = 1999


@dataclass(frozen=True)
class Measure:
    """A mean over the same images for two networks, and how sure it is that they differ. p: two-sided."""

    name: str
    first: float
    second: float
    p: float
    test: str


@dataclass(frozen=True)
class Paired:
    """Two networks' answers to the same images.

    answers: a row per image: row, label, and digit and confidence of the first and the second. errors: images that only
    the one gets wrong, with exact McNemar's p.
    """

    answers: pd.DataFrame
    errors: Comparison
    measures: list[Measure]

    @property
    def first_alone(self) -> pd.DataFrame:
        """What only the first gets right, the second's surest errors first."""
        return self._alone("first", "second")

    @property
    def second_alone(self) -> pd.DataFrame:
        """What only the second gets right, the first's surest errors first."""
        return self._alone("second", "first")

    def _alone(self, one: str, other: str) -> pd.DataFrame:
        right, too = (self.answers[f"digit_{side}"] == self.answers["label"] for side in (one, other))
        return self.answers[right & ~too].sort_values(f"confidence_{other}", ascending=False, kind="stable")


def paired(first: pd.DataFrame, second: pd.DataFrame) -> Paired | None:
    """Compare answers to the same images, tables of row, label, digit, confidence and p0 to p9; None for other images.

    Errors by exact McNemar; likelihood and Brier score by the sign-flip permutation test of the mean difference.
    """
    keys = ["row", "label"]
    if len(first) != len(second) or not (first[keys].to_numpy() == second[keys].to_numpy()).all():
        return None
    labels = first["label"].to_numpy()
    wrong = [(one["digit"] != one["label"]).to_numpy() for one in (first, second)]
    errors = mcnemar(*wrong)
    measures = [Measure("error", float(wrong[0].mean()), float(wrong[1].mean()), errors.p, "exact McNemar")]
    digits = [f"p{digit}" for digit in range(10)]
    if set(digits) <= set(first) & set(second):
        probabilities = [one[digits].to_numpy(np.float64) for one in (first, second)]
        for name, score in (("negative log-likelihood", log_loss), ("Brier score", brier)):
            a, b = (score(one, labels) for one in probabilities)
            measures.append(Measure(name, float(a.mean()), float(b.mean()), sign_flip(a - b), "sign-flip permutation"))
    columns = [name for name in ("digit", "confidence") if name in first and name in second]
    joined = first[keys].join([first[columns].add_suffix("_first"), second[columns].add_suffix("_second")])
    for side in ("first", "second"):
        if f"confidence_{side}" not in joined:
            joined[f"confidence_{side}"] = np.nan
    return Paired(joined, errors, measures)


def sign_flip(differences: NDArray[np.float64]) -> float:
    """The two-sided p of a mean difference, of paired differences, [N], whose signs are drawn anew."""
    if not differences.any():
        return 1.0
    found = permutation_test(
        (differences,),
        lambda one, axis: one.mean(axis=axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=100,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def differing(first: Mapping[str, object], second: Mapping[str, object]) -> pd.DataFrame:
    """The names whose values differ, or that only one has: a row each, with name, first and second; None is none."""
    names = [name for name in sorted(first.keys() | second.keys()) if first.get(name) != second.get(name)]
    return pd.DataFrame(
        {"name": names, "first": [first.get(name) for name in names], "second": [second.get(name) for name in names]},
        dtype=object,
    )
