"""The networks' shapes and sizes."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from pipeline.models.layers import Rotated
from pipeline.models.networks import Network, kinds, parse
from pipeline.params import load


@pytest.mark.parametrize("name", ["perceptron", "mlp", "convnet", "fast"])
def test_images_become_ten_logits(name):
    network = load(f"networks.{name}").build().eval()
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_the_perceptron_is_the_textbooks():
    network: Any = load("networks.perceptron").build()
    assert sum(weights.numel() for weights in network.parameters()) == 13_002
    assert [type(layer).__name__ for layer in network] == [
        "Flatten",
        "Linear",
        "Sigmoid",
        "Linear",
        "Sigmoid",
        "Linear",
    ]


def test_images_are_rotated_in_evaluation_alone():
    images = torch.full((1, 1, 28, 28), -1.0)
    images[..., 4:24, 13:15] = 2.0
    view = Rotated(-90)
    assert torch.equal(view.train()(images), images)
    level = torch.rot90(images, 1, (2, 3)) > 0
    assert torch.equal(view.eval()(images) > 0, level)


@pytest.mark.parametrize("name", ["perceptron", "mlp", "convnet", "fast"])
def test_a_network_is_the_same_after_its_config_was_written_and_read(name):
    config = load(f"networks.{name}")
    assert parse(config.model_dump()) == config
    assert isinstance(config, kinds()[config.kind])


def test_every_kind_has_a_name_for_people():
    assert [kind.title for kind in kinds().values()] == [
        "textbook's perceptron",
        "multilayer perceptron",
        "convolutional network",
    ]
    assert all(issubclass(kind, Network) for kind in kinds().values())


def test_params_yaml_is_checked_without_torch():
    code = "import sys; from pipeline import params; params.load('networks'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
