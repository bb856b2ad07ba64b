"""Intervals, resampling and tests: what the sections of the audit, and the choice of a champion, share.

Newcombe's interval and Holm's correction are a few lines each over scipy. statsmodels has both, with equal values (its
own stand in the tests), but takes 67 MB for them, and its `multipletests` 0.1 s a call, which collects all garbage.
Mantel and Haenszel's risk difference it has not, nor Tango's limit, nor any of this for many resamples at once.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv
from scipy.stats import binomtest, norm


@cache
def exact_interval(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Clopper and Pearson 1934), as scipy's binomtest gives it, only faster."""
    low = betaincinv(count, total - count + 1, 0.025) if count else 0.0
    high = betaincinv(count + 1, total - count, 0.975) if count < total else 1.0
    return float(low), float(high)


@cache
def exact_upper(count: int, total: int) -> float:
    """The exact one-sided 95 % bound of a proportion (Clopper and Pearson 1934)."""
    return float(binomtest(count, total, alternative="less").proportion_ci(0.95, method="exact").high)


@cache
def wilson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """The interval of a proportion (Wilson 1927)."""
    found = binomtest(count, total).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def newcombe(first: tuple[int, int], second: tuple[int, int], confidence: float) -> tuple[float, float]:
    """Interval of the difference of two proportions, (count, total) each, in percentage points.

    From Wilson's intervals (Newcombe 1998, Statistics in Medicine 17, method 10).
    """
    (p, p_low, p_high), (q, q_low, q_high) = (
        (count / total, *wilson(count, total, confidence)) for count, total in (first, second)
    )
    low, high = p - q - np.hypot(p - p_low, q_high - q), p - q + np.hypot(p_high - p, q - q_low)
    return float(100 * low), float(100 * high)


def interval(drawn: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of resamples, float [draws]."""
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def resampled(sums: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Totals, float [draws, K], over samples of whole units drawn with replacement, of their ``sums``, [U, K].

    The units are what is independent, as writers are: the cluster bootstrap.
    """
    chosen = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    return np.asarray(chosen.astype(np.float64) @ sums.astype(np.float64))


def resampled_error(writers: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Error shares, float [draws], of `resampled` writers, [W, 2]: errors and digits of each."""
    errors, digits = resampled(writers, draws, rng).T
    return np.asarray(errors / digits)


def resampled_means(scores: np.ndarray, units: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Means of ``scores``, bool [N, K], over `resampled` units: float [draws, K].

    Args:
        units: [N], who wrote each image, or the image's number.
    """
    number = np.unique(units, return_inverse=True)[1]
    sums = [np.bincount(number, weights=column) for column in scores.T]
    totals = resampled(np.column_stack([*sums, np.bincount(number)]), draws, rng)
    return np.asarray(totals[:, :-1] / totals[:, -1:])


def permutation_p(observed: float, null: np.ndarray) -> float:
    """The share of ``null``, float [draws], that is at least as large as ``observed``, which counts as one of them."""
    return float((1 + (null >= observed - 1e-9).sum()) / (1 + len(null)))


def holm(p: np.ndarray) -> np.ndarray:
    """P-values, float [K], corrected for their number (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images, by exact McNemar.

    candidate_only, champion_only: images that only the one gets wrong; p: two-sided.
    """

    candidate_only: int
    champion_only: int
    p: float


def mcnemar(candidate: np.ndarray, champion: np.ndarray) -> Comparison:
    """Compare two models' errors, bool [N] on the same images (McNemar 1947; exact, by the binomial distribution)."""
    candidate_only, champion_only = int((candidate & ~champion).sum()), int((champion & ~candidate).sum())
    discordant = candidate_only + champion_only
    p = float(binomtest(candidate_only, discordant).pvalue) if discordant else 1.0
    return Comparison(candidate_only, champion_only, p)


@cache
def tango_upper(candidate_only: int, champion_only: int, images: int, alpha: float) -> float:
    """The upper limit, one-sided at 1 - ``alpha``, of how much larger the candidate's share of errors is.

    By the score test of the difference of two paired proportions (Tango 1998, Statistics in Medicine 17, 891-908): the
    candidate is not inferior by a margin, at level ``alpha``, where the limit is at most the margin.

    Args:
        candidate_only, champion_only: images that only the one gets wrong, of ``images`` that both were asked about.
    """
    b, c, n, z = candidate_only, champion_only, images, float(norm.isf(alpha))
    least = (b - c) / n
    if least == 1:
        return 1.0

    def excess(difference: float) -> float:
        """Above 0 where the difference is not rejected: champion_only's share as it is most likely, given that."""
        half = (2 * n - b + c) * difference - b - c
        spread = difference * (1 - difference)
        share = (np.sqrt(half**2 + 8 * n * c * spread) - half) / (4 * n)
        return float(b - c - n * difference + z * np.sqrt(n * (2 * share + spread)))

    return float(brentq(excess, least + 1e-12, 1.0))


def common_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mantel and Haenszel's risk difference, float [D], of errors and images by stratum, float [D, 2 K] each.

    As Greenland and Robins 1985, Biometrics 41.
    """
    (e1, n1), (e2, n2) = np.split(first, 2, axis=1), np.split(second, 2, axis=1)
    images = np.maximum(n1 + n2, 1)
    return np.asarray(((e1 * n2 - e2 * n1) / images).sum(1) / (n1 * n2 / images).sum(1))


def placements(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of ``others``, [M], below each of ``values``, [N], equal ones counting half; their mean is AUROC."""
    ranked = np.sort(others)
    below, up_to = (np.searchsorted(ranked, values, side=side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ranked))
