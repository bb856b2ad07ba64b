"""Fooling images convince the network that they were made for."""

import numpy as np
import torch
from torch import nn

from pipeline.audits.inputs.fooling import fooling
from pipeline.models.networks import MEAN, STD

COUNT = 24


def test_fooling_images_convince_the_network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).requires_grad_(False)
    pictures = fooling(network, COUNT, np.random.default_rng(0))
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    sure, unsure = (
        network((torch.from_numpy(shown).float().unsqueeze(1) / 255 - MEAN) / STD).softmax(1).amax(1)
        for shown in (pictures, noise)
    )
    assert (pictures.shape, pictures.dtype) == ((COUNT, 28, 28), np.uint8)
    assert sure.min() > 0.99 > unsure.median()
