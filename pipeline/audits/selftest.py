"""The audit audits itself: what its statistical gates would refuse, and how often they would refuse without cause.

Networks are simulated by their answers on this very test set. The errors are beta-binomial: each writer has an error
rate of its own, drawn from a beta distribution, so that the digits of one hand fail together as strongly as was
measured. The gates are decided by the functions that decide them for a real network.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.stats import binomtest

from pipeline.audits import accuracy, calibration, population, style
from pipeline.audits.gates import Gate
from pipeline.audits.section import Section, Subject
from pipeline.report import wording

DESIGN_EFFECT = {"students": 1.3, "employees": 2.2}
"""By how much clustering in writers inflates the variance of a population's error: the middle of what two plain
ConvNets and an MLP of 60 to 180 errors showed on MNIST's test set (1.1 to 1.5, and 2.0 to 2.4)."""
BROKEN_RATIO = 5  # broken strokes were misread five to six times as often as others by every network measured

FAIR_LEVEL = 0.75  # of the error that the gate allows: 30 errors in 10,000 where it allows 40
BETTER_LEVEL = 0.6  # 24 errors: what it takes for few to be refused by chance
LEVELS = (0.5, FAIR_LEVEL, 1.0, 1.5)
RATIOS = (1.0, 1.5, 2.0, 3.0)

FAIR_CANDIDATES = 200
CANDIDATES = 400  # in each cell of the power table
DRAWS = 200  # resamples for each simulated candidate, in place of audit.bootstrap
FALSE_ALARMS_ALLOWED = 0.10
ANY = "any of them"
GROUPS = ("digit_recall", "broken_strokes", "population_gap", "students_error", "abstention_gap")
ANY_GROUP = "any between groups"


@dataclass(frozen=True)
class Sureness:
    """How sure a simulated, calibrated network is of the images of one population.

    doubt: float [P], the probabilities of error that its images are drawn from; limit: from this doubt on it abstains.
    """

    doubt: np.ndarray
    limit: float

    def declines(self, wrong: bool) -> float:
        """The probability that it abstains on an image that it misreads, or reads rightly."""
        weights = self.doubt if wrong else 1 - self.doubt
        return float(weights[self.doubt >= self.limit].sum() / weights.sum())

    def draw(self, wrong: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The doubt, float [N], in images that it misreads or not, bool [N]: what makes it perfectly calibrated."""
        drawn = np.empty(len(wrong))
        for outcome, weights in ((wrong, self.doubt), (~wrong, 1 - self.doubt)):
            drawn[outcome] = rng.choice(self.doubt, int(outcome.sum()), p=weights / weights.sum())
        return drawn


def measure(subject: Subject) -> Section:
    """Simulate fair networks and unfair ones, and count which the statistical gates refuse."""
    alarms, fewer = (false_alarms(subject, level) for level in (FAIR_LEVEL, BETTER_LEVEL))
    refused = power(subject)
    return Section(
        key="selftest",
        title="The audit itself",
        question="Would these gates notice a network at fault, and would they leave a faultless one alone?",
        findings=[
            alarm_sentence(subject, alarms),
            answers_sentence(subject),
            better_sentence(subject, fewer),
            *(power_sentences(subject, refused) if subject.has_writers else [WITHOUT_WRITERS]),
            broken_sentence(subject, refused),
            HOW,
        ],
        tables={
            alarms_caption(subject, FAIR_LEVEL): alarms,
            alarms_caption(subject, BETTER_LEVEL): fewer,
            "Power: how often each gate refuses a simulated network, in per cent": refused.round(1),
        },
        figures={"How often each gate refuses a simulated network, in per cent": draw(refused)},
    )


WITHOUT_WRITERS = (
    "Not measurable: this source does not say who wrote its digits. Errors are simulated as independent of one "
    "another, which spreads them less than real ones, and the gates between populations are left out."
)
HOW = (
    f"How it was done: errors fall on this test set's own images, over writers with the clustering measured on real "
    f"networks (design effect {DESIGN_EFFECT['students']} for students, {DESIGN_EFFECT['employees']} for employees); "
    f"confidences are this network's own, made perfectly calibrated at the simulated error; {CANDIDATES} networks for "
    f"each cell of the power table, {DRAWS} resamples for each bound. A network's errors are its true rate and chance: "
    f"one whose true error lies exactly at the threshold is refused about every second time."
)


def verdicts(subject: Subject) -> list[Gate]:
    """The gates that statistics decide, by the functions, and with the draws, of the sections that they stand in.

    An interval that no verdict depends on, and that takes long, is left out: that of the error in calibration.
    """
    limits, samples, labels, wrong, draws = (
        subject.limits,
        subject.samples,
        subject.labels,
        subject.wrong,
        subject.bootstrap,
    )
    predictions = subject.predictions
    confidence, answered = predictions.confidence.astype(np.float64), ~predictions.abstained
    gates = [
        accuracy.error(wrong, limits.error),
        accuracy.digit_recall(labels, wrong, limits.digit_recall),
        style.broken_strokes(broken(subject), wrong, limits.broken_strokes),
        calibration.coverage(answered, limits.coverage),
        calibration.answered_error(answered, wrong, limits.answered_error),
        calibration.ece_excess(
            confidence,
            wrong,
            calibration.noise_floor(confidence, draws, subject.rng("noise floor")),
            limits.ece_excess,
        ),
    ]
    if not subject.has_writers:
        return gates
    raw = population.gap(samples, wrong, draws, subject.rng("population gap"))
    return [
        *gates,
        population.population_gap(samples, wrong, raw, limits.population_gap),
        population.students_error(samples, wrong, draws, subject.rng("students' error"), limits.students_error),
        population.abstention_gap(
            samples, subject.predictions.abstained, draws, subject.rng("abstention gap"), limits.abstention_gap
        ),
    ]


def broken(subject: Subject) -> np.ndarray:
    """Which images show strokes in more than one piece, bool [N]."""
    return np.asarray(subject.samples["components"] > 1)


def members(subject: Subject) -> dict[str, np.ndarray]:
    """The rows of each population, int [N of it]; all images as one where the source names none."""
    if not subject.has_writers:
        return {"all": np.arange(len(subject.labels))}
    return {name: np.flatnonzero(subject.samples["population"] == name) for name in population.POPULATIONS}


def rates(subject: Subject, level: float, ratio: float) -> dict[str, float]:
    """Each population's true error: `level` over all images, the students' `ratio` times the employees'."""
    weights = {name: ratio if name == "students" else 1.0 for name in members(subject)}
    mean = sum(weights[name] * len(rows) for name, rows in members(subject).items()) / len(subject.labels)
    return {name: level * weight / mean for name, weight in weights.items()}


def simulate(
    subject: Subject, rates: dict[str, float], weights: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Errors of ``count`` networks, bool [count, N], beta-binomial over writers.

    A beta distribution whose shapes sum to 1/c - 1 makes two digits of one hand correlate by c (Williams 1975,
    Biometrics 31); of digits in hands of sizes m, that inflates the variance by 1 + c (sum of m² / sum of m - 1).

    Args:
        rates: the true error of each population.
        weights: float [N], by which an image's error rate differs from its writer's; 1 on average.
    """
    wrong = np.zeros((count, len(weights)), bool)
    hands = calibration.hands(subject)
    for name, rows in members(subject).items():
        _, hand, sizes = np.unique(hands[rows], return_inverse=True, return_counts=True)
        rate = np.full((count, 1), rates[name])
        if subject.has_writers:
            correlation = (DESIGN_EFFECT[name] - 1) / ((sizes**2).sum() / sizes.sum() - 1)
            total = 1 / correlation - 1
            rate = rng.beta(rates[name] * total, (1 - rates[name]) * total, (count, len(sizes)))[:, hand]
        wrong[:, rows] = rng.random((count, len(rows)), dtype=np.float32) < rate * weights[rows]
    return wrong


def sureness(subject: Subject, rates: dict[str, float]) -> dict[str, Sureness]:
    """The network's own confidences, made to err as often as ``rates`` says in each population.

    All odds of error are multiplied by one factor for each population; as many images are declined as by the network,
    the least sure ones of both.
    """
    doubt = np.clip(1 - subject.predictions.confidence.astype(np.float64), 1e-9, 1 - 1e-9)
    doubts = {name: scaled(doubt, rate) for name, rate in rates.items()}
    declined = subject.predictions.abstained.mean()
    limit = float(np.quantile(np.concatenate(list(doubts.values())), 1 - declined))
    return {name: Sureness(doubt, limit) for name, doubt in doubts.items()}


def scaled(doubt: np.ndarray, mean: float) -> np.ndarray:
    """Probabilities, float [P], with all their odds multiplied by the factor that gives them this mean."""
    odds = doubt / (1 - doubt)
    power = brentq(lambda power: (1 / (1 + np.exp(-power) / odds)).mean() - mean, -20, 20, xtol=1e-4)
    return np.asarray(1 / (1 + np.exp(-power) / odds))


def true_errors(subject: Subject, level: float) -> str:
    """How many of the test set's images a network misreads in truth, at a level of the error that the gate allows."""
    return f"{round(level * subject.limits.error * len(subject.labels), 1):g}"


def fair_candidates(subject: Subject, level: float, count: int) -> Iterator[Subject]:
    """Networks that err as often on every population, digit and stroke, and are perfectly calibrated."""
    rng = subject.rng("fair candidates")
    true = rates(subject, level * subject.limits.error, ratio=1)
    sure = sureness(subject, true)
    for number, wrong in enumerate(simulate(subject, true, np.ones(len(subject.labels)), count, rng)):
        doubt, abstained = np.empty(len(wrong)), np.empty(len(wrong), bool)
        for name, rows in members(subject).items():
            doubt[rows] = sure[name].draw(wrong[rows], rng)
            abstained[rows] = doubt[rows] >= sure[name].limit
        predictions = replace(
            subject.predictions,
            digit=np.where(wrong, (subject.labels + 1) % 10, subject.labels).astype(np.int64),
            confidence=(1 - doubt).astype(np.float32),
            abstained=abstained,
        )
        yield replace(subject, predictions=predictions, bootstrap=DRAWS, seed=subject.seed + number)


def false_alarms(subject: Subject, level: float) -> pd.DataFrame:
    """A row for each statistical gate, and for all of them together: how many fair candidates it refuses.

    Args:
        level: the candidates' true error, as a share of the error that the gate allows.
    """
    refused = pd.DataFrame(
        {gate.name: gate.passed is False for gate in verdicts(candidate)}
        for candidate in fair_candidates(subject, level, FAIR_CANDIDATES)
    )
    counts = refused.sum()
    counts[ANY_GROUP] = refused[[name for name in GROUPS if name in refused]].any(axis=1).sum()
    counts[ANY] = refused.any(axis=1).sum()
    return pd.DataFrame(
        {
            "gate": counts.index,
            "refused": counts.to_numpy(int),
            "%": 100 * counts.to_numpy() / FAIR_CANDIDATES,
            "95 % interval": [accuracy.exact_percent(int(count), FAIR_CANDIDATES) for count in counts],
        }
    )


def power(subject: Subject) -> pd.DataFrame:
    """How often each gate refuses networks of several errors and several ratios between the populations, in per cent.

    Broken strokes are misread `BROKEN_RATIO` times as often as others, digits equally often.
    """
    rng = subject.rng("power")
    weights = np.where(broken(subject), BROKEN_RATIO, 1.0)
    weights /= weights.mean()
    rows = []
    for ratio in RATIOS if subject.has_writers else (1.0,):
        for level in LEVELS:
            true = rates(subject, level * subject.limits.error, ratio)
            wrong = simulate(subject, true, weights, CANDIDATES, rng)
            verdict = refusals(subject, wrong, sureness(subject, true), rng)
            verdict[ANY] = np.any(list(verdict.values()), axis=0)
            rows.append(
                {
                    "true errors": round(level * subject.limits.error * len(subject.labels), 1),
                    **({"students / employees": ratio} if subject.has_writers else {}),
                    **{name: 100 * float(refused.mean()) for name, refused in verdict.items()},
                }
            )
    return pd.DataFrame(rows)


def refusals(
    subject: Subject, wrong: np.ndarray, sure: dict[str, Sureness], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Which of many networks each gate refuses, bool [S], by their errors, bool [S, N].

    The same verdicts as `verdicts`, from sums over all networks at once. Which images are declined is drawn.
    """
    limits, groups = subject.limits, members(subject)
    total, fragile = wrong.shape[1], broken(subject)
    errors = wrong.sum(1)
    digits = np.bincount(subject.labels, minlength=10)
    candidate, image = np.nonzero(wrong)
    by_digit = np.bincount(candidate * 10 + subject.labels[image], minlength=10 * len(wrong)).reshape(-1, 10)

    declined_errors, declined = np.zeros(len(wrong), int), {}
    for name, rows in groups.items():
        misread = wrong[:, rows].sum(1)
        mistakes = rng.binomial(misread, sure[name].declines(wrong=True))
        declined_errors += mistakes
        declined[name] = mistakes + rng.binomial(len(rows) - misread, sure[name].declines(wrong=False))
    answers = total - sum(declined.values())
    refused = {
        "error": errors / total > limits.error,
        "digit_recall": (1 - by_digit[:, digits > 0] / digits[digits > 0]).min(1) < limits.digit_recall,
        "broken_strokes": wrong[:, fragile].sum(1) / max(fragile.sum(), 1) > limits.broken_strokes,
        "answered_error": (errors - declined_errors) / answers > limits.answered_error,
    }
    if not subject.has_writers:
        return refused
    upper, students = population_bounds(subject, wrong, DRAWS, rng, rng)
    shares = {name: 100 * declined[name] / len(rows) for name, rows in groups.items()}
    return refused | {
        "population_gap": upper > limits.population_gap,
        "students_error": students > limits.students_error,
        "abstention_gap": np.abs(shares["students"] - shares["employees"]) > limits.abstention_gap,
    }


def population_bounds(
    subject: Subject, wrong: np.ndarray, draws: int, of_gap: np.random.Generator, of_students: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds that `population.gap` and `population.students_error` hold against their gates, for many networks.

    Args:
        wrong: bool [S, N].

    Returns:
        The upper bounds of the gap in percentage points and of the students' error as a share, float [S] each.
    """
    sums = []
    for rows in members(subject).values():
        writers, hand = np.unique(calibration.hands(subject)[rows], return_inverse=True)
        candidate, image = np.nonzero(wrong[:, rows])
        counts = np.bincount(hand[image] * len(wrong) + candidate, minlength=len(writers) * len(wrong))
        sums.append(np.column_stack([counts.reshape(len(writers), -1), np.bincount(hand)]))

    def drawn(writers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        totals = population.resampled(writers, draws, rng)
        return np.asarray(totals[:, :-1] / totals[:, -1:])

    students, employees = sums
    gaps = np.quantile(100 * (drawn(students, of_gap) - drawn(employees, of_gap)), 0.95, axis=0)
    clustered = np.quantile(drawn(students, of_students), 0.95, axis=0)
    (*of_s, n_s), (*of_e, n_e) = (one.sum(0).tolist() for one in sums)
    naive = [newcombe_upper(s, n_s, e, n_e) for s, e in zip(of_s, of_e, strict=True)]
    exact = [exact_upper(s, n_s) for s in of_s]
    return np.maximum(gaps, naive), np.maximum(clustered, exact)


@cache
def newcombe_upper(first: int, first_total: int, second: int, second_total: int) -> float:
    """The one-sided 95 % bound of a gap that takes images for independent."""
    return population.newcombe((first, first_total), (second, second_total), confidence=0.90)[1]


@cache
def exact_upper(errors: int, total: int) -> float:
    """The exact one-sided 95 % bound of a proportion (Clopper and Pearson 1934)."""
    return float(binomtest(errors, total, alternative="less").proportion_ci(0.95, method="exact").high)


def alarm_sentence(subject: Subject, alarms: pd.DataFrame) -> str:
    """How often the gates together refuse a network without fault."""
    counts = {str(name): int(count) for name, count in zip(alarms["gate"], alarms["refused"], strict=True)}
    total, between = counts.pop(ANY), counts.pop(ANY_GROUP)
    level = FAIR_LEVEL * subject.limits.error
    by_gate = "; ".join(f"{wording.requirement(name).title}, {count}" for name, count in counts.items() if count)
    return (
        f"False alarms: of {FAIR_CANDIDATES} simulated networks that misread a true {wording.percent(level)} of all "
        f"images, whoever wrote them, {total} are refused by one gate or another ({alarm_share(total)}): "
        f"{than_allowed(total)}. By requirement: {by_gate or 'none'}. The gates "
        f"between digits, strokes and populations refuse {between} of them ({alarm_share(between)})."
    )


def better_sentence(subject: Subject, alarms: pd.DataFrame) -> str:
    """The same of networks that misread fewer images."""
    total = int(alarms.set_index("gate")["refused"][ANY])
    level = BETTER_LEVEL * subject.limits.error
    return (
        f"Of as many that misread a true {wording.percent(level)}, {true_errors(subject, BETTER_LEVEL)} images of "
        f"{len(subject.labels):,}, {total} are refused ({alarm_share(total)}): {than_allowed(total)}."
    )


def alarms_caption(subject: Subject, level: float) -> str:
    """The caption of the table of false alarms at that level."""
    return (
        f"False alarms at {true_errors(subject, level)} true errors: of {FAIR_CANDIDATES} simulated networks without "
        f"bias, how many each gate refuses"
    )


def alarm_share(count: int) -> str:
    """The share of the fair candidates, with its interval."""
    interval = wording.span(*accuracy.exact_interval(count, FAIR_CANDIDATES), 1)
    return f"{wording.percent(count / FAIR_CANDIDATES, 1)}, {interval}"


def than_allowed(count: int) -> str:
    """Whether so many of the fair candidates may be refused."""
    within = "within" if count <= FALSE_ALARMS_ALLOWED * FAIR_CANDIDATES else "MORE than"
    return f"{within} the {wording.percent(FALSE_ALARMS_ALLOWED, 0)} that are allowed"


def answers_sentence(subject: Subject) -> str:
    """How near such a network lies to the gate on the answers given, by its confidences alone."""
    level = rates(subject, FAIR_LEVEL * subject.limits.error, ratio=1)
    sure = sureness(subject, level)
    groups = members(subject)
    errors = sum(len(rows) * level[name] for name, rows in groups.items())
    left = sum(len(rows) * level[name] * (1 - sure[name].declines(wrong=True)) for name, rows in groups.items())
    declined = float(subject.predictions.abstained.mean())
    true = left / (len(subject.labels) * (1 - declined))
    return (
        f"Such a network, as sure of its images as this one and perfectly calibrated, that declines as many "
        f"({wording.percent(declined)}, those it is least sure of), withholds {errors - left:.1f} of its {errors:g} "
        f"errors: {wording.percent(true, 3)} of its answers are wrong in truth, where the gate allows "
        f"{wording.percent(subject.limits.answered_error, 3)}."
    )


def power_sentences(subject: Subject, refused: pd.DataFrame) -> list[str]:
    """What the power table says of the populations, in words."""
    level = refused["true errors"].unique()[LEVELS.index(FAIR_LEVEL)]
    of_level = refused[refused["true errors"] == level].set_index("students / employees")
    gap = of_level["population_gap"]
    few, many = (refused[refused["true errors"] == errors]["population_gap"].max() for errors in extremes(refused))
    return [
        f"What {len(subject.labels):,} images can show: at {level:g} true errors, the gate on the gap refuses a "
        f"network that misreads students three times as often as employees in {gap[3.0]:.0f} % of the cases, twice as "
        f"often in {gap[2.0]:.0f} %, and one that reads both equally well in {gap[1.0]:.0f} %.",
        f"What they cannot show: that both populations are read equally well. A network that misreads students "
        f"twice as often passes the gate on the gap in {100 - gap[2.0]:.0f} % of the cases: the gate bounds how large "
        f"the gap can be, in percentage points, and a ratio of small errors hides below that bound.",
        f"Better networks are harder to audit: at a ratio of three the gap is refused in {few:.0f} % of the cases with "
        f"{extremes(refused)[0]:g} true errors and in {many:.0f} % with {extremes(refused)[1]:g}.",
        f"The gate on the gap in abstention refuses {refused['abstention_gap'].max():.0f} % of these networks at most: "
        f"it is there for a recogniser that declines one population's digits wholesale, not for one that declines the "
        f"few it is unsure of.",
    ]


def extremes(refused: pd.DataFrame) -> tuple[float, float]:
    """The fewest and the most errors in the power table."""
    return float(refused["true errors"].min()), float(refused["true errors"].max())


def broken_sentence(subject: Subject, refused: pd.DataFrame) -> str:
    """What the gate on broken strokes does to networks like all that were measured."""
    level = refused["true errors"].unique()[LEVELS.index(FAIR_LEVEL)]
    share = refused.loc[refused["true errors"] == level, "broken_strokes"].iloc[0]
    return (
        f"Every network measured misreads broken strokes about {BROKEN_RATIO} times as often as others. At {level:g} "
        f"true errors that alone has the gate on the {int(broken(subject).sum())} broken strokes refuse {share:.0f} % "
        f"of the networks: a finding about such strokes, not an accident, and not counted among the false alarms."
    )


def draw(refused: pd.DataFrame) -> Figure:
    """Draw the power table: a panel for each gate, a row for each ratio, a column for each number of errors."""
    errors = refused["true errors"].unique()
    ratios = refused["students / employees"].unique() if "students / employees" in refused else [1.0]
    gates = [name for name in map(str, refused) if name not in ("true errors", "students / employees")]
    columns = 4
    height = 0.95 + 0.28 * len(ratios)
    figure = Figure(figsize=(10, -(-len(gates) // columns) * height + 0.3), layout="constrained")
    grid = figure.subplots(-(-len(gates) // columns), columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(gates) :]:
        axes.axis("off")
    for axes, name in zip(grid.ravel(), gates, strict=False):
        cells = refused[name].to_numpy().reshape(len(ratios), len(errors))
        axes.imshow(cells, cmap="Blues", vmin=0, vmax=140, aspect="auto")
        for (row, column), share in np.ndenumerate(cells):
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", size=8)
        axes.set(
            xticks=range(len(errors)), xticklabels=[f"{count:g}" for count in errors], title=name.replace("_", " ")
        )
        axes.set_yticks(range(len(ratios)), [f"{ratio:g} ×" for ratio in ratios] if len(ratios) > 1 else [""])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    figure.supxlabel("true errors on this test set", size=9)
    if len(ratios) > 1:
        figure.supylabel("students' error / employees'", size=9)
    return figure
