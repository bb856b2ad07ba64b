"""Accuracy as a whole and digit by digit, with exact intervals."""

import numpy as np
from scipy.stats import binomtest

from pipeline.audits.gates import Gate


def exact_interval(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Clopper and Pearson 1934)."""
    interval = binomtest(count, total).proportion_ci(method="exact")
    return float(interval.low), float(interval.high)


def error(wrong: np.ndarray, threshold: float) -> Gate:
    """The share of wrong answers; ``wrong`` is bool [N]."""
    count, total = int(wrong.sum()), len(wrong)
    low, high = interval = exact_interval(count, total)
    sentence = (
        f"{count} of {total:,} test images are misread: {count / total:.2%}, 95 % interval {low:.2%} to {high:.2%}."
    )
    return Gate("error", count / total, interval, "at most", threshold, sentence)


def digit_recall(labels: np.ndarray, wrong: np.ndarray, threshold: float) -> Gate:
    """The recall of the digit that is read worst; ``labels`` int [N], ``wrong`` bool [N]."""
    errors, totals = (np.bincount(labels[rows], minlength=10) for rows in (wrong, slice(None)))
    recall = 1 - errors / totals
    worst = int(recall.argmin())
    right, total = int(totals[worst] - errors[worst]), int(totals[worst])
    low, high = interval = exact_interval(right, total)
    sentence = (
        f"The digit read worst is {worst}: {right} of {total:,} are right, {recall[worst]:.2%}, "
        f"95 % interval {low:.2%} to {high:.2%}."
    )
    return Gate("digit_recall", float(recall[worst]), interval, "at least", threshold, sentence)
