"""What is counted of answers: sums that shards have apart and that add up to those of all."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.contract import CLASSES
from serving.model.recogniser import Predictions

CONFIDENCE = np.linspace(0, 1, 1001)
NOVELTY = np.geomspace(0.1, 100, 1201)
"""Edges of bins; what lies beyond the last counts with it. Between two of novelty's lie 0.6 %."""


@dataclass
class Tally:
    """Of answers: how many of each digit, abstentions by reason, refused images by error, and two histograms.

    digits: int64 [10], without abstentions; confidence, novelty: int64, a number for each bin.
    """

    digits: NDArray[np.int64] = field(default_factory=lambda: np.zeros(CLASSES, np.int64))
    reasons: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    confidence: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(CONFIDENCE) - 1, np.int64))
    novelty: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(NOVELTY) - 1, np.int64))

    @classmethod
    def of(cls, predictions: Predictions, errors: Counter[str] | None = None) -> "Tally":
        return cls(
            np.bincount(predictions.digit[~predictions.abstained], minlength=CLASSES),
            Counter(predictions.reason[predictions.abstained].tolist()),
            errors or Counter(),
            binned(predictions.confidence, CONFIDENCE),
            binned(predictions.novelty, NOVELTY),
        )

    def add(self, other: "Tally") -> None:
        self.digits += other.digits
        self.reasons += other.reasons
        self.errors += other.errors
        self.confidence += other.confidence
        self.novelty += other.novelty

    @property
    def answers(self) -> int:
        """How many images were read, whether a digit was found in them or not."""
        return int(self.digits.sum()) + self.reasons.total()

    @property
    def images(self) -> int:
        return self.answers + self.errors.total()

    def as_json(self) -> dict[str, Any]:
        """Histograms by the numbers of those bins that are not empty."""
        return {
            "digits": self.digits.tolist(),
            "reasons": dict(sorted(self.reasons.items())),
            "errors": dict(sorted(self.errors.items())),
            "confidence": {str(bin): int(self.confidence[bin]) for bin in np.flatnonzero(self.confidence)},
            "novelty": {str(bin): int(self.novelty[bin]) for bin in np.flatnonzero(self.novelty)},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Tally":
        tally = cls(np.array(content["digits"], np.int64), Counter(content["reasons"]), Counter(content["errors"]))
        for histogram, bins in ((tally.confidence, content["confidence"]), (tally.novelty, content["novelty"])):
            histogram[list(map(int, bins))] = list(bins.values())
        return tally


def binned(values: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many values lie in each bin."""
    counts: NDArray[np.int64] = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(np.int64)
    return counts


def quantile(counts: NDArray[np.int64], edges: NDArray[np.float64], share: float) -> float:
    """The upper edge of the bin in which a quantile lies; NaN of nothing."""
    total = counts.sum()
    return float(edges[1 + np.searchsorted(counts.cumsum(), share * total)]) if total else float("nan")


def beyond(counts: NDArray[np.int64], edges: NDArray[np.float64], value: float) -> float:
    """The share of what lies in bins that begin at ``value`` or behind it; NaN of nothing."""
    total = counts.sum()
    return float(counts[edges[:-1] >= value].sum() / total) if total else float("nan")
