"""Whether the network knows when it is wrong: confidence against accuracy, and answers against abstentions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline import metrics
from pipeline.audits.accuracy import CORRECTED, UNDECIDED, corrected_labels, exact_interval, exact_percent
from pipeline.audits.gates import Gate
from pipeline.audits.population import resampled
from pipeline.audits.section import Figures, Section, Subject
from pipeline.report.figures import plots
from pipeline.report import wording

SURE = 0.99  # a wrong answer given with more confidence than this is called overconfident
CHUNK = 250  # draws simulated at once, which bounds memory

COVERAGE_ANCHOR = (
    "A plain ConvNet, measured for this project: answering 98 % of the test set, it errs in 0.153 % of its answers."
)
ANSWERED_ANCHOR = (
    "A plain ConvNet, measured for this project: 0.153 % wrong when it answers 98 % of the test set, 0.053 % at 95 %."
)
ECE_ANCHOR = (
    "Zero or less is what a perfectly calibrated network shows nineteen times in twenty; a plain ConvNet, measured for "
    "this project, has an ECE of 0.0017, under its 95th percentile of 0.0023."
)
PLAIN = {
    "NLL, nats": (0.0199, 0.0577),
    "Brier score": (0.0097, 0.0274),
    "ECE, 15 bins": (0.0017, 0.0043),
    "AUROC of confidence for errors": (0.9875, None),
    "AURC": (0.000107, None),
}
"""A plain ConvNet's and a plain MLP's figures on MNIST's test set, measured for this project."""


@dataclass(frozen=True)
class Floor:
    """What a perfectly calibrated network with the same confidences would show.

    ece: float [draws]; low, high: 95 % band of each bin's accuracy, float [15], NaN where a bin is empty.
    """

    ece: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def bound(self) -> float:
        """The 95th percentile of its expected calibration error."""
        return float(np.quantile(self.ece, 0.95))


def measure(subject: Subject) -> Section:
    """Measure calibration, selective prediction and prediction sets on the clean test set."""
    predictions, labels, wrong = subject.predictions, subject.labels, subject.wrong
    confidence = predictions.confidence.astype(np.float64)
    answered = ~predictions.abstained
    floor = noise_floor(confidence, subject.bootstrap, subject.rng("noise floor"))
    clusters = hands(subject)
    auroc = error_auroc(confidence, wrong, clusters, subject.bootstrap, subject.rng("error detection"))
    figures: Figures = {
        "Risk among the answered, over coverage": draw_risk(subject, confidence),
        "Accuracy over confidence": draw_reliability(confidence, wrong, floor),
    }
    if (sure := wrong & (confidence > SURE)).any():
        figures["Misread with a confidence above 0.99"] = plots.misclassified(
            subject.images[sure], labels[sure], predictions.digit[sure], confidence[sure]
        )
    sets = sets_table(subject)
    return Section(
        key="calibration",
        title="Confidence and abstention",
        question="Does the network know when it is wrong, and does it decline to answer then?",
        gates=[
            coverage(answered, subject.limits.coverage),
            answered_error(answered, wrong, subject.limits.answered_error),
            ece_excess(
                confidence,
                wrong,
                floor,
                subject.limits.ece_excess,
                ece_spread(confidence, wrong, clusters, subject.bootstrap, subject.rng("ECE")),
            ),
        ],
        findings=[
            *blamed_on_labels(subject),
            declined(answered, wrong),
            detection(auroc, wrong),
            overconfident(sure),
            conformal(sets),
            cannot_show(wrong, floor),
        ],
        tables={
            "Probabilities as a whole": scores_table(subject, confidence, floor, auroc),
            "Prediction sets": sets,
        },
        figures=figures,
    )


def hands(subject: Subject) -> np.ndarray:
    """Whose digit each image is, int [N] from 0: its writer, or, where the source names none, the image itself."""
    if not subject.has_writers:
        return np.arange(len(subject.labels))
    return np.unique(subject.samples["writer"].to_numpy(np.int64), return_inverse=True)[1]


def coverage(answered: np.ndarray, threshold: float) -> Gate:
    """The share of images that are answered, bool [N]."""
    count, total = int(answered.sum()), len(answered)
    low, high = interval = exact_interval(count, total)
    sentence = (
        f"{count:,} of {total:,} test images are answered, {total - count} declined: coverage "
        f"{wording.percent(count / total)}, {wording.span(low, high)}."
    )
    return Gate("coverage", count / total, interval, "at least", threshold, sentence, COVERAGE_ANCHOR)


def answered_error(answered: np.ndarray, wrong: np.ndarray, threshold: float) -> Gate:
    """The share of wrong answers among those given; both bool [N]."""
    total, errors = int(answered.sum()), int((answered & wrong).sum())
    if not total:
        sentence = "Not measurable: the recogniser answered none of the test images."
        return Gate("answered_error", None, None, "at most", threshold, sentence, ANSWERED_ANCHOR)
    low, high = interval = exact_interval(errors, total)
    sentence = (
        f"Of {total:,} answers given, {errors} are wrong: {wording.percent(errors / total, 3)}, "
        f"{wording.span(low, high, 3)}."
    )
    return Gate("answered_error", errors / total, interval, "at most", threshold, sentence, ANSWERED_ANCHOR)


def bins(confidence: np.ndarray) -> np.ndarray:
    """The bin of each confidence, one-hot float32 [N, 15]; the bins of `metrics.reliability`."""
    index = np.minimum((confidence.astype(np.float32) * metrics.BINS).astype(int), metrics.BINS - 1)
    return np.eye(metrics.BINS, dtype=np.float32)[index]


def ece(confidence: np.ndarray, wrong: np.ndarray) -> float:
    """Expected calibration error of the answers over 15 equal bins of confidence (Guo et al. 2017)."""
    return float(np.abs((1.0 - wrong - confidence) @ bins(confidence)).sum() / len(confidence))


def noise_floor(confidence: np.ndarray, draws: int, rng: np.random.Generator) -> Floor:
    """Simulate networks with these confidences, float [N], that are right exactly as often as they say."""
    member = bins(confidence)
    expected, images = confidence @ member, member.sum(0)
    right = np.concatenate(
        [
            (rng.random((min(CHUNK, draws - start), len(confidence)), dtype=np.float32) < confidence).astype(np.float32)
            @ member
            for start in range(0, draws, CHUNK)
        ]
    )
    low, high = (
        np.where(images, bound / np.maximum(images, 1), np.nan) for bound in np.quantile(right, (0.025, 0.975), axis=0)
    )
    return Floor(np.abs(right - expected).sum(1) / len(confidence), low, high)


def ece_excess(
    confidence: np.ndarray,
    wrong: np.ndarray,
    floor: Floor,
    threshold: float,
    spread: tuple[float, float] | None = None,
) -> Gate:
    """The expected calibration error beyond the 95th percentile of its own noise floor, which is held fixed.

    Args:
        spread: from the error to the ends of its 95 % interval, by `ece_spread`; None where no interval is wanted.
    """
    found, bound = ece(confidence, wrong), floor.bound
    interval = spread and (max(found + spread[0], 0) - bound, found + spread[1] - bound)
    sentence = (
        f"Confidence and accuracy differ by {found:.4f} on average (expected calibration error); a perfectly "
        f"calibrated network with the same confidences would show {floor.ece.mean():.4f}, and up to {bound:.4f} "
        f"nineteen times in twenty. The excess over that is {found - bound:+.4f}"
        + (f", 95 % interval {interval[0]:+.4f} to {interval[1]:+.4f}." if interval else ".")
    )
    return Gate("ece_excess", found - bound, interval, "at most", threshold, sentence, ECE_ANCHOR)


def ece_spread(
    confidence: np.ndarray, wrong: np.ndarray, clusters: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """How far resampled ``clusters`` move the expected calibration error in 95 % of the draws, down and up.

    From the draws' own mean, since a resample's error in calibration holds the noise twice.
    """
    deviation = (1.0 - wrong - confidence)[:, None] * bins(confidence)
    sums = np.zeros((clusters.max() + 1, metrics.BINS + 1))
    np.add.at(sums, clusters, np.hstack([deviation, np.ones((len(confidence), 1))]))
    totals = resampled(sums, draws, rng)
    drawn = np.abs(totals[:, :-1]).sum(1) / totals[:, -1]
    low, high = np.quantile(drawn - drawn.mean(), (0.025, 0.975))
    return float(low), float(high)


def risk_curve(confidence: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and errors so far, [N] each, as images are answered from the surest to the least sure.

    Of equally sure images, each bears the same part of their errors, so that their order does not matter.
    """
    order = np.argsort(-confidence, kind="stable")
    _, tie = np.unique(-confidence[order], return_inverse=True)
    mean = np.bincount(tie, weights=wrong[order]) / np.bincount(tie)
    return np.arange(1, len(wrong) + 1) / len(wrong), np.cumsum(mean[tie])


def aurc(confidence: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Areas under the risk-coverage curve (Geifman et al. 2019) and the generalised one (AUGRC, Traub et al. 2024)."""
    covered, errors = risk_curve(confidence, wrong)
    joint = errors / len(wrong)
    return float((joint / covered).mean()), float(joint.mean())


def error_auroc(
    confidence: np.ndarray, wrong: np.ndarray, clusters: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """How well low confidence tells errors from right answers: AUROC and its 95 % interval over ``clusters``.

    The share of pairs of an error and a right answer in which the error is the less sure, ties counting half.
    None where there are not both.
    """
    if not wrong.any() or wrong.all():
        return None
    count = clusters.max() + 1
    below = pairs_in_order(confidence, wrong, clusters, count)
    right = np.bincount(clusters[~wrong], minlength=count).astype(float)
    errors = np.bincount(clusters[wrong], minlength=count).astype(float)
    chosen = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    pairs = (chosen @ errors) * (chosen @ right)
    drawn = (chosen[:, errors > 0] @ below * chosen).sum(1)[pairs > 0] / pairs[pairs > 0]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(below.sum() / (errors.sum() * right.sum())), float(low), float(high)


def pairs_in_order(confidence: np.ndarray, wrong: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
    """Pairs in which the error is the less sure, float: a row for a cluster with errors, a column for each at all."""
    rows, row = np.unique(clusters[wrong], return_inverse=True)
    below = np.zeros((len(rows), count))
    for place, sureness in zip(row, confidence[wrong], strict=True):
        credit = (confidence[~wrong] > sureness) + 0.5 * (confidence[~wrong] == sureness)
        below[place] += np.bincount(clusters[~wrong], weights=credit, minlength=count)
    return below


def scores_table(
    subject: Subject, confidence: np.ndarray, floor: Floor, auroc: tuple[float, float, float] | None
) -> pd.DataFrame:
    """The scores of the probabilities beside those of plain networks on full MNIST."""
    summary = metrics.summarise(subject.predictions.probabilities, subject.labels)
    area, generalised = aurc(confidence, subject.wrong)
    found = {
        "NLL, nats": (summary["nll"], "surprise at the true digit; less is better"),
        "Brier score": (summary["brier"], "squared distance from certainty of the truth; less is better"),
        "ECE, 15 bins": (summary["ece"], "mean distance of confidence from accuracy; less is better"),
        "ECE's noise floor, mean": (float(floor.ece.mean()), "of a perfectly calibrated network as sure as this"),
        "ECE's noise floor, 95th percentile": (floor.bound, "the same, nineteen times in twenty less"),
        "AUROC of confidence for errors": (
            auroc and auroc[0],
            "0.5: confidence says nothing; 1: errors are least sure",
        ),
        "AURC": (area, "mean error among the answered, over all coverages; less is better"),
        "AUGRC": (generalised, "mean share of wrong answers, over all coverages; less is better"),
    }
    return pd.DataFrame(
        {
            "score": name,
            "this network": np.nan if value is None else float(f"{value:.4g}"),
            "plain ConvNet": PLAIN.get(name, (None, None))[0],
            "plain MLP": PLAIN.get(name, (None, None))[1],
            "meaning": meaning,
        }
        for name, (value, meaning) in found.items()
    ).astype({"plain ConvNet": float, "plain MLP": float})


def sets_table(subject: Subject) -> pd.DataFrame:
    """A row for all images and for each population: how often the prediction set holds the truth, and its size."""
    sets = subject.predictions.prediction_set
    covered, size = sets[np.arange(len(sets)), subject.labels], sets.sum(1)
    groups = {"all": np.ones(len(sets), bool)}
    if subject.has_writers:
        populations = subject.samples["population"]
        groups |= {name: (populations == name).to_numpy() for name in sorted(populations.unique(), reverse=True)}
    return pd.DataFrame(
        {
            "images of": name,
            "images": int(group.sum()),
            "hold the truth, %": round(100 * float(covered[group].mean()), 2),
            "95 % interval": exact_percent(int(covered[group].sum()), int(group.sum())),
            "mean size": round(float(size[group].mean()), 3),
            "one digit, %": round(100 * float((size[group] == 1).mean()), 2),
            "empty, %": round(100 * float((size[group] == 0).mean()), 2),
        }
        for name, group in groups.items()
    )


def blamed_on_labels(subject: Subject) -> list[str]:
    """How many of the wrong answers given the official labels may be to blame for, where it is known which labels."""
    given = subject.wrong & ~subject.predictions.abstained
    if subject.source != "mnist" or not given.any():
        return []
    rows = subject.samples["source_row"]
    mislabelled, doubtful = (given & rows.isin(known).to_numpy() for known in (CORRECTED, UNDECIDED))
    agreeing = mislabelled & (subject.predictions.digit == corrected_labels(subject))
    return [
        f"Wrong answers given: {given.sum()}, of which {mislabelled.sum()} on the ten test images whose official label "
        f"is known to be wrong (naming the digit that most people see there: {agreeing.sum()}) and "
        f"{doubtful.sum()} on the five whose label is doubtful (Northcutt et al., NeurIPS 2021). The gate counts them "
        f"all, by the official labels."
    ]


def declined(answered: np.ndarray, wrong: np.ndarray) -> str:
    """What the abstentions are spent on."""
    count, caught = int((~answered).sum()), int((~answered & wrong).sum())
    return (
        f"Of the {count} images declined, {caught} would have been misread: abstention withholds {caught} of "
        f"{int(wrong.sum())} errors at the price of {count - caught} right answers."
    )


def detection(auroc: tuple[float, float, float] | None, wrong: np.ndarray) -> str:
    """How well confidence tells errors."""
    if auroc is None:
        return "Whether confidence tells errors is not measurable: the answers are all right or all wrong."
    return (
        f"Shown an error and a right answer, confidence tells which is which in {wording.percent(auroc[0])} of such "
        f"pairs (AUROC), {wording.span(auroc[1], auroc[2])} from {int(wrong.sum())} errors; the plain MLP of "
        f"Hendrycks and Gimpel (2017) has 97.8 %."
    )


def overconfident(sure: np.ndarray) -> str:
    """The wrong answers that no threshold would catch; ``sure`` is bool [N]."""
    low, high = exact_interval(int(sure.sum()), len(sure))
    return (
        f"{int(sure.sum())} of {len(sure):,} images are misread with a confidence above {SURE} "
        f"(95 % interval {1e4 * low:.1f} to {1e4 * high:.1f} in 10,000)."
    )


def conformal(sets: pd.DataFrame) -> str:
    """How often the prediction sets hold the truth, over all and by population."""
    rows = [f"{row['images of']} {row['hold the truth, %']:.2f} %" for row in sets.to_dict("records")]
    return (
        f"Prediction sets, the digits that an answer leaves possible, hold the true one: {', '.join(rows)}; on average "
        f"they name {sets['mean size'][0]:.2f} digits. What they promise (calibration.miscoverage in params.yaml) "
        f"holds on average over images like those of validation, not for each population."
    )


def cannot_show(wrong: np.ndarray, floor: Floor) -> str:
    """What clean test images say of calibration."""
    return (
        f"What this cannot show: with {int(wrong.sum())} errors, calibration errors under about {floor.bound:.4f} are "
        f"noise, so a small one (ECE) on clean images is no proof of calibration; it must also be judged on altered "
        f"images and on what is no digit."
    )


def draw_risk(subject: Subject, confidence: np.ndarray) -> Figure:
    """Draw the error among the answered over coverage, the serving threshold and the two gates."""
    covered, errors = risk_curve(confidence, subject.wrong)
    answered = ~subject.predictions.abstained
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(100 * covered, 100 * errors / (covered * len(covered)), color=plots.BLUE, label="any threshold")
    if answered.any():
        risk = subject.wrong[answered].mean()
        axes.plot(100 * answered.mean(), 100 * risk, "o", color=plots.RED, label="as served")
    axes.axvline(100 * subject.limits.coverage, color=plots.GREY, linestyle="--", linewidth=1, label="gates")
    axes.axhline(100 * subject.limits.answered_error, color=plots.GREY, linestyle="--", linewidth=1)
    top = 1.3 * 100 * max(float(subject.wrong.mean()), subject.limits.answered_error)
    axes.set(
        xlabel="coverage: images answered, %", ylabel="wrong among the answered, %", xlim=(80, 100.3), ylim=(0, top)
    )
    axes.legend(frameon=False, loc="upper left")
    return figure


def draw_reliability(confidence: np.ndarray, wrong: np.ndarray, floor: Floor) -> Figure:
    """Draw accuracy over confidence, and the band that a perfectly calibrated network would stay in."""
    member = bins(confidence)
    images = member.sum(0)
    seen = images > 0
    mean, accuracy = ((values @ member)[seen] / images[seen] for values in (confidence, 1.0 - wrong))
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=plots.GREY, linestyle="--", linewidth=1)
    upper.fill_between(
        mean, floor.low[seen], floor.high[seen], color=plots.GREY, alpha=0.35, label="perfectly calibrated, 95 %"
    )
    upper.plot(mean, accuracy, "o-", color=plots.BLUE, markersize=4, label="this network")
    upper.set(ylabel="accuracy", ylim=(-0.03, 1.03))
    upper.legend(frameon=False, loc="lower right")
    lower.bar(mean, images[seen], width=0.03, color=plots.BLUE)
    lower.set(xlabel="confidence", ylabel="images", yscale="log", xlim=(0, 1.02))
    return figure
