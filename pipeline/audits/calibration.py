"""Whether the network knows when it is wrong: confidence against accuracy, and answers against abstentions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits import scores
from pipeline.audits.accuracy import corrected_labels, label_errors, percentages, proportion
from pipeline.audits.gates import Estimate
from pipeline.audits.results import Results
from pipeline.audits.statistics import exact_interval, interval, resampled

SURE = 0.99
"""A wrong answer given with more confidence than this is called overconfident."""
CHUNK = 250
"""Draws simulated at once, which bounds memory."""

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


def estimates(results: Results, with_interval: bool = True) -> dict[str, Estimate]:
    """The gates' estimates alone.

    Args:
        with_interval: whether that of the calibration error is wanted, which takes as long as all else.
    """
    return answers(results) | {"ece_excess": ece_excess(results, floor(results), with_interval)}


def answers(results: Results) -> dict[str, Estimate]:
    """The estimates of the gates on abstention."""
    answered = ~results.predictions.abstained
    return {"coverage": coverage(answered), "answered_error": answered_error(answered, results.wrong)}


def measure(results: Results) -> dict[str, Any]:
    """Calibration, selective prediction and prediction sets on the clean test set."""
    predictions, wrong, confidence = results.predictions, results.wrong, confidences(results)
    clean = floor(results)
    auroc = error_auroc(confidence, wrong, writers(results), results.bootstrap, results.rng("error detection"))
    sure, caught = wrong & (confidence > SURE), wrong & predictions.abstained
    covered, errors = risk_curve(confidence, wrong)
    return {
        **answers(results),
        "ece_excess": ece_excess(results, clean),
        "images": len(wrong),
        "errors": int(wrong.sum()),
        "abstained": int(predictions.abstained.sum()),
        "errors_abstained_on": int(caught.sum()),
        "ece": ece(confidence, wrong),
        "ece_floor_mean": float(clean.ece.mean()),
        "ece_floor_bound": clean.bound,
        "error_auroc": auroc,
        "overconfident": int(sure.sum()),
        "overconfident_interval": exact_interval(int(sure.sum()), len(sure)),
        **blamed_on_labels(results),
        "scores": scores_table(results, clean, auroc),
        **({} if predictions.prediction_set is None else {"sets": sets_table(results, predictions.prediction_set)}),
        "reliability": reliability(confidence, wrong, clean),
        "coverage_percent": 100 * covered,
        "risk_percent": 100 * errors / (covered * len(covered)),
    }


def confidences(results: Results) -> np.ndarray:
    """The confidence in each answer, float64 [N]."""
    return results.predictions.confidence.astype(np.float64)


def writers(results: Results) -> np.ndarray:
    """Whose digit each image is, int [N] from 0: its writer, or, where the source names none, the image itself."""
    if not results.has_writers:
        return np.arange(len(results.labels))
    return np.unique(results.samples["writer"].to_numpy(np.int64), return_inverse=True)[1]


def coverage(answered: np.ndarray) -> Estimate:
    """The share of images that are answered, bool [N]."""
    return proportion(answered)


def answered_error(answered: np.ndarray, wrong: np.ndarray) -> Estimate:
    """The share of wrong answers among those given; both bool [N]."""
    return proportion(wrong[answered])


def bins(confidence: np.ndarray) -> np.ndarray:
    """The bin of each confidence, int [N]; the bins of `scores.reliability`."""
    return np.minimum((confidence.astype(np.float32) * scores.BINS).astype(int), scores.BINS - 1)


def one_hot(confidence: np.ndarray) -> np.ndarray:
    """The same, float32 [N, 15]."""
    return np.eye(scores.BINS, dtype=np.float32)[bins(confidence)]


def ece(confidence: np.ndarray, wrong: np.ndarray) -> float:
    """Expected calibration error of the answers over 15 equal bins of confidence (Guo et al. 2017)."""
    return float(np.abs((1.0 - wrong - confidence) @ one_hot(confidence)).sum() / len(confidence))


def floor(results: Results) -> Floor:
    """The noise floor of a network's confidences."""
    return noise_floor(confidences(results), results.bootstrap, results.rng("noise floor"))


def noise_floor(confidence: np.ndarray, draws: int, rng: np.random.Generator) -> Floor:
    """Simulate networks with these confidences, float [N], that are right exactly as often as they say.

    What is counted are their errors, which are few.
    """
    member, place = one_hot(confidence), bins(confidence)
    expected, images = confidence @ member, member.sum(0)
    errors = []
    for start in range(0, draws, CHUNK):
        count = min(CHUNK, draws - start)
        wrong = np.flatnonzero(rng.random((count, len(confidence)), dtype=np.float32) >= confidence)
        network, image = np.divmod(wrong, len(confidence))
        errors.append(np.bincount(network * scores.BINS + place[image], minlength=count * scores.BINS))
    right = images - np.concatenate(errors).reshape(draws, scores.BINS).astype(np.float32)
    low, high = (
        np.where(images, bound / np.maximum(images, 1), np.nan) for bound in np.quantile(right, (0.025, 0.975), axis=0)
    )
    return Floor(np.abs(right - expected).sum(1) / len(confidence), low, high)


def ece_excess(results: Results, clean: Floor, with_interval: bool = True) -> Estimate:
    """The expected calibration error beyond the 95th percentile of its own noise floor, which is held fixed."""
    confidence, wrong = confidences(results), results.wrong
    found = ece(confidence, wrong)
    if not with_interval:
        return Estimate(found - clean.bound)
    down, up = ece_spread(confidence, wrong, writers(results), results.bootstrap, results.rng("ECE"))
    return Estimate(found - clean.bound, (max(found + down, 0) - clean.bound, found + up - clean.bound))


def ece_spread(
    confidence: np.ndarray, wrong: np.ndarray, clusters: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """How far resampled ``clusters`` move the expected calibration error in 95 % of the draws, down and up.

    From the draws' own mean, since a resample's error in calibration holds the noise twice.
    """
    count = clusters.max() + 1
    deviations = np.bincount(
        clusters * scores.BINS + bins(confidence), weights=1.0 - wrong - confidence, minlength=count * scores.BINS
    )
    sums = np.column_stack([deviations.reshape(count, scores.BINS), np.bincount(clusters)])
    totals = resampled(sums, draws, rng)
    drawn = np.abs(totals[:, :-1]).sum(1) / totals[:, -1]
    return interval(drawn - drawn.mean())


def reliability(confidence: np.ndarray, wrong: np.ndarray, clean: Floor) -> pd.DataFrame:
    """A row for each bin that holds images: mean confidence, accuracy, and the band of a calibrated network."""
    member = one_hot(confidence)
    images = member.sum(0)
    table = pd.DataFrame({"images": images, "low": clean.low, "high": clean.high})[images > 0]
    means = {"confidence": confidence @ member, "accuracy": (1.0 - wrong) @ member}
    return table.assign(**{name: sums[images > 0] / table["images"] for name, sums in means.items()})


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
    return float(below.sum() / (errors.sum() * right.sum())), *interval(drawn)


def pairs_in_order(confidence: np.ndarray, wrong: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
    """Pairs in which the error is the less sure, float: a row for a cluster with errors, a column for each at all."""
    rows, row = np.unique(clusters[wrong], return_inverse=True)
    below = np.zeros((len(rows), count))
    for place, sureness in zip(row, confidence[wrong], strict=True):
        credit = (confidence[~wrong] > sureness) + 0.5 * (confidence[~wrong] == sureness)
        below[place] += np.bincount(clusters[~wrong], weights=credit, minlength=count)
    return below


def scores_table(results: Results, clean: Floor, auroc: tuple[float, float, float] | None) -> pd.DataFrame:
    """The scores of the probabilities beside those of plain networks on full MNIST."""
    summary = scores.summarise(results.predictions.probabilities, results.labels)
    area, generalised = aurc(confidences(results), results.wrong)
    found = {
        "NLL, nats": (summary["nll"], "surprise at the true digit; less is better"),
        "Brier score": (summary["brier"], "squared distance from certainty of the truth; less is better"),
        "ECE, 15 bins": (summary["ece"], "mean distance of confidence from accuracy; less is better"),
        "ECE's noise floor, mean": (float(clean.ece.mean()), "of a perfectly calibrated network as sure as this"),
        "ECE's noise floor, 95th percentile": (clean.bound, "the same, nineteen times in twenty less"),
        "AUROC of confidence for errors": (
            np.nan if auroc is None else auroc[0],
            "0.5: confidence says nothing; 1: errors are least sure",
        ),
        "AURC": (area, "mean error among the answered, over all coverages; less is better"),
        "AUGRC": (generalised, "mean share of wrong answers, over all coverages; less is better"),
    }
    return pd.DataFrame(
        {
            "score": name,
            "this_network": value,
            "plain_convnet": PLAIN.get(name, (None, None))[0],
            "plain_mlp": PLAIN.get(name, (None, None))[1],
            "meaning": meaning,
        }
        for name, (value, meaning) in found.items()
    ).astype({"plain_convnet": float, "plain_mlp": float})


def sets_table(results: Results, sets: np.ndarray) -> pd.DataFrame:
    """A row for all images and for each population: how often its prediction set, bool [N, 10], holds the truth."""
    covered, size = sets[np.arange(len(sets)), results.labels], sets.sum(1)
    groups = {"all": np.ones(len(sets), bool)}
    if results.has_writers:
        populations = results.samples["population"]
        groups |= {name: (populations == name).to_numpy() for name in sorted(populations.unique(), reverse=True)}
    return pd.DataFrame(
        {
            "images_of": name,
            "images": int(group.sum()),
            **percentages(int(covered[group].sum()), int(group.sum()), "hold_the_truth"),
            "mean_size": float(size[group].mean()),
            "one_digit_percent": 100 * float((size[group] == 1).mean()),
            "empty_percent": 100 * float((size[group] == 0).mean()),
        }
        for name, group in groups.items()
    )


def blamed_on_labels(results: Results) -> dict[str, int]:
    """How many wrong answers the official labels may be to blame for; nothing where it is not known which labels."""
    known = label_errors(results)
    if known is None:
        return {}
    given = results.wrong & ~results.predictions.abstained
    rows = results.samples["source_row"]
    mislabelled, doubtful = (given & rows.isin([*wrong]).to_numpy() for wrong in (known.corrected, known.undecided))
    agreeing = mislabelled & (results.predictions.digit == corrected_labels(results, known))
    return {
        "wrong_answers": int(given.sum()),
        "wrong_by_a_wrong_label": int(mislabelled.sum()),
        "right_by_the_true_label": int(agreeing.sum()),
        "wrong_by_a_doubtful_label": int(doubtful.sum()),
    }
