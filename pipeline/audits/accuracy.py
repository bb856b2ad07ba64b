"""Accuracy as a whole and digit by digit, with exact intervals; the known wrong labels."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits import scores
from pipeline.audits.gates import UNMEASURABLE, Estimate
from pipeline.audits.results import Results
from pipeline.audits.statistics import exact_interval, permutation_p
from pipeline.data.sources import SOURCES, LabelErrors


def estimates(results: Results) -> dict[str, Estimate]:
    """The gates' estimates alone."""
    return {"error": error(results.wrong), "digit_recall": digit_recall(results.labels, results.wrong)}


def measure(results: Results) -> dict[str, Any]:
    """How often the network is right, over all and by digit."""
    labels, wrong, digits = results.labels, results.wrong, results.predictions.digit
    errors, totals = by_digit(labels, wrong)
    worst = worst_digit(labels, wrong)
    equal = equal_digits(labels, wrong, results.bootstrap, results.rng("equal digits"))
    return {
        **estimates(results),
        "images": len(wrong),
        "errors": int(wrong.sum()),
        "worst_digit": worst,
        "worst_digit_right": int(totals[worst] - errors[worst]),
        "worst_digit_images": int(totals[worst]),
        "equal_digits_p": equal,
        "by_truth": by_truth(results),
        "recall": recall_table(labels, digits),
        "confused": confused_pairs(labels, digits),
    }


def proportion(hits: np.ndarray) -> Estimate:
    """The share of true ones among ``hits``, bool [N], with its exact interval; not measurable where there are none."""
    count, total = int(hits.sum()), len(hits)
    return Estimate(count / total, exact_interval(count, total)) if total else UNMEASURABLE


def error(wrong: np.ndarray) -> Estimate:
    """The share of wrong answers; ``wrong`` is bool [N]."""
    return proportion(wrong)


def digit_recall(labels: np.ndarray, wrong: np.ndarray) -> Estimate:
    """The recall of the digit that is recognised worst; ``labels`` int [N], ``wrong`` bool [N]."""
    errors, totals = by_digit(labels, wrong)
    worst = worst_digit(labels, wrong)
    right, total = int(totals[worst] - errors[worst]), int(totals[worst])
    return Estimate(float(1 - errors[worst] / totals[worst]), exact_interval(right, total))


def worst_digit(labels: np.ndarray, wrong: np.ndarray) -> int:
    """The digit of the least recall."""
    errors, totals = by_digit(labels, wrong)
    return int((1 - errors / totals).argmin())


def by_digit(labels: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors and images of each digit, int [10] each."""
    return np.bincount(labels[wrong], minlength=10), np.bincount(labels, minlength=10)


def by_truth(results: Results) -> pd.DataFrame:
    """Errors by the official labels and, where it is known which are wrong, with those corrected or left out."""
    counts = {"official labels": (int(results.wrong.sum()), len(results.labels))}
    if known := label_errors(results):
        rows = results.samples["source_row"]
        kept = ~rows.isin([*known.corrected, *known.undecided]).to_numpy()
        corrected = results.predictions.digit != corrected_labels(results, known)
        counts["ten wrong labels corrected"] = (int(corrected.sum()), len(rows))
        counts["fifteen doubtful labels left out"] = (int(results.wrong[kept].sum()), int(kept.sum()))
    return pd.DataFrame(
        {"truth": name, "images": images, "errors": errors, **percentages(errors, images)}
        for name, (errors, images) in counts.items()
    )


def percentages(count: int, total: int, name: str = "error") -> dict[str, float]:
    """Columns of a table: a share and its exact 95 % interval, in per cent; NaN where there is nothing to count."""
    if not total:
        return {f"{name}_percent": np.nan, "low_percent": np.nan, "high_percent": np.nan}
    low, high = exact_interval(count, total)
    return {f"{name}_percent": 100 * count / total, "low_percent": 100 * low, "high_percent": 100 * high}


def label_errors(results: Results) -> LabelErrors | None:
    """Which labels of the source's test file are known to be wrong, where anybody knows."""
    return SOURCES[results.source].label_errors if results.source in SOURCES else None


def corrected_labels(results: Results, known: LabelErrors) -> np.ndarray:
    """The labels, int [N], with those that are known to be wrong corrected."""
    rows = results.samples["source_row"]
    return rows.map(known.corrected).fillna(pd.Series(results.labels, index=rows.index)).to_numpy(int)


def equal_digits(labels: np.ndarray, wrong: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """Whether the digit with most errors stands out: p against the worst of ten digits if errors fell anywhere.

    Some digit always is the worst: the comparison is with the distribution of the maximum.
    """
    errors, totals = by_digit(labels, wrong)
    null = rng.multivariate_hypergeometric(totals, int(errors.sum()), size=draws)
    return permutation_p(float(excess(errors, totals)), excess(null, totals))


def excess(errors: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """The largest standardised excess over the common error, float [...], of errors, int [..., 10] of totals [10]."""
    common = errors.sum(-1, keepdims=True) / totals.sum()
    spread = np.sqrt(np.maximum(totals * common * (1 - common), np.finfo(float).tiny))
    return np.asarray(((errors - totals * common) / spread).max(-1))


def recall_table(labels: np.ndarray, digits: np.ndarray) -> pd.DataFrame:
    """A row for each digit: images, errors, recall with its exact interval, and what it is taken for."""
    counts = scores.confusion(digits, labels)
    rows = []
    for digit, row in enumerate(counts):
        images, right = int(row.sum()), int(row[digit])
        others = [other for other in np.argsort(-row, kind="stable") if other != digit and row[other]]
        rows.append(
            {
                "digit": digit,
                "images": images,
                "errors": images - right,
                **percentages(right, images, "recall"),
                "taken_for": ", ".join(f"{other} ({row[other]}×)" for other in others),
            }
        )
    return pd.DataFrame(rows)


def confused_pairs(labels: np.ndarray, digits: np.ndarray) -> pd.DataFrame:
    """Pairs of digits by the errors between them, most first; ``labels`` and ``digits`` are int [N]."""
    counts = scores.confusion(digits, labels)
    low, high = np.triu_indices(10, 1)
    table = pd.DataFrame(
        {
            "smaller": low,
            "larger": high,
            "errors": counts[low, high] + counts[high, low],
            "smaller_taken_for_larger": counts[low, high],
            "larger_taken_for_smaller": counts[high, low],
        }
    )
    return table[table["errors"] > 0].sort_values("errors", ascending=False, kind="stable").reset_index(drop=True)
