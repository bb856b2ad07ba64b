"""Fooling a network: the smallest change of a picture that makes it another digit."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.audits.inputs.attacks import BATCH, as_tensor
from pipeline.audits.inputs.fooling import lengths

STEPS = 100
GAMMA = 0.05
"""The share by which the change grows or shrinks at each step."""
FIRST, LAST = 1.0, 0.01
"""Euclidean length of the first step and of the last, a pixel's whole range being 1; between them along a cosine."""


def smallest_change(
    network: nn.Module, images: NDArray[np.uint8], targets: NDArray[np.int64], least: float
) -> NDArray[np.uint8]:
    """For each picture the nearest one found that is taken for the digit in ``targets``: uint8 [N, 28, 28].

    By the Decoupled Direction and Norm attack (Rony et al. 2019, CVPR, arXiv 1811.09600): each step turns the change
    towards the gradient, lengthens it where the digit is not reached and shortens it where it is, and looks at a
    picture of whole levels, so that nothing is lost by rounding. A picture comes back as it was where none was found.

    Args:
        network: from pictures, float [N, 1, 28, 28] in 0..1, to logits, float [N, 10].
        images: uint8 [N, 28, 28]; targets: int64 [N], digits.
        least: how probable the digit must be, 0.5 at least.
    """
    parts = zip(as_tensor(images).split(BATCH), torch.from_numpy(targets).split(BATCH), strict=True)
    found = torch.cat([_search(network, origin, target, least) for origin, target in parts])
    return np.asarray((255 * found.squeeze(1)).round().to(torch.uint8).numpy())


def _search(network: nn.Module, origin: Tensor, targets: Tensor, least: float) -> Tensor:
    change, length = torch.zeros_like(origin), torch.ones((len(origin), 1, 1, 1))
    best, shortest = origin.clone(), torch.full((len(origin),), math.inf)
    for step in range(STEPS):
        pictures = (origin + change).requires_grad_()
        losses = F.cross_entropy(network(pictures), targets, reduction="none")
        (gradient,) = torch.autograd.grad(losses.sum(), pictures)
        reached, distance = losses <= -math.log(least), change.flatten(1).norm(dim=1)
        better = reached & (distance < shortest)
        best[better], shortest[better] = pictures.detach()[better], distance[better]
        stride = LAST + (FIRST - LAST) * (1 + math.cos(math.pi * step / STEPS)) / 2
        length = torch.where(reached.view(-1, 1, 1, 1), 1 - GAMMA, 1 + GAMMA) * length
        ahead = (origin + length * unit(change - stride * unit(gradient))).clamp(0, 1)
        change = (255 * ahead).round() / 255 - origin
    return best


def unit(changes: Tensor) -> Tensor:
    """Each of the changes, float [N, 1, 28, 28], at a Euclidean length of 1."""
    return changes / lengths(changes)
