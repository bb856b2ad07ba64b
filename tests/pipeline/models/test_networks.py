"""The networks' shapes and sizes."""

import pytest
import torch

from pipeline.models.networks import Turned, build, perceptron
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


def test_images_are_turned_in_evaluation_alone():
    images = torch.full((1, 1, 28, 28), -1.0)
    images[..., 4:24, 13:15] = 2.0
    view = Turned(-90)
    assert torch.equal(view.train()(images), images)
    level = torch.rot90(images, 1, (2, 3)) > 0
    assert torch.equal(view.eval()(images) > 0, level)
