"""Deep dream: a picture led to make a layer answer more and more strongly, whatever it is that it sees there."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.showcase.ascent import ascend

FRAMES = (0, 4, 12, 32, 80)
"""Steps after which a frame is kept."""
FAINTEST = 0.02
"""Of a pixel at the start, and of what lacks to white: the ascent has no slope at either end."""


def dream(layers: nn.Sequential, images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """What becomes of images, uint8 [N, 28, 28], when a layer's answers are led up: uint8 [N, frames, 28, 28].

    After Mordvintsev, Olah and Tyka 2015, "Inceptionism": what is to be large is the sum of the squared answers.

    Args:
        layers: from standardised images, float [N, 1, 28, 28], to a layer's answers, its nonlinearity included.
    """

    def goal(answers: Tensor) -> Tensor:
        return answers.square().flatten(1).mean(1).sum()

    start = (torch.from_numpy(images).float() / 255).logit(FAINTEST)
    return ascend(layers, start, goal, FRAMES, seed)
