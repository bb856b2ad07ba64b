"""The audit audits itself: what its statistical gates would refuse, and how often they would refuse without cause.

Networks are simulated by their answers on this very test set. The errors are beta-binomial: each writer has an error
rate of its own, drawn from a beta distribution, so that the digits of one writer fail together as strongly as was
measured. The gates are decided by the functions that decide them for a real network.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from pipeline.audits import accuracy, calibration, population, style
from pipeline.audits.accuracy import percentages
from pipeline.audits.gates import GATES, Estimate, Verdict
from pipeline.audits.results import Results
from pipeline.audits.statistics import exact_upper, newcombe, resampled

DESIGN_EFFECT = {"students": 1.3, "employees": 2.2}
"""By how much clustering in writers inflates the variance of a population's error: the middle of what two plain
ConvNets and an MLP of 60 to 180 errors showed on MNIST's test set (1.1 to 1.5, and 2.0 to 2.4)."""
BROKEN_RATIO = 5
"""Broken strokes were misclassified five to six times as often as others by every network measured."""

FAIR_LEVEL = 0.75
"""Of the error that the gate allows: 30 errors in 10,000 where it allows 40."""
BETTER_LEVEL = 0.6
"""24 errors: what it takes for few to be refused by chance."""
LEVELS = (0.5, FAIR_LEVEL, 1.0, 1.5)
RATIOS = (1.0, 1.5, 2.0, 3.0)

FAIR_CANDIDATES = 200
CANDIDATES = 400
"""In each cell of the power table."""
DRAWS = 200
"""Resamples for each simulated candidate, in place of audit.bootstrap."""
FALSE_ALARMS_ALLOWED = 0.10
ANY = "any of them"
ANY_GROUP = "any between groups"

Thresholds = Mapping[str, float]


@dataclass(frozen=True)
class Sureness:
    """How sure a simulated, calibrated network is of the images of one population.

    doubt: float [P], the probabilities of error that its images are drawn from; limit: from this doubt on it abstains.
    """

    doubt: np.ndarray
    limit: float

    def abstains(self, wrong: bool) -> float:
        """The probability that it abstains on an image that it misclassifies, or does not."""
        weights = self.doubt if wrong else 1 - self.doubt
        return float(weights[self.doubt >= self.limit].sum() / weights.sum())

    def draw(self, wrong: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The doubt, float [N], in images that it misclassifies or not, bool [N]: what makes it calibrated."""
        drawn = np.empty(len(wrong))
        for outcome, weights in ((wrong, self.doubt), (~wrong, 1 - self.doubt)):
            drawn[outcome] = rng.choice(self.doubt, int(outcome.sum()), p=weights / weights.sum())
        return drawn


def measure(results: Results, thresholds: Thresholds) -> dict[str, Any]:
    """Simulate fair networks and unfair ones, and count which the statistical gates refuse."""
    near, better = (false_alarms(results, thresholds, level) for level in (FAIR_LEVEL, BETTER_LEVEL))
    refused = power(results, thresholds)
    return {
        "candidates": FAIR_CANDIDATES,
        "cell_candidates": CANDIDATES,
        "draws": DRAWS,
        "allowed": FALSE_ALARMS_ALLOWED,
        "broken_ratio": BROKEN_RATIO,
        "design_effect_students": DESIGN_EFFECT["students"],
        "design_effect_employees": DESIGN_EFFECT["employees"],
        "images": len(results.labels),
        "broken_images": int(style.broken(results.samples).sum()),
        "near_rate": FAIR_LEVEL * thresholds["error"],
        "near_errors": true_errors(results, thresholds, FAIR_LEVEL),
        "better_rate": BETTER_LEVEL * thresholds["error"],
        "better_errors": true_errors(results, thresholds, BETTER_LEVEL),
        **withheld(results, thresholds),
        "near": near,
        "better": better,
        "power": refused,
        "near_power": refused[refused["true_errors"] == refused["true_errors"].unique()[LEVELS.index(FAIR_LEVEL)]],
    }


def estimates(results: Results) -> dict[str, Estimate]:
    """What the statistical gates take, by the functions, and with the draws, of the sections that they stand in."""
    return {
        **accuracy.estimates(results),
        **population.estimates(results),
        **style.estimates(results),
        **calibration.estimates(results, with_interval=False),
    }


def verdicts(results: Results, thresholds: Thresholds) -> dict[str, Verdict]:
    """The verdict on each gate that statistics decide, in the order of the table."""
    found = estimates(results)
    return {name: Verdict(GATES[name], found[name], thresholds[name]) for name in GATES if name in found}


def members(results: Results) -> dict[str, np.ndarray]:
    """The rows of each population, int [N of it]; all images as one where the source names none."""
    if not results.has_writers:
        return {"all": np.arange(len(results.labels))}
    return {name: one.rows for name, one in population.populations(results.samples).items()}


def rates(results: Results, level: float, ratio: float) -> dict[str, float]:
    """Each population's true error: `level` over all images, the students' `ratio` times the employees'."""
    sizes = {name: len(rows) for name, rows in members(results).items()}
    weights = {name: ratio if name == "students" else 1.0 for name in sizes}
    mean = sum(weights[name] * size for name, size in sizes.items()) / len(results.labels)
    return {name: level * weight / mean for name, weight in weights.items()}


def simulate(
    results: Results, rates: Mapping[str, float], weights: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Errors of ``count`` networks, bool [count, N], beta-binomial over writers.

    A beta distribution whose shapes sum to 1/c - 1 makes two digits of one writer correlate by c (Williams 1975,
    Biometrics 31); of writers of m digits each, that inflates the variance by 1 + c (sum of m² / sum of m - 1).

    Args:
        rates: the true error of each population.
        weights: float [N], by which an image's error rate differs from its writer's; 1 on average.
    """
    wrong = np.zeros((count, len(weights)), bool)
    writers = calibration.writers(results)
    for name, rows in members(results).items():
        _, writer, sizes = np.unique(writers[rows], return_inverse=True, return_counts=True)
        rate = np.full((count, 1), rates[name])
        if results.has_writers:
            correlation = (DESIGN_EFFECT[name] - 1) / ((sizes**2).sum() / sizes.sum() - 1)
            total = 1 / correlation - 1
            rate = rng.beta(rates[name] * total, (1 - rates[name]) * total, (count, len(sizes)))[:, writer]
        wrong[:, rows] = rng.random((count, len(rows)), dtype=np.float32) < rate * weights[rows]
    return wrong


def sureness(results: Results, rates: Mapping[str, float]) -> dict[str, Sureness]:
    """The network's own confidences, made to err as often as ``rates`` says in each population.

    All odds of error are multiplied by one factor for each population; it abstains as often as the network does, on the
    least sure images of both.
    """
    doubt = np.clip(1 - calibration.confidences(results), 1e-9, 1 - 1e-9)
    doubts = {name: scaled(doubt, rate) for name, rate in rates.items()}
    limit = float(np.quantile(np.concatenate(list(doubts.values())), 1 - results.predictions.abstained.mean()))
    return {name: Sureness(doubt, limit) for name, doubt in doubts.items()}


def scaled(doubt: np.ndarray, mean: float) -> np.ndarray:
    """Probabilities, float [P], with all their odds multiplied by the factor that gives them this mean."""
    odds = doubt / (1 - doubt)
    power = brentq(lambda power: (1 / (1 + np.exp(-power) / odds)).mean() - mean, -20, 20, xtol=1e-4)
    return np.asarray(1 / (1 + np.exp(-power) / odds))


def true_errors(results: Results, thresholds: Thresholds, level: float) -> float:
    """How many test images a network misclassifies in truth, at a level of the error that the gate allows."""
    return round(level * thresholds["error"] * len(results.labels), 1)


def withheld(results: Results, thresholds: Thresholds) -> dict[str, float]:
    """How many errors such a network withholds, and the error among its answers, by its confidences alone."""
    level = rates(results, FAIR_LEVEL * thresholds["error"], ratio=1)
    sure = sureness(results, level)
    sizes = {name: len(rows) for name, rows in members(results).items()}
    errors = sum(size * level[name] for name, size in sizes.items())
    left = sum(size * level[name] * (1 - sure[name].abstains(wrong=True)) for name, size in sizes.items())
    abstained = float(results.predictions.abstained.mean())
    return {
        "abstained_share": abstained,
        "errors_withheld": errors - left,
        "answered_error_in_truth": left / (len(results.labels) * (1 - abstained)),
    }


def fair_candidates(results: Results, level: float, count: int) -> Iterator[Results]:
    """Networks of a true error of ``level`` on every population, digit and stroke, perfectly calibrated."""
    rng, groups = results.rng("fair candidates"), members(results)
    true = rates(results, level, ratio=1)
    sure = sureness(results, true)
    for number, wrong in enumerate(simulate(results, true, np.ones(len(results.labels)), count, rng)):
        doubt, abstained = np.empty(len(wrong)), np.empty(len(wrong), bool)
        for name, rows in groups.items():
            doubt[rows] = sure[name].draw(wrong[rows], rng)
            abstained[rows] = doubt[rows] >= sure[name].limit
        predictions = replace(
            results.predictions,
            digit=np.where(wrong, (results.labels + 1) % 10, results.labels).astype(np.int64),
            confidence=(1 - doubt).astype(np.float32),
            abstained=abstained,
        )
        yield replace(results, predictions=predictions, bootstrap=DRAWS, seed=results.seed + number)


def false_alarms(results: Results, thresholds: Thresholds, level: float) -> pd.DataFrame:
    """A row for each statistical gate, and for all of them together: how many fair candidates it refuses.

    Args:
        level: the candidates' true error, as a share of the error that the gate allows.
    """
    passed = pd.DataFrame(
        {name: verdict.passed for name, verdict in verdicts(candidate, thresholds).items()}
        for candidate in fair_candidates(results, level * thresholds["error"], FAIR_CANDIDATES)
    )
    refused = passed.dropna(axis=1, how="all").eq(False)
    counts = refused.sum()
    counts[ANY_GROUP] = refused[[name for name in refused if GATES[str(name)].between_groups]].any(axis=1).sum()
    counts[ANY] = refused.any(axis=1).sum()
    return pd.DataFrame(
        {
            "gate": name,
            "requirement": GATES[str(name)].title if name in GATES else name,
            "refused": int(count),
            **percentages(int(count), FAIR_CANDIDATES, "refused"),
        }
        for name, count in counts.items()
    )


def power(results: Results, thresholds: Thresholds) -> pd.DataFrame:
    """How often each gate refuses networks of several errors and several ratios between the populations, in per cent.

    Broken strokes are misclassified `BROKEN_RATIO` times as often as others, digits equally often.
    """
    rng = results.rng("power")
    weights = np.where(style.broken(results.samples), BROKEN_RATIO, 1.0)
    weights /= weights.mean()
    rows = []
    for ratio in RATIOS if results.has_writers else (1.0,):
        for level in LEVELS:
            true = rates(results, level * thresholds["error"], ratio)
            wrong = simulate(results, true, weights, CANDIDATES, rng)
            refused = refusals(results, thresholds, wrong, sureness(results, true), rng)
            refused[ANY] = np.any(list(refused.values()), axis=0)
            rows.append(
                {
                    "true_errors": true_errors(results, thresholds, level),
                    **({"students_over_employees": ratio} if results.has_writers else {}),
                    **{name: 100 * float(which.mean()) for name, which in refused.items()},
                }
            )
    return pd.DataFrame(rows)


def refusals(
    results: Results,
    thresholds: Thresholds,
    wrong: np.ndarray,
    sure: Mapping[str, Sureness],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Which of many networks each gate refuses, bool [S], by their errors, bool [S, N].

    The same verdicts as `verdicts`, from sums over all networks at once. On which images they abstain is drawn.
    """
    groups = members(results)
    total, fragile = wrong.shape[1], style.broken(results.samples)
    errors = wrong.sum(1)
    digits = np.bincount(results.labels, minlength=10)
    candidate, image = np.nonzero(wrong)
    by_digit = np.bincount(candidate * 10 + results.labels[image], minlength=10 * len(wrong)).reshape(-1, 10)

    withheld, abstained = np.zeros(len(wrong), int), {}
    for name, rows in groups.items():
        mistakes = wrong[:, rows].sum(1)
        unanswered = rng.binomial(mistakes, sure[name].abstains(wrong=True))
        withheld += unanswered
        abstained[name] = unanswered + rng.binomial(len(rows) - mistakes, sure[name].abstains(wrong=False))
    values = {
        "error": errors / total,
        "digit_recall": (1 - by_digit[:, digits > 0] / digits[digits > 0]).min(1),
        "broken_strokes": wrong[:, fragile].sum(1) / max(fragile.sum(), 1),
        "answered_error": (errors - withheld) / (total - sum(abstained.values())),
    }
    if results.has_writers:
        values["population_gap"], values["students_error"] = population_bounds(results, wrong, DRAWS, rng, rng)
        students, employees = (100 * abstained[name] / len(rows) for name, rows in groups.items())
        values["abstention_gap"] = np.abs(students - employees)
    return {
        name: found > thresholds[name] if GATES[name].limit == "at most" else found < thresholds[name]
        for name, found in values.items()
    }


def population_bounds(
    results: Results, wrong: np.ndarray, draws: int, of_gap: np.random.Generator, of_students: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds that `population.gap` and `population.error_bound` hold against their gates, for many networks.

    Args:
        wrong: bool [S, N].

    Returns:
        The upper bounds of the gap in percentage points and of the students' error as a share, float [S] each.
    """
    sums = []
    for one in population.populations(results.samples).values():
        digits = np.bincount(one.writer)
        candidate, image = np.nonzero(wrong[:, one.rows])
        counts = np.bincount(one.writer[image] * len(wrong) + candidate, minlength=len(digits) * len(wrong))
        sums.append(np.column_stack([counts.reshape(len(digits), -1), digits]))

    def drawn(writers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        totals = resampled(writers, draws, rng)
        return np.asarray(totals[:, :-1] / totals[:, -1:])

    students, employees = sums
    gaps = np.quantile(100 * (drawn(students, of_gap) - drawn(employees, of_gap)), 0.95, axis=0)
    clustered = np.quantile(drawn(students, of_students), 0.95, axis=0)
    (*of_s, n_s), (*of_e, n_e) = (one.sum(0).tolist() for one in sums)
    naive = [newcombe((s, n_s), (e, n_e), 0.90)[1] for s, e in zip(of_s, of_e, strict=True)]
    exact = [exact_upper(s, n_s) for s in of_s]
    return np.maximum(gaps, naive), np.maximum(clustered, exact)
