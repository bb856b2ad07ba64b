"""How far a picture lies from the training digits in the network's own features: a part of the exported graph.

A network trained on digits alone calls noise a digit with certainty, so its certainty cannot tell what is no digit.
Whether digits bring about the features that it sees in its early layers, can.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.networks import DIGITS

CELLS = 3
"""A stage's feature maps are averaged over a grid of this many rows and columns at most."""
COMPONENTS = 128
"""Directions whose variances are told apart; all further ones share one variance."""
FLOOR = 1e-3
"""The least deviation and variance of a feature, as a share of the mean ones: some units hardly ever fire."""


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
    """The Mahalanobis distance of features to the nearest class of training digits; about 1 for a typical digit.

    One mean for each class and one covariance for all (Lee et al. 2018, arXiv 1807.03888). Beyond its leading
    components the covariance is taken to be spherical (Tipping and Bishop 1999, JRSS B 61), which saves work.

    Args:
        scale: float [D]; features are divided by it.
        means: float [10, D], of each class's scaled features.
        directions: float [D, K], orthonormal; variances: float [K], along them; rest: in any other direction.
    """

    scale: Tensor
    means: Tensor
    directions: Tensor
    centres: Tensor
    deviations: Tensor

    def __init__(
        self, scale: np.ndarray, means: np.ndarray, directions: np.ndarray, variances: np.ndarray, rest: float
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
        self.rest = rest

    def forward(self, features: Tensor) -> Tensor:
        """Distances, float [N], of features, float [N, D]: the root mean square over the D dimensions."""
        scaled = features / self.scale
        along = (scaled @ self.directions).unsqueeze(1) - self.centres
        total = (scaled.unsqueeze(1) - self.means).square().sum(2)
        beyond = (total - along.square().sum(2)).clamp(min=0)
        squared = (along / self.deviations).square().sum(2) + beyond / self.rest
        return (squared.amin(1) / features.shape[1]).sqrt()


def fit(features: np.ndarray, labels: np.ndarray) -> Novelty:
    """Fit the distances to the features of training digits, float [N, D], and their labels, int [N]."""
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
    return Novelty(scale, means, directions[:, kept].copy(), variances[kept], rest)
