"""How far a picture lies from the training digits in the network's own features: a part of the exported graph.

A network trained on digits alone calls noise a digit with certainty, so its certainty cannot tell what is no digit.
Whether digits bring about the features that it sees in its early layers, can; and so can, for what people draw beside
digits, whether letters and things do. Nothing of this changes what the network answers.
"""

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn

from pipeline.models.networks import DIGITS

CELLS = 3
"""A stage's feature maps are averaged over a grid of this many rows and columns at most."""
COMPONENTS = 128
"""Directions whose variances are told apart; all further ones share one variance."""
FLOOR = 1e-3
"""The least deviation and variance of a feature, as a share of the mean ones: some units hardly ever fire."""
EVIDENCE = 0.8
"""What a unit of log odds for a non-digit adds to the distance."""
CLASSIFIER = {"hidden_layer_sizes": (64,), "alpha": 0.1, "batch_size": 256, "max_iter": 12}
"""What tells digits from non-digits, as scikit-learn's MLPClassifier is to fit it; `max_iter` are epochs."""
STARTS = 4
"""From so many the classifier is fitted, and its log odds averaged: what one alone says of the unseen is chance."""


def look(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, float [N, 10], of normalised images, float [N, 1, 28, 28], and features on the way to them, float [N, D].

    The features are the averages of each stage's maps, or the last hidden layer where there are no maps; of what is
    never negative the root is taken, which draws in its long tail.
    """
    *stages, head = network.children()
    maps = []
    hidden = images
    for stage in stages:
        hidden = stage(hidden)
        if isinstance(stage, nn.Sequential):
            maps.append(F.avg_pool2d(hidden, -(-hidden.shape[2] // CELLS)).flatten(1))
    return head(hidden), torch.cat(maps or [hidden], 1).sqrt()


class Novelty(nn.Module):
    """How far features are from the nearest class of training digits, and how like non-digits; about 1 for most digits.

    The Mahalanobis distance, of one mean for each class and one covariance for all (Lee et al. 2018, arXiv 1807.03888).
    Beyond its leading components the covariance is taken to be spherical (Tipping and Bishop 1999, JRSS B 61), which
    saves work. To it is added what a classifier of one hidden layer finds that speaks for a non-digit; where digits are
    as likely or likelier, that is next to nothing.

    Args:
        scale: float [D]; features are divided by it.
        means: float [10, D], of each class's scaled features.
        directions: float [D, K], orthonormal; variances: float [K], along them; rest: in any other direction.
        odds: from scaled features, float [N, D], to the log odds of a non-digit, float [N, 1]; None adds nothing.
    """

    scale: Tensor
    means: Tensor
    directions: Tensor
    centres: Tensor
    deviations: Tensor

    def __init__(
        self,
        scale: np.ndarray,
        means: np.ndarray,
        directions: np.ndarray,
        variances: np.ndarray,
        rest: float,
        odds: nn.Module | None,
    ) -> None:
        super().__init__()
        buffers = {
            "scale": scale,
            "means": means,
            "directions": directions,
            "centres": means @ directions,
            "deviations": np.sqrt(variances),
        }
        for name, value in buffers.items():
            self.register_buffer(name, torch.from_numpy(value).float())
        self.directions = self.directions.half()  # half the file's bytes lie in these
        self.rest, self.odds = rest, odds

    def forward(self, features: Tensor) -> Tensor:
        """The novelty, float [N], of features, float [N, D]; the distance is a root mean square over D dimensions."""
        scaled = features / self.scale
        along = (scaled @ self.directions.float()).unsqueeze(1) - self.centres
        total = (scaled.unsqueeze(1) - self.means).square().sum(2)
        beyond = (total - along.square().sum(2)).clamp(min=0)
        squared = (along / self.deviations).square().sum(2) + beyond / self.rest
        distance = (squared.amin(1) / features.shape[1]).sqrt()
        return distance if self.odds is None else distance + EVIDENCE * F.softplus(self.odds(scaled)).squeeze(1)


def fit(features: np.ndarray, labels: np.ndarray, of_non_digits: np.ndarray | None) -> Novelty:
    """Fit it to features of digits, float [N, D], their labels, int [N], and features of non-digits, float [M, D].

    Without the latter the distance is all there is.
    """
    values = features.astype(np.float64)
    deviations = values.std(axis=0)
    scale = np.maximum(deviations, FLOOR * deviations.mean())
    values /= scale
    means = np.stack([values[labels == digit].mean(axis=0) for digit in range(DIGITS)])
    within = values - means[labels]
    variances, directions = np.linalg.eigh(within.T @ within / len(within))
    variances, directions = np.maximum(variances[::-1], FLOOR * variances.mean()), directions[:, ::-1]
    kept = slice(min(COMPONENTS, len(variances) - 1))
    rest = float(variances[kept.stop :].mean())
    odds = None if of_non_digits is None else classifier(values, of_non_digits / scale)
    return Novelty(scale, means, directions[:, kept].copy(), variances[kept], rest, odds)


def classifier(of_digits: np.ndarray, of_non_digits: np.ndarray) -> nn.Module:
    """The log odds of a non-digit, float [N, 1], of scaled features, float [N, D], learnt from those of both."""
    both = np.concatenate([of_digits, of_non_digits]).astype(np.float32)
    centre = both.mean(axis=0)
    fitted = [MLPClassifier(**CLASSIFIER, random_state=start) for start in range(STARTS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so few epochs are meant to be
        for one in fitted:
            one.fit(both - centre, np.arange(len(both)) >= len(of_digits))
    weights = np.hstack([one.coefs_[0] for one in fitted])
    hidden = HalfLinear(weights, np.hstack([one.intercepts_[0] for one in fitted]) - centre @ weights)
    output = HalfLinear(
        np.vstack([one.coefs_[1] for one in fitted]) / STARTS, np.mean([one.intercepts_[1] for one in fitted], axis=0)
    )
    return nn.Sequential(hidden, nn.ReLU(), output)


class HalfLinear(nn.Module):
    """The layer that multiplies by weights, float [N, M], kept in half precision, and adds a bias, float [M]."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weights: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(weights.T).half())
        self.register_buffer("bias", torch.from_numpy(bias).float())

    def forward(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight.float(), self.bias)
