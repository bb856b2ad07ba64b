"""What is measured of a network's calibrated probabilities: accuracy, likelihood, calibration."""

import numpy as np
import pandas as pd

DIGITS = 10
BINS = 15
SMALLEST = np.finfo(np.float32).tiny


def summarise(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float | int]:
    """Figures of probabilities, float [N, 10], against labels, int [N].

    accuracy, and errors out of images; nll, the mean negative log-likelihood in nats; brier, the mean squared distance
    to the one-hot label; ece, the expected calibration error over 15 equal bins of confidence (Guo et al. 2017).
    """
    wrong = int((probabilities.argmax(1) != labels).sum())
    bins = reliability(probabilities, labels)
    return {
        "accuracy": 1 - wrong / len(labels),
        "errors": wrong,
        "images": len(labels),
        "nll": float(log_loss(probabilities, labels).mean()),
        "brier": float(brier(probabilities, labels).mean()),
        "ece": float((bins["images"] * (bins["accuracy"] - bins["confidence"]).abs()).sum() / len(labels)),
    }


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each image's negative log-likelihood in nats, float64 [N]."""
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log(np.maximum(of_truth, SMALLEST)))


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each image's squared distance to the one-hot label, float64 [N]."""
    return np.asarray(((probabilities - np.eye(DIGITS)[labels]) ** 2).sum(1))


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """A row for each bin of confidence that holds images: mean confidence, accuracy, images."""
    confidence = probabilities.max(1)
    table = pd.DataFrame(
        {
            "bin": np.minimum((confidence * BINS).astype(int), BINS - 1),
            "confidence": confidence.astype(np.float64),
            "accuracy": (probabilities.argmax(1) == labels).astype(np.float64),
        }
    )
    groups = table.groupby("bin")
    return groups.mean().assign(images=groups.size()).reset_index(drop=True)


def confusion(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts, int [10, 10]: a row for each label, a column for each answer."""
    pairs = DIGITS * labels.astype(np.int64) + answers
    return np.bincount(pairs, minlength=DIGITS**2).reshape(DIGITS, DIGITS)
