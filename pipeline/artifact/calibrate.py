"""Calibration on validation images: the temperature, and the thresholds of abstention and of the prediction set."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from pipeline.params import Calibration


@dataclass(frozen=True)
class Thresholds:
    """By which the recogniser answers, abstains, and names the digits that cannot be ruled out."""

    confidence_threshold: float
    """It abstains under it."""
    novelty_threshold: float
    """It abstains over it."""
    conformal_threshold: float
    """Digits at least as probable belong to the prediction set; 0 where no sets are promised."""


def thresholds(
    network: str,
    probabilities: np.ndarray,
    novelty: np.ndarray,
    of_sent: np.ndarray,
    labels: np.ndarray,
    config: Calibration,
) -> Thresholds:
    """Set them by what the network's model says of validation.

    Args:
        probabilities, novelty: of validation images, float [N, 10] and float [N]; labels: int [N], theirs.
        of_sent: the novelty, float [M], of validation digits as they are sent.
    """
    confidence_threshold, novelty_threshold = abstention(network, probabilities.max(1), novelty, of_sent, config)
    return Thresholds(
        confidence_threshold=confidence_threshold,
        novelty_threshold=novelty_threshold,
        conformal_threshold=conformal_threshold(probabilities, labels, config.miscoverage),
    )


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The divisor of the logits that gives the labels the least negative log-likelihood (Guo et al. 2017)."""

    def nll(log_scale: float) -> float:
        return -float(log_softmax(logits / np.exp(log_scale), axis=1)[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(nll, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def abstention(
    network: str, confidence: np.ndarray, novelty: np.ndarray, of_sent: np.ndarray, config: Calibration
) -> tuple[float, float]:
    """Thresholds of confidence and of novelty, each float [N], that abstain on a share of the images and no more.

    By novelty the share is ``config.novelty``, and where ``config.novelty_sent`` names the network, that of digits as
    they are sent, whose novelty is ``of_sent``, float [M]; by confidence what is left of ``config.abstention``. The
    thresholds are values of images that are answered.
    """
    shares = [(novelty, config.novelty)]
    if network in config.novelty_sent:
        shares.append((of_sent, config.novelty_sent[network]))
    novelty_threshold = max(float(np.quantile(values, 1 - share, method="higher")) for values, share in shares)
    among = np.where(novelty > novelty_threshold, 0, confidence)
    return float(np.quantile(among, config.abstention, method="lower")), novelty_threshold


def conformal_threshold(probabilities: np.ndarray, labels: np.ndarray, miscoverage: float) -> float:
    """The threshold of split-conformal sets that miss the true digit with probability ``miscoverage`` at most.

    Least ambiguous sets (Sadinle, Lei and Wasserman 2019). With too few labels for the promise the threshold is 0,
    which would rule nothing out, and nothing is promised.
    """
    allowed = int(np.floor(miscoverage * (len(labels) + 1)))
    of_truth = np.sort(probabilities[np.arange(len(labels)), labels])
    return float(of_truth[allowed - 1]) if allowed else 0.0
