"""Whether the two populations whose handwriting MNIST was collected from, and single writers, are recognised equally.

Digits of one writer fail together: intervals are of whole writers drawn again, and never narrower than those that take
every image for independent, since resampling cannot show what a handful of errors hides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.gates import GATES, UNMEASURABLE, Estimate
from pipeline.audits.results import Results
from pipeline.audits.statistics import (
    common_difference,
    exact_interval,
    exact_upper,
    interval,
    newcombe,
    permutation_p,
    resampled,
    resampled_error,
)
from pipeline.audits.style import within_digit

POPULATIONS = ("students", "employees")
TERCILES = 3
MANY = 3
"""Errors of one writer that make him or her worth a look."""


@dataclass(frozen=True)
class Population:
    """The images of one population: their rows, int [n], and the writer of each, int [n], counted from 0."""

    rows: np.ndarray
    writer: np.ndarray

    def by_writer(self, event: np.ndarray) -> np.ndarray:
        """How often an event, bool [N], happened to each writer, and the writer's digits: int [W, 2]."""
        digits = np.bincount(self.writer)
        return np.column_stack([np.bincount(self.writer[event[self.rows]], minlength=len(digits)), digits])


Populations = Mapping[str, Population]


@dataclass(frozen=True)
class Gap:
    """The students' share of something minus the employees', in percentage points.

    low, high: 95 % interval; upper: one-sided 95 % bound. `clustered` is the interval by resampled writers alone,
    `naive` that of independent images.
    """

    value: float
    low: float
    high: float
    upper: float
    clustered: tuple[float, float]
    naive: tuple[float, float]


def populations(samples: pd.DataFrame) -> Populations:
    """The populations, by name, of images that ``samples`` has a row for."""
    population, writer = samples["population"].to_numpy(object), samples["writer"].to_numpy(np.int64)
    found = {name: np.flatnonzero(population == name) for name in POPULATIONS}
    return {name: Population(rows, np.unique(writer[rows], return_inverse=True)[1]) for name, rows in found.items()}


def estimates(results: Results) -> dict[str, Estimate]:
    """The gates' estimates alone."""
    if not results.has_writers:
        return {gate.name: UNMEASURABLE for gate in GATES.values() if gate.section == "population"}
    groups = populations(results.samples)
    return of_gaps(results, groups, error_gap(results, groups), abstention_gap(results, groups))


def of_gaps(results: Results, groups: Populations, error: Gap, abstention: Gap) -> dict[str, Estimate]:
    """The gates' estimates from the gaps in error and in abstention."""
    students = groups["students"].by_writer(results.wrong)
    return {
        "population_gap": Estimate(error.upper, (error.low, error.high)),
        "students_error": error_bound(students, results.bootstrap, results.rng("students' error")),
        "abstention_gap": Estimate(abs(abstention.value), (abstention.low, abstention.high)),
    }


def measure(results: Results) -> dict[str, Any]:
    """The gap between the populations, in error and in abstention, and the spread over writers."""
    if not results.has_writers:
        return estimates(results)
    wrong, draws = results.wrong, results.bootstrap
    groups = populations(results.samples)
    raw, abstention = error_gap(results, groups), abstention_gap(results, groups)
    alike = standardised_gap(results, groups)
    nulls = {
        name: permuted(one.by_writer(wrong), draws, results.rng(f"writers: {name}")) for name, one in groups.items()
    }
    found = of_gaps(results, groups, raw, abstention)
    return {
        **found,
        "errors": int(wrong.sum()),
        "students_bound_is_exact": found["students_error"].value == exact_upper(*totals(groups["students"], wrong)),
        "gap": raw,
        "abstentions_gap": abstention,
        "alike_gap": alike,
        "styles_of_populations": results.samples.groupby("population")[["thickness", "slant"]].mean(),
        "populations": populations_table(results, groups),
        "gaps": gaps_table(raw, alike),
        "writers": writers_table(groups, wrong, nulls),
        "writers_by_errors": by_errors(groups, wrong, nulls),
    }


def error_gap(results: Results, groups: Populations) -> Gap:
    """The gap in error."""
    return gap(groups, results.wrong, results.bootstrap, results.rng("population gap"))


def abstention_gap(results: Results, groups: Populations) -> Gap:
    """The gap in abstention."""
    return gap(groups, results.predictions.abstained, results.bootstrap, results.rng("abstention gap"))


def totals(one: Population, event: np.ndarray) -> tuple[int, int]:
    """How often an event, bool [N], happened in a population, and its images."""
    return int(event[one.rows].sum()), len(one.rows)


def gap(groups: Populations, event: np.ndarray, draws: int, rng: np.random.Generator) -> Gap:
    """The gap in an event's share; ``event`` is bool [N].

    The gate holds the upper bound, since "no significant difference" would say nothing of a test set with few errors.
    """
    first, second = (totals(one, event) for one in groups.values())
    students, employees = (resampled_error(one.by_writer(event), draws, rng) for one in groups.values())
    low, upper, high = (float(bound) for bound in np.quantile(100 * (students - employees), (0.025, 0.95, 0.975)))
    naive = newcombe(first, second, 0.95)
    return Gap(
        value=100 * (first[0] / first[1] - second[0] / second[1]),
        low=min(low, naive[0]),
        high=max(high, naive[1]),
        upper=max(upper, newcombe(first, second, 0.90)[1]),
        clustered=(low, high),
        naive=naive,
    )


def error_bound(writers: np.ndarray, draws: int, rng: np.random.Generator) -> Estimate:
    """The upper 95 % bound of an error, of `by_writer`: by resampled writers, or the exact one if that is larger."""
    errors, digits = (int(total) for total in writers.sum(0))
    low, clustered, high = np.quantile(resampled_error(writers, draws, rng), (0.025, 0.95, 0.975))
    exact_low, exact_high = exact_interval(errors, digits)
    bound = float(max(clustered, exact_upper(errors, digits)))
    return Estimate(bound, (float(min(low, exact_low)), float(max(high, exact_high))))


def strata(samples: pd.DataFrame) -> np.ndarray:
    """The stratum of each image, int [N] in 0..89: digit, and within the digit terciles of thickness and of slant."""
    labels = samples["label"].to_numpy()
    thickness, slant = (
        np.maximum(within_digit(samples[name].to_numpy(), labels, TERCILES), 0) for name in ("thickness", "slant")
    )
    return np.asarray((labels.astype(int) * TERCILES + thickness) * TERCILES + slant)


def standardised_gap(results: Results, groups: Populations) -> tuple[float, float, float]:
    """The gap in error between digits of one class and like style, and its 95 % interval, in percentage points.

    Mantel and Haenszel's common risk difference over `strata`; the interval by resampled writers.
    """
    wrong, cells, rng = results.wrong, strata(results.samples), results.rng("standardised gap")
    count = cells.max() + 1
    observed, drawn = [], []
    for one in groups.values():
        where = one.writer * count + cells[one.rows]
        size = (one.writer.max() + 1) * count
        errors, digits = (
            np.bincount(where, weights=weights, minlength=size).reshape(-1, count)
            for weights in (wrong[one.rows].astype(float), None)
        )
        sums = np.hstack([errors, digits])
        observed.append(sums.sum(0, keepdims=True))
        drawn.append(resampled(sums, results.bootstrap, rng))
    low, high = interval(common_difference(*drawn))
    return 100 * float(common_difference(*observed)[0]), 100 * low, 100 * high


def permuted(writers: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Errors of each writer, int [draws, W], if all errors of the population, int [W, 2], fell on any of its digits."""
    errors, digits = writers.T
    return rng.multivariate_hypergeometric(digits, int(errors.sum()), size=draws)


def dispersion(errors: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """Pearson's dispersion, float [...], of errors, int [..., W], of digits, int [W]: 1 if writers differ by chance."""
    share = errors.sum(-1, keepdims=True) / digits.sum()
    spread = np.maximum(digits * share * (1 - share), np.finfo(float).tiny)
    return np.asarray(((errors - digits * share) ** 2 / spread).sum(-1) / max(len(digits) - 1, 1))


def worst_tenth(errors: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """Mean error share, float [...], of the tenth of the writers that are recognised worst."""
    shares = np.sort(errors / digits, axis=-1)
    return np.asarray(shares[..., -max(round(len(digits) / 10), 1) :].mean(-1))


def populations_table(results: Results, groups: Populations) -> pd.DataFrame:
    """A row for each population: images, writers, errors and abstentions; the error's interval is over writers."""
    rows = []
    for name, one in groups.items():
        writers = one.by_writer(results.wrong)
        drawn = resampled_error(writers, results.bootstrap, results.rng(f"error: {name}"))
        low, high = interval(100 * drawn)
        rows.append(
            {
                "population": name,
                "images": len(one.rows),
                "writers": len(writers),
                "errors": int(writers[:, 0].sum()),
                "error_percent": 100 * float(results.wrong[one.rows].mean()),
                "low_percent": low,
                "high_percent": high,
                "abstained_percent": 100 * float(results.predictions.abstained[one.rows].mean()),
            }
        )
    return pd.DataFrame(rows)


def gaps_table(raw: Gap, alike: tuple[float, float, float]) -> pd.DataFrame:
    """The gap as it stands with two intervals, and between digits alike."""
    rows = {
        "as it stands, images taken for independent": (raw.value, *raw.naive),
        "as it stands, writers drawn again": (raw.value, *raw.clustered),
        "same digit and like style, writers drawn again": alike,
    }
    return pd.DataFrame(
        {"comparison": name, "gap_pp": value, "low_pp": low, "high_pp": high}
        for name, (value, low, high) in rows.items()
    )


def writers_table(groups: Populations, wrong: np.ndarray, nulls: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row for each population: how its errors spread over writers, and what `nulls`, its `permuted` errors, give."""
    rows = []
    for name, null in nulls.items():
        errors, digits = groups[name].by_writer(wrong).T
        spread, worst = float(dispersion(errors, digits)), float(worst_tenth(errors, digits))
        null_worst = worst_tenth(null, digits)
        rows.append(
            {
                "population": name,
                "writers": len(digits),
                "dispersion": spread,
                "dispersion_p": permutation_p(spread, dispersion(null, digits)),
                "worst_tenth_error_percent": 100 * worst,
                "worst_tenth_by_chance_percent": 100 * float(null_worst.mean()),
                "worst_tenth_p": permutation_p(worst, null_worst),
                f"with_{MANY}_errors_or_more": int((errors >= MANY).sum()),
                f"with_{MANY}_errors_or_more_by_chance": float((null >= MANY).sum(1).mean()),
            }
        )
    return pd.DataFrame(rows)


def by_errors(groups: Populations, wrong: np.ndarray, nulls: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """How many writers of each population have one error, two, or more; and the middle 95 % of what chance gives."""
    rows = []
    for name, null in nulls.items():
        errors = groups[name].by_writer(wrong)[:, 0]
        for count in range(1, max(int(errors.max(initial=0)), MANY) + 1):
            low, high = interval((null == count).sum(1))
            found = int((errors == count).sum())
            rows.append({"population": name, "errors": count, "writers": found, "low": low, "high": high})
    return pd.DataFrame(rows)
