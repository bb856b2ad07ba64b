"""Fooling images convince the network that they were made for, also one that noise leaves silent."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.audits.inputs.fooling import fooling
from pipeline.models.networks import MEAN, STD

COUNT = 24


def straight() -> nn.Module:
    """A network without hidden units, whose answer to noise is small."""
    return nn.Sequential(nn.Flatten(), seeing(784, 10, 5))


def silent() -> nn.Module:
    """One whose hidden units are all below zero for nearly all noise of this kind."""
    hidden = seeing(784, 64, 16)
    with torch.no_grad():
        hidden.bias.fill_(-12)
    return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), seeing(64, 10, 10))


def seeing(inputs: int, outputs: int, times: float) -> nn.Linear:
    """A layer of large weights, whose sums make no difference between an even grey and none."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight -= layer.weight.mean(1, keepdim=True)
        layer.weight *= times
    return layer


@pytest.mark.parametrize("make", [straight, silent])
def test_fooling_images_convince_the_network(make):
    torch.manual_seed(0)
    network = make().requires_grad_(False)
    pictures = fooling(network, COUNT, np.random.default_rng(0))
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    sure, unsure = (
        network((torch.from_numpy(shown).float().unsqueeze(1) / 255 - MEAN) / STD).softmax(1).amax(1)
        for shown in (pictures, noise)
    )
    assert (pictures.shape, pictures.dtype) == ((COUNT, 28, 28), np.uint8)
    assert (sure > 0.99).float().mean() > 0.5
    assert unsure.median() < 0.99
