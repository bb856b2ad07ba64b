"""Fooling images: noise that a network is led to take for digits. Importing this loads torch."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.audits.inputs.soften import soften
from pipeline.models.networks import standardise
from serving.model.recogniser import CLASSES, SIDE

STEPS, STRIDE = 40, 0.5
"""Of the search: how many, and how far each goes in Euclidean distance, pixels counting to 1."""
FARTHEST = 0.5
"""How far it goes from where it began, as a share of the noise's own distance from an even grey. Led on without a
bound, noise becomes digits that people read as well: pictures that fool nobody."""


def fooling(network: nn.Module, count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise changed by the network's gradient until the network is certain that it sees a digit drawn by lot.

    After Nguyen, Yosinski and Clune (2015), on the network alone: nobody tells the search what else is served.

    Args:
        network: float [N, 1, 28, 28], normalised, to logits, float [N, 10].

    Returns:
        uint8 [count, 28, 28].
    """
    brightest = rng.uniform(0.25, 1, (count, 1, 1, 1))
    noise = torch.from_numpy((rng.random((count, 1, SIDE, SIDE)) * brightest).astype(np.float32))
    targets = torch.from_numpy(rng.integers(0, CLASSES, count))
    pixels, farthest = noise.clone(), FARTHEST * lengths(noise - noise.mean((1, 2, 3), keepdim=True))
    softened, harden = soften(network)
    for step in range(STEPS):
        harden(step / STEPS)
        pixels.requires_grad_()
        loss = F.cross_entropy(softened(standardise(pixels)), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels)
        change = pixels.detach() - STRIDE * gradient / lengths(gradient) - noise
        pixels = (noise + change * (farthest / lengths(change)).clamp(max=1)).clamp(0, 1)
    return np.rint(255 * pixels[:, 0].numpy()).astype(np.uint8)


def lengths(pictures: Tensor) -> Tensor:
    """The Euclidean length of each, float [N, 1, 1, 1]."""
    return pictures.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
