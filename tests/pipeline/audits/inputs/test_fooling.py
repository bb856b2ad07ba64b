"""Fooling images convince the network that they were made for, also one that noise leaves silent."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.audits.inputs.fooling import fooling
from pipeline.models.networks import MEAN, STD

COUNT = 24


def straight() -> nn.Module:
    """A network without hidden units."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def silent() -> nn.Module:
    """One whose hidden units are all below zero for whatever noise of this kind it is shown."""
    hidden = nn.Linear(784, 64)
    with torch.no_grad():
        hidden.weight -= hidden.weight.mean(1, keepdim=True)
        hidden.weight *= 8
        hidden.bias.fill_(-6)
    seen = nn.Linear(64, 10)
    with torch.no_grad():
        seen.weight *= 10
    return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), seen)


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
    assert (sure > 0.99).float().mean() > 0.75
    assert unsure.median() < 0.99
