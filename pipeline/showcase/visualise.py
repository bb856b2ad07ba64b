"""Feature visualisation: for each unit of a layer a picture that excites it as strongly as a search can."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.models.networks import SIDE
from pipeline.showcase.ascent import ascend

STEPS = 128
NOISE = 0.1
"""Of the logits of the greys that the ascent starts from, the deviation from 0."""
LEAK = 0.1
"""What a channel's sum counts where it is below zero and its answer none, so that silent places are led up too."""


def visualise(layers: nn.Sequential, units: int, seed: int) -> NDArray[np.uint8]:
    """For each of the first units of a layer the picture that excites it, uint8 [units, 28, 28].

    Args:
        layers: from standardised images, float [N, 1, 28, 28], to the layer's sums before its nonlinearity, float
            [N, K]; of channels [N, K, H, W], whose answers' mean over the picture is to be large.
    """
    every = torch.arange(units)

    def goal(sums: Tensor) -> Tensor:
        return (F.leaky_relu(sums, LEAK) if sums.ndim == 4 else sums)[every, every].sum()

    noise = torch.randn((SIDE, SIDE), generator=torch.Generator().manual_seed(seed))
    return ascend(layers, NOISE * noise.repeat(units, 1, 1), goal, [STEPS], seed)[:, -1]
