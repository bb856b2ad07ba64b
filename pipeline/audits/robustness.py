"""How a network stands pictures that are damaged, redrawn or displaced: the audit's section "robustness"."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.accuracy import exact_interval
from pipeline.audits.gates import Gate
from pipeline.audits.inputs.canvas import SIDES, place
from pipeline.audits.inputs.corruptions import CORRUPTIONS, CURVES, corrupt
from pipeline.audits.inputs.morphology import PERTURBATIONS, perturb, strokes
from pipeline.audits.section import THREADS, Section, Subject
from pipeline.report import wording
from pipeline.report.figures.plots import BLUE, GREY, RED, Tile, sheet

CURVE_IMAGES = 2000
MORPHOLOGY_IMAGES = 1000
EXAMPLES = 10
WANTED = 0.95  # a severity curve has broken where accuracy falls under this

WHAT = {
    "shot_noise": "grain of a dim light",
    "impulse_noise": "black and white specks",
    "glass_blur": "seen through frosted glass",
    "motion_blur": "smeared by a moving hand",
    "shear": "slanted by 21°",
    "scale": "shrunk to 70 %",
    "rotate": "turned by 23°",
    "brightness": "everything much brighter",
    "translate": "moved by 3 pixels both ways",
    "stripe": "both sides turned to their negative",
    "fog": "behind clouds",
    "spatter": "spattered with mud",
    "dotted_line": "a dotted line across",
    "zigzag": "a zigzag across",
    "canny_edges": "outlines alone",
    "thinning": "strokes 70 % thinner",
    "thickening": "strokes twice as thick",
    "swelling": "blown up at one point",
    "fractures": "strokes broken in 3 places",
}

PUBLISHED = {
    "shot_noise": (0.9640, 0.9771),
    "impulse_noise": (0.7749, 0.9590),
    "glass_blur": (0.3966, 0.8979),
    "motion_blur": (0.4740, 0.9082),
    "shear": (0.9545, 0.9556),
    "scale": (0.8910, 0.8842),
    "rotate": (0.8989, 0.8895),
    "brightness": (0.8266, 0.9698),
    "translate": (0.4742, 0.4436),
    "stripe": (0.9540, 0.9540),
    "fog": (0.1435, 0.9700),
    "spatter": (0.9778, 0.9796),
    "dotted_line": (0.9819, 0.9801),
    "zigzag": (0.9040, 0.9226),
    "canny_edges": (0.7722, 0.7734),
}
"""Accuracy on the original MNIST-C, of a plain convolutional network and of the same behind a Hopfield network that
cleans its input (arXiv 2408.11309, ICPR 2024; from the logs in its repository)."""

ANCHORS = {
    "corruption_mean": "On the original MNIST-C a plain CNN reads 75.9 % right, and 89.8 % behind a Hopfield denoiser "
    "(arXiv 2408.11309). Ours are other pictures of the same kind: a rough comparison.",
    "corruption_worst": "On the original MNIST-C the worst is 14.4 % for a plain CNN (fog) and 44.4 % behind a "
    "Hopfield denoiser (translate; arXiv 2408.11309).",
    "canvas": "On affNIST (40 pixels, slanted and turned as well) a CapsNet reads 79 % right and an AffCapsNet 93.2 % "
    "(arXiv 1911.07968); those see the whole canvas, the service first cuts the digit out.",
}
CNN, HOPFIELD = "plain CNN, published", "with Hopfield denoiser, published"


SLIGHT_TO_STRONG = "From slight to strong: accuracy (blue) and share answered (grey) over five levels"


@dataclass(frozen=True)
class Trial:
    """What became of N pictures.

    right: bool [N], whether the most probable digit is the label, also where the recogniser abstained.
    answered: bool [N]. digit: int64 [N] and confidence: float32 [N], of the most probable digit.
    shown: uint8 [E, H, W], the pictures at the rows ``places``, int [E]: those of the examples, then those misread
    most surely.
    """

    right: np.ndarray
    answered: np.ndarray
    digit: np.ndarray
    places: np.ndarray
    shown: np.ndarray


def measure(subject: Subject) -> Section:
    """The gates corruption_mean, corruption_worst and canvas, and what else damaged pictures show."""
    examples = first_of_each_digit(subject)
    with ThreadPoolExecutor(THREADS) as pool:
        attempts = pool.map(lambda name: attempt(subject, name, examples), CORRUPTIONS)
        trials = dict(zip(CORRUPTIONS, attempts, strict=True))
    scores = np.stack([trial.right for trial in trials.values()], axis=1)
    by_population = resampled_by_population(scores, subject, subject.rng("robustness: corruptions"))
    table = corruption_table(subject, trials, by_population)
    canvases, on_canvas = canvas_trials(subject)
    curves = severity_curves(subject)
    redrawn = morphology_table(subject)
    overall = weighted(by_population, subject)
    return Section(
        key="robustness",
        title="Damaged, redrawn and displaced digits",
        question=(
            "Does it still read a digit that is noisy, blurred, slanted, struck through, drawn with another pen or "
            "somewhere else in the picture? Where it cannot, does it say so?"
        ),
        gates=[
            mean_gate(scores, overall, subject),
            worst_gate(scores, overall, subject),
            canvas_gate(on_canvas, subject),
        ],
        findings=findings(subject, trials, table, curves, redrawn),
        tables={
            "Fifteen corruptions, MNIST-C-style (re-implemented), in % of the test images": table,
            "Pens: Morpho-MNIST's changes of the stroke, in %": redrawn,
            "Severity: accuracy in % from the slightest level to the strongest": curve_table(curves),
            "Canvases: digits at any size and place on them, in %": canvases,
        },
        figures={
            "Accuracy under each corruption, beside published figures on the original MNIST-C": bars(
                scores.mean(axis=0), np.quantile(overall, (0.025, 0.975), axis=0), subject
            ),
            "Every corruption on the same digits; in red, what they are taken for where they are misread": gallery(
                subject, trials, slice(len(examples))
            ),
            "The surest mistakes under each corruption: label → answer": gallery(
                subject, trials, slice(len(examples), None)
            ),
            f"{SLIGHT_TO_STRONG}; dotted, {100 * WANTED:g} %": curve_figure(curves),
        },
    )


def first_of_each_digit(subject: Subject) -> np.ndarray:
    """Rows, int [10 at most], of the first image of each digit; of one that is read right, where there is one."""
    order = np.argsort(subject.wrong, kind="stable")
    return order[np.unique(subject.labels[order], return_index=True)[1]]


def attempt(subject: Subject, name: str, examples: np.ndarray) -> Trial:
    """All test images under one corruption at its default severity."""
    pictures = corrupt(subject.images, name, subject.rng(f"robustness: {name}"))
    said = subject.read(pictures)
    right = said.digit == subject.labels
    surest = np.argsort(np.where(right, 1, -said.confidence), kind="stable")[: min(EXAMPLES, (~right).sum())]
    places = np.concatenate([examples, surest])
    return Trial(right, ~said.abstained, said.digit, places, pictures[places])


def resampled(scores: np.ndarray, units: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Means of ``scores``, float [draws, K], over samples of whole units drawn with replacement (cluster bootstrap).

    Args:
        scores: bool [N, K]; units: [N], who wrote each image, or the image's number.
    """
    number = np.unique(units, return_inverse=True)[1]
    size = np.bincount(number).astype(np.float64)
    sums = np.stack([np.bincount(number, weights=column) for column in scores.T], axis=1)
    chosen = rng.multinomial(len(size), np.full(len(size), 1 / len(size)), size=draws).astype(np.float64)
    return chosen @ sums / (chosen @ size)[:, None]


def resampled_by_population(scores: np.ndarray, subject: Subject, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """``resampled`` for each population, whole writers at a time; images, under "all", where no writers are known."""
    if not subject.has_writers:
        return {"all": resampled(scores, np.arange(len(scores)), subject.bootstrap, rng)}
    population, writer = (subject.samples[column].to_numpy() for column in ("population", "writer"))
    return {
        name: resampled(scores[population == name], writer[population == name].astype(int), subject.bootstrap, rng)
        for name in ("students", "employees")
    }


def weighted(by_population: Mapping[str, np.ndarray], subject: Subject) -> np.ndarray:
    """The populations' resampled means, float [draws, K], put together in the proportions of the test set."""
    if not subject.has_writers:
        return by_population["all"]
    shares = subject.samples["population"].value_counts(normalize=True)
    return sum((shares[name] * means for name, means in by_population.items()), np.zeros(()))


def bounds(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def mean_gate(scores: np.ndarray, draws: np.ndarray, subject: Subject) -> Gate:
    """Accuracy over all corruptions; ``scores`` is bool [N, 15], ``draws`` float [draws, 15]."""
    return gate(
        "corruption_mean",
        scores,
        draws.mean(axis=1),
        subject,
        "Under fifteen MNIST-C-style (re-implemented) corruptions {share} of the test images are read right, "
        f"{{interval}}; undamaged, {wording.percent(1 - subject.wrong.mean())}.",
    )


def worst_gate(scores: np.ndarray, draws: np.ndarray, subject: Subject) -> Gate:
    """Accuracy under the corruption that is read worst; the arguments are those of ``mean_gate``."""
    worst = int(scores.mean(axis=0).argmin())
    name = tuple(CORRUPTIONS)[worst]
    return gate(
        "corruption_worst",
        scores[:, worst],
        draws[:, worst],
        subject,
        f"The corruption read worst is {named(name)} ({WHAT[name]}): {{share}} right, {{interval}}.",
    )


def canvas_gate(right: np.ndarray, subject: Subject) -> Gate:
    """Accuracy on larger canvases; ``right`` is bool [N]."""
    draws = resampled_by_population(right[:, None], subject, subject.rng("robustness: canvas interval"))
    return gate(
        "canvas",
        right,
        weighted(draws, subject),
        subject,
        f"At any size and place on canvases of {SIDES[0]} to {SIDES[-1]} pixels {{share}} of the digits are read "
        "right, {interval}.",
    )


def gate(name: str, right: np.ndarray, draws: np.ndarray, subject: Subject, sentence: str) -> Gate:
    """A gate on the share of ``right``, bool, which resampled is ``draws``, float; ``sentence`` has places for both."""
    share, (low, high) = float(right.mean()), bounds(draws)
    over = "over writers" if subject.has_writers else "over images"
    told = sentence.format(share=wording.percent(share), interval=f"{wording.span(low, high)} {over}")
    return Gate(name, share, (low, high), "at least", getattr(subject.limits, name), told, ANCHORS[name])


def percent(share: float) -> float:
    return round(100 * float(share), 2)


def row(right: np.ndarray, answered: np.ndarray) -> dict[str, float]:
    """Columns that every table has; ``right`` and ``answered`` are bool [N]."""
    return {
        "read right": percent(right.mean()),
        "answered": percent(answered.mean()),
        "wrong among the answered": percent((~right)[answered].mean()) if answered.any() else np.nan,
    }


def corruption_table(
    subject: Subject, trials: Mapping[str, Trial], by_population: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """A row for each corruption; the students' error minus the employees' only where writers are known."""
    rows: dict[str, dict[str, Any]] = {}
    overall = weighted(by_population, subject)
    population = subject.samples["population"].to_numpy()
    for index, (name, trial) in enumerate(trials.items()):
        low, high = bounds(overall[:, index])
        cnn, hopfield = PUBLISHED[name]
        rows[name] = {
            "what it does": WHAT[name],
            **row(trial.right, trial.answered),
            "95 % interval": f"{100 * low:.2f} to {100 * high:.2f}",
            CNN: percent(cnn),
            HOPFIELD: percent(hopfield),
        }
        if subject.has_writers:
            students, employees = (trial.right[population == group].mean() for group in ("students", "employees"))
            low, high = bounds(100 * (by_population["employees"] - by_population["students"])[:, index])
            rows[name]["students' errors minus employees', pp"] = percent(employees - students)
            rows[name]["its 95 % interval"] = f"{low:+.2f} to {high:+.2f}"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("corruption")


def canvas_trials(subject: Subject) -> tuple[pd.DataFrame, np.ndarray]:
    """A row for each size of canvas, and whether each image was read right: bool [N]. Each is on one canvas."""
    rng = subject.rng("robustness: canvas")
    right = np.zeros(len(subject.labels), bool)
    rows: dict[int, dict[str, Any]] = {}
    for side, chosen in zip(SIDES, np.array_split(rng.permutation(len(right)), len(SIDES)), strict=True):
        said = subject.read(place(subject.images[chosen], side, rng))
        right[chosen] = said.digit == subject.labels[chosen]
        rows[side] = {"images": len(chosen), **row(right[chosen], ~said.abstained)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pixels a side"), right


def subset(subject: Subject, size: int, rng: np.random.Generator) -> np.ndarray:
    """``size`` rows of the test set, or all, if it has no more: int [M]."""
    count = len(subject.labels)
    return np.sort(rng.choice(count, min(size, count), replace=False))


def severity_curves(subject: Subject) -> pd.DataFrame:
    """A row for each level of each family: family, dial, read right, answered; shares."""
    chosen = subset(subject, subject.at_most(CURVE_IMAGES), subject.rng("robustness: severity"))
    images, labels = subject.images[chosen], subject.labels[chosen]

    def point(name: str, level: int) -> tuple[Any, ...]:
        said = subject.read(corrupt(images, name, subject.rng(f"robustness: {name} {level}"), level))
        dial = reading(name, CURVES[name].levels[level - 1])
        return name, level, dial, (said.digit == labels).mean(), 1 - said.abstained.mean()

    points = [(name, level) for name, family in CURVES.items() for level in range(1, len(family.levels) + 1)]
    with ThreadPoolExecutor(THREADS) as pool:
        rows = list(pool.map(point, *zip(*points, strict=True)))
    return pd.DataFrame(rows, columns=["family", "level", "dial", "right", "answered"])


def reading(family: str, dial: float) -> str:
    """A dial of the severity curves in the unit that a reader knows."""
    match family:
        case "rotate":
            return f"{np.degrees(dial):.0f}°"
        case "shear":
            return f"{np.degrees(np.arctan(np.sin(dial))):.0f}°"
        case "scale" | "contrast":
            return wording.percent(dial, 0)
        case "noise":
            return f"±{wording.percent(dial, 0)}"
        case _:
            return f"{dial:g} px"


def curve_table(curves: pd.DataFrame) -> pd.DataFrame:
    """A row for each family, a column for each level, their mean (the area under the curve), and where it broke."""
    rows = {}
    for name, levels in curves.groupby("family", sort=False):
        broken = levels[levels["right"] < WANTED]
        rows[name] = {
            **{
                f"level {level}": f"{100 * right:.1f} ({dial})"
                for level, right, dial in zip(levels["level"], levels["right"], levels["dial"], strict=True)
            },
            "mean": percent(levels["right"].mean()),
            f"under {100 * WANTED:g} % from": broken["dial"].iloc[0] if len(broken) else "never",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("family")


def morphology_table(subject: Subject) -> pd.DataFrame:
    """A row for each change of the stroke, after one for the same images as they are."""
    chosen = subset(subject, subject.at_most(MORPHOLOGY_IMAGES), subject.rng("robustness: morphology"))
    labels, digits = subject.labels[chosen], strokes(subject.images[chosen])
    pictures = {"none": subject.images[chosen]} | {
        name: perturb(digits, name, subject.rng(f"robustness: {name}")) for name in PERTURBATIONS
    }
    rows = {}
    for name, changed in pictures.items():
        said = subject.read(changed)
        right = said.digit == labels
        low, high = exact_interval(int(right.sum()), len(right))
        rows[name] = {
            "what it does": WHAT.get(name, "the same images as they are"),
            "images": len(right),
            **row(right, ~said.abstained),
            "95 % interval": f"{100 * low:.2f} to {100 * high:.2f}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("change")


def findings(
    subject: Subject,
    trials: Mapping[str, Trial],
    table: pd.DataFrame,
    curves: pd.DataFrame,
    redrawn: pd.DataFrame,
) -> list[str]:
    """What the tables say, in sentences."""
    right, answered = (
        np.concatenate([getattr(trial, name) for trial in trials.values()]) for name in ("right", "answered")
    )
    hardest = str(redrawn["read right"].drop("none").idxmin())
    hard = table[table["read right"] < 100 * WANTED].sort_values("read right")
    broken = curves[curves["right"] < WANTED].groupby("family", sort=False)["dial"].first()
    return [
        f"Under the corruptions it declines to answer in {wording.percent(1 - answered.mean(), 1)} of the pictures; "
        f"of the answers that it gives, {wording.percent((~right)[answered].mean() if answered.any() else 0)} are "
        f"wrong.",
        f"Less than {wording.percent(WANTED, 0)} are read right under: {listed(hard['read right'])}."
        if len(hard)
        else f"Under every corruption {wording.percent(WANTED, 0)} or more are read right.",
        population_finding(subject, table),
        f"Of the changes of the stroke, {hardest} is hardest ({WHAT[hardest]}): {redrawn['read right'][hardest]:.1f} % "
        f"are read right, against {redrawn['read right']['none']:.1f} % unchanged.",
        f"As the damage grows, accuracy falls under {wording.percent(WANTED, 0)} at: "
        + ", ".join(f"{name} {dial}" for name, dial in broken.items())
        + "."
        if len(broken)
        else f"No severity curve falls under {wording.percent(WANTED, 0)}.",
    ]


def named(corruption: str) -> str:
    """A corruption as it is called in a sentence or a figure."""
    return corruption.replace("_", " ")


def listed(shares: pd.Series) -> str:
    return ", ".join(f"{named(str(name))} ({share:.1f} %)" for name, share in shares.items())


def population_finding(subject: Subject, table: pd.DataFrame) -> str:
    """The widest gap between the populations under a corruption."""
    if not subject.has_writers:
        return (
            "Whether damage hits one population harder cannot be told: this source does not say who wrote its digits."
        )
    gaps = table["students' errors minus employees', pp"]
    name = str(gaps.abs().idxmax())
    return (
        f"The two populations differ most under {named(name)}: students' errors minus employees' are {gaps[name]:+.1f} "
        f"percentage points, 95 % interval {table['its 95 % interval'][name]}."
    )


def bars(accuracy: np.ndarray, interval: np.ndarray, subject: Subject) -> Figure:
    """Draw ``accuracy``, float [15], its ``interval``, float [2, 15], the published figures and the gate."""
    figure = Figure(figsize=(8.5, 5.6), layout="constrained")
    axes = figure.subplots()
    names = tuple(CORRUPTIONS)
    places = np.arange(len(names))[::-1]
    cnn, hopfield = (100 * np.array([PUBLISHED[name][which] for name in names]) for which in (0, 1))
    axes.barh(places, 100 * accuracy, color=BLUE, height=0.62, label=subject.name)
    axes.hlines(places, *(100 * interval), color="black", linewidth=1.5)
    axes.plot(cnn, places, "o", color="white", markeredgecolor="black", markersize=6, label=CNN)
    axes.plot(hopfield, places, "D", color=GREY, markeredgecolor="black", markersize=5, label=HOPFIELD)
    for name, threshold, line in (
        ("the worst must reach", subject.limits.corruption_worst, "--"),
        ("the mean must reach", subject.limits.corruption_mean, ":"),
    ):
        label = f"{name} {wording.percent(threshold, 0)}"
        axes.axvline(100 * threshold, color=RED, linestyle=line, linewidth=1, label=label)
    axes.set(xlim=(0, 100), xlabel="read right, %", ylim=(-0.6, len(names) - 0.4))
    axes.set_yticks(places, [f"{named(name)}: {WHAT[name]}" for name in names])
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def gallery(subject: Subject, trials: Mapping[str, Trial], which: slice) -> Figure:
    """Draw a row for each corruption: the pictures that its trial holds at ``which``, the misread ones in red."""
    rows = [
        [
            Tile(picture, f"{label} → {answer}", RED, marked=True) if label != answer else Tile(picture)
            for picture, label, answer in zip(
                trial.shown[which],
                subject.labels[trial.places[which]],
                trial.digit[trial.places[which]],
                strict=True,
            )
        ]
        for trial in trials.values()
    ]
    return sheet(rows, names=[named(name) for name in trials])


def curve_figure(curves: pd.DataFrame) -> Figure:
    """Draw accuracy and share answered over the levels, a panel for each family."""
    figure = Figure(figsize=(8.5, 4.6), layout="constrained")
    panels = figure.subplots(2, 4, sharey=True).ravel()
    for axes, (name, levels) in zip(panels, curves.groupby("family", sort=False), strict=True):
        axes.axhline(100 * WANTED, color=RED, linestyle=":", linewidth=1)
        axes.plot(levels["level"], 100 * levels["answered"], "o-", color=GREY, markersize=3)
        axes.plot(levels["level"], 100 * levels["right"], "o-", color=BLUE, markersize=4)
        axes.set(title=name, ylim=(0, 102))
        axes.set_xticks(levels["level"], levels["dial"], size=7)
    for axes in panels[::4]:
        axes.set_ylabel("%")
    return figure
