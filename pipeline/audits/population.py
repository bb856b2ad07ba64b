"""Whether the two populations whose handwriting MNIST was collected from, and single writers, are read equally well.

Digits of one hand fail together: intervals are of whole writers drawn again, and never narrower than those that take
every image for independent, since resampling cannot show what a handful of errors hides.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import binomtest

from pipeline.audits.accuracy import exact_interval, permutation_p
from pipeline.audits.gates import Gate
from pipeline.audits.section import Section, Subject
from pipeline.audits.style import within_digit
from pipeline.report.figures import plots
from pipeline.report import wording

UNMEASURABLE = "Not measurable: this source does not say who wrote its digits."
POPULATIONS = ("students", "employees")
TERCILES = 3
MANY = 3  # errors of one writer that make him or her worth a look

GAP_ANCHOR = (
    "0.90 percentage points in the predictions published with cleanlab's label errors; two plain ConvNets without "
    "augmentation, measured for this project, 0.60 and 0.64, a plain MLP 1.50 (points, not bounds)."
)
STUDENTS_ANCHOR = (
    "1.32 % in the predictions published with cleanlab's label errors; two plain ConvNets without augmentation, "
    "measured for this project, 0.92 % and 0.98 % (points, not bounds)."
)


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


def measure(subject: Subject) -> Section:
    """Measure the gap between the populations, in error and in abstention, and the spread over writers."""
    section = Section(
        key="population",
        title="Who wrote it",
        question="Are high-school students and Census employees read equally well, and every single writer?",
    )
    if not subject.has_writers:
        section.gates = [unmeasurable(name, subject) for name in ("population_gap", "students_error", "abstention_gap")]
        section.findings = [f"{UNMEASURABLE} No statement on fairness between groups can be made from it."]
        return section

    samples, wrong, abstained, draws = subject.samples, subject.wrong, subject.predictions.abstained, subject.bootstrap
    raw = gap(samples, wrong, draws, subject.rng("population gap"))
    standardised = standardised_gap(samples, wrong, draws, subject.rng("standardised gap"))
    nulls = {
        name: permuted(by_writer(samples, wrong, name), draws, subject.rng(f"writers: {name}")) for name in POPULATIONS
    }
    writers = writers_table(samples, wrong, nulls)
    section.gates = [
        population_gap(samples, wrong, raw, subject.limits.population_gap),
        students_error(samples, wrong, draws, subject.rng("students' error"), subject.limits.students_error),
        abstention_gap(samples, abstained, draws, subject.rng("abstention gap"), subject.limits.abstention_gap),
    ]
    section.findings = [
        clustering(raw),
        standardisation(samples, raw, standardised),
        *(writers_sentence(row) for row in writers.to_dict("records")),
        cannot_show(int(wrong.sum())),
    ]
    section.tables = {
        "The two populations": populations_table(samples, wrong, abstained, draws, subject.rng),
        "The gap in error, in percentage points": gaps_table(raw, standardised),
        "Errors over writers, against errors dealt out at random within the population": writers.round(4),
    }
    section.figures = {
        "Populations and writers: the gap over images taken for independent, over writers drawn again, and between "
        "digits of like style, with 95 % intervals; and how many writers have one error, two, or more": draw(
            samples, wrong, raw, standardised, nulls, subject.limits.population_gap
        )
    }
    return section


def unmeasurable(name: str, subject: Subject) -> Gate:
    """A gate that this source cannot show."""
    return Gate(name, None, None, "at most", getattr(subject.limits, name), UNMEASURABLE)


def by_writer(samples: pd.DataFrame, event: np.ndarray, population: str) -> np.ndarray:
    """Events and digits of each writer of a population, int [W, 2]; ``event`` is bool [N]."""
    theirs = (samples["population"] == population).to_numpy()
    groups = pd.DataFrame({"writer": samples["writer"].to_numpy()[theirs], "event": event[theirs]}).groupby("writer")
    return groups["event"].agg(["sum", "size"]).to_numpy(np.int64)


def resampled(sums: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Totals, float [draws, K], over samples of whole writers drawn with replacement, of their ``sums``, [W, K]."""
    chosen = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    return np.asarray(chosen.astype(np.float64) @ sums.astype(np.float64))


def resampled_error(writers: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Error shares, float [draws], of samples of whole writers drawn with replacement (cluster bootstrap).

    Args:
        writers: int [W, 2], errors and digits of each writer.
    """
    errors, digits = resampled(writers, draws, rng).T
    return np.asarray(errors / digits)


def gap(samples: pd.DataFrame, event: np.ndarray, draws: int, rng: np.random.Generator) -> Gap:
    """The gap in an event's share; ``event`` is bool [N], ``samples`` has the ``population`` and ``writer`` of each."""
    writers = [by_writer(samples, event, name) for name in POPULATIONS]
    counts = [(int(one[:, 0].sum()), int(one[:, 1].sum())) for one in writers]
    students, employees = (resampled_error(one, draws, rng) for one in writers)
    low, upper, high = (float(bound) for bound in np.quantile(100 * (students - employees), (0.025, 0.95, 0.975)))
    naive = newcombe(counts[0], counts[1], 0.95)
    return Gap(
        value=100 * (counts[0][0] / counts[0][1] - counts[1][0] / counts[1][1]),
        low=min(low, naive[0]),
        high=max(high, naive[1]),
        upper=max(upper, newcombe(counts[0], counts[1], 0.90)[1]),
        clustered=(low, high),
        naive=naive,
    )


def newcombe(first: tuple[int, int], second: tuple[int, int], confidence: float) -> tuple[float, float]:
    """Interval of the difference of two proportions, (count, total) each, in percentage points.

    From Wilson's intervals (Newcombe 1998, Statistics in Medicine 17, method 10).
    """
    (p, p_low, p_high), (q, q_low, q_high) = (
        (count / total, *binomtest(count, total).proportion_ci(confidence, method="wilson"))
        for count, total in (first, second)
    )
    low, high = p - q - np.hypot(p - p_low, q_high - q), p - q + np.hypot(p_high - p, q - q_low)
    return float(100 * low), float(100 * high)


def population_gap(samples: pd.DataFrame, wrong: np.ndarray, found: Gap, threshold: float) -> Gate:
    """The students' error minus the employees', judged by its one-sided 95 % upper bound.

    A bound, since "no significant difference" would say nothing of a test set with few errors.
    """
    errors = {name: wrong[(samples["population"] == name).to_numpy()].mean() for name in POPULATIONS}
    sentence = (
        f"Students are misread in {wording.percent(errors['students'])}, employees in "
        f"{wording.percent(errors['employees'])}: a gap of {found.value:+.2f} percentage points, "
        f"95 % interval {found.low:+.2f} to {found.high:+.2f} over writers; with 95 % confidence it is "
        f"{found.upper:+.2f} at most."
    )
    interval = (found.low, found.high)
    return Gate("population_gap", found.upper, interval, "at most", threshold, sentence, GAP_ANCHOR)


def students_error(
    samples: pd.DataFrame, wrong: np.ndarray, draws: int, rng: np.random.Generator, threshold: float
) -> Gate:
    """The upper 95 % bound of the students' error: by resampled writers, or the exact one if that is larger."""
    writers = by_writer(samples, wrong, "students")
    errors, digits = (int(total) for total in writers.sum(0))
    low, clustered, high = np.quantile(resampled_error(writers, draws, rng), (0.025, 0.95, 0.975))
    exact = binomtest(errors, digits, alternative="less").proportion_ci(0.95, method="exact").high
    exact_low, exact_high = exact_interval(errors, digits)
    why = (
        "by writers drawn again, since the digits of one hand fail together"
        if clustered > exact
        else "by the exact bound of a proportion, which here is larger than that by writers drawn again"
    )
    bound = float(max(clustered, exact))
    sentence = (
        f"Students are misread in {errors} of {digits:,} images, {wording.percent(errors / digits)}; with 95 % "
        f"confidence in {wording.percent(bound)} at most ({why})."
    )
    interval = (float(min(low, exact_low)), float(max(high, exact_high)))
    return Gate("students_error", bound, interval, "at most", threshold, sentence, STUDENTS_ANCHOR)


def abstention_gap(
    samples: pd.DataFrame, abstained: np.ndarray, draws: int, rng: np.random.Generator, threshold: float
) -> Gate:
    """The size of the gap in abstention, bool [N]; the interval is of the gap with its sign."""
    found = gap(samples, abstained, draws, rng)
    shares = {name: abstained[(samples["population"] == name).to_numpy()].mean() for name in POPULATIONS}
    sentence = (
        f"The recogniser declines to answer {wording.percent(shares['students'])} of the students' digits and "
        f"{wording.percent(shares['employees'])} of the employees': a gap of {found.value:+.2f} percentage points, "
        f"95 % interval {found.low:+.2f} to {found.high:+.2f} over writers."
    )
    return Gate("abstention_gap", abs(found.value), (found.low, found.high), "at most", threshold, sentence)


def strata(samples: pd.DataFrame) -> np.ndarray:
    """The stratum of each image, int [N] in 0..89: digit, and within the digit terciles of thickness and of slant."""
    labels = samples["label"].to_numpy()
    thickness, slant = (
        np.maximum(within_digit(samples[name].to_numpy(), labels, TERCILES), 0) for name in ("thickness", "slant")
    )
    return np.asarray((labels.astype(int) * TERCILES + thickness) * TERCILES + slant)


def standardised_gap(
    samples: pd.DataFrame, wrong: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """The gap in error between digits of one class and like style, and its 95 % interval, in percentage points.

    Mantel and Haenszel's common risk difference (Greenland and Robins 1985, Biometrics 41) over `strata`; the interval
    by resampled writers.
    """
    cells = strata(samples)
    count = cells.max() + 1
    observed, drawn = [], []
    for name in POPULATIONS:
        theirs = (samples["population"] == name).to_numpy()
        writers, index = np.unique(samples["writer"].to_numpy(np.int64)[theirs], return_inverse=True)
        where = index * count + cells[theirs]
        size = len(writers) * count
        errors, digits = (
            np.bincount(where, weights=weights, minlength=size).reshape(-1, count)
            for weights in (wrong[theirs].astype(float), None)
        )
        sums = np.hstack([errors, digits])
        observed.append(sums.sum(0, keepdims=True))
        drawn.append(resampled(sums, draws, rng))
    low, high = np.quantile(common_difference(*drawn), (0.025, 0.975))
    return 100 * float(common_difference(*observed)[0]), 100 * float(low), 100 * float(high)


def common_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mantel and Haenszel's risk difference, float [D], of errors and images by stratum, float [D, 2 K] each."""
    (e1, n1), (e2, n2) = np.split(first, 2, axis=1), np.split(second, 2, axis=1)
    images = np.maximum(n1 + n2, 1)
    return np.asarray(((e1 * n2 - e2 * n1) / images).sum(1) / (n1 * n2 / images).sum(1))


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
    """Mean error share, float [...], of the tenth of the writers that are read worst."""
    shares = np.sort(errors / digits, axis=-1)
    return np.asarray(shares[..., -max(round(len(digits) / 10), 1) :].mean(-1))


def writers_table(samples: pd.DataFrame, wrong: np.ndarray, nulls: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row for each population: how its errors spread over writers, and what `nulls`, its `permuted` errors, give."""
    rows = []
    for name, null in nulls.items():
        errors, digits = by_writer(samples, wrong, name).T
        spread, worst = float(dispersion(errors, digits)), float(worst_tenth(errors, digits))
        null_worst = worst_tenth(null, digits)
        rows.append(
            {
                "population": name,
                "writers": len(digits),
                "dispersion": spread,
                "dispersion, p": permutation_p(spread, dispersion(null, digits)),
                "worst tenth, error %": 100 * worst,
                "by chance, %": 100 * null_worst.mean(),
                "worst tenth, p": permutation_p(worst, null_worst),
                f"writers with {MANY} errors or more": int((errors >= MANY).sum()),
                "by chance": float((null >= MANY).sum(1).mean()),
            }
        )
    return pd.DataFrame(rows)


def writers_sentence(row: Mapping[Hashable, Any]) -> str:
    """One population's row of `writers_table` in words."""
    verdict = (
        "gather on some writers more than chance would have it"
        if row["dispersion, p"] < 0.05
        else "spread over writers as chance would have it"
    )
    return (
        f"{row['population'].capitalize()}: errors {verdict} (dispersion {row['dispersion']:.2f}, 1 by chance; "
        f"permutation p = {row['dispersion, p']:.2g}). The worst-read tenth of the {row['writers']} writers is misread "
        f"in {row['worst tenth, error %']:.1f} %, by chance it would be {row['by chance, %']:.1f} % "
        f"(p = {row['worst tenth, p']:.2g}). Writers with {MANY} errors or more: "
        f"{row[f'writers with {MANY} errors or more']}, by chance {row['by chance']:.1f}."
    )


def clustering(found: Gap) -> str:
    """What it matters that digits of one hand fail together."""
    return (
        f"Taken for independent images, the gap's 95 % interval would be {found.naive[0]:+.2f} to "
        f"{found.naive[1]:+.2f} percentage points (Newcombe); with whole writers drawn again it is "
        f"{found.clustered[0]:+.2f} to {found.clustered[1]:+.2f}. The gate takes the wider on each side."
    )


def standardisation(samples: pd.DataFrame, raw: Gap, standardised: tuple[float, float, float]) -> str:
    """How much of the gap is left between digits alike."""
    value, low, high = standardised
    hands = samples.groupby("population")[["thickness", "slant"]].mean()
    thickness, slant = (hands[name][list(POPULATIONS)] for name in hands)
    return (
        f"The populations write differently: students' strokes are {thickness.iloc[0]:.2f} px thick and slant by "
        f"{slant.iloc[0]:+.1f}°, employees' {thickness.iloc[1]:.2f} px and {slant.iloc[1]:+.1f}°. Between images of "
        f"the same digit in the same third of thickness and of slant the gap is {value:+.2f} percentage points, "
        f"95 % interval {low:+.2f} to {high:+.2f} (Mantel-Haenszel, over writers); without that, {raw.value:+.2f}."
    )


def cannot_show(errors: int) -> str:
    """The limits of what two halves of a test set say."""
    return (
        f"What this cannot show: with {errors} errors in all, a small gap cannot be told from none, so the gate "
        f"holds the upper bound (at 30 errors in two halves of 5,000, a ratio of 2 between the groups is found four "
        f"times in ten, one of 3 three times in four). The groups are source populations: age, occupation and the form "
        f"that was filled in differ together; sex, handedness and origin are not recorded. "
        f"With about 20 digits a student, no single writer's accuracy is known."
    )


def populations_table(
    samples: pd.DataFrame,
    wrong: np.ndarray,
    abstained: np.ndarray,
    draws: int,
    rng: Callable[[str], np.random.Generator],
) -> pd.DataFrame:
    """A row for each population: images, writers, errors and abstentions; ``wrong`` and ``abstained`` are bool [N]."""
    rows = []
    for name in POPULATIONS:
        theirs = (samples["population"] == name).to_numpy()
        writers = by_writer(samples, wrong, name)
        low, high = np.quantile(100 * resampled_error(writers, draws, rng(f"error: {name}")), (0.025, 0.975))
        rows.append(
            {
                "population": name,
                "images": int(theirs.sum()),
                "writers": len(writers),
                "misread": int(writers[:, 0].sum()),
                "error, %": round(100 * float(wrong[theirs].mean()), 3),
                "95 % interval over writers": f"{low:.2f} to {high:.2f}",
                "declined, %": round(100 * float(abstained[theirs].mean()), 2),
            }
        )
    return pd.DataFrame(rows)


def gaps_table(raw: Gap, standardised: tuple[float, float, float]) -> pd.DataFrame:
    """The gap as it stands with two intervals, and standardised."""
    rows = {
        "as it stands, images taken for independent": (raw.value, *raw.naive),
        "as it stands, writers drawn again": (raw.value, *raw.clustered),
        "same digit and like style, writers drawn again": standardised,
    }
    return pd.DataFrame(
        {"comparison": name, "gap": round(value, 3), "low": round(low, 3), "high": round(high, 3)}
        for name, (value, low, high) in rows.items()
    )


def draw(
    samples: pd.DataFrame,
    wrong: np.ndarray,
    raw: Gap,
    standardised: tuple[float, float, float],
    nulls: dict[str, np.ndarray],
    limit: float,
) -> Figure:
    """Draw the gap three ways, and how many writers have how many errors against what chance gives."""
    figure = Figure(figsize=(10, 3), layout="constrained")
    left, *panels = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    gaps = gaps_table(raw, standardised)
    reach = [gaps["gap"] - gaps["low"], gaps["high"] - gaps["gap"]]
    left.errorbar(gaps["gap"], range(3), xerr=reach, fmt="o", color=plots.BLUE, capsize=3)
    left.axvline(0, color=plots.GREY, linewidth=1)
    left.axvline(limit, color=plots.RED, linestyle="--", linewidth=1)
    left.set(
        yticks=range(3),
        yticklabels=["images", "writers", "like style"],
        ylim=(2.5, -0.5),
        xlabel="students' error minus employees', points",
        title="the gap, and the gate (dashed)",
    )
    for axes, (name, null) in zip(panels, nulls.items(), strict=True):
        errors = by_writer(samples, wrong, name)[:, 0]
        counts = np.arange(1, max(int(errors.max(initial=0)), MANY) + 1)
        by_chance = np.stack([(null == count).sum(1) for count in counts])
        low, high = np.quantile(by_chance, (0.025, 0.975), axis=1)
        axes.fill_between(counts, low, high, color=plots.GREY, alpha=0.4, label="by chance, 95 %")
        axes.plot(counts, [(errors == count).sum() for count in counts], "o", color=plots.BLUE, label="found")
        axes.set(xticks=counts, xlabel="errors of one writer", ylabel="writers", title=name, ylim=(0, None))
        axes.legend(frameon=False)
    return figure
