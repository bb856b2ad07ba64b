"""The networks' shapes and sizes."""

import pytest
import torch

from pipeline.models.networks import build, perceptron
from pipeline.params import load


@pytest.mark.parametrize("name", ["perceptron", "mlp", "convnet", "fast"])
def test_images_become_ten_logits(name):
    network = build(load(f"networks.{name}")).eval()
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_the_perceptron_is_the_textbooks():
    network = perceptron([16, 16])
    assert sum(weights.numel() for weights in network.parameters()) == 13_002
    assert [type(layer).__name__ for layer in network] == [
        "Flatten",
        "Linear",
        "Sigmoid",
        "Linear",
        "Sigmoid",
        "Linear",
    ]
