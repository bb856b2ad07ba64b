"""Out-of-distribution pictures: whether the recogniser abstains from what is no digit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.accuracy import proportion
from pipeline.audits.gates import UNMEASURABLE, Estimate
from pipeline.audits.results import Results
from pipeline.audits.statistics import placements, resampled_error
from serving.model.recogniser import Predictions

SURE = 0.99
LETTERS = "letters"
FOOLING = "fooling images"
PUBLISHED = pd.DataFrame(
    {
        "set": ["notMNIST letters", "Omniglot characters", "CIFAR-10 in grey", "Gaussian noise", "uniform noise"],
        "AUROC": [0.829, 0.953, 0.937, 0.883, 0.979],
    }
)
"""Of a three-layer perceptron by its highest probability: Hendrycks and Gimpel 2017, arXiv 1610.02136."""


@dataclass(frozen=True)
class Trial:
    """What was answered for one set, and how the doubts of it rank.

    doubt: float [M], NaN where a doubt cannot be told; auroc: the probability that one of the set is doubted more than
    a test digit.
    """

    answers: Predictions
    doubt: np.ndarray
    auroc: float

    @property
    def confident(self) -> np.ndarray:
        """bool [M]: which are answered with a confidence above 0.99."""
        return ~self.answers.abstained & (self.answers.confidence > SURE)


def measure(results: Results) -> dict[str, Any]:
    """The gates ood_auroc, ood_confident and letters_confident, and how each set is told from digits."""
    digits = doubt(results.predictions, results)
    trials = {name: trial(one.predictions, results, digits) for name, one in results.of("non_digit").items()}
    hardest = min(trials, key=lambda name: trials[name].auroc) if not np.isnan(digits).any() else None
    taken = most_taken(trials)
    reasons = pd.Series(results.predictions.reason[results.predictions.abstained], dtype=object).value_counts()
    return {
        "ood_auroc": UNMEASURABLE if hardest is None else auroc(results, trials[hardest], digits),
        "ood_confident": confident(trials[taken]),
        "letters_confident": confident(trials[LETTERS]),
        "sure": SURE,
        "hardest": hardest,
        "taken": taken,
        "images": len(digits),
        "reasons": pd.DataFrame({"reason": reasons.index.astype(str), "images": reasons.to_numpy()}),
        "taken_for": taken_for(trials),
        "has_fooling": FOOLING in trials,
        "sets": table(trials, digits),
        "published": PUBLISHED,
        "doubts": {"test digits": digits} | {name: one.doubt for name, one in trials.items()},
    }


def doubt(told: Predictions, results: Results) -> np.ndarray:
    """How much speaks against an answer, float [M]: beyond 1 the recogniser abstains, and the more the surer it is.

    Each of the two scores that it judges by, as a share of what it puts up with; of the two the larger. Infinite for a
    blank picture; NaN where the recogniser does not tell its thresholds, or the novelty of pictures.
    """
    if results.least_confidence is None or results.novelty_threshold is None:
        return np.full(len(told), np.nan)
    room = max(1 - results.least_confidence, float(np.finfo(np.float32).eps))  # none where validation was all certainty
    uncertain = (1 - told.confidence.astype(np.float64)) / room
    novel = told.novelty.astype(np.float64) / results.novelty_threshold
    doubts = np.maximum(uncertain, novel)
    return np.where((told.reason == "blank") & ~np.isnan(doubts), np.inf, doubts)


def trial(told: Predictions, results: Results, digits: np.ndarray) -> Trial:
    """What was answered for a set; ``digits``, float [N], are the doubts of the test digits."""
    doubts = doubt(told, results)
    known = not np.isnan([*doubts, *digits]).any()
    return Trial(told, doubts, float(placements(doubts, digits).mean()) if known else np.nan)


def auroc(results: Results, one: Trial, digits: np.ndarray) -> Estimate:
    """How well a set is told from digits, with the 95 % interval over its pictures and the digits' writers.

    Over the digits where no writer is known. What is resampled are the placements, whose deviations add up to the
    AUROC's (DeLong et al. 1988, Biometrics 44).
    """
    rng = results.rng("AUROC")
    writers = results.samples["writer"].to_numpy() if results.has_writers else np.arange(len(digits))
    of_set, of_digits = placements(one.doubt, digits), 1 - placements(digits, one.doubt)
    by_writer = pd.DataFrame({"placement": of_digits}).groupby(writers)["placement"].agg(["sum", "size"]).to_numpy()
    by_picture = np.column_stack([of_set, np.ones(len(of_set))])
    drawn = sum(resampled_error(sums, results.bootstrap, rng) for sums in (by_writer, by_picture)) - one.auroc
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(one.auroc, (float(low), min(float(high), 1.0)))


def most_taken(trials: Mapping[str, Trial]) -> str:
    """The set, of all but the letters, of which most is answered with a confidence above 0.99."""
    return max((name for name in trials if name != LETTERS), key=lambda name: trials[name].confident.mean())


def confident(one: Trial) -> Estimate:
    """The share of a set that is answered with a confidence above 0.99."""
    return proportion(one.confident)


def taken_for(trials: Mapping[str, Trial]) -> pd.DataFrame:
    """For each set the three digits at most that its pictures are taken for most, with a confidence above 0.99."""
    rows = []
    for name, one in trials.items():
        counts = pd.Series(one.answers.digit[one.confident]).value_counts().head(3)
        rows += [{"set": name, "digit": digit, "pictures": count} for digit, count in counts.items()]
    return pd.DataFrame(rows, columns=["set", "digit", "pictures"])


def table(trials: Mapping[str, Trial], digits: np.ndarray) -> pd.DataFrame:
    """A row for each set, the one told worst from digits first."""
    common = np.quantile(digits, 0.95)
    rows = [
        {
            "set": name,
            "pictures": len(one.doubt),
            "AUROC": one.auroc,
            "FPR95_percent": 100 * float((one.doubt <= common).mean()) if one.auroc >= 0 else np.nan,
            "declined_percent": 100 * float(one.answers.abstained.mean()),
            "confident_percent": 100 * float(one.confident.mean()),
            "mean_confidence": float(one.answers.confidence.mean()),
        }
        for name, one in trials.items()
    ]
    return pd.DataFrame(rows).sort_values("AUROC", kind="stable", ignore_index=True)
