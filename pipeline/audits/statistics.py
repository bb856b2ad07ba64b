"""Intervals, resampling and tests: what the sections of the audit share."""

from functools import cache

import numpy as np
from scipy.special import betaincinv


@cache
def exact_interval(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Clopper and Pearson 1934), as scipy's binomtest gives it, only faster."""
    low = betaincinv(count, total - count + 1, 0.025) if count else 0.0
    high = betaincinv(count + 1, total - count, 0.975) if count < total else 1.0
    return float(low), float(high)


def permutation_p(observed: float, null: np.ndarray) -> float:
    """The share of ``null``, float [draws], that is at least as large as ``observed``, which counts as one of them."""
    return float((1 + (null >= observed - 1e-9).sum()) / (1 + len(null)))
