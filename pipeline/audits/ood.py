"""What is no digit: whether the recogniser declines it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from pipeline.audits.accuracy import exact_interval
from pipeline.audits.gates import Gate
from pipeline.audits.inputs import non_digits as not_digits
from pipeline.audits.population import resampled_error
from pipeline.audits.section import Section, Subject
from pipeline.report import wording
from pipeline.report.figures.plots import BLUE, GREY, RED, Tile, sheet
from serving.model.recogniser import Predictions, Recogniser

COUNT = 1000
"""Pictures in each set, at most."""
FOOLING = 200
SURE = 0.99
LETTERS = "letters"
SHOWN = 12
ANCHOR = (
    "A plain network judged by its highest probability reaches an AUROC of 0.83 on letters, 0.88 on Gaussian and 0.98 "
    "on uniform noise (Hendrycks and Gimpel 2017)."
)
NOISE_ANCHOR = "A plain ConvNet of 99.3 % accuracy answers all uniform noise with a confidence above 0.99."
PUBLISHED = pd.DataFrame(
    {
        "set": ["notMNIST letters", "Omniglot characters", "CIFAR-10 in grey", "Gaussian noise", "uniform noise"],
        "AUROC": [0.829, 0.953, 0.937, 0.883, 0.979],
    }
)
"""Of a three-layer perceptron by its highest probability: Hendrycks and Gimpel 2017, arXiv 1610.02136."""


SETS = (
    "Sets of pictures that show no digit: AUROC, how often one is doubted more than a test digit; FPR95, how many are "
    "doubted no more than 95 % of the test digits"
)


@dataclass(frozen=True)
class Trial:
    """One set that the recogniser was shown: pictures uint8 [N, 28, 28], its answers, its doubts and how they rank.

    doubt: float [N]; auroc: the probability that it doubts a picture of the set more than a test digit.
    """

    pictures: np.ndarray
    answers: Predictions
    doubt: np.ndarray
    auroc: float

    @property
    def confident(self) -> np.ndarray:
        """bool [N]: which are answered with a confidence above 0.99."""
        return ~self.answers.abstained & (self.answers.confidence > SURE)


def measure(subject: Subject, network: nn.Module | None = None) -> Section:
    """Show the recogniser what is no digit.

    Args:
        network: the torch network behind the recogniser; without it there are no fooling images.
    """
    rng = subject.rng("not digits")
    shown = not_digits.sets(subject.images, subject.labels, subject.at_most(COUNT), rng)
    if network is not None:
        shown["fooling images"] = not_digits.fooling(network, subject.at_most(FOOLING), rng)
    digits = doubt(subject.predictions, subject.recogniser)
    trials = {name: attempt(subject, pictures, digits) for name, pictures in shown.items()}
    return Section(
        key="not_digits",
        title="What is no digit",
        question="Noise, shapes, letters, two digits at once: does the recogniser decline what it cannot know?",
        gates=[auroc_gate(subject, trials, digits), *confident_gates(subject, trials)],
        findings=findings(subject, trials, digits),
        tables={SETS: table(trials, digits), "Published AUROC": PUBLISHED},
        figures={
            "Doubt, how much speaks against an answer: what lies beyond 1 is declined": draw_doubts(trials, digits),
            "What the recogniser said of them; at the right those that it doubted least": draw_examples(trials),
        },
    )


def doubt(predictions: Predictions, recogniser: Recogniser) -> np.ndarray:
    """How much speaks against an answer, float [N]: beyond 1 the recogniser abstains, and the more the surer it is.

    Each of the two scores that it judges by, as a share of what it puts up with; of the two the larger. Infinite for a
    blank picture.
    """
    least = max(recogniser.confidence_threshold, recogniser.conformal_threshold)
    room = max(1 - least, float(np.finfo(np.float32).eps))  # none where validation was all certainty
    uncertain = (1 - predictions.confidence.astype(np.float64)) / room
    novel = predictions.novelty.astype(np.float64) / recogniser.novelty_threshold
    return np.where(predictions.reason == "blank", np.inf, np.maximum(uncertain, novel))


def attempt(subject: Subject, pictures: np.ndarray, digits: np.ndarray) -> Trial:
    """Show the recogniser ``pictures``; ``digits``, float [M], are its doubts of the test digits."""
    answers = subject.read(pictures)
    doubts = doubt(answers, subject.recogniser)
    return Trial(pictures, answers, doubts, float(placements(doubts, digits).mean()))


def placements(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of ``others``, [M], below each of ``values``, [N], equal ones counting half; their mean is AUROC."""
    ranked = np.sort(others)
    below, up_to = (np.searchsorted(ranked, values, side=side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(ranked))


def auroc_gate(subject: Subject, trials: dict[str, Trial], digits: np.ndarray) -> Gate:
    name = min(trials, key=lambda name: trials[name].auroc)
    low, high = interval = auroc_interval(subject, trials[name], digits)
    sentence = (
        f"Digits are hardest to tell from the set “{name}”: the recogniser doubts one of its pictures more than a test "
        f"digit in {wording.percent(trials[name].auroc)} of all pairs, {wording.span(low, high)} over writers "
        f"and pictures."
    )
    return Gate("ood_auroc", trials[name].auroc, interval, "at least", subject.limits.ood_auroc, sentence, ANCHOR)


def auroc_interval(subject: Subject, trial: Trial, digits: np.ndarray) -> tuple[float, float]:
    """The 95 % interval over the set's pictures and the writers of the test digits, or the digits where none is named.

    What is resampled are the placements, whose deviations add up to the AUROC's (DeLong et al. 1988, Biometrics 44).
    """
    rng = subject.rng("AUROC")
    hands = subject.samples["writer"].to_numpy() if subject.has_writers else np.arange(len(digits))
    of_set, of_digits = placements(trial.doubt, digits), 1 - placements(digits, trial.doubt)
    by_hand = pd.DataFrame({"placement": of_digits}).groupby(hands)["placement"].agg(["sum", "size"]).to_numpy()
    by_picture = np.column_stack([of_set, np.ones(len(of_set))])
    drawn = sum(resampled_error(sums, subject.bootstrap, rng) for sums in (by_hand, by_picture)) - trial.auroc
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), min(float(high), 1.0)


def confident_gates(subject: Subject, trials: dict[str, Trial]) -> list[Gate]:
    shares = {name: trial.confident.mean() for name, trial in trials.items()}
    worst = max((name for name in trials if name != LETTERS), key=lambda name: shares[name])
    thresholds = {
        "ood_confident": (worst, subject.limits.ood_confident),
        "letters_confident": (LETTERS, subject.limits.letters_confident),
    }
    gates = []
    for gate, (name, threshold) in thresholds.items():
        count, total = int(trials[name].confident.sum()), len(trials[name].pictures)
        low, high = interval = exact_interval(count, total)
        sentence = (
            f"Of the {total:,} pictures in the set “{name}”, {count} are answered with a confidence above {SURE}: "
            f"{wording.percent(count / total, 1)}, {wording.span(low, high, 1)}."
        )
        if name != LETTERS:
            sentence += " No other set but the letters has more."
        anchor = NOISE_ANCHOR if name != LETTERS else ""
        gates.append(Gate(gate, count / total, interval, "at most", threshold, sentence, anchor))
    return gates


def findings(subject: Subject, trials: dict[str, Trial], digits: np.ndarray) -> list[str]:
    reasons = pd.Series(subject.predictions.reason[subject.predictions.abstained]).value_counts()
    declined = ", ".join(f"{count} as “{str(reason).replace('_', ' ')}”" for reason, count in reasons.items()) or "none"
    said = [
        f"Of {len(digits):,} test digits {int(reasons.sum())} are declined: {declined}. Both thresholds were set on "
        "validation digits alone; no picture shown here had a part in that."
    ]
    taken = [
        f"of {name}, " + ", ".join(f"{count} as {digit}" for digit, count in counts.head(3).items())
        for name, trial in trials.items()
        if len(counts := pd.Series(trial.answers.digit[trial.confident]).value_counts())
    ]
    if taken:
        said.append(f"Taken for digits with a confidence above {SURE}: {'; '.join(taken)}.")
    if "fooling images" not in trials:
        said.append("No fooling images were made: they need the network's gradient, and this audit makes no attacks.")
    return said


def table(trials: dict[str, Trial], digits: np.ndarray) -> pd.DataFrame:
    """A row for each set, the one told worst from digits first."""
    common = np.quantile(digits, 0.95)
    rows = [
        {
            "set": name,
            "pictures": len(trial.pictures),
            "AUROC": round(trial.auroc, 4),
            "FPR95, %": round(100 * float((trial.doubt <= common).mean()), 1),
            "declined, %": round(100 * float(trial.answers.abstained.mean()), 1),
            f"answered above {SURE}, %": round(100 * float(trial.confident.mean()), 1),
            "mean confidence": round(float(trial.answers.confidence.mean()), 2),
        }
        for name, trial in trials.items()
    ]
    return pd.DataFrame(rows).sort_values("AUROC", kind="stable", ignore_index=True)


def draw_doubts(trials: dict[str, Trial], digits: np.ndarray) -> Figure:
    """The middle 90 % of each set's doubts, and its median, beside those of the test digits."""
    figure = Figure(figsize=(8.5, 0.32 * len(trials) + 1.2), layout="constrained")
    axes = figure.subplots()
    doubts = {"test digits": digits, **{name: trial.doubt for name, trial in trials.items()}}
    for place, (name, values) in enumerate(doubts.items()):
        low, middle, high = np.quantile(np.clip(values, 0.1, 30), (0.05, 0.5, 0.95))
        colour = GREY if name == "test digits" else BLUE
        axes.plot([low, high], [place, place], color=colour, linewidth=6, solid_capstyle="butt")
        axes.plot(middle, place, "o", color="white", markeredgecolor="black", markersize=5, clip_on=False)
    axes.axvline(1, color=RED, linewidth=1)
    axes.set(xscale="log", xlim=(0.1, 30), xlabel="doubt: median and middle 90 %", yticks=range(len(doubts)))
    axes.set_xticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30 or more"])
    axes.set_yticklabels(doubts)
    axes.invert_yaxis()
    return figure


def draw_examples(trials: dict[str, Trial]) -> Figure:
    """Some of each set: the first ones, and the least doubted ones at the right."""
    half = SHOWN // 2
    return sheet(
        [
            [tile(trial, row) for row in [*range(half), *np.argsort(trial.doubt, kind="stable")[:half][::-1]]]
            for trial in trials.values()
        ],
        names=list(trials),
    )


def tile(trial: Trial, row: int) -> Tile:
    """One picture with the answer: red if it is sure, black if it declines."""
    reason, confidence = trial.answers.reason[row], trial.answers.confidence[row]
    said = reason.replace("_", " ") if reason else f"{trial.answers.digit[row]} ({confidence:.2f})"
    return Tile(trial.pictures[row], said, "black" if reason else RED if confidence > SURE else "#b45309")
